"""Caches of captions: what they give back, who may share one, and when a caption is found again."""

import logging
import multiprocessing
import pickle
import string
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava import OfflineReader, Usage, VisionClient, model_card
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.captions import Caption, CaptionCache, Captioner, DiskCaptionCache, MemoryCaptionCache
from firellava.errors import ConfigurationError
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.core.captions.pictures import Describe, picture, source
from tests.core.images import documents

Make = Callable[..., VisionClient]
RECEIPT = Path(__file__).parents[3] / "cookbook" / "images" / "receipt.jpg"

CAPTION = Caption(
    text="A heron.",
    content_hash="sha256-" + 64 * "0",
    mime_type="image/jpeg",
    size=(640, 480),
    page=1,
    usage=Usage(600, 20, 620, image_tokens=576),
    cost_usd=Decimal("0.000124"),
    model="accounts/fireworks/models/firellava-13b",
    backend="fireworks:firellava-13b",
    degraded=False,
)

counts = st.none() | st.integers(0, 10**9)
captions = st.builds(
    Caption,
    text=st.text(st.characters(codec="utf-8")),
    content_hash=st.text(string.hexdigits, min_size=1),
    mime_type=st.none() | st.just("image/png"),
    size=st.tuples(st.integers(1, 10**5), st.integers(1, 10**5)),
    page=st.integers(1, 10_000),
    usage=st.none() | st.builds(Usage, *[st.integers(0, 10**9)] * 3, counts, counts, counts),
    cost_usd=st.none() | st.decimals(0, 1000, allow_nan=False),
    from_cache=st.booleans(),
)


@pytest.fixture(params=[lambda path: MemoryCaptionCache(), DiskCaptionCache], ids=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> CaptionCache:
    made: CaptionCache = request.param(tmp_path / "captions.db")
    return made


@given(caption=captions)
def test_a_caption_survives_as_plain_values(caption: Caption) -> None:
    stored = orjson.loads(orjson.dumps(caption.as_dict()))
    assert Caption.from_dict(stored) == caption


@pytest.mark.parametrize("stored", [{}, {"text": "A heron."}, CAPTION.as_dict() | {"size": "large"}])
def test_something_else_is_not_taken_for_a_caption(stored: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="stored as a caption is none"):
        Caption.from_dict(stored)


def test_a_cache_gives_back_what_it_was_given_last(cache: CaptionCache) -> None:
    assert cache.get("a") is None
    cache.put("a", CAPTION)
    cache.put("b", replace(CAPTION, text="Two herons."))
    assert cache.get("a") == CAPTION
    cache.put("a", replace(CAPTION, text="An egret."))
    assert cache.get("a") == replace(CAPTION, text="An egret.")
    assert cache.get("b") == replace(CAPTION, text="Two herons.")


def test_a_cache_is_shared_by_threads(cache: CaptionCache) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: cache.put(str(number % 7), CAPTION), range(70)))
        found = list(threads.map(lambda number: cache.get(str(number)), range(8)))
    assert found == [CAPTION] * 7 + [None]


def test_the_memory_keeps_the_captions_used_last() -> None:
    cache = MemoryCaptionCache(2)
    for key in ("a", "b"):
        cache.put(key, CAPTION)
    cache.get("a")
    cache.put("c", CAPTION)
    assert [cache.get(key) is not None for key in "abc"] == [True, False, True]


def test_a_pickled_memory_is_a_copy() -> None:
    cache = MemoryCaptionCache()
    cache.put("a", CAPTION)
    copy = pickle.loads(pickle.dumps(cache))  # noqa: S301 - written a moment ago
    copy.put("b", CAPTION)
    assert (copy.get("a"), len(copy), len(cache)) == (CAPTION, 2, 1)


def test_a_pickled_cache_on_the_disk_is_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cache = DiskCaptionCache("captions.db")
    pickled = pickle.dumps(cache)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    pickle.loads(pickled).put("a", CAPTION)  # noqa: S301 - as above
    assert cache.get("a") == CAPTION


def _put_twenty(cache: DiskCaptionCache, first: int) -> None:
    for number in range(first, first + 20):
        cache.put(str(number), CAPTION)


def test_processes_share_a_cache_on_the_disk(tmp_path: Path) -> None:
    cache = DiskCaptionCache(tmp_path / "new" / "captions.db")
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as processes:
        list(processes.map(_put_twenty, [cache] * 3, [0, 10, 20]))
    assert len(cache) == 40


def test_a_file_that_is_none_is_refused_when_the_cache_is_made(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database at all, just some notes")
    for path in (tmp_path / "notes.txt", tmp_path, tmp_path / "notes.txt" / "captions.db"):
        with pytest.raises(ConfigurationError, match=r"caption cache .* cannot be"):
            DiskCaptionCache(path)


class TestACaption:
    def test_is_found_again_by_another_run_and_another_program(
        self, client_for: Make, api_server: ApiServer, describe: Describe, tmp_path: Path
    ) -> None:
        for _ in range(2):
            cache = DiskCaptionCache(tmp_path / "captions.db")
            results = describe(Captioner(client_for(), cache=cache), map(picture, range(3)))
        assert len(api_server.requests) == 3
        first = Captioner(client_for()).caption(picture(0))
        assert results[0] == replace(first, from_cache=True)

    def test_of_one_new_image_is_one_call(
        self, captioner: Captioner, api_server: ApiServer, describe: Describe, cache: CaptionCache
    ) -> None:
        captioner = replace(captioner, cache=cache)
        describe(captioner, map(picture, range(20)))
        describe(captioner, map(picture, range(21)))
        assert len(api_server.requests) == 21

    @pytest.mark.parametrize(
        ("of_captioner", "of_client"),
        [
            ({"prompt": "Which bird is it?"}, {}),
            ({"parameters": {"temperature": 0.5}}, {}),
            ({"parameters": {"fit": "none"}}, {}),
            ({}, {"model": QWEN_MAX}),
            ({}, {"fit": "contain"}),
            ({}, {"card": model_card("firellava-13b").model_copy(update={"name": "my own"})}),
            ({}, {"describe_metadata": ["DateTime"]}),
            ({}, {"limits": "off"}),
        ],
    )
    def test_is_not_found_by_who_would_ask_otherwise(
        self,
        client_for: Make,
        api_server: ApiServer,
        cache: CaptionCache,
        of_captioner: dict[str, Any],
        of_client: dict[str, Any],
    ) -> None:
        Captioner(client_for(), cache=cache).caption(picture(1))
        assert (
            not Captioner(client_for(**of_client), cache=cache, **of_captioner).caption(picture(1)).from_cache
        )
        assert len(api_server.requests) == 2

    @pytest.mark.parametrize(
        "changed",
        [
            {"timeout": 5, "deadline": 60, "max_retries": 7},
            {"prices": {"input": 1, "output": 2}},
            {"hooks": [print]},
            {"fallback": OfflineReader()},
        ],
        ids=str,
    )
    def test_is_found_by_who_would_ask_the_same(
        self, client_for: Make, cache: CaptionCache, changed: dict[str, Any]
    ) -> None:
        Captioner(client_for(), cache=cache).caption(picture(1))
        assert Captioner(client_for(**changed), cache=cache).caption(picture(1)).from_cache

    def test_is_found_after_pickling_took_the_key_away(self, client: VisionClient) -> None:
        copy = pickle.loads(pickle.dumps(client.backend))  # noqa: S301 - as above
        assert VisionClient(backend=copy).answers_depend_on == client.answers_depend_on

    def test_is_of_its_page_and_part(self, captioner: Captioner, cache: CaptionCache) -> None:
        captioner, whole = replace(captioner, cache=cache), source(1)
        captioner.caption(whole)
        assert captioner.caption(whole).from_cache
        assert not captioner.caption(whole.cropped(0, 0, 0.5, 1)).from_cache

    @pytest.mark.engine("pdf")
    def test_of_another_page_is_another(self, captioner: Captioner, cache: CaptionCache) -> None:
        captioner = replace(captioner, cache=cache)
        data = documents.pages(documents.COLOURED, documents.COLOURED)
        pages = [*captioner.captions(source(0).pages(data)), *captioner.captions(source(0).pages(data))]
        assert [page.from_cache for page in pages if isinstance(page, Caption)] == [False, False, True, True]

    @pytest.mark.engine("rapidocr")
    def test_of_the_offline_reader_is_kept_only_where_that_is_wanted(
        self, client_for: Make, api_server: ApiServer, describe: Describe, cache: CaptionCache
    ) -> None:
        settings: dict[str, Any] = {"fallback": OfflineReader(), "max_retries": 0}
        for keep, expected in [(False, False), (True, False), (True, True), (False, False)]:
            api_server.fail_next(Fault(status=500))
            captioner = Captioner(client_for(**settings), cache=cache, keep_degraded=keep)
            (caption,) = describe(captioner, [RECEIPT])
            assert isinstance(caption, Caption)
            assert (caption.degraded, caption.from_cache) == (True, expected)
            api_server.clear()

    def test_of_a_fallback_is_of_those_who_would_ask_it(
        self, client_for: Make, api_server: ApiServer, local: OpenAICompatibleBackend, cache: CaptionCache
    ) -> None:
        api_server.fail_next(Fault(status=500))
        assert Captioner(client_for(fallback=local), cache=cache).caption(picture(1)).backend == local.label
        assert Captioner(client_for(fallback=local), cache=cache).caption(picture(1)).from_cache
        assert Captioner(client_for(fallback="auto"), cache=cache).caption(picture(1)).from_cache
        assert not Captioner(client_for(), cache=cache).caption(picture(1)).from_cache


class Broken(MemoryCaptionCache):
    """A cache whose disk is full, or whose server is gone."""

    def __init__(self, *, at: str) -> None:
        super().__init__()
        self._at = at

    def get(self, key: str, /) -> Caption | None:
        if self._at == "get":
            raise OSError("key=secret")
        return super().get(key)

    def put(self, key: str, caption: Caption, /) -> None:
        if self._at == "put":
            raise OSError("key=secret")


def test_a_cache_that_cannot_be_read_ends_the_run_before_anything_is_paid_again(
    captioner: Captioner, api_server: ApiServer, describe: Describe
) -> None:
    with pytest.raises(OSError, match="key=secret"):
        describe(replace(captioner, cache=Broken(at="get")), map(picture, range(9)))
    assert not api_server.requests


def test_a_cache_that_cannot_be_written_loses_no_caption(
    captioner: Captioner, describe: Describe, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="firellava"):
        (caption,) = describe(replace(captioner, cache=Broken(at="put")), [picture(1)])
    assert isinstance(caption, Caption)
    assert caplog.messages == ["A caption could not be kept. OSError"]


def test_a_cache_file_that_became_unreadable_says_which(
    captioner: Captioner, tmp_path: Path, describe: Describe
) -> None:
    cache = DiskCaptionCache(tmp_path / "captions.db")
    cache.path.write_bytes(b"something else now" * 100)
    with pytest.raises(ConfigurationError, match=r"captions\.db cannot be used"):
        describe(replace(captioner, cache=cache), [picture(1)])
