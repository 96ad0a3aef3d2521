"""What LangChain's cache keeps: true answers, and no makeshift."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import HumanMessage

from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from tests.api_server import ApiServer, Fault

RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"
QUESTION = [HumanMessage([{"type": "text", "text": "What is the total?"}, image_block(RECEIPT)])]
Make = Callable[..., ChatFireLLaVA]


@pytest.fixture(params=["its own cache", "the global cache"])
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, object]]:
    cache = InMemoryCache()
    if request.param == "its own cache":
        yield {"cache": cache}
    else:
        set_llm_cache(cache)
        yield {}
        set_llm_cache(None)


async def test_an_answer_of_the_model_is_asked_for_once(
    llm_for: Make, api_server: ApiServer, settings: dict[str, object]
) -> None:
    llm = llm_for(**settings)
    answers = [llm.invoke(QUESTION), llm.invoke(QUESTION), await llm.ainvoke(QUESTION)]
    assert len({answer.text for answer in answers}) == 1
    assert len(api_server.requests) == 1


@pytest.mark.engine("rapidocr")
async def test_a_degraded_answer_does_not_outlive_the_outage(
    llm_for: Make, api_server: ApiServer, settings: dict[str, object]
) -> None:
    llm = llm_for(fallback="auto", max_retries=0, **settings)
    api_server.fail_next(Fault(status=500), times=2)
    degraded = [llm.invoke(QUESTION), await llm.ainvoke(QUESTION)]
    assert [answer.response_metadata["degraded"] for answer in degraded] == [True, True]
    assert llm.invoke(QUESTION).response_metadata["degraded"] is False


@pytest.mark.engine("rapidocr")
def test_nor_does_a_degraded_completion(api_server: ApiServer, settings: dict[str, object]) -> None:
    llm = FireLLaVACompletions(
        api_key=api_server.key,
        base_url=api_server.base_url,
        fallback="auto",
        max_retries=0,
        **settings,
    )
    api_server.fail_next(Fault(status=500))
    assert "no image" in llm.invoke("USER:\nWhat is the total?\n\nASSISTANT:")
    assert "question: What is the total?" in llm.invoke("USER:\nWhat is the total?\n\nASSISTANT:")
