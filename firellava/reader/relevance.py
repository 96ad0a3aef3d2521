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
from firellava.reader.words import best_match, same_word, stem, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firellava.reader.layout import Page

__all__ = ["ASKING_WORDS", "GENERAL_WORDS", "Asked"]

_PARTIES = """
    applicant buyer client customer employee guest holder member owner parent passenger patient patron payer
    person recipient resident student subscriber tenant traveller user visitor
"""
PARTIES: Final = frozenset(_PARTIES.split())
"""Those a document is made out to: their telephone number is not that of who issued it."""

_GENERAL = """
    author seller sender shop store supplier vendor
    account card certificate class concert contract course document event flight form game item journey label
    lesson match meeting menu message order package packet page parcel performance policy poster prescription
    product programme program project property receipt session show sign slide ticket train trip workshop
    bus restaurant cafe hotel building place museum library park movie film play exhibition tour lecture talk
    seminar conference party wedding race boat ferry plane cat dog pet book device computer machine
    application newsletter magazine recipe team school company business car vehicle house flat apartment room
    job
    bought buy purchase purchased sold sell made ordered placed printed issued
    accept access allow announce apply ask become belong bring call charge come contain cover get give go
    happen have hold include keep know live make mean need offer open perform play present provide run
    send set stand stay take tell think turn use visit want work write current exact full main official
    actual listed mentioned shown written total overall
"""
GENERAL_WORDS: Final = frozenset(_GENERAL.split()) | PARTIES
"""Words that say what a document is about, or that something happens, more than what is asked for."""

ASKING_WORDS: Final = frozenset(
    ("where", "when", "often", "far", "long", "old", "left", "remaining", "price")
)
"""Words of the question itself: a label may repeat them, but need not."""

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
        written = tokens(text)
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
        written, fit = tokens(text), 1.0
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
