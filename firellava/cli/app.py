"""The Typer application that the commands are hung into."""

from __future__ import annotations

from typing import Annotated

import typer

from firellava.cli.ask import ask
from firellava.cli.doctor import doctor
from firellava.cli.estimate import estimate
from firellava.version import __version__

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if wanted:
        typer.echo(f"firellava {__version__}")
        raise typer.Exit


@app.callback()
def firellava(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Ask questions about images: of Fireworks' vision models, or of this machine when they cannot answer."""


app.command()(ask)
app.command()(estimate)
app.command()(doctor)
