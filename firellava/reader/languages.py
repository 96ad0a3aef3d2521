"""Which language a text is in, told from its script and its most common words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["language_of"]

# The most common function words; one that several languages share counts for each of them.
_COMMON: Final = {
    "English": "the and of to in is for you that with on are this your by be or from at not we have please",
    "German": "der die das und ist nicht mit ein eine für von zu den auf im sie wir bitte oder bei zum zur",
    "French": "le la les et des est une pour vous dans sur avec pas nous du par votre au aux merci ce qui",
    "Spanish": "el la los las y de que en es por para con una su del no se gracias al lo más sus",
    "Italian": "il la di che per una con del della non sono gli nel grazie dei alla le è al da",
    "Portuguese": "o os as de que em é por para com uma não do da obrigado dos das ao na no sua",
    "Dutch": "de het een en van is op voor met niet zijn wij aan uw bij naar door te dank ook",
    "Malay": "dan yang di untuk dengan ini tidak terima kasih sila adalah kepada pada jumlah jalan",
    "Polish": "i w na z do nie się jest za dla oraz po od jak dziękujemy",
    "Swedish": "och att det som är på av för med den till inte en ett har tack",
}
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_GREEK: Final = re.compile(r"[\u0370-\u03ff]")

_FEWEST_WORDS: Final = 2
_MOST_FOREIGN: Final = 0.25


def language_of(lines: Iterable[str]) -> tuple[str, float] | None:
    """The language of a text and how sure that is, from 0 to 1, or None where too little speaks for one.

    Args:
        lines: the text.
    """
    text = " ".join(lines)
    letters = sum(map(str.isalpha, text))
    for language, script in (("Japanese", _KANA), ("Chinese", _HAN), ("Greek", _GREEK)):
        if letters and len(script.findall(text)) > _MOST_FOREIGN * letters:
            return language, 0.9
    words = re.findall(r"[^\W\d_]+", text.lower())
    counted = {
        language: sum(word in set(common.split()) for word in words) for language, common in _COMMON.items()
    }
    (first, most), (_, second) = sorted(counted.items(), key=lambda item: -item[1])[:2]
    if most < _FEWEST_WORDS or most == second:
        return None
    return first, min(0.95, 0.5 + 0.5 * (most - second) / most)
