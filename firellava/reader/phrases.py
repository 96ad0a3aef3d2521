"""Finding given words on a page, in whatever case and spacing they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from firellava.reader.findings import Finding
from firellava.reader.passages import passages
from firellava.reader.words import best_match, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firellava.reader.boxes import TextBox
    from firellava.reader.layout import Page

__all__ = ["line_about", "written"]

_SAID: Final = 0.85
_WRITTEN: Final = 0.99
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that put no spaces between words: Japanese and Chinese."""


def line_about(page: Page, words: Iterable[str]) -> Finding | None:
    """The line or the sentence that has all the given words; in another form of theirs, too."""
    wanted = tuple(words)
    for passage in passages(page) if wanted else ():
        written_words = tokens(passage.text)
        match = min(best_match(word, written_words) for word in wanted)
        if match:
            return Finding(
                passage.text, _SAID * match * min(box.score for box in passage.boxes), passage.boxes
            )
    return None


def written(page: Page, phrase: str) -> Finding | None:
    """The place where a phrase is written, in whatever case and spacing, also over several rows."""
    boxes = [box for row in page.reading_order for box in row.boxes]
    unspaced = bool(_UNSPACED.search(phrase))
    pieces = r"\w" if unspaced else r"[^\W_]+"
    found = [(piece, box) for box in boxes for piece in re.findall(pieces, box.text.casefold())]
    joined = "".join(re.findall(pieces, phrase.casefold()))
    for start in range(len(found) if joined else 0):
        length, run = 0, list[tuple[str, "TextBox"]]()
        while length < len(joined) and start + len(run) < len(found):
            run.append(found[start + len(run)])
            length += len(run[-1][0])
        if "".join(piece for piece, _ in run) == joined:
            evidence = tuple(dict.fromkeys(box for _, box in run))
            text = " ".join(box.text for box in evidence)
            return Finding(text, _WRITTEN * min(box.score for box in evidence), evidence)
    return None
