"""Where an `ImageCaptioner` keeps captions: what users name for it, as the core's `CaptionCache`."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.storage.kvstore.types import BaseKVStore

from firellava.captions import Caption, DiskCaptionCache
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from firellava.captions import CaptionCache

__all__ = ["KVStoreCaptionCache", "caption_cache"]

_COLLECTION: Final = "firellava_captions"


class KVStoreCaptionCache:
    """Captions in one of LlamaIndex's key-value stores, in a collection of their own.

    Threads may share it; the store sees one of them at a time.

    Args:
        store: the store. It stays the user's to persist and to close.
        collection: the collection's name.
    """

    def __init__(self, store: BaseKVStore, collection: str = _COLLECTION) -> None:
        self._store = store
        self._collection = collection
        self._lock = threading.Lock()

    def get(self, key: str, /) -> Caption | None:
        """The caption kept under a key, or None.

        Raises:
            ConfigurationError: something else is kept there.
        """
        with self._lock:
            stored = self._store.get(key, collection=self._collection)
        return None if stored is None else Caption.from_dict(stored)

    def put(self, key: str, caption: Caption, /) -> None:
        """Keep a caption."""
        with self._lock:
            self._store.put(key, caption.as_dict(), collection=self._collection)

    def __repr__(self) -> str:
        return f"KVStoreCaptionCache({type(self._store).__name__}, collection={self._collection!r})"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: everything but the lock."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def caption_cache(given: Any) -> CaptionCache | None:  # noqa: ANN401 - whatever the user gave
    """A ``cache=`` setting: a path is that of a file, a key-value store is wrapped, None is no cache.

    Raises:
        ConfigurationError: it can keep no captions.
    """
    if isinstance(given, str | os.PathLike):
        return DiskCaptionCache(given)
    if isinstance(given, BaseKVStore):
        return KVStoreCaptionCache(given)
    if given is None or (hasattr(given, "get") and hasattr(given, "put")):
        cache: CaptionCache | None = given
        return cache
    raise ConfigurationError(
        f"cache= takes a path, a LlamaIndex key-value store or a caption cache, not a {type(given).__name__}."
    )
