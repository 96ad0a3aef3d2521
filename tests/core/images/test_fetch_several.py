"""Several images are downloaded at once, all of them or none."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firellava.errors import ImageDownloadFailed, UnsafeURL
from firellava.images.fetch import FetchedImage, FetchPolicy, afetch_images, fetch_images
from tests.core.images.picture_server import Internet, PictureServer, answer
from tests.core.images.samples import corners, encoded

Fetch = Callable[..., dict[str, FetchedImage]]

PNG, JPEG = encoded(corners(), "PNG"), encoded(corners(), "JPEG")
HTTP = FetchPolicy(allow_http=True)
ONE, OTHER = "http://pictures.example/one", "http://pictures.example/other"


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer() as server:
        server.answers |= {"/one": answer(PNG), "/other": answer(JPEG)}
        yield server


@pytest.fixture
def internet(server: PictureServer) -> Internet:
    internet = Internet()
    internet.names["pictures.example"] = [["93.184.216.34"]]
    internet.servers["93.184.216.34"] = server
    return internet


@pytest.fixture(params=["sync", "async"])
def fetch(request: pytest.FixtureRequest, internet: Internet) -> Fetch:
    """Both ways to download."""

    def run(*urls: str, **settings: Any) -> dict[str, FetchedImage]:
        if request.param == "sync":
            return fetch_images(urls, HTTP, network=internet.network(), **settings)
        return asyncio.run(afetch_images(urls, HTTP, network=internet.network(), **settings))

    return run


def test_each_is_found_under_its_url(fetch: Fetch) -> None:
    found = fetch(ONE, OTHER)
    assert {url: image.source.data for url, image in found.items()} == {ONE: PNG, OTHER: JPEG}
    assert [image.source.name for image in found.values()] == [ONE, OTHER]
    assert all(0 < image.seconds < 60 for image in found.values())


def test_none_are_none(fetch: Fetch) -> None:
    assert fetch() == {}


def test_all_are_asked_for_before_any_is_there(fetch: Fetch, server: PictureServer) -> None:
    together = threading.Barrier(5, timeout=10)

    def reply(connection: socket.socket) -> None:
        together.wait()
        connection.sendall(answer(PNG))

    urls = [f"{ONE}/{number}" for number in range(5)]
    server.answers |= {f"/one/{number}": reply for number in range(5)}
    assert fetch(*urls).keys() == set(urls)


def test_one_thread_is_started_for_all(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def counting(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    internet.servers["93.184.216.34"].answers |= {f"/{number}": answer(PNG) for number in range(3)}
    monkeypatch.setattr(threading.Thread, "start", counting)
    urls = [f"http://93.184.216.34/{number}" for number in range(3)]
    fetch_images(urls, HTTP, network=internet.network())
    assert started.count("firellava-fetch") == 1


def test_where_one_fails_the_others_are_given_up(fetch: Fetch, server: PictureServer) -> None:
    begun, closed = threading.Event(), threading.Event()

    def wait(connection: socket.socket) -> None:
        begun.set()
        connection.settimeout(10)
        if connection.recv(1) == b"":
            closed.set()

    def fail(connection: socket.socket) -> None:
        assert begun.wait(10)
        connection.sendall(answer(status="404 Not Found"))

    server.answers |= {"/one": wait, "/other": fail}
    with pytest.raises(ImageDownloadFailed, match="other: its server answered with status 404") as failed:
        fetch(ONE, OTHER)
    assert closed.wait(10)
    assert failed.value.__cause__ is None


def test_where_one_may_not_be_asked_for_none_is(
    fetch: Fetch, internet: Internet, server: PictureServer
) -> None:
    with pytest.raises(UnsafeURL):
        fetch(ONE, OTHER, "http://127.0.0.1:99999/secret")
    assert (internet.looked_up, server.connections) == ([], 0)


def test_the_callers_time_is_for_each_and_so_for_all(fetch: Fetch, internet: Internet) -> None:
    internet.silent.add("93.184.216.34")
    with pytest.raises(ImageDownloadFailed, match=r"not downloaded within 0\.2 seconds"):
        fetch(ONE, OTHER, seconds=0.2)
