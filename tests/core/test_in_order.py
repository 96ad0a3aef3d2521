"""Order, bounds and endings of `in_order` and its twin, for any work."""

import asyncio
import contextlib
import contextvars
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.in_order import in_order, in_order_async
from tests.core.captions.pictures import wait_for_threads

# How long each item takes, in steps of half a millisecond: enough to mix up who is done first.
durations = st.lists(st.integers(0, 4), max_size=30)
workers = st.integers(1, 5)


class Item:
    """Something whose life is counted: what is still referred to somewhere has not been let go."""

    alive = 0
    most = 0

    def __init__(self, number: int, duration: int) -> None:
        self.number, self.duration = number, duration
        Item.alive += 1
        Item.most = max(Item.most, Item.alive)

    def __del__(self) -> None:
        Item.alive -= 1


class Work:
    """Takes the time an item says, and counts how many are worked on at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def _count(self, change: int) -> None:
        with self._lock:
            self.now += change
            self.most = max(self.most, self.now)

    def __call__(self, item: Item) -> int:
        self._count(1)
        time.sleep(item.duration / 2000)
        self._count(-1)
        return item.number

    async def later(self, item: Item) -> int:
        self._count(1)
        await asyncio.sleep(item.duration / 2000)
        self._count(-1)
        return item.number


def items(lasting: Iterable[int]) -> Iterator[Item]:
    Item.alive = Item.most = 0
    return (Item(number, duration) for number, duration in enumerate(lasting))


def run(work: Work, lasting: Iterable[int], concurrency: int) -> list[int]:
    return list(in_order(work, items(lasting), concurrency))


def run_async(work: Work, lasting: Iterable[int], concurrency: int) -> list[int]:
    async def collect() -> list[int]:
        return [result async for result in in_order_async(work.later, items(lasting), concurrency)]

    return asyncio.run(collect())


each_way = pytest.mark.parametrize("run", [run, run_async])
Run = Callable[[Work, Iterable[int], int], list[int]]


@each_way
@given(lasting=durations, concurrency=workers)
def test_results_come_in_the_order_of_the_items_whoever_is_done_first(
    run: Run, lasting: list[int], concurrency: int
) -> None:
    assert run(Work(), lasting, concurrency) == list(range(len(lasting)))


@each_way
@given(lasting=durations, concurrency=workers)
def test_no_more_are_worked_on_or_held_than_asked_for(run: Run, lasting: list[int], concurrency: int) -> None:
    work = Work()
    run(work, lasting, concurrency)
    assert work.most <= concurrency
    assert Item.most <= concurrency


def test_all_the_workers_work_at_once() -> None:
    meeting = threading.Barrier(4, timeout=10)
    assert list(in_order(lambda number: (meeting.wait(), number)[1], range(8), 4)) == list(range(8))


def test_a_slow_item_does_not_idle_the_others() -> None:
    later_ones_done, done = threading.Event(), []

    def work(number: int) -> int:
        if number == 0:
            assert later_ones_done.wait(10)
        else:
            done.append(number)
            if len(done) == 6:
                later_ones_done.set()
        return number

    assert list(in_order(work, range(10), 2)) == list(range(10))


def test_few_results_wait_for_a_slow_item() -> None:
    taken, blocked = itertools.count(), threading.Event()

    def work(number: int) -> int:
        if number == 0:
            blocked.wait(0.2)
        return number

    with closing(in_order(work, taken, 2)) as results:
        assert next(results) == 0
    assert next(taken) <= 4 * 2


def test_items_are_taken_when_there_is_room_for_them() -> None:
    taken = itertools.count()
    with closing(in_order(str, taken, 2)) as results:
        assert [next(results), next(results)] == ["0", "1"]
        assert next(taken) <= 10


async def test_an_asynchronous_iterator_is_read_as_one() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0)
            yield number

    async def double(number: int) -> int:
        return 2 * number

    assert [result async for result in in_order_async(double, numbers(), 2)] == [0, 2, 4, 6, 8]


async def test_another_iterator_is_read_where_it_holds_up_no_event_loop() -> None:
    readers = []

    def numbers() -> Iterator[int]:
        for number in range(3):
            readers.append(threading.current_thread())
            yield number

    async def same(number: int) -> int:
        return number

    assert [result async for result in in_order_async(same, numbers(), 2)] == [0, 1, 2]
    assert threading.current_thread() not in readers


class Broke(Exception):
    """What a test's work or items raise."""


def until_broken(results: Iterator[int]) -> list[int]:
    """The results before the error, which must come."""
    seen: list[int] = []
    with contextlib.suppress(Broke):
        for result in results:
            seen.append(result)  # noqa: PERF402 - list() would lose those before the error
        pytest.fail("nothing was raised")
    return seen


async def until_broken_async(results: AsyncIterator[int]) -> list[int]:
    """The asynchronous twin."""
    seen: list[int] = []
    with contextlib.suppress(Broke):
        async for result in results:
            seen.append(result)  # noqa: PERF401 - as above
        pytest.fail("nothing was raised")
    return seen


def test_what_work_raises_comes_in_its_turn_and_nothing_is_begun_once_it_is_known() -> None:
    broke, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number == 1:
            broke.set()
            raise Broke
        assert broke.wait(10)
        time.sleep(0.1)  # long enough to begin others
        return number

    assert until_broken(in_order(work, itertools.count(), 2)) == [0]
    assert begun == [0, 1]


async def test_what_asynchronous_work_raises_comes_in_its_turn_too() -> None:
    async def work(number: int) -> int:
        if number == 3:
            raise Broke
        await asyncio.sleep(0.001 * (3 - number))
        return number

    assert await until_broken_async(in_order_async(work, itertools.count(), 4)) == [0, 1, 2]


async def test_what_is_under_way_ends_before_an_error_is_raised() -> None:
    begun, ended = asyncio.Event(), []

    async def work(number: int) -> int:
        if number == 0:
            await begun.wait()
            raise Broke
        begun.set()
        await asyncio.sleep(0.05)
        ended.append(number)
        return number

    assert await until_broken_async(in_order_async(work, range(2), 2)) == []
    assert ended == [1]


def two_and_broken() -> Iterator[int]:
    yield from (0, 1)
    raise Broke


def test_what_the_items_raise_comes_after_the_results_before_it() -> None:
    assert until_broken(in_order(lambda number: number, two_and_broken(), 4)) == [0, 1]


async def test_what_the_items_raise_comes_after_them_asynchronously_too() -> None:
    async def same(number: int) -> int:
        return number

    assert await until_broken_async(in_order_async(same, two_and_broken(), 4)) == [0, 1]


def test_leaving_early_waits_for_nobody_and_begins_nothing() -> None:
    let_go, begun, waited_in_vain = threading.Event(), [], []

    def work(number: int) -> int:
        begun.append(number)
        if number and not let_go.wait(5):
            waited_in_vain.append(number)
        return number

    results = in_order(work, itertools.count(), 3)
    assert next(results) == 0
    results.close()
    count = len(begun)
    let_go.set()
    wait_for_threads()
    assert len(begun) == count
    assert not waited_in_vain


async def test_leaving_early_cancels_what_is_under_way() -> None:
    cancelled = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(60 * number)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async with aclosing(in_order_async(work, itertools.count(), 3)) as results:
        assert await anext(results) == 0
    assert sorted(cancelled) == cancelled
    assert len(cancelled) >= 2


asked_by: contextvars.ContextVar[str] = contextvars.ContextVar("asked_by", default="nobody")


def test_context_variables_are_those_of_the_call() -> None:
    token = asked_by.set("me")
    results = in_order(lambda _: asked_by.get(), range(3), 2)
    asked_by.reset(token)
    assert list(results) == ["me"] * 3


async def test_context_variables_are_those_of_the_asynchronous_call() -> None:
    async def work(_: Any) -> str:
        return asked_by.get()

    token = asked_by.set("me")
    results = in_order_async(work, range(3), 2)
    asked_by.reset(token)
    assert [result async for result in results] == ["me"] * 3
