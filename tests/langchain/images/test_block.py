"""`image_block`: what it makes of what a developer has."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents.base import Blob, Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from PIL import Image
from pydantic import SecretStr

from firellava import ImageSource
from firellava.errors import ForbiddenPath, ImageTooLarge, UnreadableImage, UnsupportedFormat
from langchain_firellava import image_block
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import data_url, encoded
from tests.langchain.pictures import claiming_pixels

RED = encoded("PNG", (40, 20), "#ff0000")
URL = "https://images.example.com/red.png?signature=1"


@pytest.fixture
def red_file(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    path.write_bytes(RED)
    return path


def picture(block: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(block["base64"])))


@pytest.mark.parametrize(
    "made",
    [
        lambda path: path,
        str,
        lambda path: RED,
        lambda path: io.BytesIO(RED),
        Image.open,
        lambda path: data_url(RED),
        ImageSource.from_path,
        Blob.from_path,
        lambda path: Blob.from_data(RED, mime_type="image/png"),
    ],
)
def test_any_local_image_becomes_a_standard_block(red_file: Path, made: Callable[[Path], Any]) -> None:
    block = image_block(made(red_file))
    assert block["type"] == "image"
    assert block["mime_type"] == "image/png"
    assert picture(block).size == (40, 20)
    assert picture(block).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_a_url_stays_a_url() -> None:
    assert image_block(URL) == {"type": "image", "url": URL}
    assert image_block(ImageSource.from_url(URL)) == image_block(URL)


def test_it_is_small_upright_and_without_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "Secret camera"
    buffer = io.BytesIO()
    Image.new("RGB", (3000, 1500), "#00ff00").save(buffer, "JPEG", exif=exif)
    block = image_block(buffer.getvalue())
    assert picture(block).size == (1024, 2048)
    assert b"Secret camera" not in base64.b64decode(block["base64"])
    assert picture(image_block(buffer.getvalue(), max_side=100)).size == (50, 100)


def test_the_same_image_has_the_same_id_and_another_has_another() -> None:
    assert image_block(RED) == image_block(io.BytesIO(RED))
    assert image_block(RED)["id"] != image_block(encoded("PNG", (40, 20), "#ff0001"))["id"]


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("I am a text.")
    with pytest.raises(UnreadableImage, match=r"missing\.png"):
        image_block(tmp_path / "missing.png")
    with pytest.raises(UnsupportedFormat, match=r"text\.png"):
        image_block(text)
    with pytest.raises(ImageTooLarge):
        image_block(claiming_pixels(30_000, 20_000))


@pytest.mark.parametrize("detail", [None, "high"])
@pytest.mark.parametrize("source", [RED, URL])
def test_other_chat_models_read_it_and_detail_is_kept(
    llm_for: Callable[..., BaseChatModel], api_server: ApiServer, source: Any, detail: Any
) -> None:
    api_server.host_image(URL, RED)
    theirs = ChatOpenAI(model=QWEN_MAX, base_url=api_server.base_url, api_key=SecretStr(api_server.key))
    message = HumanMessage([{"type": "text", "text": "Colour?"}, image_block(source, detail=detail)])
    for llm in (llm_for(model=QWEN_MAX), theirs):
        assert "40x20 mean #ff0000" in llm.invoke([message]).text
    for request in api_server.requests:
        assert request.json["messages"][0]["content"][1]["image_url"].get("detail") == detail


class TestADocument:
    def test_names_its_image_as_its_source(self, tmp_path: Path) -> None:
        path = tmp_path / "red.png"
        path.write_bytes(encoded("PNG", (20, 10), "#ff0000"))
        document = Document("A red card.", metadata={"source": str(path)})
        assert image_block(document) == image_block(path)

    def test_from_a_store_that_others_write_to_stays_within_the_folders(self, tmp_path: Path) -> None:
        document = Document("", metadata={"source": "/etc/hostname"})
        with pytest.raises(ForbiddenPath):
            image_block(document, image_roots=[tmp_path])

    def test_without_a_source_holds_no_image(self) -> None:
        with pytest.raises(UnreadableImage, match="'source'"):
            image_block(Document("A red card."))
