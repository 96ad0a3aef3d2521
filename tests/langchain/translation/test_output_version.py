"""Answers as standard content blocks, in both versions of LangChain's output, whole and in pieces."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core._api import LangChainBetaWarning
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage

from firellava.models import model_card
from langchain_firellava import ChatFireLLaVA
from tests.api_server import QWEN_MAX, ApiServer

Make = Callable[..., ChatFireLLaVA]

ASK = "add 3 and 4, then look for 'red'"
REASONING = {"type": "reasoning", "reasoning": "The question has 11 tokens and 0 images."}
CALLS = [
    {"type": "tool_call", "id": "call_1_0", "name": "add", "args": {"a": 3, "b": 4}},
    {"type": "tool_call", "id": "call_1_1", "name": "look", "args": {"colour": "red"}},
]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def look(colour: str) -> str:
    """Look for a colour."""
    return colour


def added(chunks: Any) -> AIMessageChunk:
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


def unnumbered(blocks: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in block.items() if name != "index"} for block in blocks]


@pytest.fixture(params=[None, "v0", "v1", "v1 by the environment"])
def llm(request: pytest.FixtureRequest, llm_for: Make, monkeypatch: pytest.MonkeyPatch) -> ChatFireLLaVA:
    if request.param == "v1 by the environment":
        monkeypatch.setenv("LC_OUTPUT_VERSION", "v1")
        return llm_for(model=QWEN_MAX)
    return llm_for(model=QWEN_MAX, output_version=request.param)


async def test_reasoning_and_calls_are_blocks_in_every_way_of_asking(llm: ChatFireLLaVA) -> None:
    bound: Any = llm.bind_tools([add, look], reasoning_effort="low")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        events = bound.stream_events(ASK, version="v3").output
        aevents = await (await bound.astream_events(ASK, version="v3"))
    answers = [
        bound.invoke(ASK),
        await bound.ainvoke(ASK),
        added(bound.stream(ASK)),
        added([chunk async for chunk in bound.astream(ASK)]),
        events,
        aevents,
    ]
    for answer in answers:
        assert unnumbered(answer.content_blocks) == [REASONING, *CALLS]
        assert answer.tool_calls == CALLS
        assert answer.text == ""


async def test_reasoning_and_text_are_blocks_in_every_way_of_asking(llm: ChatFireLLaVA) -> None:
    expected = [
        {"type": "reasoning", "reasoning": "The question has 1 tokens and 0 images."},
        {"type": "text", "text": "question: Hello"},
    ]
    for answer in (
        llm.invoke("Hello", reasoning_effort="low"),
        added(llm.stream("Hello", reasoning_effort="low")),
        added([chunk async for chunk in llm.astream("Hello", reasoning_effort="low")]),
    ):
        assert unnumbered(answer.content_blocks) == expected
        assert answer.text == "question: Hello"
        if llm.output_version == "v1":
            assert unnumbered(answer.content) == expected
        else:
            assert answer.content == "question: Hello"


async def test_events_of_the_second_version_tell_text_and_the_whole(llm: ChatFireLLaVA) -> None:
    events = [event async for event in llm.astream_events("Hello", version="v2")]
    assert events[0]["event"] == "on_chat_model_start"
    assert events[-1]["event"] == "on_chat_model_end"
    pieces = [event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(piece.text for piece in pieces) == "question: Hello"
    assert events[-1]["data"]["output"].text == "question: Hello"


def test_tool_calls_come_in_pieces_that_say_which_call_they_belong_to(llm: ChatFireLLaVA) -> None:
    chunks = list(llm.bind_tools([add, look]).stream(ASK))
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]  # type: ignore[attr-defined]  # chunks
    for index, (name, call) in enumerate([("add", "call_1_0"), ("look", "call_1_1")]):
        mine = [piece for piece in pieces if piece["index"] == index]
        assert [piece["name"] for piece in mine if piece["name"]] == [name]
        assert [piece["id"] for piece in mine if piece["id"]] == [call]
        assert len(mine) > 2


@pytest.mark.parametrize("streams", [False, True])
def test_a_history_goes_back_with_its_reasoning_and_calls(
    llm: ChatFireLLaVA, api_server: ApiServer, *, streams: bool
) -> None:
    bound = llm.bind_tools([add, look], reasoning_effort="low")
    said = added(bound.stream(ASK)) if streams else bound.invoke(ASK)
    results = [ToolMessage(text, tool_call_id=call["id"]) for text, call in zip("7r", CALLS, strict=True)]
    history: list[BaseMessage] = [HumanMessage(ASK), said, *results]
    answer = bound.invoke(history)
    assert answer.text == f"question: {ASK} | tool result: 7 | tool result: r"
    _, assistant, *_ = api_server.requests[-1].json["messages"]
    assert assistant["reasoning_content"] == REASONING["reasoning"]
    assert assistant["content"] is None
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1_0", "call_1_1"]
    # And once more, with the answer in it.
    bound.invoke([*history, answer, HumanMessage("Thanks, without tools.")])


def test_a_server_that_knows_no_reasoning_gets_none(llm_for: Make, api_server: ApiServer) -> None:
    card = model_card("qwen3p8-max")
    capabilities = card.capabilities.model_copy(
        update={"unsupported_fields": frozenset({"reasoning_content"})}
    )
    llm = llm_for(model=QWEN_MAX, card=card.model_copy(update={"capabilities": capabilities}))
    said = AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Red."}])
    llm.invoke([HumanMessage("Which?"), said, HumanMessage("Sure?")])
    assert api_server.requests[0].json["messages"][1] == {"role": "assistant", "content": "Red."}
