"""The blocks of a GIF file: its first picture, and how large that is, before anything is allocated for it.

A GIF is a screen, then extensions and pictures (GIF89a specification). A picture may lie outside the screen,
which decoders then enlarge, and be cleared afterwards, for which they take memory at once. So its place is
read first, and the decoder sees no second one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["GifPicture", "first_gif_picture"]

_HEADER: Final = 13
_DESCRIPTOR: Final = 10
_EXTENSION, _PICTURE, _TRAILER = b"!", b",", b";"
_HAS_COLOURS: Final = 0x80


@dataclass(frozen=True, slots=True)
class GifPicture:
    """The first picture of a GIF file.

    Attributes:
        data: a file that ends with it.
        size: width and height of the screen, enlarged to hold it.
        several: whether more pictures follow.
    """

    data: bytes
    size: tuple[int, int]
    several: bool


def first_gif_picture(data: bytes) -> GifPicture:
    """Find the first picture. What is damaged stays as it is, for the decoder to judge.

    Raises:
        ValueError: there is no picture.
    """
    place = _next_picture(data, _HEADER + _colour_bytes(data, 10))
    if place is None or place + _DESCRIPTOR > len(data):
        raise ValueError("no picture")
    screen = struct.unpack_from("<HH", data, 6)
    left, top, width, height = struct.unpack_from("<HHHH", data, place + 1)
    size = max(screen[0], left + width), max(screen[1], top + height)
    pixels = place + _DESCRIPTOR + _colour_bytes(data, place + 9)
    end = _skip_blocks(data, pixels + 1)
    following = _next_picture(data, end)
    return GifPicture(data if following is None else data[:end] + _TRAILER, size, following is not None)


def _next_picture(data: bytes, position: int) -> int | None:
    """Where the next picture starts, extensions being skipped."""
    while position < len(data):
        block = data[position : position + 1]
        if block == _PICTURE:
            return position
        if block == _TRAILER:
            return None
        # Stray bytes between blocks are no reason to give up; decoders skip them too.
        position = _skip_blocks(data, position + 2) if block == _EXTENSION else position + 1
    return None


def _skip_blocks(data: bytes, position: int) -> int:
    """The place behind a row of blocks, each a length and as many bytes, that ends with a length of 0."""
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return min(position + 1, len(data))


def _colour_bytes(data: bytes, flags_at: int) -> int:
    """The length of the colour table that a byte of flags announces."""
    if len(data) <= flags_at or not data[flags_at] & _HAS_COLOURS:
        return 0
    return 3 << (data[flags_at] & 7) + 1
