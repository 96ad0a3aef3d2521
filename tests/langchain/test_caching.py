"""What LangChain's cache keeps: true answers, and no makeshift; and for whom: models configured alike."""

import copy
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import BaseCache, InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatGeneration, Generation

from firellava import FetchPolicy, FireworksBackend, ModelCard, OfflineReader, OpenAICompatibleBackend
from firellava.costs.prices import Prices
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, FireLLaVACostHandler, image_block
from langchain_firellava.serialisation import SerialisableSettings
from tests.api_server import QWEN_MAX, ApiServer, Fault

RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"
QUESTION = [HumanMessage([{"type": "text", "text": "What is the total?"}, image_block(RECEIPT)])]
Make = Callable[..., ChatFireLLaVA]
Model = ChatFireLLaVA | FireLLaVACompletions
KINDS = pytest.mark.parametrize("kind", [ChatFireLLaVA, FireLLaVACompletions])

SECRET = "fw_secret_0123456789"
DEAR = Prices(input=Decimal(3), output=Decimal(15))
LOCAL = OpenAICompatibleBackend(base_url="http://127.0.0.1:11434", model="llava")
CAREFUL = FetchPolicy(seconds=2, allowed_hosts={"b.example", "a.example"})


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


class _Recorder(BaseCache):
    """Keeps the key of each look-up and answers all of them, so that nobody is asked."""

    def __init__(self, answer: Generation) -> None:
        self.keys: list[str] = []
        self._answer = answer

    def lookup(self, prompt: str, llm_string: str) -> Sequence[Generation]:
        self.keys.append(llm_string)
        return [self._answer]

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        raise AssertionError("every look-up was answered")

    def clear(self, **kwargs: Any) -> None:
        self.keys.clear()


def key_of(kind: type[Model], settings: dict[str, Any]) -> str:
    """The cache key of a model made with these settings."""
    message = HumanMessage("From the cache.")
    answer = ChatGeneration(message=message) if kind is ChatFireLLaVA else Generation(text="From the cache.")
    recorder = _Recorder(answer)
    kind(cache=recorder, **settings).invoke("Hello")
    (key,) = recorder.keys
    return key


CHOICES: dict[str, list[Any]] = {
    "who": [
        {"model": QWEN_MAX},
        {"model": "accounts/me/deployments/eyes"},
        {"base_url": "https://gateway.example/v1"},
        {"backend": LOCAL},
        {"backend": LOCAL.model_copy(update={"model": "bakllava"})},
        {"backend": OfflineReader()},
        {"backend": OfflineReader(max_side=500)},
        {"backend": FireworksBackend(model=QWEN_MAX)},
        {"backend": FireworksBackend(model=QWEN_MAX, prices=DEAR)},
    ],
    "fallback": [
        "auto",
        OfflineReader(),
        OfflineReader(max_side=500),
        (LOCAL, OfflineReader()),
        (OfflineReader(), LOCAL),
    ],
    "card": [
        "firellava-13b",
        "qwen3p8-max",
        ModelCard(name="eyes"),
        ModelCard(name="eyes", tokens_per_image=9),
    ],
    "prices": [DEAR, Prices(input=Decimal(3), output=Decimal(16))],
    "fetch_policy": [FetchPolicy(), CAREFUL],
    "fit": ["letterbox", "contain", "tiles", "none"],
    "limits": ["strict", "off"],
    "image_urls": ["check", "inline"],
    "keep_images": [1, 2],
    "describe_metadata": [("DateTime",), ("Make",)],
    "image_roots": [("a",), ("a", "b")],
    "local_only": [True],
    "fallback_on": [("RateLimited",), ("ServerFailed",)],
    "timeout": [None, 5.0],
    "deadline": [5.0, 9.0],
    "max_retries": [0, 1],
    "temperature": [0.0, 0.5],
    "top_p": [0.0, 0.5],
    "top_k": [1, 2],
    "min_p": [0.1, 0.2],
    "max_tokens": [1, 2],
    "stop": [["#"], ["#", "?"]],
    "n": [1, 2],
    "seed": [0, 1],
    "presence_penalty": [0.0, 1.0],
    "frequency_penalty": [0.0, 1.0],
    "repetition_penalty": [0.0, 1.0],
    "reasoning_effort": ["low", "high"],
    "service_tier": ["priority", "auto"],
    "logprobs": [True, False],
    "top_logprobs": [1, 2],
    "model_kwargs": [{"user": "me"}, {"user": "you"}],
}

SETTINGS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in CHOICES.items()}
)


def _flat(chosen: dict[str, Any]) -> dict[str, Any]:
    who: dict[str, Any] = chosen.get("who", {})
    return {name: value for name, value in chosen.items() if name != "who"} | who


class TestTheCacheKey:
    def test_is_tried_with_every_setting_that_is_stored(self) -> None:
        fields = SerialisableSettings.model_fields.items()
        stored = {name for name, field in fields if not field.exclude} - {"api_key", "key_withheld"}
        assert CHOICES.keys() - {"who"} | {"model", "base_url", "backend"} == stored

    @KINDS
    def test_knows_every_setting(self, kind: type[Model]) -> None:
        each = [{}, *({name: value} for name, values in CHOICES.items() for value in values)]
        keys = {key_of(kind, _flat(settings)) for settings in each}
        assert len(keys) == len(each)

    @KINDS
    @given(one=SETTINGS, name=st.sampled_from(sorted(CHOICES)), data=st.data())
    def test_of_differently_configured_models_differs(
        self, kind: type[Model], one: dict[str, Any], name: str, data: st.DataObject
    ) -> None:
        # Two that differ in one setting only are the ones most easily taken for each other.
        others = [value for value in [*CHOICES[name], None] if value != one.get(name)]
        value = data.draw(st.sampled_from(others))
        other = {key: was for key, was in one.items() if key != name}
        other |= {} if value is None else {name: value}
        assert key_of(kind, _flat(one)) != key_of(kind, _flat(other))

    @KINDS
    @given(settings=SETTINGS)
    def test_of_identically_configured_models_is_the_same(
        self, kind: type[Model], settings: dict[str, Any]
    ) -> None:
        again = copy.deepcopy(_flat(settings))
        assert key_of(kind, _flat(settings)) == key_of(kind, again)

    @KINDS
    def test_holds_no_secret(self, kind: type[Model]) -> None:
        assert SECRET not in key_of(kind, {"api_key": SECRET})

    def test_follows_a_setting_that_changes(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(cache=InMemoryCache())
        llm.invoke("Hello")
        llm.model_copy(update={"temperature": 1}).invoke("Hello")
        llm.max_tokens = 3
        llm.invoke("Hello")
        llm.invoke("Hello")
        assert [request.json.get("max_tokens") for request in api_server.requests] == [None, None, 3]


async def test_an_answer_from_the_cache_costs_nothing(llm_for: Make, api_server: ApiServer) -> None:
    cost = FireLLaVACostHandler()
    llm = llm_for(cache=InMemoryCache(), callbacks=[cost])
    asked = llm.invoke("Hello")
    paid = cost.total_cost
    assert paid > 0
    for cached in (llm.invoke("Hello"), await llm.ainvoke("Hello")):
        assert cached.content == asked.content
        assert asked.usage_metadata is not None
        assert cached.usage_metadata == {**asked.usage_metadata, "total_cost": 0}
    assert cost.total_cost == paid
    assert cost.cached_requests == 2
    assert cost.successful_requests == 1
    assert len(api_server.requests) == 1
