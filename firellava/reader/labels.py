"""What a label looks like on a page, known to the vocabulary or not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from firellava.reader.vocabulary import FIELDS

__all__ = ["is_label", "is_numbered", "label_pattern", "looks_like_label"]

_NUMBERING: Final = re.compile(r"^\(?\d{1,2}[.)]\s*(?=[^\W\d])")
_ENDS_A_LABEL: Final = re.compile(
    r"\b(?:name|names|number|no\.?|date|id|code|address|type|status|period|version|phone|e-?mail|rate"
    r"|reference|ref\.?"
    r"|place of \w+|nationality|occupation|signature)(?:\s?\(\w*\))?\W*$",
    re.IGNORECASE,
)
_TABLE_HEADERS: Final = re.compile(
    r"(?:item|items|description|qty|quantity|unit|price|unit price|amount|total|tax|code|no|rate)\W*",
    re.IGNORECASE,
)


@lru_cache(maxsize=512)
def label_pattern(label: str) -> re.Pattern[str]:
    """A pattern that finds a label as a whole phrase, however it is spaced and punctuated.

    Args:
        label: words separated by one space, in lower case.
    """
    words = r"[\W_]{0,3}".join(re.escape(word) for word in label.split())
    end = r"s?(?![^\W\d_])" if label[-1].isalpha() else ""
    return re.compile(rf"(?<![^\W\d_]){words}{end}", re.IGNORECASE)


@lru_cache(maxsize=1024)
def is_label(text: str) -> bool:
    """Whether a text is nothing but a label, so that it cannot be the value of another one."""
    bare = _NUMBERING.sub("", text.strip())
    if bare.endswith(":") or _TABLE_HEADERS.fullmatch(bare):
        return True
    return any(
        label_pattern(label).fullmatch(bare.rstrip(" .#:")) for field in FIELDS for label in field.labels
    )


def is_numbered(text: str) -> bool:
    """Whether a text is a numbered label of a form, as in "4. Place of birth"."""
    return _NUMBERING.match(text.strip()) is not None


@lru_cache(maxsize=1024)
def looks_like_label(text: str) -> bool:
    """Whether a text is a label, known or not: numbered, or one that ends as labels do ("Tax code")."""
    bare = text.strip()
    few = len(bare.split()) <= 4 and not re.search(r"\d", _NUMBERING.sub("", bare))  # noqa: PLR2004 - a label is short
    return is_label(bare) or is_numbered(bare) or (few and _ENDS_A_LABEL.search(bare) is not None)
