"""The server as an object: started in a thread (or served in the foreground), steered and read by a test."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.api_server.app import BASE_PATH, create_app
from tests.api_server.faults import Fault
from tests.api_server.images import HostedImage
from tests.api_server.interception import Interception
from tests.api_server.records import RecordedRequest
from tests.api_server.served_models import FIRELLAVA_13B, SERVED_MODELS
from tests.api_server.state import ServerState
from tests.api_server.usage import UsagePlacement

DEFAULT_KEY = "fw_test_0123456789"


class ApiServer:
    """The API on 127.0.0.1. `with ApiServer() as server:` runs it in a thread until the block ends."""

    def __init__(self, *, key: str = DEFAULT_KEY, port: int = 0) -> None:
        self._state = ServerState(key)
        # Bound and listening from here on: a client that comes early waits in the backlog, nobody polls.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        # asyncio does so only for sockets that name their protocol; without it replies wait 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            Interception(create_app(self._state), self._state, self._transport_of),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.serve, name="api-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def serve(self) -> None:
        """Serve in this thread until told to stop (in the main thread: until interrupted)."""
        self._server.run(sockets=[self._socket])

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
