"""Tools: the model calls them, LlamaIndex runs them, and the conversation goes on."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage, ChatResponse, ImageBlock, TextBlock
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from firellava.errors import InvalidRequest, UnsupportedCapability
from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(multiply)]


@pytest.fixture
def qwen(llm_for: Callable[..., FireLLaVA]) -> FireLLaVA:
    return llm_for(model=QWEN_MAX)


def sent(api_server: ApiServer) -> dict[str, Any]:
    body: dict[str, Any] = api_server.requests[-1].json
    return body


async def test_predict_and_call_runs_the_tool_the_model_chose(qwen: FireLLaVA) -> None:
    assert qwen.predict_and_call(TOOLS, "multiply 6 and 7").response == "42"
    assert (await qwen.apredict_and_call(TOOLS, "multiply 6 and 7")).response == "42"


def test_several_calls_are_made_where_they_are_allowed(qwen: FireLLaVA, api_server: ApiServer) -> None:
    question = "First add 1 and 2, then multiply 3 and 4."
    response = qwen.predict_and_call(TOOLS, question, allow_parallel_tool_calls=True)
    assert [source.content for source in response.sources] == ["3", "12"]
    assert sent(api_server)["parallel_tool_calls"] is True
    assert qwen.predict_and_call(TOOLS, question).response == "3"
    assert sent(api_server)["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({}, "auto"),
        ({"tool_required": True}, "required"),
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": "any"}, "any"),
        ({"tool_choice": "multiply"}, {"type": "function", "function": {"name": "multiply"}}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "add"}}},
            {"type": "function", "function": {"name": "add"}},
        ),
        ({"tool_choice": None, "tool_required": True}, "required"),
    ],
)
def test_the_choice_of_a_tool_reaches_the_model(
    qwen: FireLLaVA, api_server: ApiServer, given: dict[str, Any], choice: object
) -> None:
    qwen.chat_with_tools(TOOLS, "1 and 2", **given)
    assert sent(api_server)["tool_choice"] == choice
    assert [tool["function"]["name"] for tool in sent(api_server)["tools"]] == ["add", "multiply"]


def test_without_tools_nothing_is_said_about_them(qwen: FireLLaVA, api_server: ApiServer) -> None:
    qwen.chat_with_tools([], "Hello", tool_required=True)
    assert sent(api_server).keys() == {"model", "messages"}


async def test_a_streamed_call_grows_and_ends_as_the_unstreamed_one(qwen: FireLLaVA) -> None:
    whole = qwen.chat_with_tools(TOOLS, "multiply 6 and 7")
    streams: Sequence[list[ChatResponse]] = (
        list(qwen.stream_chat_with_tools(TOOLS, "multiply 6 and 7")),
        [piece async for piece in await qwen.astream_chat_with_tools(TOOLS, "multiply 6 and 7")],
    )
    for pieces in streams:
        assert pieces[-1].message == whole.message
        arguments = [piece.message.blocks[0].tool_kwargs for piece in pieces]  # type: ignore[union-attr]  # a tool call
        assert [len(text) for text in arguments] == sorted(len(text) for text in arguments)
        so_far = [qwen.get_tool_calls_from_response(piece)[0].tool_kwargs for piece in pieces]
        assert so_far[0] == {}
        assert so_far[-1] == {"a": 6, "b": 7}


def test_the_answer_of_a_tool_goes_back_with_its_call(qwen: FireLLaVA, api_server: ApiServer) -> None:
    asked = ChatMessage(role="user", content="multiply 6 and 7")
    called = qwen.chat_with_tools(TOOLS, asked).message
    (call,) = qwen.get_tool_calls_from_response(ChatResponse(message=called))
    answered = ChatMessage(role="tool", content="42", additional_kwargs={"tool_call_id": call.tool_id})
    response = qwen.chat_with_tools(TOOLS, chat_history=[asked, called, answered])
    assert response.message.content == "question: multiply 6 and 7 | tool result: 42"
    _, assistant, tool = sent(api_server)["messages"]
    assert assistant == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": call.tool_id,
                "type": "function",
                "function": {"name": "multiply", "arguments": '{"a":6,"b":7}'},
            }
        ],
    }
    assert tool == {"role": "tool", "content": "42", "tool_call_id": call.tool_id}


def test_an_image_in_a_tool_message_is_sent(qwen: FireLLaVA, api_server: ApiServer, picture: Path) -> None:
    qwen.chat(
        [
            ChatMessage(role="user", content="Look."),
            ChatMessage(
                role="assistant", blocks=[ToolCallBlock(tool_name="camera", tool_kwargs={"zoom": 2})]
            ),
            ChatMessage(
                role="tool",
                blocks=[TextBlock(text="Here:"), ImageBlock(path=picture)],
                additional_kwargs={"tool_call_id": "camera"},
            ),
        ]
    )
    call = sent(api_server)["messages"][1]["tool_calls"][0]
    assert call["id"] == "camera"
    assert json.loads(call["function"]["arguments"]) == {"zoom": 2}
    assert len(api_server.requests[0].images) == 1


def test_a_tool_message_without_its_call_is_refused(qwen: FireLLaVA, api_server: ApiServer) -> None:
    with pytest.raises(InvalidRequest, match="tool_call_id"):
        qwen.chat([ChatMessage(role="tool", content="42")])
    assert api_server.requests == []


def test_no_call_is_an_error_only_where_one_is_needed(qwen: FireLLaVA) -> None:
    response = qwen.chat([ChatMessage(role="user", content="Hello")])
    assert qwen.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="called no tool"):
        qwen.get_tool_calls_from_response(response)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1, "b": [2, 3', {"a": 1, "b": [2, 3]}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        ("]", {}),
        ("[1]", {}),
    ],
)
def test_arguments_are_read_however_they_were_written(
    qwen: FireLLaVA, written: dict[str, Any] | str, read: dict[str, Any]
) -> None:
    block = ToolCallBlock(tool_name="add", tool_kwargs=written)
    message = ChatMessage(role="assistant", blocks=[block])
    (selected,) = qwen.get_tool_calls_from_response(ChatResponse(message=message))
    assert selected.tool_kwargs == read


def test_only_the_first_call_is_kept_where_one_was_asked_for(qwen: FireLLaVA) -> None:
    response = qwen.chat_with_tools(TOOLS, "add 1 and 2, multiply 3 and 4", allow_parallel_tool_calls=True)
    assert len(qwen.get_tool_calls_from_response(response)) == 2
    one = qwen._validate_chat_with_tools_response(response, TOOLS)
    assert [call.tool_name for call in qwen.get_tool_calls_from_response(one)] == ["add"]
    assert len(one.message.additional_kwargs["tool_calls"]) == 1
    assert len(qwen.get_tool_calls_from_response(response)) == 2


def test_the_first_of_two_calls_that_are_alike_is_kept(qwen: FireLLaVA) -> None:
    alike = [ToolCallBlock(tool_name="add", tool_kwargs={"a": 1, "b": 2}) for _ in range(2)]
    message = ChatMessage(role="assistant", blocks=[TextBlock(text="Adding."), *alike])
    one = qwen._validate_chat_with_tools_response(ChatResponse(message=message), TOOLS)
    assert one.message.blocks == [TextBlock(text="Adding."), alike[0]]


def test_a_model_that_calls_no_tools_refuses_them(llm: FireLLaVA, api_server: ApiServer) -> None:
    with pytest.raises(UnsupportedCapability, match="does not call tools"):
        llm.chat_with_tools(TOOLS, "add 1 and 2")
    assert api_server.requests == []


class Shop(BaseModel):
    """What a receipt says."""

    name: str
    paid: int


async def test_structured_answers_come_through_tools_with_the_image(
    qwen: FireLLaVA, api_server: ApiServer, picture: Path
) -> None:
    question = ChatMessage(
        role="user", blocks=[ImageBlock(path=picture), TextBlock(text='The shop "Corner" was paid 12.')]
    )
    corner = Shop(name="Corner", paid=12)
    structured = qwen.as_structured_llm(Shop)
    assert structured.chat([question]).raw == corner
    assert (await structured.achat([question])).raw == corner
    prompt = ChatPromptTemplate(message_templates=[question])
    assert list(qwen.stream_structured_predict(Shop, prompt))[-1] == corner
    assert [len(request.images) for request in api_server.requests] == [1, 1, 1]
