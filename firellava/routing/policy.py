"""Which backend is asked, when, and for how long: the whole policy, as one generator.

`route` does no input or output and has no clock. It yields what to do next and is sent what happened
(`routing.events`), each event with the time at which it did. Two short drivers (`routing.drive`) carry this
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
from typing import TYPE_CHECKING

from firellava.costs.accounts import QuestionAccounts
from firellava.errors import (
    AllBackendsFailed,
    AttemptTimedOut,
    BudgetExceeded,
    CircuitOpen,
    ConnectionFailed,
    CostUnknown,
    DeadlineExceeded,
    FireLLaVAError,
    LimitExceeded,
    MissingKey,
    NothingToAsk,
    RateLimited,
    RefusedByServer,
    ServerFailed,
    UnreadableReply,
    UnsupportedCapability,
)
from firellava.replies import Attempt
from firellava.routing.breaker import breaker_of
from firellava.routing.events import (
    AUTOMATIC,
    Automatic,
    Deliver,
    Discover,
    Discovered,
    Ended,
    Failed,
    Open,
    Sleep,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from firellava.backends.base import Backend
    from firellava.costs.accounts import Account
    from firellava.routing.breaker import Breaker, Permit
    from firellava.routing.events import Action, Event

__all__ = ["FALLBACK_REASONS", "Timing", "is_worth_another_attempt", "route"]

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
    backends: Sequence[Backend | Automatic],
    timing: Timing,
    *,
    now: float,
    jitter: Callable[[], float],
    breaker_of: Callable[[Backend], Breaker] = breaker_of,
    fallback_on: tuple[type[FireLLaVAError], ...] = FALLBACK_REASONS,
    accounts: QuestionAccounts | None = None,
) -> Generator[Action, Event, None]:
    """Yield what to do to get one request answered.

    Args:
        backends: in the order in which they are asked; at least one. `AUTOMATIC` stands for what this machine
            has, which is looked for only when it is needed.
        timing: how long and how often.
        now: the time at which the call began, in seconds of the clock that events will carry.
        jitter: gives numbers from 0 to 1 that spread retries of many callers over time.
        breaker_of: the breaker of each backend.
        fallback_on: the failures for which the next backend is asked.
        accounts: where each attempt is paid from and who is told of it.

    Raises:
        FireLLaVAError: the one backend's own error, `AllBackendsFailed` when several were asked, or
            `DeadlineExceeded`; thrown out of the ``send`` that reported the last failure.
    """
    accounts = accounts or QuestionAccounts()
    call = _Call(backends, timing, now, jitter, breaker_of, accounts)
    try:
        yield from call.run(fallback_on)
    except FireLLaVAError as error:
        error.may_be_billed = accounts.may_be_billed
        raise


class _Call:
    """One call on its way: who is waiting to be asked, what was tried, and what time it is."""

    def __init__(
        self,
        backends: Sequence[Backend | Automatic],
        timing: Timing,
        now: float,
        jitter: Callable[[], float],
        breaker_of: Callable[[Backend], Breaker],
        accounts: QuestionAccounts,
    ) -> None:
        self._waiting = list(backends)
        self._timing = timing
        self._now = now
        self._jitter = jitter
        self._breaker_of = breaker_of
        self._accounts = accounts
        self._end_by = None if timing.deadline is None else now + timing.deadline
        self._attempts: list[Attempt] = []
        self._turn = -1

    def run(self, fallback_on: tuple[type[FireLLaVAError], ...]) -> Generator[Action, Event, None]:
        """Ask one backend after the other until one answers or a failure is to be raised."""
        error: FireLLaVAError = NothingToAsk(
            "No backend is left to ask. Give one, or install the offline reader: "
            'pip install "firellava[ocr]".'
        )
        while self._waiting:
            if isinstance(self._waiting[0], Automatic):
                yield from self._discover()
                continue
            self._turn += 1
            failure = yield from self._insist(self._waiting[0])
            if failure is None:
                return
            error = failure
            if not isinstance(error, fallback_on):
                break
            self._waiting.pop(0)
        if isinstance(error, AttemptTimedOut) and self._left() == 0:
            raise self._deadline_exceeded()
        if self._turn <= 0:
            raise error
        raise AllBackendsFailed(f"No backend answered. {_told(self._attempts)}", self._attempts)

    def _insist(self, backend: Backend) -> Generator[Action, Event, FireLLaVAError | None]:
        """Ask one backend as often as it makes sense; return why it did not answer, or None when it did."""
        breaker = self._breaker_of(backend)
        failure: FireLLaVAError | None = None
        for retries in itertools.count():
            if self._left() == 0:
                raise self._deadline_exceeded()
            permit = breaker.permit(self._now)
            if permit is None:
                # Whether another stands behind it decides whether it is passed over.
                yield from self._discover()
                if len(self._waiting) > 1:
                    return self._pass_over(backend)
            error = yield from self._ask(backend, breaker, permit)
            if error is None:
                return None
            if failure is not None and isinstance(error, BudgetExceeded):
                # A further attempt that cannot be paid is not what went wrong.
                return failure
            failure = error
            pause = _pause(error, self._timing, retries, self._jitter)
            left = self._left()
            if pause is None or (left is not None and pause >= left / len(self._waiting)):
                return error
            if len(self._waiting) > 1 and breaker.state(self._now) == "open":
                # After the wait it would be passed over.
                return error
            self._now = (yield Sleep(pause)).at
        raise AssertionError("counting has no end")  # pragma: no cover

    def _ask(
        self, backend: Backend, breaker: Breaker, permit: Permit | None
    ) -> Generator[Action, Event, FireLLaVAError | None]:
        """One attempt, to its failure, which is returned, or to the end of its reply."""
        account: Account | None = None
        try:
            account = self._accounts.open(backend, self._now)
            return (yield from self._attempt(backend, breaker, permit, account))
        except (BudgetExceeded, CostUnknown) as unpaid:
            self._attempts.append(Attempt(backend.label, 0.0, unpaid, self._turn))
            return unpaid
        finally:
            # Where nothing was reported (the caller gave up, the request was at fault) another may probe.
            if permit is not None:
                breaker.ignored(permit)
            if account is not None:
                account.close()

    def _attempt(
        self, backend: Backend, breaker: Breaker, permit: Permit | None, account: Account
    ) -> Generator[Action, Event, FireLLaVAError | None]:
        started = self._now
        seconds = _share(self._timing.timeout, self._left(), len(self._waiting))
        event = yield Open(backend, seconds, self._end_by)
        self._now = event.at
        error = event.error if isinstance(event, Failed) else None
        self._attempts.append(Attempt(backend.label, self._now - started, error, self._turn))
        if error is not None:
            account.failed(error, self._now)
            if permit is not None and isinstance(error, _SIGNS_OF_TROUBLE):
                breaker.failed(permit, self._now, getattr(error, "retry_after", None))
            return error
        account.opened(self._now)
        ended = yield Deliver(backend, tuple(self._attempts))
        if isinstance(ended, Ended):
            account.ended(ended.outcome, ended.at, ended.usage, ended.reply, ended.error)
            if permit is not None:
                breaker.failed(permit, ended.at) if ended.outcome == "broken" else breaker.succeeded(permit)
        return None

    def _pass_over(self, backend: Backend) -> CircuitOpen:
        error = CircuitOpen(f"{backend.label} failed several times in a row and is left alone for a while.")
        error.backend = backend.label
        self._attempts.append(Attempt(backend.label, 0.0, error, self._turn))
        return error

    def _discover(self) -> Generator[Action, Event, None]:
        """Put what this machine has in the place of `AUTOMATIC`."""
        if AUTOMATIC not in self._waiting:
            return
        event = yield Discover(self._left())
        self._now = event.at
        found = event.backends if isinstance(event, Discovered) else ()
        place = self._waiting.index(AUTOMATIC)
        new = [backend for backend in found if backend not in self._waiting]
        self._waiting[place : place + 1] = new

    def _left(self) -> float | None:
        return None if self._end_by is None else max(0.0, self._end_by - self._now)

    def _deadline_exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"No answer within the deadline of {self._timing.deadline:g} s. {_told(self._attempts)}",
            self._attempts,
        )


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


def _told(attempts: Sequence[Attempt]) -> str:
    return "; ".join(f"{attempt.backend}: {attempt.reason}" for attempt in attempts)
