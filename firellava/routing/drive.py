"""The two drivers of the routing generator: the only place where sync and async are written side by side.

A driver carries out what `route` asks for, pulls a backend's first piece before it reports `Opened`, and
reports the end exactly once, however the reply ended.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from firellava.errors import AttemptTimedOut, BackendError, ConnectionFailed, FireLLaVAError, StreamBroken
from firellava.replies import ReplyChunk
from firellava.routing.events import Deliver, Discover, Discovered, Ended, Failed, Opened, Sleep, Woke
from firellava.routing.notices import notice
from firellava.routing.reply_builder import ReplyBuilder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from firellava.backends.base import Backend
    from firellava.messages import Request
    from firellava.routing.events import Action, Event, Open, Outcome

    Route = Generator[Action, Event, None]

__all__ = ["adrive", "drive"]

# The backend's own time limit knows more about what happened, so the driver's comes a moment later.
_GRACE_SECONDS = 0.05


def drive(
    route: Route,
    request: Request,
    ask: Callable[[Open], Generator[ReplyChunk, None, None]],
    discover: Callable[[float | None], tuple[Backend, ...]],
) -> Generator[ReplyChunk, None, None]:
    """Get a request answered and yield the pieces of the reply; the last one carries the whole.

    Args:
        route: made by `firellava.routing.policy.route`.
        request: what is asked.
        ask: opens one attempt.
        discover: finds the backends of this machine, within some seconds.

    Raises:
        FireLLaVAError: nothing answered, or the reply broke half-way (`StreamBroken`).
    """
    pulled: ReplyChunk | FireLLaVAError | None = None
    try:
        action = next(route)
        while not isinstance(action, Deliver):
            if isinstance(action, Sleep):
                time.sleep(action.seconds)
                action = route.send(Woke(time.monotonic()))
            elif isinstance(action, Discover):
                found = discover(action.seconds)
                action = route.send(Discovered(time.monotonic(), found))
            else:
                replies = ask(action)
                pulled = _pull(replies)
                action = route.send(_first(pulled, action.backend))
        notice(action)
        builder = ReplyBuilder(request, action)
        try:
            while isinstance(pulled, ReplyChunk):
                yield builder.add(pulled)
                pulled = _pull(replies)
        finally:
            replies.close()
            broken = _end(route, builder, pulled, action.backend)
    finally:
        route.close()
    if broken is not None:
        raise broken


async def adrive(
    route: Route,
    request: Request,
    ask: Callable[[Open], AsyncGenerator[ReplyChunk, None]],
    discover: Callable[[float | None], Awaitable[tuple[Backend, ...]]],
) -> AsyncGenerator[ReplyChunk, None]:
    """The asynchronous twin of `drive`."""
    pulled: ReplyChunk | FireLLaVAError | None = None
    try:
        action = next(route)
        while not isinstance(action, Deliver):
            if isinstance(action, Sleep):
                await asyncio.sleep(action.seconds)
                action = route.send(Woke(time.monotonic()))
            elif isinstance(action, Discover):
                found = await discover(action.seconds)
                action = route.send(Discovered(time.monotonic(), found))
            else:
                replies = ask(action)
                pulled = await _apull(replies, action.seconds)
                end_by = action.end_by
                action = route.send(_first(pulled, action.backend))
        notice(action)
        builder = ReplyBuilder(request, action)
        try:
            while isinstance(pulled, ReplyChunk):
                yield builder.add(pulled)
                pulled = await _apull(replies, None if end_by is None else end_by - time.monotonic())
        finally:
            await replies.aclose()
            broken = _end(route, builder, pulled, action.backend)
    finally:
        route.close()
    if broken is not None:
        raise broken


def _pull(replies: Generator[ReplyChunk, None, None]) -> ReplyChunk | FireLLaVAError | None:
    """The next piece, the error that came instead, or None at the end."""
    try:
        return next(replies, None)
    except FireLLaVAError as error:
        return _bare(error)


async def _apull(
    replies: AsyncGenerator[ReplyChunk, None], seconds: float | None
) -> ReplyChunk | FireLLaVAError | None:
    try:
        async with asyncio.timeout(None if seconds is None else max(0.0, seconds) + _GRACE_SECONDS):
            return await anext(replies, None)
    except FireLLaVAError as error:
        return _bare(error)
    except TimeoutError:
        # Nobody knows how far it came, so it counts as sent: it may have been billed.
        return AttemptTimedOut("No answer in time.", sent=True)


def _bare(error: FireLLaVAError) -> FireLLaVAError:
    """The error without the exceptions of other libraries behind it, whose frames hold keys and images."""
    error.__cause__ = error.__context__ = None
    return error


def _first(pulled: ReplyChunk | FireLLaVAError | None, backend: Backend) -> Opened | Failed:
    now = time.monotonic()
    if isinstance(pulled, ReplyChunk):
        return Opened(now)
    error = pulled or ConnectionFailed("The reply was empty.", sent=True)
    if isinstance(error, BackendError):
        error.backend = backend.label
    return Failed(now, error)


def _end(route: Route, builder: ReplyBuilder, pulled: object, backend: Backend) -> StreamBroken | None:
    """Report how the reply ended; where it broke, say so."""
    outcome: Outcome = "answered"
    broken: StreamBroken | None = None
    if not builder.complete:
        # A piece that nobody came back from: whoever reads, or its task, wants no more.
        outcome = "abandoned" if isinstance(pulled, ReplyChunk) else "broken"
    if outcome == "broken":
        broken = _broken(pulled, builder, backend)
    with suppress(StopIteration):
        route.send(Ended(time.monotonic(), outcome, builder.usage, builder.reply, broken))
    return broken


def _broken(pulled: object, builder: ReplyBuilder, backend: Backend) -> StreamBroken:
    reason = str(pulled) if isinstance(pulled, FireLLaVAError) else "it ended without its last piece."
    text = builder.partial_text
    broken = StreamBroken(
        f"The reply of {backend.label} broke off after {len(text)} characters: {reason}", text
    )
    broken.backend = backend.label
    broken.may_be_billed = not backend.is_free
    return broken
