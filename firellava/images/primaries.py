"""Colours that are told by number instead of by a profile, as in HEIF and AVIF files.

A ``colr`` box of kind ``nclx`` says which red, green and blue are meant by a number of ITU-T H.273, table 2.
Here these become the ICC profile that says the same, so that everything after works with profiles alone.
"""

from __future__ import annotations

import re
import struct
from typing import Final

__all__ = ["find_primaries", "profile_of_primaries"]

# Red, green and blue in XYZ for white D50, as profiles want them: the chromaticities and the white D65 of
# H.273, table 2, adapted by the Bradford transform of ICC.1:2022, annex E.
_COLOURS: Final = {
    9: ((0.67348, 0.27904, -0.00193), (0.16567, 0.67534, 0.02998), (0.12505, 0.04561, 0.79685)),
    12: ((0.51512, 0.24119, -0.00105), (0.29198, 0.69224, 0.04188), (0.15710, 0.06657, 0.78407)),
}
_WHITE: Final = (0.96420, 1.0, 0.82491)
_SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

# ISO/IEC 14496-12, 12.1.5: kind, primaries, transfer, matrix.
_BOX: Final = re.compile(rb"colrnclx(..)", re.DOTALL)


def find_primaries(data: bytes) -> int | None:
    """The number of the primaries the first picture of an ISO file has, or None where none is told."""
    found = _BOX.search(data, 0, _end_of_description(data))
    return int.from_bytes(found[1], "big") if found else None


def profile_of_primaries(primaries: int | None) -> bytes | None:
    """The ICC profile of Display P3 (12) or BT.2020 (9); None for all others, which are taken as sRGB.

    Every picture is taken as coded with sRGB's curve: of a picture for HDR screens that is an approximation.
    """
    colours = _COLOURS.get(primaries or 0)
    if colours is None:
        return None
    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(map(_fixed, _SRGB_CURVE))
    tags = [(b"wtpt", _xyz(_WHITE))]
    for letter, colour in zip((b"r", b"g", b"b"), colours, strict=True):
        tags += [(letter + b"XYZ", _xyz(colour)), (letter + b"TRC", curve)]
    start = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += name + struct.pack(">II", start + len(content), len(value))
        content += value
    body = table + content
    # ICC.1:2022, 7.2: size, version 4, a display's profile from RGB to XYZ, the illuminant.
    header = struct.pack(">I4xI", 128 + len(body), 0x04400000) + b"mntrRGB XYZ ".ljust(24, b"\0") + b"acsp"
    return header.ljust(68, b"\0") + b"".join(map(_fixed, _WHITE)).ljust(60, b"\0") + body


def _end_of_description(data: bytes) -> int:
    """Where pixel data starts, in which anything may stand."""
    found = data.find(b"mdat")
    return len(data) if found < 0 else found


def _xyz(colour: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, colour))


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65_536))
