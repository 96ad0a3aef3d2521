"""The settings of a `VisionClient`, checked and brought into one form, in which adapters store them too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from firellava import errors
from firellava.backends.base import Backend
from firellava.backends.fireworks import FireworksBackend
from firellava.costs.budget import Budget
from firellava.errors import ConfigurationError, FireLLaVAError, InvalidRequest
from firellava.images.fetch_policy import FetchPolicy
from firellava.messages import Parameters
from firellava.routing.events import AUTOMATIC, Automatic

if TYPE_CHECKING:
    from firellava.costs.prices import Prices
    from firellava.hooks import CallHook
    from firellava.models import ModelCard

__all__ = [
    "Fallback",
    "checked_budget",
    "checked_choice",
    "checked_count",
    "checked_fetch_policy",
    "checked_hooks",
    "checked_parameters",
    "checked_retries",
    "checked_seconds",
    "error_classes",
    "error_names",
    "fallbacks",
    "first_backend",
    "folder_texts",
    "tag_names",
]

_Choice = TypeVar("_Choice")

Fallback: TypeAlias = Backend | Sequence[Backend] | Literal["auto"] | None
"""What answers when the first backend cannot; see `VisionClient`."""


def first_backend(
    backend: Backend | None,
    card: ModelCard | str | None,
    prices: Prices | Mapping[str, Any] | None = None,
    *,
    key_withheld: bool = False,
    **settings: object,
) -> Backend:
    """The backend that is asked first: the one given, or the API's with these settings.

    Args:
        backend: the one given.
        card: what is known about its model.
        prices: what its tokens cost.
        key_withheld: whether the API's key was given once and stayed behind; a backend knows that of its own.
        settings: of the API's backend, where None leaves one to its default.

    Raises:
        ConfigurationError: a setting is wrong, or contradicts the backend that was given.
    """
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    known = {name: value for name, value in (("card", card), ("prices", prices)) if value is not None}
    if backend is None:
        return FireworksBackend(**given | known, key_withheld=key_withheld)
    if given:
        raise ConfigurationError(f"backend= already decides {', '.join(given)}: give one or the other.")
    return type(backend).model_validate({**dict(backend), **known}) if known else backend


def checked_budget(budget: object) -> Budget | None:
    """A ``budget=`` setting.

    Raises:
        ConfigurationError: it is something else.
    """
    if budget is None or isinstance(budget, Budget):
        return budget
    raise ConfigurationError(
        f"budget= takes a Budget(usd=…, tokens=…, calls=…), not {type(budget).__name__}."
    )


def checked_choice(name: str, value: _Choice, choices: object) -> _Choice:
    """A setting that is one of a few words.

    Args:
        name: of the setting.
        value: what was given.
        choices: the ``Literal`` type of what may be given.

    Raises:
        ConfigurationError: it is something else.
    """
    words = get_args(choices)
    if value in words:
        return value
    listed = ", ".join(repr(word) for word in words)
    given = repr(value) if isinstance(value, str) else type(value).__name__
    raise ConfigurationError(f"{name}= takes one of {listed}, not {given}.")


def checked_count(name: str, value: object) -> int | None:
    """A setting that is a whole number from 1, or None.

    Raises:
        ConfigurationError: it is something else.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ConfigurationError(f"{name}= takes a whole number from 1, or None.")


def checked_seconds(name: str, value: object) -> float | None:
    """A setting that is a time in seconds, or None for no limit.

    Raises:
        ConfigurationError: it is something else, or no time at all.
    """
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
        return value
    raise ConfigurationError(f"{name}= takes a number of seconds above 0, or None for no limit.")


def checked_parameters(values: Mapping[str, Any]) -> None:
    """Settings that are parameters of every call; see `Parameters`.

    Raises:
        ConfigurationError: one is out of range.
    """
    try:
        Parameters.of(values)
    except InvalidRequest as error:
        raise ConfigurationError(str(error)) from None


def checked_retries(value: object) -> int:
    """A ``max_retries=`` setting.

    Raises:
        ConfigurationError: it is no whole number from 0.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError("max_retries= takes a whole number from 0.")


def checked_fetch_policy(policy: Any) -> FetchPolicy | None:  # noqa: ANN401 - whatever the user gave
    """A ``fetch_policy=`` setting, also as the plain values it is stored as.

    Raises:
        ConfigurationError: it is something else, or says something that no policy does.
    """
    if policy is None or isinstance(policy, FetchPolicy):
        return policy
    if isinstance(policy, Mapping):
        try:
            return FetchPolicy(**policy)
        except TypeError:
            pass
    raise ConfigurationError(
        "fetch_policy= takes a FetchPolicy(…), or its fields by name and with values of their types."
    )


def checked_hooks(hooks: object) -> tuple[CallHook, ...]:
    """A ``hooks=`` setting.

    Raises:
        ConfigurationError: something in it cannot be called, or it is no list.
    """
    if not isinstance(hooks, list | tuple):
        raise ConfigurationError(f"hooks= takes a list of callables, not {type(hooks).__name__}.")
    for hook in hooks:
        if not callable(hook):
            raise ConfigurationError(f"hooks= takes callables, which {type(hook).__name__} is not.")
        if iscoroutinefunction(hook):
            raise ConfigurationError("hooks= takes plain functions: one that is async would not be awaited.")
    return tuple(hooks)


def error_classes(
    kinds: Sequence[type[FireLLaVAError] | str], setting: str = "fallback_on"
) -> tuple[type[FireLLaVAError], ...]:
    """A setting that names errors, such as ``fallback_on=``, as classes.

    Raises:
        ConfigurationError: something in it is no error of `firellava.errors`.
    """
    classes = []
    for error in kinds:
        found = getattr(errors, error, None) if isinstance(error, str) else error
        if not (isinstance(found, type) and issubclass(found, FireLLaVAError)):
            raise ConfigurationError(f"{setting}= takes errors of firellava.errors, which {error!r} is not.")
        classes.append(found)
    return tuple(classes)


def error_names(kinds: Any) -> Any:  # noqa: ANN401 - whatever the user gave; VisionClient checks it
    """A ``fallback_on=`` setting with its errors by name, as it is written when it is stored."""
    if isinstance(kinds, list | tuple):
        return tuple(kind.__name__ if isinstance(kind, type) else kind for kind in kinds)
    return kinds


def folder_texts(folders: Any) -> Any:  # noqa: ANN401 - as above
    """An ``image_roots=`` setting as texts, as it is stored; one folder is no list of letters."""
    if isinstance(folders, str | os.PathLike):
        return (os.fspath(folders),)
    if not isinstance(folders, Iterable):
        return folders
    return tuple(os.fspath(folder) if isinstance(folder, os.PathLike) else folder for folder in folders)


def tag_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """A ``describe_metadata=`` setting; a text is one name, never the letters it is made of."""
    return (names,) if isinstance(names, str) else tuple(names)


def fallbacks(fallback: object) -> tuple[Backend | Automatic, ...]:
    """A ``fallback=`` setting as what is asked after the first backend, in order.

    Raises:
        ConfigurationError: it is neither a backend, a list of backends, ``"auto"`` nor None.
    """
    if fallback is None:
        return ()
    if fallback == "auto":
        return (AUTOMATIC,)
    if isinstance(fallback, Backend):
        return (fallback,)
    if isinstance(fallback, list | tuple) and all(isinstance(backend, Backend) for backend in fallback):
        return tuple(fallback)
    raise ConfigurationError(
        f"fallback= takes a backend, a list of backends, 'auto' or None, not {type(fallback).__name__}."
    )
