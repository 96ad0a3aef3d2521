"""A bounded memory of prepared images, so that the same picture is prepared once and not once per call."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["BoundedCache"]

_Value = TypeVar("_Value")


class BoundedCache(Generic[_Value]):
    """Keeps the values used last, up to a number of bytes. Safe to share between threads.

    The lock is never held while a value is made. Threads that ask for a value in the making wait for it.

    Args:
        max_bytes: bytes of all values together; a larger value is made but not kept.
        weigh: how many bytes a value counts as.
    """

    def __init__(self, max_bytes: int, weigh: Callable[[_Value], int]) -> None:
        self.max_bytes: Final = max_bytes
        self._weigh = weigh
        self.clear()
        if hasattr(os, "register_at_fork"):
            # A child process has none of the threads that were making values, and perhaps a locked lock.
            os.register_at_fork(after_in_child=self.clear)

    def clear(self) -> None:
        """Forget everything."""
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Value] = OrderedDict()
        self._in_the_making: dict[Hashable, threading.Event] = {}
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value for `key`, made now unless it is kept or another thread is making it.

        Whatever `make` raises is raised here; a waiting thread then tries for itself.
        """
        while True:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
                made = self._in_the_making.get(key)
                if made is None:
                    self._in_the_making[key] = made = threading.Event()
                    break
            made.wait()
        try:
            value = make()
            self._keep(key, value)
        finally:
            with self._lock:
                self._in_the_making.pop(key, None)
            made.set()
        return value

    def _keep(self, key: Hashable, value: _Value) -> None:
        weight = self._weigh(value)
        if weight > self.max_bytes:
            return
        with self._lock:
            self._kept[key] = value
            self._bytes += weight
            while self._bytes > self.max_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= self._weigh(dropped)
