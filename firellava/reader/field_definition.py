"""What a field is: how people ask for it, how documents label it, and the shape of its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firellava.reader.values import Shape

__all__ = ["Field", "field"]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that documents state.

    Attributes:
        name: what the reader calls it when it speaks of it.
        shape: the form of its value.
        asked: regular expressions over the question in lower case; any of them asks for this field.
        labels: what documents write beside or above the value, the surest first.
        not_labels: labels that contain one of `labels` and mean something else.
        without_label: whether a value of this shape answers even where no label stands near it.
    """

    name: str
    shape: Shape
    asked: tuple[str, ...]
    labels: tuple[str, ...]
    not_labels: tuple[str, ...] = ()
    without_label: bool = False


def field(
    name: str,
    shape: Shape,
    labels: str,
    *asked: str,
    not_labels: str = "",
    without_label: bool = False,
) -> Field:
    """A field, with its labels and what is none written one after the other, between commas."""

    def phrases(text: str) -> tuple[str, ...]:
        return tuple(phrase.strip() for phrase in text.split(",") if phrase.strip())

    return Field(name, shape, asked, phrases(labels), phrases(not_labels), without_label)
