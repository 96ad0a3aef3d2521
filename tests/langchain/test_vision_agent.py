"""`VisionTool` in real agents on LangGraph: called by a model over HTTP, with no image in a checkpoint."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from PIL import Image

from firellava.costs.budget import Budget
from firellava.errors import BudgetExceeded, MissingKey
from firellava.image_references import ImageReferences
from langchain_firellava import ChatFireLLaVA, get_firellava_callback, image_block
from langchain_firellava.tools import VisionTool
from tests.api_server import QWEN_MAX, ApiServer, Fault

Make = Callable[..., ChatFireLLaVA]

THREAD: RunnableConfig = {"configurable": {"thread_id": "one"}}
ASK = "Please ask_about_images 'What is it?' about 'photo'"
ANSWER = "question: What is it? | image 1: JPEG 336x336 mean "


def noise() -> bytes:
    """A picture whose bytes are found again wherever they are kept: no two stretches of it are alike."""
    buffer = io.BytesIO()
    Image.effect_noise((336, 336), 90).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


PHOTO = noise()


def asked(text: str = ASK) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


@pytest.fixture
def images() -> ImageReferences:
    return ImageReferences({"photo": PHOTO})


@pytest.fixture
def tool(llm: ChatFireLLaVA, images: ImageReferences) -> VisionTool:
    return VisionTool(llm=llm, images=images)


@pytest.fixture
def agent_for(llm_for: Make, tool: VisionTool) -> Callable[..., Any]:
    """Makes an agent whose model calls tools."""
    return lambda **settings: create_agent(llm_for(model=QWEN_MAX), [tool], **settings)


def holds_an_image(kept: bytes, api_server: ApiServer) -> bool:
    """Whether something of an image is in what was kept: as it was given, or as it was sent."""
    encodings = [PHOTO, *(image.data for request in api_server.requests for image in request.images)]
    return any(
        data[start : start + 60] in kept or base64.b64encode(data[start : start + 60]) in kept
        for data in encodings
        for start in range(0, len(data) - 60, 60)
    )


def kept_in_memory(kept: Any) -> bytes:
    """Everything that a saver holds, serialised as it is."""
    if isinstance(kept, InMemorySaver):
        return kept_in_memory([kept.storage, kept.blobs, kept.writes])
    if isinstance(kept, dict):
        return b"".join(kept_in_memory([key, value]) for key, value in kept.items())
    if isinstance(kept, list | tuple):
        return b"".join(map(kept_in_memory, kept))
    return kept if isinstance(kept, bytes) else str(kept).encode()


def check_answer(messages: list[Any]) -> None:
    """The agent called the tool, was told, and passed it on."""
    question, call, told, answer = messages
    assert isinstance(question, HumanMessage)
    assert isinstance(call, AIMessage)
    assert call.tool_calls[0]["args"] == {"question": "What is it?", "images": ["photo"]}
    assert isinstance(told, ToolMessage)
    assert told.text.startswith(ANSWER)
    assert told.artifact["images"][0]["content_hash"].startswith("sha256-")
    assert told.artifact["usage"]["input_token_details"]["image"] == 576
    assert f"tool result: {ANSWER}" in answer.text


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_an_agent_asks_and_its_checkpoints_hold_no_image(
    agent_for: Callable[..., Any], api_server: ApiServer, way: str
) -> None:
    saver = InMemorySaver()
    agent = agent_for(checkpointer=saver)
    streamed: list[Any] = []
    if way == "invoke":
        agent.invoke(asked(), THREAD)
    elif way == "ainvoke":
        await agent.ainvoke(asked(), THREAD)
    elif way == "stream":
        streamed = list(agent.stream(asked(), THREAD, stream_mode="updates"))
    else:
        streamed = [update async for update in agent.astream(asked(), THREAD, stream_mode="updates")]
    check_answer(agent.get_state(THREAD).values["messages"])
    assert [next(iter(update)) for update in streamed] in ([], ["model", "tools", "model"])
    assert [image.size for request in api_server.requests for image in request.images] == [(336, 336)]
    assert not holds_an_image(kept_in_memory(saver), api_server)
    # An image in the conversation itself would have been found.
    agent.invoke({"messages": [HumanMessage(["without tools: what?", image_block(PHOTO)])]}, THREAD)
    assert holds_an_image(kept_in_memory(saver), api_server)


def test_a_database_of_checkpoints_holds_no_image(
    agent_for: Callable[..., Any], api_server: ApiServer, tmp_path: Path
) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver:
        agent = agent_for(checkpointer=saver)
        agent.invoke(asked(), THREAD)
        agent.invoke(asked("And again: " + ASK), THREAD)
        check_answer(agent.get_state(THREAD).values["messages"][4:])
    assert not holds_an_image(written_to(tmp_path), api_server)
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver:
        again = agent_for(checkpointer=saver)
        check_answer(again.get_state(THREAD).values["messages"][:4])
        again.invoke({"messages": [HumanMessage(["without tools: what?", image_block(PHOTO)])]}, THREAD)
    assert holds_an_image(written_to(tmp_path), api_server)


async def test_an_asynchronous_database_of_checkpoints_holds_no_image(
    agent_for: Callable[..., Any], api_server: ApiServer, tmp_path: Path
) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver:
        agent = agent_for(checkpointer=saver)
        async for _ in agent.astream(asked(), THREAD):
            pass
        check_answer((await agent.aget_state(THREAD)).values["messages"])
    assert not holds_an_image(written_to(tmp_path), api_server)


def written_to(folder: Path) -> bytes:
    """Everything in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_every_call_counts_once_in_whatever_counts(
    agent_for: Callable[..., Any], api_server: ApiServer
) -> None:
    with get_firellava_callback() as cost, get_usage_metadata_callback() as usage:
        await agent_for().ainvoke(asked())
    billed = sum(answer.prompt + answer.completion for answer in api_server.billed)
    assert len(api_server.billed) == 3
    assert cost.successful_requests == 3
    assert cost.total_tokens == billed
    assert sum(tokens["total_tokens"] for tokens in usage.usage_metadata.values()) == billed
    assert {details.model for details in cost.ledger.entries} == set(usage.usage_metadata)


def test_the_vision_models_words_stream_as_the_tools_unless_they_are_kept_out(
    llm_for: Make, images: ImageReferences
) -> None:
    def nodes(**settings: Any) -> list[str]:
        tool = VisionTool(llm=llm_for(**settings), images=images)
        agent: Any = create_agent(llm_for(model=QWEN_MAX), [tool])
        pieces = agent.stream(asked(), stream_mode="messages")
        return [where["langgraph_node"] for piece, where in pieces if not isinstance(piece, ToolMessage)]

    assert "tools" in nodes()
    assert set(nodes(tags=["nostream"])) == {"model"}


def test_an_error_the_model_can_act_on_goes_back_to_it(
    agent_for: Callable[..., Any], api_server: ApiServer
) -> None:
    state = agent_for().invoke(asked("ask_about_images 'What is it?' about 'foto'"))
    *_, told, answer = state["messages"]
    assert told.status == "error"
    assert told.text == "There is no image 'foto'. Name an image by its id ('photo')."
    assert f"tool result: {told.text}" in answer.text
    assert len(api_server.requests) == 2


def test_a_server_that_is_busy_is_told_to_the_model(
    llm_for: Make, images: ImageReferences, api_server: ApiServer
) -> None:
    vision = llm_for(max_retries=0)
    agent: Any = create_agent(llm_for(model=QWEN_MAX), [VisionTool(llm=vision, images=images)])
    calls = agent.stream(asked(), stream_mode="updates")
    next(calls)
    api_server.fail_next(Fault(status=503))
    (told,) = next(calls)["tools"]["messages"]
    assert told.status == "error"
    assert "go on without an answer" in told.text


@pytest.mark.parametrize(
    ("settings", "error"), [({"budget": Budget(calls=0)}, BudgetExceeded), ({"api_key": None}, MissingKey)]
)
async def test_a_spent_budget_and_a_missing_key_end_the_run(
    llm_for: Make, images: ImageReferences, settings: Any, error: type[Exception]
) -> None:
    tool = VisionTool(llm=llm_for(**settings), images=images)
    agent: Any = create_agent(llm_for(model=QWEN_MAX), [tool])
    with pytest.raises(error):
        agent.invoke(asked())
    with pytest.raises(error):
        await agent.ainvoke(asked())


def test_images_registered_while_the_agent_runs_are_told_and_found(
    agent_for: Callable[..., Any], images: ImageReferences, api_server: ApiServer
) -> None:
    agent = agent_for(checkpointer=InMemorySaver())
    agent.invoke(asked(), THREAD)
    upload = images.add(Image.new("RGB", (40, 30), "#ff0000"))
    agent.invoke(asked(f"ask_about_images 'What is it?' about '{upload}'"), THREAD)
    assert "PNG 336x336 mean #de1d1a" in agent.get_state(THREAD).values["messages"][-1].text
    told = [
        request.json["tools"][0]["function"] for request in api_server.requests if "tools" in request.json
    ]
    assert upload not in str(told[0])
    assert upload in told[-1]["parameters"]["properties"]["images"]["description"]
