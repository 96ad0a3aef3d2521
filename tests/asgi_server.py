"""An ASGI application as a real HTTP server on a port of its own, for servers that tests talk to."""

import socket
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn


class AsgiServer:
    """An application on 127.0.0.1. `with AsgiServer(app) as server:` runs it in a thread for the block.

    Attributes:
        port: where it listens, from construction on.
    """

    def __init__(self, app: Any, *, port: int = 0, **settings: Any) -> None:
        # Bound and listening from here on: a client that comes early waits in the backlog, nobody polls.
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        # asyncio does so only for sockets that name their protocol; without it replies wait 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
            **settings,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.serve, name=type(self).__name__, daemon=True)

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
