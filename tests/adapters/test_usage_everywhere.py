"""Every counter tells what the API billed: wherever usage stands, however the questions are asked."""

import pytest

from tests.adapters.token_counters import (
    WAYS,
    Counted,
    Way,
    count_in_langchain,
    count_in_llama_index,
    texts,
    truth,
)
from tests.api_server import ApiServer, UsagePlacement

QUESTIONS = {way: texts(40 if "batch" in way else 3) for way in WAYS}

places = pytest.mark.parametrize("placement", UsagePlacement, ids=lambda placement: placement.name.lower())
ways = pytest.mark.parametrize("way", WAYS)


@places
@ways
def test_in_langchain_every_counter_tells_what_was_billed(
    api_server: ApiServer, placement: UsagePlacement, way: Way
) -> None:
    api_server.usage = placement
    counted = count_in_langchain(api_server, way, QUESTIONS[way])
    expected = truth(api_server)
    assert expected["calls"] == len(QUESTIONS[way])
    assert counted == {counter: same_keys(expected, told) for counter, told in counted.items()}


@places
@ways
def test_in_llama_index_every_counter_tells_what_was_billed(
    api_server: ApiServer, placement: UsagePlacement, way: Way
) -> None:
    api_server.usage = placement
    counted = count_in_llama_index(api_server, way, QUESTIONS[way])
    expected = truth(api_server)
    assert expected["calls"] == len(QUESTIONS[way])
    if placement is UsagePlacement.NEVER:
        # It cannot say that it does not know; at least it does not say that nothing was used.
        guess = counted.pop("TokenCountingHandler")
        assert guess["calls"] == expected["calls"]
        assert guess["prompt"]
        assert guess["completion"]
    assert counted == {counter: same_keys(expected, told) for counter, told in counted.items()}


def same_keys(expected: Counted, told: Counted) -> Counted:
    """As much of the truth as a counter tells about."""
    return {name: expected[name] for name in told}
