# ruff: noqa: FBT001, FBT002 - `formatted` stands so in LlamaIndex's signatures
"""LLMs that are not ours, around ours and beside them: each answer counts once, with the tokens it states."""

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from pydantic import Field

from llama_index_firellava import FireLLaVA
from llama_index_firellava.callbacks import FireLLaVACostHandler
from tests.api_server import ApiServer
from tests.llama_index.asking import CHAT, COMPLETE, answer
from tests.llama_index.billing import billed, counted

STREAMS = ("stream_chat", "astream_chat", "stream_complete", "astream_complete")
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@pytest.fixture
def cost() -> Iterator[FireLLaVACostHandler]:
    with FireLLaVACostHandler() as handler:
        yield handler


class Parrot(CustomLLM):
    """An LLM of somebody else, whose chat methods ask its complete methods."""

    raw: Any = None
    told: dict[str, Any] = Field(default_factory=dict)
    fails: bool = False

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="parrot")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        if self.fails:
            raise ValueError("no more " + prompt)
        return CompletionResponse(text=prompt, raw=self.raw, additional_kwargs=self.told)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        def pieces() -> CompletionResponseGen:
            yield CompletionResponse(text=prompt, delta=prompt)
            if self.fails:
                raise ValueError("no more " + prompt)
            yield CompletionResponse(text=prompt, delta="", raw=self.raw, additional_kwargs=self.told)

        return pieces()


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
@pytest.mark.parametrize(
    ("parrot", "tokens"),
    [(Parrot(raw={"usage": USAGE}), 10), (Parrot(told=USAGE), 10), (Parrot(), 0), (Parrot(raw=object()), 0)],
    ids=["usage in raw", "usage in additional_kwargs", "no usage", "raw is no dictionary"],
)
async def test_another_llm_counts_once_with_the_tokens_it_states(
    cost: FireLLaVACostHandler, method: str, parrot: Parrot, tokens: int
) -> None:
    await answer(parrot, method, [ChatMessage("Hello")] if method in CHAT else "Hello")
    assert (cost.successful_requests, cost.failed_requests) == (1, 0)
    assert (cost.total_tokens, cost.unpriced_requests) == (tokens, 1)
    assert cost.total_cost == 0
    assert list(cost.by_model) == ["parrot"]


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_failure_of_another_llm_counts_once_without_its_text(
    cost: FireLLaVACostHandler, method: str
) -> None:
    with pytest.raises(ValueError, match="no more"):
        await answer(Parrot(fails=True), method, [ChatMessage("Hello")] if method in CHAT else "Hello")
    (entry,) = cost.ledger.entries
    assert entry.error == "ValueError"
    assert entry.outcome == ("broken" if method in STREAMS else "failed")


async def test_an_llm_around_ours_adds_nothing(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    class Wrapper(Parrot):
        @llm_completion_callback()
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            response: CompletionResponse = llm.complete(prompt)
            return response

        @llm_completion_callback()
        def stream_complete(
            self, prompt: str, formatted: bool = False, **kwargs: Any
        ) -> CompletionResponseGen:
            yield from llm.stream_complete(prompt)

    for method in (*CHAT, *COMPLETE):
        await answer(Wrapper(), method, [ChatMessage("Hello")] if method in CHAT else "Hello")
    assert len(api_server.requests) == 8
    assert counted(cost) == billed(api_server)


def test_streams_of_another_llm_beside_each_other_count_each(cost: FireLLaVACostHandler) -> None:
    first, second = (Parrot(raw={"usage": USAGE}).stream_complete("Hello") for _ in range(2))
    next(first)
    list(second)
    list(first)
    assert (cost.successful_requests, cost.total_tokens) == (2, 20)


def test_an_llm_that_asks_others_and_answers_itself_counts_beside_them(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    class Editor(Parrot):
        @llm_completion_callback()
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            return CompletionResponse(text=llm.complete(prompt).text.upper(), raw={"usage": USAGE})

    Editor().complete("Hello")
    assert cost.successful_requests == 2
    assert cost.total_tokens == billed(api_server).total + 10


def test_an_llm_that_picks_one_of_many_answers_adds_nothing(
    llm: FireLLaVA, api_server: ApiServer, cost: FireLLaVACostHandler
) -> None:
    class Picker(Parrot):
        @llm_completion_callback()
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            answers: list[CompletionResponse] = [llm.complete(prompt) for _ in range(20)]
            return answers[-1]

    Picker().chat([ChatMessage("Hello")])
    assert counted(cost) == billed(api_server)
