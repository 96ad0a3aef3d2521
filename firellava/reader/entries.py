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

from firellava.reader.labels import is_numbered, looks_like_label
from firellava.reader.passages import lists, passages
from firellava.reader.tables import LONGEST_LABEL, cells, heads
from firellava.reader.values import Shape, find, is_worded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

_NAMED_BEFORE: Final = 0.88
"""A label and its value in one box, without a mark between: "Platform 3"."""
_NAMED_LATER: Final = 0.9
"""A cell that another than the first cell of its row names."""
_MOST_WORDS: Final = 7
"""Words that a label may have: more make a sentence."""

_COLON: Final = re.compile(r"^(?P<label>[^:\uff1a]{1,48}?)\s*[:\uff1a]\s*(?P<value>\S.*)$")
_MARK: Final = re.compile(
    r"^(?P<label>.{0,40}?\b(?:no|nr|num|number|id|code)\b\.?|.{1,40}?\s?#)\s?(?P<value>\S*\d.*)$",
    re.IGNORECASE,
)
_LABEL_AND_CODE: Final = re.compile(
    r"^(?P<label>[^\W\d_][^\W\d_]+(?: [^\W\d_]+){0,2}) (?P<value>(?:[$£€#]?[A-Z]{0,4}-?\d|[$£€][A-Z]"
    r"|[A-Z]$)\S*(?: \S*[\d%]\S*| \w{1,5}\b)*)$"
)
_ITEM: Final = re.compile(r"\d{1,3}[A-Z]?|[A-Z]\d{0,2}")
"""What numbers an item: a floor, a track."""

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
    found: list[Entry] = [entry for passage in passages(page) for entry in _own(passage)]
    for at in range(len(page.rows)):
        found += _in_row(page, at)
        found += _below(page, at)
    for row, items, boxes in lists(page):
        found.append(Entry(row.text.rstrip(" :"), "\n".join(items), (*row.boxes, *boxes), _ALONE_IN_ROW))
    found += _in_tables(page)
    return tuple(found)


def _in_tables(page: Page) -> Iterator[Entry]:
    for cell in cells(page):
        strength = (_TABLE if cell.last else _TABLE_BEFORE) * (1 if cell.first else _NAMED_LATER)
        label = " ".join(_bare_label(name.text) for name in cell.names)
        yield Entry(label, cell.box.text, (*cell.names, cell.box), strength, in_table=True)


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
    if (named := _LABEL_AND_CODE.match(rest)) and not any(
        value.start < named.start("value") for value in find(Shape.MOMENT, rest)
    ):
        yield Entry(named["label"], named["value"], passage.boxes, _NAMED_BEFORE)
    while pair := label_and_value(rest):
        label, value = pair
        yield Entry(label, value, passage.boxes, _ANNOUNCED)
        after = rest.partition(value)[2].strip()
        if not after or len(after) >= len(rest):
            return
        rest = after


def _may_label(text: str) -> bool:
    words = len(text.split())
    ended = text.rstrip().endswith((".", "!", "?")) and words > 3  # noqa: PLR2004 - "Invoice no." is a label
    return (
        len(text) <= LONGEST_LABEL
        and words <= _MOST_WORDS
        and not ended
        and is_worded(text)
        and label_and_value(text) is None
    )


def _bare_label(text: str) -> str:
    """A label without its number in a form and without the marks around it."""
    return re.sub(r"^\(?\d{1,2}[.)]\s*(?=[^\W\d])", "", text).strip(" :.")


def _in_row(page: Page, at: int) -> Iterator[Entry]:
    boxes = tuple(box for box in page.rows[at].boxes if any(map(str.isalnum, box.text)))
    for place, (label, value) in enumerate(itertools.pairwise(boxes)):
        if _is_moment(label.text) and is_worded(value.text):
            # A line of a timetable answers both ways.
            yield Entry(label.text, value.text, (label, value), _ALONE_IN_ROW)
            yield Entry(value.text, label.text, (value, label), _ALONE_IN_ROW)
        numbers = len(boxes) == 2 and _ITEM.fullmatch(label.text) and is_worded(value.text)  # noqa: PLR2004
        if not (_may_label(label.text) or numbers) or value.text.rstrip().endswith(":"):
            continue
        strength = _beside(page, at, boxes, place)
        yield Entry(_bare_label(label.text), value.text.strip(" :"), (label, value), strength)
    # A line of a list: what it is stands first, what it costs last.
    words = next((box for box in boxes if is_worded(box.text)), None)
    if len(boxes) > 2 and words is not None and find(Shape.AMOUNT, boxes[-1].text) and at not in heads(page):  # noqa: PLR2004
        yield Entry(words.text, boxes[-1].text, (words, boxes[-1]), _ALTERNATING)


def _beside(page: Page, at: int, boxes: Sequence[TextBox], place: int) -> float:
    """How likely a box labels the next one of its row."""
    label, value = boxes[place], boxes[place + 1]
    if label.text.rstrip().endswith(":") or value.text.lstrip().startswith(":"):
        return _ANNOUNCED
    if at in heads(page):
        strength = _IN_ROW / 2
    elif len(boxes) == 2 or _in_columns(page, at, label, value):  # noqa: PLR2004 - a label and a value
        strength = _ALONE_IN_ROW
    else:
        strength = _ALTERNATING if place % 2 == 0 and len(boxes) % 2 == 0 else _IN_ROW
        pairs = _is_row_of_pairs(page, at)
        if not any(map(str.isdigit, value.text)) and not looks_like_label(label.text) and not pairs:
            strength /= 2  # words side by side are no label and value
        if pairs and place % 2:
            strength /= 2
    return strength * 0.5 if looks_like_label(value.text) else strength


def _is_row_of_pairs(page: Page, at: int) -> bool:
    """Whether a row and one beside it have their boxes at the same places: pairs, two and more to a row."""
    boxes = page.rows[at].boxes
    return len(boxes) % 2 == 0 and any(
        len(other.boxes) == len(boxes)
        and all(abs(one.left - two.left) < one.height for one, two in zip(boxes, other.boxes, strict=True))
        and any(looks_like_label(box.text) for box in (*boxes[::2], *other.boxes[::2]))
        and not any(map(str.isdigit, "".join(box.text for box in (*boxes[::2], *other.boxes[::2]))))
        for other in (*page.rows[max(at - 1, 0) : at], *page.rows[at + 1 : at + 2])
    )


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


def _below(page: Page, at: int) -> Iterator[Entry]:
    row, is_head, stacked = page.rows[at], at in heads(page), bool(heads(page))
    for label in row.boxes:
        value = page.below(label)
        if value is None or not _may_label(label.text) or label_and_value(value.text):
            continue
        if is_numbered(value.text) and is_numbered(label.text):
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
            strength += 0.15 if looks_like_label(beside[0].text) else -0.2
        yield Entry(_bare_label(label.text), value.text, (label, value), min(strength, _TABLE))
