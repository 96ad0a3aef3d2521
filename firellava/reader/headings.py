"""The most prominent lines of a page: its title, and the name of who issued it."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding
from firellava.reader.values import Shape, find, is_worded
from firellava.reader.vocabulary import COMPANY_ENDINGS, DOCUMENT_WORDS, is_label

if TYPE_CHECKING:
    from firellava.reader.layout import Page

__all__ = ["company_names", "heading"]

_TOP: Final = 8
"""Boxes from the top in which a page names who issued it."""


def heading(page: Page) -> Finding | None:
    """The tallest text of the upper half of the page."""
    upper = [box for box in page.boxes[: max(3, (len(page.boxes) + 1) // 2)] if is_worded(box.text)]
    best = max(upper, key=lambda box: box.height, default=None)
    if best is None:
        return None
    usual = statistics.median(box.height for box in page.boxes)
    prominence = min(best.height / usual, 2.0) / 2.0
    return Finding(best.text, best.score * (0.4 + 0.5 * prominence), (best,))


def company_names(page: Page) -> list[Finding]:
    """Lines at the top that may be the name of who issued the page."""
    found: list[Finding] = []
    usual = statistics.median(box.height for box in page.boxes) if page.boxes else 0.0
    for place, box in enumerate(box for box in page.boxes[:_TOP] if _may_be_a_name(box.text)):
        sure = 0.6 - 0.06 * place
        sure += 0.15 * bool(COMPANY_ENDINGS.search(box.text))
        sure += 0.15 * min(max(box.height / usual - 1, 0), 1)
        found.append(Finding(box.text, sure * box.score, (box,)))
    return found


def _may_be_a_name(text: str) -> bool:
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", text)]
    if not words or not is_worded(text) or set(words) <= DOCUMENT_WORDS or is_label(text):
        return False
    other = (Shape.ADDRESS, Shape.DATE, Shape.PHONE, Shape.EMAIL, Shape.WEBSITE, Shape.AMOUNT)
    return not any(find(shape, text) for shape in other)
