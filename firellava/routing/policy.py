"""Which backend is asked, when, and for how long: the whole policy, as one generator.

`route` does no input or output and has no clock. It yields what to do next, an `Open` or a `Sleep`, and is
sent what happened, each event with the time at which it did. Two short drivers (`routing.drive`) carry this
out, synchronously and asynchronously; a test can do the same with plain ``.send()``.

Once a backend's first piece has arrived the policy yields `Deliver` and only waits for `Ended`: pieces never
pass through it, so a stream cannot be retried or switched after its first piece, by construction.

A backend whose circuit breaker is open is passed over where another one stands behind it; the last one is
always asked. An attempt's outcome is settled with the breaker exactly once: when it fails before its first
piece, or when `Ended` comes.

Rules and their sources: the API's documentation says which statuses are worth another attempt (500 is not);
a request whose answer did not come in time may have been billed already, so it is not sent again to the same
backend.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from firellava.errors import (
    AllBackendsFailed,
    AttemptTimedOut,
    CircuitOpen,
    ConnectionFailed,
    DeadlineExceeded,
    LimitExceeded,
    MissingKey,
    RateLimited,
    RefusedByServer,
    ServerFailed,
    UnreadableReply,
    UnsupportedCapability,
)
from firellava.messages import Attempt
from firellava.routing.breaker import breaker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from firellava.backends.base import Backend
    from firellava.errors import FireLLaVAError
    from firellava.messages import Usage
    from firellava.routing.breaker import Breaker, Permit

__all__ = [
    "FALLBACK_REASONS",
    "Action",
    "Deliver",
    "Ended",
    "Event",
    "Failed",
    "Open",
    "Opened",
    "Outcome",
    "Sleep",
    "Timing",
    "Woke",
    "is_worth_another_attempt",
    "route",
]

Outcome = Literal["whole", "broken", "abandoned"]
"""How a reply ended: delivered to its end, broken half-way, or no longer wanted."""

_RETRIED_STATUSES = frozenset({408, 425, 429, 502, 503, 504, 520})


@dataclass(frozen=True, slots=True)
class Timing:
    """How long and how often.

    Attributes:
        timeout: seconds one attempt may take until its reply (a stream: its first piece) is there.
        deadline: seconds all attempts may take together.
        max_retries: further attempts of the same backend.
        first_pause: seconds before the first retry, doubled for each further one.
        longest_pause: seconds; a server that asks for more is not waited for.
    """

    timeout: float | None = 60.0
    deadline: float | None = None
    max_retries: int = 2
    first_pause: float = 0.5
    longest_pause: float = 8.0


@dataclass(frozen=True, slots=True)
class Open:
    """Ask this backend; its first piece must be there after `seconds`, and everything at `end_by`."""

    backend: Backend
    seconds: float | None
    end_by: float | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass the reply on. The last of the attempts is the one that answers."""

    backend: Backend
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """The backend's first piece is there."""

    at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The backend did not get as far as a first piece."""

    at: float
    error: FireLLaVAError


@dataclass(frozen=True, slots=True)
class Woke:
    """The wait is over."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The reply is over: all of it delivered, broken half-way, or no longer wanted."""

    at: float
    outcome: Outcome
    usage: Usage | None = None


Action = Open | Sleep | Deliver
Event = Opened | Failed | Woke | Ended


def is_worth_another_attempt(error: FireLLaVAError) -> bool:
    """Whether the same backend may answer if it is asked again."""
    if isinstance(error, RefusedByServer):
        retried = error.status in _RETRIED_STATUSES or isinstance(error, RateLimited)
        return retried if error.should_retry is None else error.should_retry
    return isinstance(error, ConnectionFailed | AttemptTimedOut) and not error.sent


FALLBACK_REASONS: tuple[type[FireLLaVAError], ...] = (
    MissingKey,
    ConnectionFailed,
    AttemptTimedOut,
    CircuitOpen,
    UnreadableReply,
    RateLimited,
    ServerFailed,
    UnsupportedCapability,
    LimitExceeded,
)
"""The failures for which the next backend is asked. The others are raised: a refused key, account, model or
request would only be hidden behind another model. A backend that cannot do what was asked, or takes less than
was given, is passed over."""

_SIGNS_OF_TROUBLE = (ConnectionFailed, AttemptTimedOut, UnreadableReply, RateLimited, ServerFailed)


def route(
    backends: Sequence[Backend],
    timing: Timing,
    *,
    now: float,
    jitter: Callable[[], float],
    breaker_of: Callable[[Backend], Breaker] = breaker_of,
    fallback_on: tuple[type[FireLLaVAError], ...] = FALLBACK_REASONS,
) -> Generator[Action, Event, None]:
    """Yield what to do to get one request answered.

    Args:
        backends: in the order in which they are asked; at least one.
        timing: how long and how often.
        now: the time at which the call began, in seconds of the clock that events will carry.
        jitter: gives numbers from 0 to 1 that spread retries of many callers over time.
        breaker_of: the breaker of each backend.
        fallback_on: the failures for which the next backend is asked.

    Raises:
        FireLLaVAError: the one backend's own error, `AllBackendsFailed` when several were asked, or
            `DeadlineExceeded`; thrown out of the ``send`` that reported the last failure.
    """
    end_by = None if timing.deadline is None else now + timing.deadline
    attempts: list[Attempt] = []
    error: FireLLaVAError
    for position, backend in enumerate(backends):
        waiting = len(backends) - position
        breaker = breaker_of(backend)
        for retries in itertools.count():
            left = None if end_by is None else end_by - now
            if left is not None and left <= 0:
                raise _deadline_exceeded(timing, attempts)
            permit = breaker.permit(now)
            if permit is None and waiting > 1:
                error = CircuitOpen(
                    f"{backend.label} failed several times in a row and is left alone for a while."
                )
                attempts.append(Attempt(backend.label, 0.0, error))
                break
            opening = Open(backend, _share(timing.timeout, left, waiting), end_by)
            failed = yield from _ask(opening, attempts, now, breaker, permit)
            if failed is None:
                return
            error, now = failed.error, failed.at
            pause = _pause(error, timing, retries, jitter)
            left = None if end_by is None else end_by - now
            if pause is None or (left is not None and pause >= left / waiting):
                break
            now = (yield Sleep(pause)).at
        if not isinstance(error, fallback_on):
            break
    if end_by is not None and now >= end_by and isinstance(error, AttemptTimedOut):
        raise _deadline_exceeded(timing, attempts)
    raise error if position == 0 else AllBackendsFailed(f"No backend answered. {_told(attempts)}", attempts)


def _ask(
    opening: Open, attempts: list[Attempt], now: float, breaker: Breaker, permit: Permit | None
) -> Generator[Action, Event, Failed | None]:
    """One attempt, to its failure, which is returned, or to the end of its reply."""
    label = opening.backend.label
    try:
        event = yield opening
        if isinstance(event, Failed):
            attempts.append(Attempt(label, event.at - now, event.error))
            if permit is not None and isinstance(event.error, _SIGNS_OF_TROUBLE):
                breaker.failed(permit, event.at, getattr(event.error, "retry_after", None))
            return event
        attempts.append(Attempt(label, event.at - now))
        ended = yield Deliver(opening.backend, tuple(attempts))
        if permit is not None and isinstance(ended, Ended):
            breaker.failed(permit, ended.at) if ended.outcome == "broken" else breaker.succeeded(permit)
        return None
    finally:
        # Where nothing was reported (the caller gave up, the request was at fault) another may probe.
        if permit is not None:
            breaker.ignored(permit)


def _share(timeout: float | None, left: float | None, waiting: int) -> float | None:
    """Seconds for this attempt: a first backend that hangs must leave time for those behind it."""
    shares = [
        seconds for seconds in (timeout, None if left is None else left / waiting) if seconds is not None
    ]
    return min(shares, default=None)


def _pause(error: FireLLaVAError, timing: Timing, retries: int, jitter: Callable[[], float]) -> float | None:
    """Seconds before the same backend is asked again; None to ask it no more."""
    if retries >= timing.max_retries or not is_worth_another_attempt(error):
        return None
    asked = error.retry_after if isinstance(error, RefusedByServer) else None
    if asked is not None:
        return asked if asked <= timing.longest_pause else None
    pause = min(timing.first_pause * 2.0**retries, timing.longest_pause)
    return pause * (0.5 + jitter() / 2)


def _deadline_exceeded(timing: Timing, attempts: Sequence[Attempt]) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"No answer within the deadline of {timing.deadline:g} s. {_told(attempts)}", attempts
    )


def _told(attempts: Sequence[Attempt]) -> str:
    return "; ".join(f"{attempt.backend}: {attempt.reason}" for attempt in attempts)
