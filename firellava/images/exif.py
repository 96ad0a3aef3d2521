"""The EXIF block of an image: finding it, and reading which way is up.

Pillow warns or raises about damaged blocks, and a damaged block must not cost anyone the picture: so the one
tag every image is prepared by is read here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from PIL.Image import Transpose

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIDEWAYS", "TURNS", "find_exif", "read_orientation"]

# EXIF 2.32 (CIPA DC-008), 4.6.4: what to do to the stored pixels so that they stand upright.
TURNS: Final = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""The turn that makes pixels of an orientation stand upright."""

SIDEWAYS: Final = frozenset({5, 6, 7, 8})
"""Orientations whose width and height are exchanged."""

_UPRIGHT: Final = 1
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_PREFIX: Final = b"Exif\x00\x00"
_RAW_PROFILE: Final = "Raw profile type exif"


def find_exif(info: Mapping[str | tuple[int, int], object]) -> bytes | None:
    """The EXIF block among what a decoder found beside the pixels, without its prefix; None where none is."""
    block = info.get("exif")
    if isinstance(block, bytes):
        return block.removeprefix(_PREFIX)
    # ImageMagick before PNG had a chunk for EXIF: a text of a name, a length and hexadecimal digits.
    text = info.get(_RAW_PROFILE)
    if isinstance(text, str):
        try:
            return bytes.fromhex("".join(text.split()[2:])).removeprefix(_PREFIX)
        except ValueError:
            return None
    return None


def read_orientation(exif: bytes | None) -> int:
    """The orientation, 1 to 8. Without a block, or with a damaged one, the picture counts as upright (1)."""
    if exif is None:
        return _UPRIGHT
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return _UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, directory)
        for index in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, directory + 2 + 12 * index)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and value in TURNS else _UPRIGHT
    except struct.error:
        pass
    return _UPRIGHT
