import pickle
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava import FireworksBackend, ModelCard, Usage
from firellava.costs.prices import FREE, Prices
from firellava.errors import ConfigurationError

amounts = st.decimals(min_value=0, max_value=10**6, places=10, allow_nan=False, allow_infinity=False)
counts = st.integers(min_value=0, max_value=10**15)


@st.composite
def prices(draw: st.DrawFn) -> Prices:
    dear, cheap = sorted((draw(amounts), draw(amounts)), reverse=True)
    return Prices(
        input=dear, cached_input=draw(st.sampled_from([None, cheap, Decimal(0), dear])), output=draw(amounts)
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prompt, completion = draw(counts), draw(counts)
    cached = draw(st.none() | st.integers(min_value=0, max_value=prompt))
    return Usage(prompt, completion, prompt + completion, cached_tokens=cached)


def more(usage: Usage, prompt: int = 0, completion: int = 0, cached: int = 0) -> Usage:
    return Usage(
        usage.prompt_tokens + prompt,
        usage.completion_tokens + completion,
        usage.total_tokens + prompt + completion,
        cached_tokens=(usage.cached_tokens or 0) + cached,
    )


class TestPrices:
    @pytest.mark.parametrize("number", [0.2, "0.2", "0.20", " 0.2 ", Decimal("0.2")])
    def test_count_as_what_is_written(self, number: Any) -> None:
        assert Prices(input=number, output=1) == Prices(input=Decimal("0.2"), output=Decimal(1))

    def test_need_neither_a_date_nor_a_source(self) -> None:
        given = Prices(input=1, output=2)
        assert (given.cached_input, given.date, given.source) == (None, None, "given by the user")

    @pytest.mark.parametrize("name", ["input", "output", "cached_input"])
    @pytest.mark.parametrize(
        "number",
        [
            -1,
            -0.2,
            "-0.1",
            "cheap",
            float("nan"),
            float("inf"),
            "NaN",
            "-Infinity",
            "1e-21",
            "1e99",
            True,
            b"1",
        ],
    )
    def test_are_refused_a_number_that_is_none(self, name: str, number: Any) -> None:
        with pytest.raises(ConfigurationError, match=f"^Prices: {name}: "):
            Prices.model_validate({"input": 10**6, "output": 1, name: number})

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"input": 1}, "output: Field required"),
            ({"input": 1, "output": None}, "output: "),
            ({"input": 1, "output": 1, "cached": 1}, "there is no setting 'cached'"),
            ({"input": 1, "output": 1, "date": "soon"}, "date: "),
            ({"input": 1, "output": 1, "cached_input": 2}, "cached_input is a discount"),
        ],
    )
    def test_are_refused_what_makes_no_sense(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            Prices(**settings)

    def test_are_refused_inside_what_holds_them_too(self) -> None:
        with pytest.raises(ConfigurationError, match=r"Prices: input: .*greater than or equal to 0"):
            FireworksBackend.model_validate({"prices": {"input": -1, "output": 1}})
        with pytest.raises(ConfigurationError, match="Prices: output: Field required"):
            ModelCard.model_validate({"name": "mine", "prices": {"input": 1}})

    @given(prices())
    def test_come_back_from_json_and_pickle_as_they_were(self, stated: Prices) -> None:
        assert Prices.model_validate_json(stated.model_dump_json()) == stated
        assert Prices(**stated.model_dump(mode="json")) == stated
        assert pickle.loads(pickle.dumps(stated)) == stated  # noqa: S301 - our own

    @pytest.mark.parametrize(
        ("settings", "free"),
        [
            ({"input": 0, "output": "0.00"}, True),
            ({"input": 0, "output": "0.01"}, False),
            ({"input": "0.01", "cached_input": 0, "output": 0}, False),
        ],
    )
    def test_are_free_where_nothing_costs_anything(self, settings: dict[str, Any], *, free: bool) -> None:
        assert Prices(**settings).free is free
        assert FREE.free


class TestTheCost:
    @given(prices(), usages())
    def test_is_exact_in_any_decimal_context(self, stated: Prices, usage: Usage) -> None:
        cached = usage.cached_tokens or 0
        discounted = stated.input if stated.cached_input is None else stated.cached_input
        exact = (
            (usage.prompt_tokens - cached) * Fraction(stated.input)
            + cached * Fraction(discounted)
            + usage.completion_tokens * Fraction(stated.output)
        ) / 10**6
        with localcontext(prec=3):
            assert Fraction(stated.cost(usage)) == exact

    @given(prices(), usages(), usages())
    def test_of_two_calls_is_that_of_all_their_tokens(
        self, stated: Prices, first: Usage, second: Usage
    ) -> None:
        together = more(first, second.prompt_tokens, second.completion_tokens, second.cached_tokens or 0)
        with localcontext(prec=100):
            assert stated.cost(first) + stated.cost(second) == stated.cost(together)

    @given(prices(), usages(), counts, counts)
    def test_never_falls_with_more_tokens(
        self, stated: Prices, usage: Usage, prompt: int, completion: int
    ) -> None:
        assert 0 <= stated.cost(usage) <= stated.cost(more(usage, prompt, completion))

    @given(prices(), usages())
    def test_is_never_more_than_without_a_cache(self, stated: Prices, usage: Usage) -> None:
        uncached = Usage(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        assert stated.cost(usage) <= stated.cost(uncached)

    def test_of_more_cached_tokens_than_the_prompt_has_is_that_of_a_cached_prompt(self) -> None:
        stated = Prices(input=3, cached_input="0.3", output=15)
        assert stated.cost(Usage(10, 0, 10, cached_tokens=99)) == stated.cost(
            Usage(10, 0, 10, cached_tokens=10)
        )

    def test_prints_without_empty_digits(self) -> None:
        assert f"{Prices(input='0.20', output='0.20').cost(Usage(576, 0, 576)):f}" == "0.0001152"
