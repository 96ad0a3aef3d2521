"""When two words count as the same: endings do not matter, and some words stand for one another.

People ask "how much does it weigh" and the label says "Weight"; they ask for the destination and the ticket
says "To". Endings are stripped rather than looked up, so that words nobody listed are matched too.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["best_match", "days_between", "same_word", "stem", "tokens"]

_SIMILAR: Final = 0.88
"""Share of letters that two long words must have in common to count as one that was read with a mistake."""

_LONG: Final = 6
"""Letters from which a word is long: in a shorter one, another letter makes another word."""

_SHORTEST_STEM: Final = 3

# The longer ending first. What is left of a word must have `_SHORTEST_STEM` letters.
_ENDINGS: Final = (
    "ations", "ation", "ments", "ment", "ings", "ing", "ures", "ure", "ions", "ion", "ances", "ance",
    "ants", "ant", "ies", "ers", "ors", "ed", "er", "or", "es", "ic", "ly", "'s", "s", "y", "e",
)  # fmt: skip

# Each line is one thing that questions and documents have several words for.
_SYNONYMS: Final = """
    price cost fee fare charge rate amount
    monday mon
    tuesday tue tues
    wednesday wed
    thursday thu thurs
    friday fri
    saturday sat
    sunday sun
    january jan
    february feb
    august aug
    september sep sept
    october oct
    november nov
    december dec
    telephone phone tel mobile cell cellphone
    email mail
    website web url homepage site
    destination to arriving
    origin from departing
    sender from
    depart departs departure departing leave leaves leaving
    arrive arrives arrival
    start starts begin begins commence
    enter entry entrance admission
    contact call
    register registration enrol enrolment
    book booking bookings reserve reservation reservations
    batch lot
    store stored storage keep
    purpose reason
    journey trip travel
    department dept
    organise organiser organize organizer host
    postcode zip postal
    town city
    nutrition nutritional
    pay payable payment
    end ends finish finishes until
    weigh weighs weight heavy
    high height tall clearance
    deep depth
    fast speed
    wide width
    long length duration
    doctor dr physician practitioner prescriber
    medicine medication drug
    profession occupation job
    surname last family
    firstname first given forename
    licence license registration
    plate licence license
    car vehicle
    film movie
    place venue location where
    address location
    when date time
    expire expires expiry expiration
    number no nr num # id
    reference ref
    quantity qty
    password passcode
    ram memory
    os system
    teacher instructor
    speaker presenter
    employer company
    salary wage
    rent rental
    issue issued
    born birth
    age aged old
    nationality citizenship
    sex gender
    deadline due
    delivery delivered deliver
    shipped ship shipping dispatched
    topic subject re
    allergen allergens contains
    called name
    size dimensions
    prescription rx
    manufacturer maker producer producent made
    floor level storey
    boarding board
    invoice bill
"""


def stem(word: str) -> str:
    """A word without case and ending, so that "operated" and "operates" become one.

    Args:
        word: one word. Words with digits are only put in lower case.
    """
    return _stem(word.lower())


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    if any(map(str.isdigit, word)):
        return word
    for _ in range(3):  # "sponsored" has two endings and looks as if it had three
        ending = next((end for end in _ENDINGS if word.endswith(end)), "")
        if len(word) - len(ending) >= _SHORTEST_STEM:
            word = word.removesuffix(ending)
        if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "aeiouls":
            word = word[:-1]  # "stopped" and "stop"
    return word


def _groups() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, line in enumerate(_SYNONYMS.strip().splitlines()):
        for word in line.split():
            found.setdefault(_stem(word), set()).add(number)
    return {word: frozenset(groups) for word, groups in found.items()}


_GROUPS: Final = _groups()


@lru_cache(maxsize=16384)
def same_word(asked: str, written: str) -> float:
    """How well a written word matches one of a question: 1.0 the same, less for a synonym, 0.0 not at all.

    Args:
        asked: a word of the question.
        written: a word of the image, which may have been read with a mistake.
    """
    first, second = _stem(asked.lower()), _stem(written.lower())
    if first == second:
        return 1.0
    if _GROUPS.get(first, frozenset()) & _GROUPS.get(second, frozenset()):
        return 0.85
    if min(len(asked), len(written)) < _LONG or any(map(str.isdigit, asked + written)):
        return 0.0
    return 0.9 if SequenceMatcher(None, asked.lower(), written.lower()).ratio() >= _SIMILAR else 0.0


def tokens(text: str) -> list[str]:
    """The words and numbers of a text; "12.50" and "O'Brien" are one each."""
    return re.findall(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}.,:/-][^\W_]+)*", text)


_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS: Final = re.compile(
    r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?\s?(?:-|\N{EN DASH}|to|through|until)\s?(mon|tue"
    r"|wed|thu|fri|sat|sun)",
    re.IGNORECASE,
)
_WORKING_DAYS: Final = 5


def days_between(text: str) -> list[str]:
    """The days that a span such as "Mon - Fri" covers, by their short names, and what these are called."""
    found: list[str] = []
    for first, last in _DAYS.findall(text):
        start, end = _WEEK.index(first.lower()), _WEEK.index(last.lower())
        covered = [_WEEK[at % 7] for at in range(start, end + 1 if end >= start else end + 8)]
        found += covered
        if covered == list(_WEEK[:_WORKING_DAYS]):
            found += ["weekdays", "weekday"]
    return found


def best_match(asked: str, written: Iterable[str]) -> float:
    """How well the best of several written words matches one of a question."""
    return max((same_word(asked, word) for word in written), default=0.0)
