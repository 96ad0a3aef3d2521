"""The sentences and list items of a page, put together where they run over several lines."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page, Row

__all__ = ["Passage", "lists", "passages"]

_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?\u3002\uff01\uff1f])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bProf\.)"
    r"(?<!\bSt\.)(?<!\b[A-Z]\.)"
    r"\s+(?=[^\W\d_a-z])"
)
"""Where a sentence ends; after a title or an initial it goes on."""
_BULLET: Final = re.compile(r"^\s*(?:[•·*▪◦‣○●-]|\d{1,2}[.)])\s*(?=\S)")
_LEADING_ON = "a an the of to from for with by in on at and or until is are was your our its"
_LEADS_ON: Final = frozenset(_LEADING_ON.split())
"""Words that a sentence does not end with."""

_LINE_STEP: Final = 2.8
"""Heights of a line within which the next one follows: letters are set wide."""

_PROSE_WORDS: Final = 4
_MOST_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, a line or a list, as it stands.

    Attributes:
        text: what it says; lines that run on are joined by a space, the items of a list by a line break.
        boxes: where it stands.
    """

    text: str
    boxes: tuple[TextBox, ...]


@lru_cache(maxsize=8)
def passages(page: Page) -> tuple[Passage, ...]:
    """The sentences, the lists, and what stands in cells of its own, in reading order."""
    rows = page.reading_order
    prose = tuple(row for row in rows if not _in_cells(row))
    cells = (box for row in rows if _in_cells(row) for box in row.boxes)
    return (
        *_sentences(prose),
        *(Passage(box.text, (box,)) for box in cells if re.search(r"\S[\s:#]\s*\S", box.text)),
    )


def _in_cells(row: Row) -> bool:
    """Whether the boxes of a row stand apart, as the cells of a table do."""
    return any(
        second.left - first.right > max(first.height, second.height)
        for first, second in itertools.pairwise(row.boxes)
    )


def _sentences(rows: tuple[Row, ...]) -> Iterator[Passage]:
    at = 0
    while at < len(rows):
        end = at + 1
        while end < len(rows) and end - at < _MOST_LINES and _runs_on(rows[end - 1], rows[end]):
            end += 1
        yield from _split(rows[at:end])
        at = end


def _runs_on(row: Row, following: Row) -> bool:
    """Whether the text of a row continues in the next one."""
    if len(row.boxes) > 1 or len(following.boxes) > 1:
        return False
    first, second = row.boxes[0], following.boxes[0]
    apart = second.middle[1] - first.middle[1]
    if (
        apart > _LINE_STEP * max(first.height, second.height)
        or abs(first.left - second.left) > 2 * first.height
    ):
        return False
    if not 0.7 < first.height / max(second.height, 1) < 1.4:  # noqa: PLR2004 - another size is another text
        return False
    if _BULLET.match(second.text) or first.text.rstrip().endswith((".", "!", "?", ":")):
        return second.text[:1].islower() and not first.text.rstrip().endswith(":")
    words = first.text.split()
    full = first.right >= second.right - 2 * first.height and len(words) >= _PROSE_WORDS
    return (
        second.text[:1].islower()
        or first.text.rstrip().endswith((",", "-", "&"))
        or words[-1].lower() in _LEADS_ON
        or (full and not second.text[:1].isalpha())
    )


def _split(rows: tuple[Row, ...]) -> Iterator[Passage]:
    spans: list[tuple[int, TextBox]] = []
    text = ""
    for row in rows:
        for box in row.boxes:
            text += " " if text else ""
            spans.append((len(text), box))
            text += box.text
    start = 0
    for part in _SENTENCE_END.split(text):
        place = text.index(part, start)
        end = place + len(part)
        boxes = tuple(box for at, box in spans if at < end and at + len(box.text) > place)
        if boxes:
            yield Passage(part.strip(), boxes)
        start = end


def lists(page: Page) -> Iterator[tuple[Row, tuple[str, ...], tuple[TextBox, ...]]]:
    """Each line that bulleted or numbered items stand under, with the items and their boxes."""
    rows = page.reading_order
    for at, row in enumerate(rows):
        items = list(itertools.takewhile(lambda item: _BULLET.match(item.text), rows[at + 1 :]))
        if items and not _BULLET.match(row.text):
            texts = tuple(_BULLET.sub("", item.text) for item in items)
            yield row, texts, tuple(box for item in items for box in item.boxes)
