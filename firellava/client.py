"""`VisionClient`: the whole core behind one object, for those who use no framework and for both adapters."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from firellava import errors
from firellava.backends.base import AttemptContext, Backend
from firellava.backends.discovery import automatic_fallbacks
from firellava.backends.fireworks import FireworksBackend
from firellava.errors import ConfigurationError, FireLLaVAError, InvalidRequest
from firellava.images import ImageSource, describe_metadata
from firellava.images.files import as_folders
from firellava.messages import ImagePart, Message, Parameters, Request, TextPart
from firellava.offload import in_thread
from firellava.routing.drive import adrive, drive
from firellava.routing.policy import FALLBACK_REASONS, Timing, route
from firellava.wire.completions import prompt_message

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Generator, Iterable

    import httpx
    from pydantic import SecretStr

    from firellava.images import ImageInput
    from firellava.messages import Part, Reply, ReplyChunk
    from firellava.models import Fit, ModelCard
    from firellava.routing.policy import Action, Event, Open

__all__ = ["Fallback", "VisionClient", "error_names"]

Fallback: TypeAlias = Backend | Sequence[Backend] | Literal["auto"] | None
"""What answers when the first backend cannot; see `VisionClient`."""


class VisionClient:
    """Asks questions about images, of the API first and of this machine where that is wanted.

    It holds no connection: clients are cheap, can be shared between threads and event loops, and need no
    closing.

    Long conversations: the API keeps no state, so every image is sent again with every turn. Its makers
    advise URLs instead of inlined images there; URLs are passed through and not downloaded here.

    Args:
        model: a model of the API, short or full; default ``FIRELLAVA_MODEL``, else FireLLaVA-13b.
        api_key: default ``FIREWORKS_API_KEY``. Constructing without one is fine; calling raises `MissingKey`
            unless there is a fallback.
        base_url: default ``FIREWORKS_API_BASE``, else the public service.
        backend: what to ask first, in the place of the three above.
        card: what is known about the model, as a card or the name of one. A deployment of your own keeps
            FireLLaVA's rules with ``card="firellava-13b"``.
        fallback: what answers when the first backend cannot: a backend, several in order, ``"auto"`` for what
            this machine has, or None to raise the error.
        timeout: seconds for one attempt, until its reply or the first piece of a stream is there, and
            between pieces.
        deadline: seconds for all attempts of all backends together.
        max_retries: further attempts of the same backend, where another one makes sense.
        local_only: ask nothing but this machine, ever. Backends elsewhere are left out; where none is left,
            what ``fallback="auto"`` finds is asked.
        fallback_on: the errors, as classes or by name, for which the next backend is asked; every other one
            is raised. By default `firellava.routing.policy.FALLBACK_REASONS`.
        fit: how images are made to fit, where the model card is not to decide.
        image_roots: a folder or folders from which images may be read; anywhere by default. Set it wherever
            paths come from others.
        describe_metadata: names of EXIF tags (``["DateTime"]``) to tell the model as text. Images themselves
            are always sent without metadata.
        http_client: your own `httpx.Client` for synchronous calls; it stays yours to close.
        http_async_client: your own `httpx.AsyncClient` for asynchronous calls.

    Raises:
        ConfigurationError: a setting is wrong or contradicts another.
    """

    def __init__(  # noqa: PLR0913 - each argument is a setting
        self,
        model: str | None = None,
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        backend: Backend | None = None,
        card: ModelCard | str | None = None,
        fallback: Fallback = None,
        timeout: float | None = 60.0,
        deadline: float | None = None,
        max_retries: int = 2,
        local_only: bool = False,
        fallback_on: Sequence[type[FireLLaVAError] | str] | None = None,
        fit: Fit | None = None,
        image_roots: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        describe_metadata: str | Sequence[str] = (),
        http_client: httpx.Client | None = None,
        http_async_client: httpx.AsyncClient | None = None,
    ) -> None:
        self._first = _first_backend(backend, card, model=model, api_key=api_key, base_url=base_url)
        self._fallback = fallback
        self._local_only = local_only
        self._fallback_on = FALLBACK_REASONS if fallback_on is None else _error_classes(fallback_on)
        self._timing = Timing(timeout=timeout, deadline=deadline, max_retries=max_retries)
        self._image_roots = None if image_roots is None else as_folders(image_roots)
        self._describe_metadata = _names(describe_metadata)
        self._context = AttemptContext(
            fit=fit, idle_seconds=timeout, http_client=http_client, http_async_client=http_async_client
        )
        _check_fallback(fallback)

    def __repr__(self) -> str:
        """The backends by their labels; nothing secret."""
        fallback = (
            self._fallback if self._fallback in ("auto", None) else [b.label for b in self.backends[1:]]
        )
        return f"VisionClient({self._first.label!r}, fallback={fallback!r})"

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The backends in the order in which they are asked."""
        return tuple(backend for backend in self._configured() if backend.is_local or not self._local_only)

    def _configured(self) -> tuple[Backend, ...]:
        if self._fallback == "auto" or (
            self._local_only and self._fallback is None and not self._first.is_local
        ):
            return (self._first, *(found for found in automatic_fallbacks() if found != self._first))
        if isinstance(self._fallback, Backend):
            return (self._first, self._fallback)
        return (self._first, *(self._fallback or ()))

    @property
    def model_card(self) -> ModelCard:
        """What is known about the model that is asked first."""
        return self._first.model_card

    def ask(self, question: str, *images: ImageInput, **parameters: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Ask one question about any number of images.

        Args:
            question: the question.
            images: paths, bytes, PIL images, URLs, data URLs or `ImageSource` values.
            parameters: see `Parameters`.

        Raises:
            FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
        """
        return self.chat([_question(question, images)], **parameters)

    async def aask(self, question: str, *images: ImageInput, **parameters: Any) -> Reply:  # noqa: ANN401
        """The asynchronous twin of `ask`."""
        return await self.achat([_question(question, images)], **parameters)

    def chat(self, messages: Sequence[Message], **parameters: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Answer a conversation.

        Raises:
            FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
        """
        return _whole(self._send(_chat_request(messages, parameters, stream=False)))

    async def achat(self, messages: Sequence[Message], **parameters: Any) -> Reply:  # noqa: ANN401
        """The asynchronous twin of `chat`."""
        return await _awhole(self._asend(_chat_request(messages, parameters, stream=False)))

    def stream(
        self,
        messages: Sequence[Message],
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Generator[ReplyChunk, None, None]:
        """Answer a conversation piece by piece; the last piece carries the whole reply.

        Nothing is retried or switched after the first piece. Closing the generator closes the connection.

        Raises:
            StreamBroken: the reply broke off; what had come is in ``partial_text``.
            FireLLaVAError: see `firellava.errors`.
        """
        return self._send(_chat_request(messages, parameters, stream=True))

    def astream(
        self,
        messages: Sequence[Message],
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> AsyncGenerator[ReplyChunk, None]:
        """The asynchronous twin of `stream`."""
        return self._asend(_chat_request(messages, parameters, stream=True))

    def complete(self, prompt: str, images: Sequence[ImageInput] = (), **parameters: Any) -> Reply:  # noqa: ANN401
        """Continue a raw prompt through the completions API.

        Args:
            prompt: the prompt in the model's own template (`ModelCard.template` renders FireLLaVA's), with
                ``<image>`` where each image belongs.
            images: one for each ``<image>``.
            parameters: see `Parameters`.

        Raises:
            FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
        """
        return _whole(self._send(_completion_request(prompt, images, parameters, stream=False)))

    async def acomplete(
        self,
        prompt: str,
        images: Sequence[ImageInput] = (),
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Reply:
        """The asynchronous twin of `complete`."""
        return await _awhole(self._asend(_completion_request(prompt, images, parameters, stream=False)))

    def stream_complete(
        self,
        prompt: str,
        images: Sequence[ImageInput] = (),
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Generator[ReplyChunk, None, None]:
        """`complete`, piece by piece."""
        return self._send(_completion_request(prompt, images, parameters, stream=True))

    def astream_complete(
        self,
        prompt: str,
        images: Sequence[ImageInput] = (),
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> AsyncGenerator[ReplyChunk, None]:
        """The asynchronous twin of `stream_complete`."""
        return self._asend(_completion_request(prompt, images, parameters, stream=True))

    def _send(self, request: Request) -> Generator[ReplyChunk, None, None]:
        loaded = self._load(request)
        yield from drive(
            self._route(),
            loaded,
            lambda attempt: attempt.backend.replies(loaded, self._attempt(attempt)),
        )

    async def _asend(self, request: Request) -> AsyncGenerator[ReplyChunk, None]:
        loaded = await in_thread(self._load, request) if request.images else request
        replies = adrive(
            self._route(),
            loaded,
            lambda attempt: attempt.backend.areplies(loaded, self._attempt(attempt)),
        )
        try:
            async for chunk in replies:
                yield chunk
        finally:
            await replies.aclose()

    def _route(self) -> Generator[Action, Event, None]:
        backends = self.backends
        if not backends:
            raise ConfigurationError(
                "local_only=True leaves nothing to ask: no backend of this client is on this machine. "
                'Give one, or install the offline reader: pip install "firellava[ocr]".'
            )
        return route(
            backends,
            self._timing,
            now=time.monotonic(),
            jitter=random.random,
            fallback_on=self._fallback_on,
        )

    def _attempt(self, attempt: Open) -> AttemptContext:
        return replace(self._context, seconds=attempt.seconds, end_by=attempt.end_by)

    def _load(self, request: Request) -> Request:
        """Read every image once, so that a retry or a fallback finds it again."""
        if not request.images:
            return request
        return replace(request, messages=tuple(self._load_message(message) for message in request.messages))

    def _load_message(self, message: Message) -> Message:
        if not message.images:
            return message
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ImagePart):
                loaded = part.source.load(self._image_roots)
                if self._describe_metadata and (told := describe_metadata(loaded, self._describe_metadata)):
                    parts.append(TextPart(told))
                parts.append(replace(part, source=loaded))
            else:
                parts.append(part)
        return replace(message, content=parts)


def _first_backend(backend: Backend | None, card: ModelCard | str | None, **settings: object) -> Backend:
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    if backend is None:
        return FireworksBackend(**given | {"card": card})
    if given:
        raise ConfigurationError(f"backend= already decides {', '.join(given)}: give one or the other.")
    return backend if card is None else type(backend).model_validate({**dict(backend), "card": card})


def _error_classes(kinds: Sequence[type[FireLLaVAError] | str]) -> tuple[type[FireLLaVAError], ...]:
    classes = []
    for error in kinds:
        found = getattr(errors, error, None) if isinstance(error, str) else error
        if not (isinstance(found, type) and issubclass(found, FireLLaVAError)):
            raise ConfigurationError(
                f"fallback_on= takes errors of firellava.errors, which {error!r} is not."
            )
        classes.append(found)
    return tuple(classes)


def error_names(kinds: Any) -> Any:  # noqa: ANN401 - whatever the user gave; VisionClient checks it
    """A ``fallback_on=`` setting with its errors by name, as it is written when it is stored."""
    if isinstance(kinds, list | tuple):
        return tuple(kind.__name__ if isinstance(kind, type) else kind for kind in kinds)
    return kinds


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _check_fallback(fallback: object) -> None:
    if fallback is None or fallback == "auto" or isinstance(fallback, Backend):
        return
    if isinstance(fallback, list | tuple) and all(isinstance(backend, Backend) for backend in fallback):
        return
    raise ConfigurationError(
        f"fallback= takes a backend, a list of backends, 'auto' or None, not {type(fallback).__name__}."
    )


def _question(question: str, images: Iterable[ImageInput]) -> Message:
    if not question.strip():
        raise InvalidRequest("The question is empty.")
    # The image comes first, as in LLaVA's training conversations.
    return Message("user", [*(ImagePart(ImageSource.of(image)) for image in images), TextPart(question)])


def _chat_request(messages: Sequence[Message], parameters: dict[str, Any], *, stream: bool) -> Request:
    request = Request(tuple(messages), Parameters.of(parameters), stream=stream)
    if not request.messages:
        raise InvalidRequest("There is no message to answer.")
    last = request.messages[-1]
    if last.role == "user" and not last.images and not last.text.strip():
        raise InvalidRequest("The prompt is empty: the last message holds neither text nor an image.")
    return _checked(request)


def _completion_request(
    prompt: str, images: Sequence[ImageInput], parameters: dict[str, Any], *, stream: bool
) -> Request:
    if not prompt.strip():
        raise InvalidRequest("The prompt is empty.")
    message = prompt_message(prompt, [ImageSource.of(image) for image in images])
    return _checked(Request((message,), Parameters.of(parameters), stream=stream, completion=True))


def _checked(request: Request) -> Request:
    if request.stream and (request.parameters.n or 1) > 1:
        raise InvalidRequest("n= asks for several answers, which cannot be streamed: leave stream or n out.")
    return request


def _whole(chunks: Generator[ReplyChunk, None, None]) -> Reply:
    for chunk in chunks:
        last = chunk
    return _reply(last)


async def _awhole(chunks: AsyncGenerator[ReplyChunk, None]) -> Reply:
    async for chunk in chunks:
        last = chunk
    return _reply(last)


def _reply(last: ReplyChunk) -> Reply:
    if last.reply is None:
        raise RuntimeError("A driver ended without an error and without a reply.")
    return last.reply
