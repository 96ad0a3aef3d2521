"""One caption: what it says of its image, and what it is made of."""

import hashlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firellava import FetchPolicy, ImageSource, Ledger, OfflineReader, VisionClient
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.captions import DEFAULT_PROMPT, Caption, Captioner, run
from firellava.errors import (
    ConfigurationError,
    ForbiddenPath,
    InvalidRequest,
    UnreadableImage,
    UnreadableReply,
    UnsafeURL,
)
from firellava.images.fetch import afetch_image, fetch_image
from firellava.reader.prompts import last_question
from firellava.reader.questions import Wants, understand
from tests.api_server import ApiServer, Fault
from tests.api_server.plain_requests import encoded
from tests.core.images import documents
from tests.core.images.picture_server import Internet, PictureServer, answer

DescribeOne = Callable[[Captioner, Any], Caption]
Make = Callable[..., VisionClient]
RECEIPT = Path(__file__).parents[3] / "cookbook" / "images" / "receipt.jpg"
PHOTOGRAPH = RECEIPT.with_name("photograph.jpg")


def sha256(data: bytes) -> str:
    return f"sha256-{hashlib.sha256(data).hexdigest()}"


def test_a_caption_tells_which_image_it_is_of_who_gave_it_and_what_it_took(
    captioner: Captioner, blue_picture: Path, api_server: ApiServer, describe_one: DescribeOne
) -> None:
    caption = describe_one(captioner, blue_picture)
    assert caption.text == f"question: {DEFAULT_PROMPT} | image 1: {api_server.requests[0].images[0]!r}"
    assert caption.content_hash == sha256(blue_picture.read_bytes())
    assert (caption.mime_type, caption.size, caption.page) == ("image/png", (672, 336), 1)
    assert caption.usage is not None
    assert caption.usage.image_tokens == 576
    assert caption.cost_usd == caption.usage.total_tokens * Decimal("0.0000002")
    assert caption.model == "accounts/fireworks/models/firellava-13b"
    assert caption.backend == "fireworks:firellava-13b"
    assert (caption.degraded, caption.from_cache) == (False, False)


def test_what_is_asked_and_how_is_for_the_developer_to_say(
    client: VisionClient, api_server: ApiServer, describe_one: DescribeOne
) -> None:
    captioner = Captioner(client, prompt="Which bird is it?", parameters={"temperature": 0, "max_tokens": 9})
    assert describe_one(captioner, encoded()).text == "question: Which bird is it? | image"
    sent = api_server.requests[0].json
    assert (sent["temperature"], sent["max_tokens"]) == (0, 9)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt": " "}, "question is empty"),
        ({"parameters": {"temperature": 3}}, "temperature"),
        ({"parameters": {"temprature": 1}}, "temprature"),
        ({"parameters": {"fit": "squeeze"}}, "fit= is one of"),
    ],
)
def test_a_wrong_question_is_refused_before_any_image_is_read(
    client: VisionClient, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        Captioner(client, **settings)


def test_the_type_is_told_by_the_decoder_and_not_by_the_name(captioner: Captioner, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    for image_format, mime_type in [
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
    ]:
        path.write_bytes(encoded(image_format))
        assert captioner.caption(path).mime_type == mime_type


def test_the_size_is_that_of_the_upright_picture(captioner: Captioner, tmp_path: Path) -> None:
    path, exif = tmp_path / "lying.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), "red").save(path, exif=exif)
    assert captioner.caption(path).size == (40, 60)


def test_pixels_have_a_hash_and_no_type(captioner: Captioner) -> None:
    picture = Image.new("RGB", (60, 40), "red")
    caption = captioner.caption(picture)
    assert caption.mime_type is None
    assert caption.content_hash == f"sha256-{ImageSource.from_pil(picture).sha256}"
    assert caption.content_hash != captioner.caption(Image.new("RGB", (60, 40), "blue")).content_hash


@pytest.mark.engine("pdf")
def test_pages_have_the_hash_of_their_file_and_captions_of_their_own(captioner: Captioner) -> None:
    data = documents.pages(documents.COLOURED, b"1 0 0 rg 0 0 400 1000 re f")
    first, second = (captioner.caption(page) for page in ImageSource.pages(data))
    assert first.content_hash == second.content_hash == sha256(data)
    assert (first.page, second.page) == (1, 2)
    assert first.mime_type == "application/pdf"
    assert first.size == (1111, 2777)  # 400 x 1000 points at 200 dots per inch
    assert first.text != second.text


def test_a_part_has_its_own_size_and_the_hash_of_the_whole(captioner: Captioner) -> None:
    data = encoded("PNG", (80, 40))
    caption = captioner.caption(ImageSource.from_bytes(data).cropped(0, 0, 0.5, 1))
    assert (caption.size, caption.content_hash) == ((40, 40), sha256(data))


def test_a_bad_image_is_raised_and_nothing_is_sent(
    captioner: Captioner, api_server: ApiServer, tmp_path: Path, describe_one: DescribeOne
) -> None:
    with pytest.raises(UnreadableImage, match="There is no file"):
        describe_one(captioner, tmp_path / "missing.png")
    assert not api_server.requests


def test_files_are_read_under_the_clients_image_roots(
    client_for: Make, blue_picture: Path, tmp_path: Path, describe_one: DescribeOne
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "red.png").write_bytes(encoded())
    captioner = Captioner(client_for(image_roots=inside))
    assert describe_one(captioner, inside / "red.png").text
    with pytest.raises(ForbiddenPath):
        describe_one(captioner, blue_picture)


class TestAnImageOnTheWeb:
    @pytest.fixture(autouse=True)
    def picture_server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
        internet = Internet()
        internet.names["pictures.example"] = [["93.184.216.34"]]
        with PictureServer() as server:
            server.answers["/red.png"] = answer(encoded("PNG", (80, 40), "#ff0000"))
            internet.servers["93.184.216.34"] = server
            network = internet.network()
            monkeypatch.setattr(run, "fetch_image", partial(fetch_image, network=network))
            monkeypatch.setattr(run, "afetch_image", partial(afetch_image, network=network))
            yield server

    def test_is_downloaded_once_and_described_as_it_was_then(
        self,
        client_for: Make,
        api_server: ApiServer,
        picture_server: PictureServer,
        describe_one: DescribeOne,
    ) -> None:
        captioner = Captioner(client_for(fetch_policy=FetchPolicy(allow_http=True)))
        caption = describe_one(captioner, "http://pictures.example/red.png?key=1")
        assert caption.content_hash == sha256(encoded("PNG", (80, 40), "#ff0000"))
        assert (caption.mime_type, caption.size) == ("image/png", (80, 40))
        assert api_server.requests[0].images[0].mean != "#000000"  # it came inlined: nothing is hosted
        assert picture_server.connections == 1

    def test_is_downloaded_under_the_clients_policy(
        self, captioner: Captioner, picture_server: PictureServer, describe_one: DescribeOne
    ) -> None:
        with pytest.raises(UnsafeURL):
            describe_one(captioner, "http://pictures.example/red.png")
        assert picture_server.connections == 0


class TestTheOfflineReader:
    def test_understands_the_question_as_a_wish_for_the_text(self) -> None:
        assert understand(last_question(DEFAULT_PROMPT)).wants is Wants.TRANSCRIPT

    @pytest.mark.engine("rapidocr")
    def test_gives_the_text_in_the_image_and_says_that_it_is_no_model(
        self, describe_one: DescribeOne
    ) -> None:
        caption = describe_one(Captioner(VisionClient(backend=OfflineReader())), RECEIPT)
        assert caption.degraded
        assert caption.backend == "offline-reader"
        assert "TOTAL" in caption.text.upper()

    @pytest.mark.engine("rapidocr")
    def test_gives_no_caption_where_there_is_nothing_to_read(self, describe_one: DescribeOne) -> None:
        with pytest.raises(UnreadableReply, match="offline-reader found nothing to tell about") as refused:
            describe_one(Captioner(VisionClient(backend=OfflineReader())), Image.new("RGB", (300, 200)))
        assert not refused.value.may_be_billed


def test_an_answer_without_a_word_is_no_caption(
    captioner: Captioner, api_server: ApiServer, describe_one: DescribeOne
) -> None:
    body = b'{"id":"1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":" "}}]}'
    api_server.fail_next(Fault(body=body))
    with pytest.raises(UnreadableReply, match="answered without a word") as refused:
        describe_one(captioner, encoded())
    assert refused.value.may_be_billed


def test_who_answered_in_the_place_of_the_api_is_told(
    client_for: Make, api_server: ApiServer, local: OpenAICompatibleBackend, describe_one: DescribeOne
) -> None:
    api_server.fail_next(Fault(status=500))
    caption = describe_one(Captioner(client_for(fallback=local)), encoded())
    assert (caption.backend, caption.degraded, caption.cost_usd) == (local.label, False, Decimal(0))


def test_calls_reach_the_clients_hooks(client_for: Make, describe_one: DescribeOne) -> None:
    ledger = Ledger()
    caption = describe_one(Captioner(client_for(hooks=[ledger])), encoded())
    assert ledger.totals.cost_usd == caption.cost_usd


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, None, "8"])
def test_concurrency_is_a_number_of_images(captioner: Captioner, concurrency: Any) -> None:
    with pytest.raises(ConfigurationError, match="concurrency= takes a whole number from 1"):
        captioner.captions([], concurrency=concurrency)
    with pytest.raises(ConfigurationError, match="concurrency= takes a whole number from 1"):
        captioner.acaptions([], concurrency=concurrency)


@pytest.mark.parametrize("image", ["photo.jpg", encoded()])
def test_one_image_is_not_taken_for_many(captioner: Captioner, image: Any) -> None:
    for captions in (captioner.captions, captioner.acaptions):
        with pytest.raises(InvalidRequest, match=r"one goes into caption\(\)"):
            captions(image)
