"""The name of who issued a page: a line at its top, told by legal forms, kinds of business and size."""

from __future__ import annotations

import re
import statistics
from typing import TYPE_CHECKING, Final

from firellava.reader.entries import label_and_value
from firellava.reader.findings import Finding
from firellava.reader.labels import is_label
from firellava.reader.values import Shape, find, is_worded
from firellava.reader.words import best_match, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["company_names"]

_DOCUMENT = """
    invoice receipt bill tax cash sales sale order quote quotation statement estimate copy official original
    duplicate customer merchant welcome to thank you simplified credit debit note ticket page date
    agreement application area card certificate coupon entrance exit form letter licence license
    membership memo
    memorandum menu of parking pass permit policy prescription report slip statement account voucher
    warranty zone
"""
_DOCUMENT_WORDS: Final = frozenset(_DOCUMENT.split())
"""Words that name a kind of document: a heading made of them alone is not the name of a company."""

_LEGAL_FORMS: Final = re.compile(
    r"\b(?:ltd|limited|inc|llc|llp|corp|co|company|gmbh|(?-i:AG|KG)|plc|sdn\.?\s?bhd|bhd|berhad|s/b"
    r"|pte|pty|s\.?a\.?s?|s\.?r\.?l"
    r"|s\.?p\.?a|b\.?v|n\.?v|a/s|oy|ab|trading|enterprises?)(?![^\W\d_])|株式会社|有限公司",
    re.IGNORECASE,
)
"""What the registered name of a business ends with."""

_KINDS: Final = re.compile(
    r"\b(?:stores?|market|restaurant|restoran|cafe|café|studio|hotel|bakery|shop|pharmacy|clinic"
    r"|hospital|school"
    r"|university|college|bank|airlines?|railways?|library|museum|garage|hardware|bistro|kitchen"
    r"|stationery|services?"
    r"|supermarket|minimarket|mart|motors?|electronics?|centre|center|association|society|council"
    r"|insurance|energy"
    r"|power|telecom|mobile|consulting|partners|logistics|express|air)\b",
    re.IGNORECASE,
)
"""Words that names of businesses and institutions have."""


_ENDS_A_NAME: Final = re.compile(
    r"\W*(?:co\b|company\b|sdn\b|bhd\b|berhad\b|ltd\b|limited\b|inc\b|llc\b|llp\b|gmbh\b|corp|pte\b"
    r"|plc\b|\(?m\)?\W+sdn"
    r"|s\.?a\.?\b|enterprises?\W*$|trading\W*$|group\W*$|(?:\w+\s)?sdn\W|&\s)",
    re.IGNORECASE,
)
"""How the second line of a name begins, where it runs over two."""

_REGISTRATION: Final = re.compile(
    r"^\W*(?:\w+ )?(?:co|company|business)\b\W*(?:reg|no)\b|^\W*(?:reg|roc|gst|vat|ll[pc])\W?(?:no|id|\d)"
    r"|\bthank you\b|\bgoods sold\b",
    re.IGNORECASE,
)
_SURE: Final = 0.9
"""No label says that a line is a name: the one that looks most like it may still be another's."""

_TOP: Final = 9
"""Boxes from the top in which a page names who issued it."""


def company_names(page: Page, kinds: Iterable[str] = ()) -> list[Finding]:
    """Lines at the top that may be the name of who issued the page.

    Args:
        page: where to look.
        kinds: what the question calls the issuer, such as "pharmacy"; a name that says so is surer.
    """
    kinds = [kind for kind in kinds if _KINDS.fullmatch(kind)]
    top = [box for box in page.boxes[:_TOP] if is_worded(box.text) or _ENDS_A_NAME.match(box.text)]
    usual = statistics.median(box.height for box in page.boxes) if page.boxes else 0.0
    found: list[Finding] = []
    for place, box in enumerate(box for box in top if _may_be_a_name(box.text)):
        boxes = _whole_name(top, box)
        text = " ".join(each.text.strip() for each in boxes)
        sure = 0.6 - 0.05 * min(place, 6)
        sure += 0.3 * bool(_LEGAL_FORMS.search(text)) or 0.12 * bool(_KINDS.search(text))
        sure += 0.15 * min(max(box.height / usual - 1, 0), 1)
        told = any(best_match(kind, tokens(text)) for kind in kinds)
        sure += 0.3 * told - 0.08 * (bool(kinds) and not told and not _LEGAL_FORMS.search(text))
        found.append(Finding(text, _SURE * min(sure, 1.0) * min(each.score for each in boxes), boxes))
    return found


def _whole_name(top: Sequence[TextBox], box: TextBox) -> tuple[TextBox, ...]:
    """A name with the line before or after it where it runs over two."""
    at = top.index(box)
    beside = next(
        (other for other in top if other is not box and _beside(other, box) and _may_be_a_name(other.text)),
        None,
    )
    if beside:
        return beside, box
    before, after = (top[at - 1] if at else None), (top[at + 1] if at + 1 < len(top) else None)
    if (
        before
        and (_ENDS_A_NAME.match(box.text) or _only_kinds(box.text))
        and _follows(before, box)
        and _may_be_a_name(before.text)
    ):
        return before, box
    runs_on = box.text.rstrip().endswith(("&", "-", " AND", " and", " OF", " of", ","))
    if after and _follows(box, after) and (runs_on or _ENDS_A_NAME.match(after.text)):
        return box, after
    return (box,)


def _follows(upper: TextBox, lower: TextBox) -> bool:
    """Whether two lines stand close together in about the same size, so that they may be one text."""
    size = max(upper.height, lower.height)
    near = 0 < lower.middle[1] - upper.middle[1] < 2.2 * size
    return near and min(upper.height, lower.height) > 0.6 * size and _overlap(upper, lower)


def _beside(left: TextBox, right: TextBox) -> bool:
    """Whether two boxes of one size are words of one line."""
    size = max(left.height, right.height)
    level = abs(left.middle[1] - right.middle[1]) < 0.4 * size
    return level and min(left.height, right.height) > 0.7 * size and -size < right.left - left.right < size


def _only_kinds(text: str) -> bool:
    """Whether a text only says what kind of business it is, as in "Bistro & Cafe"."""
    return not re.sub(r"[\W\d_]|\band\b", "", _KINDS.sub("", _LEGAL_FORMS.sub("", text)))


def _overlap(upper: TextBox, lower: TextBox) -> bool:
    return min(upper.right, lower.right) > max(upper.left, lower.left)


def _may_be_a_name(text: str) -> bool:
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", text)]
    if not words or not is_worded(text) or set(words) <= _DOCUMENT_WORDS or is_label(text):
        return False
    if _DOCUMENT_WORDS.issuperset(words[-1:]) and _only_kinds(" ".join(set(words) - _DOCUMENT_WORDS)):
        return False  # "Library card"
    if _REGISTRATION.search(text) or (label_and_value(text) and not _LEGAL_FORMS.search(text)):
        return False
    other = (Shape.ADDRESS, Shape.DATE, Shape.PHONE, Shape.EMAIL, Shape.WEBSITE, Shape.AMOUNT)
    return not any(find(shape, text) for shape in other)
