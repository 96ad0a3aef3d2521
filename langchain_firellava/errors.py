"""Errors that are ours and LangChain's at once.

What a model of this package raises is the error that `firellava` raised, with all it says and holds, and a
`langchain_core.exceptions.ModelError` as well: `except RateLimited` finds it, `except ModelRateLimitError`
too. Retrying middleware of LangChain reads its ``is_retryable``, and would repeat whatever is no ModelError.

An error becomes both in place (its class changes), because it is the same error: its message, attributes,
traceback and notes stay as they are, and nothing stands behind it twice.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from firellava import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["also_errors_of_langchain", "langchain_class", "may_succeed_later"]

_CLASSES: Final[Mapping[type[errors.FireLLaVAError], type[ModelError]]] = MappingProxyType(
    {
        errors.FireLLaVAError: ModelError,
        errors.MissingKey: ModelAuthenticationError,
        errors.InvalidRequest: ModelInvalidRequestError,
        errors.ContextOverflow: ContextOverflowError,
        errors.BackendError: ModelAPIError,
        errors.ConnectionFailed: ModelConnectionError,
        errors.AttemptTimedOut: ModelTimeoutError,
        errors.CircuitOpen: ModelConnectionError,
        errors.StreamBroken: ModelConnectionError,
        errors.AuthenticationFailed: ModelAuthenticationError,
        errors.AccessDenied: ModelPermissionDeniedError,
        errors.ModelNotFound: ModelNotFoundError,
        errors.BadRequest: ModelInvalidRequestError,
        errors.PromptTooLong: ContextOverflowError,
        errors.RateLimited: ModelRateLimitError,
        errors.DeadlineExceeded: ModelTimeoutError,
    }
)
"""LangChain's class for each of ours; a class that is not here has that of its base."""


@contextmanager
def also_errors_of_langchain() -> Iterator[None]:
    """Errors of `firellava` that leave this block are LangChain's as well."""
    try:
        yield
    except errors.FireLLaVAError as error:
        if not isinstance(error, ModelError):
            kinds: Any = type(error), langchain_class(error)  # a checker finds no hash in an error's class
            error.__class__ = _both(*kinds)
            vars(error)["is_retryable"] = may_succeed_later(error)
        raise


def langchain_class(error: errors.FireLLaVAError) -> type[ModelError]:
    """LangChain's class for an error of ours; where several backends failed, that of the first failure."""
    if isinstance(error, errors.AllBackendsFailed) and (failures := _failures(error)):
        return langchain_class(failures[0])
    return next(_CLASSES[kind] for kind in type(error).__mro__ if kind in _CLASSES)


def may_succeed_later(error: errors.FireLLaVAError) -> bool:
    """Whether the same question, asked again by whoever asked it, may be answered.

    It says nothing about cost: what timed out may have been billed (``may_be_billed``). Where several
    backends failed, all would be asked again, so it is enough that one of them may answer. Where the server
    itself says whether to try again (``x-should-retry``), that counts.
    """
    if isinstance(error, errors.AllBackendsFailed):
        return any(may_succeed_later(failure) for failure in _failures(error))
    told = error.should_retry if isinstance(error, errors.RefusedByServer) else None
    return langchain_class(error).is_retryable if told is None else told


def _failures(error: errors.AllBackendsFailed) -> list[errors.FireLLaVAError]:
    return [attempt.error for attempt in error.attempts if attempt.error is not None]


class _Both:
    """What the classes that are both have in common: they are made here, and so are their pickles."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        _, ours, theirs = type(self).__bases__
        reduced: Any = super().__reduce__()
        return _remade, (ours, theirs, *reduced[1]), *reduced[2:]


@cache
def _both(ours: type[Any], theirs: type[Any]) -> type[Any]:
    """The class that is both, by the name and with the documentation of ours."""
    return type(ours.__name__, (_Both, ours, theirs), {"__module__": __name__, "__doc__": ours.__doc__})


def _remade(ours: Any, theirs: Any, *arguments: object) -> object:  # noqa: ANN401 - as above
    return _both(ours, theirs)(*arguments)
