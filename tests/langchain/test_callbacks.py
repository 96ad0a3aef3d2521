"""What `FireLLaVACostHandler` and `get_firellava_callback` count, against the API server's own count."""

import asyncio
import contextvars
import gc
import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from pydantic import SecretStr

from firellava import OfflineReader
from firellava.costs.ledger import Ledger
from firellava.costs.tracking import track_cost
from firellava.errors import AllBackendsFailed, InvalidRequest, RateLimited, ServerFailed, StreamBroken
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from langchain_firellava.callbacks import FireLLaVACostHandler, get_firellava_callback
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

RED = encoded("PNG", (336, 336), "#ff0000")
FOREIGN_USAGE = UsageMetadata(input_tokens=7, output_tokens=5, total_tokens=12)
FOREIGN_METADATA = {"model_name": "foreign-1", "model_provider": "elsewhere"}
PRICE = Decimal("0.20") / 1_000_000


def question(text: str = "What is this?") -> list[BaseMessage]:
    return [HumanMessage([{"type": "text", "text": text}, image_block(RED)])]


def asked(_: str) -> list[BaseMessage]:
    return question()


ASKING = RunnableLambda(asked)


@pytest.fixture
def truth(llm: ChatFireLLaVA) -> Any:
    """The usage of one question, as the server states it."""
    usage = llm.invoke(question()).usage_metadata
    assert usage is not None
    return usage


async def ask(llm: Runnable[Any, Any], way: str, times: int = 1) -> None:
    """Ask the question so many times in this way."""
    if way in ("batch", "abatch"):
        questions, config = [question()] * times, RunnableConfig(max_concurrency=8)
        _ = llm.batch(questions, config) if way == "batch" else await llm.abatch(questions, config)
        return
    for _ in range(times):
        match way:
            case "invoke":
                llm.invoke(question())
            case "ainvoke":
                await llm.ainvoke(question())
            case "stream":
                list(llm.stream(question()))
            case "astream":
                assert [chunk async for chunk in llm.astream(question())]


WAYS = ("invoke", "ainvoke", "stream", "astream", "batch", "abatch")


class TestTokensAndDollars:
    @pytest.mark.parametrize("placement", list(UsagePlacement))
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("version", ["v0", "v1"])
    async def test_are_those_of_the_server_in_every_way_of_asking(
        self,
        llm_for: Make,
        api_server: ApiServer,
        truth: Any,
        placement: UsagePlacement,
        way: str,
        version: str,
    ) -> None:
        api_server.usage = placement
        llm = llm_for(output_version=version)
        with get_firellava_callback() as cost, get_usage_metadata_callback() as core:
            await ask(llm, way, times=3)
        assert (cost.successful_requests, cost.failed_requests, cost.cached_requests) == (3, 0, 0)
        if placement is UsagePlacement.NEVER:
            assert cost.total_tokens == 0
            assert cost.unpriced_requests == cost.ledger.totals.uncounted == 3
            return
        assert cost.total_tokens == sum(each.prompt + each.completion for each in api_server.billed[1:])
        assert cost.prompt_tokens == 3 * truth["input_tokens"]
        assert cost.completion_tokens == 3 * truth["output_tokens"]
        assert cost.total_tokens == 3 * truth["total_tokens"]
        assert cost.prompt_image_tokens == 3 * 576
        assert cost.total_cost == 3 * truth["total_tokens"] * PRICE
        assert cost.unpriced_requests == 0
        assert core.usage_metadata[FIRELLAVA_13B]["total_tokens"] == cost.total_tokens

    def test_agree_with_the_cores_handler_in_every_count(self, llm_for: Make) -> None:
        firellava, qwen = llm_for(), llm_for(model=QWEN_MAX)
        with get_firellava_callback() as cost, get_usage_metadata_callback() as core:
            firellava.batch([question()] * 5)
            qwen.invoke("Hello", reasoning_effort="low", prompt_cache_key="k")
            list(qwen.stream("Hello"))
        for model, counted in core.usage_metadata.items():
            ours, details = cost.by_model[model], counted["input_token_details"]
            assert ours.prompt_tokens == counted["input_tokens"]
            assert ours.completion_tokens == counted["output_tokens"]
            assert ours.total_tokens == counted["total_tokens"]
            assert ours.image_tokens == dict(details).get("image", 0)
            assert ours.cached_tokens == details["cache_read"]
            assert ours.reasoning_tokens == counted.get("output_token_details", {}).get("reasoning", 0)
        assert set(cost.by_model) == set(core.usage_metadata) == {FIRELLAVA_13B, QWEN_MAX}
        assert set(cost.by_backend) == {"fireworks:firellava-13b", "fireworks:qwen3p8-max"}
        assert cost.reasoning_tokens > 0
        assert cost.prompt_cached_tokens > 0

    @pytest.mark.parametrize("way", WAYS)
    async def test_agree_with_the_cores_ledger(self, llm: ChatFireLLaVA, way: str) -> None:
        with get_firellava_callback() as cost, track_cost() as ledger:
            await ask(llm, way, times=4)
        assert cost.ledger.totals == ledger.totals

    def test_of_several_answers_to_one_request_count_once(self, llm_for: Make) -> None:
        with get_firellava_callback() as cost, track_cost() as ledger:
            llm_for(n=3).generate([question()])
        assert cost.successful_requests == 1
        assert cost.ledger.totals == ledger.totals

    async def test_of_completions_count_too(self, completions: FireLLaVACompletions) -> None:
        prompt = "USER:\n<image>\nWhat is this?\n\nASSISTANT:"
        with get_firellava_callback() as cost, track_cost() as ledger:
            completions.batch([prompt] * 3, images=[RED])
            await completions.ainvoke(prompt, images=[RED])
            list(completions.stream(prompt, images=[RED]))
            assert [chunk async for chunk in completions.astream(prompt, images=[RED])]
        assert cost.successful_requests == 6
        assert cost.prompt_image_tokens == 6 * 576
        assert cost.ledger.totals == ledger.totals
        assert {entry.operation for entry in cost.ledger.entries} == {"completion"}

    @pytest.mark.filterwarnings("ignore:.*in beta")
    def test_are_read_from_events_of_the_third_version_too(self, llm: ChatFireLLaVA, truth: Any) -> None:
        with get_firellava_callback() as cost:
            assert llm.stream_events(question(), version="v3").output.usage_metadata == truth
        assert (cost.successful_requests, cost.total_tokens) == (1, truth["total_tokens"])
        assert cost.total_cost == truth["total_tokens"] * PRICE


class TestEachRequestCountsOnce:
    async def test_however_often_the_handler_was_given(self, llm_for: Make, truth: Any) -> None:
        with get_firellava_callback() as cost:
            llm = llm_for(callbacks=[cost])
            config: Any = {"callbacks": [cost, cost]}
            llm.invoke(question(), config)
            await llm.ainvoke(question(), config)
            list(llm.stream(question(), config))
            (ASKING | llm).batch(["", ""], config)
        assert cost.successful_requests == 5
        assert cost.total_tokens == 5 * truth["total_tokens"]

    def test_in_each_block_it_was_asked_in(self, llm: ChatFireLLaVA) -> None:
        def asking_in_a_block(text: str) -> AIMessage:
            with get_firellava_callback() as inner:
                answer = llm.invoke(text)
            assert inner.successful_requests == 1
            return answer

        with get_firellava_callback() as outer:
            llm.invoke("Hello")
            with get_firellava_callback() as inner:
                llm.batch(["Hello"] * 2, {"callbacks": [outer]})
            RunnableLambda(asking_in_a_block).batch(["Hello"] * 4)
            llm.invoke("Hello")
        llm.invoke("Hello")
        assert inner.successful_requests == 2
        assert outer.successful_requests == 8

    def test_at_any_concurrency(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        with get_firellava_callback() as cost:
            llm.batch(["Hello"] * 100, {"max_concurrency": 16})
        assert cost.successful_requests == len(api_server.requests) == 100
        assert cost.ledger.totals.calls == 100

    def test_in_threads_that_share_a_handler_and_no_context(self, llm: ChatFireLLaVA) -> None:
        cost = FireLLaVACostHandler()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: llm.invoke("Hello", {"callbacks": [cost]}), range(40)))
        assert cost.successful_requests == 40

    async def test_in_tasks_that_run_side_by_side(self, llm: ChatFireLLaVA) -> None:
        async def counted(times: int) -> int:
            with get_firellava_callback() as cost:
                for _ in range(times):
                    await llm.ainvoke("Hello")
            return cost.successful_requests

        assert list(await asyncio.gather(counted(1), counted(2), counted(3))) == [1, 2, 3]

    def test_when_a_stream_ends_after_its_block(self, llm: ChatFireLLaVA) -> None:
        with get_firellava_callback() as cost:
            stream = llm.stream("Hello")
            next(stream)
        list(stream)
        assert cost.successful_requests == 1

    def test_when_a_block_inside_a_generator_ends_elsewhere(self, llm: ChatFireLLaVA) -> None:
        def answers() -> Generator[FireLLaVACostHandler, None, None]:
            with get_firellava_callback() as cost:
                llm.invoke("Hello")
                yield cost

        generator = answers()
        cost = contextvars.copy_context().run(next, generator)
        generator.close()
        llm.invoke("Hello")
        assert cost.successful_requests == 1


class TestAnAnswerFromTheCache:
    @pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch", "abatch"])
    async def test_bills_nothing(self, llm_for: Make, api_server: ApiServer, truth: Any, way: str) -> None:
        llm = llm_for(cache=InMemoryCache())
        with get_firellava_callback() as cost:
            llm.invoke(question())
            await ask(llm, way, times=3)
        assert len(api_server.requests) == 2  # the truth's and one more
        assert (cost.successful_requests, cost.cached_requests) == (1, 3)
        assert cost.total_tokens == truth["total_tokens"]
        assert cost.total_cost == truth["total_tokens"] * PRICE
        assert cost.unpriced_requests == 0

    def test_of_several_choices_bills_nothing(self, llm_for: Make) -> None:
        llm = llm_for(cache=InMemoryCache(), n=2)
        llm.generate([question()])
        with get_firellava_callback() as cost:
            llm.generate([question()])
        assert (cost.cached_requests, cost.ledger.totals.calls) == (1, 0)

    def test_of_completions_is_not_seen(self, api_server: ApiServer) -> None:
        llm = FireLLaVACompletions(
            api_key=SecretStr(api_server.key), base_url=api_server.base_url, cache=InMemoryCache()
        )
        with get_firellava_callback() as cost:
            llm.batch(["USER:\nHello\n\nASSISTANT:"])
            llm.batch(["USER:\nHello\n\nASSISTANT:"])
        assert len(api_server.requests) == 1
        assert (cost.successful_requests, cost.cached_requests) == (1, 0)


class Foreign(GenericFakeChatModel):
    """A model of another provider, whose answers say how many tokens they took and not what they cost."""

    messages: Iterator[AIMessage | str] = iter(())

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        message = AIMessage("Hi", usage_metadata=FOREIGN_USAGE, response_metadata=FOREIGN_METADATA)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content="Hi"))
        last = AIMessageChunk(content="", usage_metadata=FOREIGN_USAGE, response_metadata=FOREIGN_METADATA)
        yield ChatGenerationChunk(message=last)


class TestAFallback:
    @pytest.mark.parametrize("way", WAYS)
    async def test_of_another_provider_counts_with_an_unknown_cost(
        self, llm_for: Make, api_server: ApiServer, way: str
    ) -> None:
        api_server.fail_next(Fault(status=500))
        llm = llm_for(max_retries=0).with_fallbacks([Foreign()])
        with get_firellava_callback() as cost, get_usage_metadata_callback() as core:
            await ask(llm, way)
        assert (cost.successful_requests, cost.failed_requests, cost.unpriced_requests) == (1, 1, 1)
        assert (cost.prompt_tokens, cost.completion_tokens, cost.total_tokens) == (7, 5, 12)
        assert cost.total_cost == 0  # of the failed request: a status of 500 is not billed
        assert core.usage_metadata["foreign-1"]["total_tokens"] == cost.by_model["foreign-1"].total_tokens
        assert cost.by_backend["elsewhere"].unpriced == 1
        assert cost.by_backend["fireworks:firellava-13b"].failed == 1

    def test_of_this_package_counts_with_its_cost(
        self, llm_for: Make, api_server: ApiServer, truth: Any
    ) -> None:
        api_server.fail_next(Fault(status=500))
        llm = llm_for(max_retries=0).with_fallbacks([llm_for()])
        with get_firellava_callback() as cost:
            llm.invoke(question())
        assert (cost.successful_requests, cost.failed_requests, cost.unpriced_requests) == (1, 1, 0)
        assert cost.total_cost == truth["total_tokens"] * PRICE

    @pytest.mark.engine("rapidocr")
    def test_on_this_machine_costs_a_known_nothing(self, llm_for: Make, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=500))
        with get_firellava_callback() as cost:
            llm_for(max_retries=0, fallback=OfflineReader()).invoke(question())
        (entry,) = cost.ledger.entries
        assert (entry.backend, entry.degraded, entry.attempt) == ("offline-reader", True, 1)
        assert (cost.unpriced_requests, cost.successful_requests) == (0, 1)
        assert cost.total_cost == 0


class TestARequestThatFails:
    @pytest.mark.parametrize(
        ("fault", "error", "unpriced"),
        [
            (Fault(status=429), RateLimited, 0),
            (Fault(status=500), ServerFailed, 0),
            (Fault(status=504), ServerFailed, 1),  # the gateway gave up, perhaps not the model behind it
        ],
    )
    @pytest.mark.parametrize("way", WAYS)
    async def test_counts_as_failed(
        self,
        llm_for: Make,
        api_server: ApiServer,
        way: str,
        fault: Fault,
        error: type[Exception],
        unpriced: int,
    ) -> None:
        api_server.fail_next(fault)
        with get_firellava_callback() as cost, pytest.raises(error):
            await ask(llm_for(max_retries=0), way)
        assert (cost.successful_requests, cost.failed_requests) == (0, 1)
        assert (cost.unpriced_requests, cost.ledger.totals.may_cost_more) == (unpriced, unpriced)
        (entry,) = cost.ledger.entries
        assert (entry.outcome, entry.model) == ("failed", FIRELLAVA_13B)
        assert entry.error is not None
        assert entry.error.startswith(error.__name__)

    def test_before_it_is_sent_costs_nothing(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        with get_firellava_callback() as cost, pytest.raises(InvalidRequest):
            llm.invoke("")
        assert (cost.failed_requests, cost.unpriced_requests, api_server.requests) == (1, 0, [])

    @pytest.mark.parametrize(("status", "unpriced"), [(500, 0), (502, 1)])
    def test_at_every_backend_costs_what_any_of_them_may(
        self, llm_for: Make, api_server: ApiServer, status: int, unpriced: int
    ) -> None:
        api_server.fail_next(Fault(status=status))
        llm = llm_for(max_retries=0, fallback=OfflineReader())
        url = {"type": "image", "url": "https://127.0.0.1/cat.jpg"}
        with get_firellava_callback() as cost, pytest.raises(AllBackendsFailed):
            llm.invoke([HumanMessage(["What is this?", url])])
        assert cost.unpriced_requests == unpriced

    def test_elsewhere_leaves_no_word_of_its_message(self) -> None:
        cost, run = FireLLaVACostHandler(), uuid4()
        cost.on_chat_model_start({}, [[]], run_id=run)
        cost.on_llm_error(ValueError("refused key sk-123"), run_id=run)
        (entry,) = cost.ledger.entries
        assert (entry.error, cost.unpriced_requests) == ("ValueError", 1)


class TestAStreamThatDoesNotEnd:
    @pytest.mark.parametrize("way", ["stream", "astream"])
    async def test_because_it_broke_has_an_unknown_cost(
        self, llm: ChatFireLLaVA, api_server: ApiServer, way: str
    ) -> None:
        api_server.fail_next(Fault(cut_after=700))
        with get_firellava_callback() as cost, pytest.raises(StreamBroken):
            await ask(llm, way)
        (entry,) = cost.ledger.entries
        assert (entry.outcome, entry.cost_usd, entry.may_cost_more) == ("broken", None, True)
        assert (cost.failed_requests, cost.unpriced_requests, cost.total_tokens) == (1, 1, 0)

    async def test_because_it_was_closed_has_an_unknown_cost(self, llm: ChatFireLLaVA) -> None:
        with get_firellava_callback() as cost:
            stream: Any = llm.stream(question())
            next(stream)
            stream.close()
            astream: Any = llm.astream(question())
            await anext(astream)
            await astream.aclose()
        assert [entry.outcome for entry in cost.ledger.entries] == ["abandoned", "abandoned"]
        assert (cost.failed_requests, cost.unpriced_requests) == (2, 2)

    def test_because_nobody_holds_it_any_more_is_told_as_closed(self, llm: ChatFireLLaVA) -> None:
        with get_firellava_callback() as cost:
            next(iter(llm.stream(question())))
            gc.collect()
        assert cost.ledger.totals.abandoned == 1

    def test_because_it_is_held_and_not_read_is_not_seen(self, llm: ChatFireLLaVA) -> None:
        with get_firellava_callback() as cost:
            stream: Any = llm.stream(question())
            next(stream)
        assert cost.ledger.totals.calls == 0
        stream.close()
        assert cost.ledger.totals.abandoned == 1

    def test_although_its_usage_had_arrived_has_its_cost(self, llm: ChatFireLLaVA, truth: Any) -> None:
        with get_firellava_callback() as cost:
            stream: Any = llm.stream(question())
            while next(stream).usage_metadata is None:
                pass
            stream.close()
        assert (cost.failed_requests, cost.unpriced_requests) == (1, 0)
        assert cost.total_cost == truth["total_tokens"] * PRICE

    async def test_because_its_task_was_cancelled_has_an_unknown_cost(
        self, llm: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(stall=30, stall_after=700))
        begun = asyncio.Event()

        async def reading() -> None:
            async for _ in llm.astream(question()):
                begun.set()

        with get_firellava_callback() as cost:
            task = asyncio.create_task(reading())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (cost.ledger.totals.abandoned, cost.unpriced_requests) == (1, 1)


class TestTheLedger:
    def test_has_an_entry_for_each_request(self, llm: ChatFireLLaVA) -> None:
        with get_firellava_callback() as cost:
            answer = llm.with_config(tags=["invoices"]).invoke(question())
            (ASKING | llm).invoke("")
            list(llm.stream(question()))
        first, second, streamed = cost.ledger.entries
        assert first.request_id == answer.response_metadata["request_id"]
        assert first.finish_reasons == ("stop",)
        assert (first.tags, second.tags) == (("invoices",), ())
        assert (first.streamed, streamed.streamed) == (False, True)
        assert streamed.first_piece_seconds is not None
        assert 0 < streamed.first_piece_seconds <= streamed.seconds
        assert set(cost.ledger.by("tag")) == {"invoices", ""}

    def test_can_be_ones_own(self, llm: ChatFireLLaVA) -> None:
        ledger = Ledger(keep=1)
        cost = FireLLaVACostHandler(ledger)
        llm.batch(["Hello"] * 3, {"callbacks": [cost]})
        assert (len(ledger.entries), cost.successful_requests) == (1, 3)

    def test_shows_in_notebooks(self, llm: ChatFireLLaVA) -> None:
        with get_firellava_callback() as cost:
            llm.invoke(question())
        assert cost._repr_html_() == cost.ledger._repr_html_()

    def test_holds_neither_key_nor_image(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        with get_firellava_callback() as cost:
            llm.invoke(question())
        told = repr(cost.ledger.entries) + repr(cost) + repr(cost.ledger.rows())
        assert api_server.key not in told
        assert "base64" not in told


class TestItsText:
    def test_says_what_was_counted(self, llm_for: Make, truth: Any) -> None:
        llm = llm_for(cache=InMemoryCache())
        with get_firellava_callback() as cost:
            llm.batch([question()] * 2, {"max_concurrency": 1})
            Foreign().invoke("Hello")
        read, written = truth["input_tokens"], truth["output_tokens"]
        assert str(cost) == repr(cost)
        assert str(cost).splitlines() == [
            "Requests: 2 answered, 0 failed, 1 from the cache",
            f"Tokens: {read + written + 12}",
            f"\tPrompts: {read + 7} (images: 576, cached: 0)",
            f"\tAnswers: {written + 5} (reasoning: 0)",
            f"Cost: ${(read + written) * PRICE:f}, and 1 of unknown cost",
        ]

    def test_is_short_before_the_first_request(self) -> None:
        assert str(FireLLaVACostHandler()).splitlines()[-1] == "Cost: $0"


def test_a_handler_raises_nothing_over_a_run_it_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    cost = FireLLaVACostHandler()
    with caplog.at_level(logging.WARNING):
        cost.on_llm_new_token("a", run_id=uuid4())
        cost.on_llm_error(ValueError(), run_id=uuid4())
    assert (cost.ledger.totals.calls, caplog.records) == (0, [])
