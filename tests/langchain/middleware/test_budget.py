"""`BudgetMiddleware` in real agents on LangGraph, against the API's contract."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
)
from langchain.agents.structured_output import ToolStrategy
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from PIL import Image
from pydantic import BaseModel

from firellava import model_card
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.costs.budget import Budget, Spending
from firellava.costs.tracking import track_cost
from firellava.errors import BudgetExceeded, ConfigurationError, CostUnknown, ServerFailed
from langchain_firellava import ChatFireLLaVA, image_block
from langchain_firellava.middleware.budget import BudgetMiddleware
from langchain_firellava.middleware.spending import SpendingBook, SpendingSoFar
from tests.api_server import QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

RED = encoded("PNG", (336, 336), "#ff0000")
QUESTION: dict[str, Any] = {"messages": [HumanMessage("Please look up the weather")]}
PICTURE: dict[str, Any] = {"messages": [HumanMessage(["What is this?", image_block(RED)])]}


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


@pytest.fixture
def qwen(llm_for: Make) -> ChatFireLLaVA:
    """A model with tools: a question with a tool takes two calls, one that calls it and one that answers."""
    return llm_for(model=QWEN_MAX, max_retries=0)


def agent_of(llm: Any, *middleware: AgentMiddleware[Any, Any, Any], **settings: Any) -> Any:
    tools: list[BaseTool] = settings.pop("tools", [weather])
    return create_agent(llm, tools, middleware=middleware, **settings)


def spent_in(agent: Any, config: RunnableConfig) -> dict[str, Any]:
    spent: dict[str, Any] = agent.get_state(config).values["budget_thread"]
    return spent


async def run(agent: Any, way: str, config: RunnableConfig | None = None) -> Any:
    """Let the agent answer, in this way."""
    return await agent.ainvoke(QUESTION, config) if way == "ainvoke" else agent.invoke(QUESTION, config)


class Foreign(GenericFakeChatModel):
    """A model of another provider, whose answers say how many tokens they took and not what they cost."""

    messages: Iterator[AIMessage | str] = iter(())

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        usage = UsageMetadata(input_tokens=7, output_tokens=5, total_tokens=12)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Hi", usage_metadata=usage))])


THREAD: RunnableConfig = {"configurable": {"thread_id": "a"}}
EACH_WAY = pytest.mark.parametrize("way", ["invoke", "ainvoke"])


@EACH_WAY
async def test_an_agent_within_its_budget_answers(
    qwen: ChatFireLLaVA, api_server: ApiServer, way: str
) -> None:
    agent = agent_of(qwen, BudgetMiddleware(run_usd=1, run_tokens=100_000, run_calls=2))
    answer = await run(agent, way)
    assert [message.type for message in answer["messages"]] == ["human", "ai", "tool", "ai"]
    assert set(answer) == {"messages"}
    assert len(api_server.requests) == 2


class TestWhatWasSpent:
    @EACH_WAY
    async def test_is_what_the_calls_cost(self, qwen: ChatFireLLaVA, way: str) -> None:
        agent = agent_of(qwen, BudgetMiddleware(thread_usd=10), checkpointer=InMemorySaver())
        with track_cost() as ledger:
            await run(agent, way, config=THREAD)
            await run(agent, way, config=THREAD)
        spent = spent_in(agent, THREAD)
        assert Decimal(spent["usd"]) == ledger.totals.cost_usd > 0
        assert spent["tokens"] == ledger.totals.total_tokens
        assert spent["calls"] == 4
        assert json.loads(json.dumps(spent)) == spent

    def test_is_counted_for_each_thread(self, qwen: ChatFireLLaVA) -> None:
        agent = agent_of(qwen, BudgetMiddleware(thread_calls=2), checkpointer=InMemorySaver())
        agent.invoke(QUESTION, THREAD)
        agent.invoke(QUESTION, {"configurable": {"thread_id": "b"}})
        with pytest.raises(BudgetExceeded, match=r"2 calls for a thread has 0 calls left"):
            agent.invoke(QUESTION, THREAD)

    def test_survives_in_the_checkpoint(self, qwen: ChatFireLLaVA) -> None:
        saver = InMemorySaver()
        agent_of(qwen, BudgetMiddleware(thread_calls=2), checkpointer=saver).invoke(QUESTION, THREAD)
        another = agent_of(qwen, BudgetMiddleware(thread_calls=2), checkpointer=saver)
        with pytest.raises(BudgetExceeded):
            another.invoke(QUESTION, THREAD)

    def test_cannot_be_set_by_who_asks(self, qwen: ChatFireLLaVA) -> None:
        agent = agent_of(qwen, BudgetMiddleware(thread_calls=2), checkpointer=InMemorySaver())
        agent.invoke(QUESTION, THREAD)
        nothing = {"usd": "0", "tokens": 0, "calls": -100}
        with pytest.raises(BudgetExceeded):
            agent.invoke({**QUESTION, "budget_thread": nothing}, THREAD)

    def test_in_a_run_begins_anew_with_the_next(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        agent = agent_of(qwen, BudgetMiddleware(run_calls=2), checkpointer=InMemorySaver())
        for _ in range(3):
            agent.invoke(QUESTION, THREAD)
        assert len(api_server.requests) == 6

    def test_of_runs_side_by_side_is_kept_apart(self, qwen: ChatFireLLaVA) -> None:
        agent = agent_of(qwen, BudgetMiddleware(run_calls=2))
        assert len(agent.batch([QUESTION] * 8)) == 8

    async def test_of_tasks_side_by_side_is_kept_apart(self, qwen: ChatFireLLaVA) -> None:
        agent = agent_of(qwen, BudgetMiddleware(run_calls=2))
        assert len(await asyncio.gather(*(agent.ainvoke(QUESTION) for _ in range(8)))) == 8

    def test_outlives_an_interrupt(self, qwen: ChatFireLLaVA) -> None:
        saver = InMemorySaver()

        def made() -> Any:
            asking = HumanInTheLoopMiddleware(interrupt_on={"weather": True})
            return agent_of(qwen, BudgetMiddleware(thread_calls=9), asking, checkpointer=saver)

        made().invoke(QUESTION, THREAD)
        later = made()  # as in another process, with nothing but the checkpoint
        later.invoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
        assert spent_in(later, THREAD)["calls"] == 2

    def test_of_a_cached_answer_is_a_call_and_nothing_else(self, llm_for: Make) -> None:
        llm = llm_for(model=QWEN_MAX, cache=InMemoryCache())
        llm.bind_tools([weather], max_tokens=1024).invoke("Hello without tools")
        agent = agent_of(llm, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver())
        agent.invoke({"messages": [HumanMessage("Hello without tools")]}, THREAD)
        assert spent_in(agent, THREAD) == {"usd": "0", "tokens": 0, "calls": 1}

    @pytest.mark.parametrize(
        ("placement", "fault"), [(UsagePlacement.NEVER, Fault()), (None, Fault(drop=True))]
    )
    def test_where_nobody_says_is_the_most_it_may_be(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, placement: UsagePlacement | None, fault: Fault
    ) -> None:
        api_server.usage = placement or api_server.usage
        api_server.fail_next(fault)
        retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)
        agent = agent_of(qwen, retry, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver(), tools=[])
        with track_cost() as ledger:
            agent.invoke(QUESTION, THREAD)
        assert (ledger.totals.unpriced, ledger.totals.may_cost_more) == (1, 1)
        # 1024 tokens of answer at $6 a million, and more than that of prompt at $2.
        assert Decimal(spent_in(agent, THREAD)["usd"]) > Decimal("0.006") + 1024 * Decimal(2) / 1_000_000
        assert spent_in(agent, THREAD)["tokens"] > 2048

    def test_on_this_machine_is_a_call_and_nothing_else(
        self, local: OpenAICompatibleBackend, local_server: ApiServer
    ) -> None:
        budget = BudgetMiddleware(run_usd=0, thread_tokens=0, thread_calls=1)
        agent = agent_of(ChatFireLLaVA(backend=local), budget, checkpointer=InMemorySaver(), tools=[])
        answer = agent.invoke(QUESTION, THREAD)["messages"][-1]
        assert answer.usage_metadata["total_tokens"] > 0
        assert spent_in(agent, THREAD) == {"usd": "0", "tokens": 0, "calls": 1}
        assert len(local_server.requests) == 1


class TestACallThatMayExceedTheBudget:
    @EACH_WAY
    @pytest.mark.parametrize(
        ("limits", "words", "limit"),
        [
            ({"run_usd": "0.001"}, r"\$0.001 for a run has \$0.001 left.* up to \$0\.0", "usd"),
            ({"thread_tokens": 1500}, "1500 tokens for a thread has 1500 tokens left", "tokens"),
            ({"run_calls": 0}, "0 calls for a run has 0 calls left.* up to 1 calls", "calls"),
        ],
    )
    async def test_is_not_made(
        self,
        qwen: ChatFireLLaVA,
        api_server: ApiServer,
        way: str,
        limits: dict[str, Any],
        words: str,
        limit: str,
    ) -> None:
        agent = agent_of(qwen, BudgetMiddleware(**limits))
        with pytest.raises(BudgetExceeded, match=words) as refused:
            await run(agent, way)
        assert refused.value.limit == limit
        assert refused.value.needed > refused.value.left
        assert api_server.requests == []

    @EACH_WAY
    async def test_ends_the_run_where_that_is_wanted(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, way: str
    ) -> None:
        agent = agent_of(qwen, BudgetMiddleware(run_calls=1, exit_behavior="end"))
        answer = await run(agent, way)
        assert [message.type for message in answer["messages"]] == ["human", "ai", "tool", "ai"]
        assert answer["messages"][-1].text.startswith("The agent's budget of 1 calls for a run")
        assert len(api_server.requests) == 1

    def test_ends_a_run_that_owes_a_form(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        class Weather(BaseModel):
            city: str

        class Watcher(AgentMiddleware[Any, Any, Any]):
            def after_model(self, state: Any, runtime: Any) -> None:
                """Take the step after which LangGraph forgets where to jump."""

        budget = BudgetMiddleware(run_calls=0, exit_behavior="end")
        for others in ([budget], [Watcher(), budget], [budget, Watcher()]):
            agent = agent_of(qwen, *others, tools=[], response_format=ToolStrategy(Weather))
            answer = agent.invoke(QUESTION)
            assert [message.type for message in answer["messages"]] == ["human", "ai"]
        assert api_server.requests == []

    def test_is_made_in_the_next_run_after_one_that_ended(self, qwen: ChatFireLLaVA) -> None:
        budget = BudgetMiddleware(run_calls=1, exit_behavior="end")
        agent = agent_of(qwen, budget, checkpointer=InMemorySaver(), tools=[])
        for _ in range(2):
            assert "question" in agent.invoke(QUESTION, THREAD)["messages"][-1].text

    def test_leaves_room_for_a_smaller_one(self, llm_for: Make, api_server: ApiServer) -> None:
        budget = BudgetMiddleware(run_usd="0.005")
        with pytest.raises(BudgetExceeded, match="A smaller max_tokens= needs less"):
            agent_of(llm_for(model=QWEN_MAX), budget, tools=[]).invoke(QUESTION)
        agent_of(llm_for(model=QWEN_MAX, max_tokens=50), budget, tools=[]).invoke(QUESTION)
        assert [request.json["max_tokens"] for request in api_server.requests] == [50]

    def test_is_bounded_with_its_images(self, llm_for: Make, api_server: ApiServer) -> None:
        text: dict[str, Any] = {"messages": [HumanMessage("What is this?")]}
        agent = agent_of(llm_for(), BudgetMiddleware(run_tokens=2500), tools=[])
        agent.invoke(text)
        with pytest.raises(BudgetExceeded):
            agent.invoke(PICTURE)
        assert len(api_server.requests) == 1

    def test_is_bounded_with_metadata_that_is_told(self, llm_for: Make, api_server: ApiServer) -> None:
        exif = Image.Exif()
        exif[0x010E] = "a long description " * 100
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
        block = {"type": "media", "mime_type": "image/jpeg", "data": buffer.getvalue()}
        asked: dict[str, Any] = {"messages": [HumanMessage(["What is this?", block])]}
        budget = BudgetMiddleware(run_tokens=2100, max_tokens=100)
        agent_of(llm_for(), budget, tools=[]).invoke(asked)
        with pytest.raises(BudgetExceeded):
            agent_of(llm_for(describe_metadata=["ImageDescription"]), budget, tools=[]).invoke(asked)
        assert len(api_server.requests) == 1

    @pytest.mark.parametrize("where", ["tools", "form", "system", "history"])
    def test_is_bounded_with_all_that_is_sent(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, where: str
    ) -> None:
        long = "word " * 2000

        @tool(description=long)
        def search() -> str:
            return ""

        class Form(BaseModel):
            __doc__ = long
            city: str

        places: dict[str, dict[str, Any]] = {
            "tools": {"tools": [search]},
            "form": {"tools": [], "response_format": ToolStrategy(Form)},
            "system": {"tools": [], "system_prompt": long},
            "history": {"tools": []},
        }
        history = [HumanMessage(long), AIMessage("Yes.")] if where == "history" else []
        with pytest.raises(BudgetExceeded):
            agent_of(qwen, BudgetMiddleware(run_tokens=8000), **places[where]).invoke(
                {"messages": [*history, HumanMessage("Hello")]}
            )
        assert api_server.requests == []

    def test_is_never_made_at_any_budget(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        for cents in range(8):
            limit = Decimal(cents) / 500
            budget = BudgetMiddleware(thread_usd=limit, exit_behavior="end")
            agent = agent_of(qwen, budget, checkpointer=InMemorySaver())
            with track_cost() as ledger:
                for _ in range(20):
                    answer = agent.invoke(QUESTION, THREAD)
            assert answer["messages"][-1].text.startswith("The agent's budget")
            assert ledger.totals.cost_usd <= limit
        assert api_server.requests

    def test_of_the_dearest_fallback_decides(self, llm_for: Make, api_server: ApiServer) -> None:
        dear = llm_for(model="kimi-k3")._client()._first
        agent = agent_of(llm_for(fallback=dear), BudgetMiddleware(run_usd="0.005"), tools=[])
        with pytest.raises(BudgetExceeded):
            agent.invoke(QUESTION)
        assert api_server.requests == []


class TestMaxTokens:
    def test_is_set_where_nobody_set_it(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        agent_of(qwen, BudgetMiddleware(run_usd=1, max_tokens=99)).invoke(QUESTION)
        assert [request.json["max_tokens"] for request in api_server.requests] == [99, 99]

    def test_is_left_alone_under_a_limit_of_calls(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        agent_of(qwen, BudgetMiddleware(run_calls=9)).invoke(QUESTION)
        assert all("max_tokens" not in request.json for request in api_server.requests)

    def test_of_the_models_own_budget_stays(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(model=QWEN_MAX, budget=Budget(usd=1, max_tokens=33))
        agent_of(llm, BudgetMiddleware(run_usd=1)).invoke(QUESTION)
        assert [request.json["max_tokens"] for request in api_server.requests] == [33, 33]


class TestACallThatFails:
    @EACH_WAY
    async def test_counts_with_each_attempt_of_middleware_outside(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, way: str
    ) -> None:
        api_server.fail_next(Fault(status=500), times=9)
        retry = ModelRetryMiddleware(
            max_retries=9, initial_delay=0, jitter=False, retry_on=(ServerFailed,), on_failure="error"
        )
        agent = agent_of(qwen, retry, BudgetMiddleware(run_calls=3))
        with pytest.raises(BudgetExceeded):
            await run(agent, way)
        assert len(api_server.requests) == 3

    def test_counts_in_the_state_once_another_attempt_succeeds(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(drop=True), times=2)
        retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
        agent = agent_of(qwen, retry, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver(), tools=[])
        agent.invoke(QUESTION, THREAD)
        assert spent_in(agent, THREAD)["calls"] == 3
        assert spent_in(agent, THREAD)["tokens"] > 4096  # two whose usage nobody told

    @EACH_WAY
    async def test_counts_in_the_thread_that_goes_on(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, way: str
    ) -> None:
        api_server.fail_next(Fault(status=500), times=2)
        agent = agent_of(qwen, BudgetMiddleware(thread_calls=3), checkpointer=InMemorySaver(), tools=[])
        for _ in range(2):
            with pytest.raises(ServerFailed):
                await run(agent, way, config=THREAD)
        await run(agent, way, config=THREAD)
        assert spent_in(agent, THREAD) | {"tokens": 0, "usd": ""} == {"usd": "", "tokens": 0, "calls": 3}
        with pytest.raises(BudgetExceeded):
            await run(agent, way, config=THREAD)

    def test_does_not_count_in_the_next_run(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=500))
        agent = agent_of(qwen, BudgetMiddleware(run_calls=1), checkpointer=InMemorySaver(), tools=[])
        with pytest.raises(ServerFailed):
            agent.invoke(QUESTION, THREAD)
        agent.invoke(QUESTION, THREAD)
        assert len(api_server.requests) == 2

    def test_and_was_not_billed_costs_nothing(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=500))
        agent = agent_of(qwen, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver(), tools=[])
        with pytest.raises(ServerFailed):
            agent.invoke(QUESTION, THREAD)
        with track_cost() as ledger:
            agent.invoke(QUESTION, THREAD)
        assert Decimal(spent_in(agent, THREAD)["usd"]) == ledger.totals.cost_usd

    def test_and_falls_back_to_another_model_is_two(
        self, llm_for: Make, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(status=500))
        fallback = ModelFallbackMiddleware(llm_for(model="accounts/me/deployments/eyes", card="qwen3p8-max"))
        api_server.deploy("accounts/me/deployments/eyes", like=QWEN_MAX)
        agent = agent_of(
            qwen, fallback, BudgetMiddleware(thread_calls=5), checkpointer=InMemorySaver(), tools=[]
        )
        agent.invoke(QUESTION, THREAD)
        assert spent_in(agent, THREAD)["calls"] == 2

    async def test_because_it_was_cancelled_counts_with_the_most_it_may_be(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        agent = agent_of(qwen, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver(), tools=[])
        api_server.fail_next(Fault(delay=2))
        task = asyncio.create_task(agent.ainvoke(QUESTION, THREAD))
        while not api_server.requests:  # noqa: ASYNC110 - the server's thread sets no event
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await agent.ainvoke(QUESTION, THREAD)
        assert spent_in(agent, THREAD)["calls"] == 2
        assert spent_in(agent, THREAD)["tokens"] > 2048

    @EACH_WAY
    async def test_leaves_nothing_behind_once_its_run_is_over(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, way: str
    ) -> None:
        api_server.fail_next(Fault(status=500))
        retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)
        budget = BudgetMiddleware(run_usd=1)
        await run(agent_of(qwen, retry, budget), way)
        await run(agent_of(qwen, retry, budget), way, THREAD)
        assert not budget._book._runs

    def test_and_is_never_asked_about_again_is_forgotten_in_the_end(self) -> None:
        book = SpendingBook()
        for number in range(10_001):
            book.add((str(number), ""), SpendingSoFar(), Spending(calls=1))
        assert book.leave(("0", "")) == SpendingSoFar()
        assert book.leave(("1", "")).run.calls == 1


class TestARetryOfTheModelItself:
    def test_counts_with_what_it_cost(self, llm_for: Make, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=504, headers={"retry-after-ms": "1"}))
        llm = llm_for(model=QWEN_MAX, max_retries=1)
        agent = agent_of(llm, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver(), tools=[])
        agent.invoke(QUESTION, THREAD)
        assert len(api_server.requests) == 2
        assert spent_in(agent, THREAD)["calls"] == 1
        assert spent_in(agent, THREAD)["tokens"] > 2048  # a 504 may have been billed


class TestAModelOfAnotherProvider:
    @pytest.mark.parametrize("limits", [{"run_usd": 1}, {"thread_tokens": 1000}])
    def test_is_refused_where_its_cost_must_be_known(self, limits: dict[str, Any]) -> None:
        with pytest.raises(CostUnknown, match=r"a call of Foreign .*when_unknown='allow'"):
            agent_of(Foreign(), BudgetMiddleware(**limits), tools=[]).invoke(QUESTION)

    def test_may_be_allowed_until_the_limit_is_used_up(self) -> None:
        budget = BudgetMiddleware(thread_tokens=24, when_unknown="allow")
        agent = agent_of(Foreign(), budget, checkpointer=InMemorySaver(), tools=[])
        for _ in range(2):
            agent.invoke(QUESTION, THREAD)
        assert spent_in(agent, THREAD) == {"usd": "0", "tokens": 24, "calls": 2}
        with pytest.raises(BudgetExceeded, match=r"0 tokens left.* an unknown amount"):
            agent.invoke(QUESTION, THREAD)

    def test_is_limited_in_calls(self) -> None:
        agent = agent_of(Foreign(), BudgetMiddleware(thread_calls=1), checkpointer=InMemorySaver(), tools=[])
        agent.invoke(QUESTION, THREAD)
        with pytest.raises(BudgetExceeded):
            agent.invoke(QUESTION, THREAD)


class TestWhatNobodyKnows:
    def test_is_refused(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        agent = agent_of(qwen, BudgetMiddleware(run_usd=1), tools=[])
        with pytest.raises(CostUnknown, match=r"qwen3p8-max counts for an image.* the budget when_unknown="):
            agent.invoke(PICTURE)
        assert api_server.requests == []

    def test_may_be_allowed(self, qwen: ChatFireLLaVA) -> None:
        agent_of(qwen, BudgetMiddleware(run_usd=1, when_unknown="allow"), tools=[]).invoke(PICTURE)

    def test_can_be_told(self, llm_for: Make) -> None:
        card = model_card(QWEN_MAX).model_copy(update={"image_token_bound": 1000})
        agent_of(llm_for(model=QWEN_MAX, card=card), BudgetMiddleware(run_usd=1), tools=[]).invoke(PICTURE)


def test_an_agent_in_a_tool_counts_apart_from_the_one_that_asks_it(
    qwen: ChatFireLLaVA, api_server: ApiServer
) -> None:
    budget = BudgetMiddleware(thread_calls=2)
    inner = agent_of(qwen, budget)

    @tool
    def expert(city: str) -> str:
        """Please look up."""
        return str(inner.invoke(QUESTION)["messages"][-1].text)

    outer = agent_of(qwen, budget, tools=[expert], checkpointer=InMemorySaver())
    outer.invoke(QUESTION, THREAD)
    assert len(api_server.requests) == 4
    assert spent_in(outer, THREAD)["calls"] == 2


def test_a_streamed_run_counts_as_any_other(qwen: ChatFireLLaVA) -> None:
    agent = agent_of(qwen, BudgetMiddleware(thread_usd=1), checkpointer=InMemorySaver())
    with track_cost() as ledger:
        pieces = list(agent.stream(QUESTION, THREAD, stream_mode="messages"))
    assert len(pieces) > 4
    assert {entry.streamed for entry in ledger.entries} == {True}
    assert Decimal(spent_in(agent, THREAD)["usd"]) == ledger.totals.cost_usd > 0


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({}, "needs a limit: give run_usd="),
            ({"run_usd": -1}, "usd is a number from 0 up"),
            ({"thread_usd": "much"}, "usd is a number from 0 up"),
            ({"thread_tokens": -1}, "tokens is a number from 0 up"),
            ({"run_usd": 1, "max_tokens": 0}, "max_tokens is more than 0"),
            ({"run_usd": 1, "exit_behavior": "stop"}, "exit_behavior is 'error' or 'end'"),
            ({"run_usd": 1, "when_unknown": "guess"}, "when_unknown is 'refuse' or 'allow'"),
        ],
    )
    def test_that_make_no_sense_are_refused(self, settings: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigurationError, match=words):
            BudgetMiddleware(**settings)
