"""What an answer quotes: the text, where it stands in an image, and how to show it there.

The offline reader's answers carry evidence (`Reply.evidence`); a vision-language model's carry none, since
such a model does not say where it looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import ImageDraw

from firellava.images import ImageSource, decode_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

    from firellava.images import ImageInput

__all__ = ["Corners", "Evidence", "draw_evidence"]

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Four points, clockwise from the one at the text's top left, each (x, y) as fractions of the picture."""

_LINE: Final = (224, 0, 140)
_CASING: Final = (255, 255, 255)
_LINES_PER_SIDE: Final = 250
"""The line is this part of the picture's longer side wide, so that it shows at any size."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of text that an answer quotes.

    Attributes:
        text: what is written there.
        corners: where it stands, as fractions of the upright picture: 0 is its left or top edge, 1 its right
            or bottom edge, whatever size it is decoded at.
        image: which of the images of the request, counted from 0.
    """

    text: str
    corners: Corners
    image: int = 0

    def metadata(self) -> dict[str, Any]:
        """The same as plain JSON values, the fractions to a ten-thousandth."""
        return {
            "image": self.image,
            "text": self.text,
            "corners": [[round(x, 4), round(y, 4)] for x, y in self.corners],
        }


def draw_evidence(picture: ImageInput, evidence: Iterable[Evidence], image: int = 0) -> Image.Image:
    """The picture, upright and in its own size, with a frame around everything that is quoted from it.

    Args:
        picture: one of the images of the request, as it was given.
        evidence: all that an answer quotes, from this and other images.
        image: which image of the request this is, counted from 0.

    Returns:
        A picture in mode ``RGB``. A page of a PDF has the size it would have if scanned at 200 dots per inch.

    Raises:
        ImageError: there is no picture to be had from it; a URL has to be downloaded first.
    """
    drawn = decode_image(ImageSource.of(picture))
    width = max(2, round(max(drawn.size) / _LINES_PER_SIDE))
    pen = ImageDraw.Draw(drawn)
    frames = [_frame(quoted.corners, drawn.size, width) for quoted in evidence if quoted.image == image]
    # White beside the colour, so that a frame shows on anything; all of it first, so that it covers no frame.
    for colour, pen_width in ((_CASING, width * 3), (_LINE, width)):
        for frame in frames:
            pen.line([*frame, frame[0], frame[1]], colour, pen_width, joint="curve")
    return drawn


def _frame(corners: Corners, size: tuple[int, int], gap: float) -> list[tuple[float, float]]:
    """The corners in pixels, each moved outwards by `gap` so that the frame does not touch the letters."""
    points = [(x * size[0], y * size[1]) for x, y in corners]
    (x0, y0), (x1, y1) = points[0], points[1]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
    # Along the text, and across it downwards.
    along, across = ((x1 - x0) / length, (y1 - y0) / length), (-(y1 - y0) / length, (x1 - x0) / length)
    outwards = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [
        (x + gap * (right * along[0] + down * across[0]), y + gap * (right * along[1] + down * across[1]))
        for (x, y), (right, down) in zip(points, outwards, strict=True)
    ]
