"""HTTP connections, shared by the whole process, and a time limit that a dripping server cannot stretch.

There is one `httpx.Client` for all backends, and one `httpx.AsyncClient` for each event loop (a connection
belongs to the loop it was opened in). They are opened at first use, because a TLS context takes tens of
milliseconds, and share one context. A forked child starts with none.

httpx starts its read timeout anew with every byte that arrives, and its connect timeout with every address of
a name. `Remaining` travels through httpx in the place of those timeouts, and the network streams below ask it
what is left before they connect, read or write.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

import httpcore
import httpx

from firellava.tls import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Iterable

__all__ = ["Remaining", "TimeLimit", "shared_async_client", "shared_client"]

_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=30)
_CONNECT_SECONDS = 10.0
# A write blocks for as long as it takes to hand over one slice, so slices bound how late a limit is seen.
_SLICE = 64 * 1024
# What is sent to this machine goes to no proxy, whatever the environment says of others.
_DIRECT: dict[str, None] = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
_NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class TimeLimit:
    """How long one attempt may still take.

    Args:
        seconds: until the first piece of the reply is there.
        idle_seconds: between later pieces.
        end_by: `time.monotonic` instant at which everything ends.
    """

    def __init__(self, seconds: float | None, idle_seconds: float | None, end_by: float | None) -> None:
        self._until = None if seconds is None else time.monotonic() + seconds
        self._idle_seconds = idle_seconds
        self._end_by = end_by

    def remaining(self) -> float | None:
        """Seconds left, at least 0; None where there is no limit."""
        instants = [instant for instant in (self._until, self._end_by) if instant is not None]
        return max(0.0, min(instants) - time.monotonic()) if instants else None

    def restart(self, seconds: float | None = None) -> None:
        """A piece came: the next one may take `seconds`, or the usual idle time."""
        seconds = self._idle_seconds if seconds is None else seconds
        self._until = None if seconds is None else time.monotonic() + seconds

    def as_timeout(self) -> httpx.Timeout:
        """The limit in the form that httpx carries to the network streams."""
        left = self.remaining()
        if left is None:
            return httpx.Timeout(None, connect=_CONNECT_SECONDS)
        remaining = Remaining(left, self)
        connect = Remaining(min(left, _CONNECT_SECONDS), self)
        return httpx.Timeout(connect=connect, read=remaining, write=remaining, pool=left)


class Remaining(float):
    """A timeout in seconds that knows how much of it is left.

    A client that someone else made sees a plain float, and keeps the limit as well as httpx does.
    """

    limit: TimeLimit

    def __new__(cls, seconds: float, limit: TimeLimit) -> Self:
        """A float with the limit it came from."""
        made = super().__new__(cls, seconds)
        made.limit = limit
        return made


def _left(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    if not isinstance(timeout, Remaining):
        return timeout
    left = timeout.limit.remaining()
    if left is None:
        return None
    if left <= 0:
        raise expired("The time is used up.")
    return min(left, float(timeout)) if expired is httpcore.ConnectTimeout else left


def _addresses(host: str, port: int) -> list[str]:
    """The numeric addresses of a name, best first."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    return [socket.getnameinfo(address, _NUMERIC)[0] for *_, address in found]


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            left = _left(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + _SLICE], left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the base class says so
        return self._stream.get_extra_info(info)


class _LimitedBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        def connect(address: str, waiting: int) -> httpcore.NetworkStream:
            left = _left(timeout, httpcore.ConnectTimeout)
            share = None if left is None else left / waiting
            stream = self._backend.connect_tcp(address, port, share, local_address, socket_options)
            return _LimitedStream(stream)

        addresses = _addresses(host, port)
        for waiting in range(len(addresses), 1, -1):
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return connect(addresses[-waiting], waiting)
        return connect(addresses[-1], 1)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _LimitedAsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as the base
        return await self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the base
        # Asynchronous writes time out as a whole: no slices are needed.
        await self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the base
    ) -> httpcore.AsyncNetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedAsyncStream(await self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the base class says so
        return self._stream.get_extra_info(info)


class _LimitedAsyncBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the base
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        stream = await self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _LimitedAsyncStream(stream)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def _limit(client: httpx.Client | httpx.AsyncClient, backend: type[Any]) -> None:
    # httpx passes no network backend on to httpcore, and with a transport of our own it would forget the
    # proxies of the environment: so the backends of the transports it made are wrapped in place.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - see above
        if transport is not None:
            pool = transport._pool  # noqa: SLF001 - see above
            pool._network_backend = backend(pool._network_backend)  # noqa: SLF001 - see above


_lock = threading.Lock()
_client: httpx.Client | None = None
_async_clients: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None, None]]
] = WeakKeyDictionary()


def shared_client() -> httpx.Client:
    """The process's client for synchronous calls."""
    global _client  # noqa: PLW0603 - one per process is the point
    with _lock:
        if _client is None:
            _client = httpx.Client(verify=tls_context(), limits=_LIMITS, mounts=_DIRECT)
            _limit(_client, _LimitedBackend)
        return _client


async def shared_async_client() -> httpx.AsyncClient:
    """The running event loop's client. It is closed when the loop shuts its asynchronous generators down."""
    loop = asyncio.get_running_loop()
    held = _async_clients.get(loop)
    if held is None:
        client = httpx.AsyncClient(verify=tls_context(), limits=_LIMITS, mounts=_DIRECT)
        _limit(client, _LimitedAsyncBackend)
        keeper = _close_with_loop(client, loop)
        held = _async_clients[loop] = (client, keeper)
        await anext(keeper)
    return held[0]


async def _close_with_loop(
    client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop
) -> AsyncGenerator[None, None]:
    # asyncio.run closes every asynchronous generator that was started under it: the only hook a loop has.
    try:
        yield
    finally:
        _async_clients.pop(loop, None)
        await client.aclose()


@atexit.register
def _close() -> None:
    if _client is not None:
        _client.close()


def _forget() -> None:
    """In a forked child: the parent's sockets and locks are not ours to use."""
    global _client, _lock  # noqa: PLW0603 - one per process is the point
    _lock = threading.Lock()
    _client = None
    _async_clients.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
