"""About how many tokens a text has, without downloading anybody's tokenizer.

Tokenizers split a text into the pieces of a vocabulary that was learnt from mostly English text: a common
word is one piece, a rare one two or three, a character of a script that is rare there is one or several. So
the rule counts words and what makes them longer, digits, punctuation and characters of each script, and gives
every count a weight. There are two sets of weights: Llama-2's vocabulary, which FireLLaVA has, and the larger
ones of later models. They are fitted to one half of the texts of ``python -m benchmarks.token_estimates``,
which prints the errors on the other half. What is counted, the weight for runs of letters that are no word,
and the errors stated below were settled by looking at both halves, so expect a little worse of other texts.

It works on the UTF-8 bytes in C, in time proportional to the text: 3 to 6 µs for a short question.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from operator import mul
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firellava.models import ModelCard

__all__ = ["TextTokens", "Vocabulary", "features", "text_tokens", "vocabulary_of"]

Vocabulary: TypeAlias = Literal["llama-2", "large"]
"""Llama-2's 32,000 pieces, or the 100,000 and more of Llama 3 and 4, Qwen, DeepSeek, Mistral and the like."""


@dataclass(frozen=True, slots=True)
class TextTokens:
    """An estimate.

    Attributes:
        count: tokens, about.
        error: how far off it may be, as a share of `count`: 19 in 20 texts like those it was measured on have
            between ``count * (1 - error)`` and ``count * (1 + error)`` tokens. Languages other than English
            in Latin script, most of all with few accents, often have more: single sentences up to 75 % more,
            lists of foreign names up to three times as many.
        mostly_ascii: whether less than a quarter of the tokens are beyond ASCII.
    """

    count: int
    error: float
    mostly_ascii: bool = True


# What is counted, and how many tokens each of it makes: in Llama-2's vocabulary, in a large one. Patterns are
# made of classes, one letter for each character. No weight is negative: more text is never fewer tokens.
_IN_ASCII: Final = (
    ("words", 1.05, 1.00),
    ("runs of punctuation", 1.15, 0.83),
    ("aA", 2.36, 2.41),  # a capital inside a word
    ("aaaaaaa", 0.05, 0.11),  # a long word
    ("aaaaaaaaaaaaaaaa", 9.00, 8.00),  # hardly a word: set by hand, between compounds and noise
    ("AA", 0.70, 0.42),
    ("0", 0.97, 0.74),  # some vocabularies have a token for three digits, some for one
    (" 0", 1.07, 1.15),
    ("pp", 0.16, 0.22),
    ("n", 0.50, 0.61),  # the end of a line, a tab
    ("nn", 2.52, 0.00),
    ("    ", 0.41, 0.14),
)
# A character beyond ASCII takes several bytes in UTF-8: the first one tells its script, roughly.
_BEYOND_ASCII: Final = (
    ("w", 0.08, 0.06, (0xC3,)),  # accents of Western European languages
    ("c", 2.81, 1.99, (*range(0xC4, 0xCA), 0xCC, 0xCD)),  # other accents
    ("g", 0.96, 0.49, (0xCE, 0xCF)),  # Greek
    ("k", 0.22, 0.18, range(0xD0, 0xD4)),  # Cyrillic
    ("h", 0.99, 0.61, range(0xD4, 0xD8)),  # Hebrew, Armenian
    ("r", 0.88, 0.18, range(0xD8, 0xE0)),  # Arabic, Persian
    ("i", 1.13, 0.49, (0xE0,)),  # scripts of India, Thai
    ("v", 2.75, 0.00, (0xE1,)),  # Vietnamese accents
    ("o", 1.68, 0.43, range(0xEA, 0xEE)),  # Hangul
    ("q", 2.96, 1.92, (0xC2, 0xCA, 0xCB, 0xE2)),  # typographic punctuation, currencies, arrows
    ("j", 1.29, 0.70, (0xE3,)),  # kana, Chinese and Japanese punctuation
    ("z", 1.44, 0.69, range(0xE4, 0xEA)),  # Chinese characters
    ("f", 1.91, 1.97, (0xEE, 0xEF)),  # full-width forms
    ("e", 4.33, 2.59, range(0xF0, 0xF5)),  # emoji
)
_LONG_WORDS_BESIDE_ACCENTS: Final = (0.90, 0.68)

_WEIGHTS: Final[Mapping[Vocabulary, tuple[float, ...]]] = MappingProxyType(
    {
        "llama-2": (
            *(weight for _, weight, _ in _IN_ASCII),
            *(weight for _, weight, *_ in _BEYOND_ASCII),
            _LONG_WORDS_BESIDE_ACCENTS[0],
        ),
        "large": (
            *(weight for *_, weight in _IN_ASCII),
            *(weight for _, _, weight, _ in _BEYOND_ASCII),
            _LONG_WORDS_BESIDE_ACCENTS[1],
        ),
    }
)
_ASCII_FEATURES: Final = len(_IN_ASCII)

# The stated error for ASCII (English, numbers, JSON, code), and for texts of which a quarter of the tokens
# or more are beyond it. Later vocabularies differ among themselves, most in scripts other than Latin.
_ERRORS: Final[Mapping[Vocabulary, tuple[float, float]]] = MappingProxyType(
    {"llama-2": (0.25, 0.35), "large": (0.30, 0.50)}
)
_ALL_BEYOND: Final = 0.25

# Windows of the models that have Llama-2's vocabulary, Llama-2 itself and FireLLaVA among them.
_LONGEST_LLAMA_2_WINDOW: Final = 4096


_SPACED: Final = "aAwcgkhrivo"  # letters of scripts that put spaces between words


def _class_table() -> bytes:
    table = bytearray(b" " * 256)
    for name, characters in (
        ("a", string.ascii_lowercase),
        ("A", string.ascii_uppercase),
        ("0", string.digits),
        ("p", string.punctuation),
        ("n", "\n\t\r\v\f"),
    ):
        for character in characters:
            table[ord(character)] = ord(name)
    for name, _, _, leads in _BEYOND_ASCII:
        for lead in leads:
            table[lead] = ord(name)
    return bytes(table)


def _mask(classes: str) -> bytes:
    """A table that leaves ``x`` of these classes, and a space of all others."""
    return bytes(ord("x" if chr(byte) in classes else " ") for byte in range(256))


_CLASS: Final = _class_table()
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
_LETTER: Final = _mask(_SPACED)
_PUNCTUATION: Final = _mask("p")
_ASCII_PATTERNS: Final = tuple(name.encode() for name, *_ in _IN_ASCII[2:])
_SCRIPT_PATTERNS: Final = tuple(name.encode() for name, *_ in _BEYOND_ASCII)
_WORDS_BETRAYED: Final = 8


def vocabulary_of(card: ModelCard) -> Vocabulary:
    """Which weights fit a model: its context window tells its generation, a recent one if unknown."""
    window = card.context_window
    return "llama-2" if window is not None and window <= _LONGEST_LLAMA_2_WINDOW else "large"


def text_tokens(text: str, vocabulary: Vocabulary = "large") -> TextTokens:
    """About how many tokens a text has, and how far off that may be. Never more than its bytes in UTF-8."""
    ascii_only = text.isascii()
    data = text.encode("utf-8", "surrogatepass")
    counts, weights = features(data, ascii_only=ascii_only), _WEIGHTS[vocabulary]
    usual, beyond_ascii = _ERRORS[vocabulary]
    tokens = sum(map(mul, counts[:_ASCII_FEATURES], weights))
    share = 0.0
    if not ascii_only:
        others = sum(map(mul, counts[_ASCII_FEATURES:], weights[_ASCII_FEATURES:]))
        tokens += others
        share = min(1.0, others / tokens / _ALL_BEYOND) if tokens else 0.0
    return TextTokens(
        count=min(len(data), max(round(tokens), bool(data))),
        error=usual + (beyond_ascii - usual) * share,
        mostly_ascii=share < 1.0,
    )


def features(data: bytes, *, ascii_only: bool) -> list[int]:
    """What the weights belong to, counted in a text in UTF-8; of ASCII, only what it can have."""
    classes = data.translate(_CLASS) if ascii_only else data.translate(_CLASS, _CONTINUATION)
    letters, punctuation = classes.translate(_LETTER), classes.translate(_PUNCTUATION)
    count = classes.count
    counts = [
        letters.count(b" x") + letters.startswith(b"x"),
        punctuation.count(b" x") + punctuation.startswith(b"x"),
        *map(count, _ASCII_PATTERNS),
    ]
    if ascii_only:
        return counts
    # A word of another language is more pieces than an English one; an accent betrays those around it.
    accented = min(count(b"aaaaa"), _WORDS_BETRAYED * count(b"w"))
    return [*counts, *map(count, _SCRIPT_PATTERNS), accented]
