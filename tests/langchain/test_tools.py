"""Tools and structured output: what is asked for, and what comes back."""

from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableWithFallbacks
from pydantic import BaseModel

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


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


QUESTION = "The person is 'Ann', the age is 27."


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
        assert bound.invoke([ask, call, result]).text == (
            "question: add 3 and 4 | tool result: 7 | image 1: PNG 64x48 mean #336699"
        )
        _, assistant, tool = api_server.requests[1].json["messages"]
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

    def test_a_choice_of_no_tool_is_refused(self, qwen: ChatFireLLaVA) -> None:
        with pytest.raises(InvalidRequest, match="'subtract'; the tools are add"):
            qwen.bind_tools([add], tool_choice="subtract")

    def test_a_model_that_calls_none_is_refused_when_it_is_asked(
        self, llm: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        bound = llm.bind_tools([add])
        with pytest.raises(UnsupportedCapability, match="does not call tools"):
            bound.invoke("add 3 and 4")
        assert api_server.requests == []


class TestStructuredOutput:
    @pytest.mark.parametrize("method", ["function_calling", "json_schema", None])
    @pytest.mark.parametrize(
        ("schema", "answer"),
        [
            (Person, Person(name="Ann", age=27)),
            (PersonDict, {"name": "Ann", "age": 27}),
            (Person.model_json_schema(), {"name": "Ann", "age": 27}),
        ],
    )
    async def test_has_the_form_of_the_schema(
        self, qwen: ChatFireLLaVA, method: Any, schema: Any, answer: Any
    ) -> None:
        structured = qwen.with_structured_output(schema, method=method)
        assert structured.invoke(QUESTION) == answer
        assert await structured.ainvoke(QUESTION) == answer

    def test_in_json_mode_follows_the_prompt(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        structured = qwen.with_structured_output(PersonDict, method="json_mode")
        answer: Any = structured.invoke('Answer with the keys "name" and "age".')
        assert answer.keys() == {"name", "age"}
        assert api_server.requests[0].json["response_format"] == {"type": "json_object"}

    def test_takes_the_way_the_model_card_allows(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        assert llm.with_structured_output(Person).invoke(QUESTION) == Person(name="Ann", age=27)
        assert api_server.requests[0].json["response_format"]["type"] == "json_schema"

    @pytest.mark.parametrize("method", ["function_calling", "json_schema"])
    def test_can_be_held_to_it_strictly(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, method: Any
    ) -> None:
        qwen.with_structured_output(Person, method=method, strict=True).invoke(QUESTION)
        body = api_server.requests[0].json
        holder = (
            body["tools"][0]["function"]
            if method == "function_calling"
            else body["response_format"]["json_schema"]
        )
        assert holder["strict"] is True

    def test_can_come_with_the_raw_answer(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        structured = qwen.with_structured_output(Person, method="json_schema", include_raw=True)
        answer: Any = structured.invoke(QUESTION)
        assert isinstance(answer["raw"], AIMessage)
        assert answer["parsed"] == Person(name="Ann", age=27)
        assert answer["parsing_error"] is None
        structured = qwen.with_structured_output(Person, method="json_schema", include_raw=True, max_tokens=2)
        cut: Any = structured.invoke(QUESTION)
        assert cut["parsed"] is None
        assert cut["parsing_error"] is not None


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
