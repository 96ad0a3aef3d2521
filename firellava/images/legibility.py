"""Whether a picture was made so small that the text on it can no longer be read.

Lines of print make a pattern that survives when the letters are gone: rows with many changes from light to
dark along them, and rows with none, at even distances. So the distance of the lines can be measured in the
small picture itself, in about a millisecond, and from it follows whether their letters can be told apart.
"""

from __future__ import annotations

from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["LEGIBLE_PITCH", "unreadable_lines"]

LEGIBLE_PITCH: Final = 6.6
"""Pixels from line to line below which print cannot be read, and from which it mostly can.

The offline reader finds one word in twenty of pages whose lines are 5 pixels apart, half of them at 6, four
in five at 7 and nine in ten at 8 (``python -m benchmarks.legibility``).
"""

# Windows of so many rows hold seven lines of the largest pitch in question; so many columns hold some words,
# and seldom two columns of text. A grid of windows stands for the whole picture.
_ROWS, _COLUMNS = 48, 56
_MOST_DOWN, _MOST_ACROSS = 7, 4

_SHORTEST, _LONGEST = 2, 8
_LIKENESS: Final = 0.5
_LEAST_CONTRAST: Final = 6.0
_LEAST_WINDOWS: Final = 3
_AGREEMENT: Final = 0.12
# Twice the distance is a match as good as the distance itself.
_NEARLY: Final = 0.8


def unreadable_lines(picture: Image.Image) -> float | None:
    """How far apart lines of text are that are too small to read, where there are some.

    Args:
        picture: as a model will see it, without padding.

    Returns:
        Pixels from one line to the next, or None where no such lines were found: there is no text, it is
        large enough, or there is so little that a picture without text might look alike.
    """
    found = [pitch for pitch in map(_pitch, _windows(picture)) if pitch is not None]
    small = sorted(pitch for pitch in found if pitch < LEGIBLE_PITCH)
    if len(small) < _LEAST_WINDOWS:
        return None
    middle = small[len(small) // 2]
    agreeing = [pitch for pitch in small if abs(pitch - middle) <= _AGREEMENT * middle]
    # Print has one distance nearly everywhere; foliage, fabrics and noise have all of them.
    if len(agreeing) < max(_LEAST_WINDOWS, len(found) / 2):
        return None
    return middle


def _windows(picture: Image.Image) -> Iterator[list[float]]:
    """For each window of a grid: how much changes along each of its rows, on average."""
    width, height = min(_COLUMNS, picture.width), min(_ROWS, picture.height)
    if width < 2:  # noqa: PLR2004 - a change takes two pixels
        return
    for top in _starts(picture.height, _ROWS, _MOST_DOWN):
        for left in _starts(picture.width, _COLUMNS, _MOST_ACROSS):
            window = picture.crop((left, top, left + width, top + height)).convert("L")
            changes = ImageChops.difference(
                window.crop((0, 0, width - 1, height)), window.crop((1, 0, width, height))
            )
            rows = changes.convert("F").resize((1, height), Image.Resampling.BOX)
            yield list(memoryview(rows.tobytes()).cast("f"))


def _starts(length: int, part: int, most: int) -> list[int]:
    count = min(most, length // part)
    if count <= 1:
        return [max(0, (length - part) // 2)]
    return [place * (length - part) // (count - 1) for place in range(count)]


def _pitch(rows: Sequence[float]) -> float | None:
    """The distance after which the rows of a window repeat themselves, or None where they do not."""
    if len(rows) < _ROWS // 2:
        return None
    mean = sum(rows) / len(rows)
    around = [row - mean for row in rows]
    if sum(map(mul, around, around)) < _LEAST_CONTRAST * len(rows):
        return None
    alike = [_likeness(around, distance) for distance in range(_SHORTEST - 1, _LONGEST + 2)]
    peaks = [
        _SHORTEST - 1 + place
        for place, ((before, here), (_, after)) in enumerate(pairwise(pairwise(alike)), 1)
        if before < here >= after and here > _LIKENESS
    ]
    if not peaks:
        return None
    best = max(alike[peak - _SHORTEST + 1] for peak in peaks)
    nearest = next(peak for peak in peaks if alike[peak - _SHORTEST + 1] >= _NEARLY * best)
    before, here, after = alike[nearest - _SHORTEST : nearest - _SHORTEST + 3]
    # The top of the parabola through three points.
    return nearest + (before - after) / (2 * (before - 2 * here + after))


def _likeness(around: Sequence[float], distance: int) -> float:
    """The correlation of a row of numbers with itself, moved."""
    moved, still = around[distance:], around[:-distance]
    size = sum(map(mul, moved, moved)) * sum(map(mul, still, still))
    return sum(map(mul, moved, still)) / size**0.5 if size > 0 else 0.0
