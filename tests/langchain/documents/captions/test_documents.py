"""What a Document says of its image, and that captions lead back to their images."""

import hashlib
import io
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents.base import Blob
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from PIL import Image

from firellava import OfflineReader
from firellava.captions import DEFAULT_PROMPT
from langchain_firellava import ChatFireLLaVA
from langchain_firellava.documents import ImageCaptionLoader, ImageCaptionParser, documents_to_message
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded
from tests.core.captions.pictures import picture
from tests.langchain.documents.captions.blobs import Make, Parse, blob

IMAGES = Path(__file__).parents[4] / "cookbook" / "images"


class TestADocument:
    def test_is_a_caption_and_says_where_its_image_is_and_what_it_took(
        self, parser: ImageCaptionParser, parse: Parse, api_server: ApiServer, tmp_path: Path
    ) -> None:
        path = tmp_path / "blue.png"
        path.write_bytes(encoded("JPEG", (640, 480), "#0000ff"))
        (document,) = parse(parser, [Blob.from_path(path, metadata={"album": "summer"})])
        (image,) = api_server.requests[0].images
        assert document.page_content == f"question: {DEFAULT_PROMPT} | image 1: {image!r}"
        (usage,) = api_server.billed
        assert document.metadata == {
            "album": "summer",
            "source": str(path),
            "page": 1,
            "total_pages": 1,
            "content_hash": f"sha256-{hashlib.sha256(path.read_bytes()).hexdigest()}",
            "mime_type": "image/jpeg",
            "width": 640,
            "height": 480,
            "model": "accounts/fireworks/models/firellava-13b",
            "backend": "fireworks:firellava-13b",
            "degraded": False,
            "from_cache": False,
            "cost_usd": f"{(usage.prompt + usage.completion) * Decimal('0.0000002'):f}",
            "input_tokens": usage.prompt,
            "output_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
            "image_tokens": 576,
        }

    def test_has_metadata_of_plain_values(self, parser: ImageCaptionParser, parse: Parse) -> None:
        (document,) = parse(parser, [blob()])
        assert json.loads(json.dumps(document.metadata)) == document.metadata

    @pytest.mark.engine("pdf")
    def test_is_made_of_each_page(self, parser: ImageCaptionParser, parse: Parse, folder: Path) -> None:
        first, second = parse(parser, [Blob.from_path(folder / "5.pdf")])
        assert [page.metadata["page"] for page in (first, second)] == [1, 2]
        assert first.metadata["total_pages"] == 2
        assert first.metadata["mime_type"] == "application/pdf"
        assert first.metadata["content_hash"] == second.metadata["content_hash"]
        assert first.page_content != second.page_content

    def test_is_made_of_each_page_of_a_tiff_file(self, parser: ImageCaptionParser, parse: Parse) -> None:
        buffer, pages = io.BytesIO(), [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue")]
        pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
        made = parse(parser, [Blob.from_data(buffer.getvalue(), path="scan.tiff")])
        assert [page.metadata["page"] for page in made] == [1, 2]

    def test_names_the_source_a_loader_gave_and_nothing_is_fetched_from_there(
        self, parser: ImageCaptionParser, parse: Parse
    ) -> None:
        url = "https://pictures.example/red.png"
        (document,) = parse(parser, [Blob.from_data(picture(1), metadata={"source": url})])
        assert document.metadata["source"] == url

    def test_of_an_array_has_its_pixels(
        self, parser: ImageCaptionParser, parse: Parse, api_server: ApiServer
    ) -> None:
        buffer = io.BytesIO()
        np.save(buffer, np.full((20, 30, 3), (255, 0, 0), np.uint8))
        (document,) = parse(parser, [Blob.from_data(buffer.getvalue(), mime_type="application/x-npy")])
        assert (document.metadata["width"], document.metadata["height"]) == (30, 20)
        assert document.metadata["mime_type"] is None
        red, _, blue = (int(api_server.requests[0].images[0].mean[at : at + 2], 16) for at in (1, 3, 5))
        assert red > blue


class LettersInCommon(Embeddings):
    """An embedding that a test can compute: how often each word of a small vocabulary occurs."""

    words = ("invoice", "receipt", "coffee", "sign", "parking", "total", "chart")

    def embed_query(self, text: str) -> list[float]:
        return [float(text.lower().count(word)) + 0.01 for word in self.words]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return list(map(self.embed_query, texts))


@pytest.mark.engine("rapidocr")
def test_captions_are_found_in_a_vector_store_and_lead_back_to_their_images(
    llm_for: Make, llm: ChatFireLLaVA, api_server: ApiServer
) -> None:
    reader = ImageCaptionParser(llm_for(backend=OfflineReader(), api_key=None, base_url=None))
    paths = [IMAGES / name for name in ("invoice.png", "receipt.jpg", "sign.jpg")]
    store = InMemoryVectorStore(LettersInCommon())
    store.add_documents(ImageCaptionLoader(map(Blob.from_path, paths), reader).load())
    found = store.similarity_search("Where may I find parking?", k=1)
    assert [Path(document.metadata["source"]).name for document in found] == ["sign.jpg"]
    llm.invoke([documents_to_message("Until when?", found)])
    (image,) = api_server.requests[-1].images
    assert image.size == (336, 336)
