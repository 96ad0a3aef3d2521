"""Conversations in which tools were called: calls and results in every shape."""

from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage

from tests.langchain.histories.history import ASK, RED_IMAGE, History

_CALL = {"id": "call_1", "name": "add", "args": {"a": 3, "b": 4}}
_ANOTHER_CALL = {"id": "call_2", "name": "look", "args": {"colour": "größer als rot"}}
_CALL_OF_OPENAI = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": 3, "b": 4}'},
}
_CALL_OF_ANTHROPIC = {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 3, "b": 4}}
_INVALID_CALL = {"id": "call_1", "name": "add", "args": '{"a": ', "error": "cut"}
_CALLED = AIMessage("", tool_calls=[_CALL])
_SEVEN = ToolMessage("7", tool_call_id="call_1")


def _after(said: AIMessage, *results: BaseMessage) -> History:
    return History([HumanMessage("Add 3 and 4."), said, *results])


def _result(content: Any, **fields: Any) -> History:
    return _after(_CALLED, ToolMessage(content, tool_call_id="call_1", **fields))


CALLS: dict[str, History] = {
    "call and result": _after(_CALLED, _SEVEN),
    "call, result, answer": _after(_CALLED, _SEVEN, AIMessage("7."), HumanMessage("Thanks.")),
    "call with a text": _after(AIMessage("One moment.", tool_calls=[_CALL]), _SEVEN),
    "call with a text block": _after(
        AIMessage([{"type": "text", "text": "Well."}], tool_calls=[_CALL]), _SEVEN
    ),
    "call without arguments": _after(AIMessage("", tool_calls=[{**_CALL, "args": {}}]), _SEVEN),
    "call of no blocks": _after(AIMessage([], tool_calls=[_CALL]), _SEVEN),
    "parallel calls": _after(
        AIMessage("", tool_calls=[_CALL, _ANOTHER_CALL]),
        ToolMessage("7", tool_call_id="call_1", name="add", artifact={"kept": "here"}),
        ToolMessage("Error: not there", tool_call_id="call_2", status="error"),
    ),
    "invalid call": _after(
        AIMessage("", invalid_tool_calls=[_INVALID_CALL]),
        ToolMessage("Error: the arguments are no JSON.", tool_call_id="call_1", status="error"),
    ),
    "call in additional_kwargs": _after(
        AIMessage("", additional_kwargs={"tool_calls": [_CALL_OF_OPENAI]}), _SEVEN
    ),
    "call as functions were called": _after(
        AIMessage("", additional_kwargs={"function_call": {"name": "add", "arguments": "{}"}}),
        HumanMessage("So?"),
    ),
    "call in chunks": _after(
        AIMessageChunk(
            content="",
            tool_call_chunks=[{"id": "call_1", "name": "add", "args": '{"a": 3, "b": 4}', "index": 0}],
        ),
        _SEVEN,
    ),
    "call in Anthropic's block": _after(
        AIMessage([{"type": "text", "text": "Well."}, _CALL_OF_ANTHROPIC], tool_calls=[_CALL]), _SEVEN
    ),
    "call in Anthropic's block alone": _after(AIMessage([_CALL_OF_ANTHROPIC]), _SEVEN),
    "result in Anthropic's block": _after(
        _CALLED, HumanMessage([{"type": "tool_result", "tool_use_id": "call_1", "content": "7"}])
    ),
    "result in a text block": _result([{"type": "text", "text": "7"}]),
    "result in text blocks": _result([{"type": "text", "text": "7"}, {"type": "text", "text": "exactly"}]),
    "result in bare strings": _result(["7", "exactly"]),
    "result in a json block": _result([{"type": "json", "json": {"sum": 7}}]),
    "empty result": _result(""),
    "result of no blocks": _result([]),
    "failed result": _result("Error: too large", status="error"),
    "result with an image": _result([ASK, RED_IMAGE]),
    "result with two images": _result([RED_IMAGE, ASK, RED_IMAGE]),
    "results with images of parallel calls": _after(
        AIMessage("", tool_calls=[_CALL, _ANOTHER_CALL]),
        ToolMessage([RED_IMAGE], tool_call_id="call_1"),
        ToolMessage([RED_IMAGE], tool_call_id="call_2"),
        HumanMessage("And?"),
    ),
    "result that is an image": _result([RED_IMAGE]),
}
