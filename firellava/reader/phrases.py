"""Finding given words on a page, in whatever case and spacing they are written."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["end_of_words", "line_about", "written"]

_SIMILAR: Final = 0.84
"""Share of letters that two long words must have in common to count as one that was read with a mistake."""

_LONG: Final = 6
"""Letters from which a word is long: in a shorter one, another letter makes another word."""


def line_about(page: Page, words: Iterable[str]) -> Finding | None:
    """The row that has all the given words."""
    wanted = tuple(words)
    for row in page.reading_order:
        if wanted and end_of_words(row.text, wanted) is not None:
            return Finding(row.text, 0.8 * min(box.score for box in row.boxes), row.boxes)
    return None


def end_of_words(text: str, wanted: tuple[str, ...]) -> int | None:
    """Where the last of the wanted words ends in a text that has them all."""
    ends = []
    for word in wanted:
        end = next(
            (match.end() for match in re.finditer(r"[^\W_]+", text) if _same_word(match.group(), word)), None
        )
        if end is None:
            return None
        ends.append(end)
    return max(ends, default=None)


def _same_word(one: str, other: str) -> bool:
    first, second = one.lower().removesuffix("s"), other.lower().removesuffix("s")
    if first == second:
        return True
    if min(len(first), len(second)) < _LONG or any(map(str.isdigit, first + second)):
        return False
    return SequenceMatcher(None, first, second).ratio() >= _SIMILAR


def written(page: Page, phrase: str) -> Finding | None:
    """The place where a phrase is written, in whatever case and spacing, also over several rows."""
    boxes = [box for row in page.reading_order for box in row.boxes]
    tokens = [(token, box) for box in boxes for token in re.findall(r"[^\W_]+", box.text.casefold())]
    wanted = re.findall(r"[^\W_]+", phrase.casefold())
    joined = "".join(wanted)
    for start in range(len(tokens) if wanted else 0):
        length, run = 0, list[tuple[str, "TextBox"]]()
        while length < len(joined) and start + len(run) < len(tokens):
            run.append(tokens[start + len(run)])
            length += len(run[-1][0])
        if "".join(token for token, _ in run) == joined:
            evidence = tuple(dict.fromkeys(box for _, box in run))
            return Finding(
                " ".join(box.text for box in evidence), 0.97 * min(box.score for box in evidence), evidence
            )
    return None
