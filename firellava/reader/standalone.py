"""Values that no label announces: the one date of a poster, the volume on a bottle, the speaker's name.

They answer only where the page has one of the kind, and only where everything else that the question names is
written somewhere on the page: a poster with one date says when its concert is, and not when its sale ends.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding
from firellava.reader.relevance import EVENTS, Asked
from firellava.reader.values import Shape, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["standing_alone"]

_ALONE: Final = 0.78
"""How sure a value is that is the only one of its kind, and that nothing else on its line explains."""

_ONE_OF_MANY: Final = 0.85
"""How much less sure it is where the page has more, but only inside of sentences."""

_VENUE: Final = re.compile(
    r"\b(?:hall|theat(?:re|er)|studio|park|garden|gardens|arena|stadium|centre|center|house|museum"
    r"|gallery|library"
    r"|school|church|hotel|club|castle|lake|beach|square|room|cinema|market|pavilion|barn|mill"
    r"|station|field)\b",
    re.IGNORECASE,
)
_PERSON: Final = re.compile(
    r"(?:(?:with|by|led by|presented by|taught by|written by|an? \w+ by|speaker)\s+)?"
    r"(?P<name>(?P<title>(?:dr|prof|mr|mrs|ms"
    r"|mx)\b\.?\s+)?(?-i:[^\W\d_a-z][\w.'-]*)(?:\s(?-i:[^\W\d_a-z][\w.'-]*)){0,3})",
    re.IGNORECASE,
)
_NAMED_ROLES = """
    artist author host hosts instructor lecturer person presented presenter presenting presents speaker speaks
    taught teacher teaches teaching trainer writer written wrote
"""
_ROLES: Final = frozenset(_NAMED_ROLES.split())
"""What a person is who is named on a page without a label."""

_UNITS: Final = (
    (frozenset(("temperature", "warm", "cold", "hot")), re.compile(r"°\s?[CF]?|degrees")),
    (
        frozenset(
            ("bottle", "box", "can", "container", "jar", "pack", "packet", "tin", "tube", "bag", "volume")
        ),
        re.compile(r"(?:ml|cl|l|litres?|liters?|fl oz|g|kg|oz|lbs?)\b", re.IGNORECASE),
    ),
    (frozenset(("weigh", "weight", "heavy")), re.compile(r"(?:g|kg|oz|lbs?|t)\b", re.IGNORECASE)),
    (frozenset(("alcohol",)), re.compile(r"%")),
)
"""Words of a question, and the units of what they ask for."""

_VOLUME: Final = re.compile(r"(?:net|volume|contents?|weight)\b", re.IGNORECASE)
"""What labels the measure of a whole package."""

_CLOSE: Final = re.compile(
    r"\W*(?:yours|sincerely|kind|best|warm) ?(?:sincerely|faithfully|truly|regards|wishes)?\W*$",
    re.IGNORECASE,
)
"""How a letter ends before it is signed."""

_MEASURED: Final = re.compile(
    r"(?P<number>[-+\N{MINUS SIGN}]?\d[\d.,]*)\s?(?P<unit>[^\W\d]+|%|°\s?[CF]?)[^\d:]{0,8}"
)


def standing_alone(page: Page, words: Sequence[str], shape: Shape) -> Finding | None:
    """The one value of a kind that a page has, for a question that names nothing the page does not.

    Args:
        page: where to look.
        words: what the question calls the thing, in lower case.
        shape: the form of the answer.
    """
    found, told = None, frozenset[str]()
    if shape is Shape.MOMENT:
        found = _only(page, Shape.DATE) or _only(page, Shape.MOMENT)
    elif shape in {Shape.DATE, Shape.TIME, Shape.DAY}:
        found = _only(page, shape)
    elif shape is Shape.PLACE:
        found = _only_place(page)
    elif shape is Shape.AMOUNT:
        found = _only(page, shape)
    elif shape is Shape.NAME and "signed" in words:
        told, found = frozenset(("signed",)), _signature(page)
    elif shape is Shape.NAME:
        told = _ROLES
        found = _only_person(page) if _ROLES.intersection(words) else None
    elif shape in {Shape.MEASURE, Shape.QUANTITY, Shape.TEXT}:
        asked = next((each for each in _UNITS if each[0].intersection(words)), None)
        if asked:
            told, found = asked[0], _only_measure(page, asked[1])
    if found is None:
        return None
    others = tuple(word for word in words if word not in told)
    # A page that does not speak of the concert does not say when it takes place.
    asks = replace(Asked.of(others, page, shape), weighty=EVENTS)
    return replace(found, fit=found.fit * asks.fit(found.text))


def _only(page: Page, shape: Shape) -> Finding | None:
    """The only value of a shape, or the only one that has a line of its own."""
    boxes = [(value.text, box) for box in page.boxes for value in find(shape, box.text)]
    own = [(text, box) for text, box in boxes if _is_whole(text, box) and not _labelled(page, box)]
    for candidates, sure in ((own, _ALONE), (boxes, _ALONE * 0.9)):
        if len({re.sub(r"\W", "", text) for text, _ in candidates}) == 1:
            text, box = candidates[0]
            return _found(text, (box,), sure if len(candidates) == len(boxes) else sure * _ONE_OF_MANY)
    return None


def _is_whole(text: str, box: TextBox) -> bool:
    return len(re.sub(r"\W", "", text)) * 10 >= len(re.sub(r"\W", "", box.text)) * 7


def _labelled(page: Page, box: TextBox) -> bool:
    """Whether something stands before a box in its row: it is the value of that, then."""
    return any(box in row.boxes[1:] for row in page.rows)


def _label(page: Page, box: TextBox) -> str:
    return next(
        (before.text for row in page.rows for before, one in itertools.pairwise(row.boxes) if one is box), ""
    )


def _only_place(page: Page) -> Finding | None:
    """The only line that names a venue or an address; of both, the venue."""
    boxes = [box for box in page.boxes if not _is_prose(box.text) and not _labelled(page, box)]
    for names in (_is_venue, lambda text: bool(find(Shape.ADDRESS, text))):
        named = [box for box in boxes if names(box.text)]
        if len(named) == 1:
            return _found(named[0].text, tuple(named), _ALONE)
    return None


def _is_venue(text: str) -> bool:
    venue = _VENUE.search(text)
    # "The Old Mill Studio, Room 3": a name, and not a kind of place alone.
    return venue is not None and text[:1].isupper() and len(text.split()) > 1 and not find(Shape.MOMENT, text)


def _is_prose(text: str) -> bool:
    return len(text.split()) > 8 or text.rstrip().endswith((".", "!", "?", ":"))  # noqa: PLR2004 - as lines of posters


def _only_person(page: Page) -> Finding | None:
    named = [
        (match, box)
        for box in page.boxes
        if (match := _PERSON.fullmatch(box.text.strip())) and (match["title"] or match.start("name"))
    ]
    if len(named) != 1:
        return None
    ((match, box),) = named
    return _found(match["name"], (box,), _ALONE)


def _signature(page: Page) -> Finding | None:
    """The name under the close of a letter."""
    for closing, row in itertools.pairwise(page.rows):
        if _CLOSE.match(closing.text) and _PERSON.fullmatch(row.text.strip()):
            return _found(row.text, (*closing.boxes, *row.boxes), _ALONE)
    return None


def _only_measure(page: Page, unit: re.Pattern[str]) -> Finding | None:
    """The only line that is a number with one of the units; of several, the one that is larger."""
    named = sorted(
        (
            box
            for box in page.boxes
            if (match := _MEASURED.fullmatch(box.text.strip())) and unit.match(match["unit"])
            if not _labelled(page, box) or _VOLUME.match(_label(page, box))
        ),
        key=lambda box: -box.height,
    )
    if not named or (len(named) > 1 and named[0].height < 1.2 * named[1].height):
        return None
    return _found(named[0].text, (named[0],), _ALONE)


def _found(text: str, boxes: tuple[TextBox, ...], sure: float) -> Finding:
    return Finding(text, sure * min(box.score for box in boxes), boxes)
