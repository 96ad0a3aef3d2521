"""What it costs to count costs: CPU time that hooks, ledgers, `track_cost` and a budget add to a call.

    python -m benchmarks.costs

A backend that answers at once, with usage and a price, is asked through clients that differ in nothing but
who is told. Each gets a block of calls in turn, many times over; what is printed is the median of the blocks,
in microseconds of CPU time a call. It ends with 1 where a function, a ledger and a `track_cost` block (with a
ledger of its own) together add more than 30.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from firellava import FireworksBackend, Message, ReplyChunk, Usage, VisionClient
from firellava.costs.budget import Budget
from firellava.costs.ledger import Ledger
from firellava.costs.tracking import track_cost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractContextManager

    from firellava.backends.base import AttemptContext
    from firellava.hooks import CallDetails
    from firellava.messages import Request

MOST_MICROSECONDS = 30.0

_BLOCKS = 60
_CALLS = 300
_QUESTION = [Message("user", "Hello one two three four five six")]
_ALL = "all three"


class _Instant(FireworksBackend):
    """The API's backend in all but asking: what is measured is what stands around that."""

    def replies(self, request: Request, context: AttemptContext) -> Generator[ReplyChunk, None, None]:
        del request, context
        yield from _PIECES

    async def areplies(self, request: Request, context: AttemptContext) -> AsyncGenerator[ReplyChunk, None]:
        del request, context
        for piece in _PIECES:
            yield piece


_PIECES = (
    ReplyChunk(text="At once.", finish_reason="stop"),
    ReplyChunk(last=True, usage=Usage(640, 30, 670, image_tokens=576, cached_tokens=0)),
)


_BACKEND = _Instant(api_key="nobody-asks-for-it")


def _nothing(details: CallDetails) -> None:
    del details


def main() -> int:
    """Print the table."""
    tracker = track_cost
    cases: dict[str, tuple[VisionClient, Callable[[], AbstractContextManager[object]]]] = {
        "nobody is told": (VisionClient(backend=_BACKEND), nullcontext),
        "a function": (VisionClient(backend=_BACKEND, hooks=[_nothing]), nullcontext),
        "a ledger": (VisionClient(backend=_BACKEND, hooks=[Ledger()]), nullcontext),
        "track_cost()": (VisionClient(backend=_BACKEND), tracker),
        _ALL: (VisionClient(backend=_BACKEND, hooks=[_nothing, Ledger()]), tracker),
        "a budget": (VisionClient(backend=_BACKEND, budget=Budget(usd=10**6)), nullcontext),
    }
    print("| told | `chat` | added | `achat` | added |")
    print("| --- | ---: | ---: | ---: | ---: |")
    columns = [_measure(cases, way) for way in (_chat, _achat)]
    for name in cases:
        cells = [f"{column[name]:.1f} | {_added(column, name):.1f}" for column in columns]
        print(f"| {name} | {' | '.join(cells)} |")
    most = max(_added(column, _ALL) for column in columns)
    print(f"\nall three together add {most:.1f} microseconds of CPU to a call, at most")
    return int(most > MOST_MICROSECONDS)


def _added(column: dict[str, float], name: str) -> float:
    return column[name] - column["nobody is told"]


def _measure(
    cases: dict[str, tuple[VisionClient, Callable[[], AbstractContextManager[object]]]],
    block: Callable[[VisionClient], float],
) -> dict[str, float]:
    """Microseconds of CPU time a call, for each case; the cases take turns."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(_BLOCKS):
        for name, (client, surrounding) in cases.items():
            gc.collect()
            with surrounding():
                taken[name].append(block(client) / _CALLS * 1_000_000)
    return {name: statistics.median(times) for name, times in taken.items()}


def _chat(client: VisionClient) -> float:
    began = time.process_time()
    for _ in range(_CALLS):
        client.chat(_QUESTION)
    return time.process_time() - began


def _achat(client: VisionClient) -> float:
    async def run() -> float:
        began = time.process_time()
        for _ in range(_CALLS):
            await client.achat(_QUESTION)
        return time.process_time() - began

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
