"""The guarded download: from an http(s) URL that someone wrote to the bytes of an image.

The URL may come from anyone, so it may try to make this machine ask what only this machine can reach, and its
server may answer slowly, endlessly or with a bomb. Each name is resolved once; every address it has must be
allowed (`addresses`), and one of these very addresses is dialled, while the Host header and the certificate
keep the name. A redirect starts all of it anew. Nothing but the URL is sent: no key, cookie or password, and
no proxy of the environment is asked. One clock runs over everything, and the size is counted after unpacking.

There is one implementation, asynchronous because a time limit then covers every step; `fetch_image` and
`fetch_images` run it on a thread of its own. Connections are not kept: each belongs to the address that was
judged for it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeVar

import httpcore

from firellava.errors import ImageDownloadFailed, UnsafeURL
from firellava.images.addresses import literal_address, why_refused
from firellava.images.fetch_policy import FetchPolicy, check_url, join_url, port_of, shown_url
from firellava.images.received import ReceivedImage
from firellava.images.source import ImageSource
from firellava.tls import tls_context
from firellava.version import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Iterable

    import httpx

    from firellava.images.addresses import Address

__all__ = [
    "FetchPolicy",
    "FetchedImage",
    "Network",
    "afetch_image",
    "afetch_images",
    "fetch_image",
    "fetch_images",
]

_T = TypeVar("_T")

_SUCCESS: Final = 200
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def _look_up(host: str, port: int) -> Iterable[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Network:
    """The way out of this process, for whoever must take another one.

    Attributes:
        look_up: the addresses of a host, given it and a port. It may block: it is called on a thread.
        dial: opens a connection to an address, never to a name.
        tls_context: whom to trust. Called when the first encrypted connection is made.
    """

    look_up: Callable[[str, int], Iterable[str]] = _look_up
    dial: httpcore.AsyncNetworkBackend = field(default_factory=httpcore.AnyIOBackend)
    tls_context: Callable[[], ssl.SSLContext] = tls_context


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image that was downloaded.

    Attributes:
        source: its bytes, under the name of its URL.
        seconds: how long its download took.
    """

    source: ImageSource
    seconds: float


_DEFAULT_POLICY: Final = FetchPolicy()
_INTERNET: Final = Network()


def fetch_image(
    url: str,
    policy: FetchPolicy = _DEFAULT_POLICY,
    *,
    seconds: float | None = None,
    network: Network = _INTERNET,
) -> ImageSource:
    """Download an image: its bytes, under the name of its URL.

    That it decodes is not known yet, only that it starts like an image that may.

    Args:
        url: http or https; see `policy`.
        policy: what may be downloaded.
        seconds: what is left of the caller's time, where that is less than the policy's.
        network: the way out.

    Raises:
        UnsafeURL: the URL or a redirect is not allowed; nothing was sent to that host.
        ImageDownloadFailed: no connection, no time left, too many redirects, or another status than 200.
        ImageTooLarge: more than ``policy.max_bytes``.
        UnsupportedFormat: it starts like something else than an image that is opened.
        UnreadableImage: no bytes came.
    """
    return _on_thread(
        lambda: asyncio.run(afetch_image(url, policy, seconds=seconds, network=network))
    ).result()


async def afetch_image(
    url: str,
    policy: FetchPolicy = _DEFAULT_POLICY,
    *,
    seconds: float | None = None,
    network: Network = _INTERNET,
) -> ImageSource:
    """The asynchronous twin of `fetch_image`."""
    first = check_url(url, policy)
    name = shown_url(first)
    limit = policy.seconds if seconds is None else min(seconds, policy.seconds)
    try:
        async with asyncio.timeout(limit):
            return ImageSource("bytes", name, await _download(first, policy, network, limit))
    except (TimeoutError, httpcore.TimeoutException):
        raise ImageDownloadFailed(f"{name} was not downloaded within {limit:.3g} seconds.") from None
    except httpcore.ConnectError as error:
        raise ImageDownloadFailed(f"{name}: no connection to its server: {error}.") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
        # What these say may quote the server's answer, which may be part of a picture or of a secret.
        raise ImageDownloadFailed(
            f"{name}: the connection broke before the image was whole, or its server does not speak HTTP."
        ) from None


def fetch_images(
    urls: Collection[str],
    policy: FetchPolicy = _DEFAULT_POLICY,
    *,
    seconds: float | None = None,
    network: Network = _INTERNET,
) -> dict[str, FetchedImage]:
    """Download several images at once, by URL: all of them, or none.

    The arguments are those of `fetch_image`. The text of every URL is judged before any of them is asked.

    Raises:
        ImageError: as for `fetch_image`, for the first that fails; the others are given up.
    """
    return _on_thread(
        lambda: asyncio.run(afetch_images(urls, policy, seconds=seconds, network=network))
    ).result()


async def afetch_images(
    urls: Collection[str],
    policy: FetchPolicy = _DEFAULT_POLICY,
    *,
    seconds: float | None = None,
    network: Network = _INTERNET,
) -> dict[str, FetchedImage]:
    """The asynchronous twin of `fetch_images`."""

    async def fetch(url: str) -> FetchedImage:
        began = time.monotonic()
        source = await afetch_image(url, policy, seconds=seconds, network=network)
        return FetchedImage(source, time.monotonic() - began)

    for url in urls:
        check_url(url, policy)
    try:
        async with asyncio.TaskGroup() as group:
            downloads = {url: group.create_task(fetch(url)) for url in urls}
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
    else:
        return {url: download.result() for url, download in downloads.items()}
    raise first


async def _download(url: httpx.URL, policy: FetchPolicy, network: Network, limit: float) -> bytes:
    name = shown_url(url)
    for _ in range(policy.max_redirects + 1):
        dialler = _Dialler(network.dial, await _judged_addresses(url, policy, network), limit)
        try:
            async with _connection(url, dialler, network).stream(
                "GET", _core_url(url), headers=_headers(url)
            ) as response:
                if response.status not in _REDIRECTS:
                    return await _body(response, policy, name)
                location = _header(response, b"location")
        finally:
            await dialler.aclose()
        url = check_url(join_url(url, location), policy)
    raise ImageDownloadFailed(f"{name} leads to another URL more than {policy.max_redirects} times.")


async def _judged_addresses(url: httpx.URL, policy: FetchPolicy, network: Network) -> list[Address]:
    host = url.raw_host.decode("ascii")
    literal = literal_address(host)
    if literal is not None:
        addresses = [literal]
    else:
        looking_up = _on_thread(lambda: list(network.look_up(host, port_of(url))))
        try:
            addresses = [ip_address(text) for text in await asyncio.wrap_future(looking_up)]
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise ImageDownloadFailed(f"{shown_url(url)}: no address is known for {host}.")
    for address in addresses:
        if what := why_refused(address, allow_private=policy.allow_private):
            at = "" if address is literal else f" is at {address}, which"
            raise UnsafeURL(f"{shown_url(url)}: {host}{at} is {what}. No image is downloaded from there.")
    return addresses


class _Dialler(httpcore.AsyncNetworkBackend):
    """Opens the one connection of a download to the judged addresses, whatever host is asked for."""

    def __init__(self, dial: httpcore.AsyncNetworkBackend, addresses: list[Address], limit: float) -> None:
        self._dial = dial
        self._addresses = addresses
        self._limit = limit
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the name, which must not be looked up again
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - as the base; the caller's limit is over everything
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = self._addresses
        seconds = self._limit
        for address in others:
            # Each may take half of the time, so that a dead one leaves some to the next.
            seconds /= 2
            try:
                return await self._open(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._open(last, port, None, local_address, socket_options)

    async def _open(
        self,
        address: Address,
        port: int,
        seconds: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        self._stream = await self._dial.connect_tcp(
            str(address), port, seconds, local_address, socket_options
        )
        return self._stream

    async def aclose(self) -> None:
        # A connection whose TLS handshake was cancelled is closed by no one else.
        if self._stream is not None:
            await self._stream.aclose()


def _connection(url: httpx.URL, dialler: _Dialler, network: Network) -> httpcore.AsyncHTTPConnection:
    tls_context = network.tls_context() if url.scheme == "https" else None
    return httpcore.AsyncHTTPConnection(_core_url(url).origin, tls_context, network_backend=dialler)


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=port_of(url), target=url.raw_path)


def _headers(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", url.netloc),
        (b"User-Agent", f"firellava/{__version__}".encode()),
        (b"Accept", b"image/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]


async def _body(response: httpcore.Response, policy: FetchPolicy, name: str) -> bytes:
    if response.status != _SUCCESS:
        raise ImageDownloadFailed(f"{name}: its server answered with status {response.status}.")
    received = ReceivedImage(
        name, policy.max_bytes, _header(response, b"content-encoding"), _header(response, b"content-length")
    )
    async for piece in response.aiter_stream():
        received.feed(piece)
    return received.whole()


def _header(response: httpcore.Response, name: bytes) -> bytes:
    return next((value for key, value in response.headers if key.lower() == name), b"").strip()


def _on_thread(function: Callable[[], _T]) -> Future[_T]:
    """Run `function` on a thread that holds up neither the end of an event loop nor that of the process."""
    future: Future[_T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            future.set_exception(error)

    threading.Thread(target=run, name="firellava-fetch", daemon=True).start()
    return future
