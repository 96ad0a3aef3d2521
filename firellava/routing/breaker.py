"""The circuit breaker: after several failures in a row a backend is left alone for a while.

A pure state machine; every call carries the time. It has three states. *Closed*: everyone may ask. *Open*:
no one may, until a time that grows with each failed probe. *Half-open*: one caller at a time may probe; its
success closes the circuit, its failure opens it again.

Whoever asks holds a `Permit` and reports how it went. Reports about an earlier state change nothing, and a
probe whose holder never reports stops counting after a while. The lock is held for a few instructions, never
while anyone waits for a network; threads and event loops share one breaker.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from firellava.backends.base import Backend

__all__ = ["Breaker", "Permit", "breaker_of"]

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask the backend once. `era` tells which state it was given in."""

    era: int
    probe: bool


class Breaker:
    """Decides whether a backend may be asked.

    Args:
        threshold: failures in a row that open the circuit.
        first_pause: seconds it stays open, doubled after each failed probe.
        longest_pause: seconds.
        probe_expiry: seconds after which a probe that was never reported makes room for another.
    """

    def __init__(
        self,
        threshold: int = 5,
        first_pause: float = 15.0,
        longest_pause: float = 300.0,
        probe_expiry: float = 120.0,
    ) -> None:
        self._threshold = threshold
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._probe_expiry = probe_expiry
        # Re-entrant: the garbage collector may end an abandoned stream at any allocation, and that reports
        # here.
        self._lock = threading.RLock()
        self._era = 0
        self._failures = 0
        self._pause = first_pause
        self._open_until: float | None = None
        self._probe_until: float | None = None

    def state(self, now: float) -> State:
        """The state at this time."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if now < self._open_until else "half-open"

    def permit(self, now: float) -> Permit | None:
        """Leave to ask now, or None."""
        with self._lock:
            if self._open_until is None:
                return Permit(self._era, probe=False)
            if now < self._open_until or (self._probe_until is not None and now < self._probe_until):
                return None
            self._era += 1
            self._probe_until = now + self._probe_expiry
            return Permit(self._era, probe=True)

    def succeeded(self, permit: Permit) -> None:
        """The backend answered: failures are forgotten, a probe closes the circuit."""
        with self._lock:
            if permit.era != self._era:
                return
            self._failures = 0
            if permit.probe:
                self._era += 1
                self._open_until = self._probe_until = None
                self._pause = self._first_pause

    def failed(self, permit: Permit, now: float, retry_after: float | None = None) -> None:
        """The backend failed.

        Args:
            permit: what this is the report of.
            now: the time.
            retry_after: seconds for which the server asked to be left alone.
        """
        with self._lock:
            if permit.era != self._era:
                return
            self._failures += 1
            if permit.probe:
                self._pause = min(self._pause * 2, self._longest_pause)
            elif self._failures < self._threshold:
                return
            self._era += 1
            self._failures = 0
            self._probe_until = None
            self._open_until = now + max(self._pause, retry_after or 0.0)

    def ignored(self, permit: Permit) -> None:
        """Nothing was learnt about the backend; another may probe."""
        with self._lock:
            if permit.probe and permit.era == self._era:
                self._probe_until = None


@lru_cache(maxsize=1024)
def breaker_of(backend: Backend) -> Breaker:
    """The one breaker of a backend in this process, shared by all that ask it, sync and async."""
    del backend  # it is the key of the cache
    return Breaker()


if hasattr(os, "register_at_fork"):
    # A lock may have been held when the process forked.
    os.register_at_fork(after_in_child=breaker_of.cache_clear)
