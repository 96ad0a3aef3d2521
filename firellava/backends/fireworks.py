"""The Fireworks API as a backend."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from firellava.backends.http import HTTPBackend, checked_key, is_loopback
from firellava.errors import ConfigurationError, MissingKey
from firellava.models import DEFAULT_MODEL, ModelCard, catalogue, expand_model_name, model_card

__all__ = ["DEFAULT_BASE_URL", "FireworksBackend"]

DEFAULT_BASE_URL = "https://api.fireworks.ai/inference/v1"


class FireworksBackend(HTTPBackend):
    """The Fireworks vision chat API, or a server that speaks it.

    Attributes:
        model: short names expand to the API's own; default ``FIRELLAVA_MODEL`` or FireLLaVA-13b.
        api_key: default ``FIREWORKS_API_KEY``, read when a call is made. Never printed or pickled.
        base_url: default ``FIREWORKS_API_BASE`` or the public service.
        card: as in `Backend`; for deployments, whose names the catalogue cannot know.

    Raises:
        ConfigurationError: a key that cannot be sent, or a base URL that would send it in clear text.
    """

    kind: Literal["fireworks"] = "fireworks"
    model: str = Field(default_factory=lambda: os.environ.get("FIRELLAVA_MODEL", DEFAULT_MODEL))
    base_url: str = Field(default_factory=lambda: os.environ.get("FIREWORKS_API_BASE", DEFAULT_BASE_URL))

    @field_validator("model", mode="after")
    @classmethod
    def _full_name(cls, model: str) -> str:
        return expand_model_name(model)

    @field_validator("base_url", mode="after")
    @classmethod
    def _encrypted_url(cls, url: str) -> str:
        if url.startswith("http:") and not is_loopback(url):
            raise ConfigurationError(
                f"base_url is plain http ({url}): the key and the images would cross the network "
                "unencrypted. Use https; plain http is for this machine only."
            )
        return url

    @property
    def label(self) -> str:
        """``fireworks:`` and the model's short name."""
        return f"fireworks:{self.model.rpartition('/')[2]}"

    @property
    def model_card(self) -> ModelCard:
        """The card that was given, or the catalogue's."""
        return self.card or model_card(self.model)

    def unknown_model_advice(self) -> str:
        """Where else to look."""
        names = ", ".join(name for name in catalogue if not self.model.endswith(name))
        return (
            f"It may be retired, not deployed, or not yours. Other vision models: {names}. For a deployment "
            "of your own, give its full name as model= and card='firellava-13b' to keep FireLLaVA's rules; "
            "or answer from this machine with fallback=."
        )

    def _key(self) -> SecretStr:
        if self.api_key is not None:
            return self.api_key
        if self.key_withheld:
            raise ConfigurationError(
                "The API key given in code stayed behind when this object was pickled. Set FIREWORKS_API_KEY "
                "where it runs and construct it without api_key=, or give the key there."
            )
        if key := os.environ.get("FIREWORKS_API_KEY"):
            return checked_key(key, "FIREWORKS_API_KEY")
        raise MissingKey(
            "No API key: set FIREWORKS_API_KEY or give api_key=. To answer without one, from this machine, "
            "give fallback='auto' and install \"firellava[ocr]\" or run a local model."
        )
