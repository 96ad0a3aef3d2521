"""What happens to a question on its way to an answer, by the settings of its client.

It is prepared (images read, old ones left out, a limit set for a budget), handed to the routing with whoever
pays for it and whoever wants to know, and carried out by one of the two drivers.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from firellava.backends import engines
from firellava.backends.discovery import automatic_fallbacks, automatic_fallbacks_async
from firellava.backends.inference import EngineBackend
from firellava.costs.accounts import Observers, QuestionAccounts
from firellava.offload import in_thread
from firellava.requests import load_images, newest_images
from firellava.routing.drive import adrive, drive
from firellava.routing.events import AUTOMATIC, Automatic
from firellava.routing.policy import route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable
    from pathlib import Path

    from firellava.backends.base import AttemptContext, Backend
    from firellava.costs.budget import Budget
    from firellava.errors import FireLLaVAError
    from firellava.hooks import CallHook
    from firellava.messages import Request
    from firellava.replies import ReplyChunk
    from firellava.routing.events import Action, Event, Open
    from firellava.routing.policy import Timing

__all__ = ["Pipeline"]

_Askable = TypeVar("_Askable", bound="Backend | Automatic")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Pipeline:
    """What happens to every question of one client; see `firellava.VisionClient` for the settings.

    It also stands for its client where engines are kept open.
    """

    backends: tuple[Backend | Automatic, ...]
    local_only: bool
    timing: Timing
    fallback_on: tuple[type[FireLLaVAError], ...]
    context: AttemptContext
    budget: Budget | None
    hooks: tuple[CallHook, ...]
    keep_images: int | None
    image_roots: tuple[Path, ...] | None
    describe_metadata: tuple[str, ...]

    @property
    def order(self) -> tuple[Backend | Automatic, ...]:
        """Who is asked. With ``local_only`` and nothing of this machine, what it has is looked for."""
        return self._allowed(self.backends) or (AUTOMATIC,)

    def replies(self, request: Request) -> Generator[ReplyChunk, None, None]:
        """The pieces of an answer."""
        # Whoever wants to know is found now: a generator starts only when its first piece is wanted.
        return self._replies(self.bounded(request), Observers.of_this_moment(self.hooks))

    def areplies(self, request: Request) -> AsyncGenerator[ReplyChunk, None]:
        """The asynchronous twin of `replies`."""
        return self._areplies(self.bounded(request), Observers.of_this_moment(self.hooks))

    def bounded(self, request: Request) -> Request:
        """The request with no more images and tokens than the settings allow. Nothing is read."""
        kept = newest_images(request, self.keep_images)
        return kept if self.budget is None else self.budget.bounded(kept)

    def load(self, request: Request) -> Request:
        """The request with its images read."""
        return load_images(request, self.image_roots, self.describe_metadata)

    def discover(self, seconds: float | None) -> tuple[Backend, ...]:
        """What this machine has."""
        return self._allowed(automatic_fallbacks(seconds))

    async def _adiscover(self, seconds: float | None) -> tuple[Backend, ...]:
        return self._allowed(await automatic_fallbacks_async(seconds))

    def _allowed(self, backends: Iterable[_Askable]) -> tuple[_Askable, ...]:
        return tuple(
            backend
            for backend in backends
            if not self.local_only or isinstance(backend, Automatic) or backend.is_local
        )

    def _replies(self, request: Request, observers: Observers) -> Generator[ReplyChunk, None, None]:
        loaded = self.load(request)
        context = replace(self.context, fetched={}, fit=request.fit or self.context.fit)
        yield from drive(
            self._route(loaded, observers),
            loaded,
            lambda attempt: attempt.backend.replies(loaded, self._attempt(attempt, context)),
            self.discover,
        )

    async def _areplies(self, request: Request, observers: Observers) -> AsyncGenerator[ReplyChunk, None]:
        loaded = await in_thread(self.load, request) if request.images else request
        context = replace(self.context, fetched={}, fit=request.fit or self.context.fit)
        replies = adrive(
            self._route(loaded, observers),
            loaded,
            lambda attempt: attempt.backend.areplies(loaded, self._attempt(attempt, context)),
            self._adiscover,
        )
        try:
            async for chunk in replies:
                yield chunk
        finally:
            await replies.aclose()

    def _route(self, loaded: Request, observers: Observers) -> Generator[Action, Event, None]:
        return route(
            self.order,
            self.timing,
            now=time.monotonic(),
            jitter=random.random,
            fallback_on=self.fallback_on,
            accounts=QuestionAccounts(loaded, self.budget, observers, fit=loaded.fit or self.context.fit),
        )

    def _attempt(self, attempt: Open, context: AttemptContext) -> AttemptContext:
        if isinstance(attempt.backend, EngineBackend):
            engines.keep(attempt.backend.engine_key, self)
        return replace(context, seconds=attempt.seconds, end_by=attempt.end_by)
