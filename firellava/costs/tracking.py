"""`track_cost`: a ledger for the calls of a ``with`` block, wherever in the program they are made.

Which blocks are open is a context variable. It follows a call into everything that carries contexts along:
asyncio tasks, `asyncio.to_thread`, LangChain's batches, chains and agents, LlamaIndex's workflows. A bare
``ThreadPoolExecutor.submit`` does not: submit ``contextvars.copy_context().run`` there.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firellava.costs.ledger import Ledger
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Tracker", "active_trackers", "track_cost"]

_trackers: ContextVar[tuple[Tracker, ...]] = ContextVar("firellava_trackers", default=())


def track_cost(tag: str | None = None, *, ledger: Ledger | None = None) -> Tracker:
    """Record what the questions asked in a ``with`` block cost, in sync and async code alike.

        with track_cost() as ledger:
            chain.batch(questions)
        print(ledger.totals.cost_usd)

    Blocks can be nested: each one's ledger takes every call made in it. What counts is where a question is
    asked: an answer that is streamed to its end after the block, or a task that was started in the block and
    outlives it, is recorded all the same, when it ends.

    Args:
        tag: a name for this kind of work, such as ``"captions"``; the ledger has totals for each.
        ledger: where to record the calls; a new one by default. Several blocks may share one.

    Raises:
        ConfigurationError: the tag is no text, or empty.
    """
    return Tracker(Ledger() if ledger is None else ledger, _checked_tag(tag))


def _checked_tag(tag: object) -> str | None:
    if tag is None or (isinstance(tag, str) and tag.strip()):
        return tag
    raise ConfigurationError(
        'track_cost takes a name such as "captions" for the tag; a ledger of your own goes into ledger=.'
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tracker:
    """A block whose calls are recorded, as `track_cost` makes it.

    Attributes:
        ledger: where the calls of the block are recorded.
        tag: what they are tagged with, if anything.
    """

    ledger: Ledger
    tag: str | None

    def __enter__(self) -> Ledger:
        _trackers.set((*_trackers.get(), self))
        return self.ledger

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # No reset to what was there before: a block inside a generator may end in another context than it
        # began in, or later than one that began after it.
        opened = list(_trackers.get())
        for index in reversed(range(len(opened))):
            if opened[index] is self:
                del opened[index]
                break
        _trackers.set(tuple(opened))


def active_trackers() -> tuple[Tracker, ...]:
    """The blocks that are open here, outermost first. Two of them may share a ledger."""
    return _trackers.get()
