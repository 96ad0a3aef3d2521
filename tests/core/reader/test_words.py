"""Which words count as the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.reader.words import best_match, days_between, same_word, stem, tokens


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("operates", "Operated"), ("refill", "Refills"), ("allergic", "ALLERGIES"), ("delivery", "delivered"),
        ("stopping", "stops"), ("applicant", "application"), ("campfires", "campfire"), ("booked", "booking"),
    ],
)  # fmt: skip
def test_endings_do_not_matter(asked: str, written: str) -> None:
    assert same_word(asked, written) == 1.0


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("weigh", "Weight"),
        ("destination", "To"),
        ("doctor", "physician"),
        ("price", "Fare"),
        ("surname", "Last"),
    ],
)
def test_synonyms_match_a_little_less(asked: str, written: str) -> None:
    assert 0.5 < same_word(asked, written) < 1.0


def test_a_long_word_read_with_a_mistake_still_matches() -> None:
    assert same_word("reference", "Refererce") > 0.5


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("shipping", "shopping"),
        ("serial", "series"),
        ("tea", "tear"),
        ("2025", "2026"),
        ("card", "cart"),
        ("12", "1"),
    ],
)
def test_other_words_do_not_match(asked: str, written: str) -> None:
    assert same_word(asked, written) == 0.0


def test_the_best_of_several_words_counts() -> None:
    assert best_match("fare", ["Price", "fares"]) == 1.0
    assert best_match("fare", []) == 0.0


def test_numbers_times_and_hyphens_stay_in_one_piece() -> None:
    assert tokens("At 14:00, 12.50 for e-mail; O'Brien.") == [
        "At",
        "14:00",
        "12.50",
        "for",
        "e-mail",
        "O'Brien",
    ]


@given(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=20))
def test_a_word_is_the_same_as_itself_in_any_case(word: str) -> None:
    assert same_word(word, word.upper()) == 1.0
    assert stem(word) == stem(word.upper())


def test_a_span_of_days_covers_those_between() -> None:
    assert days_between("Mon - Fri 8:00") == ["mon", "tue", "wed", "thu", "fri", "weekdays", "weekday"]
    assert days_between("Saturday to Monday") == ["sat", "sun", "mon"]
    assert days_between("May 9 - 10") == []
