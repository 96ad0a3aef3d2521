"""Model profiles follow from the model card, and agents and middleware read them rightly."""

from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain.agents.structured_output import AutoStrategy
from langchain_core.language_models import ModelProfile
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from firellava import LlamaCppBackend, ModelCard, OfflineReader, OpenAICompatibleBackend, model_card
from firellava.models import Capabilities
from langchain_firellava import ChatFireLLaVA, image_block
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

LOCAL = OpenAICompatibleBackend(base_url="http://127.0.0.1:11434", model="llava")


def profile_of(llm: ChatFireLLaVA) -> ModelProfile:
    assert llm.profile is not None
    return llm.profile


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {},
            {
                "name": "firellava-13b",
                "max_input_tokens": 4096,
                "tool_calling": False,
                "tool_choice": False,
                "image_tool_message": False,
                "structured_output": True,
            },
        ),
        (
            {"model": "qwen3p8-max"},
            {
                "name": "qwen3p8-max",
                "max_input_tokens": 262_144,
                "tool_calling": True,
                "tool_choice": True,
                "image_tool_message": True,
                "structured_output": True,
            },
        ),
        ({"model": "accounts/me/deployments/eyes"}, {"tool_calling": True}),
        ({"backend": LOCAL}, {"name": "llava", "tool_calling": True, "image_url_inputs": True}),
        ({"backend": LOCAL, "card": "firellava-13b"}, {"max_input_tokens": 4096, "tool_calling": False}),
        ({"backend": OfflineReader()}, {"name": "offline-reader", "structured_output": False}),
        (
            {"card": ModelCard(name="blind", capabilities=Capabilities(tools=True, tool_images="text"))},
            {"name": "blind", "tool_calling": True, "image_tool_message": False},
        ),
    ],
)
def test_it_says_what_the_card_says(settings: dict[str, Any], told: dict[str, Any]) -> None:
    profile = profile_of(ChatFireLLaVA(**settings))
    always = {"image_inputs": True, "image_url_inputs": True, "pdf_inputs": False, "audio_inputs": False}
    assert always | told == {name: profile.get(name) for name in always | told}


@pytest.mark.parametrize(
    "backend", [LOCAL, OfflineReader(), LlamaCppBackend(model_path="m.gguf", mmproj_path="p.gguf")]
)
def test_what_nobody_knows_is_absent(backend: Any) -> None:
    profile = profile_of(ChatFireLLaVA(backend=backend))
    assert "max_output_tokens" not in profile
    assert ("max_input_tokens" in profile) == (backend.model_card.context_window is not None)


def test_a_profile_of_your_own_stays() -> None:
    own = ModelProfile(max_input_tokens=100)
    llm = ChatFireLLaVA(model="qwen3p8-max", profile=own)
    assert llm.profile == own
    assert llm.model_copy(update={"model": "firellava-13b"}).profile == own


class TestAnotherModel:
    """A profile is not that of the model before."""

    def test_by_a_copy(self) -> None:
        copy = ChatFireLLaVA().model_copy(update={"model": QWEN_MAX})
        assert profile_of(copy)["name"] == "qwen3p8-max"

    def test_by_a_setting(self) -> None:
        llm = ChatFireLLaVA()
        llm.model = QWEN_MAX
        assert profile_of(llm)["name"] == "qwen3p8-max"
        llm.card = model_card("firellava-13b")
        assert profile_of(llm)["name"] == "firellava-13b"

    def test_by_settings_that_fit_only_together(self) -> None:
        llm = ChatFireLLaVA()
        llm.backend = OfflineReader()
        llm.model = llm.base_url = None
        assert profile_of(llm)["name"] == "offline-reader"

    def test_by_configuration(self) -> None:
        configurable = ChatFireLLaVA().configurable_fields(model=ConfigurableField(id="model"))
        dynamic: Any = configurable
        llm, _ = dynamic.prepare({"configurable": {"model": "qwen3p8-max"}})
        assert profile_of(llm)["name"] == "qwen3p8-max"


def test_it_is_neither_printed_nor_serialised() -> None:
    assert "profile" not in repr(ChatFireLLaVA())
    assert "profile" not in ChatFireLLaVA().model_dump()


class Colour(BaseModel):
    """The main colour of an image."""

    name: str


class TestAgents:
    async def test_ask_a_model_for_its_own_structured_output(
        self, llm_for: Make, api_server: ApiServer
    ) -> None:
        agent = create_agent(llm_for(model=QWEN_MAX), response_format=AutoStrategy(Colour))
        question: Any = {"messages": [HumanMessage(["Which colour is it?", image_block(encoded())])]}
        for answer in (agent.invoke(question), await agent.ainvoke(question)):
            assert isinstance(answer["structured_response"], Colour)
        for request in api_server.requests:
            assert request.json["response_format"]["type"] == "json_schema"
            assert "tools" not in request.json

    def test_ask_a_model_that_has_none_by_a_tool(self, llm_for: Make, api_server: ApiServer) -> None:
        card = model_card("qwen3p8-max")
        unable = card.model_copy(
            update={"capabilities": card.capabilities.model_copy(update={"json_schema": False})}
        )
        agent = create_agent(llm_for(model=QWEN_MAX, card=unable), response_format=AutoStrategy(Colour))
        answer = agent.invoke({"messages": [HumanMessage("Which colour is it?")]})
        assert isinstance(answer["structured_response"], Colour)
        assert [tool["function"]["name"] for tool in api_server.requests[0].json["tools"]] == ["Colour"]
        assert "response_format" not in api_server.requests[0].json


class TestSummaries:
    def test_begin_at_a_fraction_of_the_context_window(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(
            model=QWEN_MAX, card=model_card("qwen3p8-max").model_copy(update={"context_window": 400})
        )
        summaries = SummarizationMiddleware(llm, trigger=("fraction", 0.5), keep=("messages", 1))
        agent = create_agent(llm, middleware=[summaries])
        short: Any = [HumanMessage("Hello")]
        long: Any = [HumanMessage("word " * 300), AIMessage("Yes."), HumanMessage("And this?")]
        agent.invoke({"messages": short})
        assert len(api_server.requests) == 1
        answer = agent.invoke({"messages": long})
        assert len(api_server.requests) == 3
        assert "summary" in str(answer["messages"][0].content)
        assert answer["messages"][1].content == "And this?"

    def test_believe_the_tokens_that_the_model_counted(self, llm_for: Make, api_server: ApiServer) -> None:
        # The last answer's usage counts where its provider is the one that LangSmith is told.
        llm = llm_for(model=QWEN_MAX)
        summaries = SummarizationMiddleware(llm, trigger=("tokens", 5_000), keep=("messages", 1))
        agent = create_agent(llm, middleware=[summaries])
        first = agent.invoke({"messages": [HumanMessage("Hello")]})["messages"]
        reported = first[-1].model_copy(
            update={
                "usage_metadata": {"input_tokens": 6_000, "output_tokens": 1, "total_tokens": 6_001},
            }
        )
        agent.invoke({"messages": [first[0], reported, HumanMessage("And this?")]})
        assert len(api_server.requests) == 3
