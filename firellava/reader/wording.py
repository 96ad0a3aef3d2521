"""How people word their questions: patterns and words that tell what is wanted.

This is data; `questions` puts it to use. All but the pattern for quotation marks is for lower case.
"""

from __future__ import annotations

import re
from typing import Final

from firellava.reader.values import Shape

__all__ = [
    "ABOUT",
    "CALL_FOR",
    "COLOUR",
    "COMMON_NOUNS",
    "HOW",
    "HOW_MANY",
    "HOW_MEASURED",
    "IS_THIS",
    "ITEMS",
    "LANGUAGE",
    "LIST",
    "MENTION",
    "NAMED",
    "ORDINALS",
    "PAPERS",
    "PICTURE",
    "PLACE",
    "PLURALS",
    "QUOTED",
    "SAYS",
    "SHAPE_WORDS",
    "SIZE",
    "STOP_WORDS",
    "THERE_IS",
    "TITLE",
    "TRANSCRIPT",
    "WHEN",
    "WHICH_IMAGE",
    "YES_OR_NO",
]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


PICTURE = r"(?:image|picture|photo|photograph|screenshot|scan)"
PAPERS: Final = frozenset(
    ("document", "page", "sign", "receipt", "invoice", "bill", "letter", "note", "label", "poster", "ticket")
)
_PAPER = rf"(?:{PICTURE}|text|form|{'|'.join(sorted(PAPERS))})"

TRANSCRIPT: Final = _any(
    r"\btranscri(?:be|pt|ption)\b|\bocr\b|^text\s*\??$",
    r"\b(?:read|extract|copy|list|show|give|output|return|print)\b (?:me |out |aloud )*(?:all |every )*"
    rf"(?:of )?(?:the |this |any )?(?:words|writing|lettering|{_PAPER})\b(?! (?:number|date))",
    r"\bwhat (?:do|does|did)\b.*\b(?:say|read)\s*\??$",
    r"\bwhat (?:is|was|'s|has been)\b.*\b(?:written|printed)\b",
    r"\bwhat (?:text|words|writing)\b|\bwhat(?: is|'s| are) the (?:text|words|wording|writing)\b",
    r"\b(?:full|all|whole|entire)(?: of)?(?: the)? text\b",
)
MENTION: Final = re.compile(r"\bwhat\b.*\b(?:says?|said|reads?|written) about (?P<rest>.+)$")
SIZE: Final = _any(
    rf"\b(?:size|dimensions?|resolution|width|height)\b.*\b{PICTURE}\b",
    rf"\bhow (?:big|large|wide|tall|high) is (?:the|this) {PICTURE}\b",
    rf"\b{PICTURE}(?:'s)? (?:size|dimensions?|resolution|width|height)\b",
    r"\bhow many pixels\b",
    r"^(?:what (?:is|are) the )?(?:resolution|dimensions)\s*\??$",
)
COLOUR: Final = re.compile(r"\bcolou?r(?:s|ed)?\b")
TITLE: Final = re.compile(
    r"(?<!job )\b(?:title|heading|headline|header)\b|\bthe subject\b(?: (?:of|line)\b|\W*$)"
    r"|\bwhat (?:is|was) (?:the|this) (?:talk|presentation|slide|lecture|article|meeting|report"
    r"|workshop|seminar|exhibition"
    r"|poster|course)\b.*\babout\b"
)
NAMED: Final = re.compile(
    r"^what (?:is|was) the (?:name|title) of (?:the|this) (?P<rest>product|medicine|drug|wine|beer"
    r"|book|film|movie|play|show"
    r"|musical|opera|festival|event|exhibition|concert|race|workshop|course|conference|magazine"
    r"|newspaper|game|album|recipe"
    r"|dish|talk|lecture|presentation|seminar|band)\W*$|^what is (?:the|this) (?P<alone>product|medicine)\W*$"
)
"""What bears its own name in large letters, with no label beside it."""


LANGUAGE: Final = re.compile(r"\b(?:what|which) language\b|\blanguage (?:is|of)\b")
ITEMS: Final = re.compile(
    r"\b(?:what|which|list|show|name)\b.*\b(?:items|products|articles|goods|things|dishes|line items)\b"
    r"|\bwhat (?:was|were|did|has|have)\b.*\b(?:bought|buy|ordered|order|purchased?)\W*$"
)
LIST: Final = re.compile(r"\b(?:list|all|every|each|extract|give|which|what)\b")
PLURALS: Final = tuple(
    (re.compile(rf"\b{words}\b(?!.*\bof\b)"), shape)
    for words, shape in (
        (r"(?:phone|telephone|mobile|contact) numbers", Shape.PHONE),
        (r"e-?mails?(?: addresses)(?<=s)|e-?mails", Shape.EMAIL),
        (r"(?:websites|web addresses|urls|links)", Shape.WEBSITE),
        (r"(?:all|every|which|the|list) (?:the )?(?:amounts|prices)\W*$", Shape.AMOUNT),
        (r"(?:all|every|which|the|list) (?:the )?dates", Shape.DATE),
    )
)

QUOTED: Final = re.compile(r"[\"“”«]([^\"“”»]+)[\"“”»]|(?<!\w)'([^']+)'(?!\w)")
SAYS: Final = re.compile(
    r"^(?:do|does|did|can|is|are|was|were|has|have)\b.*?\b(?:says?|mentions?|mentioned|contains?|includes?"
    r"|included|read|lists?|listed|states?|stated|(?:the )?(?:words?|phrase|text))\b"
    r"(?: that)?\s+(?P<rest>.+)$"
)
PLACE: Final = re.compile(
    r"(?: (?:anywhere|somewhere|written|printed|shown|visible|mentioned|listed))*"
    rf"(?: (?:in|on) (?:the |this ){_PAPER})?$"
)
ABOUT: Final = re.compile(
    r"\b(?:anything|something|information|a word|words?|a note|a remark|a mention)"
    r" (?:said |written )?(?:about|on|of|regarding) (?:an? |the )?(?P<rest>.+)$"
)
THERE_IS: Final = re.compile(
    r"^(?:is|are) there (?:an? |any |the |some )?(?P<rest>.+?)"
    r"(?:\s+(?:in|on|at|given|shown|visible|written|printed|listed)\b.*)?$"
)
IS_THIS: Final = re.compile(
    r"^is (?:this|it|the \w+) an? (?P<rest>invoice|receipt|bill|ticket|quote|letter)$"
)
YES_OR_NO: Final = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|should|may|must|will|has|have)\b(?! you\b)"
)

WHICH_IMAGE: Final = re.compile(
    rf"\b{_PAPER} (?:number |no\.? |#)?(?P<digit>[1-9])\b(?![/.\d-])"
    rf"|\b(?P<word>first|second|third|fourth|fifth) (?:{_PAPER}|one)\b"
)
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth")

CALL_FOR: Final = re.compile(r"\b(?:call|dial|ring|phone) (?:to|about|for|if|when|in case)\b(?P<rest>.*)")
WHEN: Final = re.compile(r"(?:by |until |till |since |from |at )?when\b")
HOW_MANY: Final = re.compile(r"\bhow many\b|\bcount\b|\bnumber of\b|\bhow often\b")
HOW: Final = re.compile(
    r"how (?:(?:much|many|often|far|long|do|does|should|can|to)\b|\w+ (?:is|are|was|were)\b)"
)
HOW_MEASURED: Final = re.compile(r"how (?!much\b|many\b|long\b|do\b|does\b|did\b)\w+\b")
SHAPE_WORDS: Final = (
    (re.compile(r"^(?:by |until |till |since |from |at )?when\b"), Shape.MOMENT),
    (re.compile(r"\b(?:what|which) (?:week)?days?\b"), Shape.DAY),
    (re.compile(r"^where\b"), Shape.PLACE),
    (re.compile(r"^who(?:m|se)?\b"), Shape.NAME),
    (
        re.compile(r"\b(?:prices?|costs?|fees?|fares?|salary|rent|reward|fine|worth|balance)\b"),
        Shape.AMOUNT,
    ),
    (
        re.compile(
            r"\bhow much (?:is|are|was|were|do|does|did|will|would)\b(?! (?:in|left"
            r"|inside)\b)(?!.*\b(?:weigh|hold|contain|need|use|add)\b)"
            r"|\bamount\b"
        ),
        Shape.AMOUNT,
    ),
    (re.compile(r"\bhow (?:far|long|tall|high|wide|big|large|deep|fast|heavy)\b|\bweighs?\b"), Shape.MEASURE),
    (re.compile(r"\bhow (?:much|old)\b"), Shape.QUANTITY),
    (re.compile(r"\bnumber\b|\bcode\b|\bid\b|\bno\b"), Shape.NUMBER),
    (re.compile(r"\btime\b"), Shape.TIME),
    (re.compile(r"\b(?:date|day)\b"), Shape.DATE),
)


# Words that carry no hint of which label to look for.
_NO_HINT = """
    a about an and any are as at be been being by can could cost costs did do does doing done for from
    get gets got give
    given gives had has have he her him his how i i'm i've if in is it its know listed may me might much must
    my need not of off on or our out owe owed paid pay please price printed s see shall she should show shown
    so spend spent still stated tell than that the their them then there these they this those to us use
    was we
    were what what's when where which who whom whose will with would written you your
    image picture photo photograph screenshot scan text form
    days number no code id value find kind type sort exact amount name names date dates day time times
    charged located
"""
COMMON_NOUNS: Final = frozenset(("code", "id", "number", "value", "price"))
"""Those of the words without a hint that a label may consist of."""

STOP_WORDS: Final = frozenset(_NO_HINT.split()) | PAPERS
