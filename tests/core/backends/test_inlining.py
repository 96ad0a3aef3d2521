"""Image URLs for backends that take none: downloaded through the guarded fetcher, and inlined."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from firellava import FireworksBackend, VisionClient
from firellava.backends import pictures
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import UnsafeURL
from firellava.images.fetch import FetchPolicy, fetch_image
from tests.api_server import FIRELLAVA_13B, ApiServer
from tests.api_server.plain_requests import encoded
from tests.core.images.picture_server import Internet, PictureServer, answer

URL = "http://pictures.example/red.webp"
Ask = Callable[[VisionClient, str], str]


@pytest.fixture(autouse=True)
def picture_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
    """The only server of an internet that is this machine."""
    internet = Internet()
    internet.names["pictures.example"] = [["93.184.216.34"]]
    with PictureServer() as server:
        server.answers["/red.webp"] = answer(encoded("WEBP", (80, 40), "#ff0000"))
        internet.servers["93.184.216.34"] = server
        fetch = partial(fetch_image, policy=FetchPolicy(allow_http=True), network=internet.network())
        monkeypatch.setattr(pictures, "fetch_image", fetch)
        yield server


@pytest.fixture
def local(api_server: ApiServer) -> VisionClient:
    backend = OpenAICompatibleBackend(
        base_url=api_server.base_url, model=FIRELLAVA_13B, api_key=api_server.key
    )
    return VisionClient(backend=backend)


def test_a_server_that_takes_no_urls_gets_the_picture(
    local: VisionClient, api_server: ApiServer, picture_server: PictureServer
) -> None:
    assert local.ask("What is this?", URL).text.endswith("image 1: PNG 80x40 mean #ff0100")
    assert "pictures.example" not in str(api_server.requests[0].json)
    assert picture_server.connections == 1


async def test_asynchronously_too(local: VisionClient) -> None:
    assert (await local.aask("What is this?", URL)).text.endswith("image 1: PNG 80x40 mean #ff0100")


def test_the_api_gets_the_url_and_nothing_is_downloaded(
    api_server: ApiServer, picture_server: PictureServer
) -> None:
    api_server.host_image(URL, encoded())
    backend = FireworksBackend(base_url=api_server.base_url, api_key=api_server.key)
    VisionClient(backend=backend).ask("What is this?", URL)
    assert URL in str(api_server.requests[0].json)
    assert picture_server.connections == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1/cat.png", "http://169.254.169.254/latest/meta-data"])
def test_a_url_into_this_network_is_refused_and_nothing_is_sent(
    local: VisionClient, api_server: ApiServer, url: str
) -> None:
    with pytest.raises(UnsafeURL):
        local.ask("What is this?", url)
    assert api_server.requests == []


@pytest.mark.engine("rapidocr")
def test_the_offline_reader_sees_the_picture_too() -> None:
    assert "80" in VisionClient(fallback="auto").ask("How large is the image?", URL).text
