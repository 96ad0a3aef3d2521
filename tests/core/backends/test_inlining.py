"""Images given by URL: passed on, checked, or downloaded through the guarded fetcher and inlined."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from firellava import FetchPolicy, ImagePart, ImageSource, Message, Reply, VisionClient, model_card
from firellava.backends import pictures
from firellava.backends.base import AttemptContext
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.backends.pictures import ImageURLs, pictures_of
from firellava.errors import ContextOverflow, ImageDownloadFailed, ImageError, UnsafeURL, UnsupportedFormat
from firellava.images.fetch import FetchedImage, afetch_images, fetch_images
from firellava.messages import Request
from firellava.models import ImageLimits, ModelCard
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer
from tests.api_server.faults import Fault
from tests.api_server.plain_requests import encoded
from tests.core.images.noise import noise
from tests.core.images.picture_server import Internet, PictureServer, answer, redirect

WEBP = "http://pictures.example/red.webp"
PNG = "http://pictures.example/blue.png"
JPEG = "http://pictures.example/green.jpg"
LARGE = "http://pictures.example/large.png"
HTTP = FetchPolicy(allow_http=True)
ANY = ModelCard(name="any")

Make = Callable[..., VisionClient]


@pytest.fixture(autouse=True)
def picture_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
    """The only server of an internet that is this machine."""
    internet = Internet()
    internet.names["pictures.example"] = [["93.184.216.34"]]
    with PictureServer() as server:
        server.answers["/red.webp"] = answer(encoded("WEBP", (80, 40), "#ff0000"))
        server.answers["/blue.png"] = answer(encoded("PNG", (80, 40), "#0000ff"))
        server.answers["/green.jpg"] = answer(encoded("JPEG", (80, 40), "#00ff00"))
        server.answers["/large.png"] = answer(noise(300, 200))
        internet.servers["93.184.216.34"] = server
        network = internet.network()
        monkeypatch.setattr(pictures, "fetch_images", partial(fetch_images, network=network))
        monkeypatch.setattr(pictures, "afetch_images", partial(afetch_images, network=network))
        yield server


@pytest.fixture
def hosted(api_server: ApiServer) -> ApiServer:
    """The API server, which finds two of the pictures itself."""
    api_server.host_image(PNG, encoded("PNG", (80, 40), "#0000ff"))
    api_server.host_image(JPEG, encoded("JPEG", (80, 40), "#00ff00"))
    return api_server


@pytest.fixture
def qwen(client_for: Make) -> Make:
    """Makes a client of a model that sees several images, with other limits where they are given."""

    def make(limits: dict[str, Any] | None = None, **settings: Any) -> VisionClient:
        # A test is no place to be in a hurry.
        patient = ImageLimits(**{"url_seconds": 60, **(limits or {})})
        card = model_card("qwen3p8-max").model_copy(update={"image_limits": patient})
        return client_for(**{"model": QWEN_MAX, "card": card, "fetch_policy": HTTP, **settings})

    return make


@pytest.fixture
def local(api_server: ApiServer) -> OpenAICompatibleBackend:
    return OpenAICompatibleBackend(base_url=api_server.base_url, model=FIRELLAVA_13B, api_key=api_server.key)


def sent_urls(server: ApiServer) -> list[str]:
    """The URLs of the images in the last request, of data URLs the beginning."""
    parts = server.requests[-1].json["messages"][0]["content"]
    return [part["image_url"]["url"].partition(";")[0] for part in parts if part["type"] == "image_url"]


class TestABackendThatTakesNoURLs:
    @pytest.fixture
    def client(self, local: OpenAICompatibleBackend) -> VisionClient:
        return VisionClient(backend=local, fetch_policy=HTTP)

    def test_gets_the_picture(
        self, client: VisionClient, api_server: ApiServer, picture_server: PictureServer
    ) -> None:
        reply = client.ask("What is this?", WEBP)
        assert reply.text.endswith("image 1: PNG 80x40 mean #ff0100")
        assert reply.adjustments == ("image 1: downloaded here", "image 1: converted from WEBP")
        assert "pictures.example" not in str(api_server.requests[0].json)
        assert picture_server.connections == 1

    async def test_gets_it_asynchronously_too(self, client: VisionClient) -> None:
        assert (await client.aask("What is this?", WEBP)).text.endswith("image 1: PNG 80x40 mean #ff0100")

    @pytest.mark.parametrize("url", ["http://127.0.0.1/cat.png", "http://169.254.169.254/latest/meta-data"])
    def test_makes_no_way_into_this_network(
        self, client: VisionClient, api_server: ApiServer, url: str
    ) -> None:
        with pytest.raises(UnsafeURL):
            client.ask("What is this?", url)
        assert api_server.requests == []

    @pytest.mark.parametrize("urls", ["pass", "check"])
    def test_gets_the_picture_whatever_is_set(
        self, local: OpenAICompatibleBackend, api_server: ApiServer, urls: ImageURLs
    ) -> None:
        VisionClient(backend=local, fetch_policy=HTTP, image_urls=urls).ask("What is this?", PNG)
        assert sent_urls(api_server) == ["data:image/png"]

    @pytest.mark.engine("rapidocr")
    def test_and_so_does_the_offline_reader(self) -> None:
        client = VisionClient(fallback="auto", fetch_policy=HTTP)
        assert "80" in client.ask("How large is the image?", WEBP).text


class TestPassingOn:
    def test_the_api_gets_the_url_and_nothing_is_downloaded(
        self, qwen: Make, hosted: ApiServer, picture_server: PictureServer
    ) -> None:
        assert qwen().ask("What is this?", PNG).adjustments == ()
        assert sent_urls(hosted) == [PNG]
        assert picture_server.connections == 0


class TestInlining:
    def test_the_api_gets_the_pictures(
        self, qwen: Make, hosted: ApiServer, picture_server: PictureServer
    ) -> None:
        reply = qwen(image_urls="inline").ask("Which?", PNG, JPEG)
        assert sent_urls(hosted) == ["data:image/png", "data:image/png"]
        assert reply.text.endswith("image 1: PNG 80x40 mean #0000ff | image 2: PNG 80x40 mean #00ff01")
        assert "image 1: downloaded here" in reply.adjustments
        assert "image 2: downloaded here" in reply.adjustments
        assert picture_server.connections == 2

    def test_a_url_that_stands_twice_is_downloaded_once(
        self, qwen: Make, hosted: ApiServer, picture_server: PictureServer
    ) -> None:
        qwen(image_urls="inline").ask("Which?", PNG, PNG)
        assert len(hosted.requests[0].images) == 2
        assert picture_server.connections == 1

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_another_attempt_downloads_nothing_again(
        self,
        qwen: Make,
        hosted: ApiServer,
        picture_server: PictureServer,
        local: OpenAICompatibleBackend,
        asynchronous: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        hosted.fail_next(Fault(status=503, headers={"retry-after": "0"}), Fault(status=500))
        client = qwen(image_urls="inline", fallback=local)

        def ask() -> Reply:
            if asynchronous:
                return asyncio.run(client.aask("What is this?", PNG))
            return client.ask("What is this?", PNG)

        reply = ask()
        assert (reply.backend, len(reply.attempts)) == (local.label, 3)
        assert picture_server.connections == 1
        ask()
        assert picture_server.connections == 2

    def test_too_many_are_refused_before_anything_is_downloaded(
        self, client_for: Make, hosted: ApiServer, picture_server: PictureServer
    ) -> None:
        client = client_for(image_urls="inline", fetch_policy=HTTP)
        urls = [f"{PNG}?{number}" for number in range(8)]
        with pytest.raises(ContextOverflow):
            client.ask("Which?", *urls)
        with pytest.raises(ContextOverflow):
            asyncio.run(client.aask("Which?", *urls))
        assert (picture_server.connections, hosted.requests) == (0, [])


class TestChecking:
    def test_an_image_that_the_api_would_take_goes_as_its_url(
        self, qwen: Make, hosted: ApiServer, picture_server: PictureServer
    ) -> None:
        reply = qwen(image_urls="check").ask("Which?", PNG, JPEG)
        assert sent_urls(hosted) == [PNG, JPEG]
        assert reply.adjustments == ()
        assert picture_server.connections == 2

    @pytest.mark.parametrize(
        ("url", "limits", "told"),
        [
            (WEBP, {}, r"the API does not take WEBP"),
            (LARGE, {"image_bytes": 90_000}, r"it has 1\d\d,\d\d\d bytes and the API takes 0\.09 MB"),
            (PNG, {"url_seconds": 1e-9}, r"its server took \d\.\d\d s and the API waits 1e-09 s"),
        ],
    )
    def test_one_that_it_would_drop_is_inlined_and_the_reply_says_why(
        self, qwen: Make, hosted: ApiServer, url: str, limits: dict[str, Any], told: str
    ) -> None:
        reply = qwen(limits, image_urls="check").ask("What is this?", url)
        assert sent_urls(hosted)[0].startswith("data:image/")
        assert re.fullmatch(f"image 1: downloaded here, since {told}", reply.adjustments[0])

    def test_each_image_is_judged_by_itself(self) -> None:
        png, jpeg = (ImageSource.from_bytes(encoded(name)) for name in ("PNG", "JPEG"))
        context = AttemptContext(
            image_urls="check", fetched={PNG: FetchedImage(png, 1.5), JPEG: FetchedImage(jpeg, 2.1)}
        )
        parts = [ImagePart(source) for source in (ImageSource.from_url(PNG), ImageSource.from_url(JPEG), png)]
        found = pictures_of(Request((Message("user", parts),)), ANY, context, takes_urls=True)
        assert [isinstance(image, str) for image in found.images] == [True, False, False]
        assert found.adjustments[:1] == (
            "image 2: downloaded here, since its server took 2.10 s and the API waits 1.5 s",
        )
        assert not [line for line in found.adjustments if not line.startswith("image 2:")]

    def test_a_limit_that_nobody_stated_drops_nothing(self, qwen: Make, hosted: ApiServer) -> None:
        hosted.host_image(LARGE, encoded())
        qwen({"image_bytes": None, "url_seconds": None}, image_urls="check").ask("What is this?", LARGE)
        assert sent_urls(hosted) == [LARGE]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("image_urls", ["check", "inline"])
class TestWhatCannotBeDownloaded:
    """Nothing is sent to the API where an image cannot be had."""

    @pytest.fixture
    def refused(
        self,
        qwen: Make,
        hosted: ApiServer,
        image_urls: ImageURLs,
        asynchronous: bool,  # noqa: FBT001 - a parameter
    ) -> Iterator[Callable[..., ImageError]]:
        def ask(*urls: str, **settings: Any) -> ImageError:
            client = qwen(image_urls=image_urls, **settings)
            messages = [Message("user", [ImagePart(ImageSource.from_url(url)) for url in urls])]
            with pytest.raises(ImageError) as caught:
                asyncio.run(client.achat(messages)) if asynchronous else client.chat(messages)
            return caught.value

        yield ask
        assert hosted.requests == []

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (answer(b"gone", status="404 Not Found"), ImageDownloadFailed),
            (answer(b"<html>no picture</html>"), UnsupportedFormat),
            (redirect("http://127.0.0.1/secret.png"), UnsafeURL),
        ],
    )
    def test_because_of_its_server(
        self,
        refused: Callable[..., ImageError],
        picture_server: PictureServer,
        body: bytes,
        error: type[ImageError],
    ) -> None:
        picture_server.answers["/bad.png"] = body
        assert type(refused(PNG, "http://pictures.example/bad.png")) is error

    @pytest.mark.parametrize(
        ("policy", "told"),
        [
            (None, "not encrypted"),
            (FetchPolicy(allow_http=True, allowed_hosts={"example.com"}), "not among the allowed_hosts"),
            (FetchPolicy(allow_http=True, allowed_hosts=()), "not among the allowed_hosts"),
        ],
    )
    def test_because_the_policy_forbids_it(
        self,
        refused: Callable[..., ImageError],
        picture_server: PictureServer,
        policy: FetchPolicy | None,
        told: str,
    ) -> None:
        assert told in str(refused(PNG, fetch_policy=policy))
        assert picture_server.connections == 0

    def test_because_the_time_is_over(
        self,
        refused: Callable[..., ImageError],
        picture_server: PictureServer,
        asynchronous: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        picture_server.answers["/slow.png"] = until_closed(threading.Event(), threading.Event())
        # An asynchronous attempt is also ended from outside, at nearly the same time.
        hurry: dict[str, Any] = (
            {"fetch_policy": FetchPolicy(seconds=0.3, allow_http=True)} if asynchronous else {"timeout": 0.3}
        )
        slow = refused(PNG, "http://pictures.example/slow.png", **hurry)
        assert "slow.png was not downloaded within 0.3 seconds" in str(slow)


async def test_a_download_holds_up_no_event_loop_and_ends_with_its_task(
    qwen: Make, hosted: ApiServer, picture_server: PictureServer
) -> None:
    begun, closed = threading.Event(), threading.Event()
    picture_server.answers["/slow.png"] = until_closed(begun, closed)
    client = qwen(image_urls="inline")
    task = asyncio.create_task(client.aask("What is this?", "http://pictures.example/slow.png"))
    assert await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(closed.wait, 5)
    assert hosted.requests == []


def until_closed(begun: threading.Event, closed: threading.Event) -> Callable[[socket.socket], None]:
    """An answer that never comes, until the client goes away."""

    def wait(connection: socket.socket) -> None:
        begun.set()
        connection.settimeout(10)
        if connection.recv(1) == b"":
            closed.set()

    return wait
