"""What a page states as a label and a value: "Seat 47A", wherever the two stand to one another.

The value may follow a colon in the label's own box, stand to the right of it, below it, or in a table where
the row and the column name it together. Often more than one reading is possible; each becomes an entry, and
the layout says how likely it is: labels printed small above their values stand closer to them than to the
next label, and a row of words over a row of figures is the head of a table.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from firellava.reader.passages import lists, passages
from firellava.reader.values import Shape, find, is_worded
from firellava.reader.vocabulary import is_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page
    from firellava.reader.passages import Passage

__all__ = ["Entry", "entries", "label_and_value"]

# How likely a value belongs to a label, by where it stands.
_ANNOUNCED: Final = 1.0
_ALONE_IN_ROW: Final = 0.95
_TABLE: Final = 0.93
_TABLE_BEFORE: Final = 0.85
"""An amount with another after it in its row: the last one is what the line comes to."""
_ALTERNATING: Final = 0.85
_IN_ROW: Final = 0.6
_BELOW: Final = 0.55

_LONGEST_LABEL: Final = 48
_MOST_DIGITS: Final = 5
"""Digits that the name of a column may have, as in "Q1 2026"."""

_COLON: Final = re.compile(r"^(?P<label>[^:\uff1a]{1,48}?)\s*[:\uff1a]\s*(?P<value>\S.*)$")
_MARK: Final = re.compile(
    r"^(?P<label>.{0,40}?\b(?:no|nr|num|number|id|code)\b\.?|.{1,40}?\s?#)\s?(?P<value>\S*\d.*)$",
    re.IGNORECASE,
)
_NEXT_LABEL: Final = re.compile(r"\s+[A-Z]\w*(?: [^\W\d]\w*\.?)?\s?:(?!\S*\d\d\b)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A label and a value on a page.

    Attributes:
        label: what labels the value; in a table, the name of the row and then that of the column.
        value: the value, as it stands.
        boxes: the boxes of the label, then that of the value; one box where both stand in it.
        strength: how likely the two belong together, from 0 to 1.
        in_table: whether the label is that of a row and of a column.
    """

    label: str
    value: str
    boxes: tuple[TextBox, ...]
    strength: float
    in_table: bool = False


@lru_cache(maxsize=8)
def entries(page: Page) -> tuple[Entry, ...]:
    """Every reading of a page as labels and values."""
    heads: set[int] = set()
    for at in range(len(page.rows)):
        if at - 1 not in heads and _is_head(page, at):
            heads.add(at)
    found: list[Entry] = [entry for passage in passages(page) for entry in _own(passage)]
    for at in range(len(page.rows)):
        found += _in_row(page, at, is_head=at in heads)
        found += _below(page, at, is_head=at in heads, stacked=bool(heads))
    for row, items, boxes in lists(page):
        found.append(Entry(row.text.rstrip(" :"), "\n".join(items), (*row.boxes, *boxes), _ALONE_IN_ROW))
    for at in heads:
        found += _cells(page, at, heads)
    return tuple(found)


def label_and_value(text: str) -> tuple[str, str] | None:
    """Split a text such as "Seat: 47A" or "Invoice no. 12", or None where it is not of that form."""
    match = _COLON.match(text) or _MARK.match(text)
    if match is None or not any(map(str.isalpha, match["label"])):
        return None
    if match["label"][-1:].isdigit() and match["value"][0].isdigit():
        return None  # the time of day
    value = _NEXT_LABEL.split(match["value"])[0].strip()
    return (match["label"].strip(), value) if value and not value.startswith("//") else None


def _own(passage: Passage) -> Iterator[Entry]:
    rest = passage.text
    while pair := label_and_value(rest):
        label, value = pair
        yield Entry(label, value, passage.boxes, _ANNOUNCED)
        after = rest.partition(value)[2].strip()
        if not after or len(after) >= len(rest):
            return
        rest = after


def _may_label(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and is_worded(text) and label_and_value(text) is None


def _in_row(page: Page, at: int, *, is_head: bool) -> Iterator[Entry]:
    boxes = tuple(box for box in page.rows[at].boxes if any(map(str.isalnum, box.text)))
    for place, (label, value) in enumerate(itertools.pairwise(boxes)):
        if _is_moment(label.text) and is_worded(value.text):
            # A line of a timetable answers both ways.
            yield Entry(label.text, value.text, (label, value), _ALONE_IN_ROW)
            yield Entry(value.text, label.text, (value, label), _ALONE_IN_ROW)
        if not _may_label(label.text) or value.text.rstrip().endswith(":"):
            continue
        if label.text.rstrip().endswith(":") or value.text.lstrip().startswith(":"):
            strength = _ANNOUNCED
        elif is_head:
            strength = _IN_ROW / 2
        elif len(boxes) == 2 or _in_columns(page, at, label, value):  # noqa: PLR2004 - a label and a value
            strength = _ALONE_IN_ROW
        else:
            strength = _ALTERNATING if place % 2 == 0 and len(boxes) % 2 == 0 else _IN_ROW
            if not any(map(str.isdigit, value.text)) and not is_label(label.text):
                strength /= 2  # words side by side are no label and value
        if is_label(value.text) and strength < _ANNOUNCED:
            strength *= 0.5
        yield Entry(label.text.rstrip(" :."), value.text.strip(" :"), (label, value), strength)
    # A line of a list: what it is stands first, what it costs last.
    words = next((box for box in boxes if is_worded(box.text)), None)
    if len(boxes) > 2 and words is not None and find(Shape.AMOUNT, boxes[-1].text) and not is_head:  # noqa: PLR2004
        yield Entry(words.text, boxes[-1].text, (words, boxes[-1]), _ALTERNATING)


def _is_moment(text: str) -> bool:
    """Whether a text is a time or a date and nothing else."""
    return any(value.text == text.strip() for value in find(Shape.MOMENT, text))


def _in_columns(page: Page, at: int, label: TextBox, value: TextBox) -> bool:
    """Whether the rows around have a label and a value at the same places: a list with a column of each."""
    size = max(label.height, value.height)
    return any(
        abs(label.left - other.left) < size
        and (abs(value.left - beside.left) < size or abs(value.right - beside.right) < size)
        for row in (*page.rows[max(at - 1, 0) : at], *page.rows[at + 1 : at + 2])
        for other, beside in itertools.pairwise(row.boxes)
        if any(map(str.isdigit, value.text + beside.text))
    )


def _below(page: Page, at: int, *, is_head: bool, stacked: bool) -> Iterator[Entry]:
    row = page.rows[at]
    for label in row.boxes:
        value = page.below(label)
        if value is None or not _may_label(label.text) or label_and_value(value.text):
            continue
        strength = _BELOW
        under = page.below(value)
        near, far = value.middle[1] - label.middle[1], under.middle[1] - value.middle[1] if under else None
        if is_head:
            strength += 0.3
        elif stacked and len(row.boxes) == 1:
            strength += 0.2  # where other labels stand over their values, this one may as well
        if far is None or near < 0.8 * far:
            strength += 0.1
        if label.height < 0.85 * value.height:
            strength += 0.1
        if label.text.rstrip().endswith(":"):
            strength += 0.2 if label is row.boxes[-1] else -0.2
        elif not is_head and (beside := page.right_of(label)):
            # What stands on the right is the value, unless it is a label itself.
            strength += 0.15 if is_label(beside[0].text) else -0.2
        yield Entry(label.text.rstrip(" :"), value.text, (label, value), min(strength, _TABLE))


def _is_head(page: Page, at: int) -> bool:
    """Whether a row names the columns of the rows below: several labels, values under most of them."""
    row = page.rows[at]
    if len(row.boxes) < 2 or not all(_may_head(box.text) for box in row.boxes):  # noqa: PLR2004
        return False
    under = [page.below(box) for box in row.boxes]
    values = [box for box in under if box is not None]
    if len({id(box) for box in values}) < 2 or any(is_label(box.text) for box in values):  # noqa: PLR2004
        return False
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
    return bool(names) and len(text) <= _LONGEST_LABEL and not find(Shape.AMOUNT, text) and ":" not in text


def _gap(upper: TextBox, lower: TextBox) -> float:
    return lower.middle[1] - upper.middle[1]


def _cells(page: Page, head: int, others: set[int]) -> Iterator[Entry]:
    """The cells of a table, each named by its row and its column."""
    heads = page.rows[head].boxes
    for at in range(head + 1, len(page.rows)):
        row = page.rows[at]
        if at in others:
            return
        if len(row.boxes) < 2:  # noqa: PLR2004
            continue
        name = next((box for box in row.boxes if is_worded(box.text)), None)
        for box in row.boxes:
            shared, column = max(((_shared(label, box), label) for label in heads), key=lambda each: each[0])
            if box is name or name is None or shared <= 0:
                continue
            last = box is row.boxes[-1] or not find(Shape.AMOUNT, row.boxes[-1].text)
            strength = _TABLE if last else _TABLE_BEFORE
            yield Entry(f"{name.text} {column.text}", box.text, (name, column, box), strength, in_table=True)


def _shared(one: TextBox, other: TextBox) -> float:
    """How far two boxes stand over one another, in pixels; negative where they are apart."""
    return min(one.right, other.right) - max(one.left, other.left)
