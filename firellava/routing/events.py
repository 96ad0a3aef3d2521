"""What passes between the routing policy and its drivers: actions one way, events the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from firellava.backends.base import Backend
    from firellava.errors import FireLLaVAError
    from firellava.replies import Attempt, Reply, Usage

__all__ = [
    "AUTOMATIC",
    "Action",
    "Automatic",
    "Deliver",
    "Discover",
    "Discovered",
    "Ended",
    "Event",
    "Failed",
    "Open",
    "Opened",
    "Outcome",
    "Sleep",
    "Woke",
]

Outcome = Literal["answered", "broken", "abandoned"]
"""How a reply ended: delivered to its end, broken half-way, or no longer wanted."""


@dataclass(frozen=True, slots=True)
class Automatic:
    """In the place of a backend: whatever this machine has."""


AUTOMATIC = Automatic()
"""What ``fallback="auto"`` stands for."""


@dataclass(frozen=True, slots=True)
class Open:
    """Ask this backend; its first piece must be there after `seconds`, and everything at `end_by`."""

    backend: Backend
    seconds: float | None
    end_by: float | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass the reply on. The last of the attempts is the one that answers."""

    backend: Backend
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Discover:
    """Look for what this machine has; it may take `seconds`."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Discovered:
    """These were found."""

    at: float
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """The backend's first piece is there."""

    at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The backend did not get as far as a first piece."""

    at: float
    error: FireLLaVAError


@dataclass(frozen=True, slots=True)
class Woke:
    """The wait is over."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The reply is over: all of it delivered, broken half-way, or no longer wanted.

    `usage` is the last count that came; `reply` is there when all of it was delivered, `error` when it broke.
    """

    at: float
    outcome: Outcome
    usage: Usage | None = None
    reply: Reply | None = None
    error: FireLLaVAError | None = None


Action = Open | Sleep | Discover | Deliver
Event = Opened | Failed | Woke | Discovered | Ended
