"""Who counts tokens right: our counters and the peers', asked the same questions of the same server.

    python -m benchmarks.usage

Every question has one small picture. The truth is what the server billed. Usage stands in each of the places
where the API's models put it; questions are asked in six ways, 200 of them in the last two. Cells say:

- exact: the counter says what was billed; unknown: the API did not say, and neither does the counter;
- nothing: the API said, and the counter has no count;
- guess Rx: the API did not say, and the counter shows a number of its own all the same, R times the truth;
- Rx: the counter says R times the tokens that were billed.

It runs wherever firellava's two adapters are installed and says "not installed" of peers that are not. All of
them go into one environment, whose openai is older than the newest: pip install
"firellava[langchain,llama-index]" langchain-fireworks langchain-openai llama-index-llms-fireworks starlette
uvicorn. It ends with 1 where a counter of ours is wrong.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import httpx
from langchain_core.callbacks import UsageMetadataCallbackHandler
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler

from tests.adapters.token_counters import (
    WAYS,
    ask_langchain,
    ask_llama_index,
    count_in_langchain,
    count_in_llama_index,
    of_token_counting,
    of_usage_metadata,
    texts,
    truth,
)
from tests.api_server import FIRELLAVA_13B, ApiServer, UsagePlacement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.adapters.token_counters import Counted, Way

    Count = Callable[[ApiServer, Way, Sequence[str]], dict[str, Counted]]

_QUESTIONS = {way: texts(200 if "batch" in way else 3) for way in WAYS}
_PLACES = {
    UsagePlacement.NEVER: "on no chunk",
    UsagePlacement.FINISH_CHUNK: "on the finish chunk",
    UsagePlacement.TRAILING_CHUNK: "on a trailing chunk, where asked for",
    UsagePlacement.FINISH_AND_TRAILING: "on the finish chunk and a trailing one",
    UsagePlacement.EVERY_CHUNK: "on every chunk",
}
_HEADINGS = ("invoke", "stream", "ainvoke", "astream", "batch of 200, 32 threads", "abatch of 200")


@dataclass(frozen=True)
class _Subject:
    """An integration with its counters, and the distribution it comes in."""

    name: str
    distribution: str
    count: Count
    ours: bool = False


class _Row(NamedTuple):
    place: str
    counter: str
    cells: tuple[str, ...]


def main() -> int:
    """Print a table for each integration."""
    wrong = False
    with ApiServer() as server:
        for subject in _SUBJECTS:
            try:
                heading = f"{subject.name} ({subject.distribution} {version(subject.distribution)})"
            except PackageNotFoundError:
                print(f"**{subject.name}** ({subject.distribution}): not installed\n")
                continue
            rows = [row for placement in _PLACES for row in _rows(server, subject.count, placement)]
            wrong |= subject.ours and any("**" in cell for row in rows for cell in row.cells)
            _print(heading, rows)
    return int(wrong)


def _print(heading: str, rows: Sequence[_Row]) -> None:
    print(f"**{heading}**\n")
    print(f"| usage stands | counter | {' | '.join(_HEADINGS)} |")
    print(f"| --- | --- |{' --- |' * len(_HEADINGS)}")
    # Counters that say the same share a row.
    for (place, cells), same in groupby(rows, lambda row: (row.place, row.cells)):
        counters = ", ".join(f"`{row.counter}`" for row in same)
        print(f"| {place} | {counters} | {' | '.join(cells)} |")
    print(flush=True)


def _rows(server: ApiServer, count: Count, placement: UsagePlacement) -> list[_Row]:
    cells: dict[str, list[str]] = {}
    for way in WAYS:
        server.clear()
        server.usage = placement
        for counter, counted in count(server, way, _QUESTIONS[way]).items():
            cells.setdefault(counter, []).append(_cell(counted, server))
    return [_Row(_PLACES[placement], counter, tuple(said)) for counter, said in cells.items()]


def _cell(counted: Counted, server: ApiServer) -> str:
    """What is to be said of a count; bold where it is wrong."""
    expected = truth(server)
    known = server.usage is not UsagePlacement.NEVER
    if all(expected[name] == told for name, told in counted.items()):
        return "exact" if known else "unknown"
    if counted["prompt"] is None or counted["completion"] is None:
        return "**nothing**"
    billed = sum(usage.prompt + usage.completion for usage in server.billed)
    ratio = (counted["prompt"] + counted["completion"]) / billed
    if not known and ratio:
        return f"guess {ratio:.2f}x"
    return f"**{ratio:.2f}x**"


def _count_chat_fireworks(server: ApiServer, way: Way, questions: Sequence[str]) -> dict[str, Counted]:
    chat_fireworks = import_module("langchain_fireworks").ChatFireworks
    # Its SDK adds the version to the path.
    base_url = server.base_url.removesuffix("/v1")
    core = UsageMetadataCallbackHandler()
    llm = chat_fireworks(model=FIRELLAVA_13B, api_key=server.key, base_url=base_url)
    ask_langchain(llm, way, questions, [core])
    return {"UsageMetadataCallbackHandler": of_usage_metadata(core, images=False)}


def _chat_openai(*, stream_usage: bool | None) -> Count:
    def count(server: ApiServer, way: Way, questions: Sequence[str]) -> dict[str, Counted]:
        chat_openai = import_module("langchain_openai").ChatOpenAI
        core = UsageMetadataCallbackHandler()
        llm = chat_openai(
            model=FIRELLAVA_13B,
            api_key=server.key,
            base_url=server.base_url,
            stream_usage=stream_usage,
            # The one it shares belongs to the first event loop, and each of these ways has a loop of its own.
            http_async_client=httpx.AsyncClient(),
        )
        ask_langchain(llm, way, questions, [core])
        return {"UsageMetadataCallbackHandler": of_usage_metadata(core, images=False)}

    return count


def _count_llama_index_fireworks(server: ApiServer, way: Way, questions: Sequence[str]) -> dict[str, Counted]:
    fireworks = import_module("llama_index.llms.fireworks").Fireworks
    core = TokenCountingHandler(tokenizer=str.split)
    llm = fireworks(
        model=FIRELLAVA_13B,
        api_key=server.key,
        api_base=server.base_url,
        context_window=4096,
        is_function_calling=False,
        callback_manager=CallbackManager([core]),
    )
    ask_llama_index(llm, way, questions)
    return {"TokenCountingHandler": of_token_counting(core)}


_SUBJECTS = (
    _Subject("ChatFireLLaVA, LangChain", "firellava", count_in_langchain, ours=True),
    _Subject("FireLLaVA, LlamaIndex", "firellava", count_in_llama_index, ours=True),
    _Subject("ChatFireworks, LangChain", "langchain-fireworks", _count_chat_fireworks),
    _Subject("ChatOpenAI, LangChain", "langchain-openai", _chat_openai(stream_usage=None)),
    _Subject("ChatOpenAI(stream_usage=True)", "langchain-openai", _chat_openai(stream_usage=True)),
    _Subject("Fireworks, LlamaIndex", "llama-index-llms-fireworks", _count_llama_index_fireworks),
)

if __name__ == "__main__":
    sys.exit(main())
