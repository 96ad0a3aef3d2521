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

__all__ = ["Shape", "Value", "amount_of", "find", "is_code", "is_worded"]


class Shape(StrEnum):
    """The form of a value."""

    AMOUNT = "amount"
    DATE = "date"
    MOMENT = "date or time"
    DAY = "date or day of the week"
    TIME = "time"
    HOURS = "time span"
    NUMBER = "number"
    COUNT = "count"
    QUANTITY = "quantity"
    MEASURE = "measure"
    PHONE = "telephone number"
    EMAIL = "e-mail address"
    WEBSITE = "web address"
    ADDRESS = "address"
    NAME = "name"
    PLACE = "place"
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
    r"|[o0]ct(?:ober)?|n[o0]v(?:ember)?|dec(?:ember)?)"
)
_CURRENCY = (
    r"(?:[$£€¥₹₩₽₺฿]|(?:USD|EUR|GBP|CHF|CAD|AUD|SGD|MYR|JPY|INR|PLN|CZK|SEK|NOK|DKK|RM|kr|Rs)(?![a-z])\.?)"
)
_PLAIN = r"\d{1,3}(?:[,.' ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:19|20)\d\d"
_SHORT_YEAR = r"'?\d\d(?!\d)"
_CENTS = r"(?:\d{1,3}(?:[,.' ]\d{3})+|\d+)[.,]\d{2}|\.\d{2}"
_CLOCK = (
    r"(?:[01]?\d|2[0-3])(?::[0-5]\d){1,2}\s?(?:[ap]\.?m\b\.?)?|(?:1[0-2]"
    r"|0?[1-9])(?:\.[0-5]\d)?\s?[ap]\.?m\b\.?"
    r"|(?:[01]\d|2[0-3])[0-5]\d\s?(?:hrs?|hours)\b|(?:[01]?\d|2[0-3])h[0-5]\d\b"
)
_UNTIL = r"\s?(?:[-\N{EN DASH}\N{EM DASH}~]|to|until|till|through)\s?"
# A time may follow a year without a space: receipts are narrow.
_APART = r"(?:(?<![\d:.,])|(?<=[-/.]20\d\d)|(?<=20\d\d,))"
_STREET = (
    r"street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|row|square|sq|way|court|ct|place"
    r"|pl|close|walk"
    r"|mews|crescent|quay|highway|hwy|parkway|terrace|jalan|jln|rue|strasse|straße|via|calle|rua"
    r"|avenida|weg|platz"
)
_UNIT = (
    r"%|°\s?[CF]|(?:mm|cm|km|m|mi|miles?|ft|feet|in|yd|kg|g|mg|lbs?|oz|l|ml|cl|kwh|kj|kcal|cal|w|kw|v"
    r"|gb|mb|tb|ghz"
    r"|mhz|hz|mph|km/h|min|mins|minutes?|hours?|hrs?|days?|weeks?|months?|years?|people|persons?"
    r"|pages?|pcs)\b"
)
# The time may follow a date without a space; eight digits are a date where they can be one of our days.
_DATE_ENDS = r"(?=\D|$|\d{2}:\d\d)"
_TWO_DIGITS = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
_NUMERIC_DATE = "|".join(
    rf"{before}{_DAY}{space}{mark}{space}{_DAY}{space}{mark}{space}(?:{_YEAR}{_DATE_ENDS}|{_SHORT_YEAR})"
    for mark, before in (("-", r"(?<!-)"), ("/", ""), (r"\.", r"(?<!-)"))
    for space in ("", r"\s")
)
_WEEKDAY = r"(?:\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s)?"
_WORD_ENDS = r"(?![^\W\d_])"
_DATE = (
    # What stands before "date" is read as its label even where the space was lost.
    r"(?:(?<![\w/.])|(?<=date)|(?<=dated))(?:"
    rf"{_YEAR}[-/.](?:1[0-2]|0?[1-9])[-/.]{_DAY}{_DATE_ENDS}|{_YEAR}年\s?\d{{1,2}}月\s?\d{{1,2}}日"
    rf"|{_NUMERIC_DATE}"
    rf"|(?<!-){_TWO_DIGITS[0]}{_TWO_DIGITS[1]}20[0-4]\d(?![\w-])"
    rf"|(?<!-)20[0-4]\d{_TWO_DIGITS[1]}{_TWO_DIGITS[0]}(?![\w-])"
    rf"|(?<!-)(?:{_DAY}(?:st|nd|rd|th)?{_UNTIL})?{_DAY}(?:st|nd|rd"
    rf"|th)?(?:\s+of)?[-/. ]*{_MONTH}{_WORD_ENDS}\.?"
    rf"(?:[-/,. ']*(?:{_YEAR}|{_SHORT_YEAR}(?!:)))?"
    rf"|(?<!-)(?:(?:1[0-2]|0?[1-9])/|(?:1[0-2]|0[1-9])[. ]){_YEAR}(?!\d))"
    rf"|\b{_MONTH}{_WORD_ENDS}\.?[-/ ]*{_DAY}(?:st|nd|rd|th)?(?:{_UNTIL}{_DAY}(?:st|nd|rd"
    rf"|th)?(?!\d*\s?{_MONTH}))?(?![\d:])"
    rf"(?:[-/, ]+(?:{_YEAR}|{_SHORT_YEAR}(?!:)))?"
    rf"|\b{_MONTH}{_WORD_ENDS}\.?[-/, ]*{_YEAR}"
)

# A short name has a capital: "sun" and "sat" are words.
_DAY_NAME = (
    r"(?:(?i:mon|tues|wednes|thurs|fri|satur|sun)(?i:days?)|Mon|Tues?|Wed|Thur?s?|Fri|Sat|Sun"
    r"|MON|TUE|WED|THU|FRI|SAT|SUN)\b"
)

_QUANTITY: Final = re.compile(
    r"(?<![\w.,])\d+\s?h(?:rs?|ours?)?\.?\s?\d+\s?m(?:in|ins|inutes)?\b|"
    rf"(?<![\w.,])(?:{_CURRENCY}\s?)?[-+]?\d[\d.,]*(?<![.,])(?:\s?[-\N{{EN DASH}}]\s?\d[\d.,]*(?<![.,]))?"
    rf"(?:\s?(?:{_UNIT}|{_CURRENCY}))?(?![\w/:])",
    re.IGNORECASE,
)

_SHAPES: Final[dict[Shape, re.Pattern[str]]] = {
    Shape.AMOUNT: re.compile(
        # Narrow printers leave no space behind the word.
        rf"(?:(?<![\w.,/:-])|(?<=total)|(?<=tota1))-?(?:{_CURRENCY}(?:\s?|\s-|(?<=[$£€¥])-)(?:{_PLAIN})|(?:{_CENTS})(?:\s?{_CURRENCY})?"
        rf"|(?:{_PLAIN})\s(?:euros?|dollars?|pounds?|francs?|cents?)\b)(?![\d/:%]|[.,-]\d)",
        re.IGNORECASE,
    ),
    Shape.DATE: re.compile(rf"{_WEEKDAY}(?:{_DATE})(?:{_UNTIL}{_WEEKDAY}(?:{_DATE}))?", re.IGNORECASE),
    Shape.TIME: re.compile(rf"{_APART}(?:{_CLOCK})(?:{_UNTIL}(?:{_CLOCK}))?(?![\d:])", re.IGNORECASE),
    Shape.HOURS: re.compile(rf"{_APART}(?:{_CLOCK}|\d{{1,2}}){_UNTIL}(?:{_CLOCK})(?![\d:])", re.IGNORECASE),
    Shape.PHONE: re.compile(
        r"(?<![\w./-])(?:\+?\(?\d[\d ().-]{6,18}\d)(?![\w/-])"
        # Emergency and internal numbers are short: they are told by the word before them.
        r"|(?:(?<=call )|(?<=dial )|(?<=ring )|(?<=phone )|(?<=ext\. ))\d{3,5}(?![\w/:%-]|[.,]\d)",
        re.IGNORECASE,
    ),
    Shape.EMAIL: re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    Shape.WEBSITE: re.compile(
        r"(?:https?://|www\.)[^\s,;]+|(?<![\w@.])[\w-]+\.(?:com|org|net|io|example|co|edu|gov)\b(?:/\S*)?",
        re.IGNORECASE,
    ),
    Shape.ADDRESS: re.compile(
        rf"\d+[\w/-]*,?\s+(?:[^\W\d][\w.'-]*\s+){{1,4}}?(?:{_STREET})\b.*"
        r"|.*\b[A-Z]{2}\s+\d{5}(?:-\d{4})?\b.*|.*\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b.*"
        r"|.*\b(?:jalan|jln|rue|calle|rua|via|avenida)\b.*\d.*|.*\d.*\b(?:jalan|jln)\b.*"
        r"|(?-i:[A-ZÄÖÜ])[\w.-]*(?:stra(?:ss|ß)e|weg|platz|gasse)\s\d+.*",
        re.IGNORECASE,
    ),
    Shape.NUMBER: re.compile(
        r"(?<![\w.,])(?:(?-i:(?!NO|NR|ID)[A-Z]{1,4}) )?\d{2,}(?: \d{2,})+(?![\w.,/:]*\d)"
        r"|(?<![\w.,])[#]?(?=[\w/*-]*\d)[A-Z\d*][\w*]*(?:[-/.][\w*]+)*",
        re.IGNORECASE,
    ),
    Shape.COUNT: re.compile(r"(?<![\w.,/:-])\d{1,6}(?![\w/:%-]|[.,]\d)"),
    Shape.DAY: re.compile(
        rf"\b(?:(?i:every) )?{_DAY_NAME}(?:\s?(?:-|\N{{EN DASH}}|,|&|(?i:to|and)\b)\s?{_DAY_NAME})*"
    ),
    Shape.QUANTITY: _QUANTITY,
    Shape.MEASURE: _QUANTITY,
}

_UNIT_AT_END: Final = re.compile(rf"\d\s?(?:{_UNIT})$", re.IGNORECASE)
_MONTHS: Final = 12
_LONGEST_CODE: Final = 32
_PHONE_DIGITS: Final = (7, 15)
"""Fewest digits of a number with its area, and the most that E.164 allows."""


def find(shape: Shape, text: str) -> tuple[Value, ...]:
    """Find the values of one shape in a text, from left to right.

    Args:
        shape: what to look for. NAME and TEXT have no form of their own: the whole text is the value.
        text: what one box says.
    """
    if shape is Shape.MOMENT:
        shapes: tuple[Shape, ...] = (Shape.DATE, Shape.HOURS, Shape.TIME, Shape.DAY)
        return next((found for shape in shapes if (found := find(shape, text))), ())
    if shape is Shape.DAY and (dates := find(Shape.DATE, text)):
        return dates
    if shape not in _SHAPES:
        return (Value(text.strip(), len(text) - len(text.lstrip())),) if text.strip() else ()
    matches = [Value(match.group().strip(" ,"), match.start()) for match in _SHAPES[shape].finditer(text)]
    accepted = _ACCEPTED.get(shape)
    return tuple(value for value in matches if accepted is None or accepted(value.text))


def is_code(text: str) -> bool:
    """Whether a whole text is one number or code, such as "47A", "TK 90 338 215" or "C"."""
    words = text.split()
    coded = all(any(map(str.isdigit, word)) or (word.isupper() and len(word) < 5) for word in words)  # noqa: PLR2004
    return (
        coded
        and len(text) <= _LONGEST_CODE
        and (any(map(str.isdigit, text)) or len(words) == 1)
        and not any(find(shape, text) for shape in (Shape.AMOUNT, Shape.DATE, Shape.TIME))
    )


def is_worded(text: str) -> bool:
    """Whether a text is made of words rather than of figures and marks."""
    return sum(character.isalpha() for character in text) >= max(2, len(text) // 3)


def _is_date(text: str) -> bool:
    """Whether one of the two numbers before the year can be a month, where all three are numbers."""
    numbers = re.split(r"\D+", text) if re.fullmatch(r"[\d\s/.-]+", text) else []
    return len(numbers) != 3 or min(int(number) for number in numbers[:2]) <= _MONTHS  # noqa: PLR2004


def _is_phone(text: str) -> bool:
    if re.fullmatch(r"\d{3,5}", text):
        return True
    digits = sum(character.isdigit() for character in text)
    return _PHONE_DIGITS[0] <= digits <= _PHONE_DIGITS[1] and not _is_another(text)


def _is_another(text: str) -> bool:
    """Whether something numeric is an amount or a date."""
    return any(value.text == text for shape in (Shape.AMOUNT, Shape.DATE) for value in find(shape, text))


def _is_number(text: str) -> bool:
    return not _is_another(text)


def _has_unit(text: str) -> bool:
    return _UNIT_AT_END.search(text) is not None


_ACCEPTED: Final = {
    Shape.PHONE: _is_phone,
    Shape.DATE: _is_date,
    Shape.NUMBER: _is_number,
    Shape.MEASURE: _has_unit,
}


def amount_of(text: str) -> Decimal | None:
    """The number an amount stands for, or None where it cannot be told.

    Args:
        text: an amount as it is written, as in "$1,299.00" or "1.299,00 €".
    """
    digits = re.sub(r"[^\d.,-]", "", text).rstrip(".,")
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
