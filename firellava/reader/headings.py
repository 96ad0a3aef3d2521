"""The most prominent line of a page: its title."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from firellava.reader.findings import Finding
from firellava.reader.values import is_worded

if TYPE_CHECKING:
    from firellava.reader.layout import Page

__all__ = ["heading"]


def heading(page: Page) -> Finding | None:
    """The tallest text of the upper half of the page."""
    upper = [box for box in page.boxes[: max(3, (len(page.boxes) + 1) // 2)] if is_worded(box.text)]
    best = max(upper, key=lambda box: box.height, default=None)
    if best is None:
        return None
    usual = statistics.median(box.height for box in page.boxes)
    prominence = min(best.height / usual, 2.0) / 2.0
    return Finding(best.text, best.score * (0.4 + 0.5 * prominence), (best,))
