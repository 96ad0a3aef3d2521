"""What LangSmith is told of a call is what was asked, and fits what the answer says."""

from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage

from firellava import FireworksBackend, OfflineReader
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer

SET = {"temperature": 0.0, "max_tokens": 50, "stop": ["#"]}
TOLD = {"ls_temperature": 0.0, "ls_max_tokens": 50, "ls_stop": ["#"]}


class Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def on_chat_model_start(self, *args: Any, **told: Any) -> None:
        self._keep(told["metadata"])

    def on_llm_start(self, *args: Any, **told: Any) -> None:
        self._keep(told["metadata"])

    def _keep(self, metadata: dict[str, Any]) -> None:
        self.told.append({name: value for name, value in metadata.items() if name.startswith("ls_")})


@pytest.mark.parametrize(
    ("settings", "call", "told"),
    [
        ({}, {}, {}),
        (SET, {}, TOLD),
        (SET, {"temperature": 1}, TOLD | {"ls_temperature": 1}),
        (SET, {"max_tokens": 9, "stop": ["?"]}, TOLD | {"ls_max_tokens": 9, "ls_stop": ["?"]}),
        (SET, {"max_completion_tokens": 9}, TOLD | {"ls_max_tokens": 9}),
        (SET, {"max_tokens": None}, {"ls_temperature": 0.0, "ls_stop": ["#"]}),
        ({"stop": "#"}, {}, {"ls_stop": ["#"]}),
        ({}, {"stop": "#"}, {"ls_stop": ["#"]}),
        ({}, {"model": QWEN_MAX}, {"ls_model_name": QWEN_MAX}),
    ],
)
async def test_it_is_what_the_call_asks_for(
    api_server: ApiServer, settings: dict[str, Any], call: dict[str, Any], told: dict[str, Any]
) -> None:
    listener = Listener()
    llm = ChatFireLLaVA(
        api_key=api_server.key, base_url=api_server.base_url, callbacks=[listener], **settings
    )
    llm.invoke("Hello", **call)
    await llm.ainvoke("Hello", **call)
    list(llm.stream("Hello", **call))
    assert [chunk async for chunk in llm.astream("Hello", **call)]
    always = {
        "ls_provider": "firellava",
        "ls_model_type": "chat",
        "ls_model_name": FIRELLAVA_13B,
        "ls_integration": "langchain_chat_model",
    }
    assert listener.told == [always | told] * 4


def test_of_a_completions_model_too(api_server: ApiServer) -> None:
    listener = Listener()
    llm = FireLLaVACompletions(api_key=api_server.key, base_url=api_server.base_url, **SET)
    llm.invoke("Hello", {"callbacks": [listener]}, temperature=1)
    list(llm.stream("Hello", {"callbacks": [listener]}, temperature=1))
    for told in listener.told:
        assert told["ls_provider"] == "firellava"
        assert told["ls_model_type"] == "llm"
        assert told["ls_model_name"] == FIRELLAVA_13B
        assert {name: told[name] for name in TOLD} == TOLD | {"ls_temperature": 1}


def test_the_provider_is_the_one_that_the_answer_names(api_server: ApiServer) -> None:
    llm = ChatFireLLaVA(api_key=api_server.key, base_url=api_server.base_url)
    told = llm._get_ls_params()
    answer = llm.invoke([HumanMessage("Hello")])
    assert told["ls_provider"] == answer.response_metadata["model_provider"]
    assert told["ls_model_name"] == answer.response_metadata["model_name"]


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (FireworksBackend(model="qwen3p8-max"), "qwen3p8-max"),
        (OfflineReader(), "offline-reader"),
    ],
)
def test_a_backend_of_your_own_is_named_by_its_card(backend: Any, name: str) -> None:
    assert ChatFireLLaVA(backend=backend)._get_ls_params()["ls_model_name"] == name
