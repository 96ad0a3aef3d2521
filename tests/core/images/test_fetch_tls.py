"""The judged address is dialled, but the certificate must be the name's."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from firellava.errors import ImageDownloadFailed, UnsafeURL
from firellava.images import ImageSource
from firellava.images.fetch import FetchPolicy, Network, afetch_image, fetch_image
from tests.core.images.picture_server import Internet, PictureServer, answer, redirect
from tests.core.images.samples import corners, encoded

Fetch = Callable[..., ImageSource]

PNG = encoded(corners(), "PNG")
PUBLIC, PUBLIC_IPV6 = "93.184.216.34", "2606:4700:4700::1111"
URL = "https://pictures.example/cat.png"


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture
def sni() -> list[str]:
    """The names that clients asked for before the certificate was shown."""
    return []


@pytest.fixture
def server(authority: Any, sni: list[str]) -> Iterator[PictureServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.example", PUBLIC_IPV6).configure_cert(tls)
    tls.sni_callback = lambda _socket, name, _context: sni.append(name)
    with PictureServer(tls) as server:
        server.answers["/cat.png"] = answer(PNG)
        yield server


@pytest.fixture
def internet(server: PictureServer) -> Internet:
    internet = Internet()
    internet.names = {"pictures.example": [[PUBLIC]], "other.example": [[PUBLIC]]}
    internet.servers = {PUBLIC: server, PUBLIC_IPV6: server}
    return internet


@pytest.fixture
def network(internet: Internet, authority: Any) -> Network:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return internet.network(tls_context=lambda: trusting)


@pytest.fixture(params=["sync", "async"])
def fetch(request: pytest.FixtureRequest, network: Network) -> Fetch:
    def run(url: str, network: Network = network, seconds: float | None = None) -> ImageSource:
        if request.param == "sync":
            return fetch_image(url, network=network, seconds=seconds)
        return asyncio.run(afetch_image(url, network=network, seconds=seconds))

    return run


def test_an_address_is_dialled_and_the_name_is_verified(
    fetch: Fetch, internet: Internet, server: PictureServer, sni: list[str]
) -> None:
    assert fetch(URL).data == PNG
    assert internet.dialled == [(PUBLIC, 443)]
    assert sni == ["pictures.example"]
    assert b"\r\nHost: pictures.example\r\n" in server.requests[0]


def test_an_address_in_the_url_is_verified_as_one(fetch: Fetch, server: PictureServer) -> None:
    assert fetch(f"https://[{PUBLIC_IPV6}]/cat.png").data == PNG
    assert f"\r\nHost: [{PUBLIC_IPV6}]\r\n".encode() in server.requests[0]


def test_a_certificate_of_another_name_ends_the_download(fetch: Fetch, server: PictureServer) -> None:
    with pytest.raises(ImageDownloadFailed, match="certificate"):
        fetch("https://other.example/cat.png")
    assert server.requests == []


def test_an_unknown_authority_ends_the_download(
    fetch: Fetch, internet: Internet, server: PictureServer
) -> None:
    with pytest.raises(ImageDownloadFailed, match="certificate"):
        fetch(URL, internet.network())
    assert server.requests == []


def test_a_redirect_does_not_leave_encryption(
    fetch: Fetch, internet: Internet, server: PictureServer
) -> None:
    server.answers["/old"] = redirect("http://pictures.example/cat.png")
    with pytest.raises(UnsafeURL, match="not encrypted"):
        fetch("https://pictures.example/old")
    assert len(internet.dialled) == 1


def test_a_handshake_cannot_stretch_the_time(fetch: Fetch, internet: Internet) -> None:
    with PictureServer() as silent:  # it waits for a request, which never comes unencrypted
        internet.servers[PUBLIC] = silent
        with pytest.raises(ImageDownloadFailed, match=r"within 0\.2 seconds"):
            fetch(URL, seconds=0.2)
        assert silent.requests == []


def test_the_authorities_of_the_system_are_trusted_by_itself() -> None:
    context = Network().tls_context()
    assert context is Network().tls_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_https_is_all_that_is_allowed_by_itself() -> None:
    policy = FetchPolicy()
    assert not policy.allow_http
    assert not policy.allow_private
