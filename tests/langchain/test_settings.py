"""Settings: where they come from, where they go, and that the key stays out of everything."""

import copy
import inspect
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps, load
from langchain_core.messages import HumanMessage

from firellava import FetchPolicy, FireworksBackend, OfflineReader, VisionClient, model_card
from firellava.errors import ConfigurationError, ContextOverflow, LimitExceeded, MissingKey, UnsafeURL
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from langchain_firellava.settings import FireLLaVASettings
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

SECRET = "fw_secret_0123456789"
CAREFUL = FetchPolicy(seconds=2, allowed_hosts={"b.example", "a.example"})


def moved_elsewhere(llm: ChatFireLLaVA) -> ChatFireLLaVA:
    """What another process gets."""
    moved = pickle.loads(pickle.dumps(llm))  # noqa: S301 - pickled one line before
    assert isinstance(moved, ChatFireLLaVA)
    return moved


def test_every_setting_of_the_client_is_here_with_the_same_default() -> None:
    parameters = dict(inspect.signature(VisionClient).parameters)
    fields = FireLLaVASettings.model_fields
    assert {name: fields[name].get_default() for name in parameters} == {
        name: parameter.default for name, parameter in parameters.items()
    }


def test_they_come_from_the_environment(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_BASE", api_server.base_url)
    monkeypatch.setenv("FIRELLAVA_MODEL", "qwen3p8-max")
    llm = ChatFireLLaVA()
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)  # read when a call is made
    assert llm.invoke("Hello").response_metadata["model_name"] == QWEN_MAX


@pytest.mark.parametrize("model", ["firellava-13b", FIRELLAVA_13B, None])
def test_short_model_names_are_expanded(model: str | None) -> None:
    llm = ChatFireLLaVA(model=model)
    assert llm.model == FIRELLAVA_13B
    assert llm._get_ls_params()["ls_model_name"] == FIRELLAVA_13B


def test_the_names_of_other_integrations_are_known(api_server: ApiServer) -> None:
    llm = ChatFireLLaVA(
        model_name="qwen3p8-max",
        fireworks_api_key=api_server.key,
        base_url=api_server.base_url,
        stop_sequences="|",
    )
    llm.invoke("Hello")
    assert api_server.requests[0].json["model"] == QWEN_MAX
    assert api_server.requests[0].json["stop"] == ["|"]


def test_a_backend_can_be_asked_in_the_place_of_a_model(api_server: ApiServer) -> None:
    backend = FireworksBackend(model="qwen3p8-max", api_key=api_server.key, base_url=api_server.base_url)
    llm = ChatFireLLaVA(backend=backend)
    assert llm.invoke("Hello").response_metadata["model_name"] == QWEN_MAX
    assert llm._get_ls_params()["ls_model_name"] == "qwen3p8-max"


def test_a_changed_copy_asks_as_changed(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    llm.invoke("Hello")
    llm.model_copy(update={"model": QWEN_MAX}).invoke("Hello")
    llm.max_tokens = 3
    llm.invoke("Hello")
    assert [request.json["model"] for request in api_server.requests] == [
        FIRELLAVA_13B,
        QWEN_MAX,
        FIRELLAVA_13B,
    ]
    assert api_server.requests[2].json["max_tokens"] == 3


def test_they_can_be_configured_per_call(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    from langchain_core.runnables import ConfigurableField  # noqa: PLC0415 - only here

    configurable = llm.configurable_fields(temperature=ConfigurableField(id="heat"))
    configurable.invoke("Hello", {"configurable": {"heat": 0.7}})
    assert api_server.requests[0].json["temperature"] == 0.7


class TestTheKey:
    @pytest.mark.parametrize("kind", [ChatFireLLaVA, FireLLaVACompletions])
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

    def test_is_in_no_error(self) -> None:
        for settings in ({"api_kye": SECRET}, {"api_key": [SECRET]}, {"api_key": f"{SECRET} {SECRET}"}):
            with pytest.raises(ConfigurationError) as caught:
                ChatFireLLaVA(**settings)
            assert SECRET not in repr(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None

    def test_that_stayed_behind_is_missed_and_not_fallen_back_from(self, api_server: ApiServer) -> None:
        llm = ChatFireLLaVA(
            api_key=api_server.key,
            base_url=api_server.base_url,
            fallback=OfflineReader(),
            card="firellava-13b",
        )
        llm.invoke("Hello")
        for moved in (moved_elsewhere(llm), moved_elsewhere(moved_elsewhere(llm))):
            with pytest.raises(ConfigurationError, match="stayed behind") as caught:
                moved.invoke("Hello")
            assert not isinstance(caught.value, MissingKey)
        assert len(api_server.requests) == 1

    def test_from_the_environment_is_found_again(
        self, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        llm = ChatFireLLaVA(base_url=api_server.base_url, temperature=0)
        moved = moved_elsewhere(llm)
        assert dumpd(moved) == dumpd(llm)
        assert moved.invoke("Hello").content == "question: Hello"
        assert copy.deepcopy(llm).invoke("Hello").content == "question: Hello"


class TestSerialisation:
    @pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
    def test_brings_back_backends_fallbacks_and_cards(self, api_server: ApiServer, tmp_path: Path) -> None:
        llms: list[Any] = [
            ChatFireLLaVA(
                api_key=api_server.key,
                base_url=api_server.base_url,
                model="accounts/me/deployments/eyes",
                card=model_card("firellava-13b"),
                fallback=[OfflineReader(max_side=500)],
                image_roots=[tmp_path],
                stop=["#"],
                model_kwargs={"min_p": 0.1},
            ),
            ChatFireLLaVA(backend=OfflineReader(), fallback="auto"),
            ChatFireLLaVA(api_key=api_server.key, fetch_policy=CAREFUL, image_urls="check", keep_images=2),
            FireLLaVACompletions(api_key=api_server.key, limits="strict", fetch_policy=FetchPolicy()),
            FireLLaVACompletions(backend=FireworksBackend(model="eyes"), card="firellava-13b"),
        ]
        for llm in llms:
            loaded = load(
                dumpd(llm),
                valid_namespaces=["langchain_firellava"],
                allowed_objects=[type(llm)],
                secrets_map={"FIREWORKS_API_KEY": api_server.key},
            )
            assert dumpd(loaded) == dumpd(llm)
            assert loaded.fetch_policy == llm.fetch_policy
            assert loaded._identifying_params == llm._identifying_params

    def test_of_messages_holds_no_client(self, llm: ChatFireLLaVA) -> None:
        llm.invoke([HumanMessage("Hello")])
        assert set(dumpd(llm)["kwargs"]) == {
            "api_key",
            "base_url",
            "image_urls",
            "limits",
            "max_retries",
            "model",
            "timeout",
        }


class TestImages:
    def test_are_asked_for_within_the_policy_by_whoever_gets_the_model(
        self, llm_for: Make, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        llm = llm_for(api_key=None, image_urls="inline", fetch_policy=CAREFUL)
        question = [HumanMessage([{"type": "image", "url": "https://c.example/cat.png"}])]
        for asked in (llm, moved_elsewhere(llm), copy.deepcopy(llm), llm.model_copy(), loaded(llm)):
            assert asked.fetch_policy == CAREFUL
            with pytest.raises(UnsafeURL, match="allowed_hosts"):
                asked.invoke(question)
        assert api_server.requests == []

    def test_are_limited_as_set(self, llm_for: Make, api_server: ApiServer) -> None:
        images: list[str | dict[Any, Any]] = [image_block(encoded())] * 8
        with pytest.raises(ContextOverflow, match="keep_images="):
            llm_for().invoke([HumanMessage(images)])
        card = model_card("firellava-13b")
        narrow = card.image_limits.model_copy(update={"image_bytes": 10})
        strict = card.model_copy(update={"image_limits": narrow})
        with pytest.raises(LimitExceeded, match="limits='adjust'"):
            llm_for(card=strict, limits="strict").invoke([HumanMessage(images[:1])])
        assert api_server.requests == []
        llm_for(card=strict, limits="off").invoke([HumanMessage(images[:1])])
        reply = llm_for(keep_images=1).invoke([HumanMessage(images)])
        assert [len(request.images) for request in api_server.requests] == [1, 1]
        assert reply.response_metadata["adjustments"][0].startswith("7 older images were left out")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"limits": "lax"},
            {"image_urls": "download"},
            {"keep_images": 0},
            {"fetch_policy": {"allow_everything": True}},
            {"fetch_policy": {"allow_private": "no"}},
        ],
    )
    def test_have_no_settings_but_these(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(
            ConfigurationError, match=r"limits|image_urls|keep_images|fetch_policy|allow_private"
        ):
            ChatFireLLaVA(**wrong)


def loaded(llm: ChatFireLLaVA) -> ChatFireLLaVA:
    """What LangChain makes of what it wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that loading is new
        again = load(
            dumpd(llm),
            valid_namespaces=["langchain_firellava"],
            allowed_objects=[ChatFireLLaVA],
            secrets_from_env=True,
        )
    assert isinstance(again, ChatFireLLaVA)
    return again
