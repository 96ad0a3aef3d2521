"""A budget that holds: what a call may cost at most is set aside before it is made, and settled after it.

So any number of calls at once cannot overshoot together. What a call used comes from the server's own count;
a call that may have been billed and never said for how much keeps what was set aside for it.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, Literal, NoReturn, Self, TypeAlias

from firellava.errors import BudgetExceeded, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from firellava.messages import Request

__all__ = ["Budget", "Reserve", "Spending"]

_Limit: TypeAlias = Literal["usd", "tokens", "calls"]

# Nothing is ever rounded, whatever the precision of the caller's own decimal context.
_exact: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


@dataclass(frozen=True, slots=True)
class Spending:
    """An amount of each of the three things a budget limits.

    Attributes:
        usd: dollars.
        tokens: prompt and completion tokens.
        calls: calls of a backend; a retry is another one.
    """

    usd: Decimal = Decimal(0)
    tokens: int = 0
    calls: int = 0

    def __add__(self, other: Spending) -> Spending:
        usd = _exact.add(self.usd, other.usd)
        return Spending(usd, self.tokens + other.tokens, self.calls + other.calls)

    def __sub__(self, other: Spending) -> Spending:
        usd = _exact.subtract(self.usd, other.usd)
        return Spending(usd, self.tokens - other.tokens, self.calls - other.calls)


_NOTHING: Final = Spending()
_ONE_PROCESS: Final = (
    "A budget counts in the process that made it and cannot be pickled: a copy would allow everything a "
    "second time. Give each process a budget of its own."
)


class Budget:
    """A limit for everything that is asked with it: give the same one to every client that shares it.

        budget = Budget(usd=5, window=24 * 3600)
        client = VisionClient(budget=budget, fallback="auto")

    Backends on this machine cost nothing and are not limited. A budget lives in one process and cannot be
    pickled, and the child of a fork cannot spend from it: a copy would allow everything a second time. Copies
    made within a process are the same budget.

    Args:
        usd: dollars.
        tokens: prompt and completion tokens.
        calls: calls of a backend; a retry is another one. Calls that were certainly not billed do not count.
        window: seconds after which what was spent counts no more; None for ever.
        max_tokens: how long an answer may be where the request does not say, since without a limit nothing
            bounds what it costs. Sent with the request under a budget in dollars or tokens.
        when_exhausted: ``raise`` `BudgetExceeded` and send nothing, or go on to the next ``fallback`` that
            the budget can pay, such as a local one.
        when_unknown: what to do where a call cannot be bounded, for want of a price or of a bound for its
            images: ``refuse`` it with `CostUnknown`, or ``allow`` it, counted as far as it is known.
        clock: gives the time in seconds.

    Raises:
        ConfigurationError: no limit, one that is negative or no number, or part of a token or call.
    """

    def __init__(
        self,
        *,
        usd: Decimal | float | str | None = None,
        tokens: int | None = None,
        calls: int | None = None,
        window: float | None = None,
        max_tokens: int = 1024,
        when_exhausted: Literal["raise", "fallback"] = "raise",
        when_unknown: Literal["refuse", "allow"] = "refuse",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        given: dict[_Limit, object] = {"usd": usd, "tokens": tokens, "calls": calls}
        self.limits = {
            name: _amount(name, value) if name == "usd" else _whole(name, value)
            for name, value in given.items()
            if value is not None
        }
        if not self.limits:
            raise ConfigurationError("A budget needs a limit: give usd=, tokens= or calls=.")
        self.window = None if window is None else float(_positive("window", window))
        self.max_tokens = int(_whole("max_tokens", _positive("max_tokens", max_tokens)))
        if when_exhausted not in ("raise", "fallback"):
            raise ConfigurationError(f"when_exhausted is 'raise' or 'fallback', not {when_exhausted!r}.")
        if when_unknown not in ("refuse", "allow"):
            raise ConfigurationError(f"when_unknown is 'refuse' or 'allow', not {when_unknown!r}.")
        self.when_exhausted = when_exhausted
        self.when_unknown = when_unknown
        self._clock = clock
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._spent = _NOTHING
        self._reserved = _NOTHING
        self._in_window: deque[tuple[float, Spending]] = deque()
        # When a call ended, what was set aside for it, and what it took. The garbage collector may end an
        # abandoned answer at any moment, also in a thread that holds the lock, so ending a call takes none.
        self._settled: deque[tuple[float, Spending, Spending]] = deque()

    @property
    def limits_tokens(self) -> bool:
        """Whether a call's tokens must be bounded before it is made."""
        return "usd" in self.limits or "tokens" in self.limits

    @property
    def spent(self) -> Spending:
        """What was spent, within the window where there is one; what nobody counted at what was set aside."""
        with self._lock:
            self._catch_up()
            return self._spent

    @property
    def reserved(self) -> Spending:
        """What is set aside for calls on their way."""
        with self._lock:
            self._catch_up()
            return self._reserved

    def bounded(self, request: Request) -> Request:
        """The request with a limit for its answer, where it has none and the budget needs one."""
        parameters = request.parameters
        beyond = parameters.extra_body or {}
        named = parameters.max_tokens is not None or beyond.keys() & {"max_tokens", "max_completion_tokens"}
        if named or not self.limits_tokens:
            return request
        return replace(request, parameters=parameters.model_copy(update={"max_tokens": self.max_tokens}))

    def reserve(self, needed: Spending) -> Reserve:
        """Set aside what a call may take at most.

        Raises:
            BudgetExceeded: that is more than is left.
            ConfigurationError: this process is a fork of the one that made the budget.
        """
        if os.getpid() != self._process:
            raise ConfigurationError(_ONE_PROCESS)
        with self._lock:
            self._catch_up()
            for name, limit in self.limits.items():
                if _of(self._spent + self._reserved + needed, name) > limit:
                    raise self._exceeded(name, limit, needed)
            self._reserved += needed
        return Reserve(self, needed)

    def _settle(self, reserved: Spending, spent: Spending) -> None:
        self._settled.append((self._clock(), reserved, spent))

    def _catch_up(self) -> None:
        """Take in the calls that have ended, and drop what was spent before the window; the lock is held."""
        while self._settled:
            at, reserved, spent = self._settled.popleft()
            self._reserved -= reserved
            self._spent += spent
            if self.window is not None and spent != _NOTHING:
                self._in_window.append((at, spent))
        if self.window is None:
            return
        begin = self._clock() - self.window
        while self._in_window and self._in_window[0][0] <= begin:
            self._spent -= self._in_window.popleft()[1]

    def _exceeded(self, name: _Limit, limit: Decimal, needed: Spending) -> BudgetExceeded:
        amount, taken = _of(needed, name), _of(self._spent + self._reserved, name)
        left = max(_exact.subtract(limit, taken), Decimal(0))
        free_in = self._free_in(name, _exact.subtract(limit, amount))
        wait = "" if free_in is None else f" Enough is free again in {math.ceil(free_in)} s."
        advice = "With" if name == "calls" else "A smaller max_tokens= needs less; with"
        return BudgetExceeded(
            f"The budget of {_shown(name, limit)} has {_shown(name, left)} left, and this call may take up "
            f"to {_shown(name, amount)}. Nothing was sent.{wait} {advice} "
            "Budget(when_exhausted='fallback') a fallback= on this machine answers instead.",
            limit=name,
            needed=amount,
            left=left,
            free_in=free_in,
        )

    def _free_in(self, name: _Limit, allowed: Decimal) -> float | None:
        """Seconds until no more than `allowed` is taken, if what is on its way were to cost all it may."""
        taken = _of(self._spent + self._reserved, name)
        for at, spent in self._in_window:
            taken = _exact.subtract(taken, _of(spent, name))
            if taken <= allowed and self.window is not None:
                return at + self.window - self._clock()
        return None

    def __repr__(self) -> str:
        spent = self.spent
        parts = [
            f"{_shown(name, _of(spent, name))} of {_shown(name, limit)}"
            for name, limit in self.limits.items()
        ]
        within = "" if self.window is None else f" within {self.window:g} s"
        return f"<Budget: {', '.join(parts)} spent{within}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise ConfigurationError(_ONE_PROCESS)


class Reserve:
    """What is set aside for one call. It is settled once; settling again changes nothing."""

    def __init__(self, budget: Budget, reserved: Spending) -> None:
        self._budget: Budget | None = budget
        self._reserved = reserved

    def settle(self, spent: Spending) -> None:
        """The call is over and took this."""
        budget, self._budget = self._budget, None
        if budget is not None:
            budget._settle(self._reserved, spent)  # noqa: SLF001 - a reserve is a part of its budget

    def release(self) -> None:
        """The call was certainly not billed."""
        self.settle(_NOTHING)

    def keep(self) -> None:
        """The call may have been billed, and nobody knows for how much."""
        self.settle(self._reserved)


def _amount(name: str, value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ConfigurationError(f"A budget's {name} is a number from 0 up, not {value!r}.")
    return amount


def _positive(name: str, value: object) -> Decimal:
    if not (amount := _amount(name, value)):
        raise ConfigurationError(f"A budget's {name} is more than 0.")
    return amount


def _whole(name: str, value: object) -> Decimal:
    amount = _amount(name, value)
    if amount != amount.to_integral_value():
        raise ConfigurationError(f"A budget's {name} is a whole number, not {value}.")
    return amount


def _of(spending: Spending, name: _Limit) -> Decimal:
    return Decimal(getattr(spending, name))


def _shown(name: _Limit, amount: Decimal) -> str:
    return f"${amount.normalize():f}" if name == "usd" else f"{amount:f} {name}"
