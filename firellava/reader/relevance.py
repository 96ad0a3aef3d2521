"""How well a piece of a page speaks of what a question asks for.

The words of a question count differently: one that a label repeats speaks for it, one that stands somewhere
else on the page (in the heading, say) hardly speaks against it, and one that stands nowhere speaks against
everything, unless it only says what kind of thing the page is about ("the applicant", "the concert").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from firellava.reader.values import Shape
from firellava.reader.wording import STOP_WORDS
from firellava.reader.words import best_match, days_between, same_word, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firellava.reader.layout import Page

__all__ = ["ASKING_WORDS", "EVENTS", "GENERAL_WORDS", "Asked"]

_PARTIES = """
    applicant buyer client customer employee guest holder member owner parent passenger patient patron payer
    person recipient resident student subscriber tenant traveller user visitor
"""
PARTIES: Final = frozenset(_PARTIES.split())
"""Those a document is made out to: their telephone number is not that of who issued it."""

_EVENTS = """
    class concert conference course event exhibition festival film flight game journey lecture lesson
    match meeting
    movie party performance play race seminar session show talk tour train trip wedding workshop
"""
EVENTS: Final = frozenset(_EVENTS.split())
"""What takes place somewhere at some time: a page that has a place and a date may be about another one."""

_THINGS = """
    author seller sender shop store supplier vendor
    account agreement application bill brochure card certificate contract coupon document flyer form
    leaflet letter
    licence magazine memo menu message newsletter order package packet page parcel permit policy poster
    prescription
    quotation quote receipt recipe report sign slide slip statement ticket voucher
    bottle box can container jar pack sample tin item label product property
    content figure level range reading value worth
    building bus restaurant cafe hotel place museum library park school company business house flat
    apartment room
    boat book car cat computer device dog ferry job machine pet plane programme program project team vehicle
"""
_DOING = """
    bought buy purchase purchased sold sell made ordered placed printed issued
    accept access allow announce apply ask become belong bring call charge come connected contain cover
    get give go
    happen have hold include keep know live make mean need needed offer open perform play present provide
    remain run send set stand stay take tell think turn use used visit want work write
    actual current exact full listed main mentioned official overall shown total written
"""
_ASKING = """
    where when often far long old strong full left remaining price arrive arrives depart departs leave leaves
    start starts begin begins
"""
ASKING_WORDS: Final = frozenset(_ASKING.split())
"""Words of the question itself: a label may repeat them, but need not."""

GENERAL_WORDS: Final = (frozenset((*_THINGS.split(), *_DOING.split())) | EVENTS | PARTIES) - ASKING_WORDS
"""Words that say what a document is about, or that something happens, more than what is asked for."""

_GENERAL_STEMS: Final = frozenset(map(stem, GENERAL_WORDS))
_CONTACTS: Final = frozenset((Shape.PHONE, Shape.EMAIL, Shape.ADDRESS, Shape.WEBSITE))

_ELSEWHERE, _ELSEWHERE_WEIGHT = 0.35, 0.5
_GENERAL_WEIGHT: Final = 0.15
_ASKING_WEIGHT: Final = 0.15
_FIT_ELSEWHERE, _FIT_GENERAL, _FIT_NOWHERE = 0.85, 0.92, 0.4


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of a question, weighed against a page.

    Attributes:
        words: the question's words for what it wants, in lower case.
        elsewhere: those that stand anywhere on the page.
        weighty: words that count in full although they are general.
    """

    words: tuple[str, ...]
    elsewhere: frozenset[str]
    weighty: frozenset[str] = frozenset()

    @staticmethod
    def of(words: Iterable[str], page: Page, shape: Shape) -> Asked:
        """Weigh the words of a question for something of one shape against all the text of a page."""
        wanted = tuple(words)
        written = [word for box in page.boxes for word in tokens(box.text)]
        elsewhere = frozenset(word for word in wanted if best_match(word, written))
        return Asked(wanted, elsewhere, PARTIES if shape in _CONTACTS else frozenset())

    def coverage(self, text: str) -> float:
        """The share of the question that a text repeats, from 0 to 1.

        0.0 where it repeats none of the words that tell one thing from another.
        """
        written = [*tokens(text), *days_between(text)]
        if len(written) > _SHORT:
            # "To" alone labels a destination; inside a sentence it means nothing.
            written = [word for word in written if word.lower() not in _SMALL]
        told_by = [
            word
            for word in self.words
            if (best_match(word, written) if word in ASKING_WORDS else not self._is_general(word))
        ]
        total = covered = 0.0
        told = False
        for word in self.words:
            match = best_match(word, written)
            weight = _GENERAL_WEIGHT if told_by and self._is_general(word) else 1.0
            if match:
                told = told or weight == 1.0
            elif word in ASKING_WORDS:
                weight = _ASKING_WEIGHT
            elif word in self.elsewhere:
                weight, match = min(weight, _ELSEWHERE_WEIGHT), _ELSEWHERE
            total += weight
            covered += weight * match
        return covered / total if told and total else 0.0

    def fit(self, text: str, *, strict: bool = True) -> float:
        """How well a value that stands with a text fits, where the words only narrow down what is asked for.

        Args:
            text: what stands with the value.
            strict: whether a word that stands nowhere on the page speaks against every value.
        """
        written, fit = [*tokens(text), *days_between(text)], 1.0
        for word in self.words:
            if best_match(word, written) or word in ASKING_WORDS:
                continue
            if word in self.elsewhere:
                fit *= _FIT_ELSEWHERE
            elif strict:
                fit *= _FIT_GENERAL if self._is_general(word) else _FIT_NOWHERE
        return fit

    def _is_general(self, word: str) -> bool:
        return (
            stem(word) in _GENERAL_STEMS
            and word not in self.weighty
            and word.removesuffix("s") not in self.weighty
        )

    def precision(self, text: str) -> float:
        """The share of a text's words that the question asks for, from 0 to 1."""
        written = [word for word in tokens(text) if word.lower() not in _SMALL | STOP_WORDS]
        if not written:
            return 0.0
        return sum(any(same_word(word, other) for word in self.words) for other in written) / len(written)


_SHORT: Final = 2
_SMALL_WORDS = (
    "where when a an the of for to from in on at by per and or your our no nr is de la le di der die das"
)
_SMALL: Final = frozenset(_SMALL_WORDS.split())
