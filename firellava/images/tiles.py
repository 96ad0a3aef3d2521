"""Where to cut a picture so that a model sees more of it: an overview, and parts that overlap.

A model with a square of 336 pixels sees a page of print as a grey pattern. Shown the page as a whole and then
in parts that fill the square each, it sees the letters too. This is the geometry alone, in numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.images.regions import Region

__all__ = ["MOST_PARTS", "OVERLAP", "TileGrid", "share_pictures", "tile_grid"]

MOST_PARTS: Final = 12
"""Parts of one picture. InternVL 1.5, which made cutting into an overview and parts common, was trained with
at most as many (Chen et al. 2024, "How Far Are We to GPT-4V?", section 3.2)."""

OVERLAP: Final = 0.125
"""What neighbouring parts share at least, of the side of a part.

Of 336 pixels these are 42: lines of text up to that height lie whole in one part, wherever it is cut, and
higher ones can be read in the overview. Across, it is a word of seven letters that are 10 pixels high.
"""

# Parts that show letters less than a quarter larger than the overview does are not worth their tokens.
_LEAST_GAIN: Final = 1.25


@dataclass(frozen=True, slots=True)
class TileGrid:
    """How a picture is cut.

    Attributes:
        columns: parts beside each other.
        rows: parts below each other.
        part: width and height of a part, in pixels of the picture.
        regions: the parts as fractions of the picture, from left to right and top to bottom.
    """

    columns: int
    rows: int
    part: tuple[int, int]
    regions: tuple[Region, ...]


def tile_grid(size: tuple[int, int], side: int, most: int) -> TileGrid | None:
    """The grid whose parts a model sees largest, though never enlarged; of several such the smallest.

    Parts are squares, or as wide or high as the picture where that is less. They are spread evenly: what is
    left over goes into wider overlaps.

    Args:
        size: width and height of the upright picture in pixels.
        side: pixels of the square that the model sees, or of the longer side.
        most: parts at most.

    Returns:
        The grid, or None where parts would show next to nothing that the whole picture does not show.
    """
    longer = max(size)
    grids = [
        (max(_extent(size[0], columns), _extent(size[1], rows), min(side, longer)), columns * rows, columns)
        for columns in range(1, min(most, MOST_PARTS) + 1)
        for rows in range(1, min(most, MOST_PARTS) // columns + 1)
    ]
    if not grids:
        return None
    extent, count, columns = min(grids)
    if longer < _LEAST_GAIN * extent:
        return None
    rows = count // columns
    part = min(extent, size[0]), min(extent, size[1])
    regions = tuple(
        (left / size[0], top / size[1], (left + part[0]) / size[0], (top + part[1]) / size[1])
        for top in _starts(size[1], part[1], rows)
        for left in _starts(size[0], part[0], columns)
    )
    return TileGrid(columns, rows, part, regions)


def share_pictures(sizes: Sequence[tuple[int, int]], side: int, most: int) -> list[TileGrid | None]:
    """The grids of several pictures that are shown to a model together.

    All have the same right to be cut: each may take an equal share, and what one does not need goes to those
    that need more.

    Args:
        sizes: of the pictures.
        side: see `tile_grid`.
        most: pictures in all, overviews included.

    Returns:
        For each picture its grid, or None where it is shown as a whole only.
    """
    grids: list[TileGrid | None] = [None] * len(sizes)
    # Those that need least come first, so that all that is left over is known when the others choose.
    wanted = [_count(tile_grid(size, side, MOST_PARTS)) for size in sizes]
    for done, place in enumerate(sorted(range(len(sizes)), key=lambda place: wanted[place])):
        share = most // (len(sizes) - done)
        grids[place] = tile_grid(sizes[place], side, share - 1)
        most -= _count(grids[place])
    return grids


def _count(grid: TileGrid | None) -> int:
    return 1 if grid is None else 1 + len(grid.regions)


def _extent(length: int, parts: int) -> int:
    """The least pixels that each of so many overlapping parts must have to cover a length."""
    return math.ceil(length / (parts - (parts - 1) * OVERLAP))


def _starts(length: int, part: int, count: int) -> list[int]:
    if count == 1:
        return [0]
    return [place * (length - part) // (count - 1) for place in range(count)]
