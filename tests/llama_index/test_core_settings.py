"""What every LLM of LlamaIndex can be set to acts here too."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.base.llms.types import MessageRole
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import ChatMessage, ImageBlock
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate, RichPromptTemplate
from llama_index.core.rate_limiter import BaseRateLimiter, TokenBucketRateLimiter
from llama_index.core.schema import TextNode
from llama_index.core.types import BaseOutputParser
from pydantic import BaseModel

from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer
from tests.llama_index.asking import CHAT, COLOUR, COMPLETE, answer, conversation

Make = Callable[..., FireLLaVA]


class Turnstile(BaseRateLimiter):
    """Counts who came through, by which of the two gates."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def acquire(self, num_tokens: int = 0) -> None:
        self.passed.append("sync")

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.passed.append("async")


class Seen(BaseModel):
    """What was read."""

    shop: str


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_rate_limiter_is_asked_once_for_each_call(llm_for: Make, method: str) -> None:
    limiter = Turnstile()
    await answer(llm_for(rate_limiter=limiter), method, conversation() if method in CHAT else "What?")
    assert limiter.passed == ["async" if method.startswith("a") else "sync"]


async def test_so_it_is_for_structured_answers_and_tools(llm_for: Make) -> None:
    limiter = Turnstile()
    llm = llm_for(rate_limiter=limiter, model=QWEN_MAX)
    await llm.astructured_predict(Seen, PromptTemplate("Which shop?"))
    llm.as_structured_llm(Seen).chat(conversation())
    await llm.achat_with_tools([], "Hi")
    assert limiter.passed == ["async", "sync", "async"]


def test_llama_index_s_own_limiter_lets_through_what_it_allows(llm_for: Make) -> None:
    llm = llm_for(rate_limiter=TokenBucketRateLimiter(requests_per_minute=600))
    for _ in range(3):
        assert "What is this?" in str(llm.chat(conversation()))


def test_a_copy_for_another_process_has_none(llm_for: Make, caplog: pytest.LogCaptureFixture) -> None:
    llm = llm_for(rate_limiter=TokenBucketRateLimiter(requests_per_minute=1))
    with caplog.at_level(logging.WARNING):
        again = pickle.loads(pickle.dumps(llm))  # noqa: S301 - pickled on this line
    assert again.rate_limiter is None
    assert "rate_limiter" in caplog.text


def test_it_serves_as_the_llm_of_the_settings(
    llm_for: Make, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "_llm", None)
    Settings.llm = llm_for()
    index = VectorStoreIndex([TextNode(text="Paint dries slowly.")], embed_model=MockEmbedding(embed_dim=8))
    response = index.as_query_engine().query("How does paint dry?")
    assert "Paint dries slowly." in str(response)
    assert Settings.llm.metadata.context_window == 4096
    assert len(api_server.requests) == 1


def test_it_may_be_given_no_callback_manager(llm_for: Make) -> None:
    llm = llm_for(callback_manager=None)
    assert isinstance(llm.callback_manager, CallbackManager)
    assert "What is this?" in str(llm.chat(conversation()))


@pytest.mark.parametrize("method", ["predict", "apredict", "stream", "astream"])
async def test_the_system_prompt_stands_before_predictions(
    llm_for: Make, api_server: ApiServer, method: str
) -> None:
    llm = llm_for(system_prompt="Be brief.")
    made: Any = getattr(llm, method)(PromptTemplate("Who is {name}?"), name="Ada")
    made = await made if method.startswith("a") else made
    if "stream" in method:
        made = "".join([token async for token in made] if method.startswith("a") else list(made))
    assert made == "question: Who is Ada? | system: Be brief."


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_in_conversations_it_is_for_the_caller_to_say(
    llm_for: Make, api_server: ApiServer, method: str
) -> None:
    """As with all LLMs of LlamaIndex."""
    llm = llm_for(system_prompt="Be brief.")
    await answer(llm, method, conversation() if method in CHAT else "What is this?")
    assert [message["role"] for message in api_server.requests[0].json["messages"]] == ["user"]


class Shouting(BaseOutputParser):
    """Asks for shouting, and hears it."""

    def parse(self, output: str) -> str:
        return output.upper()

    def format(self, query: str) -> str:
        return f"{query} SHOUT!"


async def test_an_output_parser_asks_and_reads(llm_for: Make) -> None:
    llm = llm_for(output_parser=Shouting())
    assert llm.predict(PromptTemplate("Who?")) == "QUESTION: WHO? SHOUT!"
    assert await llm.apredict(PromptTemplate("Who?")) == "QUESTION: WHO? SHOUT!"


async def test_images_come_through_templates(
    llm: FireLLaVA, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANKS_MEDIA_ROOT", str(picture.parent))
    rich = RichPromptTemplate("{% chat role='user' %}{{ img | image }}What is {{ it }}?{% endchat %}")
    plain = ChatPromptTemplate(
        [ChatMessage(blocks=[ImageBlock(path=picture), *ChatMessage("What is {it}?").blocks])]
    )
    for made in (
        llm.predict(rich, img=str(picture), it="this"),
        await llm.apredict(rich, img=str(picture), it="this"),
        llm.predict(plain, it="this"),
        await llm.apredict(plain, it="this"),
    ):
        assert made == f"question: What is this? | image 1: PNG 336x336 mean {COLOUR}"


def test_metadata_names_the_role_of_system_prompts_and_the_room_for_answers(llm_for: Make) -> None:
    assert llm_for().metadata.system_role == MessageRole.SYSTEM
    assert (llm_for().metadata.num_output, llm_for(max_tokens=7).metadata.num_output) == (256, 7)
    unknown = llm_for(model="accounts/me/models/new").metadata
    assert (unknown.context_window, unknown.is_function_calling_model) == (3900, True)
