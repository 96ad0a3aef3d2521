"""The LLM on the API server, and pictures to ask about."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer
from tests.llama_index.asking import PICTURE, RECEIPT


@pytest.fixture
def llm_for(api_server: ApiServer) -> Callable[..., FireLLaVA]:
    """Makes an LLM that asks the API server."""

    def make(**settings: Any) -> FireLLaVA:
        return FireLLaVA(**{"api_key": api_server.key, "base_url": api_server.base_url, **settings})

    return make


@pytest.fixture
def llm(llm_for: Callable[..., FireLLaVA]) -> FireLLaVA:
    return llm_for()


@pytest.fixture
def receipt() -> Path:
    return RECEIPT


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file that shows one plain colour, `asking.COLOUR`."""
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURE)
    return path


@pytest.fixture(autouse=True)
def _event_loop_to_close(request: pytest.FixtureRequest) -> Iterator[None]:
    """LlamaIndex's synchronous methods take the thread's event loop, or make one and leave it open."""
    if inspect.iscoroutinefunction(request.function):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
