"""Heavy engines, opened at first use and shared by the whole process.

An engine is a model in memory, with threads of its own. It is opened once for each configuration, by the
first computation that needs it, and stays open for those that follow. Three things keep count:

- every computation holds a `lease` for as long as it runs; an engine is never closed under it;
- every client says which engines it wants kept (`keep`), and lets go of them when it is closed (`release`);
  the engine that the last such client let go of is closed;
- at interpreter exit everything is closed (`close_all`): native threads that outlive it crash the process.

A client that is dropped without being closed closes nothing, since the next one will want the same engine. A
forked child has none of the threads of its parent's engines, so it leaves them alone and opens its own.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar, cast
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["Engine", "close_all", "keep", "lease", "release"]

_PATIENCE: Final = 10.0
"""Seconds for which a close waits for computations that were told to stop. They stop at their next token."""


class Engine(ABC):
    """What is leased.

    Attributes:
        turn: held by the one computation that is at work; the others wait for it.
    """

    def __init__(self) -> None:
        self.turn = threading.Lock()

    @abstractmethod
    def close(self) -> None:
        """Give back memory and threads. It is called once, when nobody holds a lease."""


_Opened = TypeVar("_Opened", bound=Engine)


class _Entry:
    """One configuration, whether its engine is open yet or not."""

    def __init__(self) -> None:
        self.opening = threading.Lock()
        self.engine: Engine | None = None
        self.leases: set[threading.Event] = set()

    def close(self) -> None:
        engine, self.engine = self.engine, None
        if engine is not None:
            engine.close()


class _Registry:
    """All engines of one process; `changed` guards everything but what an entry's `opening` guards."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.entries: dict[Hashable, _Entry] = {}
        self.keepers: defaultdict[Hashable, WeakSet[object]] = defaultdict(WeakSet)


_registry = _Registry()


@contextmanager
def lease(key: Hashable, open_engine: Callable[[], _Opened], unwanted: threading.Event) -> Iterator[_Opened]:
    """The engine for `key`, opened now if it is not open, and kept open inside the ``with`` block.

    Threads that ask for an engine in the opening wait for it. Whatever `open_engine` raises is raised here.

    Args:
        key: the configuration; equal keys share one engine.
        open_engine: opens it.
        unwanted: set by whoever no longer waits for the computation, and by `close_all`.
    """
    registry = _registry
    with registry.changed:
        entry = registry.entries.setdefault(key, _Entry())
        entry.leases.add(unwanted)
    try:
        with entry.opening:
            if entry.engine is None:
                entry.engine = open_engine()
        yield cast("_Opened", entry.engine)
    finally:
        with registry.changed:
            entry.leases.remove(unwanted)
            is_last = not entry.leases and registry.entries.get(key) is not entry
        if is_last:
            entry.close()
        with registry.changed:
            registry.changed.notify_all()


def keep(key: Hashable, keeper: object) -> None:
    """Have the engine for `key` kept open until `keeper` is released. It is not opened by this."""
    with _registry.changed:
        _registry.keepers[key].add(keeper)


def release(keeper: object) -> None:
    """Let go of every engine `keeper` wanted kept; those that nobody else wants kept are closed.

    An engine that is still computing for someone is closed when it is done. Computations that nobody waits
    for any longer are waited for here, so that nothing is left running afterwards.
    """
    registry = _registry
    with registry.changed:
        let_go = [key for key, keepers in registry.keepers.items() if keeper in keepers]
        for key in let_go:
            registry.keepers[key].discard(keeper)
        unkept = [key for key in let_go if not registry.keepers[key]]
    _retire(registry, unkept)


def close_all() -> None:
    """Stop every computation and close every engine. Whoever needs one afterwards opens it again."""
    registry = _registry
    with registry.changed:
        for entry in registry.entries.values():
            for unwanted in entry.leases:
                unwanted.set()
        keys = list(registry.entries)
    _retire(registry, keys)


def _retire(registry: _Registry, keys: list[Hashable]) -> None:
    with registry.changed:
        for key in keys:
            registry.keepers.pop(key, None)
        entries = [entry for key in keys if (entry := registry.entries.pop(key, None)) is not None]
        idle = [entry for entry in entries if not entry.leases]
    for entry in idle:
        entry.close()
    with registry.changed:
        registry.changed.wait_for(lambda: not any(map(_has_abandoned, entries)), _PATIENCE)


def _has_abandoned(entry: _Entry) -> bool:
    return any(unwanted.is_set() for unwanted in entry.leases)


def _leave_to_parent() -> None:
    """In a forked child: engines whose threads are gone can be neither used nor closed."""
    global _registry  # noqa: PLW0603 - one per process is the point
    # One reference too many keeps their destructors, which would wait for those threads, from ever running.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_registry))
    _registry = _Registry()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
