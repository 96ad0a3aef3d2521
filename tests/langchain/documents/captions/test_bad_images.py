"""What becomes of images that cannot be described, and of the others beside them."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents.base import Blob

from firellava import Budget
from firellava.errors import (
    AuthenticationFailed,
    BudgetExceeded,
    ConfigurationError,
    ForbiddenPath,
    InvalidRequest,
    UnreadableImage,
)
from langchain_firellava import ChatFireLLaVA, FireLLaVACostHandler
from langchain_firellava.documents import ImageCaptionParser
from langchain_firellava.documents.blob_pages import FailedImage
from tests.api_server import ApiServer, Fault
from tests.core.captions.pictures import picture, wait_for_threads
from tests.langchain.documents.captions.blobs import Make, Parse, blob, blobs_in


class TestABadImage:
    def test_is_logged_and_the_rest_go_on(
        self, parser: ImageCaptionParser, parse: Parse, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (folder / "5.pdf").unlink()
        with caplog.at_level(logging.WARNING, logger="langchain_firellava"):
            made = parse(parser, blobs_in(folder))
        assert [Path(document.metadata["source"]).name for document in made] == [
            f"{number}.png" for number in range(5)
        ]
        damaged, text = caplog.messages
        assert damaged.startswith(f"'{folder / '6.png'}' has no caption. UnreadableImage: ")
        assert text.startswith(f"'{folder / '7.txt'}' has no caption. UnsupportedFormat: ")

    def test_goes_to_whoever_wants_to_know_instead(
        self, llm: ChatFireLLaVA, parse: Parse, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        failed: list[FailedImage] = []
        missing = Blob.from_path(tmp_path / "missing.png")
        made = parse(ImageCaptionParser(llm, on_error=failed.append), [blob(1), missing, blob(2), missing])
        assert len(made) == 2
        assert [(one.blob, one.page, type(one.error)) for one in failed] == [
            (missing, None, UnreadableImage)
        ] * 2
        assert not caplog.messages

    def test_ends_the_run_where_whoever_is_told_raises(self, llm: ChatFireLLaVA, parse: Parse) -> None:
        def strict(failed: FailedImage) -> None:
            raise failed.error

        with pytest.raises(UnreadableImage):
            parse(ImageCaptionParser(llm, on_error=strict), [Blob.from_data(b"", path="empty.png"), blob()])

    @pytest.mark.engine("pdf")
    def test_may_be_one_page_of_many(
        self, llm_for: Make, api_server: ApiServer, parse: Parse, folder: Path
    ) -> None:
        failed: list[FailedImage] = []
        api_server.fail_next(Fault(), Fault(status=400, message="not this one"))
        parser = ImageCaptionParser(llm_for(max_retries=0), on_error=failed.append, concurrency=1)
        made = parse(parser, [Blob.from_path(folder / "5.pdf"), blob()])
        assert [document.metadata["page"] for document in made] == [1, 1]
        assert [(one.page, str(one).partition(". ")[0]) for one in failed] == [
            (2, f"'{folder / '5.pdf'}', page 2 has no caption")
        ]

    def test_without_a_name_gives_an_empty_document(
        self, llm: ChatFireLLaVA, parse: Parse, caplog: pytest.LogCaptureFixture
    ) -> None:
        (document,) = parse(ImageCaptionParser(llm), [Blob.from_data(b"no picture", metadata={"n": 1})])
        assert (document.page_content, document.metadata) == ("", {"n": 1, "source": None})
        assert caplog.messages[0].startswith("An image in memory has no caption. UnsupportedFormat")

    @pytest.mark.parametrize("data", [b"", b"no array", b"\x93NUMPY\x01\x00 and then nothing"])
    def test_may_be_an_array_that_is_none(self, llm: ChatFireLLaVA, parse: Parse, data: bytes) -> None:
        failed: list[FailedImage] = []
        array = Blob.from_data(data, mime_type="application/x-npy", path="a.npy")
        assert parse(ImageCaptionParser(llm, on_error=failed.append), [array]) == []
        assert [type(one.error) for one in failed] == [UnreadableImage]

    def test_may_be_a_pickle_which_is_never_opened(self, llm: ChatFireLLaVA, parse: Parse) -> None:
        buffer = io.BytesIO()
        np.save(buffer, np.array([{"not": "pixels"}], dtype=object), allow_pickle=True)
        failed: list[FailedImage] = []
        array = Blob.from_data(buffer.getvalue(), mime_type="application/x-npy", path="a.npy")
        assert parse(ImageCaptionParser(llm, on_error=failed.append), [array]) == []
        assert [type(one.error) for one in failed] == [UnreadableImage]

    def test_outside_the_image_roots_is_not_read(
        self, llm_for: Make, parse: Parse, folder: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        failed: list[FailedImage] = []
        elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.png"
        elsewhere.write_bytes(picture(1))
        parser = ImageCaptionParser(llm_for(image_roots=folder), on_error=failed.append)
        made = parse(parser, [Blob.from_path(elsewhere), Blob.from_path(folder / "1.png")])
        assert [document.metadata["source"] for document in made] == [str(folder / "1.png")]
        assert [type(one.error) for one in failed] == [ForbiddenPath]

    def test_shows_no_byte_of_itself(self) -> None:
        failed = FailedImage(Blob.from_data(b"secret picture"), None, UnreadableImage("It is damaged."))
        assert "secret" not in f"{failed} {failed!r}"


def test_what_would_befall_every_image_is_raised(llm_for: Make, api_server: ApiServer, parse: Parse) -> None:
    with pytest.raises(AuthenticationFailed):
        parse(ImageCaptionParser(llm_for(api_key="fw_wrong"), concurrency=2), [*map(blob, range(50))])
    assert len(api_server.requests) <= 4


def test_a_spent_budget_is_raised(llm_for: Make, api_server: ApiServer, parse: Parse) -> None:
    parser = ImageCaptionParser(llm_for(budget=Budget(calls=3)))
    with pytest.raises(BudgetExceeded):
        parse(parser, [*map(blob, range(50))])
    wait_for_threads()
    assert len(api_server.requests) == 3


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"prompt": ""}, InvalidRequest),
        ({"concurrency": 0}, ConfigurationError),
        ({"llm": FireLLaVACostHandler()}, ConfigurationError),
    ],
)
def test_a_wrong_setting_shows_when_the_parser_is_made(
    llm: ChatFireLLaVA, settings: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ImageCaptionParser(**{"llm": llm, **settings})
