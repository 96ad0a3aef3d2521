"""`track_cost` around LlamaIndex: every call made in the block is in its ledger, however it was made."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import MockEmbedding, SummaryIndex, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.query_engine import BaseQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import BaseNode, ImageNode, TextNode, TransformComponent
from pydantic import BaseModel

from firellava.costs.ledger import Ledger
from firellava.costs.tracking import track_cost
from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.llama_index.asking import CHAT, COMPLETE, answer, conversation
from tests.llama_index.billing import Counts, billed

# LlamaIndex's own code calls what pydantic deprecates.
LLAMA_INDEX_IS_BEHIND = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")


def tracked(ledger: Ledger) -> Counts:
    totals = ledger.totals
    return Counts(totals.answered, totals.prompt_tokens, totals.image_tokens, totals.completion_tokens)


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_every_method_is_one_entry(
    llm: FireLLaVA, api_server: ApiServer, method: str, picture: Path
) -> None:
    images = [ImageNode(image_path=str(picture))]
    with track_cost("pictures") as ledger:
        if method in CHAT:
            await answer(llm, method, conversation(ImageBlock(path=picture)))
        else:
            await answer(llm, method, "What is this?", image_documents=images)
    await llm.achat(conversation())
    (entry,) = ledger.entries
    assert tracked(ledger).dollars == ledger.totals.cost_usd == entry.cost_usd
    assert ledger.totals.image_tokens == 576
    assert entry.tags == ("pictures",)
    assert len(api_server.billed) == 2


@pytest.mark.parametrize("method", ["stream_chat", "astream_chat", "stream_complete", "astream_complete"])
async def test_a_stream_belongs_to_the_block_it_was_asked_in(
    llm: FireLLaVA, api_server: ApiServer, method: str
) -> None:
    asked = conversation() if method in CHAT else "What is this?"
    with track_cost() as ledger:
        chunks = getattr(llm, method)(asked)
        if method.startswith("a"):
            chunks = await chunks
    with track_cost() as later:
        _ = [chunk async for chunk in chunks] if method.startswith("a") else list(chunks)
    assert tracked(ledger) == billed(api_server)
    assert later.entries == ()


async def test_failed_attempts_broken_and_abandoned_streams_have_their_entries(
    llm: FireLLaVA, api_server: ApiServer
) -> None:
    """What LlamaIndex's events do not tell of."""
    api_server.fail_next(Fault(status=503, headers={"retry-after-ms": "1"}), Fault(), Fault(cut_after=700))
    with track_cost() as ledger:
        await llm.achat(conversation())
        with pytest.raises(Exception, match=r"broke|stopped|lost"):
            list(llm.stream_chat(conversation()))
        chunks = llm.stream_chat(conversation())
        next(iter(chunks))
        del chunks
        gc.collect()
        abandoned = await llm.astream_chat(conversation())
        await anext(abandoned)
        await abandoned.aclose()
        del abandoned
        gc.collect()
        while len(ledger.entries) < 5:  # noqa: ASYNC110 - the event loop ends it in its own time
            await asyncio.sleep(0.001)
    outcomes = [entry.outcome for entry in ledger.entries]
    assert outcomes == ["failed", "answered", "broken", "abandoned", "abandoned"]


class Answer(BaseModel):
    """What is in the picture."""

    answer: str


@LLAMA_INDEX_IS_BEHIND
async def test_structured_output_is_tracked(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, picture: Path
) -> None:
    structured = llm_for(model=QWEN_MAX).as_structured_llm(Answer)
    messages = conversation(ImageBlock(path=picture))
    with track_cost() as ledger:
        structured.chat(messages)
        await structured.achat(messages)
        list(structured.stream_chat(messages))
        async for _ in await structured.astream_chat(messages):
            pass
    assert len(ledger.entries) == 4
    assert ledger.totals.total_tokens == billed(api_server).total


MODES = [ResponseMode.COMPACT, ResponseMode.REFINE, ResponseMode.TREE_SUMMARIZE, ResponseMode.ACCUMULATE]


def engine(llm: FireLLaVA, mode: ResponseMode, *, use_async: bool) -> BaseQueryEngine:
    nodes = [TextNode(text=" ".join([f"Shop {number} is open."] * 300)) for number in range(3)]
    return SummaryIndex(nodes).as_query_engine(llm=llm, response_mode=mode, use_async=use_async)


@pytest.mark.parametrize("use_async", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_query_engines_are_tracked(
    llm: FireLLaVA, api_server: ApiServer, mode: ResponseMode, *, use_async: bool
) -> None:
    """Synchronous engines that run asynchronously inside, too."""
    with track_cost() as ledger:
        engine(llm, mode, use_async=use_async).query("Which shop is open?")
    assert len(ledger.entries) > 1
    assert tracked(ledger) == billed(api_server)


@pytest.mark.parametrize("use_async", [False, True])
async def test_engines_are_tracked_under_a_running_event_loop(
    llm: FireLLaVA, api_server: ApiServer, *, use_async: bool
) -> None:
    """As in a notebook, where LlamaIndex takes a thread with an event loop of its own."""
    with track_cost() as ledger:
        engine(llm, ResponseMode.TREE_SUMMARIZE, use_async=use_async).query("Which shop is open?")
        await engine(llm, ResponseMode.TREE_SUMMARIZE, use_async=use_async).aquery("Which shop is open?")
    assert len(ledger.entries) > 3
    assert tracked(ledger) == billed(api_server)


async def test_retrieved_pictures_are_tracked(llm: FireLLaVA, api_server: ApiServer, picture: Path) -> None:
    nodes = [ImageNode(text=str(number), image_path=str(picture)) for number in range(3)]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))
    with track_cost() as ledger:
        query = index.as_query_engine(llm=llm, multimodal=True, similarity_top_k=3)
        query.query("What is this?")
        await query.aquery("What is this?")
    assert ledger.totals.image_tokens == 6 * 576
    assert tracked(ledger) == billed(api_server)


class Captions(TransformComponent):
    """Asks about every node's picture."""

    llm: FireLLaVA

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        for node in nodes:
            node.metadata["caption"] = self.llm.complete("What is this?", image_documents=[node]).text
        return nodes

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> Sequence[BaseNode]:
        await asyncio.gather(*(self.llm.acomplete("What is this?", image_documents=[node]) for node in nodes))
        return nodes


async def test_ingestion_is_tracked(llm: FireLLaVA, api_server: ApiServer, picture: Path) -> None:
    """In this process; `num_workers` of `IngestionPipeline.run` are others, which nobody here hears of."""
    pipeline = IngestionPipeline(transformations=[Captions(llm=llm)], disable_cache=True)
    with track_cost() as ledger:
        pipeline.run(nodes=[ImageNode(image_path=str(picture)) for _ in range(3)])
        await pipeline.arun(nodes=[ImageNode(image_path=str(picture)) for _ in range(3)])
    assert tracked(ledger) == billed(api_server)
    assert ledger.totals.image_tokens == 6 * 576


def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@LLAMA_INDEX_IS_BEHIND
@pytest.mark.parametrize("streaming", [False, True])
async def test_agents_are_tracked(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, *, streaming: bool
) -> None:
    """Their steps are tasks; one block around the start is enough."""
    agent = FunctionAgent(name="one", tools=[weather], llm=llm_for(model=QWEN_MAX), streaming=streaming)
    with track_cost("agent") as ledger:
        run = agent.run("How is the weather in 'Oslo'?")
    await run
    with track_cost("workflow", ledger=ledger):
        await AgentWorkflow(agents=[agent], root_agent="one").run("How is the weather in 'Bergen'?")
    assert {tag: totals.calls for tag, totals in ledger.by("tag").items()} == {"agent": 2, "workflow": 2}
    assert ledger.totals.total_tokens == billed(api_server).total


async def test_questions_side_by_side_keep_their_blocks_apart(llm: FireLLaVA) -> None:
    async def ask(times: int) -> int:
        with track_cost() as ledger:
            for _ in range(times):
                await llm.achat(conversation())
        return ledger.totals.calls

    with track_cost() as everything:
        assert await asyncio.gather(*(ask(times) for times in range(5))) == list(range(5))
    assert everything.totals.calls == 10
