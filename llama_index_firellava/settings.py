"""What a `FireLLaVA` is set to.

Settings print, serialise and pickle without a secret; at every call they become a `firellava.VisionClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SkipValidation,
    field_serializer,
)

from firellava import Backend, ModelCard, Parameters, VisionClient
from firellava.backends.kinds import revive_backends
from firellava.backends.pictures import ImageURLs  # noqa: TC001 - pydantic reads annotations at run time
from firellava.costs.prices import Prices  # noqa: TC001 - pydantic reads annotations at run time
from firellava.images.fetch_policy import FetchPolicy  # noqa: TC001 - pydantic reads annotations at run time
from firellava.limits import LimitsPolicy  # noqa: TC001 - pydantic reads annotations at run time
from firellava.models import Fit  # noqa: TC001 - pydantic reads annotations at run time
from firellava.settings import (
    Fallback,
    checked_fetch_policy,
    checked_parameters,
    error_names,
    folder_texts,
    tag_names,
)
from firellava.validation import OwnErrors

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FireLLaVASettings"]

_PARAMETERS: Final = frozenset(Parameters.model_fields)
_PARAMETER_FIELDS: Final = ("temperature", "max_tokens", "top_p", "top_k", "stop", "seed")


def _tag_names(value: Any) -> Any:  # noqa: ANN401 - whatever the user gave; pydantic checks it
    return tag_names(value) if isinstance(value, str) else value


class FireLLaVASettings(OwnErrors, FunctionCallingLLM):
    """The fields of `FireLLaVA`, which says what each is for."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: str | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    base_url: str | None = None
    backend: Annotated[Backend | None, SkipValidation, BeforeValidator(revive_backends)] = None
    card: ModelCard | str | None = None
    fallback: Annotated[Fallback, SkipValidation, BeforeValidator(revive_backends)] = None
    timeout: float | None = 60.0
    deadline: float | None = None
    max_retries: int = 2
    local_only: bool = False
    fallback_on: Annotated[tuple[str, ...] | None, BeforeValidator(error_names)] = None
    prices: Prices | None = None
    # VisionClient checks these two, and says better than a type of pydantic's could what it takes.
    budget: Any = Field(default=None, exclude=True, repr=False)
    hooks: Any = Field(default=(), exclude=True, repr=False)
    fit: Fit | None = None
    limits: Annotated[LimitsPolicy, SkipValidation] = "adjust"
    image_urls: Annotated[ImageURLs, SkipValidation] = "pass"
    fetch_policy: Annotated[FetchPolicy | None, SkipValidation, BeforeValidator(checked_fetch_policy)] = None
    keep_images: Annotated[int | None, SkipValidation] = None
    image_roots: Annotated[tuple[str, ...] | None, BeforeValidator(folder_texts)] = None
    describe_metadata: Annotated[tuple[str, ...], BeforeValidator(_tag_names)] = ()
    # Of any type here, because adapters know no HTTP library; httpx stays the core's own affair.
    http_client: Any = Field(default=None, exclude=True, repr=False)
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | tuple[str, ...] | None = None
    seed: int | None = None
    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    key_withheld: bool = Field(default=False, repr=False)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Let the core check the settings now rather than at the first call."""
        super().model_post_init(context)
        _ = self.client
        checked_parameters(self._parameters({}))

    @field_serializer("backend", "card", "fallback", "prices")
    def _as_plain_values(self, value: Any) -> Any:  # noqa: ANN401 - one of the types of these three
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        return [one.model_dump(mode="json") for one in value] if isinstance(value, list | tuple) else value

    @field_serializer("fetch_policy")
    def _policy_as_plain_values(self, policy: FetchPolicy | None) -> dict[str, Any] | None:
        return None if policy is None else policy.as_dict()

    @field_serializer("key_withheld")
    def _whether_key_stays_behind(self, value: bool) -> bool:  # noqa: FBT001 - pydantic calls it
        return value or self.api_key is not None

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: everything but the key and the HTTP clients."""
        if self.budget is not None:
            # LlamaIndex's own method would leave out what cannot be pickled, and the copy spend as it likes.
            self.budget.__reduce__()
        left_behind = {"api_key": None, "http_client": None, "http_async_client": None, "hooks": ()}
        withheld = self.key_withheld or self.api_key is not None
        # LlamaIndex's own method deletes what it cannot pickle from the object itself: so it is given a copy.
        copy = self.model_copy(update={**left_behind, "key_withheld": withheld})
        return super(FireLLaVASettings, copy).__getstate__()

    @property
    def client(self) -> VisionClient:
        """What asks.

        Made for each call, which is cheap: it holds no connection, and settings may have been changed.
        """
        return VisionClient(
            model=self.model,
            api_key=self.api_key,
            base_url=self.base_url,
            backend=self.backend,
            card=self.card,
            fallback=self.fallback,
            timeout=self.timeout,
            deadline=self.deadline,
            max_retries=self.max_retries,
            local_only=self.local_only,
            fallback_on=self.fallback_on,
            prices=self.prices,
            budget=self.budget,
            hooks=self.hooks,
            fit=self.fit,
            limits=self.limits,
            image_urls=self.image_urls,
            fetch_policy=self.fetch_policy,
            keep_images=self.keep_images,
            image_roots=self.image_roots,
            describe_metadata=self.describe_metadata,
            http_client=self.http_client,
            http_async_client=self.http_async_client,
            key_withheld=self.key_withheld,
        )

    def _parameters(self, of_call: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, over them `additional_kwargs`, over those the call's own; None takes a setting back."""
        fields = {name: getattr(self, name) for name in _PARAMETER_FIELDS}
        known = {name: self.additional_kwargs[name] for name in self.additional_kwargs.keys() & _PARAMETERS}
        beyond = {name: value for name, value in self.additional_kwargs.items() if name not in _PARAMETERS}
        parameters = fields | known | dict(of_call)
        if beyond:
            parameters["extra_body"] = beyond | dict(parameters.get("extra_body") or {})
        return parameters
