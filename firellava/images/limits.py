"""How much of an image is read and decoded at most, whatever model it is for.

These bound the memory and time one image can take in this process; what a server accepts stands in the
model cards. Pillow's own global limits are neither relied on nor changed.
"""

from __future__ import annotations

from typing import Final

from firellava.errors import ImageTooLarge

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "MAX_SCALED_PIXELS",
    "check_byte_count",
    "check_pixel_count",
]

MAX_BYTES: Final = 100_000_000
"""Bytes of an encoded image: above every photograph, below what hurts a process."""

MAX_PIXELS: Final = 80_000_000
"""Pixels that are decoded. An A3 page at 600 dpi has 70 million; four bytes each, held twice, are 640 MB."""

MAX_SCALED_PIXELS: Final = 200_000_000
"""Pixels of a JPEG whose decoder scales down as it reads, as the largest phone cameras make them."""

_REMEDY: Final = "Scale it down first."


def check_byte_count(count: int, name: str) -> None:
    """Raise where an encoded image has more than `MAX_BYTES` bytes.

    Raises:
        ImageTooLarge: it has.
    """
    if count > MAX_BYTES:
        raise ImageTooLarge(f"{name} has {count:,} bytes; at most {MAX_BYTES:,} are read. {_REMEDY}")


def check_pixel_count(size: tuple[int, int], name: str, limit: int = MAX_PIXELS) -> None:
    """Raise where an image has more than `limit` pixels.

    Raises:
        ImageTooLarge: it has.
    """
    width, height = size
    if width * height > limit:
        raise ImageTooLarge(
            f"{name} has {width:,} x {height:,} pixels, {width * height:,} together; "
            f"at most {limit:,} are decoded. {_REMEDY}"
        )
