"""A conversation about pictures keeps what the model has room for, counted as the model counts."""

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer, ChatSummaryMemoryBuffer, Memory

from firellava import model_card
from firellava.costs.calibration import Calibration
from firellava.costs.estimate import count_text_tokens
from firellava.errors import ContextOverflow, PromptTooLong
from llama_index_firellava import FireLLaVA
from llama_index_firellava.counting.chat_memory import chat_memory
from llama_index_firellava.counting.tokenizer import text_tokenizer
from tests.api_server import QWEN_MAX, ApiServer, UsagePlacement
from tests.api_server.plain_requests import encoded
from tests.llama_index.asking import CHAT, PICTURE, answer, conversation

Make = Callable[..., FireLLaVA]
Keep = Callable[[Memory], Memory]

KOREAN = "영수증의 합계는 12원입니다. " * 20
# The role by LlamaIndex's counter, which splits at spaces here, and three for a message.
AROUND_THE_MESSAGE = 1 + 3

# FireLLaVA was not trained with two pictures at a time; that is told elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::firellava.SeveralImagesWarning")


def question(number: int) -> ChatMessage:
    return ChatMessage(
        role="user", blocks=[ImageBlock(image=PICTURE), TextBlock(text=f"What is number {number}?")]
    )


async def converse(llm: FireLLaVA, memory: Memory, turns: int) -> None:
    """Ask about a picture, again and again, with all that the memory still holds."""
    for number in range(turns):
        await memory.aput(question(number))
        await memory.aput((await llm.achat(await memory.aget())).message)


async def test_a_long_conversation_never_outgrows_the_model(
    llm_for: Make, api_server: ApiServer, kept: Keep
) -> None:
    llm = llm_for()
    await converse(llm, kept(chat_memory(llm)), 12)
    shown = [len(request.images) for request in api_server.requests]
    assert shown[:4] == [1, 2, 3, 4]
    assert max(shown) == 4
    assert min(shown[4:]) >= 3
    last = api_server.requests[-1].json["messages"]
    assert last[0]["role"] == last[-1]["role"] == "user"
    assert "number 11" in str(last[-1]["content"])


async def test_llama_index_s_own_memory_does(llm: FireLLaVA, api_server: ApiServer, kept: Keep) -> None:
    """What `chat_memory` is for; where this fails, it may not be needed any more."""
    with pytest.raises((ContextOverflow, PromptTooLong)):
        await converse(llm, kept(Memory.from_defaults()), 12)
    assert len(api_server.requests) <= 8


@pytest.mark.parametrize(
    ("settings", "limit", "image"),
    [
        ({}, 4096 - 256, 576),
        ({"max_tokens": 1000}, 3096, 576),
        ({"model": QWEN_MAX}, 262_144 - 256, 2125),
        (
            {
                "model": QWEN_MAX,
                "card": model_card(QWEN_MAX).model_copy(
                    update={"image_token_bound": 900, "context_window": 900}
                ),
            },
            644,
            900,
        ),
    ],
)
def test_its_numbers_are_those_of_the_model_card(
    llm_for: Make, settings: dict[str, Any], limit: int, image: int
) -> None:
    memory = chat_memory(llm_for(**settings))
    assert memory.token_limit == limit
    assert memory.token_flush_size == limit // 10
    assert memory.image_token_size_estimate == image


def test_what_the_caller_knows_better_counts(llm: FireLLaVA) -> None:
    memory = chat_memory(
        llm, token_limit=1000, token_flush_size=50, session_id="me", image_token_size_estimate=1
    )
    assert memory.token_limit == 1000
    assert memory.token_flush_size == 50
    assert memory.session_id == "me"
    assert memory.image_token_size_estimate == 1


def test_a_history_may_be_given(llm: FireLLaVA, kept: Keep) -> None:
    memory = kept(chat_memory(llm, chat_history=[ChatMessage(KOREAN)]))
    memory.put(question(1))
    messages = memory.get()
    assert [str(message.content) for message in messages] == [KOREAN, "What is number 1?"]
    count = text_tokenizer(llm)
    assert memory._estimate_token_count(messages) == 576 + sum(
        len(count(str(message.content))) for message in messages
    )


async def test_a_reply_teaches_what_an_image_takes(llm_for: Make, api_server: ApiServer) -> None:
    api_server.deploy("accounts/me/models/taught", like=QWEN_MAX)
    llm = llm_for(model="accounts/me/models/taught")
    assert chat_memory(llm).image_token_size_estimate == 2125
    await llm.achat(conversation(ImageBlock(image=encoded("PNG", (1200, 800), "#c81e3c"))))
    assert abs(chat_memory(llm).image_token_size_estimate - api_server.billed[-1].image) < 100


def test_texts_are_cut_into_as_many_pieces_as_the_model_counts(llm_for: Make) -> None:
    count = text_tokenizer(llm_for(model="accounts/me/models/never-asked", card="firellava-13b"))
    for text in ("", "Hello.", "영수증의 합계는 12원입니다.", "{" * 50):
        assert len(count(text)) == count_text_tokens(text, model_card("firellava-13b"), Calibration())
    assert len(pickle.loads(pickle.dumps(count))(KOREAN)) == len(count(KOREAN))  # noqa: S301 - pickled on this line


@pytest.mark.parametrize("method", CHAT)
async def test_llama_index_counts_texts_by_our_tokenizer_where_no_reply_states_usage(
    llm_for: Make, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    api_server.usage = UsagePlacement.NEVER
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = llm_for(callback_manager=CallbackManager([counter]))
    monkeypatch.setattr("llama_index.core.global_tokenizer", text_tokenizer(llm))
    await answer(llm, method, conversation(ImageBlock(image=PICTURE), text=KOREAN))
    (event,) = counter.llm_token_counts
    assert event.prompt_token_count == len(text_tokenizer(llm)(KOREAN)) + 576 + AROUND_THE_MESSAGE


@pytest.mark.parametrize("kind", [ChatMemoryBuffer, ChatSummaryMemoryBuffer])
def test_older_memories_take_our_tokenizer(llm: FireLLaVA, api_server: ApiServer, kind: Any) -> None:
    count = text_tokenizer(llm)
    limit = 10 * len(count(KOREAN))
    memory = kind.from_defaults(llm=llm, tokenizer_fn=count, token_limit=limit)
    for number in range(10):
        memory.put(ChatMessage(f"{number} {KOREAN}"))
        memory.put(ChatMessage("Yes.", role="assistant"))
    said = [str(message.content) for message in memory.get() if message.role != "system"]
    assert 0.3 * limit < sum(len(count(text)) for text in said) < limit
    # The one that summarises asks the model to; the other forgets.
    assert len(api_server.requests) == (kind is ChatSummaryMemoryBuffer)


def test_it_works_where_no_event_loop_runs(llm: FireLLaVA, kept: Keep) -> None:
    memory = kept(chat_memory(llm))
    for number in range(9):
        memory.put(question(number))
        memory.put(ChatMessage("A picture.", role="assistant"))
    messages = memory.get()
    assert sum(isinstance(block, ImageBlock) for message in messages for block in message.blocks) == 4
    assert messages[0].role == "user"
    assert asyncio.get_event_loop().is_running() is False
