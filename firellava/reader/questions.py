"""What a question asks for, told from its words alone.

The reader can quote text, and measure colours and size. Everything else (how many, who does what, why, which
is the highest) is recognised and declined before an image is even read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from firellava.reader.beyond import SEEING, UNDERSTANDING, needs_beyond, speaks_of_a_scene
from firellava.reader.values import Shape
from firellava.reader.vocabulary import FIELDS, Field

__all__ = ["Question", "Wants", "understand"]


class Wants(StrEnum):
    """The kind of answer a question wants."""

    FIELD = "a field of the vocabulary"
    VALUE = "the value that stands beside the question's own words"
    MENTION = "the line that speaks of the question's own words"
    TRANSCRIPT = "everything that is written"
    TITLE = "the heading"
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
        words: the question's own words for what it wants, in lower case, with VALUE, MENTION and COLOUR.
        shape: the form the answer should have, with VALUE.
        phrase: the text whose presence is asked for, with PRESENCE; empty where any text would do.
        beyond: what it would take to answer, with BEYOND.
        image: which of several images is meant, counted from 0, or None where the question does not say.
    """

    wants: Wants
    field: Field | None = None
    words: tuple[str, ...] = ()
    shape: Shape = Shape.TEXT
    phrase: str = ""
    beyond: str = ""
    image: int | None = None


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_PICTURE = r"(?:image|picture|photo|photograph|screenshot|scan)"
_PAPERS: Final = frozenset(
    ("document", "page", "sign", "receipt", "invoice", "bill", "letter", "note", "label", "poster", "ticket")
)
_PAPER = rf"(?:{_PICTURE}|text|form|{'|'.join(sorted(_PAPERS))})"

_TRANSCRIPT: Final = _any(
    r"\btranscri(?:be|pt|ption)\b|\bocr\b|^text\s*\??$",
    r"\b(?:read|extract|copy|list|show|give|output|return|print)\b (?:me |out |aloud )*(?:all |every )*"
    rf"(?:of )?(?:the |this |any )?(?:words|writing|lettering|{_PAPER})\b(?! (?:number|date))",
    r"\bwhat (?:do|does|did)\b.*\b(?:say|read)\s*\??$",
    r"\bwhat (?:is|was|'s|has been)\b.*\b(?:written|printed)\b",
    r"\bwhat (?:text|words|writing)\b|\bwhat(?: is|'s| are) the (?:text|words|wording|writing)\b",
    r"\b(?:full|all|whole|entire)(?: of)?(?: the)? text\b",
)
_MENTION: Final = re.compile(r"\bwhat\b.*\b(?:says?|said|reads?|written) about (?P<rest>.+)$")
_SIZE: Final = _any(
    rf"\b(?:size|dimensions?|resolution|width|height)\b.*\b{_PICTURE}\b",
    rf"\bhow (?:big|large|wide|tall|high) is (?:the|this) {_PICTURE}\b",
    rf"\b{_PICTURE}(?:'s)? (?:size|dimensions?|resolution|width|height)\b",
    r"\bhow many pixels\b",
    r"^(?:what (?:is|are) the )?(?:resolution|dimensions)\s*\??$",
)
_COLOUR: Final = re.compile(r"\bcolou?r(?:s|ed)?\b")
_TITLE: Final = re.compile(r"\b(?:title|heading|headline|header)\b")

_QUOTED: Final = re.compile(r"[\"“”«]([^\"“”»]+)[\"“”»]|(?<!\w)'([^']+)'(?!\w)")
_SAYS: Final = re.compile(
    r"^(?:do|does|did|can|is|are|was|were|has|have)\b.*?\b(?:says?|mentions?|mentioned|contains?|includes?"
    r"|included|read|lists?|listed|states?|stated|(?:the )?(?:words?|phrase|text))\b"
    r"(?: that)?\s+(?P<rest>.+)$"
)
_PLACE: Final = re.compile(
    r"(?: (?:anywhere|somewhere|written|printed|shown|visible|mentioned|listed))*"
    rf"(?: (?:in|on) (?:the |this ){_PAPER})?$"
)
_THERE_IS: Final = re.compile(
    r"^(?:is|are) there (?:an? |any |the |some )?(?P<rest>.+?)"
    r"(?:\s+(?:in|on|at|given|shown|visible|written|printed|listed)\b.*)?$"
)
_IS_THIS: Final = re.compile(
    r"^is (?:this|it|the \w+) an? (?P<rest>invoice|receipt|bill|ticket|quote|letter)$"
)
_YES_OR_NO: Final = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|should|may|must|will|has|have)\b(?! you\b)"
)

_WHICH_IMAGE: Final = re.compile(
    rf"\b{_PAPER} (?:number |no\.? |#)?(?P<digit>[1-9])\b(?![/.\d-])"
    rf"|\b(?P<word>first|second|third|fourth|fifth) (?:{_PAPER}|one)\b"
)
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth")

_LONGEST: Final = 1000
"""Characters of a question that are looked at, from its end: what is longer is not one question."""

# Words that carry no hint of which label to look for.
_NO_HINT = """
    a an and any are as at be been by can could cost costs did do does for from get give given has have how
    i in is it its know listed me much my need of on or our out paid please price printed s see show shown
    stated tell than that the their them then there these they this to us use used was were what what's when
    where which who whose will with would written you your image picture photo photograph screenshot scan
    text form number no code id value find amount name date charged
"""
_STOP_WORDS: Final = frozenset(_NO_HINT.split()) | _PAPERS


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
    if there_is := _THERE_IS.match(lower):
        wanted = there_is["rest"]
        if re.fullmatch(r"(?:\w+ )?(?:text|words|writing|lettering)", wanted):
            return Question(Wants.PRESENCE)
        if field := _field_asked(wanted):
            return Question(Wants.PRESENCE, field=field)
    if not _YES_OR_NO.match(lower):
        return None
    if quoted := _QUOTED.search(asked):
        return Question(Wants.PRESENCE, phrase=(quoted[1] or quoted[2]).strip())
    if says := _SAYS.match(lower) or _IS_THIS.match(lower):
        phrase = re.sub(r"^(?:(?:the )?(?:words?|phrase|text)|an?|any|the|that) ", "", says["rest"])
        phrase = _PLACE.sub("", phrase)
        return Question(Wants.PRESENCE, phrase=phrase, field=_field_asked(phrase))
    return None


def _measurement(asked: str) -> Question | None:
    lower = asked.lower()
    if _SIZE.search(lower):
        return Question(Wants.SIZE)
    if _COLOUR.search(lower) and needs_beyond(lower) != "counting":
        return Question(Wants.COLOUR, words=_coloured(lower))
    return None


def _reading(asked: str) -> Question | None:
    lower = asked.lower()
    if mention := _MENTION.search(lower):
        return Question(Wants.MENTION, words=_words(mention["rest"]))
    if _TRANSCRIPT.search(lower) and needs_beyond(lower) != "translating":
        return Question(Wants.TRANSCRIPT)
    return None


def _beyond(asked: str) -> Question | None:
    needed = needs_beyond(asked.lower())
    return Question(Wants.BEYOND, beyond=needed) if needed else None


def _title_or_field(asked: str) -> Question | None:
    lower = asked.lower()
    if _TITLE.search(lower):
        return Question(Wants.TITLE)
    field = _field_asked(lower)
    return Question(Wants.FIELD, field=field) if field else None


def _value(asked: str) -> Question:
    lower = asked.lower()
    if speaks_of_a_scene(lower):
        return Question(Wants.BEYOND, beyond=SEEING)
    words = _words(lower)
    if not words or _YES_OR_NO.match(lower) or re.match(r"how\b(?! much)", lower):
        return Question(Wants.BEYOND, beyond=UNDERSTANDING)
    return Question(Wants.VALUE, words=words, shape=_shape_asked(lower))


# The first rule that knows the question has it; the last one knows them all.
_RULES: Final = (_presence, _measurement, _reading, _beyond, _title_or_field, _value)


def _field_asked(lower: str) -> Field | None:
    return next((field for field in FIELDS if any(re.search(asked, lower) for asked in field.asked)), None)


def _shape_asked(lower: str) -> Shape:
    if re.search(r"\bhow much\b|\bprice\b|\bcosts?\b|\bamount\b|\bfee\b", lower):
        return Shape.AMOUNT
    if re.search(r"\bnumber\b|\bcode\b|\bid\b|\bno\b", lower):
        return Shape.NUMBER
    return Shape.DATE if re.match(r"when\b", lower) else Shape.TEXT


def _words(lower: str) -> tuple[str, ...]:
    return tuple(word for word in re.findall(r"[^\W_]+(?:'\w+)?", lower) if word not in _STOP_WORDS)


def _coloured(lower: str) -> tuple[str, ...]:
    """The words for what has the colour; a sign in a picture is such a thing, the picture itself is not."""
    without = re.sub(rf"\b{_PICTURE}s?\b|{_COLOUR.pattern}", " ", lower)
    return tuple(word for word in re.findall(r"[^\W_]+", without) if word not in _STOP_WORDS - _PAPERS)


def _which_image(lower: str) -> int | None:
    match = _WHICH_IMAGE.search(lower)
    if match is None:
        return None
    return int(match["digit"]) - 1 if match["digit"] else _ORDINALS.index(match["word"])
