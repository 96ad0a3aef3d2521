"""Questions to models with tools, schemas and parameters bound to them."""

from collections.abc import Callable
from typing import Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from tests.api_server import FIRELLAVA_13B
from tests.langchain.histories.history import ASK, RED_IMAGE, History, asked


def add(a: int, b: int = 0) -> int:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.
    """
    return a + b


@tool
def look(colour: str) -> str:
    """Look for a colour."""
    return colour


class Person(BaseModel):
    """A person."""

    name: str
    age: int = Field(description="In years.", ge=0)


class Family(BaseModel):
    """A family."""

    members: list[Person]
    pet: str | None = None


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


_OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
_ADD = {"name": "add", "description": "Add.", "parameters": _OBJECT}
_OF_OPENAI = {"type": "function", "function": _ADD}
_OF_ANTHROPIC = {"name": "add", "description": "Add two numbers.", "input_schema": _OBJECT}
_SCHEMA = {"title": "Sum", "description": "A sum.", **_OBJECT}
_ARRAY = {"title": "Sums", "type": "array", "items": _OBJECT}

Bind = Callable[[BaseChatModel], Runnable[Any, Any]]


def _as_response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": schema["title"], "schema": schema, "strict": True}}


def _with_tools(*tools: Any, **settings: Any) -> History:
    return History([HumanMessage("Add 3 and 4.")], lambda llm: llm.bind_tools(tools, **settings))


def _structured(schema: Any, **settings: Any) -> History:
    return History([HumanMessage("Ann, 27")], lambda llm: llm.with_structured_output(schema, **settings))


def _with_parameters(**parameters: Any) -> History:
    return History([HumanMessage("Hello")], lambda llm: llm.bind(**parameters))


BINDINGS: dict[str, History] = {
    # Tools
    "tool": _with_tools(add),
    "tools": _with_tools(add, look, Person, PersonDict),
    "no tools": _with_tools(),
    "tool in nested classes": _with_tools(Family),
    "tool of OpenAI": _with_tools(_OF_OPENAI),
    "tool of Anthropic": _with_tools(_OF_ANTHROPIC),
    "tool as a JSON schema": _with_tools(_SCHEMA),
    "tool of Anthropic, marked for a cache": _with_tools(
        {**_OF_ANTHROPIC, "cache_control": {"type": "ephemeral"}}
    ),
    "tool of OpenAI with keys of others": _with_tools(
        {"type": "function", "function": {**_ADD, "examples": []}, "cache_control": {}}
    ),
    "tool that a service has built in": _with_tools({"type": "web_search"}),
    "tool, strict": _with_tools(add, strict=True),
    "tool, not strict": _with_tools(add, strict=False),
    "tool of OpenAI, strict": _with_tools(_OF_OPENAI, strict=True),
    "tools, one at a time": _with_tools(add, look, parallel_tool_calls=False),
    "tools, streamed": History(
        [HumanMessage("Add.")], lambda llm: llm.bind_tools([add, look]), streamed=True
    ),
    "tools and an image": History(asked(ASK, RED_IMAGE), lambda llm: llm.bind_tools([look])),
    # Which of them
    "choice auto": _with_tools(add, look, tool_choice="auto"),
    "choice none": _with_tools(add, look, tool_choice="none"),
    "choice any": _with_tools(add, look, tool_choice="any"),
    "choice required": _with_tools(add, look, tool_choice="required"),
    "choice required of one": _with_tools(add, tool_choice="required"),
    "choice True": _with_tools(add, tool_choice=True),
    "choice True of two": _with_tools(add, look, tool_choice=True),
    "choice False": _with_tools(add, look, tool_choice=False),
    "choice by name": _with_tools(add, look, tool_choice="look"),
    "choice by OpenAI's object": _with_tools(
        add, look, tool_choice={"type": "function", "function": {"name": "look"}}
    ),
    "choice by Anthropic's object": _with_tools(add, look, tool_choice={"type": "tool", "name": "look"}),
    "choice by Bedrock's object": _with_tools(add, look, tool_choice={"tool": {"name": "look"}}),
    "choice any in an object": _with_tools(add, look, tool_choice={"type": "any"}),
    "choice of no tool there is": _with_tools(add, look, tool_choice="jump"),
    # Structured output
    "structured": _structured(Person),
    "structured by a tool": _structured(Person, method="function_calling"),
    "structured by a tool, strict": _structured(Person, method="function_calling", strict=True),
    "structured by a tool, typed dict": _structured(PersonDict, method="function_calling"),
    "structured by a tool, JSON schema": _structured(_SCHEMA, method="function_calling"),
    "structured by a tool, raw too": _structured(Person, method="function_calling", include_raw=True),
    "structured by a schema": _structured(Person, method="json_schema"),
    "structured by a schema, nested": _structured(Family, method="json_schema"),
    "structured by a schema, strict": _structured(_SCHEMA, method="json_schema", strict=True),
    "structured by a schema, not strict": _structured(Person, method="json_schema", strict=False),
    "structured by a schema, typed dict": _structured(PersonDict, method="json_schema"),
    "structured by a schema, an array": _structured(_ARRAY, method="json_schema", include_raw=True),
    "structured by a schema without a title": _structured(_OBJECT, method="json_schema"),
    "structured by a schema, beside tools": _structured(
        _SCHEMA, method="json_schema", include_raw=True, strict=True, tools=[look]
    ),
    "structured by JSON": _structured(PersonDict, method="json_mode"),
    "structured by JSON of any form": _structured(None, method="json_mode"),
    "structured about an image": History(
        asked(ASK, RED_IMAGE), lambda llm: llm.with_structured_output(Person, method="function_calling")
    ),
    # Parameters
    "sampling": _with_parameters(temperature=0.5, top_p=0.9, seed=7),
    "temperature that is none": _with_parameters(temperature=3.0),
    "temperature of None": _with_parameters(temperature=None),
    "temperature of zero": _with_parameters(temperature=0),
    "max_tokens": _with_parameters(max_tokens=20),
    "max_completion_tokens": _with_parameters(max_completion_tokens=20),
    "stop": _with_parameters(stop=["#", "---"]),
    "stop, a string": _with_parameters(stop="#"),
    "more stops than the API takes": _with_parameters(stop=list("abcde")),
    "penalties": _with_parameters(frequency_penalty=0.5, presence_penalty=-0.5),
    "two answers wanted": _with_parameters(n=2),
    "logprobs": _with_parameters(logprobs=True, top_logprobs=2),
    "reasoning_effort": _with_parameters(reasoning_effort="low"),
    "top_k": _with_parameters(top_k=40),
    "extra_body": _with_parameters(extra_body={"top_k": 40, "prompt_cache_key": "session"}),
    "service_tier": _with_parameters(service_tier="priority"),
    "user": _with_parameters(user="ann"),
    "prompt_cache_key": _with_parameters(prompt_cache_key="session"),
    "logit_bias": _with_parameters(logit_bias={"1": 5.0}),
    "parameter that nobody knows": _with_parameters(temprature=0.5),
    "stream_usage": History([HumanMessage("Hello")], lambda llm: llm.bind(stream_usage=True), streamed=True),
    "response_format of a schema": _with_parameters(response_format=_as_response_format(_SCHEMA)),
    "response_format of a schema, beside tools": _with_tools(
        look, response_format=_as_response_format(_SCHEMA)
    ),
    "response_format, a class": _with_parameters(response_format=Person),
    "response_format": _with_parameters(response_format={"type": "json_object"}),
    "another model": _with_parameters(model=FIRELLAVA_13B),
}
