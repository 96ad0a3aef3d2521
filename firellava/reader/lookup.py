"""Finding what a question asks for by the question's own words, among the entries and sentences of a page."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING, Final

from firellava.reader.entries import entries
from firellava.reader.findings import Finding
from firellava.reader.labels import is_label, looks_like_label
from firellava.reader.passages import passages
from firellava.reader.relevance import Asked
from firellava.reader.values import Shape, find, is_code, is_worded
from firellava.reader.words import best_match, same_word, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from firellava.reader.entries import Entry
    from firellava.reader.layout import Page
    from firellava.reader.passages import Passage

__all__ = ["look_up"]

_SENTENCE: Final = 0.8
_HEADING: Final = 0.65
"""How much less a heading answers than a sentence: it says what the page is about, not what is asked."""

_NAMED: Final = re.compile(
    r"\b(?:[Cc]all|[Cc]ontact|[Aa]sk(?: for)?|[Tt]ell|[Ww]ith)\s+(?:(?:Mrs?|Ms|Dr)\.?\s)?[A-Z][a-z]"
    r"|\b[Bb]y\s+(?:the\s+)?[A-Z]|\b[A-Z][\w.'&]* (?:& |of )?[A-Z][\w.']+|\([A-Z][a-z]+\)|: [A-Z]"
)
_AT_A_PLACE: Final = re.compile(
    r"(?<![\w-])(?:[Aa]t|[Ii]n|[Nn]ear|behind|opposite|outside|inside)\s+(?:the\s+)?(?:[A-Z]|\d+\w?\s+[A-Z])"
)
_LONGEST_CODE: Final = 32
_FORMS: Final = frozenset(
    (Shape.AMOUNT, Shape.DATE, Shape.MOMENT, Shape.TIME, Shape.HOURS, Shape.PHONE, Shape.EMAIL, Shape.MEASURE)
)
_TOLD_BY_LAYOUT: Final = 0.8
_OTHER_WORDS, _OTHER_WORDS_BELOW = 0.75, 0.6
_OF_THE_FORM, _MOST = 1.3, 0.9
"""A value that has the form asked for, and nothing else in it, belongs more likely to the label near it."""

_PART_OF_A_TEXT: Final = 0.6
"""A number inside a text: the 3 of "Adult 3 days" is no number of a pass."""

_OWN_FORMS: Final = {Shape.MOMENT: (Shape.DATE, Shape.TIME)}
"""Forms that a label does not have itself; a day of the week labels times."""

_SAYS_ITSELF: Final = 0.5
"""A label that has a value of the form itself: "Dinner at eight  18:02"."""

_LONGEST_ANSWER: Final = 240
_TURNED: Final = 0.92
"""How much less sure a label is as an answer than a value."""

_LONGEST_MOMENT: Final = 40
_BESIDE: Final = 9
"""Letters between a word and the number that it names: room for "number: "."""

_CLAUSES: Final = re.compile(r"[,;•|]\s+|\s+-\s+")


def look_up(page: Page, words: Iterable[str], shape: Shape) -> Finding | None:
    """The value that a page states for a question's own words, or None.

    Args:
        page: where to look.
        words: what the question calls the thing, in lower case.
        shape: the form of the answer; with TEXT any value does, and a whole sentence too.
    """
    asked = Asked.of(words, page, shape)
    if not asked.words:
        return None
    found = [
        *_among_entries(page, asked, shape),
        *_among_passages(page, asked, shape),
        *_turned_round(page, asked, shape),
    ]
    return max(found, key=lambda finding: finding.fit, default=None)


def _among_entries(page: Page, asked: Asked, shape: Shape) -> Iterator[Finding]:
    for entry in entries(page):
        coverage = asked.coverage(entry.label)
        value = _fitting(entry, shape) if coverage else None
        if value:
            strength = entry.strength
            if shape in _FORMS and value == entry.value.strip():
                strength = min(strength * _OF_THE_FORM, max(strength, _MOST))
            if shape is Shape.NUMBER and value != entry.value.strip(" .:#"):
                strength *= _PART_OF_A_TEXT
            if shape in _FORMS and any(find(each, entry.label) for each in _OWN_FORMS.get(shape, (shape,))):
                strength *= _SAYS_ITSELF
            # Where the layout does not tell, a label with other words in it labels something else.
            least = _OTHER_WORDS if entry.strength > _TOLD_BY_LAYOUT else _OTHER_WORDS_BELOW
            sure = strength * coverage**1.5 * (least + (1 - least) * asked.precision(entry.label))
            yield Finding(value, sure * min(box.score for box in entry.boxes), entry.boxes)


def _turned_round(page: Page, asked: Asked, shape: Shape) -> Iterator[Finding]:
    """Labels of what the question names: on a directory, the floor beside what is on it."""
    if shape not in {Shape.PLACE, Shape.TEXT}:
        return
    for entry in entries(page):
        label, value = entry.label.strip(), entry.value
        if entry.in_table or len(entry.boxes) != 2 or not is_worded(value) or len(label) > _LONGEST_CODE:  # noqa: PLR2004
            continue
        # "Which floor ...": the label must repeat what is asked for; "where" leaves it open.
        kind = [word for word in asked.words if best_match(word, tokens(label))]
        if looks_like_label(label) or find(Shape.MOMENT, label) or (shape is Shape.TEXT and not kind):
            continue
        rest = Asked(tuple(word for word in asked.words if word not in kind), asked.elsewhere)
        coverage = rest.coverage(value) if rest.words else 0.0
        if coverage:
            sure = _TURNED * entry.strength * coverage**1.5
            yield Finding(label, sure * min(box.score for box in entry.boxes), entry.boxes)


def _fitting(entry: Entry, shape: Shape) -> str | None:
    """The part of an entry's value that has the form asked for."""
    value = entry.value.strip()
    if not any(map(str.isalnum, value)):
        return None
    if shape is Shape.TEXT:
        return None if is_label(value) and entry.strength < 1 else value
    if shape in {Shape.NAME, Shape.PLACE}:
        named = is_worded(value) and not is_label(value) and not any(map(str.isdigit, value.split()[0]))
        return value if named or (shape is Shape.PLACE and is_worded(value)) else None
    if (
        shape is Shape.MOMENT
        and len(value) <= _LONGEST_MOMENT
        and find(Shape.DATE, value)
        and find(Shape.TIME, value)
    ):
        return value
    whole = _WHOLE.get(shape)
    if whole and whole(value):
        return value
    found = find(shape, value)
    return found[-1 if shape is Shape.AMOUNT else 0].text if found else None


def _is_measured(value: str) -> bool:
    """Whether a whole value is a number with a unit, even one that was read badly or that nobody listed."""
    return re.fullmatch(r"\d[\d.,]*\s?\w{1,5}", value) is not None


def _is_quantity(value: str) -> bool:
    return re.match(r"\W{0,3}\d", value) is not None and len(value) <= _LONGEST_CODE


_WHOLE: Final = {Shape.NUMBER: is_code, Shape.MEASURE: _is_measured, Shape.QUANTITY: _is_quantity}


def _among_passages(page: Page, asked: Asked, shape: Shape) -> Iterator[Finding]:
    for passage in passages(page):
        coverage = asked.coverage(passage.text)
        if not coverage:
            continue
        value = _said(passage, asked, shape)
        if value:
            sure = _SENTENCE * coverage**1.5 * (0.85 + 0.15 * asked.precision(passage.text))
            sure *= min(box.score for box in passage.boxes)
            if shape in {Shape.TEXT, Shape.NAME, Shape.PLACE} and _is_heading(page, passage):
                sure *= _HEADING
            yield Finding(value, sure, passage.boxes)


def _is_heading(page: Page, passage: Passage) -> bool:
    usual = statistics.median(box.height for box in page.boxes)
    return passage.boxes[0].height > 1.35 * usual or passage.boxes[0] is page.boxes[0]


def _said(passage: Passage, asked: Asked, shape: Shape) -> str | None:
    """What a sentence says of the form asked for; the whole sentence where any form does."""
    if shape is Shape.PLACE and not (find(Shape.ADDRESS, passage.text) or _AT_A_PLACE.search(passage.text)):
        return None
    if shape is Shape.NAME and not _NAMED.search(passage.text):
        return None
    if shape in {Shape.TEXT, Shape.NAME, Shape.PLACE}:
        said = passage.text
        bare = (
            (asked.precision(said) == 1.0 and "\n" not in said)
            or len(said) > _LONGEST_ANSWER
            or is_label(said)
        )
        return None if bare else said
    places = [
        match.span()
        for match in re.finditer(r"[^\W_]+", passage.text)
        if any(same_word(word, match.group()) for word in asked.words)
    ]
    values = find(shape, passage.text)
    if not values or not places:
        return None

    def distance(start: int, end: int) -> float:
        return min(_apart(passage.text, place, (start, end)) for place in places)

    nearest = min(values, key=lambda value: distance(value.start, value.start + len(value.text)))
    if shape is Shape.NUMBER and distance(nearest.start, nearest.start + len(nearest.text)) > _BESIDE:
        return None
    return nearest.text


def _apart(text: str, place: tuple[int, int], value: tuple[int, int]) -> float:
    """How far a value stands from a word: in letters, and much further in another clause or before it."""
    first, second = sorted((place, value))
    between = text[first[1] : second[0]]
    return len(between) + 40 * len(_CLAUSES.findall(between)) + (0 if first == place else 10)
