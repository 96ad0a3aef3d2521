"""Tools: what is offered, what is chosen, and what comes back."""

from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.tools import BaseTool
from pydantic import BaseModel
from pydantic.v1 import BaseModel as BaseModelV1

from firellava.errors import InvalidRequest, UnsupportedCapability
from langchain_firellava import ChatFireLLaVA, image_block
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]


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


class PersonV1(BaseModelV1):
    """A person."""

    name: str
    age: int


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


@pytest.fixture
def qwen(llm_for: Make) -> ChatFireLLaVA:
    return llm_for(model=QWEN_MAX)


class TestTools:
    async def test_calls_come_whole_and_streamed_alike(self, qwen: ChatFireLLaVA) -> None:
        bound = qwen.bind_tools([add, look])
        ask = "add 3 and 4, then look for 'red'"
        whole = bound.invoke(ask)
        assert [(call["name"], call["args"]) for call in whole.tool_calls] == [
            ("add", {"a": 3, "b": 4}),
            ("look", {"colour": "red"}),
        ]
        streamed: Any = None
        for chunk in bound.stream(ask):
            assert isinstance(chunk, AIMessageChunk)
            streamed = chunk if streamed is None else streamed + chunk
        assert streamed.tool_calls == whole.tool_calls
        assert (await bound.ainvoke(ask)).tool_calls == whole.tool_calls

    def test_results_go_back_with_text_and_images(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        bound = qwen.bind_tools([add])
        ask = HumanMessage("add 3 and 4")
        call = bound.invoke([ask])
        result = ToolMessage(["7", image_block(encoded())], tool_call_id=call.tool_calls[0]["id"])
        answer = bound.invoke([ask, call, result]).text
        assert answer.startswith("question: add 3 and 4 | tool result: 7")
        assert answer.endswith("image 1: PNG 64x48 mean #336699")
        _, assistant, tool, _ = api_server.requests[1].json["messages"]
        assert assistant["content"] is None
        assert assistant["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 3, "b": 4}'}
        assert tool["tool_call_id"] == assistant["tool_calls"][0]["id"]

    @pytest.mark.parametrize(
        ("choice", "sent"),
        [
            (None, None),
            ("auto", "auto"),
            ("none", "none"),
            ("any", "any"),
            ("required", "required"),
            (True, "any"),
            (False, None),
            ({"type": "any"}, "any"),
            ({"auto": {}}, "auto"),
            ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
            ({"tool": {"name": "look"}}, {"type": "function", "function": {"name": "look"}}),
            ("look", {"type": "function", "function": {"name": "look"}}),
            (
                {"type": "function", "function": {"name": "look"}},
                {"type": "function", "function": {"name": "look"}},
            ),
        ],
    )
    def test_a_choice_is_sent_in_the_apis_words(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, choice: Any, sent: Any
    ) -> None:
        qwen.bind_tools([add, look], tool_choice=choice, parallel_tool_calls=False).invoke("Hello")
        assert api_server.requests[0].json.get("tool_choice") == sent
        assert api_server.requests[0].json["parallel_tool_calls"] is False

    @pytest.mark.parametrize(
        "choice",
        ["subtract", {"type": "function", "function": {"name": "subtract"}}, {"type": "tool"}, ["add"], 7],
    )
    def test_a_choice_of_no_tool_is_refused(self, qwen: ChatFireLLaVA, choice: Any) -> None:
        with pytest.raises(InvalidRequest, match=r"names .*; the tools are add|names no tool"):
            qwen.bind_tools([add], tool_choice=choice)

    @pytest.mark.parametrize("streams", [False, True])
    def test_arguments_cut_off_at_the_limit_of_tokens_are_no_valid_call(
        self, llm_for: Make, *, streams: bool
    ) -> None:
        bound = llm_for(model=QWEN_MAX, streaming=streams).bind_tools([look], max_tokens=1)
        answer = bound.invoke("look for 'red and blue and green'")
        assert answer.response_metadata["finish_reason"] == "length"
        assert not any(call["args"].get("colour") for call in answer.tool_calls)

    @pytest.mark.parametrize("strict", [None, True, False])
    def test_are_offered_strictly_on_request(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, *, strict: bool | None
    ) -> None:
        ready = {"type": "function", "function": {"name": "see", "parameters": {"type": "object"}}}
        qwen.bind_tools([add, ready], strict=strict).invoke("Hello")
        told = [tool["function"].get("strict") for tool in api_server.requests[0].json["tools"]]
        assert told == [strict, strict]

    def test_a_model_that_calls_none_is_refused_when_it_is_asked(
        self, llm: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        bound = llm.bind_tools([add])
        with pytest.raises(UnsupportedCapability, match="does not call tools"):
            bound.invoke("add 3 and 4")
        assert api_server.requests == []


PARAMETERS = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


class PersonTool(BaseTool):
    name: str = "person"
    description: str = "A person."
    args_schema: Any = Person

    def _run(self, **_: Any) -> str:
        return ""


class TestTheKindsOfTools:
    @pytest.mark.parametrize(
        "tool",
        [
            Person,
            PersonV1,
            PersonDict,
            PersonTool(extras={"cache_control": {"type": "ephemeral"}}),
            Person.model_json_schema(),
            {"title": "person", "description": "A person.", **PARAMETERS},
            {"name": "person", "description": "A person.", "parameters": PARAMETERS, "returns": "nothing"},
            {"name": "person", "input_schema": PARAMETERS, "cache_control": {"type": "ephemeral"}},
            {"toolSpec": {"name": "person", "inputSchema": {"json": PARAMETERS}}},
            {
                "type": "function",
                "function": {"name": "person", "parameters": PARAMETERS, "examples": []},
                "cache_control": {"type": "ephemeral"},
                "defer_loading": True,
            },
        ],
        ids=lambda tool: getattr(tool, "__name__", None),
    )
    def test_are_all_offered_without_a_key_the_api_does_not_know(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, tool: Any
    ) -> None:
        answer = qwen.bind_tools([tool]).invoke("A person: 'Ann', 27")
        (call,) = answer.tool_calls
        assert call["name"].lower().startswith("person")
        assert call["args"] == {"name": "Ann", "age": 27}
        (sent,) = api_server.requests[0].json["tools"]
        assert sent.keys() == {"type", "function"}
        assert sent["function"].keys() <= {"name", "description", "parameters"}

    @pytest.mark.parametrize(
        ("tool", "told"),
        [
            ({"type": "web_search"}, "'web_search' belongs to another service"),
            ({"type": "function"}, "'function' belongs to another service"),
            ({"type": "object", "properties": {}}, "no tool.*title"),
            (7, "no tool"),
        ],
    )
    def test_are_told_from_what_is_none(self, qwen: ChatFireLLaVA, tool: Any, told: str) -> None:
        with pytest.raises(InvalidRequest, match=f"(?s){told}"):
            qwen.bind_tools([tool])


class TestFallbacksOfLangChain:
    """`with_fallbacks` finds out by type hints which methods to call on the fallbacks as well."""

    @pytest.mark.parametrize(
        "derive",
        [
            lambda llm: llm.bind_tools([add], tool_choice="any"),
            lambda llm: llm.with_structured_output(Person),
        ],
    )
    def test_survive_binding(
        self, llm_for: Make, api_server: ApiServer, derive: Callable[[Any], Any]
    ) -> None:
        first = llm_for(model=QWEN_MAX, max_retries=0)
        derived = derive(first.with_fallbacks([llm_for(model=QWEN_MAX)]))
        assert isinstance(derived, RunnableWithFallbacks)
        api_server.fail_next(Fault(status=503))
        assert derived.invoke("add 1 and 2")
        assert len(api_server.requests) == 2
