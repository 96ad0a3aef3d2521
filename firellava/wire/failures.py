"""From an HTTP status, its headers and its body to an error of ours.

Errors are told apart by the HTTP status: the body's ``type`` is ``invalid_request_error`` for rate limits
and overload too. Bodies come as ``{"error": {"message": …}}``, as ``{"error": "…"}``, as
``{"detail": […]}`` (422), as HTML from a proxy, or empty; all are tolerated.
"""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from firellava.errors import (
    AccessDenied,
    AuthenticationFailed,
    BadRequest,
    ModelNotFound,
    PromptTooLong,
    RateLimited,
    RefusedByServer,
    ServerFailed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["failure", "failure_in_event", "request_id_of"]

_HTTP_ERRORS = range(400, 600)
_LONGEST_MESSAGE = 500
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
_DATA_URL = re.compile(r"data:[\w/+.-]*;base64,[A-Za-z0-9+/=_-]*")


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, unknown_model: str = ""
) -> RefusedByServer:
    """The error for a response that is no success.

    Args:
        status: HTTP status, 300 or more.
        headers: response headers with case-insensitive or lower-case names.
        body: the response body, of any shape.
        model: the model that was asked for.
        unknown_model: advice for the case that the server does not know it.
    """
    said = _message(body)
    kind, advice = _classify(status, said, model)
    if kind is ModelNotFound:
        advice = f"{advice} {unknown_model}".strip()
    message = f"{advice} (HTTP {status}: {said})" if advice else f"HTTP {status}: {said}"
    return kind(
        message,
        status=status,
        request_id=request_id_of(headers),
        retry_after=_retry_after(headers),
        should_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "").lower()),
    )


def failure_in_event(error: object, *, model: str) -> RefusedByServer:
    """The error for a stream that answered 200 and then sent an error instead of a chunk."""
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and code in _HTTP_ERRORS else HTTPStatus.INTERNAL_SERVER_ERROR
    return failure(status, {}, orjson.dumps({"error": error}), model=model)


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """The server's name for the request, where it gave one."""
    return headers.get("x-request-id") or headers.get("x-fireworks-request-id")


_BY_STATUS: dict[int, tuple[type[RefusedByServer], str]] = {
    401: (AuthenticationFailed, "The API key is not accepted. Check FIREWORKS_API_KEY or api_key=."),
    402: (AccessDenied, "The account has no paid plan or has reached its spending limit."),
    403: (AccessDenied, "This key may not use this model."),
    408: (ServerFailed, "The server did not get the request in time."),
    412: (AccessDenied, "The account is suspended."),
    425: (ServerFailed, "The server is not ready for the request."),
    429: (RateLimited, "Too many requests."),
}


def _classify(status: int, said: str, model: str) -> tuple[type[RefusedByServer], str]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == HTTPStatus.NOT_FOUND:
        return ModelNotFound, f"The server does not know {model}."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerFailed, "The server failed or is overloaded."
    if status < HTTPStatus.BAD_REQUEST:
        return BadRequest, "The server redirects elsewhere; redirects are not followed. Check base_url=."
    return _classify_bad_request(said.lower(), model)


def _classify_bad_request(said: str, model: str) -> tuple[type[RefusedByServer], str]:
    if "rate limit exceeded" in said:
        return _BY_STATUS[429]
    if "prompt is too long" in said or "context length" in said:
        return PromptTooLong, f"The conversation is longer than {model} can take: shorten it."
    return BadRequest, "The server does not accept this request."


def _message(body: bytes) -> str:
    """What the server said, in one line without image data."""
    try:
        said = _said(orjson.loads(body))
    except orjson.JSONDecodeError:
        said = body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace")
    line = " ".join(_BASE64_RUN.sub("…", _DATA_URL.sub("<data URL>", said)).split())
    if len(line) > _LONGEST_MESSAGE:
        line = line[:_LONGEST_MESSAGE] + "…"
    return line or "no message"


def _said(body: Any) -> str:  # noqa: ANN401 - the server may send any JSON
    if isinstance(body, dict):
        error = body.get("error", body)
        if isinstance(error, str):
            return error
        if isinstance(error, dict):
            return str(error.get("message") or error.get("detail") or error.get("error") or error)
    return str(body)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from milliseconds, seconds or a date; None where it is absent or makes no sense."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None or (seconds := _number(value)) is not None:
        return None if value is None else seconds
    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return wait if wait >= 0 else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
