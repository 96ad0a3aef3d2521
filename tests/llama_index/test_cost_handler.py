"""What LlamaIndex's events say of the cost of calls, beside what the server counted."""

import asyncio
import copy
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import (
    ImageBlock,
)
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import ImageNode
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from firellava.costs.ledger import Ledger
from firellava.errors import ConfigurationError, InvalidRequest, ServerFailed
from llama_index_firellava import FireLLaVA
from llama_index_firellava.callbacks import FireLLaVACostHandler
from tests.api_server import QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.llama_index.asking import CHAT, COMPLETE, answer, conversation
from tests.llama_index.billing import billed, counted

STREAMS = ("stream_chat", "astream_chat", "stream_complete", "astream_complete")
STATED = [placement for placement in UsagePlacement if placement is not UsagePlacement.NEVER]
PROMPT = "USER:\n<image>\nWhat is this?\n\nASSISTANT:"
# LlamaIndex's own code calls what pydantic deprecates.
LLAMA_INDEX_IS_BEHIND = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


class Answer(BaseModel):
    """What is in the picture."""

    answer: str


@pytest.fixture
def cost() -> Iterator[FireLLaVACostHandler]:
    with FireLLaVACostHandler() as handler:
        yield handler


async def ask(llm: FireLLaVA, method: str, picture: Path) -> Any:
    if method in CHAT:
        return await answer(llm, method, conversation(ImageBlock(path=picture)))
    return await answer(llm, method, "What is this?", image_documents=[ImageNode(image_path=str(picture))])


@pytest.mark.parametrize("placement", STATED)
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_every_method_counts_once_and_exactly(
    llm: FireLLaVA,
    api_server: ApiServer,
    cost: FireLLaVACostHandler,
    method: str,
    placement: UsagePlacement,
    picture: Path,
) -> None:
    api_server.usage = placement
    await ask(llm, method, picture)
    assert counted(cost) == billed(api_server)
    assert cost.prompt_image_tokens == 576
    assert cost.total_cost == billed(api_server).dollars
    assert (cost.successful_requests, cost.failed_requests, cost.unpriced_requests) == (1, 0, 0)
    (entry,) = cost.ledger.entries
    assert entry.outcome == "answered"
    assert not entry.may_cost_more
    assert entry.streamed is (method in STREAMS)
    assert entry.operation == ("chat" if method in CHAT else "completion")


@pytest.mark.parametrize("method", COMPLETE)
async def test_a_formatted_prompt_counts_too(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler, method: str, picture: Path
) -> None:
    images = [ImageNode(image_path=str(picture))]
    await answer(llm, method, PROMPT, formatted=True, image_documents=images)
    assert counted(cost) == billed(api_server)


async def test_totals_are_told_by_model_and_backend(
    llm: FireLLaVA, llm_for: Callable[..., FireLLaVA], api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    llm.chat(conversation())
    await llm_for(model=QWEN_MAX).achat(conversation())
    llm.chat(conversation())
    assert {model.rpartition("/")[2]: totals.calls for model, totals in cost.by_model.items()} == {
        "firellava-13b": 2,
        "qwen3p8-max": 1,
    }
    assert {backend: totals.calls for backend, totals in cost.by_backend.items()} == {
        "fireworks:firellava-13b": 2,
        "fireworks:qwen3p8-max": 1,
    }
    assert sum(totals.cost_usd for totals in cost.by_model.values()) == cost.total_cost


@LLAMA_INDEX_IS_BEHIND
@pytest.mark.parametrize("model", ["firellava-13b", QWEN_MAX])
async def test_structured_output_counts_once(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, cost: FireLLaVACostHandler, model: str
) -> None:
    """By JSON in a prompt with the one model, by a tool with the other."""
    schema = '{"properties": {"answer": {"type": "string"}}}'
    structured = llm_for(model=model).as_structured_llm(Answer)
    messages = conversation(text=f"What is it? {schema}")
    structured.chat(messages)
    await structured.achat(messages)
    list(structured.stream_chat(messages))
    async for _ in await structured.astream_chat(messages):
        pass
    structured.complete(f"What is it? {schema}")
    llm_for(model=model).structured_predict(Answer, PromptTemplate("What is it? {what}"), what=schema)
    assert len(api_server.requests) == 6
    assert counted(cost) == billed(api_server)
    assert cost.unpriced_requests == cost.failed_requests == 0


def test_tools_and_predictions_count_once(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"

    llm = llm_for(model=QWEN_MAX)
    llm.predict_and_call([FunctionTool.from_defaults(weather)], "How is the weather in 'Oslo'?")
    llm.predict(PromptTemplate("What is {thing}?"), thing="this")
    "".join(llm.stream(PromptTemplate("What is {thing}?"), thing="that"))
    assert len(api_server.requests) == 3
    assert counted(cost) == billed(api_server)


@LLAMA_INDEX_IS_BEHIND
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_counts_each_of_its_turns(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, cost: FireLLaVACostHandler, *, streaming: bool
) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"sunny in {city}"

    agent = FunctionAgent(tools=[weather], llm=llm_for(model=QWEN_MAX), streaming=streaming)
    await agent.run("How is the weather in 'Oslo'?")
    assert len(api_server.requests) == 2
    assert counted(cost) == billed(api_server)


async def test_calls_of_many_threads_and_tasks_all_count(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    def stream() -> None:
        for _ in llm.stream_chat(conversation()):
            pass

    with ThreadPoolExecutor(8) as threads:
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(threads, stream) for _ in range(20)),
            *(llm.achat(conversation()) for _ in range(20)),
        )
    assert counted(cost) == billed(api_server)
    assert cost.successful_requests == 40


async def test_streams_read_by_turns_count_each(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    streams = [await llm.astream_chat(conversation()) for _ in range(3)]
    while streams:
        streams = [stream for stream in streams if await anext(stream, None) is not None]
    assert cost.successful_requests == 3
    assert counted(cost) == billed(api_server)


@pytest.mark.parametrize("method", ["chat", "achat", "complete", "stream_chat", "astream_chat"])
async def test_unknown_usage_is_an_answer_of_unknown_cost(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler, method: str, picture: Path
) -> None:
    api_server.usage = UsagePlacement.NEVER
    await ask(llm, method, picture)
    assert (cost.successful_requests, cost.unpriced_requests, cost.total_tokens) == (1, 1, 0)
    assert cost.ledger.entries[0].usage is None
    assert cost.ledger.entries[0].cost_usd is None
    assert cost.ledger.entries[0].may_cost_more


@pytest.mark.parametrize(
    ("status", "unpriced"),
    [(500, 0), pytest.param(504, 1, id="504: a gateway gave up on a server that may have answered")],
)
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_failed_question_is_one_of_unknown_cost_where_it_may_be_billed(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    cost: FireLLaVACostHandler,
    method: str,
    picture: Path,
    status: int,
    unpriced: int,
) -> None:
    api_server.fail_next(Fault(status=status))
    with pytest.raises(ServerFailed):
        await ask(llm_for(max_retries=0), method, picture)
    assert (cost.successful_requests, cost.failed_requests, cost.unpriced_requests) == (0, 1, unpriced)
    (entry,) = cost.ledger.entries
    assert entry.outcome == "failed"
    assert entry.error is not None
    assert entry.error.startswith("ServerFailed: ")


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_refused_question_costs_nothing(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler, method: str
) -> None:
    nothing = conversation(text=" ") if method in CHAT else " "
    with pytest.raises(InvalidRequest):
        await answer(llm, method, nothing)
    assert (cost.failed_requests, cost.unpriced_requests) == (1, 0)
    assert cost.total_cost == 0
    assert api_server.requests == []


@pytest.mark.parametrize("method", STREAMS)
async def test_a_broken_stream_is_of_unknown_cost(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler, method: str
) -> None:
    api_server.fail_next(Fault(cut_after=700))
    asked = conversation() if method in CHAT else "What is this?"
    with pytest.raises(Exception, match=r"broke|stopped|lost"):
        await answer(llm, method, asked)
    (entry,) = cost.ledger.entries
    assert entry.outcome == "broken"
    assert entry.cost_usd is None
    assert entry.may_cost_more
    assert (cost.failed_requests, cost.unpriced_requests) == (1, 1)


async def test_an_abandoned_stream_is_of_unknown_cost(llm: FireLLaVA, cost: FireLLaVACostHandler) -> None:
    chunks = llm.stream_chat(conversation())
    next(iter(chunks))
    del chunks
    gc.collect()
    async for _ in await llm.astream_chat(conversation()):
        break
    gc.collect()
    while len(cost.ledger.entries) < 2:  # noqa: ASYNC110 - the event loop ends an abandoned stream in its own time
        await asyncio.sleep(0.001)
    assert [entry.outcome for entry in cost.ledger.entries] == ["abandoned", "abandoned"]
    assert (cost.successful_requests, cost.failed_requests, cost.unpriced_requests) == (0, 2, 2)


async def test_a_cancelled_question_is_abandoned(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    api_server.fail_next(Fault(delay=30))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(llm.achat(conversation()), 0.2)
    (entry,) = cost.ledger.entries
    assert (entry.outcome, entry.error, entry.cost_usd) == ("abandoned", None, None)


def test_whoever_stops_at_the_last_piece_has_the_whole_answer(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    for piece in llm.stream_chat(conversation()):
        if piece.raw:
            break
    del piece
    gc.collect()
    assert counted(cost) == billed(api_server)


def test_a_stream_that_nobody_reads_was_never_asked(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    llm.stream_chat(conversation())
    gc.collect()
    assert cost.ledger.entries == ()
    assert api_server.requests == []


def test_an_answer_after_a_failed_attempt_may_have_cost_more(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    api_server.fail_next(Fault(status=503, headers={"retry-after-ms": "1"}))
    llm.chat(conversation())
    (entry,) = cost.ledger.entries
    assert (entry.outcome, entry.attempt, entry.may_cost_more) == ("answered", 1, True)
    assert cost.failed_requests == 0


def test_a_handler_on_the_dispatcher_counts_until_it_is_taken_off(
    llm: FireLLaVA, api_server: ApiServer
) -> None:
    handler = FireLLaVACostHandler()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(handler)
    try:
        llm.chat(conversation())
    finally:
        dispatcher.event_handlers.remove(handler)
    llm.chat(conversation())
    assert handler.successful_requests == 1


def test_blocks_nest_and_leave_nothing_behind(llm: FireLLaVA) -> None:
    before = list(get_dispatcher().event_handlers)
    with FireLLaVACostHandler() as outer:
        llm.chat(conversation())
        with FireLLaVACostHandler() as inner:
            llm.chat(conversation())
        llm.chat(conversation())
    llm.chat(conversation())
    assert (outer.successful_requests, inner.successful_requests) == (3, 1)
    assert get_dispatcher().event_handlers == before


def test_a_handler_does_not_count_twice_at_once(cost: FireLLaVACostHandler) -> None:
    with pytest.raises(ConfigurationError, match="counts already"), cost:
        pass


def test_a_call_begun_before_the_block_is_not_counted(
    llm: FireLLaVA, caplog: pytest.LogCaptureFixture
) -> None:
    chunks = llm.stream_chat(conversation())
    next(iter(chunks))
    with FireLLaVACostHandler() as cost:
        list(chunks)
    assert cost.ledger.entries == ()
    assert not caplog.records


def test_copies_are_the_handler_itself(cost: FireLLaVACostHandler) -> None:
    assert copy.copy(cost) is cost
    assert copy.deepcopy(cost) is cost
    assert cost.model_dump() == {}


async def test_it_prints_what_it_counted(
    llm_for: Callable[..., FireLLaVA], cost: FireLLaVACostHandler, picture: Path
) -> None:
    llm = llm_for(additional_kwargs={"prompt_cache_key": "key"})
    await ask(llm, "chat", picture)
    with pytest.raises(InvalidRequest):
        llm.chat([])
    assert (
        repr(cost)
        == str(cost)
        == (
            "Requests: 1 answered, 1 not\n"
            f"Tokens: {cost.total_tokens}\n"
            f"\tPrompts: {cost.prompt_tokens} (images: 576, cached: {cost.prompt_tokens // 2})\n"
            f"\tAnswers: {cost.completion_tokens} (reasoning: 0)\n"
            f"Cost: ${cost.total_cost:f}"
        )
    )
    assert cost._repr_html_() == cost.ledger._repr_html_()


def test_several_handlers_may_share_a_ledger(llm: FireLLaVA) -> None:
    ledger = Ledger()
    for _ in range(2):
        with FireLLaVACostHandler(ledger):
            llm.chat(conversation())
    assert ledger.totals.answered == 2


async def test_reasoning_and_cached_tokens_are_counted(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    told = {"reasoning_effort": "low", "prompt_cache_key": "key"}
    await llm_for(model=QWEN_MAX, additional_kwargs=told).achat(conversation())
    (usage,) = api_server.billed
    assert (cost.prompt_cached_tokens, cost.reasoning_tokens) == (usage.cached, usage.reasoning)


def test_a_ledger_that_fails_is_logged_and_changes_nothing(
    llm: FireLLaVA, cost: FireLLaVACostHandler, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def __call__(self, details: object) -> None:
            raise RuntimeError("secret")

    cost._ledger = Broken()  # type: ignore[assignment] # stands for a mistake of ours
    assert llm.chat(conversation()).message.content
    assert "could not count a call: RuntimeError." in caplog.text
    assert "secret" not in caplog.text


def test_streams_that_nobody_reads_take_no_memory_for_ever(
    llm: FireLLaVA, cost: FireLLaVACostHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_index_firellava.calls_underway._MOST_CALLS", 3)
    streams = [llm.stream_chat(conversation()) for _ in range(9)]
    assert len(cost._calls._calls) == 3
    for stream in streams[-3:]:
        list(stream)
    assert cost.successful_requests == 3
