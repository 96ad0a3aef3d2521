"""What a caption cache must do, and the one in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from firellava.settings import checked_count

if TYPE_CHECKING:
    from firellava.captions.caption import Caption

__all__ = ["CaptionCache", "MemoryCaptionCache"]


class CaptionCache(Protocol):
    """Keeps captions by key; a `Captioner` knows which may be kept.

    Both methods are called from several threads at once, never on an event loop. What `get` raises ends the
    run, before anything is paid again; what `put` raises is logged, and the caption is handed over.
    """

    def get(self, key: str, /) -> Caption | None:
        """The caption kept under a key, or None."""

    def put(self, key: str, caption: Caption, /) -> None:
        """Keep a caption, in the place of one that was there."""


class MemoryCaptionCache:
    """Captions in memory, those used last. Threads may share it; a pickled copy goes its own way.

    Args:
        max_captions: how many are kept; None keeps all.
    """

    def __init__(self, max_captions: int | None = 10_000) -> None:
        self._max = checked_count("max_captions", max_captions)
        self._kept: OrderedDict[str, Caption] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, /) -> Caption | None:
        """The caption kept under a key, or None."""
        with self._lock:
            caption = self._kept.get(key)
            if caption is not None:
                self._kept.move_to_end(key)
            return caption

    def put(self, key: str, caption: Caption, /) -> None:
        """Keep a caption."""
        with self._lock:
            self._kept[key] = caption
            self._kept.move_to_end(key)
            if self._max is not None and len(self._kept) > self._max:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"MemoryCaptionCache({len(self)} captions)"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: everything but the lock."""
        with self._lock:
            return {"_max": self._max, "_kept": self._kept.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())
