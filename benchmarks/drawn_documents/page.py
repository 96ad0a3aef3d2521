"""Paper to draw a document on, and what a document with its questions is.

Fonts come with Pillow (Aileron) and with matplotlib (DejaVu, STIX), so that the same pictures come out on
every machine that has the ``dev`` extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.ImageFont import FreeTypeFont

__all__ = ["Colour", "Document", "Page", "Question", "absent", "asked"]

Colour = tuple[int, int, int]
Align = Literal["left", "middle", "right"]
FontName = Literal["aileron", "dejavu", "serif", "mono", "times"]

_OVERSAMPLING = 2
"""Everything is drawn this much larger and reduced, which smooths edges as printing and scanning do."""

_FILES = {
    "dejavu": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "serif": ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    "mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    "times": ("STIXGeneral.ttf", "STIXGeneralBol.ttf"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a document, and what answers it.

    Attributes:
        text: the question, as people ask it.
        answers: any one of them is right; of a tuple every part is wanted. Empty where the document does not
            say, so that the only right answer is to decline.
    """

    text: str
    answers: tuple[str | tuple[str, ...], ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the document says."""
        return bool(self.answers)


def asked(text: str, *answers: str | tuple[str, ...]) -> Question:
    """A question that the document answers."""
    return Question(text, answers)


def absent(text: str) -> Question:
    """A question about something that is not in the document."""
    return Question(text)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the benchmark.

    Attributes:
        name: what it is called in reports.
        kind: the kind of document, a row of the table.
        draw: draws it, always the same.
        questions: what is asked about it.
    """

    name: str
    kind: str
    draw: Callable[[], Image.Image]
    questions: tuple[Question, ...]


@lru_cache
def _font(name: FontName, size: int, bold: bool) -> FreeTypeFont:  # noqa: FBT001 - a cache key
    pixels = size * _OVERSAMPLING
    if name == "aileron":
        loaded = ImageFont.load_default(pixels)
        if not isinstance(loaded, ImageFont.FreeTypeFont):
            raise TypeError("This Pillow was built without FreeType, so it has no scalable font.")
        return loaded
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / _FILES[name][bold], pixels)


class Page:
    """A sheet measured in pixels of the finished picture, with one font and one ink unless told otherwise.

    Args:
        size: width and height, in pixels.
        paper: colour of the sheet.
        ink: colour of the text.
        font: which font.
    """

    def __init__(
        self,
        size: tuple[int, int],
        paper: Colour = (255, 255, 255),
        ink: Colour = (34, 34, 38),
        font: FontName = "aileron",
    ) -> None:
        self._size = size
        self._ink = ink
        self._font: FontName = font
        self._image = Image.new("RGB", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), paper)
        self._draw = ImageDraw.Draw(self._image)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        *,
        align: Align = "left",
        bold: bool = False,
        ink: Colour | None = None,
        font: FontName | None = None,
    ) -> None:
        """Write one line whose left end, middle or right end is at `at`, centred on that height."""
        ink, font = ink or self._ink, font or self._font
        # Pillow's own font has one weight: a stroke of its own colour makes the bold one.
        stroke = size * _OVERSAMPLING / 40 if bold and font == "aileron" else 0
        self._draw.text(
            (at[0] * _OVERSAMPLING, at[1] * _OVERSAMPLING),
            text,
            ink,
            _font(font, size, bold),
            anchor={"left": "lm", "middle": "mm", "right": "rm"}[align],
            stroke_width=stroke,
            stroke_fill=ink,
        )

    def lines(
        self,
        at: tuple[float, float],
        lines: Sequence[str],
        size: int,
        *,
        step: float | None = None,
        align: Align = "left",
        ink: Colour | None = None,
    ) -> None:
        """Write lines under each other, `step` pixels apart (one and a half times their size by default)."""
        for row, line in enumerate(lines):
            self.text((at[0], at[1] + row * (step or size * 1.5)), line, size, align=align, ink=ink)

    def pairs(
        self,
        at: tuple[float, float],
        right: float,
        rows: Sequence[tuple[str, str]],
        size: int,
        *,
        step: float | None = None,
        align: Align = "right",
        grey: Colour | None = None,
    ) -> None:
        """Write labels from `at` down and their values at `right`."""
        for row, (label, value) in enumerate(rows):
            y = at[1] + row * (step or size * 1.6)
            self.text((at[0], y), label, size, ink=grey)
            self.text((right, y), value, size, align=align)

    def table(
        self,
        top: float,
        columns: Sequence[tuple[float, Align]],
        rows: Sequence[Sequence[str]],
        size: int,
        *,
        step: float | None = None,
    ) -> None:
        """Write rows of cells, the first of them bold, each column at its place."""
        for row, cells in enumerate(rows):
            for (x, align), cell in zip(columns, cells, strict=True):
                self.text((x, top + row * (step or size * 1.8)), cell, size, align=align, bold=row == 0)

    def box(
        self,
        corners: tuple[float, float, float, float],
        fill: Colour | None = None,
        *,
        outline: Colour | None = None,
        line: float = 1,
        radius: float = 0,
    ) -> None:
        """Draw a rectangle, with rounded corners where `radius` says so."""
        self._draw.rounded_rectangle(
            [value * _OVERSAMPLING for value in corners],
            radius=radius * _OVERSAMPLING,
            fill=fill,
            outline=outline,
            width=round(line * _OVERSAMPLING),
        )

    def rule(self, left: float, right: float, y: float, ink: Colour = (150, 152, 156)) -> None:
        """Draw a level line."""
        self.box((left, y, right, y + 1), ink)

    def bars(self, corners: tuple[float, float, float, float], seed: int) -> None:
        """Draw a bar code that means nothing."""
        left, top, right, bottom = corners
        state = seed
        while left < right:
            state = (state * 1103515245 + 12345) % 2**31
            width = 1 + state // 65536 % 4
            self.box((left, top, left + width, bottom), (20, 20, 20))
            left += width + 1 + state // 1024 % 4

    def finished(self) -> Image.Image:
        """The sheet at its final size."""
        return self._image.resize(self._size, Image.Resampling.LANCZOS)
