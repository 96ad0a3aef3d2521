"""Processes that prepare images, and die of it without taking the benchmark with them."""

from __future__ import annotations

import faulthandler
import io
import multiprocessing
import resource
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from benchmarks.corpora.encoded import has_gps
from benchmarks.corpora.measuring import WAYS, Trial, try_image
from benchmarks.corpora.watch import Watch
from firellava.images import ImageSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = ["Worker"]

# Beyond this a file counts as one that never ends; below it, it is measured.
_PATIENCE: Final = 60.0

# So that a file which takes everything takes its worker, and not the machine. Far above what is allowed:
# an image that fails at it is found out.
_ADDRESS_SPACE: Final = 8 * 2**30


class Worker:
    """A process that prepares one image after the other, and is replaced when it hangs or dies."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._output = Path(self._folder.name) / "output"
        self._start()

    def try_image(self, data: bytes) -> tuple[list[Trial], bool]:
        """What came of a file, and whether it tells a place."""
        try:
            self._connection.send(data)
            if self._connection.poll(_PATIENCE):
                trials, places = self._connection.recv()
                return trials, places
            self._process.kill()
            problem = f"was not done after {_PATIENCE:.0f} s"
        except (EOFError, OSError):
            self._process.join()
            problem = f"killed its process: {self._describe_death()}"
        self.close()
        self._start()
        return [Trial("all", "failure", _PATIENCE, 0, (problem,))], False

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._output), daemon=True)
        self._process.start()
        theirs.close()

    def _describe_death(self) -> str:
        code = self._process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return f"{name} {self._output.read_text(errors='replace')[-300:]}"


def _serve(connection: Connection, output: Path) -> None:
    """The process: files in, trials out, until nobody sends any more."""
    watch = Watch(output)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    _warm_up()
    while True:
        try:
            data = connection.recv()
        except EOFError:
            return
        connection.send((try_image(data, watch), has_gps(data)))


def _warm_up() -> None:
    """Prepare a picture of both kinds: what Pillow loads to write them is not the doing of any file."""
    for data in _first_pictures():
        for prepare in WAYS.values():
            prepare(ImageSource.from_bytes(data))


def _first_pictures() -> Iterator[bytes]:
    for image_format in ("JPEG", "PNG"):
        buffer = io.BytesIO()
        Image.linear_gradient("L").save(buffer, image_format)
        yield buffer.getvalue()
