"""Captions of many images: what becomes of the run when one of them, or everything, goes wrong."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firellava import Budget, ImageSource, OfflineReader, VisionClient, track_cost
from firellava.captions import Caption, Captioner, CaptionFailed, MemoryCaptionCache
from firellava.captions.run import concerns_every_image
from firellava.errors import (
    AllBackendsFailed,
    AuthenticationFailed,
    BudgetExceeded,
    ConfigurationError,
    FireLLaVAError,
    ImageError,
    MissingExtra,
    MissingKey,
    ModelNotFound,
    RateLimited,
    ServerFailed,
    UnreadableImage,
    UnsupportedFormat,
)
from firellava.replies import Attempt
from tests.api_server import ApiServer, Fault
from tests.core.captions.pictures import Describe, picture, source, wait_for_threads

Make = Callable[..., VisionClient]
SLOW = Fault(delay=0.3)


def failures(results: list[Caption | CaptionFailed]) -> list[type[FireLLaVAError] | None]:
    return [type(result.error) if isinstance(result, CaptionFailed) else None for result in results]


def test_captions_come_in_the_order_of_the_images(
    captioner: Captioner, api_server: ApiServer, describe: Describe
) -> None:
    api_server.fail_next(SLOW, Fault(), Fault(delay=0.1), Fault())
    results = describe(captioner, [picture(number) for number in range(8)], concurrency=4)
    assert [result.content_hash for result in results if isinstance(result, Caption)] == [
        f"sha256-{source(number).sha256}" for number in range(8)
    ]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (b"no image", UnsupportedFormat),
        (b"", UnreadableImage),
        (Path("missing.png"), UnreadableImage),
        (picture(3)[:-40], UnreadableImage),
        (42, UnreadableImage),
    ],
)
def test_a_bad_image_is_reported_in_its_place_and_the_rest_go_on(
    captioner: Captioner, api_server: ApiServer, describe: Describe, bad: Any, error: type[ImageError]
) -> None:
    results = describe(captioner, [picture(1), bad, picture(2)])
    assert failures(results) == [None, error, None]
    assert isinstance(results[1], CaptionFailed)
    assert results[1].source is bad
    assert len(api_server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=400, message="this image is not to our taste"), "BadRequest"),
        (Fault(status=500), "ServerFailed"),
        (Fault(cut_after=20), "ConnectionFailed"),
        (Fault(body=b"{"), "UnreadableReply"),
    ],
)
def test_what_befalls_one_call_concerns_one_image(
    client_for: Make, api_server: ApiServer, describe: Describe, fault: Fault, error: str
) -> None:
    api_server.fail_next(Fault(), fault)
    results = describe(Captioner(client_for(max_retries=0)), map(picture, range(4)), concurrency=1)
    told = [failure and failure.__name__ for failure in failures(results)]
    assert told == [None, error, None, None]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=401), AuthenticationFailed),
        (Fault(status=404), ModelNotFound),
    ],
)
def test_what_would_befall_every_image_ends_the_run(
    captioner: Captioner,
    api_server: ApiServer,
    describe: Describe,
    fault: Fault,
    error: type[FireLLaVAError],
) -> None:
    api_server.fail_next(fault, times=100)
    with pytest.raises(error):
        describe(captioner, map(picture, range(100)), concurrency=2)
    wait_for_threads()
    assert len(api_server.requests) <= 4


def test_a_missing_key_ends_the_run_before_anything_is_sent(
    api_server: ApiServer, describe: Describe
) -> None:
    with pytest.raises(MissingKey):
        describe(Captioner(VisionClient(base_url=api_server.base_url)), map(picture, range(100)))
    assert not api_server.requests


def test_a_spent_budget_ends_the_run_and_what_was_paid_is_kept(
    client_for: Make, api_server: ApiServer, describe: Describe
) -> None:
    cache = MemoryCaptionCache()
    captioner = Captioner(client_for(budget=Budget(calls=5)), cache=cache)
    with pytest.raises(BudgetExceeded):
        describe(captioner, map(picture, range(100)), concurrency=3)
    wait_for_threads()
    assert len(api_server.requests) == len(cache) == 5
    results = describe(Captioner(client_for(), cache=cache), map(picture, range(7)))
    assert not any(failures(results))
    assert len(api_server.requests) == 7


def failed(*errors: FireLLaVAError) -> AllBackendsFailed:
    attempts = [Attempt("any", 0.1, error, turn) for turn, error in enumerate(errors)]
    return AllBackendsFailed("No backend answered.", attempts)


@pytest.mark.parametrize(
    ("error", "of_all"),
    [
        (MissingExtra("ocr", "The offline reader"), True),
        (ConfigurationError("wrong"), True),
        (RateLimited("too fast", status=429), False),
        (failed(ModelNotFound("gone", status=404), MissingExtra("ocr", "The offline reader")), True),
        (failed(ServerFailed("down", status=500), MissingExtra("ocr", "The offline reader")), False),
    ],
)
def test_every_backend_must_be_past_hope_for_a_run_to_end(error: FireLLaVAError, of_all: bool) -> None:  # noqa: FBT001 - a case of the table
    assert concerns_every_image(error) is of_all


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(0, 5), max_size=12), concurrency=st.integers(1, 4))
def test_the_same_image_is_asked_about_once(
    captioner: Captioner, api_server: ApiServer, describe: Describe, numbers: list[int], concurrency: int
) -> None:
    api_server.clear()
    results = describe(captioner, map(picture, numbers), concurrency=concurrency)
    assert len(api_server.requests) == len(set(numbers))
    captions = [result for result in results if isinstance(result, Caption)]
    assert [caption.content_hash for caption in captions] == [
        f"sha256-{source(number).sha256}" for number in numbers
    ]
    asked = [caption for caption in captions if not caption.from_cache]
    assert len(asked) == len(set(numbers))


def test_an_image_whose_first_call_failed_is_asked_about_again(
    client_for: Make, api_server: ApiServer, describe: Describe
) -> None:
    api_server.fail_next(Fault(status=500, delay=0.2))
    results = describe(Captioner(client_for(max_retries=0)), [picture(1)] * 3, concurrency=3)
    assert sum(isinstance(result, Caption) for result in results) == 2
    assert len(api_server.requests) == 2


def test_images_are_taken_when_there_is_room_for_them(captioner: Captioner) -> None:
    taken: list[int] = []

    def sources() -> Iterator[ImageSource]:
        for number in range(1000):
            taken.append(number)
            yield source(number)

    with closing(captioner.captions(sources(), concurrency=2)) as captions:
        next(captions)
        assert len(taken) <= 1 + 4 * 2
    wait_for_threads()


def test_leaving_early_asks_nothing_more_and_keeps_what_is_on_its_way(
    client: VisionClient, api_server: ApiServer
) -> None:
    api_server.fail_next(Fault(), *[SLOW] * 100)
    cache, taken = MemoryCaptionCache(), []

    def sources() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield picture(number)

    with closing(Captioner(client, cache=cache).captions(sources(), concurrency=3)) as captions:
        next(captions)
        while len(api_server.requests) < 3:
            time.sleep(0.01)
    begun = len(taken)
    wait_for_threads()
    assert len(taken) == begun
    assert 3 <= len(api_server.requests) == len(cache) <= begun


def test_leaving_early_asks_nothing_for_an_image_that_was_just_being_read(
    client: VisionClient, api_server: ApiServer
) -> None:
    looking_up, left = threading.Event(), threading.Event()

    class Slow(MemoryCaptionCache):
        def get(self, key: str, /) -> Caption | None:
            if len(self):  # all but the first
                looking_up.set()
                assert left.wait(10)
            return super().get(key)

    with closing(Captioner(client, cache=Slow()).captions(map(picture, range(9)), concurrency=1)) as captions:
        next(captions)
        assert looking_up.wait(10)
    left.set()
    wait_for_threads()
    assert len(api_server.requests) == 1


async def test_leaving_early_closes_the_open_calls(captioner: Captioner, api_server: ApiServer) -> None:
    api_server.fail_next(Fault(), *[Fault(delay=60)] * 100)

    async def arrived(count: int) -> None:
        while len(api_server.requests) < count:  # noqa: ASYNC110 - the server is on another thread
            await asyncio.sleep(0.01)

    async def sources() -> AsyncIterator[bytes]:
        yield picture(0)
        await arrived(1)  # the one that is answered
        for number in range(1, 100):
            yield picture(number)

    with track_cost() as ledger:
        async with aclosing(captioner.acaptions(sources(), concurrency=3)) as captions:
            await anext(captions)
            await arrived(3)
    assert [entry.outcome for entry in ledger.entries][:3] == ["answered", "abandoned", "abandoned"]
    assert len(api_server.requests) <= 4


@pytest.fixture
def _listening_to_ctrl_c() -> Iterator[None]:
    """Who starts the tests in the background of a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_listening_to_ctrl_c")
def test_ctrl_c_is_raised_at_once_and_nothing_more_is_asked(
    captioner: Captioner, api_server: ApiServer
) -> None:
    api_server.fail_next(SLOW, times=100)
    main, taken = threading.main_thread().ident, []
    assert main is not None

    def sources() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield picture(number)

    def interrupt() -> None:
        while len(api_server.requests) < 2:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        list(captioner.captions(sources(), concurrency=2))
    interrupting.join()
    begun = len(taken)
    wait_for_threads()
    assert len(taken) == begun < 100
    assert len(api_server.requests) <= begun


def test_the_calls_belong_to_the_block_in_which_they_were_asked_for(
    captioner: Captioner, describe: Describe
) -> None:
    with track_cost("captions") as ledger:
        results = describe(captioner, map(picture, range(5)))
    costs = [result.cost_usd for result in results if isinstance(result, Caption)]
    assert ledger.totals.cost_usd == sum(cost or Decimal(0) for cost in costs)
    assert ledger.by("tag")["captions"].calls == 5


def test_a_failure_shows_no_bytes(captioner: Captioner, describe: Describe) -> None:
    (result,) = describe(captioner, [b"secret picture"])
    assert "secret" not in repr(result)
    assert "UnsupportedFormat" in repr(result)


@pytest.mark.engine("rapidocr")
def test_when_the_api_is_down_what_can_be_read_is_told_and_the_rest_reported(
    client_for: Make, api_server: ApiServer, describe: Describe
) -> None:
    receipt = Path(__file__).parents[3] / "cookbook" / "images" / "receipt.jpg"
    api_server.fail_next(Fault(status=500), times=10)
    captioner = Captioner(client_for(fallback=OfflineReader(), max_retries=0))
    read, unread = describe(captioner, [receipt, picture(1)], concurrency=1)
    assert isinstance(read, Caption)
    assert read.degraded
    assert isinstance(unread, CaptionFailed)
    assert isinstance(unread.error, ServerFailed)


@pytest.mark.engine("rapidocr")
def test_without_a_key_an_image_in_which_nothing_can_be_read_is_to_blame_itself(describe: Describe) -> None:
    captioner = Captioner(VisionClient(fallback=OfflineReader()))
    (unread,) = describe(captioner, [picture(1)])
    assert isinstance(unread, CaptionFailed)
    assert "found nothing to tell" in str(unread.error)
