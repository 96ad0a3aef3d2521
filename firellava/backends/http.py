"""What all backends that are asked over HTTP have in common.

The call is built and the reply is read by pure functions (`firellava.wire`); what is left here is the two
short loops that move bytes, and the translation of what can go wrong on the way.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from pydantic import Field, SecretStr, field_validator, model_serializer

from firellava.backends.base import AttemptContext, Backend
from firellava.backends.connections import TimeLimit, shared_async_client, shared_client
from firellava.errors import AttemptTimedOut, ConfigurationError, ConnectionFailed
from firellava.images import PreparedImage, prepare_image
from firellava.limits import check_images, check_request
from firellava.offload import in_thread
from firellava.version import __version__
from firellava.wire import chat, completions
from firellava.wire.decoding import ReplyDecoder
from firellava.wire.failures import failure, request_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator

    from pydantic import SerializerFunctionWrapHandler

    from firellava.errors import RefusedByServer
    from firellava.images import ImageSource
    from firellava.messages import ReplyChunk, Request
    from firellava.models import ModelCard
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
    adjustments: tuple[str, ...] = ()


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
        if parts.scheme not in {"http", "https"} or not parts.hostname:
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
        auth = Bearer(self._key())
        call = self._call(request, context)
        client = context.http_client or shared_client()
        limit = TimeLimit(context.seconds, context.idle_seconds, context.end_by)
        with (
            _translated(self.base_url),
            client.stream(
                "POST",
                call.url,
                content=call.body,
                headers=_HEADERS,
                auth=auth,
                timeout=limit.as_timeout(),
                follow_redirects=False,
            ) as response,
        ):
            if response.status_code != _SUCCESS:
                body = bytearray()
                for data in response.iter_bytes():
                    body += data
                    if len(body) > _LONGEST_ERROR_BODY:
                        break
                raise self._refusal(response, bytes(body))
            decoder = self._decoder(call, request, response)
            with _indifferent_when_done(decoder):
                for data in response.iter_bytes():
                    for chunk in decoder.feed(data):
                        yield _with_adjustments(chunk, call)
                        limit.restart()
                    if decoder.done:
                        limit.restart(_DRAIN_SECONDS)
            for chunk in decoder.finish():
                yield _with_adjustments(chunk, call)

    async def areplies(self, request: Request, context: AttemptContext) -> AsyncGenerator[ReplyChunk, None]:
        """Ask over HTTP; see `Backend.areplies`. Images are prepared on worker threads."""
        auth = Bearer(self._key())
        prepare_here = not request.images
        call = self._call(request, context) if prepare_here else await in_thread(self._call, request, context)
        client = context.http_async_client or await shared_async_client()
        limit = TimeLimit(context.seconds, context.idle_seconds, context.end_by)
        with _translated(self.base_url):
            async with client.stream(
                "POST",
                call.url,
                content=call.body,
                headers=_HEADERS,
                auth=auth,
                timeout=limit.as_timeout(),
                follow_redirects=False,
            ) as response:
                if response.status_code != _SUCCESS:
                    body = bytearray()
                    async for data in response.aiter_bytes():
                        body += data
                        if len(body) > _LONGEST_ERROR_BODY:
                            break
                    raise self._refusal(response, bytes(body))
                decoder = self._decoder(call, request, response)
                with _indifferent_when_done(decoder):
                    async for data in response.aiter_bytes():
                        for chunk in decoder.feed(data):
                            yield _with_adjustments(chunk, call)
                            limit.restart()
                        if decoder.done:
                            limit.restart(_DRAIN_SECONDS)
                for chunk in decoder.finish():
                    yield _with_adjustments(chunk, call)

    def _call(self, request: Request, context: AttemptContext) -> _Call:
        card = self.model_card
        check_request(request, card)
        if not card.capabilities.image_urls:
            request = self.inlined(request, context)
        images = [self._image(part.source, card, context) for part in request.images]
        check_images(images, card)
        adjustments = tuple(
            f"image {number}: {line}"
            for number, image in enumerate(images, 1)
            if isinstance(image, PreparedImage)
            for line in image.adjustments
        )
        if request.completion:
            body = completions.encode(request, self.model, card, images)
            return _Call(f"{self.base_url}/completions", body, completions, adjustments)
        body = chat.encode(request, self.model, card, images)
        return _Call(f"{self.base_url}/chat/completions", body, chat, adjustments)

    @staticmethod
    def _image(source: ImageSource, card: ModelCard, context: AttemptContext) -> PreparedImage | str:
        return source.url or prepare_image(source, card, fit=context.fit)

    def _refusal(self, response: httpx.Response, body: bytes) -> RefusedByServer:
        advice = self._unknown_model_advice()
        return failure(response.status_code, response.headers, body, model=self.model, unknown_model=advice)

    @abstractmethod
    def _unknown_model_advice(self) -> str:
        """What to do when the server does not know the model."""

    @abstractmethod
    def _key(self) -> SecretStr | None:
        """The key to send, if any.

        Raises:
            ConfigurationError: one is needed and missing.
        """

    def _decoder(self, call: _Call, request: Request, response: httpx.Response) -> ReplyDecoder:
        # Some servers answer a stream request with a whole reply.
        stream = request.stream and "json" not in response.headers.get("content-type", "")
        request_id = request_id_of(response.headers)
        return ReplyDecoder(call.endpoint, model=self.model, stream=stream, request_id=request_id)


def _with_adjustments(chunk: ReplyChunk, call: _Call) -> ReplyChunk:
    return replace(chunk, adjustments=call.adjustments) if chunk.last and call.adjustments else chunk


@contextmanager
def _translated(base_url: str) -> Iterator[None]:
    """Turn what httpx raises into errors of ours, which name the host and nothing of the request."""
    host = urlsplit(base_url).netloc
    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout):
        raise AttemptTimedOut(f"{host} took too long to take the request.") from None
    except httpx.TimeoutException:
        raise AttemptTimedOut(f"{host} took too long to answer.", sent=True) from None
    except httpx.ConnectError as error:
        raise ConnectionFailed(f"No connection to {host}: {error}.") from None
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise ConnectionFailed(f"The connection to {host} was lost: {error}.", sent=True) from None


@contextmanager
def _indifferent_when_done(decoder: ReplyDecoder) -> Iterator[None]:
    """Once the reply is whole, what the connection does after it changes nothing."""
    try:
        yield
    except httpx.TransportError:
        if not decoder.done:
            raise


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine, by its name or address."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


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
