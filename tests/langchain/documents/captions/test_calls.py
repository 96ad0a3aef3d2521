"""The calls behind captions: the model's settings hold, LangChain sees them, caches save them."""

import asyncio
import io
import pickle
from decimal import Decimal
from pathlib import Path

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.document_loaders import BaseBlobParser
from langchain_core.documents import Document
from langchain_core.documents.base import Blob
from langchain_core.runnables import RunnableLambda
from PIL import Image

from firellava import Ledger, OfflineReader, track_cost
from firellava.captions import DiskCaptionCache, MemoryCaptionCache
from firellava.errors import ConfigurationError
from langchain_firellava import ChatFireLLaVA, FireLLaVACostHandler, get_firellava_callback
from langchain_firellava.documents import ImageCaptionParser
from tests.api_server import ApiServer, Fault
from tests.langchain.documents.captions.blobs import Make, Parse, blob

IMAGES = Path(__file__).parents[4] / "cookbook" / "images"


class TestTheModelsSettings:
    def test_are_those_of_each_call(self, llm_for: Make, api_server: ApiServer, parse: Parse) -> None:
        parse(ImageCaptionParser(llm_for(temperature=0, max_tokens=50), prompt="Which bird?"), [blob()])
        sent = api_server.requests[0].json
        assert (sent["temperature"], sent["max_tokens"]) == (0, 50)
        assert {"type": "text", "text": "Which bird?"} in sent["messages"][0]["content"]

    def test_say_what_of_the_metadata_is_told(
        self, llm_for: Make, api_server: ApiServer, parse: Parse
    ) -> None:
        buffer, exif = io.BytesIO(), Image.Exif()
        exif[0x0132] = "2026:11:23 12:00:00"
        Image.new("RGB", (30, 20)).save(buffer, "JPEG", exif=exif)
        parser = ImageCaptionParser(llm_for(describe_metadata=["DateTime"]))
        parse(parser, [Blob.from_data(buffer.getvalue())])
        assert "2026:11:23 12:00:00" in str(api_server.requests[0].json["messages"])

    def test_tell_its_hooks(self, llm_for: Make, parse: Parse) -> None:
        ledger = Ledger()
        parse(ImageCaptionParser(llm_for(hooks=[ledger])), [*map(blob, range(3))])
        assert ledger.totals.calls == 3

    @pytest.mark.engine("rapidocr")
    def test_say_who_answers_when_the_api_cannot(
        self, llm_for: Make, api_server: ApiServer, parse: Parse
    ) -> None:
        api_server.fail_next(Fault(status=500), times=9)
        llm = llm_for(fallback=OfflineReader(), max_retries=0)
        cache = MemoryCaptionCache()
        (document,) = parse(ImageCaptionParser(llm, cache=cache), [Blob.from_path(IMAGES / "receipt.jpg")])
        assert document.metadata["degraded"]
        assert document.metadata["backend"] == "offline-reader"
        assert "TOTAL" in document.page_content.upper()
        assert len(cache) == 0


class TestLangChainSees:
    def test_each_call_once_whoever_listens(self, llm_for: Make, parse: Parse) -> None:
        own = FireLLaVACostHandler()
        parser = ImageCaptionParser(llm_for(callbacks=[own]))
        with get_usage_metadata_callback() as usage, get_firellava_callback() as cost, track_cost() as ledger:
            made = parse(parser, [*map(blob, range(4))])
        total = sum(Decimal(document.metadata["cost_usd"]) for document in made)
        assert own.total_cost == cost.total_cost == ledger.totals.cost_usd == total
        assert own.successful_requests == cost.successful_requests == ledger.totals.calls == 4
        (counted,) = usage.usage_metadata.values()
        assert counted["total_tokens"] == sum(document.metadata["total_tokens"] for document in made)

    def test_the_calls_of_a_parser_inside_a_chain(self, parser: ImageCaptionParser) -> None:
        usage = UsageMetadataCallbackHandler()
        chain = RunnableLambda(parser.parse)
        assert chain.invoke(blob(), {"callbacks": [usage]})
        assert len(usage.usage_metadata) == 1

    async def test_those_of_an_asynchronous_chain(self, parser: ImageCaptionParser) -> None:
        usage = UsageMetadataCallbackHandler()

        async def describe(given: Blob) -> list[Document]:
            return await parser.aparse(given)

        assert await RunnableLambda(describe).ainvoke(blob(), {"callbacks": [usage]})
        assert len(usage.usage_metadata) == 1

    def test_answers_of_its_own_cache_which_cost_nothing(
        self, llm_for: Make, api_server: ApiServer, parse: Parse
    ) -> None:
        parser = ImageCaptionParser(llm_for(cache=InMemoryCache()))
        (first,), (second,) = parse(parser, [blob()]), parse(parser, [blob()])
        assert len(api_server.requests) == 1
        assert second.page_content == first.page_content
        assert (first.metadata["cost_usd"], second.metadata["cost_usd"]) == ("0.0001434", "0")


class TestACache:
    def test_makes_one_new_image_one_call(
        self, llm: ChatFireLLaVA, api_server: ApiServer, parse: Parse, tmp_path: Path
    ) -> None:
        for count in (20, 21):
            cache = DiskCaptionCache(tmp_path / "captions.db")
            made = parse(ImageCaptionParser(llm, cache=cache), [*map(blob, range(count))])
        assert len(api_server.requests) == 21
        assert [document.metadata["from_cache"] for document in made] == [True] * 20 + [False]

    def test_knows_the_models_settings(self, llm_for: Make, api_server: ApiServer, parse: Parse) -> None:
        cache = MemoryCaptionCache()
        for temperature in (0, 1, 0):
            parse(ImageCaptionParser(llm_for(temperature=temperature), cache=cache), [blob()])
        assert len(api_server.requests) == 2

    def test_is_not_needed_for_images_that_come_again(
        self, parser: ImageCaptionParser, api_server: ApiServer, parse: Parse
    ) -> None:
        made = parse(parser, [blob(1), blob(2), blob(1)])
        assert len(api_server.requests) == 2
        assert [document.metadata["source"] for document in made] == ["1.png", "2.png", "1.png"]


def test_it_is_a_parser_like_any_other(parser: ImageCaptionParser) -> None:
    assert isinstance(parser, BaseBlobParser)
    assert [document.metadata["source"] for document in parser.parse(blob(3))] == ["3.png"]
    assert asyncio.run(parser.aparse(blob(3))) == parser.parse(blob(3))


def test_it_prints_and_pickles_without_its_key(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    parser = ImageCaptionParser(llm, cache=MemoryCaptionCache())
    assert api_server.key not in repr(parser)
    assert api_server.key.encode() not in pickle.dumps(parser)


def test_a_pickled_copy_works_alike_where_its_key_is_in_the_environment(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    cache = DiskCaptionCache(tmp_path / "captions.db")
    parser = ImageCaptionParser(ChatFireLLaVA(base_url=api_server.base_url), cache=cache, prompt="Which?")
    copy = pickle.loads(pickle.dumps(parser))  # noqa: S301 - written a moment ago
    (document,) = copy.parse(blob())
    assert document.page_content.startswith("question: Which?")
    assert parser.parse(blob())[0].metadata["from_cache"]


def test_without_its_key_a_copy_refuses_to_work(llm_for: Make, api_server: ApiServer) -> None:
    parser = ImageCaptionParser(llm_for(fallback=OfflineReader()))
    copy = pickle.loads(pickle.dumps(parser))  # noqa: S301 - written a moment ago
    with pytest.raises(ConfigurationError, match="stayed behind"):
        copy.parse(blob())
    assert not api_server.requests
