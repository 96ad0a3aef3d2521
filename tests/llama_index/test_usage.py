"""What a call cost and who answered, where LlamaIndex's own counters and people look for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ImageBlock
from llama_index.core.schema import ImageNode

from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer, UsagePlacement
from tests.api_server.served_models import LLAVA_SYSTEM_PROMPT
from tests.api_server.tokens import TOKENS_PER_MESSAGE, count
from tests.llama_index.asking import CHAT, COLOUR, COMPLETE, answer, conversation, responses

PROMPT_TOKENS = 2 * TOKENS_PER_MESSAGE + count(LLAVA_SYSTEM_PROMPT) + count("What is this?") + 576
COMPLETION_TOKENS = count(f"question: What is this? | image 1: PNG 336x336 mean {COLOUR}")
STATED = [placement for placement in UsagePlacement if placement is not UsagePlacement.NEVER]


@pytest.mark.parametrize("placement", STATED)
@pytest.mark.parametrize("method", CHAT)
async def test_usage_stands_on_the_whole_response_in_both_places(
    llm: FireLLaVA, api_server: ApiServer, method: str, placement: UsagePlacement, picture: Path
) -> None:
    api_server.usage = placement
    *pieces, whole = await responses(llm, method, conversation(ImageBlock(path=picture)))
    expected = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        "image_tokens": 576,
    }
    assert whole.additional_kwargs.items() >= expected.items()
    assert whole.raw["usage"].items() >= expected.items()
    assert all("prompt_tokens" not in piece.additional_kwargs and not piece.raw for piece in pieces)


@pytest.mark.parametrize("method", COMPLETE)
async def test_a_completion_says_who_answered_and_what_it_cost(
    llm: FireLLaVA, method: str, picture: Path
) -> None:
    images = [ImageNode(image_path=str(picture))]
    response = await answer(llm, method, "What is this?", image_documents=images)
    told = response.additional_kwargs
    dollars = (PROMPT_TOKENS + COMPLETION_TOKENS) * 0.20 / 1_000_000
    assert told["cost_usd"] == f"{dollars:.7f}"
    assert told["model_name"] == "accounts/fireworks/models/firellava-13b"
    assert told["backend"] == "fireworks:firellava-13b"
    assert told["degraded"] is False
    assert told["fallback_from"] == []
    assert told["finish_reason"] == "stop"
    assert told["request_id"].startswith("request-")
    assert told["adjustments"] == ["image 1: scaled from 64x64 to 336x336"]


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
@pytest.mark.parametrize("placement", STATED)
async def test_the_token_counter_is_exact(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    method: str,
    placement: UsagePlacement,
    picture: Path,
) -> None:
    api_server.usage = placement
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = llm_for(callback_manager=CallbackManager([counter]))
    if method in CHAT:
        await answer(llm, method, conversation(ImageBlock(path=picture)))
    else:
        await answer(llm, method, "What is this?", image_documents=[ImageNode(image_path=str(picture))])
    assert len(counter.llm_token_counts) == 1
    assert counter.prompt_llm_token_count == PROMPT_TOKENS
    assert counter.completion_llm_token_count == COMPLETION_TOKENS


@pytest.mark.parametrize("method", ["chat", "stream_chat"])
async def test_unknown_usage_is_none_and_not_zero(
    llm: FireLLaVA, api_server: ApiServer, method: str, picture: Path
) -> None:
    api_server.usage = UsagePlacement.NEVER
    response = await answer(llm, method, conversation(ImageBlock(path=picture)))
    told = response.additional_kwargs
    assert {told[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens", "cost_usd")} == {
        None
    }
    assert "usage" not in response.raw


async def test_reasoning_and_cached_tokens_are_told(llm_for: Callable[..., FireLLaVA]) -> None:
    llm = llm_for(model=QWEN_MAX, additional_kwargs={"reasoning_effort": "low", "prompt_cache_key": "key"})
    told = (await llm.achat(conversation())).additional_kwargs
    assert told["reasoning_tokens"] == count("The question has 4 tokens and 0 images.")
    assert told["cached_tokens"] == told["prompt_tokens"] // 2
    assert told["image_tokens"] is None
