"""Clients of the API server, and pictures to ask about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firellava import VisionClient
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded


@pytest.fixture
def client_for(api_server: ApiServer) -> Callable[..., VisionClient]:
    """Makes a client of the API server."""

    def make(**settings: Any) -> VisionClient:
        return VisionClient(**{"api_key": api_server.key, "base_url": api_server.base_url, **settings})

    return make


@pytest.fixture
def client(client_for: Callable[..., VisionClient]) -> VisionClient:
    return client_for()


@pytest.fixture
def blue_picture(tmp_path: Path) -> Path:
    path = tmp_path / "blue.png"
    path.write_bytes(encoded("PNG", (672, 336), "#0000ff"))
    return path
