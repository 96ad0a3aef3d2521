"""Settings on their way elsewhere: to disk, to other processes, to traces, and into the keys of caches.

No key goes with them. A model that had one and arrives without it misses it: it raises when it is called, and
does not slide to its fallback.
"""

from collections.abc import Mapping
from typing import Any, Final, Self

from firellava.backends.base import Backend
from firellava.costs.prices import Prices
from firellava.images.fetch_policy import FetchPolicy
from firellava.models import ModelCard
from langchain_firellava.settings import FireLLaVASettings

__all__ = ["SerialisableSettings"]

_SERIALISED: Final = "_serialized"
"""Where LangChain's models keep what they were written as, which is also their cache key."""


class SerialisableSettings(FireLLaVASettings):
    """Settings that `langchain_core.load` and `pickle` take, and that tell cached answers apart."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `langchain_core.load` writes and reads it."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The key is written as the name of its environment variable."""
        return {"api_key": "FIREWORKS_API_KEY"}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Settings that are objects, as plain values: they are serialised, and in LangChain's cache key."""
        names = ("backend", "card", "fallback", "fetch_policy", "prices")
        given = {name: getattr(self, name) for name in names}
        plain = {name: _plain(value) for name, value in given.items() if value is not None}
        # A model that is read back without the key it had must miss it, and not slide to its fallback.
        return plain | ({"key_withheld": True} if self.key_withheld or self.api_key is not None else {})

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What tells this model from another, in traces and in the cache key of completions; no secret."""
        named = {
            name: value
            for name, field in SerialisableSettings.model_fields.items()
            if not field.exclude
            and name != "api_key"
            and (value := getattr(self, name)) != field.get_default()
        }
        named = {name: value for name, value in named.items() if value != {}}
        if "stop" in named:  # where LangChain puts what a call says
            named["stop_sequences"] = named.pop("stop")
        return {"model": self._model_name} | named | self.lc_attributes

    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled: everything but the key, what is open, and what belongs to this process."""
        state = super().__getstate__()
        # A budget stays, and refuses to be pickled: without it a copy would spend as it likes.
        changed = {
            "api_key": None,
            "key_withheld": self.key_withheld or self.api_key is not None,
            "http_client": None,
            "http_async_client": None,
            "hooks": (),
            "callbacks": None,
            "rate_limiter": None,
        }
        private = (state["__pydantic_private__"] or {}) | {"_held": None}
        return state | {"__dict__": state["__dict__"] | changed, "__pydantic_private__": private}

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - any setting
        super().__setattr__(name, value)
        if name in type(self).model_fields and name != "profile":  # which itself follows from the others
            self._settings_changed()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some settings changed; see `pydantic.BaseModel.model_copy`."""
        copy = super().model_copy(update=update, deep=deep)
        copy._settings_changed()  # noqa: SLF001 - a model of the same class
        return copy

    def _settings_changed(self) -> None:
        """Forget what follows from the settings. LangChain keeps its cache key as it first was."""
        self.__dict__.pop(_SERIALISED, None)


def _plain(value: Any) -> Any:  # noqa: ANN401 - see `lc_attributes`
    if isinstance(value, Backend | ModelCard | Prices):
        return value.model_dump(mode="json")
    if isinstance(value, FetchPolicy):
        return value.as_dict()
    return [_plain(backend) for backend in value] if isinstance(value, tuple) else value
