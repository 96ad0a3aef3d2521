"""Over sixty conversations as LangChain users have them, and what is bound to the model that gets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.runnables import Runnable
from pydantic import BaseModel

from tests.api_server.plain_requests import data_url, encoded
from tests.langchain.image_shapes import INLINED, RED

__all__ = ["HISTORIES", "URL", "History"]

URL = "https://images.example.com/red.png"
ASK = {"type": "text", "text": "What is this?"}
RED_IMAGE = INLINED["OpenAI"] | {"image_url": {"url": data_url(RED)}}
CALL = {"id": "call_1", "name": "add", "args": {"a": 3, "b": 4}}
ANOTHER_CALL = {"id": "call_2", "name": "look", "args": {"colour": "größer als rot"}}
CALLED = AIMessage("", tool_calls=[CALL])
LARGE = encoded("PNG", (3000, 1500), "#00ff00")
WEBP = encoded("WEBP", (40, 20), "#ff0000")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def look(colour: str) -> str:
    """Look for a colour."""
    return colour


class Person(BaseModel):
    """A person."""

    name: str
    age: int


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


ANTHROPIC_TOOL = {
    "name": "add",
    "description": "Add two numbers.",
    "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "cache_control": {"type": "ephemeral"},
}
TOOL_WITH_MORE_KEYS = {
    "type": "function",
    "function": {"name": "add", "description": "Add.", "parameters": {"type": "object"}, "examples": []},
    "cache_control": {"type": "ephemeral"},
}

Bind = Callable[[BaseChatModel], Runnable[Any, Any]]


def as_it_is(llm: BaseChatModel) -> Runnable[Any, Any]:
    return llm


def with_tools(*tools: Any, **settings: Any) -> Bind:
    return lambda llm: llm.bind_tools(tools, **settings)


def with_schema(schema: Any, **settings: Any) -> Bind:
    return lambda llm: llm.with_structured_output(schema, **settings)


def with_parameters(**parameters: Any) -> Bind:
    return lambda llm: llm.bind(**parameters)


@dataclass(frozen=True)
class History:
    """A conversation, and what the model is bound to."""

    messages: Sequence[BaseMessage]
    bound: Bind = as_it_is


def _asked(*blocks: Any) -> list[BaseMessage]:
    return [HumanMessage(list(blocks))]


def _after(said: AIMessage, *results: BaseMessage) -> list[BaseMessage]:
    return [HumanMessage("Add 3 and 4."), said, *results]


def _v1(*blocks: Any, **fields: Any) -> AIMessage:
    return AIMessage(list(blocks), response_metadata={"output_version": "v1"}, **fields)


HISTORIES: dict[str, History] = {
    # Text and roles
    "text": History([HumanMessage("Hello")]),
    "system": History([SystemMessage("Be brief."), HumanMessage("Hello")]),
    "empty system": History([SystemMessage(""), HumanMessage("Hello")]),
    "system in blocks": History([SystemMessage([{"type": "text", "text": "Be brief."}]), HumanMessage("Hi")]),
    "developer": History(convert_to_messages([("developer", "Be brief."), ("user", "Hello")])),
    "turns": History([HumanMessage("Hello"), AIMessage("Hi."), HumanMessage("And now?")]),
    "two user messages": History([HumanMessage("Hello"), HumanMessage("Are you there?")]),
    "roles in ChatMessage": History([ChatMessage(content="Hello", role="user")]),
    "names and ids": History(
        [HumanMessage("Hello", name="ann", id="1"), AIMessage("Hi.", name="bot", id="2")]
    ),
    "unicode": History([HumanMessage("Größe? 寸法 🖼\n\t“q”")]),
    "texts in a list": History(_asked("Hello", "there")),
    "one text block": History(_asked(ASK)),
    "text of a file": History(
        _asked(ASK, {"type": "text-plain", "text": "A note.", "mime_type": "text/plain"})
    ),
    "text with the marks of a cache": History(_asked(ASK | {"cache_control": {"type": "ephemeral"}})),
    # Images
    **{
        f"image, {shape}": History(_asked(ASK, block))
        for shape, block in INLINED.items()
        if shape != "a drawn one"
    },
    "image by URL": History(_asked(ASK, {"type": "image", "url": URL})),
    "detail beside a standard image": History(
        _asked(ASK, {"type": "image", "url": URL, "extras": {"detail": "low"}})
    ),
    "image by URL, OpenAI": History(_asked(ASK, {"type": "image_url", "image_url": {"url": URL}})),
    "image by URL, Anthropic": History(_asked(ASK, {"type": "image", "source": {"type": "url", "url": URL}})),
    "image before the text": History(_asked(RED_IMAGE, ASK)),
    "two images": History(_asked(ASK, RED_IMAGE, RED_IMAGE)),
    "image alone": History(_asked(RED_IMAGE)),
    "image of an earlier turn": History([*_asked(ASK, RED_IMAGE), AIMessage("Red."), HumanMessage("Sure?")]),
    "large image": History(_asked(ASK, {"type": "image_url", "image_url": {"url": data_url(LARGE)}})),
    "image in a format the API does not take": History(
        _asked(ASK, {"type": "image_url", "image_url": {"url": data_url(WEBP, "webp")}})
    ),
    # Tools
    "tool call and result": History(_after(CALLED, ToolMessage("7", tool_call_id="call_1"))),
    "parallel calls": History(
        _after(
            AIMessage("One moment.", tool_calls=[CALL, ANOTHER_CALL]),
            ToolMessage("7", tool_call_id="call_1", name="add", artifact={"kept": "here"}),
            ToolMessage("Error: not there", tool_call_id="call_2", status="error"),
            AIMessage("7."),
            HumanMessage("Thanks."),
        )
    ),
    "result in blocks": History(
        _after(CALLED, ToolMessage([{"type": "text", "text": "7"}], tool_call_id="call_1"))
    ),
    "result with an image": History(_after(CALLED, ToolMessage([ASK, RED_IMAGE], tool_call_id="call_1"))),
    "invalid call": History(
        _after(
            AIMessage(
                "", invalid_tool_calls=[{"id": "call_1", "name": "add", "args": '{"a": ', "error": "cut"}]
            ),
            ToolMessage("Error: the arguments are no JSON.", tool_call_id="call_1"),
        )
    ),
    "call in additional_kwargs": History(
        _after(
            AIMessage(
                "",
                additional_kwargs={
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "add", "arguments": '{"a": 3, "b": 4}'},
                        }
                    ]
                },
            ),
            ToolMessage("7", tool_call_id="call_1"),
        )
    ),
    "call in chunks": History(
        _after(
            AIMessageChunk(
                content="",
                tool_call_chunks=[{"id": "call_1", "name": "add", "args": '{"a": 3, "b": 4}', "index": 0}],
            ),
            ToolMessage("7", tool_call_id="call_1"),
        )
    ),
    "Anthropic's call and result": History(
        _after(
            AIMessage(
                [
                    {"type": "text", "text": "One moment."},
                    {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 3, "b": 4}},
                ],
                tool_calls=[CALL],
            ),
            ToolMessage("7", tool_call_id="call_1"),
        )
    ),
    "Anthropic's call and result in dicts": History(
        convert_to_messages(
            [
                {"role": "user", "content": "Add 3 and 4."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 3, "b": 4}}
                    ],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "7"}],
                },
            ]
        )
    ),
    "tools": History([HumanMessage("Add 3 and 4.")], with_tools(add, look)),
    "one tool, required": History([HumanMessage("Add 3 and 4.")], with_tools(add, tool_choice="required")),
    "one tool by name": History([HumanMessage("Add 3 and 4.")], with_tools(add, look, tool_choice="add")),
    "any tool, one at a time": History(
        [HumanMessage("Add 3 and 4.")], with_tools(add, look, tool_choice="any", parallel_tool_calls=False)
    ),
    "strict tool": History([HumanMessage("Add 3 and 4.")], with_tools(add, strict=True)),
    "tools as classes": History([HumanMessage("Ann, 27")], with_tools(Person, PersonDict)),
    "Anthropic's tool": History([HumanMessage("Add 3 and 4.")], with_tools(ANTHROPIC_TOOL)),
    "tool with keys of others": History([HumanMessage("Add 3 and 4.")], with_tools(TOOL_WITH_MORE_KEYS)),
    # Reasoning and other things that models say
    "reasoning beside the text": History(
        [
            HumanMessage("Hello"),
            AIMessage("Hi.", additional_kwargs={"reasoning_content": "A greeting."}),
            HumanMessage("And now?"),
        ]
    ),
    "reasoning of another service": History(
        [
            HumanMessage("Hello"),
            AIMessage(
                [{"type": "thinking", "thinking": "A greeting.", "signature": "x"}, ASK],
                response_metadata={"model_provider": "anthropic"},
            ),
            HumanMessage("And now?"),
        ]
    ),
    "v1 text": History(
        [HumanMessage("Hello"), _v1({"type": "text", "text": "Hi.", "index": 0}), *_asked(ASK)]
    ),
    "v1 text and citation": History(
        [
            HumanMessage("Hello"),
            _v1({"type": "text", "text": "Hi.", "annotations": [{"type": "citation", "url": URL}]}),
            *_asked(ASK),
        ]
    ),
    "v1 reasoning": History(
        [
            HumanMessage("Hello"),
            _v1({"type": "reasoning", "reasoning": "A greeting."}, {"type": "text", "text": "Hi."}),
            *_asked(ASK),
        ]
    ),
    "v1 calls": History(
        _after(_v1({"type": "tool_call", **CALL}, tool_calls=[CALL]), ToolMessage("7", tool_call_id="call_1"))
    ),
    # Structured output and parameters
    "structured by a tool": History(
        [HumanMessage("Ann, 27")], with_schema(Person, method="function_calling")
    ),
    "structured by a schema": History([HumanMessage("Ann, 27")], with_schema(Person, method="json_schema")),
    "structured by a strict schema": History(
        [HumanMessage("Ann, 27")], with_schema(Person.model_json_schema(), method="json_schema", strict=True)
    ),
    "structured about an image": History(
        _asked(ASK, RED_IMAGE), with_schema(PersonDict, method="function_calling")
    ),
    "JSON": History([HumanMessage('JSON with "name".')], with_schema(PersonDict, method="json_mode")),
    "parameters": History(
        [HumanMessage("Hello")],
        with_parameters(temperature=0.5, max_tokens=20, top_p=0.9, stop=["#"], seed=7, logprobs=True),
    ),
}
