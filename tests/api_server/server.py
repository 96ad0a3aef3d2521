"""The server as an object: started in a thread (or served in the foreground), steered and read by a test."""

import asyncio

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.api_server.app import BASE_PATH, create_app
from tests.api_server.faults import Fault
from tests.api_server.images import HostedImage
from tests.api_server.interception import Interception
from tests.api_server.records import RecordedRequest
from tests.api_server.served_models import FIRELLAVA_13B, SERVED_MODELS
from tests.api_server.state import ServerState
from tests.api_server.usage import Usage, UsagePlacement
from tests.asgi_server import AsgiServer

DEFAULT_KEY = "fw_test_0123456789"


class ApiServer(AsgiServer):
    """The API on 127.0.0.1. `with ApiServer() as server:` runs it in a thread until the block ends."""

    def __init__(self, *, key: str = DEFAULT_KEY, port: int = 0) -> None:
        self._state = ServerState(key)
        super().__init__(
            Interception(create_app(self._state), self._state, self._transport_of),
            port=port,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=60,
        )

    @property
    def base_url(self) -> str:
        """The address up to the endpoints, as clients take it."""
        return f"http://127.0.0.1:{self.port}{BASE_PATH}"

    @property
    def key(self) -> str:
        """The key that is accepted."""
        return self._state.key

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, in order of arrival."""
        return list(self._state.requests)

    @property
    def billed(self) -> list[Usage]:
        """The tokens of the answers so far, in order, whether or not their replies told them."""
        return list(self._state.billed)

    @property
    def usage(self) -> UsagePlacement:
        """Where usage stands in the replies from now on."""
        return self._state.usage

    @usage.setter
    def usage(self, placement: UsagePlacement) -> None:
        self._state.usage = placement

    def host_image(self, url: str, data: bytes, *, delay: float = 0.0) -> None:
        """Let the API find these bytes at this URL, in a download of `delay` seconds."""
        self._state.hosted[url] = HostedImage(data, delay)

    def deploy(self, model_id: str, *, like: str = FIRELLAVA_13B) -> None:
        """Serve one more model id, with the rules of a known one."""
        if like not in SERVED_MODELS:
            raise ValueError(f"unknown model {like!r}, known are {', '.join(SERVED_MODELS)}")
        self._state.deployments[model_id] = like

    def fail_next(self, *faults: Fault, times: int = 1) -> None:
        """Queue faults for the next requests, in this order, the whole row `times` over."""
        self._state.faults.extend(faults * times)

    def clear(self) -> None:
        """Forget the records and everything a test has set."""
        self._state.clear()

    def _transport_of(self, scope: Scope) -> asyncio.Transport:
        for connection in self._server.server_state.connections:
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]:
                return connection.transport
        raise LookupError(f"no connection from {scope['client']}")
