"""Whether an answer is right."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from benchmarks.drawn_documents.page import Question
    from firellava.reader import Answer

__all__ = ["Verdict", "judge", "normalised"]

Verdict = Literal["right", "wrong", "missed", "declined", "invented"]

_ROOM = 40
_SHORT = 4
_YES_OR_NO = re.compile(r"(?:is|are|does|do|has|have)\b", re.IGNORECASE)


def normalised(text: str) -> str:
    """A text without case, accents, spaces and punctuation: its letters and digits."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text).casefold() if letter.isalnum())


def judge(question: Question, answer: Answer) -> Verdict:
    """The verdict on one answer.

    Of a question that the document answers: ``right`` where one of the expected values is in the answer,
    both normalised, with at most 40 further letters and digits around it (room for a label, not for a page);
    a value of up to four letters and digits must stand there as a word of its own. ``missed`` where the
    reader declined; else ``wrong``. Of a question about something that is not there: ``declined`` is right,
    and so is no to a yes/no question; anything else is ``invented``.
    """
    declined = answer.confidence == 0.0
    if not question.answerable:
        says_no = _YES_OR_NO.match(question.text) and re.match(r"no\b", answer.text, re.IGNORECASE)
        return "declined" if declined or says_no else "invented"
    if declined:
        return "missed"
    return "right" if any(_holds(answer.text, expected) for expected in question.answers) else "wrong"


def _holds(given: str, expected: str | tuple[str, ...]) -> bool:
    if expected == "yes":
        return normalised(given).startswith("yes")
    parts = (expected,) if isinstance(expected, str) else expected
    longest = sum(len(normalised(part)) for part in parts) + _ROOM
    return len(normalised(given)) <= longest and all(_stands_in(part, given) for part in parts)


def _stands_in(part: str, given: str) -> bool:
    bare = normalised(part)
    if len(bare) > _SHORT:
        return bare in normalised(given)
    word = r"[\W_]*".join(bare)
    return re.search(rf"(?<![^\W_]){word}(?![^\W_])", given.casefold()) is not None
