"""Folders, patterns and lists of image files become documents, whatever the files are called."""

import hashlib
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import ImageDocument, MetadataMode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.storage.docstore.utils import doc_to_json, json_to_doc
from PIL import Image

from firellava.errors import (
    FireLLaVAError,
    ForbiddenPath,
    ImageTooLarge,
    InvalidRequest,
    UnreadableImage,
    UnsupportedFormat,
)
from llama_index_firellava import FireLLaVA
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded
from tests.llama_index.asking import COLOUR, PICTURE

Write = Callable[..., Path]


def names(documents: list[ImageDocument]) -> list[Any]:
    return [document.metadata["file_name"] for document in documents]


KINDS = {
    "a.PNG": ("PNG", "image/png"),
    "b.tiff": ("TIFF", "image/tiff"),
    "c.bmp": ("BMP", "image/bmp"),
    "d": ("PNG", "image/png"),
    "e.jpg": ("PNG", "image/png"),
    "f.JPEG": ("JPEG", "image/jpeg"),
    "g.gif": ("GIF", "image/gif"),
    "h.webp": ("WEBP", "image/webp"),
    "i.ppm": ("PPM", "image/x-portable-anymap"),
    "j.txt": ("JPEG", "image/jpeg"),
    "k.png?width=300": ("PNG", "image/png"),
    "l [1] %20.png": ("PNG", "image/png"),
}


def test_the_content_of_a_file_says_what_it_is(write: Write, folder: Path) -> None:
    for name, (image_format, _) in KINDS.items():
        write(name, encoded(image_format))
    documents = load_images(folder)
    assert {document.metadata["file_name"]: document.image_mimetype for document in documents} == {
        name: mime_type for name, (_, mime_type) in KINDS.items()
    }
    assert all(document.metadata["file_type"] == document.image_mimetype for document in documents)


@pytest.mark.parametrize("name", KINDS)
def test_every_loaded_document_can_be_asked_about(
    llm: FireLLaVA, api_server: ApiServer, write: Write, name: str
) -> None:
    write(name, encoded(KINDS[name][0], colour=COLOUR))
    llm.complete("What is this?", image_documents=load_images(write(name)))
    (image,) = api_server.requests[0].images
    red, green, blue = image.pixels.convert("RGB").getpixel((168, 168))  # type: ignore[misc]  # three bands
    assert max(abs(red - 0xC8), abs(green - 0x1E), abs(blue - 0x3C)) <= 3


def test_metadata_say_what_the_file_is_and_not_when_it_was_touched(write: Write) -> None:
    turned = Image.new("RGB", (60, 40), COLOUR)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = write("turned.jpg")
    turned.save(path, exif=exif)
    (document,) = load_images(path)
    assert document.metadata == {
        "file_path": str(path),
        "file_name": "turned.jpg",
        "file_type": "image/jpeg",
        "file_size": path.stat().st_size,
        "page_label": "1",
        "content_hash": f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}",
        "image_width": 40,
        "image_height": 60,
    }
    os.utime(path, (1, 1))
    assert load_images(path)[0].hash == document.hash
    for mode in (MetadataMode.EMBED, MetadataMode.LLM):
        assert document.get_content(mode) == "file_name: turned.jpg\npage_label: 1"


def test_files_come_in_the_order_people_count_in(write: Write, folder: Path) -> None:
    for name in ("page10.png", "page2.png", "Page1.png", "sub10/a.png", "sub9/b.png", "page2b.png"):
        write(name)
    assert names(load_images(folder)) == [
        "Page1.png",
        "page2.png",
        "page2b.png",
        "page10.png",
        "b.png",
        "a.png",
    ]
    assert names(load_images(f"{folder}/**/*.png")) == names(load_images(folder))


def test_folders_are_searched_to_the_bottom_or_not_below_their_own_files(write: Write, folder: Path) -> None:
    for name in ("top.png", "a/middle.png", "a/b/bottom.png"):
        write(name)
    assert names(load_images(folder)) == ["top.png", "middle.png", "bottom.png"]
    assert names(load_images(folder, recursive=False)) == ["top.png"]


def test_hidden_files_and_folders_are_left_out_unless_named(write: Write, folder: Path) -> None:
    for name in ("seen.png", ".hidden.png", "._seen.png", ".cache/thumbnail.png"):
        write(name)
    assert names(load_images(folder)) == ["seen.png"]
    assert names(load_images(f"{folder}/**/*")) == ["seen.png"]
    assert names(load_images(folder / ".hidden.png")) == [".hidden.png"]


def test_files_folders_and_patterns_mix_and_a_file_comes_once(
    write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png", "sub/c.png"):
        write(name)
    monkeypatch.chdir(folder)
    documents = load_images(["b.png", folder / "sub", "sub/../b.png", f"{folder}/*.png", "."])
    assert names(documents) == ["b.png", "c.png", "a.png"]
    assert [document.doc_id for document in documents] == [
        str(folder / name) for name in ("b.png", "sub/c.png", "a.png")
    ]


def test_a_file_whose_name_reads_like_a_pattern_is_that_file(write: Write) -> None:
    write("scan1.png")
    assert names(load_images(str(write("scan[1].png")))) == ["scan[1].png"]


NO_IMAGES: dict[str, tuple[bytes, int]] = {
    "notes.txt": (b"Some notes.", logging.INFO),
    "archive.zip": (b"PK\x03\x04 and more", logging.INFO),
    "empty.png": (b"", logging.WARNING),
    "page.png": (b"<!doctype html><p>Not found", logging.WARNING),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", logging.WARNING),
    "cut.png": (PICTURE[:20], logging.WARNING),
    "huge.png": (PICTURE[:16] + b"\x00\x01\x00\x00\x00\x01\x00\x00" + PICTURE[24:], logging.WARNING),
}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_found_and_no_image_is_left_out_with_a_line_in_the_log(
    write: Write, folder: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    write("good.png")
    data, level = NO_IMAGES[name]
    write(name, data)
    with caplog.at_level(logging.INFO):
        assert names(load_images(folder)) == ["good.png"]
    (record,) = caplog.records
    assert record.levelno == level
    assert name in record.getMessage()


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_named_and_no_image_is_an_error(write: Write, name: str) -> None:
    path = write(name, NO_IMAGES[name][0])
    with pytest.raises((UnreadableImage, UnsupportedFormat, ImageTooLarge), match=name):
        load_images([write("good.png"), path])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in this file system")
def test_pipes_and_broken_links_hold_nothing_up(
    write: Write, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("good.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "link.png").symlink_to(folder / "nowhere.png")
    assert names(load_images(folder)) == ["good.png"]
    assert len(caplog.records) == 2


def test_links_are_followed_to_files_and_keep_their_names(write: Write, folder: Path) -> None:
    stored = write("blobs/0123abcd", PICTURE)
    (folder / "named.png").symlink_to(stored)
    (folder / "loop").symlink_to(folder)
    assert names(load_images(folder)) == ["named.png", "0123abcd"]


def test_a_large_file_beside_the_pictures_is_no_news(
    write: Write, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("good.png")
    with write("film.mov").open("wb") as film:
        film.truncate(1 << 40)
    assert names(load_images(folder)) == ["good.png"]
    assert caplog.records == []


WRONG: dict[str, tuple[Any, type[FireLLaVAError], str]] = {
    "missing": ("nowhere.png", UnreadableImage, "no file"),
    "pattern without a match": ("nowhere/*.png", UnreadableImage, "No file matches"),
    "empty text": ("", InvalidRequest, "no path"),
    "URL": ("https://example.com/picture.png", InvalidRequest, "image_url"),
    "data URL": ("data:image/png;base64,AAAA", InvalidRequest, "nothing is downloaded"),
    "bytes": (PICTURE, InvalidRequest, "type bytes"),
    "nothing": (None, InvalidRequest, "type NoneType"),
    "picture": ([Image.new("RGB", (4, 4))], InvalidRequest, "type Image"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_path_or_leads_nowhere_is_an_error(what: str) -> None:
    given, error, message = WRONG[what]
    with pytest.raises(error, match=message):
        load_images(given)


def test_no_images_are_no_documents(folder: Path) -> None:
    folder.mkdir()
    assert load_images([]) == []
    assert load_images(folder) == []


def test_image_roots_hold_for_links_too(
    write: Write, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inside, outside = write("inside.png"), tmp_path / "outside.png"
    outside.write_bytes(PICTURE)
    link = folder / "link.png"
    link.symlink_to(outside)
    assert names(load_images(folder, image_roots=str(folder))) == ["inside.png"]
    assert "link.png" in caplog.text
    for path in (outside, link):
        with pytest.raises(ForbiddenPath):
            load_images([inside, path], image_roots=[folder])


def test_a_name_that_no_store_could_keep_is_refused(
    write: Write, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("good.png")
    try:
        path = write(os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system keeps such names out")
    assert names(load_images(folder)) == ["good.png"]
    with pytest.raises(UnreadableImage, match="UTF-8"):
        load_images(path)


@pytest.mark.parametrize(
    "move",
    [
        lambda document: pickle.loads(pickle.dumps(document)),  # noqa: S301 - our own pickle
        lambda document: json_to_doc(doc_to_json(document)),
        lambda document: ImageDocument.from_json(document.to_json()),
    ],
)
def test_documents_survive_every_store(write: Write, move: Callable[[Any], Any]) -> None:
    (document,) = load_images(write("PICTURE.TIFF", encoded("TIFF")))
    moved = move(document)
    assert moved == document
    assert moved.hash == document.hash


def test_two_pictures_are_two_entries_of_an_ingestion_cache(write: Write) -> None:
    (first,) = load_images(write("a.png", encoded("PNG", colour="#ff0000")))
    (second,) = load_images(write("a.png", encoded("PNG", colour="#00ff00")))
    (again,) = load_images(write("a.png", encoded("PNG", colour="#ff0000")))
    keys = [get_transformation_hash([document], SentenceSplitter()) for document in (first, second, again)]
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


@pytest.mark.filterwarnings("ignore:docstore_strategy:UserWarning")  # there is no vector store here
def test_a_docstore_knows_what_was_there_in_the_last_run(write: Write, folder: Path) -> None:
    write("a.png")
    write("b.png", encoded("PNG", colour="#00ff00"))
    pipeline = IngestionPipeline(transformations=[], docstore=SimpleDocumentStore())
    assert len(pipeline.run(documents=load_images(folder))) == 2
    assert len(pipeline.run(documents=load_images(folder))) == 0
    write("b.png", encoded("PNG", colour="#0000ff"))
    write("c.png", encoded("PNG", colour="#00ffff"))
    assert [node.metadata["file_name"] for node in pipeline.run(documents=load_images(folder))] == [
        "b.png",
        "c.png",
    ]
