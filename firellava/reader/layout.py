"""How the boxes on a page belong together: rows, columns, and the value that stands beside a label.

A page is straightened first (a photographed receipt leans by a degree or two, enough to put a price on the
row of its neighbour). Boxes at one height make a row; rows that hold two blocks of running text side by side
are read as columns, while a label and its number at the far edge stay together.
"""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from firellava.reader.boxes import TextBox

__all__ = ["Page", "Row", "arrange"]

PROSE_WORDS: Final = 3.5
"""Average words to a box above which a column is running text and not the cells of a table."""

_ROWS_BELOW: Final = 8
"""Rows in which a value is looked for under its label; a row of another column may stand between."""

COLUMN_ROWS: Final = 3
"""Rows that must share a gutter before it separates columns."""


@dataclass(frozen=True, slots=True)
class Row:
    """Boxes that stand on one line, from left to right."""

    boxes: tuple[TextBox, ...]

    @property
    def text(self) -> str:
        """What the row says; boxes that stand well apart, such as two cells, have two spaces between them."""
        text = self.boxes[0].text
        for before, box in itertools.pairwise(self.boxes):
            apart = box.left - before.right > max(box.height, before.height)
            text += ("  " if apart else " ") + box.text
        return text

    @property
    def height(self) -> float:
        """The height of its tallest text, in pixels."""
        return max(box.height for box in self.boxes)


@dataclass(frozen=True)
class Page:
    """All the text of an image, arranged.

    Attributes:
        rows: the rows from top to bottom, each over the whole width.
        slope: how much the lines rise, in pixels of y for one of x; 0.0 where they are level.
    """

    rows: tuple[Row, ...]
    slope: float

    @property
    def boxes(self) -> tuple[TextBox, ...]:
        """Every box, row by row."""
        return tuple(box for row in self.rows for box in row.boxes)

    @cached_property
    def reading_order(self) -> tuple[Row, ...]:
        """The rows as a person reads them: columns of running text one after the other."""
        return tuple(_columns_apart(self.rows))

    @property
    def transcript(self) -> str:
        """The whole text in reading order, a line for each row."""
        return "\n".join(row.text for row in self.reading_order)

    @cached_property
    def _places(self) -> dict[int, tuple[int, float]]:
        """The row of each box, and its level, by the identity of the box."""
        return {
            id(box): (at, _level(box, self.slope)) for at, row in enumerate(self.rows) for box in row.boxes
        }

    def right_of(self, box: TextBox) -> tuple[TextBox, ...]:
        """The boxes after `box` in its row, nearest first."""
        row = self.rows[self._places[id(box)][0]].boxes
        return row[next(at for at, other in enumerate(row) if other is box) + 1 :]

    def below(self, box: TextBox, reach: float = 2.5) -> TextBox | None:
        """The nearest box under `box` that shares its left edge, its right edge or its middle.

        Args:
            box: a box of this page.
            reach: how far down to look, in heights of the taller of the two.
        """
        at, level = self._places[id(box)]
        near: list[tuple[float, TextBox]] = []
        for row in self.rows[at : at + _ROWS_BELOW]:
            for other in row.boxes:
                apart = self._places[id(other)][1] - level
                if 0.6 * box.height < apart <= reach * max(box.height, other.height) and _aligned(box, other):
                    near.append((apart, other))
        return min(near, key=lambda found: found[0], default=(0.0, None))[1]


def arrange(boxes: Iterable[TextBox]) -> Page:
    """Put the boxes of one image into rows.

    Args:
        boxes: in any order, in pixels of the image.
    """
    found = tuple(boxes)
    slope = _slope(found)
    rows: list[list[TextBox]] = []
    for box in sorted(found, key=lambda box: _level(box, slope)):
        if rows and _same_row(rows[-1], box, slope):
            rows[-1].append(box)
        else:
            rows.append([box])
    return Page(tuple(Row(tuple(sorted(row, key=lambda box: box.left))) for row in rows), slope)


def _slope(boxes: Sequence[TextBox]) -> float:
    slopes = []
    for box in boxes:
        (x0, y0), (x1, y1) = box.polygon[0], box.polygon[1]
        # Short text leans by a pixel of rounding; a steep one stands by itself (a watermark, a spine).
        if x1 - x0 > 4 * box.height and abs(y1 - y0) < math.tan(math.radians(15)) * (x1 - x0):
            slopes.append((y1 - y0) / (x1 - x0))
    return statistics.median(slopes) if slopes else 0.0


def _level(box: TextBox, slope: float) -> float:
    """The height on the page at which the box would stand if the page were straight."""
    x, y = box.middle
    return y - slope * x


def _same_row(row: Sequence[TextBox], box: TextBox, slope: float) -> bool:
    level = statistics.median(_level(member, slope) for member in row)
    height = min(box.height, *(member.height for member in row))
    if _level(box, slope) - level > 0.55 * height:
        return False
    # Two boxes over one another are two lines, however close.
    return all(
        min(box.right, member.right) - max(box.left, member.left) < 0.3 * min(_width(box), _width(member))
        for member in row
    )


def _width(box: TextBox) -> float:
    return max(box.right - box.left, 1.0)


def _aligned(label: TextBox, other: TextBox) -> bool:
    edge = max(label.height, other.height)
    return (
        abs(label.left - other.left) < edge
        or abs(label.right - other.right) < edge
        or abs(label.middle[0] - other.middle[0]) < edge
    )


def _columns_apart(rows: Sequence[Row]) -> Iterable[Row]:
    """The rows with columns of running text set one after the other."""
    at = 0
    while at < len(rows):
        end, gutter = _two_columns(rows[at:])
        for side in _sides(rows[at : at + end], gutter) if end else ():
            yield from (Row((box,)) for box in side)
        if not end:
            yield rows[at]
        at += max(end, 1)


def _two_columns(rows: Sequence[Row]) -> tuple[int, float]:
    """How many rows from the first on stand in two columns of running text, and the gutter's x."""
    low, high, count = -math.inf, math.inf, 0
    for row in rows:
        if count == 0 and len(row.boxes) == 1:
            break  # what stands above both columns, such as a heading, is no part of either
        middle = (low + high) / 2 if count else (row.boxes[0].right + row.boxes[1].left) / 2
        lefts, rights = _sides((row,), middle)
        if max(len(lefts), len(rights)) > 1:
            break  # three and more boxes to a row make a table
        new_low = max([low, *(box.right for box in lefts)])
        new_high = min([high, *(box.left for box in rights)])
        if new_low >= new_high:
            break
        low, high, count = new_low, new_high, count + 1
    gutter = (low + high) / 2
    columns = _sides(rows[:count], gutter)
    prose = all(
        len(side) >= COLUMN_ROWS and statistics.mean(len(box.text.split()) for box in side) >= PROSE_WORDS
        for side in columns
    )
    return (count, gutter) if prose else (0, gutter)


def _sides(rows: Iterable[Row], gutter: float) -> tuple[list[TextBox], list[TextBox]]:
    boxes = [box for row in rows for box in row.boxes]
    left = [box for box in boxes if box.middle[0] < gutter]
    return left, [box for box in boxes if box.middle[0] >= gutter]
