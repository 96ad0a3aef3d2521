"""What was found on a page, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firellava.reader.boxes import TextBox

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of a page's text that may answer.

    Attributes:
        text: the piece, as it stands on the page.
        fit: how well it fits the question and its place on the page, from 0 to 1: what fits better is given.
        evidence: the boxes it was told from: the label's, where there is one, and the value's.
    """

    text: str
    fit: float
    evidence: tuple[TextBox, ...]
