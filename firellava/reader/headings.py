"""The most prominent line of a page: its title."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding
from firellava.reader.values import is_worded

if TYPE_CHECKING:
    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["heading"]

_TALL: Final = 1.35
"""Times the usual height from which a title may have several lines: below it, the next one is text."""

_SAME_SIZE: Final = 0.75
_NEXT_LINE: Final = 1.8
"""Heights of a line within which the next one of a title begins."""


def heading(page: Page) -> Finding | None:
    """The tallest text of the upper half of the page, with the lines before and after that are as tall."""
    upper = [box for box in page.boxes[: max(3, (len(page.boxes) + 1) // 2)] if is_worded(box.text)]
    best = max(upper, key=lambda box: box.height, default=None)
    if best is None:
        return None
    usual = statistics.median(box.height for box in page.boxes)
    prominence = min(best.height / usual, 2.0) / 2.0
    lines = [best]
    if best.height > _TALL * usual:
        for box in upper[upper.index(best) + 1 :]:
            if _goes_on(lines[-1], box):
                lines.append(box)
        for box in reversed(upper[: upper.index(best)]):
            if _goes_on(box, lines[0]):
                lines.insert(0, box)
    sure = 0.4 + 0.5 * prominence
    return Finding(" ".join(box.text for box in lines), sure * min(box.score for box in lines), tuple(lines))


def _goes_on(upper: TextBox, lower: TextBox) -> bool:
    """Whether a line is the next of a title: as tall, close below, and over or under the other."""
    small, tall = sorted((upper.height, lower.height))
    near = 0 < lower.middle[1] - upper.middle[1] < _NEXT_LINE * tall
    return small > _SAME_SIZE * tall and near and min(upper.right, lower.right) > max(upper.left, lower.left)
