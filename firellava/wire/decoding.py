"""From the bytes of a response, as they arrive, to the pieces of a reply.

`ReplyDecoder` does no input or output: a driver feeds it what it read, sync or async, and passes on what
comes out. It is where a whole reply and a stream become the same thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from firellava.errors import ConnectionFailed, UnreadableReply
from firellava.replies import ReplyChunk
from firellava.wire.sse import EventDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Endpoint", "ReplyDecoder"]

_LONGEST_BODY = 64 * 1024 * 1024
_DONE = b"[DONE]"
_NOTHING = ReplyChunk()


class Endpoint(Protocol):
    """How one endpoint's replies are read; the modules `wire.chat` and `wire.completions` are such."""

    def read_reply(self, body: bytes) -> list[ReplyChunk]:
        """The pieces of an unstreamed reply, the last one marked."""

    def read_event(self, data: bytes, *, model: str) -> list[ReplyChunk]:
        """The pieces in one event of a stream."""


class ReplyDecoder:
    """Turns the bytes of one successful response into `ReplyChunk` values.

    Args:
        endpoint: whose JSON it is.
        model: the model that was asked, named in errors.
        stream: whether the response is an event stream.
        request_id: the server's name for the request, put on the last piece.

    Attributes:
        done: the last piece has come out; what follows in the response means nothing.
    """

    def __init__(self, endpoint: Endpoint, *, model: str, stream: bool, request_id: str | None) -> None:
        self.done = False
        self._endpoint = endpoint
        self._model = model
        self._events = EventDecoder() if stream else None
        self._body = bytearray()
        self._request_id = request_id

    def feed(self, data: bytes) -> Iterator[ReplyChunk]:
        """Take the next bytes and give out the pieces they complete.

        Raises:
            UnreadableReply: the bytes are not what the API documents, or there is no end to them.
            RefusedByServer: the stream holds an error.
        """
        if self._events is None:
            self._body += data
            if len(self._body) > _LONGEST_BODY:
                raise UnreadableReply("The reply is longer than 64 MiB.")
            return
        for event in self._events.feed(data):
            if self.done:
                return
            if event.strip() == _DONE:
                self.done = True
                yield ReplyChunk(request_id=self._request_id, last=True)
                return
            for chunk in self._endpoint.read_event(event, model=self._model):
                # A piece that says nothing (the role, an empty text) must not commit the caller to a stream.
                if chunk != _NOTHING:
                    yield chunk

    def finish(self) -> Iterator[ReplyChunk]:
        """Give out what the end of the response completes.

        Raises:
            UnreadableReply: the body is not what the API documents.
            ConnectionFailed: a stream ended without its closing ``[DONE]``.
        """
        if self._events is not None:
            if not self.done:
                raise ConnectionFailed("The stream ended before the reply was complete.", sent=True)
            return
        *chunks, last = self._endpoint.read_reply(bytes(self._body))
        yield from chunks
        self.done = True
        yield ReplyChunk(
            usage=last.usage, model=last.model, request_id=self._request_id or last.request_id, last=True
        )
