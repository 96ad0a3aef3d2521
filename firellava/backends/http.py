"""What all backends that are asked over HTTP have in common.

The call is built and the reply is read by pure functions (`firellava.wire`); what is left here is the two
short loops that move bytes, and the translation of what can go wrong on the way.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator, model_serializer

from firellava.backends.base import AttemptContext, Backend
from firellava.backends.connections import TimeLimit, shared_async_client, shared_client
from firellava.backends.pictures import download_ahead, pictures_of
from firellava.errors import AttemptTimedOut, ConfigurationError, ConnectionFailed, RefusedByServer
from firellava.offload import in_thread
from firellava.version import __version__
from firellava.wire import chat, completions
from firellava.wire.decoding import ReplyDecoder
from firellava.wire.failures import failure, request_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator, Sequence

    from pydantic import SerializerFunctionWrapHandler

    from firellava.backends.pictures import Pictures
    from firellava.images import PreparedImage
    from firellava.messages import Request
    from firellava.replies import ReplyChunk
    from firellava.wire.decoding import Endpoint

__all__ = ["Bearer", "HTTPBackend", "checked_key", "is_loopback"]

_HEADERS = {"Content-Type": "application/json", "User-Agent": f"firellava/{__version__}"}
_SUCCESS = 200
# After the closing event the connection is read to its end so that it can be used again, but not for long.
_DRAIN_SECONDS = 0.2
_LONGEST_ERROR_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Call:
    """One HTTP call, ready to be sent."""

    url: str
    body: bytes = field(repr=False)
    endpoint: Endpoint = field(repr=False)
    pictures: Pictures = field(repr=False)


class Bearer(httpx.Auth):
    """Puts the key on the request inside httpx, so that no variable of ours ever holds the header.

    Without a key it adds nothing, and keeps httpx from looking for one in a ``.netrc`` file.
    """

    def __init__(self, key: SecretStr | None) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header; see `httpx.Auth`."""
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        yield request


class HTTPBackend(Backend):
    """A server that is asked over HTTP and speaks the chat completions format.

    Attributes:
        model: the model's name on the server.
        base_url: what stands before ``/chat/completions``.
        api_key: never printed or pickled.
        key_withheld: a key was given in code, and stayed behind when this value was pickled.
    """

    model: str
    base_url: str
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    key_withheld: bool = Field(default=False, repr=False)

    @field_validator("api_key", mode="before")
    @classmethod
    def _sendable_key(cls, key: Any) -> SecretStr | None:  # noqa: ANN401 - whatever the user gave
        return None if key is None else checked_key(key, "api_key=")

    @field_validator("base_url", mode="after")
    @classmethod
    def _well_formed_url(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        try:
            well_formed = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # the port is no number, or too large
            well_formed = False
        if not well_formed:
            raise ConfigurationError(f"{cls.__name__}: base_url must be an http(s) URL.")
        if parts.username or parts.password:
            raise ConfigurationError(
                "base_url must not hold a user name or password; use api_key= for the key."
            )
        return parts.geturl().rstrip("/")

    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled: everything but the key."""
        state = super().__getstate__()
        values = state["__dict__"]
        withheld = values["key_withheld"] or values["api_key"] is not None
        return state | {"__dict__": values | {"api_key": None, "key_withheld": withheld}}

    @model_serializer(mode="wrap")
    def _without_key(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if "key_withheld" in values:
            values["key_withheld"] = self.key_withheld or self.api_key is not None
        return values

    def replies(self, request: Request, context: AttemptContext) -> Generator[ReplyChunk, None, None]:
        """Ask over HTTP; see `Backend.replies`."""
        key = self._key()
        limit = TimeLimit(context.seconds, context.idle_seconds, context.end_by)
        exchange = _Exchange(self, key, self._call(request, context), limit)
        client = context.http_client or shared_client()
        with exchange.errors_translated(), client.stream("POST", **exchange.arguments) as response:
            exchange.begin(response)
            with exchange.indifferent_when_done():
                for data in response.iter_bytes():
                    for chunk in exchange.feed(data):
                        yield chunk
                        exchange.limit.restart()
            for chunk in exchange.finish():
                yield chunk

    async def areplies(self, request: Request, context: AttemptContext) -> AsyncGenerator[ReplyChunk, None]:
        """Ask over HTTP; see `Backend.areplies`. Images are prepared on worker threads."""
        key = self._key()
        limit = TimeLimit(context.seconds, context.idle_seconds, context.end_by)
        if request.images:
            card = self.model_card
            await download_ahead(request, card, context, takes_urls=card.capabilities.image_urls)
            call = await in_thread(self._call, request, context)
        else:
            call = self._call(request, context)
        exchange = _Exchange(self, key, call, limit)
        client = context.http_async_client or await shared_async_client()
        with exchange.errors_translated():
            async with client.stream("POST", **exchange.arguments) as response:
                exchange.begin(response)
                with exchange.indifferent_when_done():
                    async for data in response.aiter_bytes():
                        for chunk in exchange.feed(data):
                            yield chunk
                            exchange.limit.restart()
                for chunk in exchange.finish():
                    yield chunk

    def _call(self, request: Request, context: AttemptContext) -> _Call:
        card = self.model_card
        endpoint: Endpoint = completions if request.completion else chat
        encode = completions.encode if request.completion else chat.encode
        path = "completions" if request.completion else "chat/completions"

        def write(asked: Request, images: Sequence[PreparedImage | str]) -> bytes:
            return encode(asked, self.model, card, images)

        pictures = pictures_of(request, card, context, takes_urls=card.capabilities.image_urls, write=write)
        body = write(pictures.request, pictures.images)
        return _Call(f"{self.base_url}/{path}", body, endpoint, pictures)

    @abstractmethod
    def unknown_model_advice(self) -> str:
        """What to do when the server does not know the model."""

    @abstractmethod
    def _key(self) -> SecretStr | None:
        """The key to send, if any.

        Raises:
            ConfigurationError: one is needed and missing.
        """


class _Exchange:
    """One attempt on the wire, without the reading and writing: what is sent, and what the answer means.

    Attributes:
        arguments: for ``client.stream("POST", …)``.
        limit: how long it may still take.
    """

    def __init__(
        self,
        backend: HTTPBackend,
        key: SecretStr | None,
        call: _Call,
        limit: TimeLimit,
    ) -> None:
        self.limit = limit
        self.arguments: dict[str, Any] = {
            "url": call.url,
            "content": call.body,
            "headers": _HEADERS,
            "auth": Bearer(key),
            "timeout": self.limit.as_timeout(),
            "follow_redirects": False,
        }
        self._backend = backend
        self._key = key
        self._call = call
        self._stream = call.pictures.request.stream
        self._refused: httpx.Response | None = None
        self._refusal = bytearray()
        self._decoder: ReplyDecoder | None = None

    def begin(self, response: httpx.Response) -> None:
        """Look at the status and the headers."""
        if response.status_code != _SUCCESS:
            self._refused = response
            return
        # Some servers answer a stream request with a whole reply.
        stream = self._stream and "json" not in response.headers.get("content-type", "")
        request_id = request_id_of(response.headers)
        self._decoder = ReplyDecoder(
            self._call.endpoint, model=self._backend.model, stream=stream, request_id=request_id
        )

    def feed(self, data: bytes) -> Iterator[ReplyChunk]:
        """Take the next bytes of the body and give out the pieces they complete."""
        if self._decoder is None:
            self._refusal += data
            if len(self._refusal) > _LONGEST_ERROR_BODY:
                raise self._refusal_error()
            return
        for chunk in self._decoder.feed(data):
            yield self._noted_on(chunk)
        if self._decoder.done:
            self.limit.restart(_DRAIN_SECONDS)

    def finish(self) -> Iterator[ReplyChunk]:
        """Give out what the end of the body completes, or raise what it amounts to."""
        if self._decoder is None:
            raise self._refusal_error()
        for chunk in self._decoder.finish():
            yield self._noted_on(chunk)

    @contextmanager
    def indifferent_when_done(self) -> Iterator[None]:
        """Once the reply is whole, what the connection does after it changes nothing."""
        try:
            yield
        except httpx.TransportError:
            if self._decoder is None or not self._decoder.done:
                raise

    @contextmanager
    def errors_translated(self) -> Iterator[None]:
        """Turn what httpx raises into errors of ours, which name the host and nothing of the request."""
        host = urlsplit(self._backend.base_url).netloc
        try:
            yield
        except RefusedByServer as refusal:
            if self._key is not None:  # a server may repeat it in what it says
                refusal.args = (str(refusal).replace(self._key.get_secret_value(), "[key]"),)
            raise
        except (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout):
            raise AttemptTimedOut(f"{host} took too long to take the request.") from None
        except httpx.TimeoutException:
            raise AttemptTimedOut(f"{host} took too long to answer.", sent=True) from None
        except httpx.ConnectError as error:
            raise ConnectionFailed(f"No connection to {host}: {error}.") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ConnectionFailed(f"The connection to {host} was lost: {error}.", sent=True) from None

    def _noted_on(self, chunk: ReplyChunk) -> ReplyChunk:
        return self._call.pictures.noted_on(chunk) if chunk.last else chunk

    def _refusal_error(self) -> RefusedByServer:
        assert self._refused is not None  # noqa: S101 - begin() came before
        return failure(
            self._refused.status_code,
            self._refused.headers,
            bytes(self._refusal),
            model=self._backend.model,
            unknown_model=self._backend.unknown_model_advice(),
        )


def is_loopback(url: str) -> bool:
    """Whether a URL leads here, by the name localhost or by an address; no other name counts."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def checked_key(key: object, name: str) -> SecretStr:
    """A key that can be sent in a header, or an error that does not repeat it."""
    text = key.get_secret_value() if isinstance(key, SecretStr) else key
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be a text, not {type(key).__name__}.")
    text = text.strip()
    if not text:
        raise ConfigurationError(f"{name} is empty.")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(f"{name} has characters that no key has: was it copied whole?")
    return SecretStr(text)
