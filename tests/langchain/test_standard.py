"""LangChain's own standard tests for chat models."""

from importlib import import_module
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_firellava import ChatFireLLaVA


class TestChatFireLLaVA(ChatModelUnitTests):
    @pytest.fixture(autouse=True)
    def _loadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite loads "all" objects, those on a list of LangChain's own: ours joins it."""
        path = tuple(ChatFireLLaVA.lc_id())
        loading = import_module("langchain_core.load.load")
        monkeypatch.setitem(loading.ALL_SERIALIZABLE_MAPPINGS, path, path)
        monkeypatch.setattr(loading, "_default_class_paths_cache", {})

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatFireLLaVA

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "qwen3p8-max"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        environment = {
            "FIREWORKS_API_KEY": "fw_invented",
            "FIREWORKS_API_BASE": "https://vision.example.com/v1",
            "FIRELLAVA_MODEL": "accounts/me/deployments/vision",
        }
        settled = {
            "base_url": "https://vision.example.com/v1",
            "model": "accounts/me/deployments/vision",
        }
        return environment, {}, settled
