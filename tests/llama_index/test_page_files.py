"""The pages of TIFF and PDF files become image files, each with a document of its own."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import ImageDocument

from firellava.errors import ConfigurationError, UnsupportedFormat
from firellava.images import ImageSource, decode_image
from llama_index_firellava import FireLLaVA
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded
from tests.core.images.documents import COLOURED, pages
from tests.core.images.samples import BLUE, GREEN, RED
from tests.core.images.test_pages import SCAN, tiff

Write = Callable[..., Path]


def colours(documents: list[ImageDocument]) -> list[Any]:
    return [decode_image(ImageSource.of(str(document.image_path))).getpixel((5, 5)) for document in documents]


def test_each_page_of_a_tiff_gets_a_file_and_a_document(write: Write, tmp_path: Path) -> None:
    scan = write("scan.tif", SCAN)
    documents = load_images(scan, pages_folder=tmp_path / "drawn")
    assert [document.metadata["page_label"] for document in documents] == ["1", "2", "3"]
    assert [document.doc_id for document in documents] == [f"{scan}#page={page}" for page in (1, 2, 3)]
    assert colours(documents) == [RED, GREEN, BLUE]
    for document in documents:
        drawn = Path(str(document.image_path))
        assert drawn.parent == tmp_path / "drawn"
        assert document.metadata["file_path"] == str(scan)
        assert (document.metadata["file_type"], document.image_mimetype) == ("image/tiff", "image/png")
        content = hashlib.sha256(drawn.read_bytes()).hexdigest()
        assert document.metadata["content_hash"] == f"sha256-{content}"


def test_a_page_is_drawn_once(write: Write, tmp_path: Path) -> None:
    scan, drawn = write("scan.tif", SCAN), tmp_path / "drawn"
    before = load_images(scan, pages_folder=drawn)
    written = {path: path.stat().st_mtime_ns for path in drawn.iterdir()}
    assert load_images(scan, pages_folder=drawn) == before
    assert {path: path.stat().st_mtime_ns for path in drawn.iterdir()} == written


def test_the_pages_of_a_changed_file_are_drawn_again(write: Write, tmp_path: Path) -> None:
    before = load_images(write("scan.tif", SCAN), pages_folder=tmp_path / "drawn")
    after = load_images(write("scan.tif", tiff(BLUE, GREEN)), pages_folder=tmp_path / "drawn")
    assert colours(after) == [BLUE, GREEN]
    assert [document.doc_id for document in after] == [document.doc_id for document in before[:2]]


def test_without_a_folder_for_pages_a_tiff_is_its_first(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    (document,) = load_images(write("scan.tif", SCAN))
    assert colours([document]) == [RED]
    assert "3 pages" in caplog.text


def test_a_tiff_of_one_page_stays_where_it_is(write: Write, tmp_path: Path) -> None:
    path = write("one.tif", encoded("TIFF"))
    (document,) = load_images(path, pages_folder=tmp_path / "drawn")
    assert document.image_path == str(path)
    assert not (tmp_path / "drawn").exists()


@pytest.mark.engine("pdf")
def test_each_page_of_a_pdf_gets_a_file_and_a_document(
    llm: FireLLaVA, api_server: ApiServer, write: Write, tmp_path: Path
) -> None:
    report = write("report.pdf", pages(COLOURED, b"0.5 g 0 0 400 1000 re f"))
    documents = load_images(report, pages_folder=tmp_path / "drawn")
    llm.complete("What is this?", image_documents=documents[1:])
    assert [document.metadata["page_label"] for document in documents] == ["1", "2"]
    assert documents[0].metadata["file_type"] == "application/pdf"
    assert api_server.requests[0].images[0].pixels.convert("L").getpixel((168, 168)) == pytest.approx(
        127, abs=3
    )


def test_a_pdf_without_a_folder_for_its_pages_is_not_taken_for_its_first(
    write: Write, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = write("report.pdf", pages(COLOURED))
    with pytest.raises(UnsupportedFormat, match="pages_folder"):
        load_images(report)
    assert load_images(folder) == []
    assert "pages_folder" in caplog.text


def test_a_folder_for_pages_that_cannot_be_written_to_is_an_error(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="pages_folder"):
        load_images(write("scan.tif", SCAN), pages_folder=tmp_path / "file" / "drawn")


@pytest.mark.parametrize("drawn", ["drawn", ".", "../pictures/drawn"])
def test_drawn_pages_are_not_found_again_as_pictures(write: Write, folder: Path, drawn: str) -> None:
    write("scan.tif", SCAN)
    write("photograph.png")
    before = load_images(folder, pages_folder=folder / drawn)
    assert [document.metadata["file_name"] for document in before] == ["photograph.png", *["scan.tif"] * 3]
    assert load_images(folder, pages_folder=folder / drawn) == before
    page = str(before[1].image_path)
    (named,) = load_images(page, pages_folder=folder / drawn)
    assert named.image_path == os.path.abspath(page)  # noqa: PTH100 - as load_images names files


def test_drawn_pages_can_be_read_by_whoever_may_read_other_files(write: Write, tmp_path: Path) -> None:
    scan = write("scan.tif", SCAN)
    for document in load_images(scan, pages_folder=tmp_path / "drawn"):
        assert Path(str(document.image_path)).stat().st_mode == scan.stat().st_mode
    assert len(list((tmp_path / "drawn").iterdir())) == 3
