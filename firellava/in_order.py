"""Many items worked on at once, their results handed over in the order of the items.

Items are taken from their iterator only when there is room for them. At most ``concurrency`` are being worked
on; results that wait for a slow one before them are few too, and hold nothing but themselves.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Coroutine,
        Generator,
        Iterable,
        Iterator,
    )

__all__ = ["in_order", "in_order_async"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Future = TypeVar("_Future", "Future[Any]", "asyncio.Future[Any]")

_AHEAD: Final = 4
"""Results for each worker that may wait for a slow one before them, so that one does not idle the others."""


class _Window(Generic[_Future]):
    """What is being worked on, or done and not handed over yet, in the order of the items."""

    def __init__(self, concurrency: int) -> None:
        self.underway: deque[_Future] = deque()
        self.ended = False
        self._concurrency = concurrency

    @property
    def unfinished(self) -> list[_Future]:
        """What is being worked on."""
        return [each for each in self.underway if not each.done()]

    @property
    def has_room(self) -> bool:
        """Whether another item may be begun: not after the last one, nor after one that failed."""
        if self.ended or len(self.underway) >= _AHEAD * self._concurrency:
            return False
        finished = [each for each in self.underway if each.done()]
        if any(each.cancelled() or each.exception() is not None for each in finished):
            return False
        return len(self.underway) - len(finished) < self._concurrency

    def fail(self, future: _Future, error: Exception) -> None:
        """There are no more items: `error` came in the place of one."""
        self.ended = True
        future.set_exception(error)
        self.underway.append(future)


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], concurrency: int
) -> Generator[_Result, None, None]:
    """The results of `work`, which is called on threads, with the context variables of this call.

    What `work` or the iterator of items raises is raised when its turn has come, and nothing is begun once it
    is known. Who leaves the generator early does not wait for the calls that are under way.

    Args:
        work: is called once for each item.
        items: is read by the caller's thread, and may be endless.
        concurrency: how many items are worked on at once.
    """
    return _in_order(work, items, concurrency, contextvars.copy_context())


def _in_order(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    concurrency: int,
    context: contextvars.Context,
) -> Generator[_Result, None, None]:
    remaining = iter(items)
    window: _Window[Future[Any]] = _Window(concurrency)
    threads = ThreadPoolExecutor(concurrency, thread_name_prefix="firellava-in-order")
    try:
        while True:
            while window.has_room:
                try:
                    held = [next(remaining)]
                    window.underway.append(threads.submit(context.copy().run, _work_on, work, held))
                except StopIteration:
                    window.ended = True
                except Exception as error:  # noqa: BLE001 - raised when its turn has come
                    window.fail(Future(), error)
            if not window.underway:
                return
            if window.underway[0].done():
                yield window.underway.popleft().result()
            else:
                wait(window.unfinished, return_when=FIRST_COMPLETED)
    finally:
        threads.shutdown(wait=False)


def _work_on(work: Callable[[_Item], _Result], held: list[_Item]) -> _Result:
    # The pool remembers its arguments a little longer than the work takes: it is to remember no image.
    return work(held.pop())


def in_order_async(
    work: Callable[[_Item], Coroutine[Any, Any, _Result]],
    items: Iterable[_Item] | AsyncIterable[_Item],
    concurrency: int,
) -> AsyncGenerator[_Result, None]:
    """The asynchronous twin of `in_order`.

    What is under way is cancelled when the generator is closed early or its task is cancelled. Before an
    error is raised it is waited for, since it may have been paid for. An iterator that is not asynchronous is
    read on a thread, so that it may open files.
    """
    return _in_order_async(work, items, concurrency, contextvars.copy_context())


async def _in_order_async(
    work: Callable[[_Item], Coroutine[Any, Any, _Result]],
    items: Iterable[_Item] | AsyncIterable[_Item],
    concurrency: int,
    context: contextvars.Context,
) -> AsyncGenerator[_Result, None]:
    remaining = aiter(items) if isinstance(items, AsyncIterable) else _read_on_thread(items)
    window: _Window[asyncio.Future[Any]] = _Window(concurrency)
    loop = asyncio.get_running_loop()
    try:
        while True:
            while window.has_room:
                try:
                    task = loop.create_task(work(await anext(remaining)), context=context.copy())
                    window.underway.append(task)
                except StopAsyncIteration:
                    window.ended = True
                except Exception as error:  # noqa: BLE001 - raised when its turn has come
                    window.fail(loop.create_future(), error)
            if not window.underway:
                return
            if window.underway[0].done():
                yield window.underway.popleft().result()
            else:
                await asyncio.wait(window.unfinished, return_when=asyncio.FIRST_COMPLETED)
    except Exception:  # of the work or the items, and not of who leaves
        await asyncio.gather(*window.underway, return_exceptions=True)
        raise
    finally:
        for each in window.underway:
            each.cancel()
        await asyncio.gather(*window.underway, return_exceptions=True)


async def _read_on_thread(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    remaining = iter(items)
    while taken := await asyncio.to_thread(_take_one, remaining):
        yield taken.pop()


def _take_one(remaining: Iterator[_Item]) -> list[_Item]:
    """The next item, or none: a StopIteration cannot come out of a thread."""
    return list(islice(remaining, 1))
