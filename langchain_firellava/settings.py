"""What `ChatFireLLaVA` and `FireLLaVACompletions` are configured with, and the `VisionClient` made from it.

Annotations here are read at run time, by pydantic and by LangChain, so none hides behind TYPE_CHECKING.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from langchain_core.language_models import LangSmithParams
from langchain_core.load.serializable import Serializable
from pydantic import (
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)

from firellava.backends.base import Backend
from firellava.backends.fireworks import FireworksBackend
from firellava.backends.http import HTTPBackend
from firellava.backends.kinds import revive_backends
from firellava.backends.pictures import ImageURLs
from firellava.client import VisionClient
from firellava.costs.prices import Prices
from firellava.errors import ConfigurationError, InvalidRequest
from firellava.images.fetch_policy import FetchPolicy
from firellava.limits import LimitsPolicy
from firellava.models import Fit, ModelCard, expand_model_name
from firellava.settings import checked_fetch_policy, checked_parameters, error_names, folder_texts
from firellava.validation import explain
from langchain_firellava.settings_of_others import parameters_here, settings_here
from langchain_firellava.translation.messages import PROVIDER

__all__ = ["CONFIG", "FireLLaVASettings"]

_CLIENT = (
    "model",
    "api_key",
    "base_url",
    "backend",
    "card",
    "fallback",
    "timeout",
    "deadline",
    "max_retries",
    "local_only",
    "fallback_on",
    "prices",
    "budget",
    "hooks",
    "fit",
    "limits",
    "image_urls",
    "fetch_policy",
    "keep_images",
    "image_roots",
    "describe_metadata",
    "http_client",
    "http_async_client",
    "key_withheld",
)
"""The settings that `VisionClient` takes, by the same names."""

_GENERATION = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "stop",
    "n",
    "seed",
    "logprobs",
    "top_logprobs",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "reasoning_effort",
    "service_tier",
)
"""The settings that are parameters of every call, unless the call says otherwise."""

_OF_MODELS_ONLY = frozenset(_CLIENT) - {"model", "fit"}
"""The settings that a call cannot change."""

_OF_LANGCHAIN = ("stream",)
"""What LangChain passes on with a call and has already acted on."""


def _fixed(value: Any) -> Any:  # noqa: ANN401 - as above
    """A list as it is now: whether settings were changed is seen by comparing them."""
    return tuple(value) if isinstance(value, list) else value


def _texts(value: Any) -> Any:  # noqa: ANN401 - as above
    return [value] if isinstance(value, str) else value


CONFIG = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)
"""For every model with these settings: of several bases pydantic takes the last one's configuration."""


class FireLLaVASettings(Serializable):
    """Settings shared by the models of this package; see `firellava.VisionClient` and `firellava.Parameters`.

    Attributes:
        model: a model of the API, short or full; default ``FIRELLAVA_MODEL``, else FireLLaVA-13b.
        api_key: default ``FIREWORKS_API_KEY``, read when a call is made. Never printed or pickled.
        base_url: default ``FIREWORKS_API_BASE``, else the public service.
        backend: what to ask first, in the place of the three above.
        card: what is known about the model, as a card or the name of one.
        fallback: what answers when the first backend cannot: a backend, several in order, ``"auto"`` for what
            this machine has, or None to raise the error.
        timeout: seconds for one attempt.
        deadline: seconds for all attempts of all backends together.
        max_retries: further attempts of the same backend.
        local_only: ask nothing but this machine, ever.
        fallback_on: the errors, as classes or by name, for which the next backend is asked.
        prices: dollars per million tokens, where you know better than the price list.
        budget: what may be spent; share one between models.
        hooks: who is told of each call when it is over, such as a `firellava.Ledger`.
        fit: how images are made to fit, where the model card is not to decide: ``letterbox``, ``contain``,
            ``tiles`` for dense pages, or ``none`` for the pixels as given.
        limits: what is done about the limits of the model card: ``"adjust"`` makes images smaller where that
            helps and tells so, ``"strict"`` raises, ``"off"`` leaves it to the server.
        image_urls: what is done with images given by URL where the backend takes URLs: ``"pass"`` them on,
            ``"check"`` each and inline what the server would drop, ``"inline"`` all.
        fetch_policy: what may be downloaded here.
        keep_images: how many images of a conversation are sent, the newest; by default all.
        image_roots: folders from which images may be read.
        describe_metadata: names of EXIF tags to tell the model as text.
        http_client: your own `httpx.Client` for synchronous calls.
        http_async_client: your own `httpx.AsyncClient` for asynchronous calls.
        key_withheld: a key was given in code, and stayed behind when the model was pickled or serialised.
        temperature: randomness, 0 to 2.
        top_p: share of probability to sample from.
        top_k: number of tokens to sample from.
        min_p: probability that a token must have, as a share of the likeliest token's.
        max_tokens: tokens of the answer at most.
        stop: texts that end the answer, at most four.
        n: number of answers.
        seed: for answers that repeat.
        logprobs: tell how likely each token was, in ``response_metadata``.
        top_logprobs: how many other tokens to tell that of.
        frequency_penalty: against repeating what was said often, -2 to 2.
        presence_penalty: against repeating what was said at all, -2 to 2.
        repetition_penalty: a factor against repeating, 1 for none.
        reasoning_effort: how much to think, for models that do.
        service_tier: ``priority`` for the dearer and faster one.
        model_kwargs: anything else the API takes, merged into each request as it is.

    Raises:
        ConfigurationError: a setting is unknown or wrong, or contradicts another.
    """

    model: str | None = Field(default=None, validation_alias=AliasChoices("model", "model_name"))
    api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("api_key", "fireworks_api_key")
    )
    base_url: str | None = Field(
        default=None, validation_alias=AliasChoices("base_url", "fireworks_api_base")
    )
    backend: Annotated[InstanceOf[Backend] | None, BeforeValidator(revive_backends)] = None
    card: ModelCard | str | None = None
    # VisionClient checks it, and says better than a union of types could what it takes.
    fallback: Annotated[Any, BeforeValidator(revive_backends)] = None
    timeout: float | None = Field(default=60.0, validation_alias=AliasChoices("timeout", "request_timeout"))
    deadline: float | None = None
    max_retries: int = 2
    local_only: bool = False
    fallback_on: Annotated[tuple[str, ...] | None, BeforeValidator(error_names)] = None
    prices: Prices | None = None
    # VisionClient checks these two, and says better than a type of pydantic's could what it takes.
    budget: Any = Field(default=None, exclude=True, repr=False)
    hooks: Annotated[Any, BeforeValidator(_fixed)] = Field(default=(), exclude=True, repr=False)
    fit: Fit | None = None
    limits: LimitsPolicy = "adjust"
    image_urls: ImageURLs = "pass"
    fetch_policy: Annotated[InstanceOf[FetchPolicy] | None, BeforeValidator(checked_fetch_policy)] = None
    keep_images: int | None = None
    image_roots: Annotated[tuple[str, ...] | None, BeforeValidator(folder_texts)] = None
    describe_metadata: tuple[str, ...] = ()
    http_client: Any = Field(default=None, exclude=True, repr=False)
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    key_withheld: bool = Field(default=False, repr=False)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens")
    )
    stop: Annotated[list[str] | None, BeforeValidator(_texts)] = Field(
        default=None, validation_alias=AliasChoices("stop", "stop_sequences")
    )
    n: int | None = None
    seed: int | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    reasoning_effort: str | int | bool | None = None
    service_tier: str | None = None
    model_kwargs: dict[str, Any] = Field(
        default_factory=dict, validation_alias=AliasChoices("model_kwargs", "extra_body")
    )

    _held: tuple[dict[str, Any], VisionClient] | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _own_errors(cls, settings: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        problem = ""
        try:
            return handler(settings_here(settings) if isinstance(settings, Mapping) else settings)
        except ValidationError as error:
            problem = explain(error)
        # Raised here, not above: pydantic's report holds what was set, which may be a key.
        raise ConfigurationError(
            f"{cls.__name__}: {problem}. What the API takes beyond its settings goes into model_kwargs={{…}}."
        )

    @model_validator(mode="after")
    def _settle(self) -> Self:
        """Fill in what the environment says, so that it prints and tells cached answers apart."""
        if self.backend is None:
            given = {"model": self.model, "base_url": self.base_url}
            asked = FireworksBackend(**{name: value for name, value in given.items() if value is not None})
            self.__dict__ |= {"model": asked.model, "base_url": asked.base_url}  # settled, not changed
        # What is serialised names this variable in the place of the key. A pickle does not come by here.
        if self.api_key is not None or os.environ.get("FIREWORKS_API_KEY"):
            self.__dict__["key_withheld"] = False
        # Wrong settings show when the model is made, not when it is called.
        self._client()
        checked_parameters(self._parameters(None, {}))
        return self

    @property
    def _model_name(self) -> str:
        return self.model or self._client().model_card.name

    def _client(self, model: str | None = None) -> VisionClient:
        """The client for the present settings, made at most once for each; another one for another model."""
        settings = {name: getattr(self, name) for name in _CLIENT}
        if model is not None and self._is_another(model):
            return VisionClient(**settings | self._for_another(model))
        held = self._held
        if held is None or held[0] != settings:
            held = self._held = (settings, VisionClient(**settings))
        return held[1]

    def _is_another(self, model: object) -> bool:
        if not isinstance(model, str):
            raise InvalidRequest(f"model= is the name of a model, not {type(model).__name__}.")
        return self.backend is not None or expand_model_name(model) != self.model

    def _for_another(self, model: str) -> dict[str, Any]:
        """The settings that change with the model: card and prices belong to the one they were given for."""
        changed = {"model": model, "card": None, "prices": None}
        if not isinstance(self.backend, HTTPBackend):
            return changed  # any other backend has one model, and refuses
        backend = type(self.backend).model_validate(dict(self.backend) | changed)
        return {"backend": backend, "card": None, "prices": None}

    def _parameters(self, stop: list[str] | None, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of one call: the settings, and above them what the call itself says."""
        for name in overrides.keys() & _OF_MODELS_ONLY:
            raise ConfigurationError(
                f"{name}= is a setting of the model and goes with no call: "
                f"llm.model_copy(update={{'{name}': …}}) makes another one, which is cheap."
            )
        own = {name: getattr(self, name) for name in _GENERATION}
        given = own | {
            name: value for name, value in parameters_here(overrides).items() if name not in _OF_LANGCHAIN
        }
        given["stop"] = stop or given["stop"] or None
        more = given.get("extra_body") or {}
        given["extra_body"] = (self.model_kwargs | dict(more) or None) if isinstance(more, Mapping) else more
        return given

    def _traced(
        self, kind: Literal["chat", "llm"], stop: list[str] | None, overrides: Mapping[str, Any]
    ) -> LangSmithParams:
        """What LangSmith is told of a call."""
        asked = self._parameters(stop, overrides)
        told = LangSmithParams(
            ls_provider=PROVIDER, ls_model_type=kind, ls_model_name=asked.get("model") or self._model_name
        )
        if asked["temperature"] is not None:
            told["ls_temperature"] = asked["temperature"]
        if asked["max_tokens"] is not None:
            told["ls_max_tokens"] = asked["max_tokens"]
        if asked["stop"]:
            told["ls_stop"] = _texts(asked["stop"])
        return told
