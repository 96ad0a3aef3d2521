"""Finding the value of a field on a page, by its label and by its shape.

A value stands in the label's own box, to the right of it or below it. How sure a finding is, is the product
of how well the label fits, how the value stands to it and how well the engine read both; for totals, also
of whether the other amounts agree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding
from firellava.reader.headings import company_names
from firellava.reader.phrases import end_of_words
from firellava.reader.values import Shape, amount_of, find, is_worded
from firellava.reader.vocabulary import FIELDS, is_label, label_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page
    from firellava.reader.vocabulary import Field

__all__ = ["field_value", "value_beside"]

# How sure it is that a value belongs to a label, by where it stands.
_IN_ROW: Final = 1.0
_BELOW: Final = 0.85

# How sure a value is that has no label, and one whose label is not in the vocabulary.
_UNLABELLED: Final = 0.75
_OWN_WORDS: Final = 0.9

_FILLER: Final = re.compile(
    r"\b(?:number|no|nr|num|id|code|ref|is|was|rm|usd|eur|gbp)\b|[\W\d_]", re.IGNORECASE
)
_TAX_TABLE: Final = re.compile(r"\b(?:gst|vat|tax)\s*(?:summary|analysis|breakdown)", re.IGNORECASE)


def field_value(page: Page, field: Field) -> Finding | None:
    """The value of a field of the vocabulary, or None where the page does not state it."""
    found = list(_labelled(page, field))
    if field.name == "total":
        found = _weighed_totals(page, found)
    if field.name == "company":
        found += company_names(page)
    if field.without_label:
        found += _unlabelled(page, field)
    return max(found, key=lambda finding: finding.confidence, default=None)


def _labelled(page: Page, field: Field) -> Iterator[Finding]:
    for box in page.boxes:
        label = _label_in(box.text, field)
        if label is None:
            continue
        rank, start, end = label
        fit = 0.98 - 0.1 * rank / len(field.labels)
        for text, value_box, relation in _beside(page, box, end, field.shape):
            label_ends = box.text.index(text, end) if value_box is box else len(box.text)
            # Other words around the label may mean that it labels something else.
            odd = len(_FILLER.sub("", box.text[:start])) + len(_FILLER.sub("", box.text[end:label_ends]))
            if odd and field.shape in {Shape.NUMBER, Shape.NAME}:
                continue
            boxes = (box,) if value_box is box else (box, value_box)
            sure = fit * relation * max(0.5, 1 - 0.02 * odd) * min(box.score for box in boxes)
            yield Finding(text, sure, boxes)


def _label_in(text: str, field: Field) -> tuple[int, int, int] | None:
    """Which label of the field a text has, where it begins and where it ends."""
    other = [match.span() for label in field.not_labels for match in label_pattern(label).finditer(text)]
    for rank, label in enumerate(field.labels):
        for match in label_pattern(label).finditer(text):
            if not any(start <= match.start() and match.end() <= end for start, end in other):
                return rank, match.start(), match.end()
    return None


def _beside(page: Page, label: TextBox, end: int, shape: Shape) -> Iterator[tuple[str, TextBox, float]]:
    """The values that stand with a label, nearest relation first: in its own box, to the right, below."""
    if shape in {Shape.NAME, Shape.TEXT}:
        yield from _words_beside(page, label, end)
        return
    inline = [value for value in find(shape, label.text) if value.start >= end]
    if inline:
        # The last amount of a line is the line's: "TOTAL 2 items 12.40 24.80".
        yield (inline[-1] if shape is Shape.AMOUNT else inline[0]).text, label, _IN_ROW
        return
    right = [(value.text, box) for box in page.right_of(label) for value in find(shape, box.text)]
    if right:
        text, box = right[-1] if shape is Shape.AMOUNT else right[0]
        if shape is not Shape.NUMBER or text == box.text.strip(" :#.") or box is page.right_of(label)[0]:
            yield text, box, _IN_ROW
        return
    below = page.below(label)
    values = find(shape, below.text) if below else ()
    if below and values and (shape is not Shape.NUMBER or values[0].text == below.text.strip(" :#")):
        yield values[0].text, below, _BELOW


def _words_beside(page: Page, label: TextBox, end: int) -> Iterator[tuple[str, TextBox, float]]:
    rest = label.text[end:].strip(" :.-#\t")
    if rest:
        if label.text[end:].lstrip().startswith((":", "-")):
            yield rest, label, _IN_ROW
        return
    right = page.right_of(label)
    if right and not is_label(right[0].text) and is_worded(right[0].text):
        yield right[0].text.strip(" :"), right[0], _IN_ROW
    below = page.below(label)
    if below and not is_label(below.text) and is_worded(below.text) and not re.search(r"\d", below.text):
        yield below.text.strip(" :"), below, _BELOW


def _weighed_totals(page: Page, totals: list[Finding]) -> list[Finding]:
    """Totals, each surer where the rest of the page agrees: what was paid, and what the parts add up to."""
    amounts = [amount_of(value.text) for box in page.boxes for value in find(Shape.AMOUNT, box.text)]
    expected = {
        sign * part + whole
        for names, sign in ((("cash paid", "change"), -1), (("subtotal", "tax"), 1))
        for whole in _stated(page, names[0])
        for part in _stated(page, names[1])
    }
    tax_table = next((at for at, row in enumerate(page.rows) if _TAX_TABLE.search(row.text)), len(page.rows))
    weighed = []
    for place, total in enumerate(totals):
        amount, label = amount_of(total.text), total.evidence[0]
        at, row = next((at, row) for at, row in enumerate(page.rows) if label in row.boxes)
        sure = total.confidence * (0.84 + 0.06 * (amounts.count(amount) > 1) + 0.1 * (amount in expected))
        # A row of several amounts adds up the columns of a table, such as the one of the taxes at the foot.
        sure *= 0.85 if sum(bool(find(Shape.AMOUNT, box.text)) for box in row.boxes) > 1 else 1
        sure *= 0.5 if at >= tax_table else 1
        sure *= 0.4 if not amount else 1
        # Of two that fit alike, the lower one: the total stands at the foot.
        weighed.append(Finding(total.text, sure * (0.99 + 0.01 * place / len(totals)), total.evidence))
    return weighed


def _stated(page: Page, name: str) -> list[Decimal]:
    field = next(field for field in FIELDS if field.name == name)
    return [amount for finding in _labelled(page, field) if (amount := amount_of(finding.text)) is not None]


def _unlabelled(page: Page, field: Field) -> list[Finding]:
    """Values told by their shape alone; each further different one on the page makes the first less sure."""
    # Words such as "due date" or "account" on the row say that the value is another field's.
    other_labels = [
        label
        for other in FIELDS
        if other.name != field.name and other.shape in {field.shape, Shape.NUMBER}
        for label in other.labels
        if " " in label or other.shape is Shape.NUMBER
    ]
    found: list[Finding] = []
    for row in page.rows:
        labelled_otherwise = any(label_pattern(label).search(row.text) for label in other_labels)
        for box in row.boxes:
            for value in find(field.shape, box.text):
                sure = _UNLABELLED * box.score
                if labelled_otherwise and field.shape in {Shape.DATE, Shape.PHONE}:
                    sure *= 0.5
                if field.shape is Shape.PHONE and value.text.isdigit():
                    sure *= 0.3
                found.append(Finding(value.text, sure, (box,)))
    different = {finding.text for finding in found}
    if field.shape in {Shape.EMAIL, Shape.WEBSITE} and len(different) == 1:
        return [Finding(found[0].text, 0.95 * found[0].evidence[0].score, found[0].evidence)]
    shared = 1 - 0.08 * min(len(different) - 1, 4)
    return [
        Finding(finding.text, finding.confidence * shared * (1 - 0.01 * place), finding.evidence)
        for place, finding in enumerate(found)
    ]


def value_beside(page: Page, words: Iterable[str], shape: Shape) -> Finding | None:
    """The value that stands with a label made of the question's own words.

    Args:
        page: where to look.
        words: all of these must stand in the label.
        shape: the form of the value. With TEXT the label must announce it with a colon, stand alone with it
            on its row, or be followed by something with a digit: words side by side are no label and value.
    """
    wanted = tuple(words)
    found = []
    for box in page.boxes:
        end = end_of_words(box.text, wanted)
        if end is None:
            continue
        label = box.text if shape is Shape.AMOUNT else box.text[:end]
        share = len(wanted) / max(len(re.findall(r"[^\W_]+", label)), len(wanted))
        for text, value_box, relation in _beside(page, box, end, shape):
            if shape is Shape.TEXT and value_box is not box and not _announces(page, box, text, relation):
                continue
            boxes = (box,) if value_box is box else (box, value_box)
            sure = _OWN_WORDS * relation * (0.6 + 0.4 * share) * min(box.score for box in boxes)
            found.append(Finding(text, sure, boxes))
    return max(found, key=lambda finding: finding.confidence, default=None)


def _announces(page: Page, label: TextBox, value: str, relation: float) -> bool:
    if label.text.rstrip().endswith(":"):
        return True
    alone = len(page.right_of(label)) == 1
    return relation == _IN_ROW and (alone or any(map(str.isdigit, value)))
