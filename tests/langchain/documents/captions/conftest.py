"""Parsers on the API server, the two ways of using one, and a folder of images."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from langchain_firellava import ChatFireLLaVA
from langchain_firellava.documents import ImageCaptionParser
from tests.core.captions.pictures import picture, wait_for_threads
from tests.core.images import documents
from tests.langchain.documents.captions.blobs import Parse


def _parse_async(parser: ImageCaptionParser, blobs: list[Blob]) -> list[Document]:
    async def run() -> list[Document]:
        return [document async for document in parser.alazy_parse_all(blobs)]

    return asyncio.run(run())


@pytest.fixture(
    params=[lambda parser, blobs: list(parser.lazy_parse_all(blobs)), _parse_async],
    ids=["lazy_parse_all", "alazy_parse_all"],
)
def parse(request: pytest.FixtureRequest) -> Parse:
    way: Parse = request.param
    return way


@pytest.fixture(autouse=True)
def _no_calls_left_for_the_next_test() -> Iterator[None]:
    yield
    wait_for_threads()


@pytest.fixture
def parser(llm: ChatFireLLaVA) -> ImageCaptionParser:
    return ImageCaptionParser(llm)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures, a document of two pages, a damaged picture and a text."""
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(picture(number))
    (tmp_path / "5.pdf").write_bytes(documents.pages(documents.COLOURED, b"1 0 0 rg 0 0 400 1000 re f"))
    (tmp_path / "6.png").write_bytes(picture(6)[:-40])
    (tmp_path / "7.txt").write_text("Not a picture.")
    return tmp_path
