"""Questions with a small picture each, asked in six ways in both frameworks, and what counters then say.

The truth is what the API server billed. A counter's word is a dictionary of what it tells, with None for what
it says is unknown; it is right where the truth says the same under each of its keys.
"""

import asyncio
import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args

from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import LLM, ChatMessage, ImageBlock, TextBlock

from firellava.costs.ledger import Ledger
from firellava.costs.tracking import track_cost
from langchain_firellava import ChatFireLLaVA
from langchain_firellava.callbacks import FireLLaVACostHandler as LangChainCostHandler
from llama_index_firellava import FireLLaVA
from llama_index_firellava.callbacks import FireLLaVACostHandler as LlamaIndexCostHandler
from tests.api_server import ApiServer, UsagePlacement
from tests.api_server.plain_requests import encoded

Way: TypeAlias = Literal["invoke", "stream", "ainvoke", "astream", "batch", "abatch"]
"""As LangChain calls them. In LlamaIndex: chat, stream_chat, achat, astream_chat, threads, gathered tasks."""
WAYS: tuple[Way, ...] = get_args(Way)

Counted: TypeAlias = dict[str, int | Decimal | None]

THREADS = 32
_PICTURE = encoded("PNG", (64, 64))
_PER_MILLION = Decimal("0.20")


def truth(server: ApiServer) -> Counted:
    """What the server billed, and at FireLLaVA's price; unknown where its replies do not say."""
    billed = server.billed
    if server.usage is UsagePlacement.NEVER:
        return {"calls": len(billed), "prompt": None, "image": None, "completion": None, "usd": None}
    prompt, completion = sum(usage.prompt for usage in billed), sum(usage.completion for usage in billed)
    return {
        "calls": len(billed),
        "prompt": prompt,
        "image": sum(usage.image for usage in billed),
        "completion": completion,
        "usd": (prompt + completion) * _PER_MILLION / 1_000_000,
    }


def texts(count: int) -> list[str]:
    """Questions of different lengths, so that one counted twice does not make up for one left out."""
    return ["What is this," + " really" * (number % 7) + "?" for number in range(count)]


def ask_langchain(
    llm: BaseChatModel, way: Way, questions: Sequence[str], callbacks: list[BaseCallbackHandler]
) -> None:
    """Ask every question with the picture, in one of the six ways."""
    config = RunnableConfig(callbacks=callbacks)
    url = f"data:image/png;base64,{base64.b64encode(_PICTURE).decode()}"
    picture = {"type": "image_url", "image_url": {"url": url}}
    asked = [[HumanMessage([{"type": "text", "text": text}, picture])] for text in questions]

    async def one_by_one() -> None:
        for messages in asked:
            if way == "ainvoke":
                await llm.ainvoke(messages, config)
            else:
                _ = [chunk async for chunk in llm.astream(messages, config)]

    if way == "batch":
        llm.batch(list(asked), RunnableConfig(callbacks=callbacks, max_concurrency=THREADS))
    elif way == "abatch":
        asyncio.run(llm.abatch(list(asked), config))
    elif way in ("ainvoke", "astream"):
        asyncio.run(one_by_one())
    else:
        for messages in asked:
            _ = llm.invoke(messages, config) if way == "invoke" else list(llm.stream(messages, config))


def ask_llama_index(llm: LLM, way: Way, questions: Sequence[str]) -> None:
    """The same of a LlamaIndex LLM."""
    picture = ImageBlock(image=_PICTURE, image_mimetype="image/png")
    asked = [[ChatMessage(role="user", blocks=[TextBlock(text=text), picture])] for text in questions]

    async def one_by_one() -> None:
        for messages in asked:
            if way == "ainvoke":
                await llm.achat(messages)
            else:
                _ = [response async for response in await llm.astream_chat(messages)]

    async def all_at_once() -> None:
        await asyncio.gather(*(llm.achat(messages) for messages in asked))

    if way == "batch":
        with ThreadPoolExecutor(THREADS) as pool:
            # Bare threads know nothing of the block they were started in; LangChain's do.
            answers = [pool.submit(copy_context().run, llm.chat, messages) for messages in asked]
        for answer in answers:
            answer.result()
    elif way == "abatch":
        asyncio.run(all_at_once())
    elif way in ("ainvoke", "astream"):
        asyncio.run(one_by_one())
    else:
        for messages in asked:
            _ = llm.chat(messages) if way == "invoke" else list(llm.stream_chat(messages))


def count_in_langchain(server: ApiServer, way: Way, questions: Sequence[str]) -> dict[str, Counted]:
    """What our handler, our ledger and LangChain's own counter say of questions to `ChatFireLLaVA`."""
    llm = ChatFireLLaVA(api_key=server.key, base_url=server.base_url)
    ours, core = LangChainCostHandler(), UsageMetadataCallbackHandler()
    with track_cost() as ledger:
        ask_langchain(llm, way, questions, [ours, core])
    return {
        "FireLLaVACostHandler": of_handler(ours),
        "track_cost": of_ledger(ledger),
        "UsageMetadataCallbackHandler": of_usage_metadata(core, images=True),
    }


def count_in_llama_index(server: ApiServer, way: Way, questions: Sequence[str]) -> dict[str, Counted]:
    """What our handler, our ledger and LlamaIndex's own counter say of questions to `FireLLaVA`."""
    core = TokenCountingHandler(tokenizer=str.split)
    manager = CallbackManager([core])
    llm = FireLLaVA(api_key=server.key, base_url=server.base_url, callback_manager=manager)
    with track_cost() as ledger, LlamaIndexCostHandler() as ours:
        ask_llama_index(llm, way, questions)
    return {
        "FireLLaVACostHandler": of_handler(ours),
        "track_cost": of_ledger(ledger),
        "TokenCountingHandler": of_token_counting(core),
    }


def of_handler(handler: LangChainCostHandler | LlamaIndexCostHandler) -> Counted:
    """What a cost handler tells by the names that users of other providers know."""
    uncounted = handler.ledger.totals.uncounted
    return {
        "calls": handler.successful_requests,
        "prompt": handler.prompt_tokens if not uncounted else None,
        "image": handler.prompt_image_tokens if not uncounted else None,
        "completion": handler.completion_tokens if not uncounted else None,
        "usd": handler.total_cost if not handler.unpriced_requests else None,
    }


def of_ledger(ledger: Ledger) -> Counted:
    """A ledger's totals."""
    totals = ledger.totals
    return {
        "calls": totals.answered,
        "prompt": totals.prompt_tokens if not totals.uncounted else None,
        "image": totals.image_tokens if not totals.uncounted else None,
        "completion": totals.completion_tokens if not totals.uncounted else None,
        "usd": totals.cost_usd if not totals.unpriced else None,
    }


def of_usage_metadata(handler: UsageMetadataCallbackHandler, *, images: bool) -> Counted:
    """LangChain's own counter: silent of a model whose tokens nobody stated. It counts no calls."""
    told = list(handler.usage_metadata.values())
    counted: Counted = {
        "prompt": sum(usage["input_tokens"] for usage in told),
        "completion": sum(usage["output_tokens"] for usage in told),
    }
    if images:
        details = [dict[str, Any](usage["input_token_details"]) for usage in told]
        counted["image"] = sum(detail.get("image", 0) for detail in details)
    return counted if told else dict.fromkeys(counted)


def of_token_counting(handler: TokenCountingHandler) -> Counted:
    """LlamaIndex's own counter: where nobody stated the tokens it guesses, and does not tell."""
    return {
        "calls": len(handler.llm_token_counts),
        "prompt": handler.prompt_llm_token_count,
        "completion": handler.completion_llm_token_count,
    }
