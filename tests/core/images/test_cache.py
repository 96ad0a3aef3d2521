import os
import threading
import time

import pytest

from firellava.images import ImageSource
from firellava.images.cache import BoundedCache
from firellava.images.prepare import prepare_uncached
from firellava.models import ImageTarget
from tests.core.images.samples import corners


class Maker:
    """Makes values of so many bytes and counts them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.made = 0

    def __call__(self) -> bytes:
        self.made += 1
        return bytes(self.size)


def test_a_value_is_made_once() -> None:
    cache = BoundedCache[bytes](100, len)
    make = Maker(5)
    for _ in range(3):
        assert cache.get("key", make) == bytes(5)
    assert make.made == 1


def test_values_used_longest_ago_are_dropped_first() -> None:
    cache = BoundedCache[bytes](30, len)
    for key in ("a", "b", "c"):
        cache.get(key, lambda: bytes(10))
    cache.get("a", pytest.fail)
    cache.get("d", lambda: bytes(10))
    cache.get("a", pytest.fail)
    cache.get("c", pytest.fail)
    make = Maker(10)
    cache.get("b", make)
    assert make.made == 1


def test_a_value_over_the_bound_is_not_kept_and_drops_nothing() -> None:
    cache = BoundedCache[bytes](30, len)
    cache.get("small", lambda: bytes(10))
    assert len(cache.get("large", lambda: bytes(31))) == 31
    cache.get("small", pytest.fail)
    make = Maker(31)
    cache.get("large", make)
    assert make.made == 1


def test_an_error_is_raised_and_not_remembered() -> None:
    cache = BoundedCache[bytes](100, len)

    def fail() -> bytes:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        cache.get("key", fail)
    assert cache.get("key", lambda: b"value") == b"value"


def test_threads_that_want_one_value_wait_for_the_first() -> None:
    cache = BoundedCache[bytes](100, len)
    started, may_end = threading.Event(), threading.Event()
    made, found = [], []

    def make() -> bytes:
        made.append(1)
        started.set()
        assert may_end.wait(10)
        return b"value"

    threads = [threading.Thread(target=lambda: found.append(cache.get("key", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    assert cache.get("other", lambda: b"free") == b"free"
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert made == [1]
    assert found == [b"value"] * 8


def test_a_waiting_thread_tries_itself_when_the_first_fails() -> None:
    cache = BoundedCache[bytes](100, len)
    started, may_end = threading.Event(), threading.Event()
    errors: list[Exception] = []

    def fail() -> bytes:
        started.set()
        assert may_end.wait(10)
        raise ValueError("damaged")

    def first() -> None:
        try:
            cache.get("key", fail)
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(10)
    threading.Timer(0.05, may_end.set).start()
    assert cache.get("key", lambda: b"value") == b"value"
    thread.join(10)
    assert len(errors) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_does_not_wait_for_threads_it_does_not_have() -> None:
    cache = BoundedCache[bytes](100, len)
    started, may_end = threading.Event(), threading.Event()

    def make() -> bytes:
        started.set()
        assert may_end.wait(10)
        return b"parent"

    thread = threading.Thread(target=lambda: cache.get("key", make))
    thread.start()
    assert started.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if cache.get("key", lambda: b"child") == b"child" else 1)
    status = exit_status(child)
    may_end.set()
    thread.join(10)
    assert status == 0


def exit_status(child: int) -> int | None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return status
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


def test_many_threads_prepare_shared_pictures_alike() -> None:
    modes = ("RGB", "L", "P", "RGBA", "CMYK", "1")
    sources = [ImageSource.from_pil(corners((400, 300)).convert(mode)) for mode in modes]
    target = ImageTarget(fit="letterbox", side=100)
    expected = [prepare_uncached(source, target, ("JPEG", "PNG")).data for source in sources]
    wrong: list[int] = []

    def work(offset: int) -> None:
        for step in range(12):
            number = (step + offset) % 6
            if prepare_uncached(sources[number], target, ("JPEG", "PNG")).data != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
