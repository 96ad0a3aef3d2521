"""Addresses on this machine that misbehave below HTTP, each as a context manager that gives its port."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import pytest

CAN_HANG_CONNECTIONS = sys.platform == "linux"
"""Elsewhere a full backlog refuses connections or takes them after all, instead of leaving them waiting."""


@contextmanager
def nobody_listens() -> Iterator[int]:
    """Connections are refused."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield unheard.getsockname()[1]


@contextmanager
def nobody_accepts(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Connections hang: the backlog is full, and Linux does not answer who comes then."""
    with ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@contextmanager
def nobody_answers() -> Iterator[int]:
    """Connections are made, and nobody ever reads from them or writes to them."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


@contextmanager
def reads_slowly(seconds: float) -> Iterator[int]:
    """Connections are made, and a kilobyte is read from them every so many seconds."""
    stop = threading.Event()

    def serve() -> None:
        with ExitStack() as connections, suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.enter_context(connection)
                while not stop.wait(seconds) and connection.recv(1024):
                    pass

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        stop.set()
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


class HangsUp:
    """Connections are made, counted and closed at once. `with HangsUp() as server:` runs it in a thread."""

    def __init__(self) -> None:
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                connection.close()


class NameService:
    """Stands in for name resolution: every name but this machine's own leads to `addresses`, or nowhere.

    asked    the names that were looked up
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.asked: list[str] = []
        self._addresses = addresses
        self._resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: Any, *arguments: Any, **keywords: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(host, str):
            host.encode("idna")  # as the original does, and fails where this is no name
        if not str(name).endswith(".test"):
            return self._resolve(host, *arguments, **keywords)
        self.asked.append(name)
        if not self._addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            found for address in self._addresses for found in self._resolve(address, *arguments, **keywords)
        ]
