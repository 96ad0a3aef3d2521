"""The colours of an image, measured and named.

The names are the eleven basic colour terms of English (Berlin and Kay, *Basic Color Terms*, 1969). A colour
gets the term of the CSS colour nearest to it in CIE L*a*b*, where distance follows what eyes tell apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageColor

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ColourShare", "background_colour", "main_colours"]

_SAMPLE_SIDE: Final = 96
"""Side, in pixels, of the square in which colours are measured: enough for shares in whole percent."""

_PALETTE: Final = 64

_CSS_COLOURS: Final = {
    "black": "black #1e1e1e",
    "grey": "dimgray gray darkgray silver lightgray slategray",
    "white": "white whitesmoke snow ivory linen",
    "red": "red darkred crimson firebrick maroon indianred",
    "orange": "orange darkorange coral orangered sandybrown",
    "brown": "saddlebrown sienna brown peru tan rosybrown #5a3c28 #8c7864 #46372d",
    "yellow": "yellow gold khaki goldenrod lemonchiffon",
    "green": "green darkgreen lime limegreen seagreen olive olivedrab lightgreen darkseagreen #ccffcc",
    "blue": "blue navy royalblue steelblue skyblue dodgerblue cyan teal midnightblue #14143c",
    "purple": "purple indigo mediumpurple rebeccapurple violet plum darkviolet darkslateblue #2d0046",
    "pink": "pink hotpink deeppink lightpink magenta salmon mistyrose",
}


@dataclass(frozen=True, slots=True)
class ColourShare:
    """A colour and how much of the image has it.

    Attributes:
        name: a basic colour term, such as "red".
        share: the part of what was measured that has this colour, from 0 to 1.
    """

    name: str
    share: float


def main_colours(image: Image.Image, most: int = 3, least_share: float = 0.04) -> tuple[ColourShare, ...]:
    """Measure the colours that fill most of an image, the most common first.

    Args:
        image: a picture in any mode that Pillow converts to RGB.
        most: how many colours to give back at most.
        least_share: the smallest share that still counts; the most common colour always does.
    """
    first, *others = _shares(_sample(image))
    return (first, *(colour for colour in others[: most - 1] if colour.share >= least_share))


def background_colour(image: Image.Image) -> ColourShare:
    """Measure the most common colour along the edges of an image; its share is that of the edges."""
    sample, edge = _sample(image), _SAMPLE_SIDE // 32
    frame = Image.new("RGB", (_SAMPLE_SIDE, 4 * edge))
    for place, side in enumerate((sample, *(sample.rotate(angle) for angle in (90, 180, 270)))):
        frame.paste(side.crop((0, 0, _SAMPLE_SIDE, edge)), (0, place * edge))
    return _shares(frame)[0]


def _sample(image: Image.Image) -> Image.Image:
    return image.convert("RGB").resize((_SAMPLE_SIDE, _SAMPLE_SIDE), Image.Resampling.BOX)


def _shares(pixels: Image.Image) -> list[ColourShare]:
    reduced = pixels.quantize(_PALETTE, dither=Image.Dither.NONE)
    palette = reduced.getpalette() or []
    counted: Counter[str] = Counter()
    for index, count in enumerate(reduced.histogram()):
        if count:
            counted[_name(palette[3 * index : 3 * index + 3])] += count
    return [ColourShare(name, count / counted.total()) for name, count in counted.most_common()]


def _name(colour: Sequence[int]) -> str:
    lab = _lab(colour)
    return min(
        (
            (sum((a - b) ** 2 for a, b in zip(lab, known, strict=True)), name)
            for known, name in _named_colours()
        )
    )[1]


@lru_cache(maxsize=1)
def _named_colours() -> tuple[tuple[tuple[float, float, float], str], ...]:
    return tuple(
        (_lab(ImageColor.getrgb(css)[:3]), name)
        for name, colours in _CSS_COLOURS.items()
        for css in colours.split()
    )


def _lab(colour: Sequence[int]) -> tuple[float, float, float]:
    """SRGB to CIE L*a*b* under D65 (IEC 61966-2-1 for the curve and the matrix, CIE 15 for the rest)."""
    red, green, blue = (
        channel / 255 / 12.92 if channel / 255 <= 0.04045 else ((channel / 255 + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for channel in colour
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    curved = [t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in (x, y, z)]
    return 116 * curved[1] - 16, 500 * (curved[0] - curved[1]), 200 * (curved[1] - curved[2])
