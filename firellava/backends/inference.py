"""An engine computes on a thread of its own, so that whoever waits for it can stop waiting at any time.

Neither llama.cpp nor transformers can be interrupted from outside: both ask, at every token, whether to go
on. So a computation (`Inference`) waits for its turn on the engine's thread and posts pieces of the reply
from there. The caller reads them, synchronously or asynchronously, under the time limits of the attempt; when
it stops reading, for whatever reason, the computation is told and stops at its next token.
"""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from abc import abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from firellava.backends.base import InProcessBackend
from firellava.backends.connections import TimeLimit
from firellava.backends.engines import compute
from firellava.errors import (
    AttemptTimedOut,
    ConnectionFailed,
    FireLLaVAError,
    ServerFailed,
)
from firellava.messages import ImagePart, Message
from firellava.offload import in_thread
from firellava.replies import ReplyChunk
from firellava.wire.completions import IMAGE_TOKEN, prompt_message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Hashable

    from firellava.backends.base import AttemptContext
    from firellava.backends.engines import Engine
    from firellava.messages import Request

__all__ = ["EngineBackend", "Inference", "Plan", "as_conversation"]

_LONGEST_MESSAGE = 300
# The question in a completions prompt, in the API's template or in LLaVA's own.
_PROMPT = re.compile(
    r"(?:SYSTEM: (?P<system>[^<]*?)\n\n)?USER:\s*(?P<user>(?:(?!ASSISTANT:).)*?)\s*ASSISTANT:\s*", re.DOTALL
)
_NOTHING = ReplyChunk()


Item: TypeAlias = ReplyChunk | FireLLaVAError | None
"""A piece of the reply, the reason why no more pieces come, or the end."""

Plan: TypeAlias = "Callable[[Any, Inference], None]"
"""What to do with the engine, which is of the kind that the same backend opens."""


class Inference:
    """One computation under way.

    Args:
        plan: what to compute.
        post: takes what comes out; called on the engine's thread.
        label: the backend's, for errors.

    Attributes:
        unwanted: set when nobody waits for the rest; the engine looks at it at every token.
        begun: the engine is at work on it, so that asking again would make it do the same work twice.
    """

    def __init__(self, plan: Plan, post: Callable[[Item], None], label: str) -> None:
        self.unwanted = threading.Event()
        self.begun = False
        self._is_complete = False
        self._plan = plan
        self._post = post
        self._label = label

    def emit(self, chunk: ReplyChunk) -> None:
        """Hand over a piece. One that says nothing is left out: it must not commit the caller to a stream."""
        self._is_complete = self._is_complete or chunk.last
        if chunk != _NOTHING:
            self._post(chunk)

    def run(self, opened: Callable[[], Engine]) -> None:
        """Compute, and post the end or the reason why there is none; see `engines.Computation`."""
        try:
            self._compute(opened)
        except FireLLaVAError as error:
            self._post(error)
        except Exception as error:  # noqa: BLE001 - engines raise anything, and the caller is on another thread
            said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
            self._post(ServerFailed(f"{self._label} failed: {type(error).__name__}: {said}"))
        else:
            closed = ConnectionFailed(f"{self._label} was closed before it had answered.")
            self._post(None if self._is_complete else closed)

    def _compute(self, opened: Callable[[], Engine]) -> None:
        if self.unwanted.is_set():
            return
        engine = opened()
        if not self.unwanted.is_set():
            self.begun = True
            self._plan(engine, self)


class EngineBackend(InProcessBackend):
    """A backend with an engine that is opened at first use and shared in the process.

    Not all of its calls need the engine: what is wrong with a request is found before it is opened.
    """

    @property
    def engine_key(self) -> Hashable:
        """What backends that share an engine have in common: everything but what they say about the model."""
        return self.model_copy(update={"card": None})

    @abstractmethod
    def _open(self) -> Engine:
        """Open the engine. It may take minutes."""

    @abstractmethod
    def _plan(self, request: Request, context: AttemptContext) -> Plan:
        """Check the request, prepare its images, and say what to do with the engine."""

    def replies(self, request: Request, context: AttemptContext) -> Generator[ReplyChunk, None, None]:
        """Have it computed and pass the pieces on; see `Backend.replies`."""
        pieces = _Pieces(request, context, self.label)
        plan = self._plan(request, context)
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        inference = self._start(plan, items.put)
        try:
            while not pieces.complete:
                try:
                    item = items.get(timeout=pieces.limit.remaining())
                except queue.Empty:
                    raise pieces.timed_out(inference) from None
                yield from pieces.take(item)
        finally:
            inference.unwanted.set()

    async def areplies(self, request: Request, context: AttemptContext) -> AsyncGenerator[ReplyChunk, None]:
        """The asynchronous twin of `replies`: the event loop waits, and no thread waits with it."""
        pieces = _Pieces(request, context, self.label)
        plan = await in_thread(self._plan, request, context)
        items: asyncio.Queue[Item] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def post(item: Item) -> None:
            with suppress(RuntimeError):  # the loop is closed, and with it whoever waited
                loop.call_soon_threadsafe(items.put_nowait, item)

        inference = self._start(plan, post)
        try:
            while not pieces.complete:
                try:
                    async with asyncio.timeout(pieces.limit.remaining()):
                        item = await items.get()
                except TimeoutError:
                    raise pieces.timed_out(inference) from None
                for chunk in pieces.take(item):
                    yield chunk
        finally:
            inference.unwanted.set()

    def _start(self, plan: Plan, post: Callable[[Item], None]) -> Inference:
        inference = Inference(plan, post, self.label)
        compute(self.engine_key, self._open, inference, name=self.label)
        return inference


def as_conversation(request: Request) -> Request:
    """A completions request as the conversation its prompt spells out, where it is in a template known here.

    The API's template for a model is not the one the model was trained on: a local copy wants its own.
    """
    if not request.completion:
        return request
    (message,) = request.messages
    prompt = "".join(IMAGE_TOKEN if isinstance(part, ImagePart) else part.text for part in message.parts)
    found = _PROMPT.fullmatch(prompt)
    if found is None:
        return request
    user = prompt_message(found["user"], [part.source for part in message.images])
    system = () if found["system"] is None else (Message("system", found["system"]),)
    return replace(request, messages=(*system, user), completion=False)


class _Pieces:
    """What has come so far, and what of it goes out when.

    A reply that is not wanted as a stream goes out as a whole, at its end: only then is the attempt a
    success, and until then the time limit for a first piece holds.
    """

    def __init__(self, request: Request, context: AttemptContext, label: str) -> None:
        self.limit = TimeLimit(context.seconds, context.idle_seconds, context.end_by)
        self.complete = False
        self._label = label
        self._stream = request.stream
        self._starts = not request.completion
        self._waiting: list[ReplyChunk] = []

    def take(self, item: Item) -> list[ReplyChunk]:
        if isinstance(item, FireLLaVAError):
            raise item
        if item is None:
            self.complete = True
        elif (chunk := self._without_leading_space(item)) != _NOTHING:
            self._waiting.append(chunk)
        if not self.complete and not self._stream:
            return []
        self.limit.restart()
        going, self._waiting = self._waiting, []
        return going

    def timed_out(self, inference: Inference) -> AttemptTimedOut:
        doing = "answer" if inference.begun else "begin: it was loading, or busy with another question"
        return AttemptTimedOut(f"{self._label} took too long to {doing}.", sent=inference.begun)

    def _without_leading_space(self, chunk: ReplyChunk) -> ReplyChunk:
        """The answer without the space that stands between it and the prompt in many chat templates."""
        if not self._starts:
            return chunk
        text = chunk.text.lstrip()
        self._starts = not text
        return replace(chunk, text=text)
