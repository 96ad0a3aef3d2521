"""The translation of messages and replies by itself, with nothing sent."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from firellava import Choice, Message, OfflineReader, Reply, ReplyChunk, TextPart, ToolCall, Usage
from firellava.errors import InvalidRequest
from firellava.messages import Request
from firellava.replies import ToolCallChunk
from firellava.routing.events import Deliver
from firellava.routing.reply_builder import ReplyBuilder
from langchain_firellava.translation.messages import ChunkTranslator, to_ai_message, to_core_messages


@pytest.mark.parametrize(
    ("given_message", "translated"),
    [
        (HumanMessage("Hi", name="me", id="1"), Message("user", "Hi")),
        (SystemMessage(""), Message("system", "")),
        (
            AIMessage("Hello", additional_kwargs={"reasoning_content": "Hm."}),
            Message("assistant", "Hello", reasoning="Hm."),
        ),
        (
            AIMessage(
                [
                    {"type": "reasoning", "reasoning": "Hm.", "index": 0, "extras": {"signature": "x"}},
                    {"type": "reasoning"},
                    {"type": "reasoning", "reasoning": "So."},
                    {"type": "text", "text": "Hello"},
                ]
            ),
            Message("assistant", [TextPart("Hello")], reasoning="Hm.\nSo."),
        ),
        (AIMessageChunk(content="Hello"), Message("assistant", "Hello")),
        (ChatMessage(content="Hi", role="user"), Message("user", "Hi")),
        (ChatMessage(content="Be brief.", role="developer"), Message("system", "Be brief.")),
        (convert_to_messages([("developer", "Be brief.")])[0], Message("system", "Be brief.")),
        (ToolMessage("12", tool_call_id="c", artifact=object()), Message("tool", "12", tool_call_id="c")),
        (
            AIMessage(
                [{"type": "tool_use", "id": "a", "name": "add", "input": {"x": 1}}],  # said twice
                tool_calls=[{"id": "a", "name": "add", "args": {"x": 1, "y": "ü"}}],
                invalid_tool_calls=[{"id": "b", "name": "add", "args": "{x", "error": "?"}],
            ),
            Message(
                "assistant", (), (ToolCall("a", "add", '{"x": 1, "y": "ü"}'), ToolCall("b", "add", "{x"))
            ),
        ),
    ],
)
def test_messages_keep_role_text_and_calls(given_message: BaseMessage, translated: Message) -> None:
    assert to_core_messages([given_message]) == [translated]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (FunctionMessage(content="12", name="add"), "FunctionMessage.*ToolMessage"),
        (RemoveMessage(id="1"), "RemoveMessage"),
        (ChatMessage(content="Hi", role="narrator"), "'narrator'"),
    ],
)
def test_messages_without_a_role_in_the_api_are_refused(message: BaseMessage, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        to_core_messages([message])


@pytest.mark.parametrize(
    ("provider", "goes_along"), [("firellava", True), ("fireworks", True), ("anthropic", False)]
)
def test_reasoning_goes_along_where_a_model_of_the_api_thought_it(provider: str, *, goes_along: bool) -> None:
    told = {"model_provider": provider}
    block = {"type": "reasoning", "reasoning": "Hm."}
    beside = AIMessage("Hi", additional_kwargs={"reasoning_content": "Hm."}, response_metadata=told)
    for message in to_core_messages([AIMessage([block, "Hi"], response_metadata=told), beside]):
        assert message.reasoning == ("Hm." if goes_along else None)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_call", "id": "a", "name": "add", "args": {"x": "ü"}},
        {"type": "tool_use", "id": "a", "name": "add", "input": {"x": "ü"}, "cache_control": {}},
        {"type": "function_call", "call_id": "a", "id": "fc_1", "name": "add", "arguments": '{"x": "ü"}'},
        {"type": "function_call", "id": "a", "name": "add", "args": {"x": "ü"}},
        {"toolUse": {"toolUseId": "a", "name": "add", "input": {"x": "ü"}}},
    ],
)
def test_calls_that_stand_in_the_content_alone_go_along(block: dict[str, Any]) -> None:
    (message,) = to_core_messages([AIMessage(["Adding.", block])])
    assert message == Message("assistant", [TextPart("Adding.")], (ToolCall("a", "add", '{"x": "ü"}'),))


def test_a_call_without_arguments_has_an_empty_object() -> None:
    (message,) = to_core_messages([AIMessage([{"type": "tool_use", "id": "a", "name": "now"}])])
    assert message.tool_calls == (ToolCall("a", "now", "{}"),)


def test_arguments_that_are_no_json_are_refused() -> None:
    call = {"id": "a", "name": "add", "args": {"x": object()}}
    with pytest.raises(InvalidRequest, match=r"call of add are no JSON"):
        to_core_messages([AIMessage("", tool_calls=[call])])


@pytest.mark.parametrize(
    ("block", "content"),
    [
        ({"type": "tool_result", "tool_use_id": "a", "content": "12", "is_error": True}, "12"),
        (
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "12"}]},
            [TextPart("12")],
        ),
        ({"type": "tool_result", "tool_use_id": "a"}, ""),
        (
            {"toolResult": {"toolUseId": "a", "status": "success", "content": [{"json": {"sum": 12}}]}},
            [TextPart('{"sum": 12}')],
        ),
    ],
)
def test_results_inside_of_a_user_message_become_tool_messages(block: dict[str, Any], content: Any) -> None:
    result = Message("tool", content, tool_call_id="a")
    assert to_core_messages([HumanMessage([block])]) == [result]
    question = Message("user", [TextPart("And now?")])
    assert to_core_messages([HumanMessage([block, "And now?"])]) == [result, question]


def test_a_result_that_answers_no_call_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="tool_use_id"):
        to_core_messages([HumanMessage([{"type": "tool_result", "content": "12"}])])


def test_a_tool_message_keeps_what_it_says_and_nothing_else() -> None:
    failed = ToolMessage("Error: no network", tool_call_id="c", status="error", name="add", artifact=object())
    assert to_core_messages([failed]) == [Message("tool", "Error: no network", tool_call_id="c")]
    several = ToolMessage(["12", {"type": "json", "json": {"unit": "€"}}], tool_call_id="c")
    (message,) = to_core_messages([several])
    assert message.parts == (TextPart("12"), TextPart('{"unit": "€"}'))


@pytest.mark.parametrize("arguments", ["{broken", "[1]", '"text"'])
def test_tool_calls_that_are_no_json_object_are_kept_as_invalid(arguments: str) -> None:
    choice = Choice(finish_reason="tool_calls", tool_calls=(ToolCall("a", "add", arguments),))
    message = to_ai_message(Reply((choice,), backend="b", model="m"))
    assert message.tool_calls == []
    (call,) = message.invalid_tool_calls
    assert (call["id"], call["name"], call["args"]) == ("a", "add", arguments)
    assert call["error"]
    # What came back goes out again as it was.
    assert to_core_messages([message])[0].tool_calls == (ToolCall("a", "add", arguments),)


def test_unknown_usage_is_none_and_not_zero() -> None:
    message = to_ai_message(Reply((Choice("Hi"),), backend="b", model="m"))
    assert message.usage_metadata is None
    assert message.response_metadata["cost_usd"] is None


def test_only_counts_that_were_stated_are_detailed() -> None:
    message = to_ai_message(Reply((Choice("Hi"),), backend="b", model="m", usage=Usage(5, 2, 7)))
    assert message.usage_metadata == {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}


def test_usage_and_cost_of_several_answers_count_once() -> None:
    reply = Reply((Choice("A", "stop"), Choice("B", "length")), backend="b", model="m", usage=Usage(5, 2, 7))
    first, second = to_ai_message(reply), to_ai_message(reply, 1)
    assert first.usage_metadata is not None
    assert second.usage_metadata is None
    assert "cost_usd" not in second.response_metadata
    assert second.response_metadata["finish_reason"] == "length"


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_arguments = st.dictionaries(st.text(max_size=5), _json_values, max_size=3).map(json.dumps)


@st.composite
def _streams(draw: st.DrawFn) -> list[ReplyChunk]:
    """The pieces of a reply, split anywhere; some servers repeat a call's name and id on every fragment."""
    chunks = [ReplyChunk(reasoning=text) for text in draw(st.lists(st.text(max_size=4), max_size=3))]
    chunks += [ReplyChunk(text=text) for text in draw(st.lists(st.text(max_size=4), max_size=4))]
    for index, arguments in enumerate(draw(st.lists(_arguments, max_size=2))):
        cut = draw(st.integers(0, len(arguments)))
        again = draw(st.booleans())
        first = ToolCallChunk(index, f"call_{index}", "look", arguments[:cut])
        rest = ToolCallChunk(index, *((first.id, first.name) if again else (None, None)), arguments[cut:])
        chunks += [ReplyChunk(tool_calls=(first,)), ReplyChunk(tool_calls=(rest,))]
    snapshot = draw(st.booleans())
    usage = Usage(7, 3, 10, image_tokens=5, cached_tokens=1, reasoning_tokens=2)
    chunks.append(
        ReplyChunk(finish_reason="stop", usage=replace(usage, total_tokens=9) if snapshot else None)
    )
    return [*chunks, ReplyChunk(model="m", request_id="r", usage=usage, last=True)]


def _whole(chunks: Sequence[ReplyChunk], *, as_blocks: bool) -> tuple[AIMessageChunk, AIMessage]:
    builder = ReplyBuilder(Request((Message("user", "Hi"),)), Deliver(OfflineReader(), ()))
    built = [builder.add(chunk) for chunk in chunks]
    translator = ChunkTranslator(as_blocks=as_blocks)
    pieces = [piece for chunk in built if (piece := translator.translate(chunk)) is not None]
    added: Any = pieces[0]
    for piece in pieces[1:]:
        added += piece
    last = built[-1].reply
    assert last is not None
    return added, to_ai_message(last)


@given(_streams())
def test_the_chunks_of_a_stream_add_up_to_the_unstreamed_message(chunks: list[ReplyChunk]) -> None:
    added, message = _whole(chunks, as_blocks=False)
    assert added.content == message.content
    assert added.additional_kwargs == message.additional_kwargs
    assert added.tool_calls == message.tool_calls
    assert added.invalid_tool_calls == message.invalid_tool_calls
    assert added.usage_metadata == message.usage_metadata
    assert added.response_metadata == message.response_metadata
    assert added.chunk_position == "last"


@given(_streams())
def test_the_blocks_of_a_stream_add_up_to_those_of_the_unstreamed_message(chunks: list[ReplyChunk]) -> None:
    added, message = _whole(chunks, as_blocks=True)
    unnumbered = [
        {name: value for name, value in block.items() if name != "index"} for block in added.content_blocks
    ]
    assert unnumbered == message.content_blocks
    assert added.text == message.text
    assert added.tool_calls == message.tool_calls
    assert added.usage_metadata == message.usage_metadata
    assert added.response_metadata == message.response_metadata | {"output_version": "v1"}


def test_text_after_something_else_is_a_block_of_its_own() -> None:
    call = ToolCallChunk(0, "a", "look", "{}")
    chunks = [
        ReplyChunk(text="First, "),
        ReplyChunk(tool_calls=(call, replace(call, index=1, id="b"))),
        ReplyChunk(text="then "),
        ReplyChunk(reasoning="Hm."),
        ReplyChunk(text="more."),
        ReplyChunk(last=True),
    ]
    added, _ = _whole(chunks, as_blocks=True)
    kinds = [block["type"] for block in added.content_blocks]
    assert kinds == ["text", "tool_call", "tool_call", "text", "reasoning", "text"]
