"""Every way LlamaIndex users hold an image: the right pixels arrive, whatever its name or claimed type."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.schema import Document, ImageDocument, ImageNode, MediaResource, NodeWithScore
from PIL import ExifTags, Image

from firellava.errors import ForbiddenPath, ImageError, InvalidRequest
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer
from tests.api_server.plain_requests import data_url, encoded
from tests.llama_index.asking import COLOUR, PICTURE, RECEIPT, conversation

URL = "https://example.com/pictures/one?width=300&signature=a%2Bb%3D"
BASE64 = base64.b64encode(PICTURE)


def in_file(folder: Path, name: str, data: bytes = PICTURE) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def opened_by_pillow() -> io.BytesIO:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), COLOUR).save(buffer, "PNG")
    return buffer  # left where writing ended


def assigned_later() -> ImageBlock:
    block = ImageBlock(path=RECEIPT)
    block.path, block.image = None, PICTURE
    return block


BLOCKS: dict[str, Callable[[Path], ImageBlock]] = {
    "path": lambda folder: ImageBlock(path=in_file(folder, "picture.png")),
    "path in capitals": lambda folder: ImageBlock(path=in_file(folder, "PICTURE.PNG")),
    "path without extension": lambda folder: ImageBlock(path=in_file(folder, "picture")),
    "PNG named .jpg": lambda folder: ImageBlock(path=in_file(folder, "picture.jpg")),
    "wrong type claimed": lambda folder: ImageBlock(image=PICTURE, image_mimetype="image/webp"),
    "bytes": lambda folder: ImageBlock(image=PICTURE),
    "base64": lambda folder: ImageBlock(image=BASE64),
    "base64 with line ends": lambda folder: ImageBlock(image=base64.encodebytes(PICTURE)),
    "base64 twice": lambda folder: ImageBlock(image=base64.b64encode(base64.encodebytes(PICTURE))),
    "bytes assigned later": lambda folder: assigned_later(),
    "file opened": lambda folder: ImageBlock(image=io.BytesIO(PICTURE)),
    "written by Pillow": lambda folder: ImageBlock(image=opened_by_pillow()),
    "file of base64": lambda folder: ImageBlock(image=io.BytesIO(BASE64)),
    "data URL": lambda folder: ImageBlock(url=data_url(PICTURE)),
    "data URL that lies": lambda folder: ImageBlock(url=data_url(PICTURE, "jpeg")),
    "WebP": lambda folder: ImageBlock(image=encoded("WEBP", (64, 64), COLOUR)),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_an_image_block_arrives_as_its_pixels(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, block: Callable[[Path], ImageBlock]
) -> None:
    messages = conversation(block(tmp_path))
    llm.chat(messages)
    llm.chat(messages)
    first, again = (request.images[0] for request in api_server.requests)
    assert first.size == (336, 336)
    red, green, blue = first.pixels.convert("RGB").getpixel((168, 168))  # type: ignore[misc]  # three bands
    assert max(abs(red - 0xC8), abs(green - 0x1E), abs(blue - 0x3C)) <= 3
    assert again.data == first.data


def document_with(**changes: Any) -> ImageDocument:
    """An ImageDocument whose constructor does not get to fetch or open anything."""
    document = ImageDocument(image=BASE64.decode())
    for name, value in changes.items():
        setattr(document, name, value)
    return document


DOCUMENTS: dict[str, Callable[[Path], Any]] = {
    "ImageNode, base64": lambda folder: ImageNode(image=BASE64.decode()),
    "ImageNode, path": lambda folder: ImageNode(image_path=str(in_file(folder, "picture.png"))),
    "ImageNode, data URL": lambda folder: ImageNode(image_url=data_url(PICTURE)),
    "ImageNode, resource": lambda folder: ImageNode(
        image_resource=MediaResource(path=in_file(folder, "picture.png"))
    ),
    "ImageNode, scored": lambda folder: NodeWithScore(node=ImageNode(image=BASE64.decode()), score=0.5),
    "ImageDocument, base64": lambda folder: ImageDocument(image=BASE64.decode()),
    "ImageDocument, bytes": lambda folder: ImageDocument(image=PICTURE),
    "ImageDocument, path": lambda folder: ImageDocument(image_path=str(in_file(folder, "picture.png"))),
    "ImageDocument, data URL": lambda folder: document_with(image_url=data_url(PICTURE)),
    "Document, resource": lambda folder: Document(image_resource=MediaResource(data=PICTURE)),
    "ImageBlock": lambda folder: ImageBlock(image=PICTURE),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("prompt", ["What is this?", "USER:\n<image>\nWhat is this?\n\nASSISTANT:"])
def test_an_image_document_arrives_as_its_pixels(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, document: Callable[[Path], Any], prompt: str
) -> None:
    llm.complete(prompt, formatted="<image>" in prompt, image_documents=[document(tmp_path)])
    assert [image.mean for image in api_server.requests[0].images] == [COLOUR]


URLS: dict[str, Callable[[], Any]] = {
    "ImageBlock": lambda: ImageBlock(url=URL),
    "ImageNode": lambda: ImageNode(image_url=URL),
    "ImageDocument": lambda: document_with(image_url=URL),
}


@pytest.mark.parametrize("document", URLS.values(), ids=URLS)
def test_a_url_is_passed_on_unchanged(
    llm: FireLLaVA, api_server: ApiServer, document: Callable[[], Any]
) -> None:
    api_server.host_image(URL, PICTURE)
    response = llm.complete("What is this?", image_documents=[document()])
    assert api_server.requests[0].json["messages"][0]["content"][0]["image_url"] == {"url": URL}
    assert COLOUR in response.text


@pytest.mark.parametrize("detail", ["auto", "low", "high", None])
def test_the_detail_of_a_block_is_kept(
    llm: FireLLaVA, api_server: ApiServer, picture: Path, detail: str | None
) -> None:
    llm.chat(conversation(ImageBlock(path=picture, detail=detail)))
    sent = api_server.requests[0].json["messages"][0]["content"][0]["image_url"]
    assert sent.get("detail") == detail


def test_blocks_keep_their_order(llm: FireLLaVA, api_server: ApiServer, picture: Path) -> None:
    blocks = [TextBlock(text="This:"), ImageBlock(path=picture), TextBlock(text="What is it?")]
    llm.chat([ChatMessage(role="user", blocks=blocks)])
    content = api_server.requests[0].json["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    assert [part.get("text") for part in content] == ["This:", None, "What is it?"]


HOLDERS_OF_NO_IMAGE: dict[str, Callable[[Path], Any]] = {
    "a path in metadata": lambda path: ImageDocument(metadata={"file_path": str(path)}),
    "a path in a node's metadata": lambda path: ImageNode(metadata={"file_path": str(path)}),
    "an empty block": lambda path: ImageBlock(),
    "a block of no bytes": lambda path: ImageBlock(image=b""),
    "a file of no bytes": lambda path: ImageBlock(image=io.BytesIO()),
    "a file URL": lambda path: ImageBlock(url=path.as_uri()),
    "a node's file URL": lambda path: ImageNode(image_url=path.as_uri()),
    "a path as base64": lambda path: ImageNode(image=str(path)),
    "a URL of another scheme": lambda path: ImageBlock(url="ftp://example.com/picture.png"),
    "a URL with a password": lambda path: ImageBlock(url="https://me:secret@example.com/picture.png"),
}


@pytest.mark.parametrize("holder", HOLDERS_OF_NO_IMAGE.values(), ids=HOLDERS_OF_NO_IMAGE)
def test_what_holds_no_image_of_its_own_is_refused(
    llm: FireLLaVA, api_server: ApiServer, picture: Path, holder: Callable[[Path], Any]
) -> None:
    with pytest.raises(ImageError) as refused:
        llm.complete("What is this?", image_documents=[holder(picture)])
    assert "secret" not in str(refused.value)
    assert api_server.requests == []


@pytest.mark.parametrize(
    "given",
    [str, lambda path: PICTURE, lambda path: ImageNode(image_path=str(path))],
    ids=["path", "bytes", "node"],
)
def test_one_image_is_no_list_of_images(
    llm: FireLLaVA, api_server: ApiServer, picture: Path, given: Callable[[Path], Any]
) -> None:
    with pytest.raises(InvalidRequest, match=r"image_documents=\[…\]"):
        llm.complete("What is this?", image_documents=given(picture))
    assert api_server.requests == []


def test_files_are_read_only_inside_the_roots(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, picture: Path, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    llm = llm_for(image_roots=[inside])
    (inside / "link.png").symlink_to(picture)
    for path in (picture, inside / ".." / picture.name, inside / "link.png"):
        with pytest.raises(ForbiddenPath):
            llm.chat(conversation(ImageBlock(path=path)))
    assert api_server.requests == []
    llm.chat(conversation(ImageBlock(path=in_file(inside, "picture.png"))))
    assert len(api_server.requests) == 1


@pytest.mark.parametrize("given", [str, Path])
def test_one_root_needs_no_list_and_is_no_list_of_letters(
    llm_for: Callable[..., FireLLaVA], picture: Path, tmp_path: Path, given: Callable[[Path], Any]
) -> None:
    (tmp_path / "inside").mkdir()
    inside = in_file(tmp_path / "inside", "picture.png")
    llm = llm_for(image_roots=given(inside.parent))
    assert llm.image_roots == (str(inside.parent),)
    assert COLOUR in str(llm.chat(conversation(ImageBlock(path=inside))))
    with pytest.raises(ForbiddenPath):
        llm.chat(conversation(ImageBlock(path=picture)))


def test_chosen_metadata_is_told_and_no_other(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, tmp_path: Path
) -> None:
    photograph = tmp_path / "photograph.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2024:05:01 10:00:00"
    exif[ExifTags.Base.Artist] = "Somebody"
    Image.new("RGB", (64, 64), COLOUR).save(photograph, exif=exif)
    llm_for(describe_metadata="DateTime").chat(conversation(ImageBlock(path=photograph)))
    llm_for().chat(conversation(ImageBlock(path=photograph)))
    told, silent = (request.json["messages"][0]["content"] for request in api_server.requests)
    texts = [part["text"] for part in told if part["type"] == "text"]
    assert any("2024:05:01 10:00:00" in text for text in texts)
    assert not any("Somebody" in text for text in texts)
    assert [part["text"] for part in silent if part["type"] == "text"] == ["What is this?"]
    assert all(not request.images[0].pixels.getexif() for request in api_server.requests)


def test_a_media_resource_is_an_image_document(llm: FireLLaVA, picture: Path) -> None:
    answer = llm.complete("What is this?", image_documents=[MediaResource(path=picture)])
    assert COLOUR in answer.text
