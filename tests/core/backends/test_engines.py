"""Engines are opened once, shared, never closed under a computation, and closed when nobody wants them."""

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from firellava.backends import engines


class Counted(engines.Engine):
    """An engine that knows whether it was opened and closed."""

    opened = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).opened += 1
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Client:
    """Someone who wants engines kept."""


@pytest.fixture(autouse=True)
def _start_and_end_without_engines() -> Iterator[None]:
    engines.close_all()
    Counted.opened = 0
    yield
    engines.close_all()


def leased(key: str = "model") -> Counted:
    with engines.lease(key, Counted, threading.Event()) as engine:
        return engine


def test_an_engine_is_opened_at_first_use_and_stays_open() -> None:
    first = leased()
    assert leased() is first
    assert first.closed == 0
    assert leased("another") is not first


def test_threads_that_come_together_open_one_engine() -> None:
    together = threading.Barrier(16)

    def use(_: int) -> Counted:
        together.wait()
        return leased()

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(use, range(16)))) == 1
    assert Counted.opened == 1


def test_a_slow_opening_does_not_hold_up_other_engines() -> None:
    opening, go_on = threading.Event(), threading.Event()

    def slowly() -> Counted:
        opening.set()
        go_on.wait(10)
        return Counted()

    def use_slow() -> None:
        with engines.lease("slow", slowly, threading.Event()):
            pass

    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(use_slow)
        opening.wait(10)
        leased("quick")
        assert not done.done()
        go_on.set()


def test_an_opening_that_fails_is_tried_again() -> None:
    def fail() -> Counted:
        raise OSError("no such file")

    for _ in range(2):
        with pytest.raises(OSError, match="no such file"), engines.lease("model", fail, threading.Event()):
            pass
    assert leased().closed == 0


def test_the_last_keeper_that_lets_go_closes_the_engine_and_the_next_use_opens_another() -> None:
    one, other = Client(), Client()
    for client in (one, other):
        engines.keep("model", client)
    engine = leased()
    engines.release(one)
    assert engine.closed == 0
    engines.release(other)
    engines.release(other)
    assert engine.closed == 1
    assert leased() is not engine


def test_a_keeper_lets_go_only_of_what_it_kept() -> None:
    client = Client()
    engines.keep("model", client)
    other = leased("another")
    engines.release(client)
    assert other.closed == 0


def test_a_client_that_is_dropped_closes_nothing_and_keeps_nothing() -> None:
    dropped, client = Client(), Client()
    engines.keep("model", dropped)
    engines.keep("model", client)
    engine = leased()
    del dropped
    gc.collect()
    assert engine.closed == 0
    engines.release(client)
    assert engine.closed == 1


def test_an_engine_at_work_is_closed_when_it_is_done() -> None:
    client = Client()
    engines.keep("model", client)
    with engines.lease("model", Counted, threading.Event()) as engine:
        engines.release(client)
        assert engine.closed == 0
        assert leased() is not engine
        assert engine.closed == 0
    assert engine.closed == 1


def test_letting_go_waits_for_a_computation_that_nobody_waits_for() -> None:
    client, abandoned, ending = Client(), threading.Event(), threading.Event()
    engines.keep("model", client)
    started = threading.Event()

    def compute() -> Counted:
        with engines.lease("model", Counted, abandoned) as engine:
            started.set()
            ending.wait(10)
            return engine

    with ThreadPoolExecutor(2) as threads:
        computation = threads.submit(compute)
        started.wait(10)
        abandoned.set()
        letting_go = threads.submit(engines.release, client)
        with pytest.raises(TimeoutError):
            letting_go.result(0.1)
        ending.set()
        letting_go.result(10)
    assert computation.result().closed == 1


def test_closing_all_tells_every_computation_to_stop_and_closes_every_engine() -> None:
    idle, unwanted = leased("idle"), threading.Event()
    started = threading.Event()

    def compute() -> Counted:
        with engines.lease("busy", Counted, unwanted) as engine:
            started.set()
            assert unwanted.wait(10)
            return engine

    with ThreadPoolExecutor(1) as threads:
        computation = threads.submit(compute)
        started.wait(10)
        engines.close_all()
        assert idle.closed == 1
        assert computation.result().closed == 1
