"""LangChain's own integration tests for chat models, against the API's contract instead of the service.

Documents, audio and the time of a stream are left out: the API takes neither, and the last needs recorded
traffic of a real service.
"""

from typing import Any, Literal

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

from langchain_firellava import ChatFireLLaVA
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded


class TestChatFireLLaVA(ChatModelIntegrationTests):
    @pytest.fixture(autouse=True)
    def _the_picture_of_the_suite(self, monkeypatch: pytest.MonkeyPatch, api_server: ApiServer) -> None:
        """The suite downloads a picture from the web, and names it by its URL as well."""
        picture = encoded("PNG", (640, 480))

        def get(url: str, **_: Any) -> httpx.Response:
            assert url.startswith("https://raw.githubusercontent.com/langchain-ai/docs/")
            api_server.host_image(url, picture)
            return httpx.Response(200, content=picture)

        monkeypatch.setattr(httpx, "get", get)

    @pytest.fixture(autouse=True)
    def _settings(self, monkeypatch: pytest.MonkeyPatch, api_server: ApiServer) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        monkeypatch.setenv("FIREWORKS_API_BASE", api_server.base_url)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatFireLLaVA

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": QWEN_MAX}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return FIRELLAVA_13B

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Any]]:
        told = ["reasoning_output", "cache_read_input"]
        return {"invoke": told, "stream": told}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return _asked(stream=stream, reasoning_effort="low")

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return _asked(stream=stream, prompt_cache_key="conversation")


def _asked(*, stream: bool, **parameters: Any) -> AIMessage:
    return ChatFireLLaVA(model=QWEN_MAX, streaming=stream).invoke("Hello", **parameters)
