"""What every test finds: the API server, cleared; a clean environment; no way to the internet.

Tests of an engine that an extra installs carry ``@pytest.mark.engine("rapidocr")``. They are skipped where
the engine is missing, and fail instead where ``FIRELLAVA_REQUIRE_ENGINES`` is set, as in continuous
integration.
"""

import ipaddress
import os
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.routing import notices
from firellava.routing.breaker import breaker_of
from tests.api_server import QWEN_MAX, ApiServer

_ENGINES = {
    "heic": ("pillow_heif",),
    "llama_cpp": ("xllamacpp",),
    "pdf": ("pypdfium2",),
    "rapidocr": ("rapidocr", "onnxruntime"),
    "transformers": ("transformers", "torch"),
}
_REQUIRE_ENGINES = bool(os.environ.get("FIRELLAVA_REQUIRE_ENGINES"))


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, so that a misspelt one is an error."""
    config.addinivalue_line("markers", "engine(name): the test runs an engine that an extra installs")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose engine is not installed, or fail it where every engine must be."""
    for marker in item.iter_markers("engine"):
        missing = [module for module in _ENGINES[marker.args[0]] if find_spec(module) is None]
        if missing and _REQUIRE_ENGINES:
            pytest.fail(f"{' and '.join(missing)} must be installed here")
        elif missing:
            pytest.skip(f"{' and '.join(missing)} not installed")


@pytest.fixture(scope="session")
def running_api_server() -> Iterator[ApiServer]:
    """The session's API server; tests take `api_server`, which is this one without a past."""
    with ApiServer() as server:
        yield server


@pytest.fixture
def api_server(running_api_server: ApiServer) -> ApiServer:
    """The API's contract as a real HTTP server, its memory cleared."""
    running_api_server.clear()
    return running_api_server


@pytest.fixture(scope="session")
def running_local_server() -> Iterator[ApiServer]:
    """The session's second server; tests take `local_server`."""
    with ApiServer() as server:
        yield server


@pytest.fixture
def local_server(running_local_server: ApiServer) -> ApiServer:
    """A server on this machine that answers in the API's place, its memory cleared."""
    running_local_server.clear()
    return running_local_server


@pytest.fixture
def local(local_server: ApiServer) -> OpenAICompatibleBackend:
    """The local server as a backend."""
    return OpenAICompatibleBackend(base_url=local_server.base_url, model=QWEN_MAX, api_key=local_server.key)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, addresses and proxies of the person who runs the tests stay out of them."""
    for name in os.environ:
        if name.startswith(("FIREWORKS_", "FIRELLAVA_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    # Nor does a server on this machine take part.
    monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", "")


@pytest.fixture(autouse=True)
def _closed_circuits() -> None:
    """Breakers are shared in the process; what one test broke is nothing to the next."""
    breaker_of.cache_clear()
    notices.forget()


@pytest.fixture(autouse=True)
def _no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails, by name or by address."""
    resolve, connect, connect_ex = socket.getaddrinfo, socket.socket.connect, socket.socket.connect_ex

    def guarded_resolve(host: Any, *arguments: Any, **keywords: Any) -> Any:
        _allow_only_this_machine(host)
        return resolve(host, *arguments, **keywords)

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            _allow_only_this_machine(address[0])
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family != socket.AF_UNIX:
            _allow_only_this_machine(address[0])
        return connect_ex(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", guarded_resolve)
    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)


def _allow_only_this_machine(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return
    try:
        loopback = ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        pytest.fail(f"a test reached for {name}: nothing outside this machine may be contacted")
