"""What a failed question means for the next ones: whether each of them would fail alike.

Whoever asks many questions, as agents and runs over images do, goes on after a failure that was of one
question, and stops at one that is of them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from firellava.errors import (
    AccessDenied,
    AllBackendsFailed,
    AuthenticationFailed,
    BudgetExceeded,
    ConfigurationError,
    ModelNotFound,
)

if TYPE_CHECKING:
    from firellava.errors import FireLLaVAError

__all__ = ["concerns_every_question"]

_OF_EVERY_QUESTION: Final = (
    AccessDenied,
    AuthenticationFailed,
    BudgetExceeded,
    ConfigurationError,
    ModelNotFound,
)


def concerns_every_question(error: FireLLaVAError, *others: type[FireLLaVAError]) -> bool:
    """Whether every further question would fail alike, so that only the developer can help.

    That is a budget that is used up, a missing or refused key, an account or a model that may not be used,
    and any other wrong setting. Of several backends each must have failed for such a reason; of the attempts
    of one backend the last one decides, since the others were retried.

    Args:
        error: what the question failed with.
        others: errors that would meet every question where it is always the same one.
    """
    if isinstance(error, AllBackendsFailed):
        last = {attempt.turn: attempt.error for attempt in error.attempts if attempt.error is not None}
        return bool(last) and all(concerns_every_question(each, *others) for each in last.values())
    return isinstance(error, (*_OF_EVERY_QUESTION, *others))
