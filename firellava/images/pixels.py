"""Pillow images a developer hands in: a copy that stands upright and carries no metadata, and its hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from firellava.errors import UnreadableImage
from firellava.images.exif import TURNS
from firellava.images.limits import check_pixel_count

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["hash_pixels", "upright_copy"]

_ORIENTATION: Final = 0x0112

# What pixels mean depends on these; everything else in ``info`` is metadata.
_MEANING: Final = ("icc_profile", "transparency")


def upright_copy(image: Image.Image, name: str) -> Image.Image:
    """The frame an image stands at, turned upright, without metadata.

    Args:
        image: in any mode, decoded or not.
        name: what messages call it.

    Raises:
        UnreadableImage: it was opened from a file that does not decode.
        ImageTooLarge: more pixels than are decoded.
    """
    check_pixel_count(image.size, name)
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - Pillow raises anything on damaged EXIF, and the pixels are fine
        orientation = 1
    turn = TURNS.get(orientation)
    try:
        pixels = image.copy() if turn is None else image.transpose(turn)
    except Exception as error:
        raise UnreadableImage("The Pillow image does not decode: its file is damaged or closed.") from error
    pixels.info = {key: pixels.info[key] for key in _MEANING if key in pixels.info}
    return pixels


def hash_pixels(image: Image.Image) -> str:
    """SHA-256 of mode, size, pixels and what they mean, in hexadecimal."""
    header = (image.mode, image.size, image.getpalette("RGBA") if image.mode in ("P", "PA") else None)
    meaning = tuple(image.info.get(key) for key in _MEANING)
    return hashlib.sha256(repr((header, meaning)).encode() + image.tobytes()).hexdigest()
