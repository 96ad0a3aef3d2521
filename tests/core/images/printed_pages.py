"""Pages of print: lines of words at an even distance, as a scanner would store them."""

import random
from collections.abc import Sequence
from typing import Literal, TypeAlias

from PIL import Image, ImageDraw, ImageFont

Layout: TypeAlias = Literal["full", "two columns", "half"]

A4_AT_200_DPI = (1654, 2339)

_TEXT = (
    "the of and to in is was for that with this from they have were which their been would there about "
    "other into more some could these than first people over water after where most through before between "
    "should because government company number large system order house second public school children "
    "against different another important small during without example together interest business service "
    "general market report within question morning evening several window garden letter"
)
_WORDS = _TEXT.split()
_MARGIN = 150


def printed_page(
    pitch: float,
    layout: Layout = "full",
    *,
    size: tuple[int, int] = A4_AT_200_DPI,
    font: str | None = None,
    spacing: float = 1.35,
    seed: int = 1,
) -> tuple[Image.Image, Sequence[str]]:
    """A page and the words on it.

    Args:
        pitch: pixels from one line to the next.
        layout: where the print stands.
        size: pixels of the page.
        font: a TrueType file; Pillow's own font by default.
        spacing: how many times the size of the letters lines are apart.
        seed: another one gives another text.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    letters = round(pitch / spacing)
    face = ImageFont.load_default(letters) if font is None else ImageFont.truetype(font, letters)
    page = Image.new("L", size, 255)
    draw = ImageDraw.Draw(page)
    words: list[str] = []
    bottom = size[1] // 2 if layout == "half" else size[1] - _MARGIN
    for left, width in _columns(layout, size[0]):
        top: float = _MARGIN
        while top + pitch < bottom:
            room = width * (0.4 if chance.random() < 0.12 else 1)  # some lines end a paragraph
            line: list[str] = []
            while face.getlength(" ".join([*line, word := chance.choice(_WORDS)])) < room:
                line.append(word)
            draw.text((left, top), " ".join(line), 20, face)
            words += line
            top += pitch * (1.6 if chance.random() < 0.08 else 1)
    return page, words


def _columns(layout: Layout, width: int) -> list[tuple[int, int]]:
    whole = width - 2 * _MARGIN
    if layout != "two columns":
        return [(_MARGIN, whole)]
    column = whole // 2 - 40
    return [(_MARGIN, column), (width - _MARGIN - column, column)]
