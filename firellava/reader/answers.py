"""From a question and its images to an answer: quoted, measured, or an honest no.

Nothing is ever made up. An answer is text that stands in an image, a colour or a size that was measured, or a
sentence that says what could not be found or done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from firellava.reader.colours import background_colour, main_colours
from firellava.reader.engine import read
from firellava.reader.fields import field_value, value_beside
from firellava.reader.findings import Finding
from firellava.reader.headings import heading
from firellava.reader.layout import Page, arrange
from firellava.reader.phrases import line_about, written
from firellava.reader.prompts import last_question
from firellava.reader.questions import Question, Wants, understand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL import Image

    from firellava.reader.boxes import TextBox

__all__ = ["Answer", "answer", "quote"]

SURE_ENOUGH: Final = 0.35
"""A finding less sure than this is not given as an answer."""

ABILITIES: Final = (
    "ask me what the image says, for a total, a date, a number or a name written in it, "
    "or for its colours or size"
)
NO_IMAGE: Final = f"There is no image with the question, and I only read images: add one and {ABILITIES}."


@dataclass(frozen=True, slots=True)
class Quotation:
    """A piece of text that an answer was told from: the value, or the label beside it.

    Attributes:
        image: which of the images it stands in, counted from 0.
        box: the text and its place, in pixels of that image.
    """

    image: int
    box: TextBox


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader answers.

    Attributes:
        text: the answer: a quotation from the image, a measurement, or a sentence that declines.
        confidence: how sure the reader is of it, from 0 to 1; 0.0 where it declines.
        evidence: what was quoted and the labels that tell what it is; empty for measurements and refusals.
    """

    text: str
    confidence: float
    evidence: tuple[Quotation, ...] = ()


def answer(question: str, images: Sequence[Image.Image]) -> Answer:
    """Answer a question about images from the text in them.

    Args:
        question: the user's text; a prompt that a framework wrapped around the question is seen through.
        images: upright pictures. Of several, the one that answers best is quoted and named.

    Raises:
        MissingExtra: the OCR engine is not installed.
        ConfigurationError: it is installed but cannot be loaded.
    """
    if not images:
        return Answer(NO_IMAGE, 0.0)
    asked = understand(last_question(question))
    if asked.wants is Wants.BEYOND:
        return Answer(f"That takes {asked.beyond}, and I only read text: {ABILITIES}.", 0.0)
    if asked.image is not None and len(images) > 1:
        if asked.image >= len(images):
            return Answer(f"There is no image {asked.image + 1}: {len(images)} came with the question.", 0.0)
        return _in_image(_answer_one(asked, images[asked.image]), asked.image)
    answers = [_answer_one(asked, image) for image in images]
    return answers[0] if len(answers) == 1 else _from_several(asked, answers)


def _from_several(asked: Question, answers: Sequence[Answer]) -> Answer:
    known = [each.confidence for each in answers if each.confidence]
    if known and asked.wants in {Wants.TRANSCRIPT, Wants.SIZE, Wants.COLOUR}:
        start, apart = ("\n", "\n\n") if asked.wants is Wants.TRANSCRIPT else (" ", "\n")
        text = apart.join(f"Image {number}:{start}{each.text}" for number, each in enumerate(answers, 1))
        placed = [_in_image(each, image) for image, each in enumerate(answers)]
        return Answer(text, min(known), tuple(quoted for each in placed for quoted in each.evidence))
    number, best = max(enumerate(answers, 1), key=lambda numbered: numbered[1].confidence)
    best = _in_image(best, number - 1)
    if best.confidence == 0.0:
        return replace(best, text=re.sub(r"\b(in|of) the image\b", r"\1 the images", best.text))
    return replace(best, text=f"{best.text} (image {number})")


def _in_image(found: Answer, image: int) -> Answer:
    """An answer from one image, as one from this image among several."""
    return replace(found, evidence=tuple(replace(quoted, image=image) for quoted in found.evidence))


def _quoted(boxes: Iterable[TextBox]) -> tuple[Quotation, ...]:
    return tuple(Quotation(0, box) for box in boxes)


def _answer_one(asked: Question, image: Image.Image) -> Answer:
    if asked.wants is Wants.SIZE:
        return Answer(f"The image is {image.width} x {image.height} pixels.", 1.0)
    if asked.wants is Wants.COLOUR:
        return _colours(asked, image)
    return quote(asked, arrange(read(image)))


def quote(asked: Question, page: Page) -> Answer:
    """Answer a question about what is written, by quoting the page.

    Args:
        asked: a question that wants text; colours and sizes are not on a page.
        page: the text of one image.
    """
    if not page.rows:
        return Answer(f"I found no text in the image, and I only read text: {ABILITIES}.", 0.0)
    if asked.wants is Wants.TRANSCRIPT:
        letters = [(len(box.text), box.score) for box in page.boxes]
        sure = sum(length * score for length, score in letters) / sum(length for length, _ in letters)
        return Answer(page.transcript, sure, _quoted(page.boxes))
    finding = _find(asked, page)
    if finding is None or finding.confidence < SURE_ENOUGH:
        return Answer(f"I could not find {_sought(asked)} in the text of the image.", 0.0)
    text = f"Yes: “{finding.text}”" if asked.wants is Wants.PRESENCE else finding.text
    return Answer(text, finding.confidence, _quoted(finding.evidence))


def _find(asked: Question, page: Page) -> Finding | None:
    match asked.wants:
        case Wants.FIELD if asked.field:
            return field_value(page, asked.field)
        case Wants.VALUE:
            return value_beside(page, asked.words, asked.shape)
        case Wants.MENTION:
            return line_about(page, asked.words)
        case Wants.TITLE:
            return heading(page)
        case _:
            return _present(asked, page)


def _present(asked: Question, page: Page) -> Finding | None:
    if asked.phrase:
        found = written(page, asked.phrase)
        if found or not asked.field:
            return found
    if asked.field:
        return field_value(page, asked.field)
    first = page.boxes[0]
    return Finding(first.text, first.score, (first,))


def _sought(asked: Question) -> str:
    if asked.phrase:
        return f"“{asked.phrase}”"
    if asked.field:
        article = "an" if asked.field.name[0] in "aeio" else "a"
        return f"{article} {asked.field.name}"
    if asked.wants is Wants.TITLE:
        return "a title"
    return f"an answer about “{' '.join(asked.words)}”"


_OF_THE_WHOLE: Final = frozenset(
    ("main", "dominant", "most", "common", "overall", "whole", "primary", "background", "palette", "scheme")
)


def _colours(asked: Question, image: Image.Image) -> Answer:
    things = [word for word in asked.words if word not in _OF_THE_WHOLE]
    if "background" in asked.words and not things:
        background = background_colour(image)
        return Answer(
            f"The edges of the image are mostly {background.name} ({background.share:.0%}).", background.share
        )
    shares = [f"{colour.name} ({colour.share:.0%})" for colour in main_colours(image)]
    listed = " and ".join([", ".join(shares[:-1]), shares[-1]] if len(shares) > 1 else shares)
    if things:
        return Answer(f"I cannot tell things apart; over the whole image the main colours are {listed}.", 0.3)
    return Answer(
        f"The main colours of the image are {listed}." if len(shares) > 1 else f"The image is {listed}.", 0.9
    )
