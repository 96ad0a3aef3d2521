"""One piece of text found in an image, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Point", "TextBox"]

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TextBox:
    """Text that stands together in an image, usually a line or one cell of a table.

    Attributes:
        text: what is written there.
        polygon: the four corners as (x, y) in pixels of the image, clockwise from the one at the text's
            top left; they make a slanted rectangle where the text is slanted.
        score: how sure the recognition is of the text, from 0 to 1.
    """

    text: str
    polygon: tuple[Point, Point, Point, Point]
    score: float

    @property
    def left(self) -> float:
        """The smallest x, in pixels."""
        return min(x for x, _ in self.polygon)

    @property
    def right(self) -> float:
        """The largest x, in pixels."""
        return max(x for x, _ in self.polygon)

    @property
    def top(self) -> float:
        """The smallest y, in pixels."""
        return min(y for _, y in self.polygon)

    @property
    def bottom(self) -> float:
        """The largest y, in pixels."""
        return max(y for _, y in self.polygon)

    @property
    def height(self) -> float:
        """The height of the text itself, in pixels: slanting does not make it taller."""
        (x0, y0), (x3, y3) = self.polygon[0], self.polygon[3]
        return float(((x3 - x0) ** 2 + (y3 - y0) ** 2) ** 0.5)

    @property
    def middle(self) -> Point:
        """The centre of the box, in pixels."""
        return sum(x for x, _ in self.polygon) / 4, sum(y for _, y in self.polygon) / 4
