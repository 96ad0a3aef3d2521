"""Finding the value of a field on a page, by its label and by its shape.

How sure a finding is, is the product of how well the label fits, how the value stands to it, how well the
engine read both, and how far the page repeats what else the question says: of opening hours, those in the
line for Saturday where it asks for Saturday.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from firellava.reader.entries import entries
from firellava.reader.findings import Finding
from firellava.reader.issuers import company_names
from firellava.reader.labels import is_label, label_pattern
from firellava.reader.passages import passages
from firellava.reader.relevance import GENERAL_WORDS, Asked
from firellava.reader.totals import totals
from firellava.reader.values import Shape, Value, find, is_code, is_worded
from firellava.reader.vocabulary import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firellava.reader.boxes import TextBox
    from firellava.reader.entries import Entry
    from firellava.reader.field_definition import Field
    from firellava.reader.layout import Page

__all__ = ["field_value", "unlabelled"]

# How sure a value is that has no label, and one that stands after its label in one box, without a colon.
_UNLABELLED: Final = 0.75
_FOLLOWS: Final = 0.97

_SURELY: Final = 0.85
"""How strong an entry is whose value may hold more than the number asked for."""

_PREPOSITIONS: Final = ("by", "to", "from", "dear", "attn", "attention")
"""Labels that end in one of these need no colon before a name."""

_FILLER: Final = re.compile(
    r"\b(?:number|no|nr|num|id|code|ref|is|was|rm|usd|eur|gbp|your|our|member|guest|patient|passenger"
    r"|employee|student"
    r"|applicant|account|card|policy)\b|[\W\d_]",
    re.IGNORECASE,
)
_ANOTHER_PURPOSE: Final = 0.5
_CLAUSE: Final = re.compile(r"[,;:|•·]\s|[.!?]\s")
_YEAR: Final = re.compile(r"\d{4}|'\d\d|\d\W\d+\W\d")


_BUYER: Final = next(field for field in FIELDS if field.name == "buyer")


def field_value(
    page: Page,
    field: Field,
    words: Sequence[str] = (),
    shape: Shape | None = None,
    *,
    purpose: Sequence[str] = (),
) -> Finding | None:
    """The value of a field of the vocabulary, or None where the page does not state it.

    Args:
        page: where to look.
        field: what to look for.
        words: what else the question says, in lower case.
        shape: the form of the value, where the question wants another than the field's own.
        purpose: words that prefer the lines that have them, and say nothing where no line does.
    """
    shape = shape or field.shape
    found = [*_labelled(page, field, shape), *_following(page, field, shape)]
    if field.name == "total":
        found = totals(page, found)
    if field.name == "company":
        buyers = {finding.evidence[-1] for finding in _labelled(page, _BUYER, Shape.NAME)}
        found += [name for name in company_names(page, words) if not buyers.intersection(name.evidence)]
    if field.without_label:
        found += unlabelled(page, field, shape)
    kinds = field.name == "company"
    asked = Asked.of([word for word in words if not (kinds and word in GENERAL_WORDS)], page, shape)
    return max(
        (_qualified(page, _aimed(page, finding, purpose), asked, strict=not kinds) for finding in found),
        key=lambda finding: finding.fit,
        default=None,
    )


def _aimed(page: Page, finding: Finding, purpose: Sequence[str]) -> Finding:
    """A finding, less sure where its passage says nothing of the purpose and another one does."""
    said = [
        passage for passage in passages(page) if Asked.of(purpose, page, Shape.TEXT).coverage(passage.text)
    ]
    spoken = any(box in passage.boxes for passage in said for box in finding.evidence)
    return finding if not said or spoken else replace(finding, fit=finding.fit * _ANOTHER_PURPOSE)


def _qualified(page: Page, finding: Finding, asked: Asked, *, strict: bool) -> Finding:
    """A finding, less sure where the rest of the question does not stand with it."""
    rows = [row.text for row in page.rows if any(box in row.boxes for box in finding.evidence)]
    narrowed = asked.fit(" ".join((*rows, *(box.text for box in finding.evidence))), strict=strict)
    return replace(finding, fit=finding.fit * narrowed)


def _labelled(page: Page, field: Field, shape: Shape) -> Iterator[Finding]:
    """Values that the layout sets beside or below one of the field's labels."""
    for entry in entries(page):
        label = None if entry.in_table else _label_in(entry.label, field)
        value = _fitting(entry, shape) if label else None
        if label is None or value is None:
            continue
        rank, start, end = label
        # Other words around the label may mean that it labels something else.
        odd = len(_FILLER.sub("", entry.label[:start] + entry.label[end:]))
        if odd and shape in {Shape.NUMBER, Shape.NAME}:
            continue
        sure = (0.98 - 0.1 * rank / len(field.labels)) * entry.strength * max(0.5, 1 - 0.02 * odd)
        yield Finding(value, sure * min(box.score for box in entry.boxes), entry.boxes)


def _label_in(text: str, field: Field) -> tuple[int, int, int] | None:
    """Which label of the field a text has, where it begins and where it ends."""
    other = [match.span() for label in field.not_labels for match in label_pattern(label).finditer(text)]
    for rank, label in enumerate(field.labels):
        for match in label_pattern(label).finditer(text):
            if not any(start <= match.start() and match.end() <= end for start, end in other):
                return rank, match.start(), match.end()
    return None


def _fitting(entry: Entry, shape: Shape) -> str | None:
    """The part of an entry's value that has the form of the field."""
    value = entry.value.strip(" :-#\t")
    if shape in {Shape.NAME, Shape.TEXT}:
        return value if is_worded(value) and not is_label(value) else None
    if shape is Shape.NUMBER and is_code(value):
        return value
    found = find(shape, value)
    if not found:
        return None
    if (
        shape is Shape.NUMBER
        and found[0].text != value.rstrip(".")
        and (found[0].start or entry.strength < _SURELY)
    ):
        return None
    # The last amount of a line is the line's: "TOTAL 2 items 12.40 24.80".
    return found[-1 if shape is Shape.AMOUNT else 0].text


def _following(page: Page, field: Field, shape: Shape) -> Iterator[Finding]:
    """Values that follow a label in one box, without a colon between them."""
    for box in page.boxes:
        label = _label_in(box.text, field)
        if label is None:
            continue
        rank, start, end = label
        value = _value_after(box.text, end, shape)
        if value is None:
            continue
        # "Paid with a card ending in 7702": what comes before such words does not matter.
        before = "" if box.text[start:end].lower().endswith(" in") else _CLAUSE.split(box.text[:start])[-1]
        odd = len(_FILLER.sub("", before + box.text[end : value.start]))
        if odd and shape in {Shape.NUMBER, Shape.NAME}:
            continue
        sure = (0.98 - 0.1 * rank / len(field.labels)) * _FOLLOWS * max(0.5, 1 - 0.02 * odd)
        yield Finding(value.text, sure * box.score, (box,))


def _value_after(text: str, end: int, shape: Shape) -> Value | None:
    if shape in {Shape.NAME, Shape.TEXT}:
        rest = text[end:].strip(" .,")
        announced = text[:end].lower().endswith(_PREPOSITIONS) and not text[:1].islower()
        return (
            Value(rest, text.index(rest, end)) if announced and is_worded(rest) and ":" not in rest else None
        )
    values = [value for value in find(shape, text) if value.start >= end]
    if not values:
        return None
    return values[-1] if shape is Shape.AMOUNT else values[0]


def unlabelled(page: Page, field: Field, shape: Shape) -> list[Finding]:
    """Values told by their shape alone; each further different one on the page makes the first less sure."""
    # Words such as "due date" or "account" on the row say that the value is another field's.
    alike = _labels_of(field, field.shape)
    numbers = _labels_of(field, Shape.NUMBER)
    found: list[Finding] = []
    for row in page.rows:
        otherwise = 1.0
        if field.shape in {Shape.DATE, Shape.PHONE}:
            otherwise *= 0.4 if any(label_pattern(label).search(row.text) for label in alike) else 1
            number = any(label_pattern(label).search(row.text) for label in numbers)
            otherwise *= 0.4 if number and field.shape is Shape.PHONE else 0.85 if number else 1
        for box in row.boxes:
            for value in find(shape, box.text):
                sure = _UNLABELLED * box.score * otherwise * _trust(value, box, row.text, shape)
                found.append(Finding(value.text, sure, (box,)))
    different = {re.sub(r"\W", "", finding.text) for finding in found}
    if field.shape in {Shape.EMAIL, Shape.WEBSITE} and len(different) == 1:
        return [replace(found[0], fit=0.95 * found[0].evidence[0].score)]
    shared = 1 - 0.08 * min(len(different) - 1, 4)
    return [
        replace(finding, fit=finding.fit * shared * (1 - 0.01 * min(place, 20)))
        for place, finding in enumerate(found)
    ]


@lru_cache(maxsize=64)
def _labels_of(field: Field, shape: Shape) -> tuple[str, ...]:
    """What labels the values of other fields of a shape; a single word only where numbers are meant."""
    return tuple(
        label
        for other in FIELDS
        if other.name != field.name and other.shape is shape
        for label in other.labels
        if " " in label or shape is Shape.NUMBER
    )


def _trust(value: Value, box: TextBox, row: str, shape: Shape) -> float:
    """How far a value without a label is to be trusted for its form."""
    if shape is Shape.PHONE:
        # Digits in a row, or in groups of four behind letters, number other things more often.
        telling = re.search(r"[+()]|^0|^\d{3,5}$|\b\d{3}\W\d{3}\W\d{4}\b", value.text)
        behind = re.search(r"[A-Z#]\s*$", box.text[: value.start])
        return 1.0 if telling and not behind else 0.3
    if shape in {Shape.DATE, Shape.MOMENT}:
        with_time = 1.1 if find(Shape.TIME, row) else 1.0
        return (1.0 if _YEAR.search(value.text) else 0.8) * with_time
    return 1.0
