"""What a question asks for, told from its words alone.

The reader can quote text, and measure colours and size. Everything else (how many, who does what, why, which
is the highest) is recognised and declined before an image is even read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from firellava.reader import wording
from firellava.reader.beyond import COUNTING, SEEING, UNDERSTANDING, needs_beyond, speaks_of_a_scene
from firellava.reader.relevance import ASKING_WORDS
from firellava.reader.values import Shape
from firellava.reader.vocabulary import FIELDS, PRICE
from firellava.reader.words import stem, tokens

if TYPE_CHECKING:
    from firellava.reader.field_definition import Field

__all__ = ["Question", "Wants", "understand"]


class Wants(StrEnum):
    """The kind of answer a question wants."""

    FIELD = "a field of the vocabulary"
    VALUE = "the value that stands beside the question's own words"
    MENTION = "the line that speaks of the question's own words"
    TRANSCRIPT = "everything that is written"
    TITLE = "the heading"
    LIST = "every value of one shape"
    ITEMS = "the lines of what was bought"
    LANGUAGE = "the language of the text"
    PRESENCE = "whether something is written"
    COLOUR = "the colours"
    SIZE = "the size in pixels"
    BEYOND = "something the reader cannot do"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, understood.

    Attributes:
        wants: the kind of answer.
        field: the field asked for, with FIELD and with PRESENCE of a field.
        words: the question's own words for what it wants, in lower case.
        narrowing: those of `words` that not every question for the field has.
        purpose: words for what one calls a number for: written in other words, if at all.
        shape: the form the answer should have, with FIELD, VALUE and LIST.
        phrase: the text whose presence is asked for, with PRESENCE; empty where any text would do.
        beyond: what it would take to answer, with BEYOND, and with VALUE where no text says it.
        image: which of several images is meant, counted from 0, or None where the question does not say.
    """

    wants: Wants
    field: Field | None = None
    words: tuple[str, ...] = ()
    narrowing: tuple[str, ...] = ()
    purpose: tuple[str, ...] = ()
    shape: Shape = Shape.TEXT
    phrase: str = ""
    beyond: str = ""
    image: int | None = None


_LONGEST: Final = 1000
"""Characters of a question that are looked at, from its end: what is longer is not one question."""


def understand(question: str) -> Question:
    """Tell what a question asks for.

    Args:
        question: one question, without the prompt around it; see `firellava.reader.prompts.last_question`.
    """
    asked = re.sub(r"\s+", " ", question[-_LONGEST:]).strip().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    understood = next(found for rule in _RULES if (found := rule(asked)))
    return replace(understood, image=_which_image(asked.lower()))


def _presence(asked: str) -> Question | None:
    lower = asked.lower().rstrip(" ?.!")
    if there_is := wording.THERE_IS.match(lower):
        wanted = there_is["rest"]
        if re.fullmatch(r"(?:\w+ )?(?:text|words|writing|lettering)", wanted):
            return Question(Wants.PRESENCE)
        if field := _field_asked(wanted):
            return Question(Wants.PRESENCE, field=field)
    if not wording.YES_OR_NO.match(lower):
        return None
    if quoted := wording.QUOTED.search(asked):
        return Question(Wants.PRESENCE, phrase=(quoted[1] or quoted[2]).strip())
    if says := wording.ABOUT.search(lower) or wording.SAYS.match(lower) or wording.IS_THIS.match(lower):
        phrase = re.sub(r"^(?:(?:the )?(?:words?|phrase|text)|an?|any|the|that) ", "", says["rest"])
        phrase = wording.PLACE.sub("", phrase)
        return Question(Wants.PRESENCE, phrase=phrase, field=_field_asked(phrase), words=_words(phrase))
    return None


def _measurement(asked: str) -> Question | None:
    lower = asked.lower()
    if wording.SIZE.search(lower):
        return Question(Wants.SIZE)
    if wording.COLOUR.search(lower) and needs_beyond(lower) != "counting":
        return Question(Wants.COLOUR, words=_coloured(lower))
    return None


def _reading(asked: str) -> Question | None:
    lower = asked.lower()
    if mention := wording.MENTION.search(lower):
        return Question(Wants.MENTION, words=_words(mention["rest"]))
    if wording.TRANSCRIPT.search(lower) and needs_beyond(lower) != "translating":
        return Question(Wants.TRANSCRIPT)
    return None


def _several(asked: str) -> Question | None:
    lower = asked.lower()
    if wording.LANGUAGE.search(lower):
        return Question(Wants.LANGUAGE)
    if wording.ITEMS.search(lower) and needs_beyond(lower) is None:
        return Question(Wants.ITEMS)
    shape = next((shape for pattern, shape in wording.PLURALS if pattern.search(lower)), None)
    return Question(Wants.LIST, shape=shape) if shape and wording.LIST.search(lower) else None


def _beyond(asked: str) -> Question | None:
    lower = asked.lower()
    needed = needs_beyond(lower)
    if needed == COUNTING and (words := _words(wording.HOW_MANY.sub(" ", lower))):
        # "Refills: 0" answers how many refills are left; things in a picture are not counted.
        return Question(Wants.VALUE, words=words, shape=Shape.COUNT, beyond=needed)
    return Question(Wants.BEYOND, beyond=needed) if needed else None


def _title_or_field(asked: str) -> Question | None:
    lower = asked.lower()
    if named := wording.NAMED.match(lower):
        return Question(Wants.TITLE, words=(named["rest"] or named["alone"],))
    if wording.TITLE.search(lower):
        return Question(Wants.TITLE, words=("subject",) if "subject" in lower else ())
    field = None if wording.HOW_MEASURED.match(lower) else _field_asked(lower)
    if field is None:
        return None
    shape = field.shape
    if shape is Shape.DATE and wording.WHEN.match(lower):
        shape = Shape.MOMENT
    elif shape is Shape.DATE and "what day" in lower:
        shape = Shape.DAY
    words = _words(lower)
    called = wording.CALL_FOR.search(lower) if field.shape is Shape.PHONE else None
    purpose = _words(called["rest"]) if called else ()
    words = tuple(word for word in words if word not in purpose)
    narrowing = tuple(
        word for word in words if stem(word) not in _own_words(field) and word not in ASKING_WORDS
    )
    return Question(Wants.FIELD, field=field, words=words, narrowing=narrowing, purpose=purpose, shape=shape)


def _value(asked: str) -> Question:
    lower = asked.lower()
    beyond = SEEING if speaks_of_a_scene(lower) else ""
    words, shape = _words(lower) or _nouns(lower), _shape_asked(lower)
    if not set(words) - {"price"} and shape is Shape.AMOUNT:
        return Question(Wants.FIELD, field=PRICE, shape=shape)
    if (
        not words
        or wording.YES_OR_NO.match(lower)
        or (re.match(r"how\b", lower) and not wording.HOW.match(lower))
    ):
        return Question(Wants.BEYOND, beyond=beyond or UNDERSTANDING)
    return Question(Wants.VALUE, words=words, shape=shape, beyond=beyond)


# The first rule that knows the question has it; the last one knows them all.
_RULES: Final = (_presence, _measurement, _reading, _several, _beyond, _title_or_field, _value)


def _field_asked(lower: str) -> Field | None:
    return next((field for field in FIELDS if any(re.search(asked, lower) for asked in field.asked)), None)


def _shape_asked(lower: str) -> Shape:
    return next((shape for pattern, shape in wording.SHAPE_WORDS if pattern.search(lower)), Shape.TEXT)


_PRICED: Final = re.compile(r"\bhow much\b.*\bcosts?\b|\bprice\b|\bcosts?\b")
_PRICES: Final = frozenset(("fee", "fees", "fare", "charge", "charges", "rate", "amount"))


def _words(lower: str) -> tuple[str, ...]:
    """The words of a question that tell what it wants."""
    found = [word.removesuffix("'s") for word in tokens(lower)]
    wanted = [word for word in found if word not in wording.STOP_WORDS]
    if _PRICED.search(lower) and not _PRICES.intersection(wanted):
        wanted.append("price")
    if lower.startswith("how old"):
        wanted.append("age")
    if wording.WHEN.match(lower):
        wanted.append("when")
    if lower.startswith("where"):
        wanted.append("where")
    return tuple(wanted)


def _nouns(lower: str) -> tuple[str, ...]:
    """The words that are too common to tell one thing from another, where a question has no others."""
    return tuple(word for word in tokens(lower) if word in wording.COMMON_NOUNS)


@lru_cache(maxsize=128)
def _own_words(field: Field) -> frozenset[str]:
    # The kind of company that is asked for is a hint: a bakery may say that it is one.
    asked = () if field.name == "company" else field.asked
    said = re.sub(r"\\[a-z]", " ", " ".join((field.name, *field.labels, *asked)))
    return frozenset(stem(word) for word in (*re.findall(r"[a-z]{2,}", said), *field.name.split()))


def _coloured(lower: str) -> tuple[str, ...]:
    """The words for what has the colour; a sign in a picture is such a thing, the picture itself is not."""
    without = re.sub(rf"\b{wording.PICTURE}s?\b|{wording.COLOUR.pattern}", " ", lower)
    return tuple(
        word for word in re.findall(r"[^\W_]+", without) if word not in wording.STOP_WORDS - wording.PAPERS
    )


def _which_image(lower: str) -> int | None:
    match = wording.WHICH_IMAGE.search(lower)
    if match is None:
        return None
    return int(match["digit"]) - 1 if match["digit"] else wording.ORDINALS.index(match["word"])
