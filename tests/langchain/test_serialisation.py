"""Models on their way to disk, to other processes and into cache keys: whole, and without a secret."""

import copy
import json
import multiprocessing
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelError
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate, HumanMessagePromptTemplate, PromptTemplate
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import RunnableBinding, RunnableSequence

from firellava import (
    Budget,
    FetchPolicy,
    FireworksBackend,
    LlamaCppBackend,
    OfflineReader,
    OpenAICompatibleBackend,
    model_card,
)
from firellava.costs.prices import Prices
from firellava.errors import ConfigurationError, MissingKey, UnsafeURL
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, FireLLaVACostHandler
from tests.api_server import ApiServer

Model = ChatFireLLaVA | FireLLaVACompletions
Make = Callable[..., ChatFireLLaVA]
KINDS = pytest.mark.parametrize("kind", [ChatFireLLaVA, FireLLaVACompletions])

SECRET = "fw_secret_0123456789"
CAREFUL = FetchPolicy(seconds=2, allowed_hosts={"b.example", "a.example"})
DEAR = Prices(input=Decimal(3), output=Decimal(15))
LOCAL = OpenAICompatibleBackend(base_url="http://127.0.0.1:11434", model="llava")


def pickled(llm: Model) -> Any:
    """What another process gets."""
    return pickle.loads(pickle.dumps(llm))  # noqa: S301 - pickled on the same line


def loaded(llm: Model, **secrets: Any) -> Any:
    """What LangChain makes of what it wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that loading is new
        return load(
            json.loads(dumps(llm)),
            valid_namespaces=["langchain_firellava"],
            allowed_objects=[type(llm)],
            **secrets,
        )


class TestTheKey:
    @KINDS
    def test_is_in_no_text_and_no_pickle(self, kind: type[Any]) -> None:
        backend = FireworksBackend(api_key=SECRET)
        for llm in (kind(api_key=SECRET), kind(backend=backend, fallback=[backend])):
            written = [
                repr(llm),
                str(llm),
                dumps(llm),
                json.dumps(llm._identifying_params),
                llm.model_dump_json(),
            ]
            assert all(SECRET not in text for text in written)
            assert SECRET.encode() not in pickle.dumps(llm)

    @KINDS
    @pytest.mark.parametrize(
        "move",
        [pickled, loaded, lambda llm: pickled(pickled(llm)), lambda llm: loaded(pickled(llm))],
    )
    def test_that_stayed_behind_is_missed_and_not_fallen_back_from(
        self, api_server: ApiServer, kind: type[Any], move: Callable[[Model], Any]
    ) -> None:
        llm = kind(
            api_key=api_server.key,
            base_url=api_server.base_url,
            fallback=OfflineReader(),
            card="firellava-13b",
        )
        llm.invoke("Hello")
        moved = move(llm)
        for asked in (moved, copy.deepcopy(moved), moved.model_copy(update={"temperature": 1})):
            with pytest.raises(ConfigurationError, match="stayed behind") as caught:
                asked.invoke("Hello")
            assert not isinstance(caught.value, MissingKey)
        assert len(api_server.requests) == 1

    @KINDS
    def test_can_be_given_again(self, api_server: ApiServer, kind: type[Any]) -> None:
        llm = kind(api_key=api_server.key, base_url=api_server.base_url)
        again = loaded(llm, secrets_map={"FIREWORKS_API_KEY": api_server.key})
        assert "question: Hello" in str(again.invoke("Hello"))
        assert dumpd(again) == dumpd(llm)
        late = pickled(llm)
        late.api_key = llm.api_key
        assert "question: Hello" in str(late.invoke("Hello"))

    @KINDS
    def test_is_looked_for_under_the_name_that_was_written_for_it(
        self, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
    ) -> None:
        llm = kind(api_key=api_server.key, base_url=api_server.base_url, fallback=OfflineReader())
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        loaded(llm).invoke("Hello")
        loaded(llm, secrets_from_env=True).invoke("Hello")
        assert len(api_server.requests) == 2

    @pytest.mark.engine("rapidocr")
    def test_that_never_was_is_a_reason_to_fall_back_wherever_it_runs(self, api_server: ApiServer) -> None:
        llm = ChatFireLLaVA(base_url=api_server.base_url, fallback=OfflineReader())
        for asked in (llm, pickled(llm), loaded(llm)):
            assert asked.invoke("Hello").response_metadata["degraded"] is True

    def test_from_the_environment_is_found_again(
        self, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        llm = ChatFireLLaVA(base_url=api_server.base_url, temperature=0)
        for moved in (pickled(llm), loaded(llm), copy.deepcopy(llm)):
            assert dumpd(moved) == dumpd(llm)
            assert moved.invoke("Hello").content == "question: Hello"

    def test_of_a_backend_stays_behind_like_any_other(self, api_server: ApiServer) -> None:
        backend = FireworksBackend(api_key=api_server.key, base_url=api_server.base_url)
        llm = ChatFireLLaVA(backend=backend, fallback=OfflineReader())
        for moved in (pickled(llm), loaded(llm)):
            with pytest.raises(ConfigurationError, match="stayed behind"):
                moved.invoke("Hello")
        assert api_server.requests == []


class TestARoundTrip:
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"model": "accounts/me/deployments/eyes", "card": model_card("firellava-13b")},
            {"fallback": [OfflineReader(max_side=500), LOCAL]},
            {"backend": OfflineReader(), "fallback": "auto"},
            {"backend": FireworksBackend(model="eyes"), "card": "firellava-13b"},
            {"backend": LOCAL, "fallback": FireworksBackend(model="eyes", prices=DEAR)},
            {"backend": LlamaCppBackend(model_path="m.gguf", mmproj_path="p.gguf"), "local_only": True},
            {"prices": DEAR, "fallback_on": ["RateLimited", ConfigurationError]},
            {"fetch_policy": CAREFUL, "image_urls": "check", "keep_images": 2, "limits": "strict"},
            {"fetch_policy": FetchPolicy(), "fit": "tiles", "describe_metadata": ["DateTime"]},
            {"image_roots": [Path("pictures")], "timeout": None, "deadline": 9.5, "max_retries": 0},
            {"temperature": 0, "top_p": 1, "stop": ["#"], "n": 2, "seed": 0, "model_kwargs": {"min_p": 0.1}},
        ],
    )
    @KINDS
    def test_brings_every_setting_back(self, kind: type[Any], settings: dict[str, Any]) -> None:
        key = {} if "backend" in settings else {"api_key": SECRET}
        llm = kind(**key, **settings)
        for again in (loaded(llm, secrets_map={"FIREWORKS_API_KEY": SECRET}), copy.deepcopy(llm)):
            assert dumpd(again) == dumpd(llm)
            assert again._identifying_params == llm._identifying_params
            for name in settings:
                assert _comparable(getattr(again, name)) == _comparable(getattr(llm, name)), name
        moved = pickled(llm)
        assert moved.fallback == llm.fallback
        assert moved.backend == llm.backend
        assert moved.card == llm.card

    def test_of_a_chain_brings_its_model_back(self, api_server: ApiServer) -> None:
        llm = ChatFireLLaVA(api_key=api_server.key, base_url=api_server.base_url, fallback=[OfflineReader()])
        chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | llm.bind(stop=["?"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that loading is new
            again = loads(
                dumps(chain),
                valid_namespaces=["langchain_firellava"],
                allowed_objects=[
                    ChatFireLLaVA,
                    ChatPromptTemplate,
                    HumanMessagePromptTemplate,
                    PromptTemplate,
                    RunnableBinding,
                    RunnableSequence,
                ],
                secrets_map={"FIREWORKS_API_KEY": api_server.key},
            )
        assert again.invoke({"question": "Hello"}).content == "question: Hello"
        assert api_server.requests[0].json["stop"] == ["?"]

    def test_holds_no_client_and_nothing_that_is_open(self, llm: ChatFireLLaVA) -> None:
        llm.invoke([HumanMessage("Hello")])
        assert set(dumpd(llm)["kwargs"]) == {
            "api_key",
            "base_url",
            "image_urls",
            "key_withheld",
            "limits",
            "max_retries",
            "model",
            "timeout",
        }

    def test_keeps_what_may_be_downloaded(
        self, llm_for: Make, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        llm = llm_for(api_key=None, image_urls="inline", fetch_policy=CAREFUL)
        question = [HumanMessage([{"type": "image", "url": "https://c.example/cat.png"}])]
        for asked in (llm, pickled(llm), copy.deepcopy(llm), llm.model_copy(), loaded(llm)):
            assert asked.fetch_policy == CAREFUL
            with pytest.raises(UnsafeURL, match="allowed_hosts"):
                asked.invoke(question)
        assert api_server.requests == []

    def test_holds_nothing_that_belongs_to_this_process(self, llm_for: Make) -> None:
        handler, limiter = FireLLaVACostHandler(), InMemoryRateLimiter()  # which hold locks
        moved = pickled(llm_for(callbacks=[handler], hooks=[handler.ledger], rate_limiter=limiter))
        assert (moved.callbacks, moved.hooks, moved.rate_limiter) == (None, (), None)

    def test_refuses_to_copy_a_budget(self, llm_for: Make) -> None:
        with pytest.raises(ConfigurationError, match="budget of its own"):
            pickle.dumps(llm_for(budget=Budget(calls=1)))


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


class TestAnotherProcess:
    @pytest.fixture
    def process(self) -> Iterator[ProcessPoolExecutor]:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool

    def test_asks_with_the_key_of_its_environment_and_misses_one_given_in_code(
        self, process: ProcessPoolExecutor, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        llm = ChatFireLLaVA(base_url=api_server.base_url, fallback=OfflineReader())
        answer = process.submit(llm.invoke, "Hello").result()
        assert answer.content == "question: Hello"
        given = ChatFireLLaVA(api_key=api_server.key, base_url=api_server.base_url, fallback=OfflineReader())
        error: Any = process.submit(given.invoke, "Hello").exception()
        assert isinstance(error, ConfigurationError)
        assert isinstance(error, ModelError)
        assert not error.is_retryable
        assert process.submit(os.getpid).result() != os.getpid()
        assert len(api_server.requests) == 1
