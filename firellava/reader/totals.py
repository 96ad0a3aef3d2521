"""Which amount is the total: told from subtotals, taxes, cash and change, and checked by adding up.

Every line with an amount gets a role from its words. A line that speaks of a total is a candidate; so is an
amount that the others lead to, where its own words were lost: what was paid less the change, or a total and
its rounding. Candidates that the sums confirm are surer.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding
from firellava.reader.values import Shape, Value, amount_of, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page, Row

__all__ = ["Role", "roles", "totals"]


class Role(StrEnum):
    """What a line with an amount states."""

    QUANTITY = "quantity"
    CHANGE = "change"
    ROUNDING = "rounding"
    DISCOUNT = "discount"
    SUBTOTAL = "subtotal"
    TAX = "tax"
    TOTAL = "total"
    PAID = "paid"
    OTHER = "other"


# With the letters that print and recognition confuse.
_TOTAL = (
    r"(?:[tf7][o0a][tl][ae][l1i][es]?|\btot\b|\botal\b|jumlah|gesamt\w*|summe|totaal|suma|importe"
    r"|montant|razem|合計|合计|总计|總計)"
)

# The first that matches is the role. Digits that look like letters are read as these.
_ROLES: Final = (
    (Role.QUANTITY, r"\b(?:qty|quantity|items?|pcs|points?|count|no\.? of|weight|number)\b"),
    (Role.CHANGE, rf"\b(?:change|baki|cambio|vuelto|resto|rendu|wechselgeld|rückgeld)\b(?!.*{_TOTAL})"),
    (Role.ROUNDING, rf"^(?!.*{_TOTAL}).*\b(?:round\w*|bundar\w*|pelarasan|arrondi|rundung)\b|\brounding\b"),
    (
        Role.DISCOUNT,
        r"\b(?:disc\w*|sav(?:ed|ings?)|rebate|voucher|promo\w*|coupon|rabatt|descuento|sconto)\b",
    ),
    (Role.TOTAL, rf"{_TOTAL}.*\b(?:inc\w*|after)\b|\binc\w*.*{_TOTAL}"),
    (
        Role.SUBTOTAL,
        (
            rf"\bsub\W?\s?{_TOTAL}|^net\W*$"
            r"|\b(?:exc\w*|before|without|taxable|zwischensumme|sous|gross|net(?:to)? amount)\b"
        ),
    ),
    (Role.TAX, r"\b(?:gst|vat|tax(?:es)?|sst|hst|pst|mwst|ust|iva|tva|service|serv|svc|svr)\b"),
    (
        Role.TOTAL,
        (
            rf"{_TOTAL}|\b(?:balance|amount|amt)\s?(?:due|payable|to pay|owed|owing)\b|^\W*due\b"
            r"|\boutstanding\b|\b(?:to pay|nett?|zu zahlen)\b"
        ),
    ),
    (
        Role.PAID,
        r"\b(?:cash|tender\w*|paid|payment|visa|master\w*|card|amex|debit|tunai|bargeld|contante|received|pay)\b",
    ),
    (Role.TOTAL, r"^\W*(?:amount|amt|bill|betrag)\W*$"),
)
_FIT: Final = (
    (1.0, r"\b(?:due|payable|to pay|owed|owing)\b|grand|round\w*|\bafter\b|\bnett? " + _TOTAL),
    (0.97, rf"\binc\w*|{_TOTAL}\W*(?:sales?|amount|amt|price|cost|paid)|\b(?:order|invoice|bill) {_TOTAL}"),
    (0.94, _TOTAL),
    (0.85, r"\bnett?\b"),
    (0.8, ""),
)
_TABLE_WORDS: Final = re.compile(
    r"\b(?:qty|quantity|price|unit|disc|code|description|rate|summary|item|tax|gst|vat|net|gross|amount|amt)\b",
    re.IGNORECASE,
)
_TAX_TABLE: Final = re.compile(
    r"\b(?:gst|vat|tax|sst)\s*(?:sum{1,2}ary|analysis|breakdown|details?)", re.IGNORECASE
)
_NO_WORD: Final = re.compile(r"\b(?:rm|usd|eur|gbp|myr|sgd|chf|sr|zr|x|pm|am)\b|[\W\d_]", re.IGNORECASE)

# How sure an amount is that no label calls a total, by what leads to it.
_ROUNDED: Final = 0.9
_PAID_LESS_CHANGE: Final = 0.85
_SUBTOTAL_ALONE: Final = 0.62
_PAID_ALONE: Final = 0.55


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with an amount."""

    at: int
    role: Role
    label: str
    value: Value
    amount: Decimal
    boxes: tuple[TextBox, ...]
    columns: int


@dataclass(slots=True)
class _Sums:
    """What the amounts of a page lead to."""

    rounded: set[Decimal] = field(default_factory=set)
    unrounded: set[Decimal] = field(default_factory=set)
    less_change: set[Decimal] = field(default_factory=set)
    paid: set[Decimal] = field(default_factory=set)
    parts: set[Decimal] = field(default_factory=set)
    whole: set[Decimal] = field(default_factory=set)


def totals(page: Page, labelled: Iterable[Finding] = ()) -> list[Finding]:
    """The amounts that may be the total of a page.

    Args:
        page: where to look.
        labelled: what stands beside or below a label for the total, where it is not on the label's line.
    """
    lines = list(_lines(page))
    sums = _added_up(lines)
    times = Counter(line.amount for line in lines)
    table = next((at for at, row in enumerate(page.rows) if _TAX_TABLE.search(row.text)), len(page.rows))
    found = []
    for place, line in enumerate(lines):
        sure = _sureness(line, lines, sums)
        if not sure:
            continue
        sure += 0.03 * (times[line.amount] > 1)
        sure *= 0.5 if line.at > table else 1
        sure *= 0.85 if line.columns > 1 else 1
        sure *= 0.4 if not line.amount else 1
        items = [other.amount for other in lines[:place] if other.role is Role.OTHER]
        led_to = sums.rounded | sums.less_change | sums.parts | sums.paid
        sure *= 0.75 if items and line.amount < max(items) and line.amount not in led_to else 1
        # Of two that fit alike, the lower one: the total stands at the foot.
        sure *= 0.97 + 0.03 * place / len(lines)
        found.append(Finding(line.value.text, min(sure, 1.0) * _read(line.boxes), line.boxes))
    known = {(finding.text, finding.evidence[-1]) for finding in found}
    for other in labelled:
        amount = amount_of(other.text)
        if (other.text, other.evidence[-1]) not in known and amount:
            confirmed = 0.1 * (amount in sums.less_change | sums.rounded) + 0.05 * (amount in sums.parts)
            found.append(Finding(other.text, min(other.fit * (0.8 + confirmed), 1.0), other.evidence))
    return found


def roles(page: Page) -> dict[int, Role]:
    """What each row with an amount states, by the place of the row on the page."""
    return {line.at: line.role for line in _lines(page)}


def _read(boxes: tuple[TextBox, ...]) -> float:
    return min(box.score for box in boxes)


def _sureness(line: _Line, lines: list[_Line], sums: _Sums) -> float:
    amount = line.amount
    confirmed = (
        0.1 * (amount in sums.less_change)
        + 0.05 * (amount in sums.paid)
        + 0.06 * (amount in sums.parts)
        + 0.1 * (amount in sums.whole)
    )
    if line.role is Role.TOTAL:
        fit = next(fit for fit, pattern in _FIT if re.search(pattern, line.label))
        changed = amount in sums.unrounded and any(other.amount in sums.rounded for other in lines)
        return 0.84 * fit + confirmed + 0.08 * (amount in sums.rounded) - 0.2 * changed
    another = line.role in {Role.CHANGE, Role.ROUNDING, Role.TAX, Role.DISCOUNT}
    if amount in sums.rounded and (amount > 1 or not another):
        return _ROUNDED + confirmed / 2
    if not another and (amount in sums.less_change or amount in sums.parts & sums.paid):
        return _PAID_LESS_CHANGE + 0.03 * (line.role is Role.SUBTOTAL)
    # Without a total on the page, what was paid stands for it, or the sum to which nothing was added.
    alone = not any(other.role is Role.TOTAL and other.amount for other in lines)
    if alone and line.role is Role.SUBTOTAL:
        return _SUBTOTAL_ALONE + confirmed
    return _PAID_ALONE if alone and line.role is Role.PAID and amount not in sums.unrounded else 0.0


def _lines(page: Page) -> Iterator[_Line]:
    for at, row in enumerate(page.rows):
        values = [(value, box) for box in row.boxes for value in find(Shape.AMOUNT, box.text)]
        if not values:
            continue
        value, box = values[-1]
        amount = amount_of(value.text)
        if amount is None:
            continue
        label_row = row
        if not _words(row) and at and _may_label_below(page.rows[at - 1]):
            label_row = page.rows[at - 1]
        label = _words(label_row)
        role = next((role for role, pattern in _ROLES if re.search(pattern, label)), Role.OTHER)
        labels = [each for each in label_row.boxes if each is not box and _NO_WORD.sub("", each.text)]
        yield _Line(at, role, label, value, amount, (*labels, box), len({id(each) for _, each in values}))


def _words(row: Row) -> str:
    """The words of a row in lower case, without its amounts."""
    text = re.sub(r"\d+(?:[.,]\d+)*", " ", row.text)
    return re.sub(r"\s+", " ", text).strip().lower() if _NO_WORD.sub("", text) else ""


def _may_label_below(row: Row) -> bool:
    """Whether a row labels the amount under it: it has none of its own, and is not the head of a table."""
    has_amount = any(find(Shape.AMOUNT, box.text) for box in row.boxes)
    return not has_amount and len(_TABLE_WORDS.findall(row.text)) < 2 and len(row.boxes) < 3  # noqa: PLR2004


def _added_up(lines: list[_Line]) -> _Sums:
    def amounts(role: Role) -> list[Decimal]:
        return [line.amount for line in lines if line.role is role]

    sums = _Sums(paid={abs(amount) for amount in amounts(Role.PAID) if amount})
    changes = [abs(amount) for amount in amounts(Role.CHANGE) if amount]
    roundings = [amount for amount in amounts(Role.ROUNDING) if amount and abs(amount) < 1]
    taxes = [amount for amount in amounts(Role.TAX) if amount]
    for paid in sums.paid:
        sums.less_change |= {paid - change for change in changes if paid > change}
    whole = [amount for role in (Role.TOTAL, Role.SUBTOTAL) for amount in amounts(role) if amount > 1]
    for total in whole:
        # The sign of a small rounding is easily lost in print.
        rounded = {total + sign * amount for amount in roundings for sign in (1, -1)}
        paid_exactly = rounded & (sums.less_change | sums.paid)
        sums.rounded |= paid_exactly or {total + amount for amount in roundings}
        sums.unrounded |= {total} if roundings else set()
    # Totals of each tax rate, and what they add up to.
    kinds = {line.amount for line in lines if line.role in {Role.TOTAL, Role.SUBTOTAL} and line.amount > 0}
    sums.whole = {one + other for one, other in itertools.combinations(kinds, 2)}
    discounts = [abs(amount) for amount in amounts(Role.DISCOUNT) if amount]
    for part in whole:
        added = {part + tax for tax in taxes} | {part + sum(taxes)}
        sums.parts |= added | {amount - discount for amount in added | {part} for discount in discounts}
        sums.parts |= {amount + rounding for amount in added for rounding in roundings}
    return sums
