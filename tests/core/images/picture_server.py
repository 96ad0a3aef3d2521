"""A real HTTP server that can misbehave, and a double of the internet that leads public names to it."""

import asyncio
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

import httpcore

from firellava.images.fetch import Network

Answer = bytes | Callable[[socket.socket], None]


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """An HTTP answer that points elsewhere."""
    return answer(b"", f"Location: {location}", status=status)


class PictureServer(socketserver.ThreadingTCPServer):
    """Answers each path as told, and keeps what it was sent.

    Attributes:
        answers: by path, the bytes of an answer or what to do with the connection.
        requests: the head of each request.
        connections: how many were opened.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        super().__init__(("127.0.0.1", 0), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections += 1
        connection.settimeout(3)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what many tests are about."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def answer_on(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                data = connection.recv(4096)
                if not data:
                    return
                head += data
            self.requests.append(head)
            path = head.split()[1].partition(b"?")[0].decode()
            found = self.answers.get(path, answer(b"", status="404 Not Found"))
            if isinstance(found, bytes):
                connection.sendall(found)
            else:
                found(connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, PictureServer)
        server.answer_on(self.request)


class Internet(httpcore.AsyncNetworkBackend):
    """Names that lead to addresses, and addresses that lead to servers of this machine.

    Attributes:
        names: by name, its addresses at the first, second, … look-up.
        servers: by address, the server there.
        silent: addresses that never answer.
        looked_up: the names that were looked up.
        dialled: the addresses and ports that were dialled.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.servers: dict[str, PictureServer] = {}
        self.silent: set[str] = set()
        self.looked_up: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self._wires = httpcore.AnyIOBackend()

    def network(self, **settings: Any) -> Network:
        return Network(**{"look_up": self.look_up, "dial": self, **settings})

    def look_up(self, host: str, port: int) -> Iterable[str]:
        answers = self.names.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.looked_up.append(host)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the base
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        if host in self.silent:
            await asyncio.sleep(60 if timeout is None else timeout)
            raise httpcore.ConnectTimeout
        if host not in self.servers:
            raise httpcore.ConnectError("no route to host")
        return await self._wires.connect_tcp("127.0.0.1", self.servers[host].port, timeout)
