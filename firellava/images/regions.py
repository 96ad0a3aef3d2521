"""Parts of a picture: as fractions, which hold for every size it may be decoded at, and as boxes of pixels.

Fractions run from 0 at the left and top to 1 at the right and bottom of the upright picture.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from firellava.errors import InvalidRequest

__all__ = ["Box", "Region", "check_region", "pixel_box", "region_within", "stored_box"]

Region: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of a part, as fractions of the upright picture."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom of a part, in pixels."""

_WHOLE: Final = (0.0, 0.0, 1.0, 1.0)


def check_region(left: float, top: float, right: float, bottom: float) -> Region | None:
    """The part between four fractions; None where that is the whole picture.

    Raises:
        InvalidRequest: they are no fractions, or nothing lies between them.
    """
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InvalidRequest(
            f"There is no part of a picture between left={left}, top={top}, right={right}, bottom={bottom}: "
            "they are fractions from 0 to 1 of its width and height, left < right and top < bottom."
        )
    region = (float(left), float(top), float(right), float(bottom))
    return None if region == _WHOLE else region


def region_within(outer: Region | None, inner: Region | None) -> Region | None:
    """The part `inner` of the part `outer`, as a part of the whole picture."""
    if outer is None or inner is None:
        return inner if outer is None else outer
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    return (
        outer[0] + inner[0] * width,
        outer[1] + inner[1] * height,
        outer[0] + inner[2] * width,
        outer[1] + inner[3] * height,
    )


def pixel_box(region: Region | None, size: tuple[int, int]) -> Box:
    """The pixels of a part in a picture of `size`: to the nearest edge between pixels, at least one pixel."""
    width, height = size
    if region is None:
        return 0, 0, width, height
    left, top = min(round(region[0] * width), width - 1), min(round(region[1] * height), height - 1)
    return left, top, max(round(region[2] * width), left + 1), max(round(region[3] * height), top + 1)


def stored_box(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """Where the pixels of a part lie before the picture is turned upright.

    Args:
        box: the part of the upright picture.
        size: of the upright picture.
        orientation: EXIF's number for how it is stored.
    """
    left, top, right, bottom = box
    width, height = size
    # The way back through the turns of EXIF 2.32, 4.6.4: mirrored first, exchanged last.
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    if orientation in (3, 4, 7, 8):
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation in (5, 6, 7, 8) else (left, top, right, bottom)
