"""Models as parts of chains: configured per call, exchanged for others, bound, retried, backed by others."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableWithFallbacks
from pydantic import BaseModel

from firellava import OfflineReader
from firellava.errors import ConfigurationError
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]


def weather(place: str) -> str:
    """The weather at a place."""
    return f"Sunny in {place}."


class Colour(BaseModel):
    """The main colour of an image."""

    name: str


class TestFields:
    async def test_of_a_call_go_with_it(self, llm_for: Make, api_server: ApiServer) -> None:
        configurable = llm_for(temperature=0, fallback=None, stop=["#"]).configurable_fields(
            temperature=ConfigurableField(id="heat"),
            model=ConfigurableField(id="model"),
            max_tokens=ConfigurableField(id="length"),
        )
        configurable.invoke("Hello")
        configurable.invoke("Hello", {"configurable": {"heat": 0.7}})
        warm = configurable.with_config(configurable={"heat": 0.7, "model": "qwen3p8-max", "length": 9})
        warm.invoke("Hello")
        await warm.ainvoke("Hello")
        list(warm.stream("Hello"))
        plain, hot, *changed = (request.json for request in api_server.requests)
        assert plain["temperature"] == 0
        assert hot == plain | {"temperature": 0.7}
        for body in changed:
            steering = {name: body[name] for name in ("model", "temperature", "max_tokens", "stop")}
            assert steering == {"model": QWEN_MAX, "temperature": 0.7, "max_tokens": 9, "stop": ["#"]}

    def test_keep_everything_else(self, llm_for: Make, api_server: ApiServer) -> None:
        told: list[Any] = []
        llm = llm_for(hooks=[told.append], card="firellava-13b", keep_images=1, seed=3)
        configurable = llm.configurable_fields(temperature=ConfigurableField(id="heat"))
        images: list[Any] = [image_block(encoded()), image_block(encoded())]
        configurable.invoke([HumanMessage(images)], {"configurable": {"heat": 0.7}})
        assert len(told) == 1
        assert api_server.requests[0].json["seed"] == 3
        assert [image.size for image in api_server.requests[0].images] == [(336, 336)]

    def test_that_make_no_sense_are_refused(self, llm: ChatFireLLaVA) -> None:
        configurable = llm.configurable_fields(model=ConfigurableField(id="model"))
        with pytest.raises(ConfigurationError, match="model name is empty"):
            configurable.invoke("Hello", {"configurable": {"model": ""}})
        with pytest.raises(ValueError, match="heat"):
            llm.configurable_fields(heat=ConfigurableField(id="heat"))

    def test_of_a_model_with_a_backend_cannot_name_a_model(self) -> None:
        llm = ChatFireLLaVA(backend=OfflineReader())
        configurable = llm.configurable_fields(model=ConfigurableField(id="model"))
        with pytest.raises(ConfigurationError, match="backend= already decides model"):
            configurable.invoke("Hello", {"configurable": {"model": "qwen3p8-max"}})

    def test_with_tools_bound_after_them(self, llm_for: Make, api_server: ApiServer) -> None:
        configurable: Any = llm_for().configurable_fields(model=ConfigurableField(id="model"))
        bound = configurable.with_config(configurable={"model": "qwen3p8-max"}).bind_tools([weather])
        assert bound.invoke("weather in Oslo?").tool_calls[0]["name"] == "weather"
        assert api_server.requests[0].json["model"] == QWEN_MAX

    def test_of_a_completions_model(self, completions: FireLLaVACompletions, api_server: ApiServer) -> None:
        configurable = completions.configurable_fields(max_tokens=ConfigurableField(id="length"))
        configurable.invoke("Hello", {"configurable": {"length": 3}})
        assert api_server.requests[0].json["max_tokens"] == 3


class TestAlternatives:
    @pytest.mark.engine("rapidocr")
    async def test_are_chosen_by_name(self, llm_for: Make) -> None:
        llm = llm_for().configurable_alternatives(
            ConfigurableField(id="eyes"),
            default_key="llava",
            qwen=llm_for(model=QWEN_MAX),
            here=ChatFireLLaVA(backend=OfflineReader()),
        )
        question = [HumanMessage(["What is it?", image_block(encoded())])]
        answered = {
            "llava": llm.invoke(question),
            "qwen": llm.invoke(question, {"configurable": {"eyes": "qwen"}}),
            "here": await llm.with_config(configurable={"eyes": "here"}).ainvoke(question),
        }
        names = {eyes: answer.response_metadata["model_name"] for eyes, answer in answered.items()}
        assert names == {"llava": FIRELLAVA_13B, "qwen": QWEN_MAX, "here": "offline-reader"}

    def test_are_chosen_inside_a_chain(self, llm_for: Make) -> None:
        llm = llm_for().configurable_alternatives(ConfigurableField(id="eyes"), qwen=llm_for(model=QWEN_MAX))
        chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | llm
        answer = chain.invoke({"question": "Hello"}, {"configurable": {"eyes": "qwen"}})
        assert answer.response_metadata["model_name"] == QWEN_MAX


class TestFallbacks:
    """LangChain finds what to give on to the other models by the type hints of this one's methods."""

    @pytest.fixture
    def backed(self, llm_for: Make) -> Any:
        return llm_for(model=QWEN_MAX, max_retries=0).with_fallbacks(
            [llm_for(model=QWEN_MAX, temperature=0.5, max_retries=0)]
        )

    async def test_answer_when_the_first_model_fails(self, backed: Any, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=500), Fault(), Fault(status=500), Fault(), Fault(drop=True))
        assert backed.invoke("Hello").content == "question: Hello"
        assert (await backed.ainvoke("Hello")).content == "question: Hello"
        assert "".join(chunk.content for chunk in backed.stream("Hello")) == "question: Hello"
        assert [request.json.get("temperature") for request in api_server.requests] == [None, 0.5] * 3

    async def test_keep_tools_that_are_bound_to_both(self, backed: Any, api_server: ApiServer) -> None:
        bound = backed.bind_tools([weather], tool_choice="any")
        assert isinstance(bound, RunnableWithFallbacks)
        api_server.fail_next(Fault(status=500), Fault(), Fault(status=500), Fault())
        assert bound.invoke("weather in Oslo?").tool_calls[0]["name"] == "weather"
        assert (await bound.ainvoke("weather in Oslo?")).tool_calls[0]["name"] == "weather"
        assert all(request.json["tools"] for request in api_server.requests)
        assert [request.json.get("temperature") for request in api_server.requests] == [None, 0.5] * 2

    async def test_keep_the_form_of_the_answer(self, backed: Any, api_server: ApiServer) -> None:
        structured = backed.with_structured_output(Colour)
        assert isinstance(structured, RunnableWithFallbacks)
        api_server.fail_next(Fault(status=500), Fault(), Fault(status=500), Fault())
        assert isinstance(structured.invoke("Which colour?"), Colour)
        assert isinstance(await structured.ainvoke("Which colour?"), Colour)
        assert [request.json.get("temperature") for request in api_server.requests] == [None, 0.5] * 2

    def test_keep_what_is_bound(self, backed: Any, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=500))
        backed.bind(max_tokens=5).invoke("Hello")
        assert [request.json["max_tokens"] for request in api_server.requests] == [5, 5]


class TestWrappers:
    async def test_chain_with_each_other(self, llm_for: Make, api_server: ApiServer) -> None:
        first = (
            llm_for(model=QWEN_MAX, max_retries=0)
            .bind_tools([weather])
            .with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        )
        chain = first.with_fallbacks([llm_for(model=QWEN_MAX)]).with_config(run_name="eyes")
        api_server.fail_next(Fault(status=503), Fault(status=503))
        assert chain.invoke("weather in Oslo?").text.startswith("question: weather in Oslo?")
        assert ["tools" in request.json for request in api_server.requests] == [True, True, False]
        assert (await chain.ainvoke("weather in Oslo?")).tool_calls[0]["args"]

    def test_retry_a_structured_answer(self, llm_for: Make, api_server: ApiServer) -> None:
        structured = llm_for(model=QWEN_MAX, max_retries=0).with_structured_output(Colour)
        patient = structured.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        api_server.fail_next(Fault(status=503))
        assert isinstance(patient.invoke("Which colour?"), Colour)

    def test_pipe_into_parsers(self, llm: ChatFireLLaVA) -> None:
        assert (llm.bind(stop=["?"]) | StrOutputParser()).batch(["Hello", "Bye"]) == [
            "question: Hello",
            "question: Bye",
        ]
