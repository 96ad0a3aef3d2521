"""The Fireworks API as a backend."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, field_validator

from firellava.backends.http import HTTPBackend, checked_key, is_loopback
from firellava.costs.price_list import prices_of_genai_prices
from firellava.errors import ConfigurationError, MissingKey
from firellava.models import DEFAULT_MODEL, ModelCard, catalogue, expand_model_name, model_card

if TYPE_CHECKING:
    from firellava.costs.prices import Prices
    from firellava.messages import Request

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

    def _names_in_file(self) -> tuple[str, ...]:
        short = self.model.rpartition("/")[2]
        return (self.model, short) if short and expand_model_name(short) == self.model else (self.model,)

    def _published_prices(self, request: Request | None) -> Prices | None:
        """The catalogue's or the card's prices, else those of genai-prices.

        The catalogue's hold for the serverless model of that name in the standard tier. A card that lends its
        image rules to a deployment, which is billed by the second of a GPU, to a router, which follows other
        models, or to another model does not lend its prices. The priority tier is dearer by no fixed factor.

        Sources: Fireworks' pages "Serverless Pricing", "Serverless Modes" and "Introduction" to inference.
        """
        if request is not None and not _is_standard(request):
            return None
        card = self.model_card
        listed = catalogue.get(card.name)
        of_the_catalogue = listed is not None and listed.prices == card.prices
        lent = of_the_catalogue and self.model != expand_model_name(card.name)
        return (None if lent else card.prices) or prices_of_genai_prices(self.model)

    def _key(self) -> SecretStr:
        if self.api_key is not None:
            return self.api_key
        if self.key_withheld:
            raise ConfigurationError(
                "The API key given in code stayed behind when this object was pickled or serialised. Set "
                "FIREWORKS_API_KEY where it runs and construct it without api_key=, or give the key there."
            )
        if key := os.environ.get("FIREWORKS_API_KEY"):
            return checked_key(key, "FIREWORKS_API_KEY")
        raise MissingKey(
            "No API key: set FIREWORKS_API_KEY or give api_key=. To answer without one, from this machine, "
            "give fallback='auto' and install \"firellava[ocr]\" or run a local model."
        )


def _is_standard(request: Request) -> bool:
    """Whether the request asks for nothing but the standard tier."""
    beyond = request.parameters.extra_body or {}
    return beyond.get("service_tier", request.parameters.service_tier) in (None, "auto", "default")
