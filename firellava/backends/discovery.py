"""What can answer on this machine without being told."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from firellava.backends.offline_reader import OfflineReader

if TYPE_CHECKING:
    from firellava.backends.base import Backend

__all__ = ["automatic_fallbacks"]


def automatic_fallbacks() -> tuple[Backend, ...]:
    """The backends that ``fallback="auto"`` means: the offline reader, where its extra is installed."""
    installed = find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None
    return (OfflineReader(),) if installed else ()
