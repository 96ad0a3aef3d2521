"""Models of this package on the API server, and blocks with pictures."""

from collections.abc import Callable
from typing import Any

import pytest

from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions
from tests.api_server import ApiServer


@pytest.fixture
def llm_for(api_server: ApiServer) -> Callable[..., ChatFireLLaVA]:
    """Makes a chat model on the API server."""

    def make(**settings: Any) -> ChatFireLLaVA:
        return ChatFireLLaVA(**{"api_key": api_server.key, "base_url": api_server.base_url, **settings})

    return make


@pytest.fixture
def llm(llm_for: Callable[..., ChatFireLLaVA]) -> ChatFireLLaVA:
    return llm_for()


@pytest.fixture
def completions(api_server: ApiServer) -> FireLLaVACompletions:
    return FireLLaVACompletions(api_key=api_server.key, base_url=api_server.base_url)
