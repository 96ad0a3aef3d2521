"""With the API dead and its circuit open, calls go to this machine: nobody even connects to the API."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firellava import FireworksBackend
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.routing.breaker import breaker_of
from tests.api_server import ApiServer
from tests.dead_servers import HangsUp
from tests.reliability.asking import ANSWER, WAYS, Heard, ask

Way = Callable[[dict[str, Any], Heard], None]


@pytest.fixture
def dead_api() -> Iterator[HangsUp]:
    """It takes connections, counts them, and hangs up."""
    with HangsUp() as server:
        yield server


@pytest.fixture
def settings(dead_api: HangsUp, local: OpenAICompatibleBackend) -> dict[str, Any]:
    return {"base_url": f"http://127.0.0.1:{dead_api.port}/v1", "api_key": "k", "fallback": local}


def test_calls_make_no_connection(
    settings: dict[str, Any], dead_api: HangsUp, local_server: ApiServer
) -> None:
    for way in WAYS:
        ask(way, settings)
    assert dead_api.connections == 5
    before = len(local_server.requests)
    for way in WAYS * 3:
        heard = ask(way, settings)
        assert heard.text == ANSWER
        assert heard.metadata["fallback_from"][0]["reason"].startswith("CircuitOpen")
    assert dead_api.connections == 5
    assert len(local_server.requests) == before + 24


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_one_connection_is_made_in_each_half_open_period(
    settings: dict[str, Any], dead_api: HangsUp, way: Way
) -> None:
    backend = FireworksBackend(base_url=settings["base_url"], api_key="k")
    breaker, long_ago = breaker_of(backend), time.monotonic() - 100
    for _ in range(5):
        permit = breaker.permit(long_ago)
        assert permit is not None
        breaker.failed(permit, long_ago)
    for _ in range(4):
        assert ask(way, settings).text == ANSWER
    assert dead_api.connections == 1
