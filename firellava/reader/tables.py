"""Tables on a page: which rows name the columns of the rows below, and the cells that they name.

A cell is named by its row and its column together: "Refunds 2025", "Paris Gate". A row's name is its first
words; another cell of the row may name it as well, as the destination does in a list of departures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from firellava.reader.labels import is_label, is_numbered
from firellava.reader.values import Shape, find, is_worded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["LONGEST_LABEL", "Cell", "cells", "heads"]

LONGEST_LABEL: Final = 48
"""Letters that a label may have."""

_MOST_DIGITS: Final = 5
"""Digits that the name of a column may have, as in "Q1 2026"."""

_FEWEST: Final = 2
"""Boxes that make a row of cells."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        names: what names it: a cell of its row, and the head of its column.
        box: where it stands.
        first: whether the row is named by its first words, as most are.
        last: whether no amount stands after it in its row: the last one is what the line comes to.
    """

    names: tuple[TextBox, TextBox]
    box: TextBox
    first: bool
    last: bool


@lru_cache(maxsize=8)
def heads(page: Page) -> frozenset[int]:
    """The places of the rows that name the columns of the rows below them."""
    found: set[int] = set()
    for at in range(len(page.rows)):
        if at - 1 not in found and _is_head(page, at):
            found.add(at)
    return frozenset(found)


def cells(page: Page) -> Iterator[Cell]:
    """The cells of the tables of a page, once for each of their names."""
    for head in heads(page):
        columns = page.rows[head].boxes
        for at in range(head + 1, len(page.rows)):
            row = page.rows[at]
            if at in heads(page) or _is_over(page, head, at):
                break
            if len(row.boxes) < _FEWEST:
                continue
            named = [(box, _column(columns, box)) for box in row.boxes]
            names = [box for box in row.boxes if is_worded(box.text) or box is row.boxes[0]]
            first = next((box for box in names if is_worded(box.text)), None)
            priced = bool(find(Shape.AMOUNT, row.boxes[-1].text))
            for box, column in named:
                for name in names:
                    if column is not None and name is not box:
                        last = box is row.boxes[-1] or not priced
                        yield Cell((name, column), box, name is first, last)


def _is_over(page: Page, head: int, at: int) -> bool:
    """Whether a row of two cells follows on whole ones, so that it is no row of this table any more."""
    columns, cells_of = len(page.rows[head].boxes), len(page.rows[at].boxes)
    return at > head + 1 and columns > _FEWEST >= cells_of


def _column(columns: tuple[TextBox, ...], box: TextBox) -> TextBox | None:
    """The head that a cell stands under."""
    column = max(columns, key=lambda label: _shared(label, box))
    return column if _shared(column, box) > 0 else None


def _is_head(page: Page, at: int) -> bool:
    """Whether a row names the columns of the rows below: several labels, values under most of them."""
    row = page.rows[at]
    if len(row.boxes) < 2 or not all(_may_head(box.text) for box in row.boxes):  # noqa: PLR2004
        return False
    under = [page.below(box) for box in row.boxes]
    values = [box for box in under if box is not None]
    if len({id(box) for box in values}) < 2 or any(is_label(box.text) for box in values):  # noqa: PLR2004
        return False
    if all(is_numbered(box.text) for box in row.boxes):
        return not any(is_numbered(box.text) for box in values)
    figures = sum(any(map(str.isdigit, box.text)) for box in values)
    plain = not any(map(str.isdigit, row.text))
    if figures and (len(row.boxes) > 2 or (plain and figures * 2 > len(row.boxes))):  # noqa: PLR2004
        return True
    # Two labels over two values, or two labels each beside its value? What is nearer belongs together.
    closer = sum(_is_closer(page, at, label, box) for label, box in zip(row.boxes, under, strict=True) if box)
    return closer * 2 > len(row.boxes) or all(is_label(box.text) for box in row.boxes)


def _is_closer(page: Page, at: int, label: TextBox, value: TextBox) -> bool:
    """Whether a value stands closer under a label than the rows around stand to the two."""
    third = page.below(value)
    gaps = [_gap(value, third)] if third else []
    gaps += [_gap(box, label) for box in page.rows[at - 1].boxes if at and page.below(box) is label]
    return bool(gaps) and _gap(label, value) < 0.8 * min(gaps)


def _may_head(text: str) -> bool:
    names = any(map(str.isalpha, text)) or re.fullmatch(r"(?:19|20)\d\d", text)
    if any(map(str.isdigit, text)) and (re.search(r"[,-]", text) or find(Shape.DATE, text)):
        return False
    if sum(map(str.isdigit, text)) > _MOST_DIGITS:
        return False
    measured = any(value.text == text.strip() for value in find(Shape.MEASURE, text))
    named = bool(names) and not measured and ":" not in text
    return named and len(text) <= LONGEST_LABEL and not find(Shape.AMOUNT, text)


def _gap(upper: TextBox, lower: TextBox) -> float:
    return lower.middle[1] - upper.middle[1]


def _shared(one: TextBox, other: TextBox) -> float:
    """How far two boxes stand over one another, in pixels; negative where they are apart."""
    return min(one.right, other.right) - max(one.left, other.left)
