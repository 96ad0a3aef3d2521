"""Engines are opened once, shared, never closed under a computation, and closed when nobody wants them."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from firellava.backends import engines


class Counted(engines.Engine):
    """An engine that knows whether it was opened and closed."""

    opened = 0

    def __init__(self) -> None:
        type(self).opened += 1
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


class Client:
    """Someone who wants engines kept."""


@pytest.fixture(autouse=True)
def _start_and_end_without_engines() -> Iterator[None]:
    engines.close_all()
    Counted.opened = 0
    yield
    engines.close_all()


class Use:
    """A computation that ends when it is told to, at once unless `waits`; `result` is its engine."""

    def __init__(self, *, waits: bool = False) -> None:
        self.unwanted = threading.Event()
        self.started = threading.Event()
        self.ending = threading.Event()
        self.result: Future[Counted] = Future()
        if not waits:
            self.ending.set()

    def run(self, opened: Callable[[], Counted]) -> None:
        try:
            engine = opened()
            self.started.set()
            assert self.ending.wait(10)
            self.result.set_result(engine)
        except OSError as error:
            self.result.set_exception(error)


def used(key: str = "model", open_engine: Callable[[], Counted] = Counted) -> Counted:
    use = Use()
    engines.compute(key, open_engine, use)
    return use.result.result(10)


def in_use(key: str = "model") -> Use:
    """A computation under way."""
    use = Use(waits=True)
    engines.compute(key, Counted, use)
    assert use.started.wait(10)
    return use


def test_an_engine_is_opened_at_first_use_and_stays_open() -> None:
    first = used()
    assert used() is first
    assert first.closed == 0
    assert used("another") is not first


def test_threads_that_come_together_open_one_engine_and_use_it_one_after_the_other() -> None:
    together, busy, most = threading.Barrier(16), threading.Lock(), []

    class Alone(Use):
        def run(self, opened: Callable[[], Counted]) -> None:
            most.append(busy.acquire(blocking=False))
            super().run(opened)
            busy.release()

    def use(_: int) -> Counted:
        computation = Alone()
        together.wait()
        engines.compute("model", Counted, computation)
        return computation.result.result(10)

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(use, range(16)))) == 1
    assert Counted.opened == 1
    assert most == [True] * 16


def test_a_busy_engine_does_not_hold_up_another() -> None:
    busy = in_use("slow")
    used("quick")
    assert not busy.result.done()
    busy.ending.set()


def test_an_opening_that_fails_is_tried_again() -> None:
    failing = [OSError("no such file"), OSError("no such file")]

    def sometimes() -> Counted:
        if failing:
            raise failing.pop()
        return Counted()

    for _ in range(2):
        with pytest.raises(OSError, match="no such file"):
            used(open_engine=sometimes)
    assert used(open_engine=sometimes).closed == 0


def test_the_last_keeper_that_lets_go_closes_the_engine_and_the_next_use_opens_another() -> None:
    one, other = Client(), Client()
    for client in (one, other):
        engines.keep("model", client)
    engine = used()
    engines.release(one)
    assert engine.closed == 0
    engines.release(other)
    engines.release(other)
    assert engine.closed == 1
    assert used() is not engine


def test_a_keeper_lets_go_only_of_what_it_kept() -> None:
    client = Client()
    engines.keep("model", client)
    other = used("another")
    engines.release(client)
    assert other.closed == 0


def test_a_client_that_is_dropped_closes_nothing_and_keeps_nothing() -> None:
    dropped, client = Client(), Client()
    engines.keep("model", dropped)
    engines.keep("model", client)
    engine = used()
    del dropped
    gc.collect()
    assert engine.closed == 0
    engines.release(client)
    assert engine.closed == 1


def test_an_engine_at_work_is_closed_when_it_is_done() -> None:
    client = Client()
    engines.keep("model", client)
    use = in_use()
    engines.release(client)
    another = used()
    use.ending.set()
    engine = use.result.result(10)
    assert another is not engine
    engines.close_all()
    wait_for(lambda: engine.closed == 1)
    assert another.closed == 1


def test_letting_go_waits_for_a_computation_that_nobody_waits_for() -> None:
    client = Client()
    engines.keep("model", client)
    use = in_use()
    use.unwanted.set()
    with ThreadPoolExecutor(1) as threads:
        letting_go = threads.submit(engines.release, client)
        with pytest.raises(TimeoutError):
            letting_go.result(0.1)
        use.ending.set()
        letting_go.result(10)
    assert use.result.result(0).closed == 1


def test_closing_all_tells_every_computation_to_stop_and_leaves_no_thread() -> None:
    idle, busy, waiting = used("idle"), in_use("busy"), Use()
    engines.compute("busy", Counted, waiting)
    with ThreadPoolExecutor(1) as threads:
        closing = threads.submit(engines.close_all)
        assert busy.unwanted.wait(10)
        busy.ending.set()
        closing.result(10)
    assert waiting.unwanted.is_set()
    assert idle.closed == busy.result.result(0).closed == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("firellava engine")]
