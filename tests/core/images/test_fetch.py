"""An image is downloaded from where it may be, whole and in time, or an error of ours says why not."""

import asyncio
import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from firellava.errors import (
    ConfigurationError,
    ImageDownloadFailed,
    ImageError,
    ImageTooLarge,
    UnreadableImage,
    UnsafeURL,
    UnsupportedFormat,
)
from firellava.images import ImageSource
from firellava.images.fetch import FetchPolicy, afetch_image, fetch_image
from firellava.images.received import ReceivedImage
from tests.core.images.picture_server import Answer, Internet, PictureServer, answer, redirect
from tests.core.images.samples import corners, encoded

Fetch = Callable[..., ImageSource]

PNG = encoded(corners(), "PNG")
PUBLIC, OTHER_PUBLIC = "93.184.216.34", "151.101.1.140"
HTTP = FetchPolicy(allow_http=True)
URL = "http://pictures.example/cat.png"


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer() as server:
        server.answers["/cat.png"] = answer(PNG, "Content-Type: image/png")
        yield server


@pytest.fixture
def internet(server: PictureServer) -> Internet:
    internet = Internet()
    internet.names["pictures.example"] = [[PUBLIC]]
    internet.servers[PUBLIC] = server
    return internet


@pytest.fixture(params=["sync", "async"])
def fetch(request: pytest.FixtureRequest, internet: Internet) -> Fetch:
    """Both ways to download."""

    def run(url: str, policy: FetchPolicy = HTTP, **settings: Any) -> ImageSource:
        settings = {"network": internet.network(), **settings}
        if request.param == "sync":
            return fetch_image(url, policy, **settings)
        return asyncio.run(afetch_image(url, policy, **settings))

    return run


def repeated(
    head: bytes, piece: bytes, *, pause: float = 0.0, times: int = 40
) -> Callable[[socket.socket], None]:
    """An answer in pieces. It ends before a policy's own time does, which no test may come to."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(times):
            connection.sendall(piece)
            if pause:
                threading.Event().wait(pause)

    return send


# What arrives, and what is sent for it.


def test_an_image_arrives_as_its_bytes_under_the_name_of_its_url(fetch: Fetch) -> None:
    image = fetch(f"{URL}?signature=secret#part")
    assert image == ImageSource.from_bytes(PNG)
    assert image.name == URL


def test_the_request_says_what_is_wanted_and_nothing_else(fetch: Fetch, server: PictureServer) -> None:
    fetch("http://pictures.example:8080/cat.png?size=large#part")
    line, *headers = server.requests[0].decode().rstrip().split("\r\n")
    names = {header.partition(":")[0].lower() for header in headers}
    assert line == "GET /cat.png?size=large HTTP/1.1"
    assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert "Host: pictures.example:8080" in headers


def test_the_network_is_reached_without_being_given_one(server: PictureServer) -> None:
    policy = FetchPolicy(allow_http=True, allow_private=True)
    assert fetch_image(f"http://127.0.0.1:{server.port}/cat.png", policy).data == PNG
    assert asyncio.run(afetch_image(f"http://localhost:{server.port}/cat.png", policy)).data == PNG


async def test_a_synchronous_download_works_inside_a_running_event_loop(internet: Internet) -> None:
    assert fetch_image(URL, HTTP, network=internet.network()).data == PNG


def test_proxies_of_the_environment_are_not_asked(
    fetch: Fetch, server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PictureServer() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert fetch(URL).data == PNG
        assert proxy.connections == 0
    assert server.connections == 1


def test_credentials_of_the_netrc_file_and_cookies_are_not_sent(
    fetch: Fetch, server: PictureServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine pictures.example login owner password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers["/"] = answer(
        b"", "Location: /cat.png", "Set-Cookie: session=1; Path=/", status="302 Found"
    )
    assert fetch("http://pictures.example/").data == PNG
    assert b"cookie" not in server.requests[1].lower()
    assert b"authorization" not in b"".join(server.requests).lower()


# What is refused before anything is sent.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://127。0。0。1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://①②⑦.0.0.1/",
        "http://127%2e0.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[2001:0:a9fe:a9fe::1]/",
        "http://[2606:4700::5efe:7f00:1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://168.63.129.16/",
        "http://100.64.0.1/",
        "http://10.0.0.1:8080/",
        "http://224.0.0.1/",
        "http://pictures.example@127.0.0.1/",
        "http://127.0.0.1\\@pictures.example/",
        "http://owner:secret@pictures.example/cat.png",
        "http://owner@pictures.example/cat.png",
        "http://pictures.example:0/",
        "http://pictures.example:65536/",
        "http://pictures.example:port/",
        "http://pictures example/",
        "http://pictures.example\r\nHost: 127.0.0.1/",
        "http:///cat.png",
        "http://-/",
        "//pictures.example/cat.png",
        "/cat.png",
        "",
        "file:///etc/passwd",
        "ftp://pictures.example/cat.png",
        "gopher://pictures.example/",
        "data:image/png;base64,AAAA",
        "unix:///run/docker.sock",
    ],
)
def test_nothing_is_looked_up_or_sent_for_an_unsafe_url(fetch: Fetch, internet: Internet, url: str) -> None:
    with pytest.raises(UnsafeURL) as refused:
        fetch(url)
    assert internet.looked_up == []
    assert internet.dialled == []
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        ["2606:4700:4700::1111", PUBLIC, "fd00::1"],
    ],
)
def test_a_name_is_refused_for_any_one_of_its_addresses(
    fetch: Fetch, internet: Internet, server: PictureServer, addresses: list[str]
) -> None:
    internet.names["pictures.example"] = [addresses]
    with pytest.raises(UnsafeURL, match=r"pictures\.example"):
        fetch(URL)
    assert internet.dialled == []
    assert server.connections == 0


def test_plain_http_needs_to_be_allowed(fetch: Fetch, internet: Internet) -> None:
    with pytest.raises(UnsafeURL, match="allow_http"):
        fetch(URL, FetchPolicy())
    assert internet.looked_up == []


def test_only_allowed_hosts_are_asked(fetch: Fetch, internet: Internet, server: PictureServer) -> None:
    policy = FetchPolicy(allow_http=True, allowed_hosts=frozenset({"pictures.example"}))
    internet.names["elsewhere.example"] = internet.names["pictures.example.evil.example"] = [[PUBLIC]]
    server.answers["/away"] = redirect("http://elsewhere.example/cat.png")
    internet.names["pictures.example."] = [[PUBLIC]]
    for url in (URL, "http://Pictures.Example./cat.png"):
        assert fetch(url, policy).data == PNG
    for url in ("http://elsewhere.example/cat.png", "http://pictures.example.evil.example/cat.png"):
        with pytest.raises(UnsafeURL, match="allowed_hosts"):
            fetch(url, policy)
    with pytest.raises(UnsafeURL, match="allowed_hosts"):
        fetch("http://pictures.example/away", policy)
    assert set(internet.looked_up) == {"pictures.example", "pictures.example."}


def test_private_addresses_pass_on_request_and_metadata_services_never(
    fetch: Fetch, internet: Internet, server: PictureServer
) -> None:
    policy = FetchPolicy(allow_http=True, allow_private=True)
    internet.servers |= {"10.0.0.7": server, "169.254.169.254": server}
    assert fetch("http://10.0.0.7/cat.png", policy).data == PNG
    with pytest.raises(UnsafeURL, match="link-local"):
        fetch("http://169.254.169.254/cat.png", policy)
    assert internet.dialled == [("10.0.0.7", 80)]


# Names and addresses.


def test_the_judged_address_is_dialled_and_the_name_looked_up_once(fetch: Fetch, internet: Internet) -> None:
    internet.names["pictures.example"] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch(URL).data == PNG
    assert internet.looked_up == ["pictures.example"]
    assert internet.dialled == [(PUBLIC, 80)]


def test_a_name_that_leads_elsewhere_at_the_next_hop_is_judged_anew(
    fetch: Fetch, internet: Internet, server: PictureServer
) -> None:
    internet.names["pictures.example"] = [[PUBLIC], ["127.0.0.1"]]
    internet.servers["127.0.0.1"] = server
    server.answers["/again"] = redirect("/cat.png")
    with pytest.raises(UnsafeURL, match="loopback"):
        fetch("http://pictures.example/again")
    assert internet.looked_up == ["pictures.example", "pictures.example"]
    assert internet.dialled == [(PUBLIC, 80)]


def test_a_dead_address_leaves_its_turn_to_the_next(fetch: Fetch, internet: Internet) -> None:
    internet.names["pictures.example"] = [["2606:4700:4700::1111", OTHER_PUBLIC, PUBLIC]]
    assert fetch(URL).data == PNG
    assert [address for address, _ in internet.dialled] == ["2606:4700:4700::1111", OTHER_PUBLIC, PUBLIC]


def test_an_address_that_never_answers_leaves_time_for_the_next(fetch: Fetch, internet: Internet) -> None:
    internet.names["pictures.example"] = [[OTHER_PUBLIC, PUBLIC]]
    internet.silent.add(OTHER_PUBLIC)
    assert fetch(URL, seconds=1).data == PNG


def test_a_host_without_an_address_or_a_connection_is_told_as_such(fetch: Fetch, internet: Internet) -> None:
    internet.names["unreachable.example"] = [[OTHER_PUBLIC]]
    internet.names["empty.example"] = [[]]
    for url, what in (
        ("http://nowhere.example/", "no address"),
        ("http://empty.example/", "no address"),
        ("http://unreachable.example/", "no connection"),
    ):
        with pytest.raises(ImageDownloadFailed, match=what):
            fetch(url)


# Redirects.


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_is_followed(fetch: Fetch, server: PictureServer, status: str) -> None:
    server.answers["/old"] = redirect("../cat.png?v=2", status)
    image = fetch("http://pictures.example/old")
    assert image.data == PNG
    assert image.name == "http://pictures.example/old"
    assert server.requests[1].startswith(b"GET /cat.png?v=2 ")


def test_the_host_header_follows_the_redirect(
    fetch: Fetch, internet: Internet, server: PictureServer
) -> None:
    internet.names["other.example"] = [[PUBLIC]]
    server.answers["/old"] = redirect("http://other.example/cat.png")
    fetch("http://pictures.example/old")
    assert b"\r\nHost: other.example\r\n" in server.requests[1]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/cat.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:127.0.0.1]/cat.png",
        "http://2130706433/cat.png",
        "http://inside.example/cat.png",
        "//inside.example/cat.png",
        "http://owner:secret@pictures.example/cat.png",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://[",
        "http://pictures.example:0/",
    ],
)
def test_a_redirect_to_where_no_url_may_lead_is_not_followed(
    fetch: Fetch, internet: Internet, server: PictureServer, location: str
) -> None:
    internet.names["inside.example"] = [["10.0.0.1"]]
    internet.servers |= {"127.0.0.1": server, "10.0.0.1": server, "169.254.169.254": server}
    server.answers["/old"] = redirect(location)
    with pytest.raises(UnsafeURL) as refused:
        fetch("http://pictures.example/old")
    assert internet.dialled == [(PUBLIC, 80)]
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("location", ["", "http://a\x01b/", "http://a:port/"])
def test_a_redirect_to_nowhere_is_an_error(fetch: Fetch, server: PictureServer, location: str) -> None:
    server.answers["/old"] = redirect(location)
    with pytest.raises(ImageDownloadFailed):
        fetch("http://pictures.example/old")
    assert server.connections == 1


def test_a_loop_of_redirects_ends(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/a"], server.answers["/b"] = redirect("/b"), redirect("/a")
    policy = FetchPolicy(allow_http=True, max_redirects=4)
    with pytest.raises(ImageDownloadFailed, match="more than 4 times"):
        fetch("http://pictures.example/a", policy)
    assert server.connections == 5


def test_no_redirect_is_followed_where_none_is_allowed(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/old"] = redirect("/cat.png")
    with pytest.raises(ImageDownloadFailed):
        fetch("http://pictures.example/old", FetchPolicy(allow_http=True, max_redirects=0))
    assert server.connections == 1


# Time.

IMAGE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + PNG[:16]


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(repeated(b"", b"", pause=0.05), id="silence"),
        pytest.param(repeated(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n", pause=0.05), id="dripping headers"),
        pytest.param(
            repeated(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0.05), id="endless early hints"
        ),
        pytest.param(repeated(IMAGE_HEAD, b"\x00", pause=0.05), id="dripping body"),
        pytest.param(
            repeated(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n\x89\r\n", pause=0.05),
            id="dripping chunks",
        ),
    ],
)
def test_a_server_cannot_stretch_the_time(fetch: Fetch, server: PictureServer, slow: Answer) -> None:
    server.answers["/slow"] = slow
    with pytest.raises(ImageDownloadFailed, match=r"within 0\.3 seconds"):
        fetch("http://pictures.example/slow", seconds=0.3)


def test_the_time_runs_on_over_redirects(fetch: Fetch, server: PictureServer) -> None:
    def redirect_late(connection: socket.socket) -> None:
        threading.Event().wait(0.15)
        connection.sendall(redirect("/slow"))

    server.answers["/slow"] = redirect_late
    policy = FetchPolicy(allow_http=True, seconds=0.4, max_redirects=50)
    with pytest.raises(ImageDownloadFailed, match=r"within 0\.4 seconds"):
        fetch("http://pictures.example/slow", policy)


def test_a_name_server_cannot_stretch_the_time(fetch: Fetch, internet: Internet) -> None:
    answered = threading.Event()

    def look_up(host: str, port: int) -> Iterable[str]:
        answered.wait(3)
        return [PUBLIC]

    try:
        with pytest.raises(ImageDownloadFailed, match=r"within 0\.2 seconds"):
            fetch(URL, seconds=0.2, network=internet.network(look_up=look_up))
    finally:
        answered.set()
    assert internet.dialled == []


def test_the_shorter_time_holds(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/slow"] = repeated(b"", b"", pause=0.05)
    with pytest.raises(ImageDownloadFailed, match=r"within 0\.1 seconds"):
        fetch("http://pictures.example/slow", FetchPolicy(allow_http=True, seconds=0.1), seconds=30)


async def test_a_cancelled_download_lets_its_connection_go(internet: Internet, server: PictureServer) -> None:
    started, gone = threading.Event(), threading.Event()

    def wait_for_the_end(connection: socket.socket) -> None:
        started.set()
        if connection.recv(1) == b"":
            gone.set()

    server.answers["/slow"] = wait_for_the_end
    download = asyncio.create_task(
        afetch_image("http://pictures.example/slow", HTTP, network=internet.network())
    )
    await asyncio.to_thread(started.wait, 10)
    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    assert await asyncio.to_thread(gone.wait, 10)


# Size and kind.


def test_an_image_of_just_the_allowed_size_arrives(fetch: Fetch) -> None:
    assert fetch(URL, FetchPolicy(allow_http=True, max_bytes=len(PNG))).data == PNG
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        fetch(URL, FetchPolicy(allow_http=True, max_bytes=len(PNG) - 1))


def test_a_size_over_the_limit_is_believed_before_the_body_comes(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/huge"] = repeated(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"", pause=0.05
    )
    with pytest.raises(ImageTooLarge):
        fetch("http://pictures.example/huge")


def test_an_endless_body_ends_at_the_limit(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/endless"] = repeated(IMAGE_HEAD, bytes(64 * 1024), times=2_000)
    with pytest.raises(ImageTooLarge):
        fetch("http://pictures.example/endless", FetchPolicy(allow_http=True, max_bytes=300_000))


def test_a_packed_image_is_unpacked(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/packed"] = answer(gzip.compress(PNG), "Content-Encoding: gzip")
    assert fetch("http://pictures.example/packed").data == PNG


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"\x00" * 100),
        ("gzip", gzip.compress(PNG)[:-20]),
        ("gzip", gzip.compress(PNG)[:50] + b"\xff" * 50),
        ("deflate", zlib.compress(PNG)),
        ("br", PNG),
        ("gzip, gzip", gzip.compress(gzip.compress(PNG))),
    ],
    ids=["no gzip", "cut", "damaged", "deflate", "brotli", "twice"],
)
def test_an_image_packed_badly_or_oddly_is_an_error(
    fetch: Fetch, server: PictureServer, encoding: str, body: bytes
) -> None:
    server.answers["/packed"] = answer(body, f"Content-Encoding: {encoding}")
    with pytest.raises(ImageDownloadFailed, match="packed"):
        fetch("http://pictures.example/packed")


def test_a_bomb_is_refused(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/bomb"] = answer(gzip.compress(PNG + bytes(30_000_000)), "Content-Encoding: gzip")
    with pytest.raises(ImageTooLarge):
        fetch("http://pictures.example/bomb")


def test_a_bomb_is_unpacked_no_further_than_allowed() -> None:
    bomb = gzip.compress(PNG + bytes(30_000_000))
    received = ReceivedImage("bomb", 100_000, b"gzip")
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLarge):
            received.feed(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_what_follows_a_packed_image_counts_too() -> None:
    received = ReceivedImage("image", 100_000, b"gzip")
    received.feed(gzip.compress(PNG))
    received.feed(bytes(90_000))
    with pytest.raises(ImageTooLarge):
        received.feed(bytes(10_000))


@pytest.mark.parametrize(
    ("body", "content_type", "what"),
    [
        (b"<!DOCTYPE html><p>Please log in", "image/png", "web page"),
        (b'{"secret": "value"}', "image/png", "text"),
        (b"%PDF-1.7 ...", "image/jpeg", "PDF"),
        (b"PK\x03\x04" + bytes(2000), "image/png", "ZIP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "SVG"),
    ],
)
def test_what_is_no_image_is_refused_whatever_it_claims(
    fetch: Fetch, server: PictureServer, body: bytes, content_type: str, what: str
) -> None:
    server.answers["/page"] = answer(body, f"Content-Type: {content_type}")
    with pytest.raises(UnsupportedFormat, match=what):
        fetch("http://pictures.example/page")


def test_what_is_no_image_is_refused_by_its_start(fetch: Fetch, server: PictureServer) -> None:
    page = b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html>"
    server.answers["/page"] = repeated(page, b" " * 1000, pause=0.05)
    with pytest.raises(UnsupportedFormat):
        fetch("http://pictures.example/page")


def test_an_image_is_taken_whatever_its_type_claims(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/cat"] = answer(PNG, "Content-Type: text/plain")
    assert fetch("http://pictures.example/cat").data == PNG


def test_an_empty_answer_is_an_error(fetch: Fetch, server: PictureServer) -> None:
    server.answers["/empty"] = answer(b"")
    with pytest.raises(UnreadableImage, match="empty"):
        fetch("http://pictures.example/empty")


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial Content", "304 Not Modified", "404 Not Found", "500 Error"]
)
def test_any_status_but_success_is_an_error(fetch: Fetch, server: PictureServer, status: str) -> None:
    server.answers["/cat.png"] = answer(b"" if status[0] != "4" else PNG, status=status)
    with pytest.raises(ImageDownloadFailed, match=status[:3]):
        fetch(URL)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6 secret-token\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + PNG[:100],
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret-token\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 200_000,
    ],
    ids=["nothing", "another protocol", "cut short", "negative length", "bad chunk", "endless header"],
)
def test_what_is_no_whole_http_answer_is_an_error_that_quotes_nothing(
    fetch: Fetch, server: PictureServer, reply: bytes
) -> None:
    server.answers["/cat.png"] = reply
    with pytest.raises(ImageDownloadFailed) as failed:
        fetch(URL)
    assert "secret-token" not in str(failed.value)


# Messages and settings.


@pytest.mark.parametrize("path", ["/cat.png", "/missing", "/page", "/away"])
def test_no_error_tells_the_query_of_a_url(fetch: Fetch, server: PictureServer, path: str) -> None:
    server.answers["/page"] = answer(b"<html>")
    server.answers["/away"] = redirect("http://127.0.0.1/?signature=SENTINEL")
    with pytest.raises(ImageError) as failed:
        fetch(f"http://pictures.example{path}?signature=SENTINEL", FetchPolicy(allow_http=True, max_bytes=10))
    assert "SENTINEL" not in f"{failed.value}{failed.value!r}"


def test_a_url_in_a_message_has_no_control_characters(fetch: Fetch) -> None:
    with pytest.raises(ImageDownloadFailed, match="%0Alog") as failed:
        fetch("http://pictures.example/a%0Alog")
    assert str(failed.value).isprintable()


@pytest.mark.parametrize(
    "settings",
    [
        {"seconds": 0},
        {"seconds": float("nan")},
        {"max_bytes": 0},
        {"max_bytes": 10**12},
        {"max_redirects": -1},
        {"allowed_hosts": "pictures.example"},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        FetchPolicy(**settings)
