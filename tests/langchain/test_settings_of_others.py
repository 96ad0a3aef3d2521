"""Settings that users bring from other chat models do what they say, or the error says what does it here."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_core.rate_limiters import InMemoryRateLimiter

from firellava.errors import ConfigurationError, InvalidRequest
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

PLAIN = {"model": FIRELLAVA_13B, "messages": [{"role": "user", "content": "Hello"}]}

SENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0}, {"temperature": 0}),
    ({"top_p": 0.5}, {"top_p": 0.5}),
    ({"top_k": 5}, {"top_k": 5}),
    ({"min_p": 0.1}, {"min_p": 0.1}),
    ({"max_tokens": 7}, {"max_tokens": 7}),
    ({"max_completion_tokens": 7}, {"max_tokens": 7}),
    ({"stop": "#"}, {"stop": ["#"]}),
    ({"stop": ["#", "?"]}, {"stop": ["#", "?"]}),
    ({"n": 2}, {"n": 2}),
    ({"seed": 1}, {"seed": 1}),
    ({"logprobs": True}, {"logprobs": True}),
    ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    ({"presence_penalty": 0.5}, {"presence_penalty": 0.5}),
    ({"frequency_penalty": -0.5}, {"frequency_penalty": -0.5}),
    ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}),
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"extra_body": {"user": "me"}}, {"user": "me"}),
    ({"model": "qwen3p8-max"}, {"model": QWEN_MAX}),
    ({"stream_usage": True}, {}),
    ({"default_headers": None}, {}),
]

ONLY_SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"model_name": "qwen3p8-max"}, {"model": QWEN_MAX}),
    ({"stop_sequences": ["#"]}, {"stop": ["#"]}),
    ({"model_kwargs": {"user": "me"}}, {"user": "me"}),
    ({"request_timeout": 5}, {}),
    ({"verbose": False, "name": "eyes", "tags": ["a"], "metadata": {"b": 1}}, {}),
]


@pytest.mark.parametrize(("settings", "sent"), SENT + ONLY_SETTINGS)
def test_a_model_made_with_them_sends_them(
    llm_for: Make, api_server: ApiServer, settings: dict[str, Any], sent: dict[str, Any]
) -> None:
    llm_for(**settings).invoke("Hello")
    assert api_server.requests[0].json == PLAIN | sent


@pytest.mark.parametrize(("parameters", "sent"), SENT)
async def test_a_call_made_with_them_sends_them(
    llm_for: Make, api_server: ApiServer, parameters: dict[str, Any], sent: dict[str, Any]
) -> None:
    # What the call says counts, and not what the model was made with.
    llm = llm_for(temperature=1, max_tokens=50, stop=["."])
    settings = {"temperature": 1, "max_tokens": 50, "stop": ["."]}
    llm.invoke("Hello", **parameters)
    await llm.ainvoke("Hello", **parameters)
    llm.bind(**parameters).invoke("Hello")
    assert [request.json for request in api_server.requests] == [PLAIN | settings | sent] * 3


@pytest.mark.parametrize(("parameters", "sent"), [row for row in SENT if "n" not in row[1]])
def test_a_stream_made_with_them_sends_them(
    llm: ChatFireLLaVA, api_server: ApiServer, parameters: dict[str, Any], sent: dict[str, Any]
) -> None:
    list(llm.stream("Hello", **parameters))
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    assert api_server.requests[0].json == PLAIN | sent | streamed


def test_several_answers_are_not_streamed(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    with pytest.raises(InvalidRequest, match="cannot be streamed"):
        list(llm.stream("Hello", n=2))
    assert api_server.requests == []


# The API completes prompts by FireLLaVA only, and tells fewer probabilities of them.
NOT_OF_COMPLETIONS = {"model", "top_logprobs"}


@pytest.mark.parametrize(
    ("settings", "sent"), [row for row in SENT + ONLY_SETTINGS if not row[1].keys() & NOT_OF_COMPLETIONS]
)
def test_a_completions_model_takes_them_too(
    api_server: ApiServer, settings: dict[str, Any], sent: dict[str, Any]
) -> None:
    llm = FireLLaVACompletions(api_key=api_server.key, base_url=api_server.base_url, **settings)
    llm.invoke("Hello")
    assert api_server.requests[0].json == {"model": FIRELLAVA_13B, "prompt": "Hello"} | sent


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"default_headers": {"x-team": "ours"}}, r"http_client=httpx\.Client\(headers=…\)"),
        ({"extra_headers": {"x-team": "ours"}}, r"http_async_client=httpx\.AsyncClient\(headers=…\)"),
        ({"default_query": {"a": "b"}}, r"httpx\.Client\(params=…\)"),
        ({"stream_usage": False}, "asked for in every stream"),
        ({"tools": []}, r"bind_tools\(tools\)"),
        ({"tool_choice": "any"}, r"bind_tools\(tools, tool_choice=…\)"),
        ({"parallel_tool_calls": False}, r"bind_tools\(tools, parallel_tool_calls=…\)"),
        ({"response_format": {"type": "json_object"}}, "with_structured_output"),
        ({"organization": "me"}, r"no setting 'organization'.*model_kwargs="),
        ({"timeout": (1, 2)}, "timeout: Input should be a valid number"),
    ],
)
def test_what_is_set_in_another_way_here_says_how(settings: dict[str, Any], advice: str) -> None:
    for kind in (ChatFireLLaVA, FireLLaVACompletions):
        with pytest.raises(ConfigurationError, match=advice):
            kind(**settings)


@pytest.mark.parametrize("setting", [{"timeout": 5}, {"max_retries": 1}, {"api_key": "k"}, {"base_url": "u"}])
def test_what_a_call_cannot_change_says_so(
    llm: ChatFireLLaVA, api_server: ApiServer, setting: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"setting of the model.*model_copy\(update="):
        llm.invoke("Hello", **setting)
    assert api_server.requests == []


def test_a_call_may_say_how_its_images_are_made_to_fit(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    llm.invoke([HumanMessage([image_block(encoded("PNG", (200, 100)))])], fit="contain")
    assert api_server.requests[0].images[0].size == (200, 100)


def test_that_is_said_of_a_call_too(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    with pytest.raises(ConfigurationError, match="http_client="):
        llm.invoke("Hello", extra_headers={"x-team": "ours"})
    with pytest.raises(ConfigurationError, match="every stream"):
        list(llm.stream("Hello", stream_usage=False))
    assert api_server.requests == []


def test_headers_go_where_the_advice_says(llm_for: Make, api_server: ApiServer) -> None:
    with httpx.Client(headers={"x-team": "ours"}) as client:
        llm_for(http_client=client).invoke("Hello")
    assert api_server.requests[0].headers["x-team"] == "ours"


def test_another_address_of_the_api_is_known_by_the_name_of_others(api_server: ApiServer) -> None:
    llm = ChatFireLLaVA(fireworks_api_key=api_server.key, fireworks_api_base=api_server.base_url)
    assert llm.invoke("Hello").content == "question: Hello"


async def test_a_model_that_may_not_stream_gives_its_answer_in_one_piece(
    llm_for: Make, api_server: ApiServer
) -> None:
    llm = llm_for(disable_streaming=True)
    assert [chunk.content for chunk in llm.stream("Hello")] == ["question: Hello"]
    assert [chunk.content async for chunk in llm.astream("Hello")] == ["question: Hello"]
    assert not any("stream" in request.json for request in api_server.requests)


def test_a_model_that_streams_all_but_tools_streams_the_rest(llm_for: Make, api_server: ApiServer) -> None:
    llm = llm_for(model=QWEN_MAX, disable_streaming="tool_calling")
    list(llm.stream("Hello"))
    list(llm.bind_tools([{"name": "look", "description": "Look.", "parameters": {}}]).stream("Hello"))
    assert ["stream" in request.json for request in api_server.requests] == [True, False]


class _Limiter(InMemoryRateLimiter):
    asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.asked += 1
        return True


async def test_a_rate_limiter_is_asked_before_each_request_and_not_before_the_cache(llm_for: Make) -> None:
    limiter = _Limiter(requests_per_second=1)
    llm = llm_for(rate_limiter=limiter, cache=InMemoryCache())
    for _ in range(2):
        llm.invoke("Hello")
        await llm.ainvoke("What is it?")
    list(llm.stream("Hello"))
    assert limiter.asked == 3


def test_tags_metadata_and_name_reach_callbacks(llm_for: Make) -> None:
    told: list[dict[str, Any]] = []

    class Listener(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **told_now: Any) -> None:
            told.append(told_now)

    llm_for(tags=["a"], metadata={"b": 1}, name="eyes", callbacks=[Listener()]).invoke(
        [HumanMessage("Hello")], {"tags": ["c"], "metadata": {"d": 2}}
    )
    assert set(told[0]["tags"]) == {"a", "c"}
    assert told[0]["metadata"]["b"] == 1
    assert told[0]["metadata"]["d"] == 2


def test_a_tokenizer_of_your_own_counts(llm_for: Make) -> None:
    assert llm_for(custom_get_token_ids=lambda text: [1] * len(text)).get_num_tokens("Hello") == 5


def test_retries_are_as_many_as_asked_for(llm_for: Make, api_server: ApiServer) -> None:
    fault = Fault(status=503, headers={"retry-after-ms": "1"})
    api_server.fail_next(fault, fault)
    assert llm_for(max_retries=2).invoke("Hello").content == "question: Hello"
    assert len(api_server.requests) == 3
