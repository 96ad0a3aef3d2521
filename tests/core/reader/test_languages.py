"""The language of a text is told from its script and its common words."""

import pytest

from firellava.reader.languages import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Thank you for shopping with us. Please keep this receipt.", "English"),
        ("Bitte zahlen Sie den Betrag bis zum Ende der Woche", "German"),
        ("Merci de votre visite et à bientôt dans nos magasins", "French"),
        ("Gracias por su compra, no se admiten cambios", "Spanish"),
        ("Grazie e arrivederci, il totale è di dieci euro", "Italian"),
        ("東京は日本の首都です", "Japanese"),
        ("谢谢惠顾欢迎再来", "Chinese"),
    ],
)
def test_a_language_is_told(text: str, language: str) -> None:
    told = language_of(text.splitlines())
    assert told is not None
    assert told[0] == language


@pytest.mark.parametrize("text", ["", "12.50 8.00", "Xylophon", "de"])
def test_too_little_text_tells_no_language(text: str) -> None:
    assert language_of([text]) is None
