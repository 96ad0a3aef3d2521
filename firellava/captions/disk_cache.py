"""The caption cache in a file, which programs and processes can share and come back to."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from firellava.captions.caption import Caption
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["DiskCaptionCache"]

_PATIENCE: Final = 60.0
"""Seconds to wait for another process that is writing."""

_TABLE: Final = "CREATE TABLE IF NOT EXISTS captions (key TEXT PRIMARY KEY, caption TEXT NOT NULL)"


@dataclass(frozen=True, slots=True, init=False)
class DiskCaptionCache:
    """Captions in an SQLite file. It may be used by threads and processes at once, and pickles by its path.

    A caption is on the disk when `put` returns: a program that is killed has lost none it had.

    Args:
        path: the file; it and its folder are made where they are missing.

    Raises:
        ConfigurationError: there can be no such file here, or it is something else.
    """

    path: Path

    def __init__(self, path: str | os.PathLike[str]) -> None:
        object.__setattr__(self, "path", Path(path).absolute())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The caption cache {self.path} cannot be made: {error.strerror}."
            ) from error
        with self._opened():
            pass

    def get(self, key: str, /) -> Caption | None:
        """The caption kept under a key, or None.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        with self._opened() as database:
            row = database.execute("SELECT caption FROM captions WHERE key = ?", (key,)).fetchone()
        return None if row is None else Caption.from_dict(orjson.loads(row[0]))

    def put(self, key: str, caption: Caption, /) -> None:
        """Keep a caption.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        stored = orjson.dumps(caption.as_dict()).decode()
        with self._opened() as database:
            database.execute("INSERT OR REPLACE INTO captions VALUES (?, ?)", (key, stored))

    def __len__(self) -> int:
        with self._opened() as database:
            count: int = database.execute("SELECT COUNT(*) FROM captions").fetchone()[0]
        return count

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection for one step, committed at its end.

        None is kept: it could be shared neither between threads nor with a forked process, and opening one
        takes a fraction of a millisecond.
        """
        try:
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as database, database:
                database.execute(_TABLE)
                yield database
        except sqlite3.Error as error:
            raise ConfigurationError(f"The caption cache {self.path} cannot be used: {error}.") from error
