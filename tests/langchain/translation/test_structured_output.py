"""Answers in the form of a schema, by each method; and what is said where there is none."""

import json
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel, Field, RootModel
from pydantic.v1 import BaseModel as BaseModelV1

from firellava import OfflineReader
from firellava.errors import InvalidRequest, UnsupportedCapability
from firellava.models import ModelCard, model_card
from langchain_firellava import ChatFireLLaVA, image_block
from langchain_firellava.translation.structured_answers import StructuredAnswerParser
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

QUESTION = "The person is 'Ann', the age is 27."
METHODS = ["function_calling", "json_schema", "prompt", None]


class Person(BaseModel):
    """A person."""

    name: str
    age: int = Field(ge=0)


class PersonV1(BaseModelV1):
    """A person."""

    name: str
    age: int


class PersonDict(TypedDict):
    """A person."""

    name: str
    age: int


class Picture(BaseModel):
    """What a picture is like."""

    width: int
    colour: str


class Family(BaseModel):
    """Several persons."""

    members: list[Person]


class Words(RootModel[list[str]]):
    """Some words."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def without(capability: str, name: str = "qwen3p8-max") -> ModelCard:
    card = model_card(name)
    capabilities = card.capabilities.model_copy(update={"tools": False, capability: False})
    return card.model_copy(update={"capabilities": capabilities})


def reply(text: str, finish_reason: str = "stop", **message: Any) -> Fault:
    """The next reply, word for word."""
    message = {"role": "assistant", "content": text, **message}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return Fault(body=json.dumps({"id": "1", "model": QWEN_MAX, "choices": [choice]}).encode())


@pytest.fixture
def qwen(llm_for: Make) -> ChatFireLLaVA:
    return llm_for(model=QWEN_MAX)


class TestAnAnswer:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(
        ("schema", "answer"),
        [
            (Person, Person(name="Ann", age=27)),
            (PersonV1, PersonV1(name="Ann", age=27)),
            (PersonDict, {"name": "Ann", "age": 27}),
            (Person.model_json_schema(), {"name": "Ann", "age": 27}),
            ({"name": "person", "parameters": Person.model_json_schema()}, {"name": "Ann", "age": 27}),
            (
                {"name": "person", "schema": Person.model_json_schema(), "strict": True},
                {"name": "Ann", "age": 27},
            ),
            ({**Person.model_json_schema(), "title": "A person, no less"}, {"name": "Ann", "age": 27}),
            (
                {key: value for key, value in Person.model_json_schema().items() if key != "title"},
                {"name": "Ann", "age": 27},
            ),
        ],
        ids=["pydantic", "pydantic v1", "typed dict", "schema", "tool", "format", "title", "no title"],
    )
    async def test_has_the_form_of_the_schema(
        self, qwen: ChatFireLLaVA, method: Any, schema: Any, answer: Any
    ) -> None:
        structured = qwen.with_structured_output(schema, method=method)
        assert structured.invoke(QUESTION) == answer
        assert await structured.ainvoke(QUESTION) == answer
        assert list(structured.stream(QUESTION))[-1] == answer
        assert [value async for value in structured.astream(QUESTION)][-1] == answer

    @pytest.mark.parametrize("method", METHODS)
    def test_may_be_nested(self, qwen: ChatFireLLaVA, method: Any) -> None:
        structured = qwen.with_structured_output(Family, method=method)
        (member,) = structured.invoke(QUESTION).members  # type: ignore[union-attr]  # a Family
        assert member == Person(name="Ann", age=27)

    @pytest.mark.parametrize("method", ["json_schema", "prompt"])
    def test_may_be_an_array(self, qwen: ChatFireLLaVA, api_server: ApiServer, method: Any) -> None:
        api_server.fail_next(reply('Here [they] are: ["red", "blue"]'), times=2)
        schema = {"title": "words", "type": "array", "items": {"type": "string"}}
        words: Any = qwen.with_structured_output(schema, method=method).invoke("Words?")
        assert words == ["red", "blue"]
        assert qwen.with_structured_output(Words, method=method).invoke("Words?") == Words(["red", "blue"])
        for request in api_server.requests:
            assert '"items"' in request.body.decode().replace("\\", "")

    @pytest.mark.parametrize("method", METHODS)
    def test_may_be_about_an_image(self, qwen: ChatFireLLaVA, method: Any) -> None:
        structured = qwen.with_structured_output(Picture, method=method)
        ask: list[Any] = ["What is its width and colour?", image_block(encoded("PNG", (64, 48), "#ff0000"))]
        assert structured.invoke([HumanMessage(ask)]) == Picture(width=64, colour="#ff0000")

    def test_in_json_mode_follows_the_prompt(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        ask = 'Answer with the keys "name" and "age".'
        for schema in (PersonDict, None):
            answer: Any = qwen.with_structured_output(schema, method="json_mode").invoke(ask)
            assert answer.keys() == {"name", "age"}
        assert qwen.with_structured_output().invoke(ask) == answer
        assert api_server.requests[0].json["response_format"] == {"type": "json_object"}

    @pytest.mark.parametrize("method", ["function_calling", "json_schema"])
    def test_can_be_held_to_the_schema_strictly(
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

    @pytest.mark.parametrize("method", METHODS)
    def test_can_come_with_the_raw_one(self, qwen: ChatFireLLaVA, method: Any) -> None:
        answer: Any = qwen.with_structured_output(Person, method=method, include_raw=True).invoke(QUESTION)
        assert isinstance(answer["raw"], AIMessage)
        assert answer["parsed"] == Person(name="Ann", age=27)
        assert answer["parsing_error"] is None


class TestTheMethod:
    @pytest.mark.parametrize(
        ("card", "asked_by"),
        [
            (model_card("qwen3p8-max"), "tools"),
            (without("tools"), "response_format"),
            (without("json_schema"), "prompt"),
        ],
    )
    def test_is_the_best_that_the_model_card_allows(
        self, llm_for: Make, api_server: ApiServer, card: ModelCard, asked_by: str
    ) -> None:
        llm = llm_for(model=QWEN_MAX, card=card)
        assert llm.with_structured_output(Person).invoke(QUESTION) == Person(name="Ann", age=27)
        body = api_server.requests[0].json
        assert {"tools", "response_format"} & body.keys() == {asked_by} - {"prompt"}

    @pytest.mark.parametrize(("model", "asked_by"), [("qwen3p8-max", "tools"), (None, "response_format")])
    def test_is_that_of_the_model_which_is_named_for_it(
        self, llm: ChatFireLLaVA, api_server: ApiServer, model: str | None, asked_by: str
    ) -> None:
        named: dict[str, Any] = {} if model is None else {"model": model}
        assert llm.with_structured_output(Person, **named).invoke(QUESTION) == Person(name="Ann", age=27)
        body = api_server.requests[0].json
        assert {"tools", "response_format"} & body.keys() == {asked_by}
        assert body["model"].endswith(model or "firellava-13b")

    def test_prompt_puts_the_schema_behind_the_question(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        structured = qwen.with_structured_output(Person, method="prompt", temperature=0)
        prompt = ChatPromptTemplate([("system", "Be exact."), ("user", "{question}")])
        (prompt | structured).invoke({"question": QUESTION})
        structured.invoke([HumanMessage([QUESTION, image_block(encoded())])])
        structured.invoke([("user", QUESTION), ("ai", "Well,")])
        first, second, third = (request.json["messages"] for request in api_server.requests)
        assert first[0] == {"role": "system", "content": "Be exact."}
        assert first[1]["content"].startswith(f"{QUESTION}\n\nAnswer with one JSON object")
        assert '"title": "Person"' in first[1]["content"]
        assert [part["type"] for part in second[0]["content"]] == ["text", "image_url", "text"]
        assert [message["role"] for message in third] == ["user", "assistant", "user"]
        assert api_server.requests[0].json["temperature"] == 0

    @pytest.mark.parametrize("method", ["prompt", "json_schema"])
    @pytest.mark.parametrize(
        "text", ['```json\n{"name": "Ann", "age": 27}\n```', 'Sure {here}: {"name": "Ann", "age": 27}. Bye!']
    )
    def test_finds_the_json_in_what_stands_around_it(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, method: Any, text: str
    ) -> None:
        api_server.fail_next(reply(text))
        structured = qwen.with_structured_output(Person, method=method)
        assert structured.invoke(QUESTION) == Person(name="Ann", age=27)

    @pytest.mark.parametrize(
        ("method", "card", "told"),
        [
            ("function_calling", without("tools"), "does not call tools.*method='json_schema'"),
            ("function_calling", without("json_schema"), "does not call tools.*method='prompt'"),
            ("json_schema", without("json_schema"), "response_format.*method='prompt'"),
            ("json_mode", without("json_schema"), "response_format.*method='prompt'"),
        ],
    )
    async def test_that_the_model_lacks_is_an_error_when_it_is_asked(
        self, llm_for: Make, api_server: ApiServer, method: Any, card: ModelCard, told: str
    ) -> None:
        structured = llm_for(model=QWEN_MAX, card=card).with_structured_output(Person, method=method)
        with pytest.raises(UnsupportedCapability, match=told):
            structured.invoke(QUESTION)
        with pytest.raises(UnsupportedCapability, match=told):
            await structured.ainvoke(QUESTION)
        assert api_server.requests == []

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"schema": None, "method": "json_schema"}, "needs a schema"),
            ({"schema": Person, "method": "prompt", "strict": True}, "strict=True"),
            ({"schema": Person, "method": "json_mode", "strict": True}, "strict=True"),
            ({"schema": Person, "tools": [add]}, "include_raw=True"),
            (
                {"schema": Person, "tools": [add], "include_raw": True, "method": "function_calling"},
                "other than function_calling",
            ),
            ({"schema": 7, "method": "json_schema"}, "no schema"),
            ({"schema": 7}, "no tool"),
            ({"schema": Person, "method": "yaml"}, "one of 'function_calling', .* not 'yaml'"),
        ],
    )
    def test_and_what_does_not_go_with_it_is_refused(
        self, qwen: ChatFireLLaVA, settings: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=told):
            qwen.with_structured_output(**settings)


class TestAStream:
    @pytest.mark.parametrize("method", METHODS)
    def test_of_a_schema_gives_dicts_that_grow(self, qwen: ChatFireLLaVA, method: Any) -> None:
        ask = "The person is 'Ann of Green Gables and Avonlea', the age is 27."
        values = list(qwen.with_structured_output(PersonDict, method=method).stream(ask))
        assert values[-1] == {"name": "Ann of Green Gables and Avonlea", "age": 27}
        assert len(values) > 3
        names = [value.get("name", "") for value in values]  # type: ignore[union-attr]  # dicts
        assert names == sorted(names, key=len)

    @pytest.mark.parametrize("method", METHODS)
    def test_of_a_class_gives_objects(self, qwen: ChatFireLLaVA, method: Any) -> None:
        values = list(qwen.with_structured_output(Person, method=method).stream(QUESTION))
        assert values[-1] == Person(name="Ann", age=27)
        assert all(isinstance(value, Person) for value in values)

    @pytest.mark.parametrize("method", METHODS)
    async def test_that_is_cut_off_ends_with_an_error(self, qwen: ChatFireLLaVA, method: Any) -> None:
        structured = qwen.with_structured_output(PersonDict, method=method, max_tokens=3)
        with pytest.raises(OutputParserException, match="raise max_tokens="):
            list(structured.stream(QUESTION))
        with pytest.raises(OutputParserException, match="raise max_tokens="):
            [value async for value in structured.astream(QUESTION)]


class TestWhatHasNotTheForm:
    @pytest.mark.parametrize("streaming", [False, True])
    @pytest.mark.parametrize("schema", [Person, PersonDict])
    @pytest.mark.parametrize("method", METHODS)
    def test_because_it_was_cut_off_says_so(
        self, llm_for: Make, method: Any, schema: Any, *, streaming: bool
    ) -> None:
        llm = llm_for(model=QWEN_MAX, streaming=streaming)
        structured = llm.with_structured_output(schema, method=method, max_tokens=3)
        with pytest.raises(OutputParserException, match=r"cut off.*raise max_tokens=") as caught:
            structured.invoke(QUESTION)
        assert caught.value.llm_output
        raw: Any = llm.with_structured_output(schema, method=method, max_tokens=3, include_raw=True)
        answer = raw.invoke(QUESTION)
        assert answer["parsed"] is None
        assert "max_tokens" in str(answer["parsing_error"])

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            (reply("I cannot help with that."), r"form of Person: 'I cannot help with that\.'"),
            (reply("", "content_filter"), "held the answer back"),
            (reply("No. " * 100), "form of Person: 'No. No."),
            (reply('{"name": "Ann", "age": -1}'), "greater than or equal to 0"),
            (reply('{"name": "Ann"}'), "age"),
            (reply('{"name": "Ann", "age": 27'), "no whole JSON"),
        ],
    )
    @pytest.mark.parametrize("method", ["json_schema", "prompt", "json_mode"])
    def test_for_another_reason_says_which(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, method: Any, given: Fault, told: str
    ) -> None:
        api_server.fail_next(given)
        with pytest.raises(OutputParserException, match=told):
            qwen.with_structured_output(Person, method=method).invoke(QUESTION)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            (reply("I cannot."), r"form of Person: 'I cannot\.'.*did not call Person"),
            (
                reply(
                    "",
                    "tool_calls",
                    tool_calls=[
                        {"id": "1", "type": "function", "function": {"name": "Person", "arguments": '{"na'}}
                    ],
                ),
                r"form of Person: .*Person\(.*na",
            ),
            (
                reply(
                    "",
                    "tool_calls",
                    tool_calls=[
                        {"id": "1", "type": "function", "function": {"name": "Person", "arguments": "{}"}}
                    ],
                ),
                "2 validation errors",
            ),
        ],
    )
    def test_as_a_tool_call_says_why(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, given: Fault, told: str
    ) -> None:
        api_server.fail_next(given)
        with pytest.raises(OutputParserException, match=f"(?s){told}"):
            qwen.with_structured_output(Person).invoke(QUESTION)

    @pytest.mark.engine("rapidocr")
    def test_because_the_offline_reader_gave_it_says_so(self) -> None:
        llm = ChatFireLLaVA(fallback=OfflineReader())
        ask = [HumanMessage(["What is the total?", image_block(encoded())])]
        with pytest.raises(OutputParserException, match="offline-reader answered in the place of the model"):
            llm.with_structured_output(Person, method="prompt").invoke(ask)


class TestToolsBesideTheSchema:
    @pytest.mark.parametrize("method", ["json_schema", "prompt", None])
    def test_may_be_called_instead_of_answering(self, qwen: ChatFireLLaVA, method: Any) -> None:
        structured: Any = qwen.with_structured_output(Person, method=method, tools=[add], include_raw=True)
        called = structured.invoke("add 3 and 4")
        assert called["raw"].tool_calls[0]["args"] == {"a": 3, "b": 4}
        assert (called["parsed"], called["parsing_error"]) == (None, None)
        answered = structured.invoke(f"Without tools: {QUESTION}")
        assert answered["parsed"] == Person(name="Ann", age=27)


class TestFallbacks:
    @pytest.mark.parametrize("method", METHODS)
    def test_of_langchain_keep_working(self, llm_for: Make, api_server: ApiServer, method: Any) -> None:
        first = llm_for(model=QWEN_MAX, max_retries=0)
        structured = first.with_fallbacks([llm_for(model=QWEN_MAX)]).with_structured_output(
            Person, method=method
        )
        api_server.fail_next(Fault(status=503))
        assert structured.invoke(QUESTION) == Person(name="Ann", age=27)
        assert len(api_server.requests) == 2

    @pytest.mark.parametrize("method", METHODS)
    def test_to_another_backend_keep_working(self, api_server: ApiServer, local: Any, method: Any) -> None:
        llm = ChatFireLLaVA(base_url=api_server.base_url, model=QWEN_MAX, fallback=local)  # without a key
        structured = llm.with_structured_output(Person, method=method)
        assert structured.invoke(QUESTION) == Person(name="Ann", age=27)
        assert api_server.requests == []


@pytest.mark.parametrize("strategy", [ToolStrategy, ProviderStrategy])
def test_an_agent_answers_in_the_form_of_a_schema(qwen: ChatFireLLaVA, strategy: Any) -> None:
    agent = create_agent(qwen, response_format=strategy(Person))
    answer = agent.invoke({"messages": [HumanMessage(QUESTION)]})
    assert answer["structured_response"] == Person(name="Ann", age=27)


def test_the_parser_reads_plain_texts_too() -> None:
    assert StructuredAnswerParser().parse('It is {"a": 1}.') == {"a": 1}
    values = list(StructuredAnswerParser().transform(iter(['{"a"', ": 1,", '"b": 2}'])))
    assert values[-1] == {"a": 1, "b": 2}
