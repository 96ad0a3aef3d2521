"""Which part of a page answers a question, and how likely that is.

Each kind of question has its finder; what they find is weighed in one measure, so that a field's label, the
question's own words and the look of the page compete fairly.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from firellava.reader.confidence import FITS_ENOUGH
from firellava.reader.fields import field_value
from firellava.reader.findings import Finding
from firellava.reader.headings import heading
from firellava.reader.lists import every, items
from firellava.reader.lookup import look_up
from firellava.reader.phrases import line_about, written
from firellava.reader.questions import Question, Wants
from firellava.reader.relevance import GENERAL_WORDS, Asked
from firellava.reader.standalone import standing_alone
from firellava.reader.values import Shape

if TYPE_CHECKING:
    from firellava.reader.field_definition import Field
    from firellava.reader.layout import Page

__all__ = ["best_finding", "presence"]


_ONE_ADDRESS: Final = 0.8
_SURELY_CALLED: Final = 0.85
"""How well a label must fit what the question calls the thing, so that its value is the name and no other."""

_MESSAGE: Final = re.compile(r"\W*(?:to|cc|sent|dear|re)\b", re.IGNORECASE)


def best_finding(asked: Question, page: Page) -> Finding | None:
    """The part of a page that answers best, or None where nothing on it has the form of an answer.

    Args:
        asked: a question that wants a part of the text.
        page: a page with text.
    """
    match asked.wants:
        case Wants.FIELD if asked.field:
            return _field(asked, asked.field, page)
        case Wants.MENTION:
            return line_about(page, asked.words)
        case Wants.TITLE:
            return _title(asked, page)
        case Wants.LIST:
            return every(page, asked.shape)
        case Wants.ITEMS:
            return items(page)
        case _:
            return _surest(
                look_up(page, asked.words, asked.shape),
                _only_address(asked, page),
                standing_alone(page, asked.words, asked.shape),
            )


def _field(asked: Question, field: Field, page: Page) -> Finding | None:
    known = field_value(page, field, asked.narrowing, asked.shape, purpose=asked.purpose)
    # What narrows the question down may be what the page calls it: "previous balance", "last update".
    unknown = known is None or known.fit < FITS_ENOUGH
    other = look_up(page, asked.words, asked.shape) if asked.narrowing or unknown else None
    if unknown and asked.words:
        other = _surest(other, standing_alone(page, asked.words, asked.shape))
    return _surest(known, other)


def _only_address(asked: Question, page: Page) -> Finding | None:
    """The one address of a page, for a question that asks where."""
    known = every(page, Shape.ADDRESS) if asked.shape is Shape.PLACE else None
    if known is None or "\n" in known.text:
        return None
    # A page that does not speak of the concert does not say where it takes place.
    narrowed = replace(Asked.of(asked.words, page, Shape.PLACE), weighty=GENERAL_WORDS).fit(known.text)
    return replace(known, fit=_ONE_ADDRESS * known.fit * narrowed)


def _title(asked: Question, page: Page) -> Finding | None:
    own = asked.words if asked.words != ("subject",) else ()
    called = look_up(page, own, Shape.TEXT)
    if called and called.fit > _SURELY_CALLED:
        return called
    if named := _surest(look_up(page, ("title",), Shape.TEXT), look_up(page, ("subject",), Shape.TEXT)):
        return named
    # Only messages have a subject, and an e-mail prints its own without a label.
    if asked.words == ("subject",) and not any(_MESSAGE.match(row.text) for row in page.rows):
        return None
    return heading(page)


def _surest(*findings: Finding | None) -> Finding | None:
    return max((each for each in findings if each), key=lambda each: each.fit, default=None)


def presence(asked: Question, page: Page) -> Finding | None:
    """Where the page says what is asked for: a phrase, a field, or any text at all."""
    if asked.phrase:
        found = written(page, asked.phrase) or line_about(page, asked.words)
        if found or not asked.field:
            return found
    if asked.field:
        return field_value(page, asked.field)
    first = page.boxes[0]
    return Finding(first.text, first.score, (first,))
