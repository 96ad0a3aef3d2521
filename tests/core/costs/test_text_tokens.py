"""The rule of thumb for text: what it says of every kind of text, and what holds of any text at all.

The true counts are those of Llama-2's tokenizer and of Llama 3's, Llama 4's, Qwen's, DeepSeek's and Tekken's
(lowest and highest), as ``python -m benchmarks.token_estimates`` asks them. The table holds one text of each
kind that is within the stated error and has to stay so; how many are within it, the benchmark prints.
"""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava import model_card
from firellava.costs.text_tokens import Vocabulary, text_tokens, vocabulary_of
from firellava.models import ModelCard

ANY_TEXT = st.text(st.characters())  # lone surrogates included
VOCABULARIES = st.sampled_from(["llama-2", "large"])


SAMPLES = tomllib.loads(
    (Path(__file__).parents[3] / "benchmarks" / "token_samples.toml").read_text(encoding="utf-8")
)
# Kind, place among the samples, Llama-2's count, and the lowest and highest of the larger vocabularies.
TRUE_COUNTS = [
    ("English question", 3, 16, 16, 16),
    ("English prose", 3, 41, 34, 35),
    ("French", 3, 22, 18, 22),
    ("Spanish", 3, 20, 13, 19),
    ("Portuguese, Italian", 3, 18, 15, 18),
    ("Vietnamese", 3, 39, 13, 24),
    ("Russian", 3, 12, 8, 13),
    ("Ukrainian, Bulgarian", 3, 26, 19, 28),
    ("Greek", 1, 74, 23, 59),
    ("Chinese", 3, 21, 8, 16),
    ("Japanese", 3, 24, 13, 16),
    ("Korean", 3, 40, 10, 15),
    ("Arabic, Persian", 3, 33, 10, 15),
    ("Hebrew", 5, 39, 18, 38),
    ("Hindi, Thai", 3, 50, 13, 25),
    ("Emoji", 3, 40, 22, 32),
    ("Numbers", 3, 89, 61, 89),
    ("JSON", 3, 78, 65, 69),
    ("Code and markup", 3, 78, 63, 70),
    ("Addresses and digests", 3, 61, 35, 52),
    ("Receipts in capitals", 3, 38, 23, 32),
]


@pytest.mark.parametrize(("kind", "place", "llama_2", "lowest", "highest"), TRUE_COUNTS)
def test_true_counts_lie_within_the_stated_error(
    kind: str, place: int, llama_2: int, lowest: int, highest: int
) -> None:
    measured = text_tokens(SAMPLES[kind][place], "llama-2")
    assert abs(llama_2 - measured.count) <= measured.error * measured.count
    measured = text_tokens(SAMPLES[kind][place], "large")
    assert abs(lowest - measured.count) <= measured.error * measured.count
    assert abs(highest - measured.count) <= measured.error * measured.count


def test_the_stated_error_is_larger_beyond_ascii_in_proportion() -> None:
    english, chinese = "Is it paid? Please check it again. " * 3, "这张收据的总金额是多少"
    assert text_tokens(english).error < text_tokens(english + "收").error < text_tokens(chinese).error
    assert text_tokens(english + "收").mostly_ascii
    assert not text_tokens(chinese).mostly_ascii


def test_no_text_is_no_tokens_and_any_text_is_one() -> None:
    assert text_tokens("").count == 0
    assert text_tokens(" ").count == 1
    assert text_tokens("a").count == 1


@pytest.mark.parametrize("vocabulary", ["llama-2", "large"])
def test_a_text_without_words_is_not_taken_for_a_few_long_ones(vocabulary: Vocabulary) -> None:
    assert text_tokens("qxkzvtrbnmpwlfhg" * 100, vocabulary).count > 500


@given(ANY_TEXT, VOCABULARIES)
def test_a_token_is_at_least_one_byte(text: str, vocabulary: Vocabulary) -> None:
    assert text_tokens(text, vocabulary).count <= len(text.encode("utf-8", "surrogatepass"))


@given(ANY_TEXT, ANY_TEXT, VOCABULARIES)
def test_more_text_is_never_fewer_tokens(before: str, after: str, vocabulary: Vocabulary) -> None:
    whole = text_tokens(before + after, vocabulary).count
    assert whole >= text_tokens(before, vocabulary).count
    assert whole >= text_tokens(after, vocabulary).count


def test_firellava_has_llama_2s_vocabulary_and_later_models_have_large_ones() -> None:
    assert vocabulary_of(model_card("firellava-13b")) == "llama-2"
    assert vocabulary_of(model_card("qwen3p8-max")) == "large"
    assert vocabulary_of(ModelCard(name="unheard-of")) == "large"
