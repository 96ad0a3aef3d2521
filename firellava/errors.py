"""Everything that can go wrong, as one tree of exceptions.

A message says what was wrong, with what, and what to do next. No message, attribute or pickle holds an API
key or the bytes of an image. The tree::

    FireLLaVAError
    ├── ConfigurationError                  a setting is wrong; nothing was sent
    │   ├── MissingKey                      no API key was given or found
    │   ├── NothingToAsk                    no backend is left, as with ``local_only`` on a bare machine
    │   ├── CostUnknown                     a budget cannot know what a call may cost
    │   └── MissingExtra (ImportError)      a package of an extra is not installed
    ├── InvalidRequest (ValueError)         this request cannot be sent; nothing was sent
    │   ├── ImageError                      an image is the reason
    │   │   ├── UnreadableImage             missing, not a file, or not what it claims to be
    │   │   ├── UnsupportedFormat           decodable perhaps, but not a format we open
    │   │   ├── ImageTooLarge               more pixels or bytes than are safe to decode
    │   │   ├── ForbiddenPath               outside ``image_roots``
    │   │   ├── UnsafeURL                   a URL that may not be downloaded
    │   │   └── ImageDownloadFailed         a URL whose server did not give an image
    │   ├── LimitExceeded                   more than the model card allows
    │   │   └── ContextOverflow             more tokens than the model's context window
    │   └── UnsupportedCapability           the backend cannot do what was asked
    ├── BackendError                        a backend was asked and did not answer
    │   ├── ConnectionFailed                no connection, or lost before the reply was whole
    │   ├── AttemptTimedOut (TimeoutError)  one attempt took longer than ``timeout``
    │   ├── CircuitOpen                     left alone for a while after several failures in a row
    │   ├── UnreadableReply                 the answer is not what the API documents
    │   ├── StreamBroken                    a reply stopped half-way; ``partial_text`` holds what came
    │   └── RefusedByServer                 an HTTP status other than success
    │       ├── AuthenticationFailed        401
    │       ├── AccessDenied                402, 403, 412
    │       ├── ModelNotFound               404
    │       ├── BadRequest                  400, 405, 413, 422 and the like
    │       │   └── PromptTooLong           400 "prompt is too long"
    │       ├── RateLimited                 429
    │       └── ServerFailed                408, 425, 5xx
    ├── BudgetExceeded                      a budget does not allow another call; nothing was sent
    ├── DeadlineExceeded (TimeoutError)     the total time over all attempts is used up
    └── AllBackendsFailed                   several were asked; ``attempts`` says how each failed

The statuses are those listed for the API in its error reference; they are read from the HTTP status line
because the body's ``type`` says ``invalid_request_error`` for rate limits and overload too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.replies import Attempt

__all__ = [
    "AccessDenied",
    "AllBackendsFailed",
    "AttemptTimedOut",
    "AuthenticationFailed",
    "BackendError",
    "BadRequest",
    "BudgetExceeded",
    "CircuitOpen",
    "ConfigurationError",
    "ConnectionFailed",
    "ContextOverflow",
    "CostUnknown",
    "DeadlineExceeded",
    "FireLLaVAError",
    "ForbiddenPath",
    "ImageDownloadFailed",
    "ImageError",
    "ImageTooLarge",
    "InvalidRequest",
    "LimitExceeded",
    "MissingExtra",
    "MissingKey",
    "ModelNotFound",
    "NothingToAsk",
    "PromptTooLong",
    "RateLimited",
    "RefusedByServer",
    "ServerFailed",
    "StreamBroken",
    "UnreadableImage",
    "UnreadableReply",
    "UnsafeURL",
    "UnsupportedCapability",
    "UnsupportedFormat",
]


class FireLLaVAError(Exception):
    """Base of every error this package raises.

    Attributes:
        may_be_billed: whether a call made for the question may have been paid for although it failed.
    """

    may_be_billed: bool = False


class ConfigurationError(FireLLaVAError):
    """A setting is wrong or missing. Nothing was sent.

    It is no ValueError, because pydantic would wrap one into a report that echoes what was set.
    """


class MissingKey(ConfigurationError):
    """A backend needs an API key and none was given or found in the environment."""


class NothingToAsk(ConfigurationError):
    """No backend is left to ask, as with ``local_only=True`` on a machine that has none."""


class CostUnknown(ConfigurationError):
    """A budget was set and nobody knows what a call may cost: no price, or no bound for an image's tokens."""


class MissingExtra(ConfigurationError, ImportError):
    """A package that belongs to an optional extra is not installed.

    Args:
        extra: the extra's name, as in ``pip install "firellava[ocr]"``.
        needed_for: what the user was about to do, as in "the offline reader".
    """

    def __init__(self, extra: str, needed_for: str = "this") -> None:
        self.extra = extra
        self.needed_for = needed_for
        super().__init__(extra, needed_for)

    def __str__(self) -> str:
        return f'{self.needed_for} needs an extra: pip install "firellava[{self.extra}]"'


class InvalidRequest(FireLLaVAError, ValueError):
    """The request cannot be sent as it is. Nothing was sent, nothing was spent."""


class ImageError(InvalidRequest):
    """One of the images is the reason why the request cannot be sent."""


class UnreadableImage(ImageError):
    """The image is missing, is not a regular file, or does not decode."""


class UnsupportedFormat(ImageError):
    """The data is no image, or an image in a format that is not opened."""


class ImageTooLarge(ImageError):
    """The image has more pixels or bytes than are safe to decode."""


class ForbiddenPath(ImageError):
    """The path lies outside the folders named in ``image_roots``."""


class UnsafeURL(ImageError):
    """The image URL, or one it leads to, may not be downloaded from here. Nothing was sent to that host."""


class ImageDownloadFailed(ImageError):
    """The server of an image URL cannot be reached, took too long, or answered without an image."""


class LimitExceeded(InvalidRequest):
    """The request is over a limit in the backend's model card."""


class ContextOverflow(LimitExceeded):
    """Prompt and images need more tokens than the model's context window has."""


class UnsupportedCapability(InvalidRequest):
    """The backend cannot do what the request asks for (tools, a schema, several images, …)."""


class BackendError(FireLLaVAError):
    """A backend was asked and did not answer.

    Attributes:
        backend: the label of the backend that was asked, or an empty string where none is known yet.
    """

    backend: str = ""


class ConnectionFailed(BackendError):
    """No connection could be made, or it was lost before the reply was whole.

    Attributes:
        sent: whether the whole request may have left this machine, so that the call may have been billed.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class AttemptTimedOut(BackendError, TimeoutError):
    """One attempt took longer than ``timeout`` allows.

    Attributes:
        sent: whether the whole request may have left this machine, so that the call may have been billed.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class CircuitOpen(BackendError):
    """The backend failed several times in a row and is left alone for a while. It was not asked."""


class UnreadableReply(BackendError):
    """The backend answered with something other than what its API documents."""


class StreamBroken(BackendError):
    """A reply stopped before its end. It is never retried: part of it was already handed over.

    Attributes:
        partial_text: the text that arrived before the break.
    """

    def __init__(self, message: str, partial_text: str = "") -> None:
        super().__init__(message)
        self.partial_text = partial_text


class RefusedByServer(BackendError):
    """The server answered with an HTTP status other than success.

    Attributes:
        status: the HTTP status, or None where an in-process engine refused.
        request_id: the server's name for the request, for its support, or None.
        retry_after: seconds the server asked to wait before another attempt, or None.
        should_retry: what the server's ``x-should-retry`` header says, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.should_retry = should_retry


class AuthenticationFailed(RefusedByServer):
    """The API key is not accepted (401)."""


class AccessDenied(RefusedByServer):
    """The account may not do this: no paid plan, spending limit, forbidden or suspended (402, 403, 412)."""


class ModelNotFound(RefusedByServer):
    """The model is unknown, retired or not deployed (404)."""


class BadRequest(RefusedByServer):
    """The server does not accept the request as it is (400, 405, 413, 422, …)."""


class PromptTooLong(BadRequest):
    """The server counts more tokens than the model's context window has (400)."""


class RateLimited(RefusedByServer):
    """Too many requests (429). ``retry_after`` says how long to wait where the server told."""


class ServerFailed(RefusedByServer):
    """The server failed or is overloaded (408, 425, 5xx)."""


class BudgetExceeded(FireLLaVAError):
    """A call may cost more than what is left of a budget. It was not made.

    Attributes:
        limit: which limit it was: ``usd``, ``tokens`` or ``calls``.
        needed: what the call may take at most, in dollars, tokens or calls.
        left: what the budget still has, calls on their way taken off.
        free_in: seconds until enough is left again in a budget with a window, where no call on its way has
            to end first; else None.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: Literal["usd", "tokens", "calls"] = "calls",
        needed: Decimal = Decimal(1),
        left: Decimal = Decimal(0),
        free_in: float | None = None,
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.needed = needed
        self.left = left
        self.free_in = free_in


class DeadlineExceeded(FireLLaVAError, TimeoutError):
    """The total time for all attempts and backends is used up.

    Attributes:
        attempts: what was tried, in order.
    """

    def __init__(self, message: str, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)


class AllBackendsFailed(FireLLaVAError):
    """Several backends were asked and none answered.

    Attributes:
        attempts: what was tried, in order, each with its error.
    """

    def __init__(self, message: str, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message)
        self.attempts = tuple(attempts)
