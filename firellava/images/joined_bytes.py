"""A file made of two runs of bytes in memory, for decoders, without copying either of them."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["open_joined"]


def open_joined(head: bytes, data: bytes, start: int) -> io.BufferedReader:
    """A file that reads as `head` followed by `data` from `start` on."""
    return io.BufferedReader(_JoinedBytes(head, data, start))


class _JoinedBytes(io.RawIOBase):
    def __init__(self, head: bytes, data: bytes, start: int) -> None:
        self._head = memoryview(head)
        self._tail = memoryview(data)[start:]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer).cast("B")
        behind = self._position - len(self._head)
        part = self._head[self._position :] if behind < 0 else self._tail[behind:]
        count = min(len(room), len(part))
        room[:count] = part[:count]
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}
        self._position = max(0, starts.get(whence, len(self._head) + len(self._tail)) + offset)
        return self._position
