"""Many images: at the same time, with a progress bar, through loaders."""

import asyncio
import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_community.document_loaders import PyPDFium2Loader
from langchain_community.document_loaders.generic import GenericLoader
from langchain_core.document_loaders import BlobLoader
from langchain_core.documents.base import Blob
from PIL import Image

from firellava import track_cost
from firellava.captions import DEFAULT_PROMPT
from firellava.errors import ConfigurationError, MissingExtra
from langchain_firellava import ChatFireLLaVA, FireLLaVACostHandler
from langchain_firellava.documents import ImageCaptionLoader, ImageCaptionParser
from tests.api_server import ApiServer, Fault
from tests.langchain.documents.captions.blobs import Parse, blob, blobs_in


class TestManyImages:
    def test_are_described_at_the_same_time_across_files(
        self, llm: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        meeting = threading.Barrier(4, timeout=10)

        class Together(FireLLaVACostHandler):
            def on_chat_model_start(self, *values: Any, **named: Any) -> None:
                meeting.wait()

        parser = ImageCaptionParser(llm.model_copy(update={"callbacks": [Together()]}), concurrency=4)
        assert len(list(parser.lazy_parse_all(map(blob, range(8))))) == 8

    def test_are_read_when_there_is_room_for_them(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        numbers = itertools.count()
        with closing(ImageCaptionParser(llm, concurrency=2).lazy_parse_all(map(blob, numbers))) as made:
            next(made)
        assert next(numbers) <= 1 + 4 * 2

    def test_belong_to_the_block_in_which_they_were_asked_for(self, parser: ImageCaptionParser) -> None:
        with track_cost() as ledger:
            made = parser.lazy_parse_all([blob(1), blob(2)])
        assert len(list(made)) == 2
        assert ledger.totals.calls == 2

    def test_show_their_progress_on_request(
        self, llm: ChatFireLLaVA, parse: Parse, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        parse(ImageCaptionParser(llm, show_progress=True), blobs_in(folder))
        assert "9/9" in capsys.readouterr().err  # eight files, of which one has two pages

    def test_show_no_progress_otherwise(
        self, parser: ImageCaptionParser, parse: Parse, capsys: pytest.CaptureFixture[str]
    ) -> None:
        parse(parser, [blob()])
        assert capsys.readouterr().err == ""

    def test_cannot_show_it_without_tqdm(
        self, llm: ChatFireLLaVA, parse: Parse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        with pytest.raises(MissingExtra, match=r'pip install "firellava\[langchain\]"'):
            parse(ImageCaptionParser(llm, show_progress=True), [blob()])


class Folder(BlobLoader):
    """The files of a folder, by name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def yield_blobs(self) -> Iterator[Blob]:
        return map(Blob.from_path, sorted(self._path.glob("*.png")))


class TestALoader:
    def test_loads_what_a_blob_loader_finds(self, parser: ImageCaptionParser, folder: Path) -> None:
        loader = ImageCaptionLoader(Folder(folder), parser)
        made = loader.load()
        assert [document.metadata["source"] for document in made] == [
            str(folder / f"{number}.png") for number in range(5)
        ]
        assert asyncio.run(loader.aload()) == made

    def test_loads_a_list_of_blobs(self, parser: ImageCaptionParser) -> None:
        assert len(ImageCaptionLoader([blob(1), blob(2)], parser).load()) == 2

    @pytest.mark.parametrize("blobs", ["photos", Path("photos"), b"photo", blob(1)])
    def test_is_told_that_a_path_is_no_list_of_blobs(self, parser: ImageCaptionParser, blobs: Any) -> None:
        with pytest.raises(ConfigurationError, match=rf"not {type(blobs).__name__}: \[Blob\.from_path"):
            ImageCaptionLoader(blobs, parser)

    @pytest.mark.engine("pdf")
    def test_of_the_community_takes_the_parser(self, parser: ImageCaptionParser, folder: Path) -> None:
        loader = GenericLoader.from_filesystem(folder, glob="*", parser=parser)
        assert len(loader.load()) == 7
        assert len(asyncio.run(loader.aload())) == 7

    @pytest.mark.engine("pdf")
    def test_of_pdf_files_takes_it_for_the_pictures_in_a_page(
        self, parser: ImageCaptionParser, api_server: ApiServer, tmp_path: Path
    ) -> None:
        path = tmp_path / "report.pdf"
        Image.new("RGB", (60, 40), "green").save(path)
        # Its type names the community's own parsers; it asks for nothing that others do not have.
        parsing: Any = parser
        loader = PyPDFium2Loader(str(path), extract_images=True, images_parser=parsing)
        (page,) = loader.load()
        assert DEFAULT_PROMPT in page.page_content
        # A picture that cannot be described leaves its page as it is.
        api_server.fail_next(Fault(status=400))
        (page,) = loader.load()
        assert page.page_content.strip() == ""
