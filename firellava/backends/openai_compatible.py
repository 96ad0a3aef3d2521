"""The user's own server: Ollama, LM Studio, llama-server, vLLM, SGLang, or another that speaks the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from firellava.backends.http import HTTPBackend, is_loopback
from firellava.errors import ConfigurationError
from firellava.models import Capabilities, ImageLimits, ModelCard, card_by_name

if TYPE_CHECKING:
    from typing import Self

__all__ = ["OpenAICompatibleBackend", "as_served_locally"]

# What every one of these servers takes: JPEG or PNG as a data URL, a word as tool_choice, no `detail`, and
# none of the fields that only Fireworks has.
_COMMON_GROUND: dict[str, Any] = {
    "image_urls": False,
    "detail": False,
    "completions": False,
    "tool_choice_objects": False,
    "unsupported_fields": frozenset(
        {
            "context_length_exceeded_behavior",
            "metadata",
            "perf_metrics_in_response",
            "prompt_cache_key",
            "reasoning_content",
            "service_tier",
        }
    ),
}
_LIMITS = ImageLimits.unlimited("JPEG", "PNG")


def as_served_locally(card: ModelCard) -> ModelCard:
    """A model's card with what servers on one's own machine take, instead of what the API takes."""
    capabilities = card.capabilities.model_copy(update=_COMMON_GROUND)
    return card.model_copy(update={"capabilities": capabilities, "image_limits": _LIMITS, "prices": None})


class OpenAICompatibleBackend(HTTPBackend):
    """A server of your own that speaks the chat completions format.

    Attributes:
        base_url: such as ``http://127.0.0.1:11434/v1``; without a path, ``/v1`` is added.
        model: the model's name on the server.
        api_key: where the server wants one. It is sent over https, or to this machine, and nowhere else.
        card: as in `Backend`. The name of a model (``"firellava-13b"``) gives that model's rules, and what
            such servers have in common; a `ModelCard` is taken as it is.

    Raises:
        ConfigurationError: a key that cannot be sent, or a base URL that would send it in clear text.
    """

    kind: Literal["openai_compatible"] = "openai_compatible"

    @field_validator("card", mode="before")
    @classmethod
    def _card_by_name(cls, card: Any) -> Any:  # noqa: ANN401 - whatever the user gave
        return as_served_locally(card_by_name(card)) if isinstance(card, str) else card

    @field_validator("base_url", mode="after")
    @classmethod
    def _with_path(cls, url: str) -> str:
        return url if urlsplit(url).path else f"{url}/v1"

    @model_validator(mode="after")
    def _key_stays_private(self) -> Self:
        if self.api_key is not None and self.base_url.startswith("http:") and not self.is_local:
            raise ConfigurationError(
                f"base_url is plain http ({self.base_url}): the key would cross the network unencrypted. "
                "Use https, or leave api_key= out."
            )
        return self

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.base_url)

    @property
    def label(self) -> str:
        """The host and the model, such as ``127.0.0.1:11434/llava``."""
        return f"{urlsplit(self.base_url).netloc}/{self.model.rpartition('/')[2]}"

    @property
    def model_card(self) -> ModelCard:
        """The card that was given, or one that claims nothing about the model."""
        return self.card or as_served_locally(
            ModelCard(name=self.model, capabilities=Capabilities(tools=True))
        )

    def unknown_model_advice(self) -> str:
        """Where else to look."""
        return f"Is it installed there? {self.base_url}/models lists what the server has."

    def _names_in_file(self) -> tuple[str, ...]:
        return (self.model,)

    def _key(self) -> SecretStr | None:
        if self.api_key is None and self.key_withheld:
            raise ConfigurationError(
                "The API key given in code stayed behind when this object was pickled: give it again."
            )
        return self.api_key
