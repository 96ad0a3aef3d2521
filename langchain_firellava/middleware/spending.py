"""What an agent's calls took: measured as they are made, and kept until its state has it.

For `BudgetMiddleware`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypedDict

from langgraph.config import get_config

from firellava.costs.budget import Spending
from firellava.costs.tracking import track_cost
from langchain_firellava.callbacks import get_firellava_callback
from langchain_firellava.translation.messages import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from firellava.hooks import CallDetails
    from langchain_firellava.middleware.bounds import AgentCall

__all__ = ["RunKey", "SpendingBook", "SpendingSoFar", "Spent", "in_state", "measured", "run_key"]

RunKey: TypeAlias = tuple[str, str]
"""Names a run of an agent: by its thread and the agent it is part of, or by a name of its own."""

_REMEMBERED: Final = 10_000


class Spent(TypedDict):
    """An amount as an agent's state has it: plain JSON values, dollars as exact text."""

    usd: str
    tokens: int
    calls: int


@dataclass(frozen=True, slots=True)
class SpendingSoFar:
    """What was spent in a run, and in its thread."""

    run: Spending = field(default_factory=Spending)
    thread: Spending = field(default_factory=Spending)

    @classmethod
    def of_state(cls, run: Spent | None, thread: Spent | None) -> Self:
        """What an agent's state says."""
        return cls(_spending(run), _spending(thread))

    def __add__(self, spending: Spending) -> SpendingSoFar:
        return SpendingSoFar(self.run + spending, self.thread + spending)

    def or_later(self, other: SpendingSoFar) -> SpendingSoFar:
        """Of each the one with more calls: sums only grow."""
        return SpendingSoFar(max(self.run, other.run, key=_calls), max(self.thread, other.thread, key=_calls))


def in_state(spending: Spending) -> Spent:
    """An amount as an agent's state is to have it."""
    return {"usd": f"{spending.usd:f}", "tokens": spending.tokens, "calls": spending.calls}


class SpendingBook:
    """What was spent by runs that are on their way, or failed, so that no state may have it.

    A call's sums reach the agent's state only if it succeeds and other middleware does not make it again. The
    book is of this process and holds the newest runs only; a run whose end was seen leaves it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[RunKey, SpendingSoFar] = OrderedDict()

    def so_far(self, key: RunKey, told: SpendingSoFar) -> SpendingSoFar:
        """What the run and its thread have spent, where its state tells so much."""
        with self._lock:
            return told.or_later(self._runs.get(key, _NOTHING))

    def add(self, key: RunKey, told: SpendingSoFar, spending: Spending) -> None:
        """A call of the run is over."""
        with self._lock:
            self._runs[key] = told.or_later(self._runs.pop(key, _NOTHING)) + spending
            if len(self._runs) > _REMEMBERED:
                self._runs.popitem(last=False)

    def leave(self, key: RunKey) -> SpendingSoFar:
        """Forget the run; what it and its thread had spent, as far as it stood here."""
        with self._lock:
            return self._runs.pop(key, _NOTHING)


_NOTHING: Final = SpendingSoFar()


def run_key(name: str | None) -> RunKey:
    """The key of the run that LangGraph is at.

    Args:
        name: a name of its own, for runs without a thread.
    """
    where = get_config().get("configurable", {})
    thread = where.get("thread_id")
    if thread is None:
        return "", name or ""
    # An agent that a tool of another one asks runs in the same thread, in a namespace of its own.
    return str(thread), str(where.get("checkpoint_ns", "")).rpartition("|")[0]


@contextmanager
def measured(call: AgentCall, settle: Callable[[Spending], None]) -> Iterator[None]:
    """Measure what is asked inside a ``with`` block, and settle it, whichever way the block ends.

    Calls of `firellava` count with each of their attempts; of other providers' with what they answer.
    """
    with track_cost() as own, get_firellava_callback() as everyone:
        try:
            yield
        finally:
            foreign = [request for request in everyone.ledger.entries if request.kind != PROVIDER]
            took = [_took(made, call) for made in (*own.entries, *foreign)]
            settle(sum(took, start=Spending(calls=1)))


def _took(made: CallDetails, call: AgentCall) -> Spending:
    if made.local:
        return Spending()
    usage, usd = made.usage, made.cost_usd or Decimal(0)
    tokens = 0 if usage is None else max(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
    if not made.may_cost_more:
        return Spending(usd, tokens)
    return Spending(max(usd, call.usd or Decimal(0)), max(tokens, call.tokens or 0))


def _calls(spending: Spending) -> int:
    return spending.calls


def _spending(spent: Spent | None) -> Spending:
    if spent is None:
        return Spending()
    return Spending(Decimal(spent["usd"]), spent["tokens"], spent["calls"])
