"""Server-sent events: bytes in, events out, and nothing else.

Follows the event stream format of the WHATWG HTML standard: lines end with CR LF, LF or CR (and with
nothing else: U+2028 is ordinary text), a blank line dispatches, ``data`` lines are joined by LF, lines that
start with a colon are comments, and an event that is not finished at the end of the stream is dropped.
"""

from __future__ import annotations

import re

from firellava.errors import UnreadableReply

__all__ = ["EventDecoder"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_EVENT = 32 * 1024 * 1024


class EventDecoder:
    """Cuts a stream of bytes, in pieces of any size, into the data of its events."""

    def __init__(self) -> None:
        self._pending = b""
        self._data: list[bytes] = []
        self._size = 0
        self._at_start = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next piece and return the data of every event it completes.

        Raises:
            UnreadableReply: one event is longer than 32 MiB, so this is no event stream.
        """
        # A CR ends a line at once; the LF of a CR LF that was cut in two is dropped when it comes.
        rest_of_line_end = self._after_cr and piece.startswith(b"\n")
        if piece:
            self._after_cr = piece.endswith(b"\r")
        text = self._pending + (piece[1:] if rest_of_line_end else piece)
        if self._at_start and len(text) >= len(_BYTE_ORDER_MARK):
            text = text.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        lines = _LINE_END.split(text)
        self._pending = lines.pop()
        events = [event for line in lines if (event := self._take(line)) is not None]
        if self._size + len(self._pending) > _LONGEST_EVENT:
            raise UnreadableReply("The stream holds an event of more than 32 MiB.")
        return events

    def _take(self, line: bytes) -> bytes | None:
        if not line:
            event = b"\n".join(self._data) if self._data else None
            self._data.clear()
            self._size = 0
            return event
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value)
        return None
