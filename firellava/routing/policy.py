"""Which backend is asked, when, and for how long: the whole policy, as one generator.

`route` does no input or output and has no clock. It yields what to do next, an `Open` or a `Sleep`, and is
sent what happened, each event with the time at which it did. Two short drivers (`routing.drive`) carry this
out, synchronously and asynchronously; a test can do the same with plain ``.send()``.

Once a backend's first piece has arrived the policy yields `Deliver` and only waits for `Ended`: pieces never
pass through it, so a stream cannot be retried or switched after its first piece, by construction.

Rules and their sources: the API's documentation says which statuses are worth another attempt (500 is not);
a request whose answer did not come in time may have been billed already, so it is not sent again to the same
backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from firellava.errors import (
    AllBackendsFailed,
    AttemptTimedOut,
    ConnectionFailed,
    DeadlineExceeded,
    MissingKey,
    RateLimited,
    RefusedByServer,
    ServerFailed,
    UnreadableReply,
    UnsupportedCapability,
)
from firellava.messages import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from firellava.backends.base import Backend
    from firellava.errors import FireLLaVAError
    from firellava.messages import Usage

__all__ = [
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
    "is_reason_to_fall_back",
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


def is_reason_to_fall_back(error: FireLLaVAError) -> bool:
    """Whether the next backend is asked instead of raising this.

    A refused key, account, model or request is raised: hiding it behind another model would hide the
    mistake. A backend that cannot do what was asked is passed over.
    """
    reasons = (
        MissingKey,
        ConnectionFailed,
        AttemptTimedOut,
        UnreadableReply,
        RateLimited,
        ServerFailed,
        UnsupportedCapability,
    )
    return isinstance(error, reasons)


def route(
    backends: Sequence[Backend], timing: Timing, *, now: float, jitter: Callable[[], float]
) -> Generator[Action, Event, None]:
    """Yield what to do to get one request answered.

    Args:
        backends: in the order in which they are asked; at least one.
        timing: how long and how often.
        now: the time at which the call began, in seconds of the clock that events will carry.
        jitter: gives numbers from 0 to 1 that spread retries of many callers over time.

    Raises:
        FireLLaVAError: the one backend's own error, `AllBackendsFailed` when several were asked, or
            `DeadlineExceeded`; thrown out of the ``send`` that reported the last failure.
    """
    end_by = None if timing.deadline is None else now + timing.deadline
    attempts: list[Attempt] = []
    for position, backend in enumerate(backends):
        waiting = len(backends) - position
        retries = 0
        while True:
            left = None if end_by is None else end_by - now
            if left is not None and left <= 0:
                raise _deadline_exceeded(timing, attempts)
            event = yield Open(backend, _share(timing.timeout, left, waiting), end_by)
            started, now = now, event.at
            if not isinstance(event, Failed):
                attempts.append(Attempt(backend.label, now - started))
                yield Deliver(backend, tuple(attempts))
                return
            error = event.error
            attempts.append(Attempt(backend.label, now - started, error))
            pause = _pause(error, timing, retries, jitter)
            left = None if end_by is None else end_by - now
            if pause is None or (left is not None and pause >= left / waiting):
                break
            retries += 1
            now = (yield Sleep(pause)).at
        if not is_reason_to_fall_back(error):
            break
    if end_by is not None and now >= end_by and isinstance(error, AttemptTimedOut):
        raise _deadline_exceeded(timing, attempts)
    raise error if position == 0 else AllBackendsFailed(f"No backend answered. {_told(attempts)}", attempts)


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
