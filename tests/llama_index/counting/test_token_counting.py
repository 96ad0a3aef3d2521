"""LlamaIndex's own TokenCountingHandler: exact where the API states usage, and what it says where not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatStartEvent
from llama_index.core.llms import ImageBlock
from llama_index.core.schema import ImageNode
from pydantic import PrivateAttr

from firellava import model_card
from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer, UsagePlacement
from tests.llama_index.asking import CHAT, COMPLETE, PICTURE, answer, conversation
from tests.llama_index.billing import billed

STATED = [placement for placement in UsagePlacement if placement is not UsagePlacement.NEVER]
# The role, "What is this?" by LlamaIndex's tokenizer, and three for a message.
AROUND_THE_IMAGE = 1 + 4 + 3
PROMPT = "USER:\n<image>\nWhat is this?\n\nASSISTANT:"


@pytest.fixture
def counter() -> TokenCountingHandler:
    """Counts every word as a token, where it must count itself."""
    return TokenCountingHandler(tokenizer=str.split)


def guessed_prompt(counter: TokenCountingHandler) -> int:
    (event,) = counter.llm_token_counts
    return event.prompt_token_count


async def ask(llm: FireLLaVA, method: str, picture: Path, **settings: Any) -> Any:
    if method in CHAT:
        return await answer(llm, method, conversation(ImageBlock(path=picture)))
    images = [ImageNode(image_path=str(picture))]
    return await answer(llm, method, PROMPT, image_documents=images, **settings)


@pytest.mark.parametrize("placement", STATED)
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
@pytest.mark.parametrize("formatted", [False, True])
async def test_stated_usage_is_counted_exactly(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    counter: TokenCountingHandler,
    picture: Path,
    method: str,
    placement: UsagePlacement,
    *,
    formatted: bool,
) -> None:
    api_server.usage = placement
    llm = llm_for(callback_manager=CallbackManager([counter]))
    await ask(llm, method, picture, **({"formatted": formatted} if method in COMPLETE else {}))
    truth = billed(api_server)
    assert len(counter.llm_token_counts) == truth.answers == 1
    assert counter.prompt_llm_token_count == truth.prompt
    assert counter.completion_llm_token_count == truth.completion


@pytest.mark.parametrize("method", CHAT)
async def test_where_no_usage_is_stated_an_image_counts_as_the_model_card_says(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    counter: TokenCountingHandler,
    method: str,
    picture: Path,
) -> None:
    """It counts the words itself, and cannot say that it does."""
    api_server.usage = UsagePlacement.NEVER
    await ask(llm_for(callback_manager=CallbackManager([counter])), method, picture)
    assert guessed_prompt(counter) == 576 + AROUND_THE_IMAGE
    assert counter.completion_llm_token_count > 0


@pytest.mark.parametrize("method", COMPLETE)
async def test_of_a_completion_without_usage_it_counts_the_prompt_alone(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    counter: TokenCountingHandler,
    method: str,
    picture: Path,
) -> None:
    """LlamaIndex's own doing: it is told of the prompt and not of the images."""
    api_server.usage = UsagePlacement.NEVER
    await ask(llm_for(callback_manager=CallbackManager([counter])), method, picture)
    assert guessed_prompt(counter) == len(PROMPT.split())


@pytest.mark.parametrize("method", CHAT)
async def test_an_image_is_neither_downloaded_nor_opened_to_be_counted(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    counter: TokenCountingHandler,
    method: str,
    picture: Path,
) -> None:
    """LlamaIndex alone would reach for the internet, here and now, and raise into the caller's answer."""
    api_server.usage = UsagePlacement.NEVER
    url = "https://images.example.com/picture.png"
    api_server.host_image(url, PICTURE)
    llm = llm_for(callback_manager=CallbackManager([counter]))
    assert await answer(llm, method, conversation(ImageBlock(url=url)))
    assert guessed_prompt(counter) == 576 + AROUND_THE_IMAGE


async def test_an_image_of_which_nothing_is_known_counts_as_seen_bounded_or_guessed(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, picture: Path
) -> None:
    name = "accounts/me/models/counts-as-it-likes"
    api_server.deploy(name, like=QWEN_MAX)
    asked = conversation(ImageBlock(path=picture))

    def of_image(**settings: Any) -> int:
        counter = TokenCountingHandler(tokenizer=str.split)
        llm_for(model=name, callback_manager=CallbackManager([counter]), **settings).chat(asked)
        return guessed_prompt(counter) - AROUND_THE_IMAGE

    api_server.usage = UsagePlacement.NEVER
    assert of_image() == 2125
    assert of_image(card=model_card(name).model_copy(update={"image_token_bound": 900})) == 900


class Messages(BaseEventHandler):
    """Keeps the messages of the events."""

    _seen: list[Any] = PrivateAttr(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:
        if isinstance(event, LLMChatStartEvent):
            self._seen += event.messages


def test_observers_see_the_same_messages(llm: FireLLaVA, picture: Path) -> None:
    """The blocks that count serialise as the ones they stand for, and those of the caller stay his own."""
    asked = conversation(ImageBlock(path=picture), ImageBlock(image=PICTURE))
    before = [message.model_copy(deep=True) for message in asked]
    dispatcher, handler = get_dispatcher(), Messages()
    dispatcher.add_event_handler(handler)
    try:
        with pytest.warns(Warning, match="several images|more than one image"):
            llm.chat(asked)
    finally:
        dispatcher.event_handlers.remove(handler)
    assert asked == before
    assert [message.model_dump() for message in handler._seen] == [message.model_dump() for message in asked]
    counted = handler._seen[0].blocks
    assert [block.model_dump() for block in counted] == [block.model_dump() for block in asked[0].blocks]
    assert counted[0].estimate_tokens() == counted[1].estimate_tokens() == 576
    assert [type(block) for block in asked[0].blocks[:2]] == [ImageBlock, ImageBlock]
