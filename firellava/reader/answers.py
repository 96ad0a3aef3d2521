"""From a question and its images to an answer: quoted, measured, or an honest no.

Nothing is ever made up. An answer is text that stands in an image, a colour or a size that was measured, or a
sentence that says what could not be found or done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from firellava.reader.colours import background_colour, main_colours
from firellava.reader.confidence import FITS_ENOUGH, confidence_of
from firellava.reader.engine import read
from firellava.reader.languages import language_of
from firellava.reader.layout import Page, arrange
from firellava.reader.prompts import last_question
from firellava.reader.questions import Question, Wants, understand
from firellava.reader.quoting import best_finding, presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL import Image

    from firellava.reader.boxes import Point, TextBox

__all__ = ["Answer", "Quotation", "answer", "quote"]

ABILITIES: Final = (
    "ask me what the image says, for a total, a date, a number or a name written in it, "
    "or for its colours or size"
)
NO_IMAGE: Final = f"There is no image with the question, and I only read images: add one and {ABILITIES}."
OFFER: Final = "Ask me what it says, and I give all of its text."


@dataclass(frozen=True, slots=True)
class Quotation:
    """A piece of text that an answer was told from: the value, and the label beside it.

    Attributes:
        image: which of the images it stands in, counted from 0.
        box: the text and its place, in pixels of that image.
    """

    image: int
    box: TextBox

    @property
    def text(self) -> str:
        """What is written there."""
        return self.box.text

    @property
    def polygon(self) -> tuple[Point, Point, Point, Point]:
        """The four corners, in pixels of the image, clockwise from the one at the text's top left."""
        return self.box.polygon


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader answers.

    Attributes:
        text: the answer: a quotation from the image, a measurement, or a sentence that declines.
        confidence: how likely it is right, from 0 to 1; 0.0 where it declines.
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
        return Answer(_takes(asked.beyond), 0.0)
    numbered = list(enumerate(images))
    if asked.image is not None and len(images) > 1:
        if asked.image >= len(images):
            return Answer(f"There is no image {asked.image + 1}: {len(images)} came with the question.", 0.0)
        numbered = [numbered[asked.image]]
    answers = [_answer_one(asked, image, number) for number, image in numbered]
    return answers[0] if len(answers) == 1 else _from_several(asked, answers)


def _from_several(asked: Question, answers: Sequence[Answer]) -> Answer:
    known = [each.confidence for each in answers if each.confidence]
    if known and asked.wants in _OF_EACH:
        apart = (
            "\n\n" if any("\n" in each.text for each in answers) or asked.wants is Wants.TRANSCRIPT else "\n"
        )
        start = "\n" if apart == "\n\n" else " "
        text = apart.join(f"Image {number}:{start}{each.text}" for number, each in enumerate(answers, 1))
        return Answer(text, min(known), tuple(quoted for each in answers for quoted in each.evidence))
    # A yes from one image outweighs a no from another.
    number, best = max(enumerate(answers, 1), key=lambda each: (bool(each[1].evidence), each[1].confidence))
    if not best.evidence:
        return replace(best, text=re.sub(r"\b(in|of) the image\b", r"\1 the images", best.text))
    return replace(best, text=f"{best.text} (image {number})")


_OF_EACH: Final = frozenset(
    (Wants.TRANSCRIPT, Wants.SIZE, Wants.COLOUR, Wants.LIST, Wants.ITEMS, Wants.LANGUAGE)
)


def _answer_one(asked: Question, image: Image.Image, number: int) -> Answer:
    if asked.wants is Wants.SIZE:
        return Answer(f"The image is {image.width} x {image.height} pixels.", 1.0)
    if asked.wants is Wants.COLOUR:
        return _colours(asked, image)
    return quote(asked, arrange(read(image)), number)


def quote(asked: Question, page: Page, image: int = 0) -> Answer:
    """Answer a question about what is written, by quoting the page.

    Args:
        asked: a question that wants text; colours and sizes are not on a page.
        page: the text of one image.
        image: which of several images it is, counted from 0.
    """
    if not page.rows:
        declined = (
            _takes(asked.beyond)
            if asked.beyond
            else f"I found no text in the image, and I only read text: {ABILITIES}."
        )
        return Answer(declined, 0.0)
    if asked.wants is Wants.TRANSCRIPT:
        return Answer(page.transcript, _how_well_read(page), _quoted(page.boxes, image))
    if asked.wants is Wants.LANGUAGE:
        told = language_of(row.text for row in page.rows)
        return Answer(f"The text is in {told[0]}.", told[1]) if told else _declined(asked)
    if asked.wants is Wants.PRESENCE:
        return _presence(asked, page, image)
    finding = best_finding(asked, page)
    if finding is None or finding.fit < FITS_ENOUGH:
        return _declined(asked)
    return Answer(finding.text, confidence_of(finding.fit), _quoted(finding.evidence, image))


def _presence(asked: Question, page: Page, image: int) -> Answer:
    finding = presence(asked, page)
    if finding and finding.fit >= FITS_ENOUGH:
        return Answer(f"Yes: “{finding.text}”", confidence_of(finding.fit), _quoted(finding.evidence, image))
    # Words that were read badly, or not at all, may be there all the same.
    return Answer(
        f"No, I could not find {_sought(asked)} in the text of the image.", 0.9 * _how_well_read(page)
    )


def _how_well_read(page: Page) -> float:
    letters = [(len(box.text), box.score) for box in page.boxes]
    return sum(length * score for length, score in letters) / sum(length for length, _ in letters)


def _quoted(boxes: Iterable[TextBox], image: int) -> tuple[Quotation, ...]:
    return tuple(Quotation(image, box) for box in boxes)


def _declined(asked: Question) -> Answer:
    if asked.beyond:
        return Answer(_takes(asked.beyond), 0.0)
    return Answer(f"I could not find {_sought(asked)} in the text of the image. {OFFER}", 0.0)


def _takes(beyond: str) -> str:
    return f"That takes {beyond}, and I only read text: {ABILITIES}."


def _sought(asked: Question) -> str:
    if asked.phrase:
        return f"“{asked.phrase}”"
    if asked.field:
        article = "an" if asked.field.name[0] in "aeio" else "a"
        return f"{article} {asked.field.name}"
    if asked.wants in _SOUGHT:
        return _SOUGHT[asked.wants]
    return f"an answer about “{' '.join(asked.words)}”" if asked.words else f"a {asked.shape}"


_SOUGHT: Final = {
    Wants.TITLE: "a title",
    Wants.ITEMS: "a list of items",
    Wants.LANGUAGE: "enough words to tell the language",
}

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
