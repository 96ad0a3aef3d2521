"""What a process does beside its work: everything that preparing an image must not do.

Python's audit events tell of processes, sockets and files; a redirected standard error of what C libraries
print; a comparison of Pillow's module-level state of what was changed in it.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Watch"]

_PROCESSES: Final = (
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "pty.spawn", "subprocess.Popen",
)  # fmt: skip
_NETWORK: Final = "socket."
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


class Watch:
    """Watches this process; there is one, as audit hooks cannot be taken off again.

    Args:
        output: the file that standard output and standard error are redirected to.

    Attributes:
        printed: whether anything was printed while it watched last. Python's log is not: who wants it quiet
            says so to `logging`.
    """

    def __init__(self, output: Path) -> None:
        self.printed = False
        self._seen: list[str] | None = None
        self._output = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(self._output, 1)
        os.dup2(self._output, 2)
        logging.getLogger().addHandler(logging.NullHandler())
        sys.dont_write_bytecode = True
        sys.addaudithook(self._hear)

    @contextmanager
    def over(self, problems: list[str]) -> Iterator[None]:
        """Add to `problems` whatever happens inside that must not."""
        pillow, printed, children = _state_of_pillow(), os.fstat(self._output).st_size, _faults_of_children()
        self._seen = problems
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
        finally:
            self._seen = None
        problems += [f"warning: {warning.category.__name__}: {warning.message}" for warning in caught]
        problems += [
            f"Pillow's {name} changed" for name, now in _state_of_pillow().items() if now != pillow[name]
        ]
        self.printed = os.fstat(self._output).st_size != printed
        if _faults_of_children() != children:
            problems.append("a child process ended")

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._seen is None:
            return
        if event.startswith(_NETWORK):
            self._seen.append(f"network: {event}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self._seen.append(f"file written: {arguments[0]!r}")
        elif event in _PROCESSES:
            self._seen.append(f"process: {event} {str(arguments)[:80]}")


def _state_of_pillow() -> dict[str, object]:
    plugins = (name for name in sys.modules if name.startswith("PIL.") and name.endswith("Plugin"))
    return {
        "ImageFile.LOAD_TRUNCATED_IMAGES": ImageFile.LOAD_TRUNCATED_IMAGES,
        "ImageFile.MAXBLOCK": ImageFile.MAXBLOCK,
        "Image.MAX_IMAGE_PIXELS": Image.MAX_IMAGE_PIXELS,
        "Image.WARN_POSSIBLE_FORMATS": Image.WARN_POSSIBLE_FORMATS,
        "formats to open": (tuple(Image.ID), tuple(Image.OPEN.items())),
        "formats to save": (tuple(Image.SAVE.items()), tuple(Image.SAVE_ALL.items())),
        "names of formats": (tuple(Image.EXTENSION.items()), tuple(Image.MIME.items())),
        "codecs": (tuple(Image.DECODERS.items()), tuple(Image.ENCODERS.items())),
        "loaded plugins": frozenset(plugins),
    }


def _faults_of_children() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
