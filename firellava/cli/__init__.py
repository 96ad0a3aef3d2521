"""The command line: ``firellava ask IMAGE… QUESTION``. Each command is a module of its own.

The answer goes to standard output and everything about it to standard error, so that ``$(firellava ask …)``
holds the answer. Exit codes: 0 answered, 1 no backend answered, 2 the input is wrong, 3 a setting is wrong or
something is not installed, 130 interrupted.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; the console script ``firellava``."""
    try:
        from firellava.cli.app import app  # noqa: PLC0415 - typer and rich belong to an extra
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.stderr.write('firellava: the command line needs an extra: pip install "firellava[cli]"\n')
        sys.exit(3)
    app()
