"""Counting tokens the way LangChain asks for it, without a download and without opening an image."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, trim_messages
from langchain_core.tools import tool
from pydantic import BaseModel, SecretStr

from firellava import OfflineReader, model_card
from firellava.costs.calibration import calibration_of
from firellava.errors import CostUnknown, UnsupportedCapability
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

URL = {"type": "image", "url": "https://pictures.example/cat.jpg"}
SMALL, LARGE = (image_block(encoded("PNG", size)) for size in ((8, 8), (2000, 2000)))


@pytest.fixture(autouse=True)
def _nothing_learnt_before() -> None:
    calibration_of.cache_clear()


@pytest.fixture
def _no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        pytest.fail("counting opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(params=["chat", "completions"])
def model(request: pytest.FixtureRequest, llm: ChatFireLLaVA, completions: FireLLaVACompletions) -> Any:
    return llm if request.param == "chat" else completions


def asking(*content: Any) -> list[BaseMessage]:
    return [HumanMessage(["What is this?", *content])]


@pytest.mark.usefixtures("_no_connections")
class TestMessages:
    @pytest.mark.parametrize("image", [SMALL, LARGE, URL], ids=["small", "large", "url"])
    def test_take_576_tokens_for_each_image(
        self, model: BaseLanguageModel[Any], image: dict[str, Any]
    ) -> None:
        text = model.get_num_tokens_from_messages(asking())
        assert 1 <= text < 50
        assert model.get_num_tokens_from_messages(asking(image)) == text + 576
        assert model.get_num_tokens_from_messages(asking(image, image)) == text + 2 * 576

    def test_take_more_with_more_text_and_more_turns(self, model: BaseLanguageModel[Any]) -> None:
        short = HumanMessage("Hello")
        conversations: list[list[BaseMessage]] = [
            [],
            [short],
            [short, AIMessage("Yes.")],
            [HumanMessage("Hello " * 100)],
        ]
        counted = [model.get_num_tokens_from_messages(messages) for messages in conversations]
        assert counted == sorted(set(counted))
        assert counted[0] == 0

    def test_take_more_with_tools_in_any_form(self, llm: ChatFireLLaVA) -> None:
        @tool
        def weather(city: str) -> str:
            """Tell the weather of a city."""
            return city

        class Weather(BaseModel):
            """Tell the weather of a city."""

            city: str

        none = llm.get_num_tokens_from_messages(asking())
        one = llm.get_num_tokens_from_messages(asking(), tools=[weather])
        assert none < one < llm.get_num_tokens_from_messages(asking(), tools=[weather, Weather])

    def test_cannot_be_counted_where_nobody_knows_what_an_image_takes(self, llm_for: Make) -> None:
        with pytest.raises(CostUnknown, match="qwen3p8-max counts for an image"):
            llm_for(model=QWEN_MAX).get_num_tokens_from_messages(asking(SMALL))
        card = model_card(QWEN_MAX).model_copy(update={"image_token_bound": 1000})
        llm = llm_for(model=QWEN_MAX, card=card)
        text = llm.get_num_tokens_from_messages(asking())
        assert llm.get_num_tokens_from_messages(asking(SMALL)) == text + 1000

    def test_can_be_trimmed_to_fit(self, llm: ChatFireLLaVA) -> None:
        history: list[BaseMessage] = [SystemMessage("Be brief.")]
        for number in range(6):
            history += [*asking(SMALL), AIMessage(f"Picture {number}")]
        history += asking(SMALL)
        trimmed = trim_messages(
            history, max_tokens=2000, token_counter=llm, include_system=True, start_on="human"
        )
        assert trimmed[0] == history[0]
        assert trimmed[1:] == history[-5:]  # three pictures fit, a fourth does not
        assert llm.get_num_tokens_from_messages(trimmed) <= 2000

    def test_are_counted_without_searching_this_machine(self, api_server: ApiServer) -> None:
        settings = {"api_key": SecretStr(api_server.key), "base_url": api_server.base_url}
        first = ChatFireLLaVA(**settings, fallback="auto")
        assert first.get_num_tokens_from_messages(asking(SMALL)) > 576
        assert ChatFireLLaVA(backend=OfflineReader()).get_num_tokens("Hello") > 0
        assert api_server.requests == []


def test_counts_learn_from_replies(llm: ChatFireLLaVA) -> None:
    messages = asking(SMALL)
    guessed = llm.get_num_tokens_from_messages(messages)
    for words in range(1, 12):
        answer = llm.invoke([HumanMessage(["What is this? " * words, SMALL])])
    usage = llm.invoke(messages).usage_metadata
    assert usage is not None
    true = usage["input_tokens"]  # with a system prompt that the server adds
    assert answer.usage_metadata is not None
    assert abs(llm.get_num_tokens_from_messages(messages) - true) < abs(guessed - true)


@pytest.mark.usefixtures("_no_connections")
class TestATextOfItsOwn:
    def test_has_about_as_many_tokens_as_words(self, model: BaseLanguageModel[Any]) -> None:
        text = "The quick brown fox jumps over the lazy dog. " * 10
        assert 80 <= model.get_num_tokens(text) <= 160
        assert model.get_num_tokens("") == 0

    def test_has_no_ids_that_anybody_knows(self, model: BaseLanguageModel[Any]) -> None:
        with pytest.raises(UnsupportedCapability, match=r"firellava-13b .*custom_get_token_ids="):
            model.get_token_ids("Hello")

    def test_is_counted_by_the_tokenizer_that_was_given(self, llm_for: Make) -> None:
        llm = llm_for(custom_get_token_ids=lambda text: [ord(letter) for letter in text])
        assert llm.get_token_ids("abc") == [97, 98, 99]
        assert llm.get_num_tokens("abc") == 3
