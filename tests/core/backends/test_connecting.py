"""How connections are made: names with several addresses, within the time there is; proxies."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from firellava import FireworksBackend, VisionClient
from firellava.backends import connections
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import ConnectionFailed, FireLLaVAError
from tests.api_server import FIRELLAVA_13B, ApiServer
from tests.dead_servers import (
    CAN_HANG_CONNECTIONS,
    HangsUp,
    NameService,
    nobody_accepts,
    nobody_listens,
)

Make = Callable[..., VisionClient]
Ask = Callable[[VisionClient], str]

hanging = pytest.mark.skipif(not CAN_HANG_CONNECTIONS, reason="here a full backlog leaves nobody waiting")


def whole(client: VisionClient) -> str:
    return client.ask("Hello").text


def awhole(client: VisionClient) -> str:
    return asyncio.run(client.aask("Hello")).text


each_way = pytest.mark.parametrize("ask", [whole, awhole])


def named(port: int) -> str:
    # The time limits are the same over TLS, and without it a key may not leave this machine.
    return f"https://api.test:{port}/v1"


@pytest.fixture(autouse=True)
def _fresh_client() -> Iterator[None]:
    """Proxies are read from the environment when the shared client is made."""
    connections._close()
    connections._forget()
    yield
    connections._close()
    connections._forget()


class TestAName:
    @each_way
    def test_that_nobody_knows_is_a_failed_connection(
        self, client_for: Make, monkeypatch: pytest.MonkeyPatch, ask: Ask
    ) -> None:
        names = NameService(monkeypatch)
        with pytest.raises(ConnectionFailed, match=r"No connection to api\.test:443: .*not known"):
            ask(client_for(base_url=named(443), max_retries=0))
        assert names.asked == ["api.test"]

    @each_way
    @pytest.mark.parametrize("host", ["a..test", f"{'a' * 64}.test"])
    def test_that_is_none_is_a_failed_connection(
        self, client_for: Make, monkeypatch: pytest.MonkeyPatch, ask: Ask, host: str
    ) -> None:
        NameService(monkeypatch)
        with pytest.raises(ConnectionFailed):
            ask(client_for(base_url=f"https://{host}/v1", max_retries=0))

    @each_way
    def test_with_several_addresses_is_tried_at_each(
        self, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch, ask: Ask
    ) -> None:
        # Nobody listens at the first two on this port.
        NameService(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
        server = OpenAICompatibleBackend(
            base_url=f"http://api.test:{api_server.port}/inference/v1", model="m"
        )
        with pytest.raises(FireLLaVAError, match="key you provided is invalid"):
            ask(VisionClient(backend=server))
        assert len(api_server.requests) == 1

    @each_way
    def test_of_which_no_address_listens_is_a_failed_connection(
        self, client_for: Make, monkeypatch: pytest.MonkeyPatch, ask: Ask
    ) -> None:
        NameService(monkeypatch, "127.0.0.2", "127.0.0.1")
        with nobody_listens() as port, pytest.raises(ConnectionFailed):
            ask(client_for(base_url=named(port), max_retries=0))

    @hanging
    @each_way
    def test_of_which_an_address_hangs_leaves_time_for_the_next(
        self, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch, ask: Ask
    ) -> None:
        NameService(monkeypatch, "127.0.0.2", "127.0.0.1")
        server = OpenAICompatibleBackend(
            base_url=f"http://api.test:{api_server.port}/inference/v1", model="m"
        )
        with (
            nobody_accepts("127.0.0.2", api_server.port),
            pytest.raises(FireLLaVAError, match="key you provided is invalid"),
        ):
            ask(VisionClient(backend=server, deadline=2.0))


class TestAProxyOfTheEnvironment:
    @pytest.fixture
    def proxy(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[HangsUp]:
        with HangsUp() as proxy:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            yield proxy

    @each_way
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_gets_nothing_that_is_for_this_machine(
        self, api_server: ApiServer, proxy: HangsUp, ask: Ask, host: str
    ) -> None:
        url = f"http://{host}:{api_server.port}/inference/v1"
        server = OpenAICompatibleBackend(base_url=url, model=FIRELLAVA_13B, api_key=api_server.key)
        for client in (
            VisionClient(backend=server, local_only=True),
            VisionClient(backend=FireworksBackend(base_url=url, api_key=api_server.key)),
        ):
            assert ask(client) == "question: Hello"
        assert proxy.connections == 0

    @each_way
    def test_gets_what_is_for_others(self, client_for: Make, proxy: HangsUp, ask: Ask) -> None:
        with pytest.raises(ConnectionFailed):
            ask(client_for(base_url="https://api.test/v1", max_retries=0))
        assert proxy.connections == 1
