"""A busy service is asked again when it says, as often as was set, and by nobody else a second time."""

from collections.abc import Callable

import pytest
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from firellava.errors import BadRequest, RateLimited, ServerFailed
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer, Fault
from tests.llama_index.asking import CHAT, COMPLETE, answer, conversation, text_of

Make = Callable[..., FireLLaVA]

# How long it then waits is held by the tests of the routing, on a clock of their own.
BUSY = Fault(status=429, headers={"retry-after-ms": "20"})


@pytest.mark.parametrize("busy", [BUSY, Fault(status=503, headers={"retry-after": "0.02"})])
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_busy_service_is_asked_again_when_it_says(
    llm: FireLLaVA, api_server: ApiServer, method: str, busy: Fault
) -> None:
    api_server.fail_next(busy, times=2)
    response = await answer(llm, method, conversation() if method in CHAT else "What is this?")
    assert text_of(response) == "question: What is this?"
    assert len(api_server.requests) == 3
    assert len({request.body for request in api_server.requests}) == 1
    assert len(response.additional_kwargs["attempts"]) == 3


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_it_is_asked_no_more_often_than_set(
    llm_for: Make, api_server: ApiServer, method: str, retries: int
) -> None:
    api_server.fail_next(BUSY, times=10)
    with pytest.raises(RateLimited) as refused:
        await answer(llm_for(max_retries=retries), method, conversation() if method in CHAT else "What?")
    assert refused.value.retry_after == 0.02
    assert len(api_server.requests) == 1 + retries


class Seen(BaseModel):
    """What was read."""

    shop: str


def test_structured_answers_do_not_ask_on_their_own(llm_for: Make, api_server: ApiServer) -> None:
    api_server.fail_next(BUSY, times=10)
    with pytest.raises(RateLimited):
        llm_for(max_retries=1).structured_predict(Seen, PromptTemplate("Which shop?"))
    assert len(api_server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=400), BadRequest),
        (Fault(status=500, headers={"x-should-retry": "false"}), ServerFailed),
    ],
)
async def test_what_will_not_change_is_not_asked_again(
    llm: FireLLaVA, api_server: ApiServer, fault: Fault, error: type[Exception]
) -> None:
    api_server.fail_next(fault, times=10)
    with pytest.raises(error):
        await llm.achat(conversation())
    assert len(api_server.requests) == 1
