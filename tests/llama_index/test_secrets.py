"""The key is nowhere: not in what is printed, serialised or pickled; settings survive all three."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.llms import ImageBlock

from firellava import FetchPolicy, FireworksBackend, OfflineReader, model_card
from firellava.errors import ConfigurationError
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer
from tests.llama_index.asking import RECEIPT, conversation

KEY = "fw_quite_secret_0123456789"
CAREFUL = FetchPolicy(seconds=2, allowed_hosts={"b.example", "a.example"})


@pytest.fixture
def keyed() -> FireLLaVA:
    return FireLLaVA(
        api_key=KEY,
        temperature=0.5,
        card=model_card("firellava-13b"),
        fallback=[OfflineReader(), FireworksBackend(model="kimi-k3", api_key=KEY)],
        image_roots=[Path("pictures")],
        describe_metadata=["DateTime"],
        limits="strict",
        image_urls="check",
        fetch_policy=CAREFUL,
        keep_images=3,
        stop=["|"],
    )


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        FireLLaVA.to_dict,
        FireLLaVA.to_json,
        FireLLaVA.model_dump,
        FireLLaVA.model_dump_json,
        pickle.dumps,
        lambda llm: repr(copy.copy(llm)),
        lambda llm: repr(copy.deepcopy(llm)),
        lambda llm: vars(llm.metadata),
    ],
)
def test_the_key_is_not_shown(keyed: FireLLaVA, show: Callable[[FireLLaVA], object]) -> None:
    assert KEY not in str(show(keyed))


def test_the_key_is_not_in_errors_about_settings() -> None:
    for settings in ({"api_key": [KEY]}, {"api_key": KEY, "timeout": "long"}, {"apikey": KEY}):
        with pytest.raises((ConfigurationError, ValueError)) as refused:
            FireLLaVA(**settings)
        assert KEY not in str(refused.value)


def test_settings_survive_serialisation(keyed: FireLLaVA) -> None:
    again = FireLLaVA.from_json(keyed.to_json())
    assert json.loads(again.to_json()) == json.loads(keyed.to_json())
    assert again.temperature == 0.5
    assert again.card == keyed.card
    assert again.image_roots == ("pictures",)
    assert again.fallback[0] == OfflineReader()  # type: ignore[index]  # a list was given
    assert again.api_key is None
    assert (again.limits, again.image_urls, again.keep_images) == ("strict", "check", 3)
    assert again.fetch_policy == CAREFUL


def test_settings_survive_pickling(keyed: FireLLaVA) -> None:
    again = pickle.loads(pickle.dumps(keyed))  # noqa: S301 - our own pickle
    assert again.to_dict() == keyed.to_dict()
    assert again.fetch_policy == CAREFUL
    assert keyed.api_key is not None
    assert again.api_key is None


@pytest.mark.parametrize(
    "move",
    [
        lambda llm: pickle.loads(pickle.dumps(llm)),  # noqa: S301 - our own pickle
        lambda llm: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(llm)))),  # noqa: S301 - our own pickle
        lambda llm: FireLLaVA.from_dict(llm.to_dict()),
        lambda llm: FireLLaVA.from_json(llm.to_json()),
    ],
)
def test_a_key_left_behind_is_an_error_and_never_a_reason_to_fall_back(
    move: Callable[[FireLLaVA], FireLLaVA],
) -> None:
    moved = move(FireLLaVA(api_key=KEY, fallback=OfflineReader()))
    with pytest.raises(ConfigurationError, match="stayed behind"):
        moved.chat(conversation(ImageBlock(path=RECEIPT)))


def test_a_key_can_be_given_again(api_server: ApiServer) -> None:
    stored = FireLLaVA(api_key=api_server.key, base_url=api_server.base_url).to_dict()
    again = FireLLaVA.from_dict(stored, api_key=api_server.key)
    assert again.chat(conversation()).message.content == "question: What is this?"


def test_without_a_key_in_code_the_environment_is_asked_wherever_it_runs(
    api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = pickle.loads(pickle.dumps(FireLLaVA(base_url=api_server.base_url)))  # noqa: S301 - our own pickle
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    assert moved.chat(conversation()).message.content == "question: What is this?"


def test_a_copy_keeps_the_key(llm: FireLLaVA) -> None:
    assert copy.copy(llm).chat(conversation()).message.content == "question: What is this?"


async def test_own_http_clients_are_used_and_neither_shown_nor_pickled(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx.Client(headers={"x-mine": "sync"}) as client:
        async with httpx.AsyncClient(headers={"x-mine": "async"}) as aclient:
            llm = llm_for(http_client=client, http_async_client=aclient)
            with caplog.at_level(logging.WARNING):
                pickle.dumps(llm)
            llm.chat(conversation())
            await llm.achat(conversation())
    assert [request.headers["x-mine"] for request in api_server.requests] == ["sync", "async"]
    assert "http_client" not in repr(llm)
    assert "http_client" not in llm.to_dict()
    assert caplog.records == []


class Recorder(BaseCallbackHandler):
    """Keeps what LlamaIndex tells its callback handlers about the LLM."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.serialised: list[Any] = []

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(
        self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None
    ) -> None: ...

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        self.serialised.append((payload or {})[EventPayload.SERIALIZED])
        return event_id

    def on_event_end(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        **kwargs: Any,
    ) -> None: ...


def test_callbacks_are_told_of_the_llm_and_not_of_the_key(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer
) -> None:
    recorder = Recorder()
    llm_for(callback_manager=CallbackManager([recorder])).chat(conversation())
    (told,) = recorder.serialised
    assert told["class_name"] == "FireLLaVA"
    assert api_server.key not in str(told)
