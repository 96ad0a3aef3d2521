"""``firellava ask``: one question about any number of images."""

from __future__ import annotations

import warnings
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from firellava.cli.errors import readable_errors
from firellava.cli.evidence import make_folder, save_evidence
from firellava.cli.prepared import save_prepared
from firellava.client import VisionClient
from firellava.images import ImageSource
from firellava.limits import SeveralImagesWarning, TextTooSmallWarning
from firellava.messages import ImagePart, Message, TextPart
from firellava.models import Fit  # noqa: TC001 - typer reads annotations at run time

if TYPE_CHECKING:
    from collections.abc import Generator

    from firellava.replies import Reply, ReplyChunk

__all__ = ["ask"]


def ask(  # noqa: PLR0913 - each argument is an option of the command
    *,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Files or http(s) URLs.")
    ] = None,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    model: Annotated[
        str | None, typer.Option(help="A model of the API; default FIRELLAVA_MODEL or firellava-13b.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Default FIREWORKS_API_BASE or the public API.")
    ] = None,
    card: Annotated[
        str | None, typer.Option(help="Name of the model whose rules a deployment of your own follows.")
    ] = None,
    fallback: Annotated[
        Literal["auto", "none"],
        typer.Option(help="What answers when the API cannot: this machine, or nothing."),
    ] = "auto",
    system: Annotated[
        str | None, typer.Option(help="A system prompt; an empty one omits the default.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 for the likeliest answer.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The longest answer, in tokens.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one attempt.")] = 60.0,
    deadline: Annotated[float | None, typer.Option(help="Seconds for all attempts together.")] = None,
    fit: Annotated[
        Fit | None,
        typer.Option(help="How images are made to fit; tiles shows small text larger, in several pictures."),
    ] = None,
    show_prepared: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save here the pictures that the model asked first is shown."),
    ] = None,
    show_evidence: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Save images here with frames around what the answer quotes."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """Ask a question about one or more images.

    The API key is read from FIREWORKS_API_KEY. Without one, this machine answers and says so.
    """
    with readable_errors(debug=debug):
        client = VisionClient(
            model,
            base_url=base_url,
            card=card,
            fallback="auto" if fallback == "auto" else None,
            timeout=timeout,
            deadline=deadline,
            fit=fit,
        )
        for folder in (show_prepared, show_evidence):
            if folder is not None:
                make_folder(folder)
        parts = [ImagePart(ImageSource.of(image)) for image in images or ()]
        messages = [Message("user", [*parts, TextPart(question)])]
        if system is not None:
            messages.insert(0, Message("system", system))
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always", SeveralImagesWarning)
            warnings.simplefilter("always", TextTooSmallWarning)
            if show_prepared is not None:  # before asking, so that they are there even if nothing answers
                saved = save_prepared(client.preview(messages), show_prepared)
                _show_files(saved, "prepared", "none, there is no image to prepare")
            chunks = client.stream(messages, temperature=temperature, max_tokens=max_tokens)
            reply = _show(chunks, client.model_card.name, quiet=as_json)
        if as_json:
            typer.echo(orjson.dumps(_as_json(reply), option=orjson.OPT_INDENT_2).decode())
        else:
            _show_provenance(reply, list(dict.fromkeys(str(note.message) for note in noted)))
        if show_evidence is not None:
            saved = save_evidence(reply, [part.source for part in parts], show_evidence)
            _show_files(saved, "evidence", "none, the answer quotes nothing")


def _show(chunks: Generator[ReplyChunk, None, None], asking: str, *, quiet: bool) -> Reply:
    """Print the answer as it comes; a spinner on standard error until its first piece is there."""
    with Console(stderr=True).status(f"Asking {escape(asking)} …"):
        chunk = next(chunks)
    while not chunk.last:
        if not quiet:
            typer.echo(chunk.text, nl=False)
        chunk = next(chunks)
    assert chunk.reply is not None  # noqa: S101 - the last piece carries the reply
    if not quiet:
        typer.echo()
    return chunk.reply


def _show_provenance(reply: Reply, notes: list[str]) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    facts = [f"[bold]{escape(reply.backend)}[/bold]"]
    if reply.degraded:
        facts.append("no vision model: text was read from the image")
    if reply.confidence is not None:
        facts.append(f"confidence {reply.confidence:.2f}")
    if reply.usage is not None:
        of_which = "" if reply.usage.image_tokens is None else f", {reply.usage.image_tokens} for images"
        facts.append(f"{reply.usage.prompt_tokens} tokens in{of_which}, {reply.usage.completion_tokens} out")
    if not reply.degraded:
        facts.append("cost unknown" if reply.cost_usd is None else f"${reply.cost_usd:f}")
    console.print(f"[dim]— {' · '.join(facts)}[/dim]")
    for attempt in reply.fallback_from:
        why, *_advice = str(attempt.error).partition(". ")
        console.print(f"[dim]  instead of {escape(attempt.backend)}: {escape(why)}[/dim]")
    for note in notes:
        console.print(f"[dim]  note: {escape(note)}[/dim]")


def _show_files(paths: list[Path], what: str, otherwise: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for told in [str(path) for path in paths] or [otherwise]:
        console.print(f"[dim]  {what}: {escape(told)}[/dim]")


def _as_json(reply: Reply) -> dict[str, object]:
    return {"text": reply.text, **reply.metadata(), "usage": reply.usage}
