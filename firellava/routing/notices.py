"""Log lines about fallbacks: one when a backend stops answering, one when it answers again.

The state is the process's, so that a thousand calls during an outage leave two lines and not a thousand.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from firellava.errors import InvalidRequest

if TYPE_CHECKING:
    from firellava.routing.events import Deliver

__all__ = ["forget", "notice"]

_logger = logging.getLogger("firellava")
# Without a handler of the application's, Python would print warnings of ours to standard error.
_logger.addHandler(logging.NullHandler())
_lock = threading.Lock()
_replaced: set[str] = set()


def notice(deliver: Deliver) -> None:
    """Log what this reply changes about who answers.

    A backend that was passed over because it cannot do what was asked is in order, and no news.
    """
    answering, turn = deliver.backend.label, deliver.attempts[-1].turn
    failed = {
        attempt.backend: attempt
        for attempt in deliver.attempts
        if attempt.turn != turn and not isinstance(attempt.error, InvalidRequest)
    }
    with _lock:
        news = [attempt for label, attempt in failed.items() if label not in _replaced]
        _replaced.update(attempt.backend for attempt in news)
        back = answering in _replaced
        _replaced.discard(answering)
    for attempt in news:
        _logger.warning("%s answers instead of %s (%s)", answering, attempt.backend, attempt.reason)
    if back:
        _logger.info("%s answers again", answering)


def forget() -> None:
    """Start without a past, as a forked child does."""
    global _lock  # noqa: PLW0603 - one per process is the point
    _lock = threading.Lock()
    _replaced.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
