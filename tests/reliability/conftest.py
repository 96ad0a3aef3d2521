"""A second server that plays the local model, and waits that are short."""

from collections.abc import Iterator
from functools import partial

import pytest

from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.routing.policy import Timing
from tests.api_server import QWEN_MAX, ApiServer


@pytest.fixture(scope="session")
def running_local_server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def local_server(running_local_server: ApiServer) -> ApiServer:
    """The server on this machine that answers in the API's place."""
    running_local_server.clear()
    return running_local_server


@pytest.fixture
def local(local_server: ApiServer) -> OpenAICompatibleBackend:
    return OpenAICompatibleBackend(base_url=local_server.base_url, model=QWEN_MAX, api_key=local_server.key)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait milliseconds instead of seconds; how often there are any is left as it is."""
    monkeypatch.setattr("firellava.client.Timing", partial(Timing, first_pause=0.01))
