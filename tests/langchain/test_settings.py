"""Settings: where they come from, where they go, and that the key stays out of everything."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from firellava import FireworksBackend, VisionClient, model_card
from firellava.errors import ConfigurationError, ContextOverflow, LimitExceeded
from langchain_firellava import ChatFireLLaVA, image_block
from langchain_firellava.settings import FireLLaVASettings
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

SECRET = "fw_secret_0123456789"


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


class TestTheKey:
    def test_is_in_no_error(self) -> None:
        for settings in ({"api_kye": SECRET}, {"api_key": [SECRET]}, {"api_key": f"{SECRET} {SECRET}"}):
            with pytest.raises(ConfigurationError) as caught:
                ChatFireLLaVA(**settings)
            assert SECRET not in repr(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None


class TestImages:
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
