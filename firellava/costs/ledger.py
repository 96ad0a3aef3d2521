"""The ledger: which calls were made, how many tokens they took, and what they cost.

A `Ledger` is a hook (see `firellava.hooks`) that keeps what it is told. It adds calls up as they come, so
that reading totals takes the same time after ten calls and after ten million, and old entries can be let go
without making a total wrong.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from firellava.costs.ledger_display import as_html, one_line
from firellava.costs.ledger_export import as_rows, write_csv, write_json_lines
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.costs.ledger_export import Destination
    from firellava.hooks import CallDetails

__all__ = ["Ledger", "Totals"]

_logger = logging.getLogger("firellava")
_GROUPINGS = Literal["model", "backend", "tag"]

# Nothing is ever rounded, whatever the precision of the caller's own decimal context.
_exact = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


@dataclass(frozen=True, slots=True)
class Totals:
    """What several calls come to. Totals can be added: ``monday.totals + tuesday.totals``.

    Attributes:
        calls: calls of backends. A question that was retried or fell back counts several times.
        answered: calls that ended with their whole answer.
        broken: calls whose answer stopped half-way.
        abandoned: calls whose answer was no longer wanted.
        failed: calls without any answer.
        prompt_tokens: tokens of the prompts, images included.
        image_tokens: how many of them were images, where the model card has a rule.
        cached_tokens: how many of the prompts' tokens were read from the server's cache.
        completion_tokens: tokens of the answers, reasoning included.
        reasoning_tokens: how many of them were reasoning.
        total_tokens: the sum the servers stated.
        uncounted: calls a model worked on, or may have, whose tokens nobody stated: the sums above lack them.
        cost_usd: exact dollars, of the calls whose cost is known.
        unpriced: calls whose cost is unknown: ``cost_usd`` lacks them.
        may_cost_more: calls that were billed for more than is known, or may have been.
    """

    calls: int = 0
    answered: int = 0
    broken: int = 0
    abandoned: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    uncounted: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    may_cost_more: int = 0

    def including(self, call: CallDetails) -> Totals:
        """The same with one more call."""
        outcome, usage, cost = call.outcome, call.usage, call.cost_usd
        # What reads text by itself has no tokens to count, and a request that nobody took cost none.
        worked = not call.degraded and (outcome != "failed" or call.may_cost_more)
        return Totals(
            calls=self.calls + 1,
            answered=self.answered + (outcome == "answered"),
            broken=self.broken + (outcome == "broken"),
            abandoned=self.abandoned + (outcome == "abandoned"),
            failed=self.failed + (outcome == "failed"),
            prompt_tokens=self.prompt_tokens + (usage.prompt_tokens if usage else 0),
            image_tokens=self.image_tokens + ((usage.image_tokens or 0) if usage else 0),
            cached_tokens=self.cached_tokens + ((usage.cached_tokens or 0) if usage else 0),
            completion_tokens=self.completion_tokens + (usage.completion_tokens if usage else 0),
            reasoning_tokens=self.reasoning_tokens + ((usage.reasoning_tokens or 0) if usage else 0),
            total_tokens=self.total_tokens + (usage.total_tokens if usage else 0),
            uncounted=self.uncounted + (usage is None and worked),
            cost_usd=self.cost_usd if cost is None else _exact.add(self.cost_usd, cost),
            unpriced=self.unpriced + (cost is None),
            may_cost_more=self.may_cost_more + call.may_cost_more,
        )

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            calls=self.calls + other.calls,
            answered=self.answered + other.answered,
            broken=self.broken + other.broken,
            abandoned=self.abandoned + other.abandoned,
            failed=self.failed + other.failed,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            image_tokens=self.image_tokens + other.image_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            uncounted=self.uncounted + other.uncounted,
            cost_usd=_exact.add(self.cost_usd, other.cost_usd),
            unpriced=self.unpriced + other.unpriced,
            may_cost_more=self.may_cost_more + other.may_cost_more,
        )


class Ledger:
    """Every call, with its tokens and its dollars; safe to share between threads, clients and event loops.

        ledger = Ledger()
        client = VisionClient(hooks=[ledger])
        …
        ledger.totals.cost_usd, ledger.by("model"), ledger.to_csv("calls.csv")

    `track_cost` makes one for the calls of a ``with`` block.

    A copy, deep or not, is the ledger itself: frameworks copy the objects they are given, and calls must keep
    arriving where you read them. A pickle carries what was recorded so far into a ledger of its own, and so
    does a fork: calls made in another process are told to nobody here, so let it return its ledger.

    Args:
        keep: how many of the newest entries stay readable one by one, so that a service that runs for months
            does not fill its memory (an entry takes about a kilobyte); None for all. Totals always cover
            every call: beside the entries there is one sum for each combination of model, backend and tags
            that was seen.

    Raises:
        ConfigurationError: `keep` is no whole number, or negative.
    """

    def __init__(self, *, keep: int | None = 10_000) -> None:
        self._arrived: deque[CallDetails] = deque()
        self._kept: deque[CallDetails] = deque(maxlen=_checked_keep(keep))
        self._sums: dict[tuple[str, str, tuple[str, ...]], Totals] = {}
        self._busy = False

    def __call__(self, details: CallDetails, /) -> None:
        """Record a call."""
        self._arrived.append(details)
        with _lock:
            self._take_in()

    @property
    def entries(self) -> tuple[CallDetails, ...]:
        """The calls in the order in which they ended, as many of the newest as are kept."""
        with self._still():
            return tuple(self._kept)

    @property
    def forgotten(self) -> int:
        """How many calls are in the totals and no longer among the entries."""
        with self._still():
            return self._total().calls - len(self._kept)

    @property
    def totals(self) -> Totals:
        """What all calls come to."""
        with self._still():
            return self._total()

    def by(self, what: _GROUPINGS) -> dict[str, Totals]:
        """Totals for each model, backend or tag, in the order in which they were first seen.

        A call inside several tagged blocks counts for each of their tags; one without a tag is under ``""``.

        Raises:
            ConfigurationError: `what` is something else.
        """
        if what not in get_args(_GROUPINGS):
            raise ConfigurationError('Totals can be had by "model", "backend" or "tag".')
        with self._still():
            sums = tuple(self._sums.items())
        found: dict[str, Totals] = {}
        for (model, backend, tags), total in sums:
            named = {"model": (model,), "backend": (backend,), "tag": tuple(dict.fromkeys(tags)) or ("",)}
            for name in named[what]:
                found[name] = found.get(name, Totals()) + total
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The entries as flat dictionaries with the same keys, as ``pandas.DataFrame`` takes them.

        ``started_at`` is a datetime in UTC, ``cost_usd`` an exact Decimal (``.astype(float)`` to plot it),
        and what is unknown is None. Where calls are no longer among the entries, a warning is logged.
        """
        forgotten = self.forgotten
        if forgotten:
            _logger.warning(
                "%d of the ledger's calls are no longer among its entries; Ledger(keep=None) keeps all.",
                forgotten,
            )
        return as_rows(self.entries)

    def to_json_lines(self, destination: Destination) -> None:
        """Write the entries to a file or a path, a JSON object a line, cost as a string of exact digits."""
        write_json_lines(self.rows(), destination)

    def to_csv(self, destination: Destination) -> None:
        """Write the entries to a file or a path, for a spreadsheet.

        A text that a spreadsheet would take for a formula gets an apostrophe in front. Open a file of your
        own with ``newline=""``.
        """
        write_csv(self.rows(), destination)

    def __repr__(self) -> str:
        return one_line(self.totals)

    def _repr_html_(self) -> str:
        """The ledger as notebooks show it."""
        with self._still():
            newest = tuple(islice(reversed(self._kept), 5))
        groups = {"model": self.by("model"), "backend": self.by("backend"), "tag": self.by("tag")}
        told = {heading: group for heading, group in groups.items() if set(group) - {""}}
        return as_html(self.totals, told, newest)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        with self._still():
            known = {"_kept": self._kept.copy(), "_sums": self._sums.copy()}
        return {**known, "_arrived": deque(), "_busy": False}

    def _total(self) -> Totals:
        return sum(self._sums.values(), start=Totals())

    def _take_in(self) -> None:
        """Enter what has arrived; the lock is held.

        The garbage collector may end an abandoned answer at any moment, here as well, and so record a call
        in the midst of recording one. That call waits in `_arrived`, and the loop it interrupted enters it.
        """
        if self._busy:
            return
        self._busy = True
        try:
            while self._arrived:
                call = self._arrived.popleft()
                self._kept.append(call)
                key = (call.model, call.backend, call.tags)
                self._sums[key] = self._sums.get(key, _NOTHING).including(call)
        finally:
            self._busy = False

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Everything that has arrived is entered, and nothing changes until the block ends."""
        with _lock:
            self._take_in()
            busy, self._busy = self._busy, True
            try:
                yield
            finally:
                self._busy = busy


def _checked_keep(keep: object) -> int | None:
    if keep is None or (isinstance(keep, int) and not isinstance(keep, bool) and keep >= 0):
        return keep
    raise ConfigurationError("keep= takes how many entries to keep, such as 1000, or None for all.")


_NOTHING = Totals()
# One for all ledgers, held for microseconds: a fork waits until nobody is half-way through an entry. The
# thread that has it can take it again, which the garbage collector may ask for (see `Ledger._take_in`).
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
