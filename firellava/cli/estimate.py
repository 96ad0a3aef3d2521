"""``firellava estimate``: what a question would take, without asking it."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from firellava.cli.errors import readable_errors
from firellava.costs.estimate import estimate_request
from firellava.errors import UnreadableImage
from firellava.images import ImageSource
from firellava.messages import Message
from firellava.models import Fit  # noqa: TC001 - typer reads annotations at run time
from firellava.requests import chat_request, question_message
from firellava.settings import first_backend

if TYPE_CHECKING:
    from firellava.costs.estimate import Estimate

__all__ = ["estimate"]


def estimate(  # noqa: PLR0913 - each argument is an option of the command
    *,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Files or http(s) URLs.")
    ] = None,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    model: Annotated[
        str | None, typer.Option(help="A model of the API; default FIRELLAVA_MODEL or firellava-13b.")
    ] = None,
    card: Annotated[
        str | None, typer.Option(help="Name of the model whose rules a deployment of your own follows.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="A system prompt; an empty one omits the default.")
    ] = None,
    fit: Annotated[
        Fit | None, typer.Option(help="How images are made to fit; tiles makes several pictures of one.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The longest answer, in tokens.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """Tell what a question about images would take: tokens, dollars, and whether it fits.

    Nothing is read or sent: images are counted, and a file only has to be there, as for asking.
    """
    with readable_errors(debug=debug):
        messages = [question_message(question, [_source(image) for image in images or ()])]
        if system is not None:
            messages.insert(0, Message("system", system))
        request = chat_request(messages, {"max_tokens": max_tokens}, stream=False)
        found = estimate_request(request, first_backend(None, card, model=model), fit)
    if as_json:
        typer.echo(orjson.dumps(asdict(found), default=_as_json, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(found)


def _source(image: str) -> ImageSource:
    source = ImageSource.of(image)
    if source.kind == "path" and not Path(image).is_file():
        raise UnreadableImage(f"There is no file {source.name}.")
    return source


def _show(found: Estimate) -> None:
    table = Table(show_header=False, box=None)
    for name, value in found.rows():
        table.add_row(f"[bold]{name}[/bold]", escape(value))
    Console(highlight=False).print(table)


def _as_json(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError
