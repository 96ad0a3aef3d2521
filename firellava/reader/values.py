"""What amounts, dates, times, telephone numbers and the like look like when they are written.

Only shapes live here: which amount is the total is not decided in this module. A value is given back exactly
as it stands in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

__all__ = ["Shape", "Value", "amount_of", "find", "is_worded"]


class Shape(StrEnum):
    """The form of a value."""

    AMOUNT = "amount"
    DATE = "date"
    TIME = "time"
    HOURS = "time span"
    NUMBER = "number"
    PHONE = "telephone number"
    EMAIL = "e-mail address"
    WEBSITE = "web address"
    ADDRESS = "address"
    NAME = "name"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Value:
    """A part of a text that has the form of a value.

    Attributes:
        text: the part, as it stands.
        start: where it begins in the text.
    """

    text: str
    start: int


_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_CURRENCY = r"(?:[$£€¥₹₩]|(?:USD|EUR|GBP|CHF|CAD|AUD|SGD|MYR|JPY|INR|RM|kr)(?![a-z])\.?)"
_PLAIN = r"\d{1,3}(?:[,.' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:19|20)\d\d"
_SHORT_YEAR = r"'?\d\d(?!\d)"
_CENTS = r"(?:\d{1,3}(?:[,.' ]\d{3})+|\d+)[.,]\d{2}"
_CLOCK = r"(?:[01]?\d|2[0-3])(?::[0-5]\d){1,2}\s?(?:[ap]\.?m\b\.?)?|(?:1[0-2]|0?[1-9])\s?[ap]\.?m\b\.?"
_UNTIL = r"\s?(?:[-\N{EN DASH}\N{EM DASH}]|to|until|till)\s?"
# A time may follow a year without a space: receipts are narrow.
_APART = r"(?:(?<![\d:.,])|(?<=[-/.]20\d\d))"
_STREET = (
    r"street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|row|square|sq|way|court|ct|place|pl"
    r"|highway|hwy|parkway|terrace|jalan|jln|rue|strasse|straße|via|calle"
)

_SHAPES: Final[dict[Shape, re.Pattern[str]]] = {
    Shape.AMOUNT: re.compile(
        rf"(?<![\w.,/:-])-?(?:{_CURRENCY}\s?-?(?:{_PLAIN})|(?:{_CENTS})(?:\s?{_CURRENCY})?)(?![\d/:%]|[.,-]\d)",
        re.IGNORECASE,
    ),
    Shape.DATE: re.compile(
        r"(?<!\d)(?:"
        rf"{_YEAR}[-/.](?:1[0-2]|0?[1-9])[-/.]{_DAY}(?!\d)"
        rf"|{_DAY}\s?([-/.])\s?{_DAY}\s?\1\s?(?:{_YEAR}|{_SHORT_YEAR})"
        rf"|{_DAY}(?:st|nd|rd|th)?(?:\s+of)?[-/. ]*{_MONTH}\b\.?(?:[-/,. ']*(?:{_YEAR}|{_SHORT_YEAR}))?"
        r")"
        rf"|\b{_MONTH}\b\.?[-/ ]*{_DAY}(?:st|nd|rd|th)?(?!\d)(?:[-/, ]+(?:{_YEAR}|{_SHORT_YEAR}))?"
        rf"|\b{_MONTH}\b\.?[-/, ]*{_YEAR}",
        re.IGNORECASE,
    ),
    Shape.TIME: re.compile(rf"{_APART}(?:{_CLOCK})(?:{_UNTIL}(?:{_CLOCK}))?(?![\d:])", re.IGNORECASE),
    Shape.HOURS: re.compile(rf"{_APART}(?:{_CLOCK}){_UNTIL}(?:{_CLOCK})(?![\d:])", re.IGNORECASE),
    Shape.PHONE: re.compile(r"(?<![\w./-])(?:\+?\(?\d[\d ().-]{6,18}\d)(?![\w/-])"),
    Shape.EMAIL: re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    Shape.WEBSITE: re.compile(
        r"(?:https?://|www\.)[^\s,;]+|(?<![\w@.])[\w-]+\.(?:com|org|net|io|example|co|edu|gov)\b(?:/\S*)?",
        re.IGNORECASE,
    ),
    Shape.ADDRESS: re.compile(
        rf"\d+[\w/-]*,?\s+(?:[^\W\d][\w.'-]*\s+){{1,4}}?(?:{_STREET})\b.*"
        r"|.*\b[A-Z]{2}\s+\d{5}(?:-\d{4})?\b.*|.*\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b.*"
        rf"|.*\b(?:jalan|jln|rue|calle)\b.*\d.*",
        re.IGNORECASE,
    ),
    Shape.NUMBER: re.compile(r"(?<![\w.,])[#]?(?=[\w/*-]*\d)[A-Z\d*][\w*]*(?:[-/.][\w*]+)*", re.IGNORECASE),
}

_PHONE_DIGITS: Final = (7, 15)
"""Fewest digits of a number with its area, and the most that E.164 allows."""


def find(shape: Shape, text: str) -> tuple[Value, ...]:
    """Find the values of one shape in a text, from left to right.

    Args:
        shape: what to look for. NAME and TEXT have no form of their own: the whole text is the value.
        text: what one box says.
    """
    if shape not in _SHAPES:
        return (Value(text.strip(), len(text) - len(text.lstrip())),) if text.strip() else ()
    found = [Value(match.group().strip(" ,"), match.start()) for match in _SHAPES[shape].finditer(text)]
    if shape is Shape.PHONE:
        return tuple(value for value in found if _is_phone(value.text))
    if shape is Shape.NUMBER:
        return tuple(value for value in found if not _is_another(value.text))
    return tuple(found)


def is_worded(text: str) -> bool:
    """Whether a text is made of words rather than of figures and marks."""
    return sum(character.isalpha() for character in text) >= max(2, len(text) // 3)


def _is_phone(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    return _PHONE_DIGITS[0] <= digits <= _PHONE_DIGITS[1] and not _is_another(text)


def _is_another(text: str) -> bool:
    """Whether something numeric is an amount or a date."""
    return any(value.text == text for shape in (Shape.AMOUNT, Shape.DATE) for value in find(shape, text))


def amount_of(text: str) -> Decimal | None:
    """The number an amount stands for, or None where it cannot be told.

    Args:
        text: an amount as it is written, as in "$1,299.00" or "1.299,00 €".
    """
    digits = re.sub(r"[^\d.,-]", "", text).strip(".,")
    whole, mark, cents = digits, "", ""
    for place in range(len(digits) - 1, -1, -1):
        if digits[place] in ".,":
            if len(digits) - place - 1 in {1, 2}:
                whole, mark, cents = digits[:place], ".", digits[place + 1 :]
            break
    try:
        return Decimal(re.sub(r"[.,]", "", whole) + mark + cents)
    except InvalidOperation:
        return None
