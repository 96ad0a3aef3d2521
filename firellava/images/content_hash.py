"""What names an image by its content, wherever it is stored, sent or told of: ``sha256-`` and 64 digits."""

from __future__ import annotations

import hashlib

__all__ = ["content_hash"]


def content_hash(data: bytes) -> str:
    """The name of an encoded image, the same for the same bytes."""
    return f"sha256-{hashlib.sha256(data).hexdigest()}"
