"""Heavy engines, opened at first use and shared by the whole process.

An engine is a model in memory. It is opened once for each configuration, by the first computation that needs
it, and stays open for those that follow. It lives on a thread of its own, which opens it, does one
computation after the other and closes it. (Threads that came and went with every question would make torch
start helper threads each time, and one that ends while the process is forked leaves the child with a lock in
MKL that nobody opens.) Three things keep count:

- every computation holds a lease from `compute` on until it is done; an engine is never closed before that;
- every client says which engines it wants kept (`keep`), and lets go of them when it is closed (`release`);
  the engine that the last such client let go of is closed;
- at interpreter exit everything is closed (`close_all`): native threads that outlive it crash the process.

A client that is dropped without being closed closes nothing, since the next one will want the same engine. A
forked child has none of the threads of its parent's engines, so it leaves them alone and opens its own.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

__all__ = ["Computation", "Engine", "close_all", "compute", "keep", "release"]

_PATIENCE: Final = 10.0
"""Seconds for which a close waits for computations that were told to stop. They stop at their next token."""


class Engine(ABC):
    """A model in memory, ready to compute."""

    @abstractmethod
    def close(self) -> None:
        """Give back memory and threads. It is called once, when nothing is left to compute."""


class Computation(Protocol):
    """What an engine is leased for.

    Attributes:
        unwanted: set by whoever no longer waits for it, and by `close_all`.
    """

    unwanted: threading.Event

    def run(self, opened: Callable[[], Any]) -> None:
        """Compute, on the engine's thread, with the engine that `opened` gives. It may raise nothing."""


class _Host:
    """The thread of one engine."""

    def __init__(self, registry: _Registry, open_engine: Callable[[], Engine], name: str) -> None:
        self.leases: set[Computation] = set()
        self.has_closed = False
        self._registry = registry
        self._open_engine = open_engine
        self._queue: queue.SimpleQueue[Computation | None] = queue.SimpleQueue()
        # A daemon, because a thread that is not one is waited for before `close_all` could tell it to stop.
        self._thread = threading.Thread(target=self._work, name=f"firellava {name}", daemon=True)
        self._thread.start()

    def take(self, computation: Computation) -> None:
        self.leases.add(computation)
        self._queue.put(computation)

    def retire(self) -> None:
        """Close the engine once what was taken is computed."""
        self._queue.put(None)

    @property
    def is_needed(self) -> bool:
        return any(not computation.unwanted.is_set() for computation in self.leases)

    def join(self) -> None:
        if self.has_closed:
            self._thread.join()

    def _work(self) -> None:
        engine: Engine | None = None

        def opened() -> Engine:
            nonlocal engine
            if engine is None:
                engine = self._open_engine()
            return engine

        while (computation := self._queue.get()) is not None:
            computation.run(opened)
            with self._registry.changed:
                self.leases.remove(computation)
                self._registry.changed.notify_all()
            del computation  # it holds images, and the next one may be long in coming
        if engine is not None:
            engine.close()
        with self._registry.changed:
            self.has_closed = True
            self._registry.changed.notify_all()


class _Registry:
    """All engines of one process; `changed` guards everything in it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.hosts: dict[Hashable, _Host] = {}
        self.keepers: defaultdict[Hashable, WeakSet[object]] = defaultdict(WeakSet)


_registry = _Registry()


def compute(
    key: Hashable, open_engine: Callable[[], Engine], computation: Computation, *, name: str = "engine"
) -> None:
    """Have something computed, after everything that the same engine was given before.

    Args:
        key: the configuration; equal keys share one engine.
        open_engine: opens it, if it is not open. What it raises is raised in the computation.
        computation: what to do.
        name: for the engine's thread.
    """
    registry = _registry
    with registry.changed:
        host = registry.hosts.get(key)
        if host is None:
            host = registry.hosts[key] = _Host(registry, open_engine, name)
        host.take(computation)


def keep(key: Hashable, keeper: object) -> None:
    """Have the engine for `key` kept open until `keeper` is released. It is not opened by this."""
    with _registry.changed:
        _registry.keepers[key].add(keeper)


def release(keeper: object) -> None:
    """Let go of every engine `keeper` wanted kept; those that nobody else wants kept are closed.

    An engine that still computes for someone is closed when it is done. Computations that nobody waits for
    any longer are waited for here, so that nothing is left running afterwards.
    """
    registry = _registry
    with registry.changed:
        let_go = [key for key, keepers in registry.keepers.items() if keeper in keepers]
        for key in let_go:
            registry.keepers[key].discard(keeper)
        _retire(registry, [key for key in let_go if not registry.keepers[key]])


def close_all() -> None:
    """Stop every computation and close every engine. Whoever needs one afterwards opens it again."""
    registry = _registry
    with registry.changed:
        for host in registry.hosts.values():
            for computation in host.leases:
                computation.unwanted.set()
        _retire(registry, list(registry.hosts))


def _retire(registry: _Registry, keys: Iterable[Hashable]) -> None:
    """Close the engines for these keys, and wait for those that nobody needs. `changed` is held."""
    hosts = []
    for key in keys:
        registry.keepers.pop(key, None)
        if (host := registry.hosts.pop(key, None)) is not None:
            host.retire()
            hosts.append(host)
    registry.changed.wait_for(lambda: all(host.has_closed or host.is_needed for host in hosts), _PATIENCE)
    for host in hosts:
        host.join()


def _leave_to_parent() -> None:
    """In a forked child: engines whose threads are gone can be neither used nor closed."""
    global _registry  # noqa: PLW0603 - one per process is the point
    _registry = _Registry()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
