"""Errors as a person at a terminal wants them: one line, and an exit code that a script can use."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from firellava.errors import ConfigurationError, FireLLaVAError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["readable_errors"]

_NO_ANSWER, _BAD_INPUT, _BAD_SETTING, _INTERRUPTED = 1, 2, 3, 130


@contextmanager
def readable_errors(*, debug: bool) -> Iterator[None]:
    """Turn errors of ours into a line on standard error and an exit code; with `debug` let them through."""
    try:
        yield
    except FireLLaVAError as error:
        if debug:
            raise
        sys.stdout.flush()
        typer.echo(f"firellava: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(_exit_code(error)) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def _exit_code(error: FireLLaVAError) -> int:
    if isinstance(error, ConfigurationError):
        return _BAD_SETTING
    return _BAD_INPUT if isinstance(error, InvalidRequest) else _NO_ANSWER
