"""What the reader cannot do, told from a question's words.

Counting, reasoning and seeing are named one by one, so that a refusal says what the question would take. To
refuse something more, add a line here.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["COUNTING", "SEEING", "UNDERSTANDING", "needs_beyond", "speaks_of_a_scene"]

COUNTING: Final = "counting"
SEEING: Final = "seeing scenes, people and what they do"
UNDERSTANDING: Final = "understanding more than what is written"

_PICTURE = r"(?:image|picture|photo|photograph|screenshot|scan)"

# The first that matches is named. These win over every field: "the highest total" is no total.
_BEYOND: Final = tuple(
    (needed, re.compile("|".join(f"(?:{pattern})" for pattern in patterns)))
    for needed, *patterns in (
        (COUNTING, r"\bhow many\b(?! pixels)", r"\bcount\b", r"\bnumber of (?!the\b)(?:\w+ )?\w+s\b"),
        (
            "translating",
            r"\btranslat\w*",
            r"\bin (?:english|german|french|spanish|italian|chinese|japanese)\b",
        ),
        (
            "explaining or judging",
            r"\bsumm?ar(?:y|i[sz]e)\b|\bexplain\b|\bwhy\b",
            r"\bcorrect\b|\bopinion\b|\bmean(?:s|ing)?\b",
        ),
        (
            "comparing, calculating or reading charts",
            r"\b(?:average|median|high(?:est|er)|low(?:est|er)|big(?:gest|ger)|small(?:est|er))\b",
            r"\b(?:larg(?:est|er)|most|least|fewest|cheap(?:est|er)|tall(?:est|er)|long(?:est|er)|old(?:est|er))\b",
            r"\b(?:more|less) than\b|\bcompar\w+|\bdifference\b|\btrends?\b|\bincreas\w+|\bdecreas\w+",
            r"\b(?:ratio|bars?|axis|axes|curve|slope|peak|add up|sum of)\b",
            r"\b(?:chart|graph|plot|diagram)s?\b.*\b(?:show|tell|illustrate)",
        ),
        (
            SEEING,
            r"\b(?:describe|description|scene|doing|happening|going on|wearing|holding|sitting)\b",
            r"\bstanding\b(?! (?:charge|order))",
            r"\b(?:walking|running|smiling|looking|looks? like|feeling|mood|emotion|expression|facing)\b",
            r"\b(?:behind|next to|beside|in front of)\b",
            r"\b(?:left|right|above|below|under|between) (?:of )?the\b",
            rf"\bcaption (?:this|the|for)\b|\bwhere (?:was|is|were) (?:this|the) {_PICTURE}\b",
            rf"\b(?:what|who)(?: is|'s| are) (?:in|on|visible in) (?:the|this) {_PICTURE}\b",
            r"^(?:what|who)(?: is|'s) (?:this|that|it)\s*\??$|\bwhat (?:do|can) you see\b",
            r"\bwhat does\b.*\b(?:show|depict)\b",
        ),
    )
)

_SCENE: Final = re.compile(
    r"\b(?:person|people|man|men|woman|women|boy|girl|child|children|animals?|breed|cats?|dogs?|birds?|faces?"
    r"|eyes?|hair|cars?|trees?|objects?|weather|season|background)\b"
)


def needs_beyond(question: str) -> str | None:
    """What it would take to answer, as a noun phrase, or None where nothing speaks against trying.

    Args:
        question: in lower case.
    """
    return next((needed for needed, pattern in _BEYOND if pattern.search(question)), None)


def speaks_of_a_scene(question: str) -> bool:
    """Whether a question that asks for no field is about people and things rather than text."""
    return _SCENE.search(question) is not None
