"""Answers that are several pieces of a page: every date, every telephone number, the lines of a purchase."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from firellava.reader.fields import unlabelled
from firellava.reader.findings import Finding
from firellava.reader.totals import Role, roles
from firellava.reader.values import Shape, find, is_worded
from firellava.reader.vocabulary import FIELDS

if TYPE_CHECKING:
    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["every", "items"]

_TELEPHONE: Final = next(field for field in FIELDS if field.name == "telephone number")
_SURE: Final = 0.85
_DOUBTFUL: Final = 0.4
_ITEMS: Final = 0.7


def every(page: Page, shape: Shape) -> Finding | None:
    """Every different value of one shape, a line each, or None where there is none."""
    found: dict[str, TextBox] = {}
    if shape is Shape.PHONE:  # many other numbers look like one
        for finding in unlabelled(page, _TELEPHONE, shape):
            if finding.fit > _DOUBTFUL:
                found.setdefault(finding.text, finding.evidence[0])
    else:
        for box in page.boxes:
            found |= {value.text: box for value in find(shape, box.text) if value.text not in found}
    if not found:
        return None
    boxes = tuple(dict.fromkeys(found.values()))
    return Finding("\n".join(found), _SURE * min(box.score for box in boxes), boxes)


def items(page: Page) -> Finding | None:
    """The lines of what was bought: those that name something and its amount, above the first sum."""
    role_of = roles(page)
    sums = [at for at, role in role_of.items() if role in {Role.TOTAL, Role.SUBTOTAL}]
    last = min(sums, default=len(page.rows))
    rows = [
        page.rows[at]
        for at, role in role_of.items()
        if at < last
        and role is Role.OTHER
        and any(is_worded(re.sub(r"\d", "", box.text)) for box in page.rows[at].boxes)
    ]
    if not rows:
        return None
    boxes = tuple(box for row in rows for box in row.boxes)
    return Finding("\n".join(row.text for row in rows), _ITEMS * min(box.score for box in boxes), boxes)
