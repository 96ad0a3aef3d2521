"""Statuses, bodies and headers of refusals, and the errors they become."""

from __future__ import annotations

import time
from email.utils import formatdate

import orjson
import pytest

from firellava import errors
from firellava.wire.failures import failure

DOCUMENTED = orjson.dumps(
    {
        "error": {
            "object": "error",
            "type": "invalid_request_error",
            "code": "invalid_request_error",
            "message": "because",
        }
    }
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, errors.BadRequest),
        (400, errors.BadRequest),
        (401, errors.AuthenticationFailed),
        (402, errors.AccessDenied),
        (403, errors.AccessDenied),
        (404, errors.ModelNotFound),
        (405, errors.BadRequest),
        (408, errors.ServerFailed),
        (412, errors.AccessDenied),
        (413, errors.BadRequest),
        (422, errors.BadRequest),
        (425, errors.ServerFailed),
        (429, errors.RateLimited),
        (500, errors.ServerFailed),
        (502, errors.ServerFailed),
        (503, errors.ServerFailed),
        (504, errors.ServerFailed),
        (520, errors.ServerFailed),
    ],
)
def test_the_status_decides_whatever_type_the_body_names(
    status: int, kind: type[errors.RefusedByServer]
) -> None:
    error = failure(status, {"x-request-id": "r1"}, DOCUMENTED, model="m")
    assert type(error) is kind
    assert (error.status, error.request_id) == (status, "r1")
    assert "because" in str(error)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("rate limit exceeded, please try again later", errors.RateLimited),
        ("The prompt is too long: 5000, model maximum context length: 4095", errors.PromptTooLong),
        ("Extra inputs are not permitted, field: 'x'", errors.BadRequest),
    ],
)
def test_a_400_is_told_apart_by_what_it_says(message: str, kind: type[errors.RefusedByServer]) -> None:
    assert type(failure(400, {}, orjson.dumps({"error": {"message": message}}), model="m")) is kind


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "a plain string"}', "a plain string"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        (b"<html><body>Bad Gateway</body></html>", "Bad Gateway"),
        (b"", "no message"),
        (b'"text"', "text"),
        (b"\xff\xfe", "HTTP 500"),
    ],
)
def test_every_shape_of_body_is_understood(body: bytes, said: str) -> None:
    assert said in str(failure(500, {}, body, model="m"))


def test_a_body_that_repeats_the_image_is_not_repeated() -> None:
    base64 = "iVBORw0KGgo" * 200
    for text in (f"bad url data:image/png;base64,{base64}", f"cannot decode {base64}"):
        message = str(failure(400, {}, orjson.dumps({"error": {"message": text}}), model="m"))
        assert "iVBORw0KGgoiVBORw0KGgo" not in message
        assert len(message) < 700


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": formatdate(time.time() - 60, usegmt=True)}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_where_it_makes_sense(headers: dict[str, str], seconds: float | None) -> None:
    assert failure(429, headers, b"", model="m").retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    error = failure(503, {"retry-after": formatdate(time.time() + 30, usegmt=True)}, b"", model="m")
    assert error.retry_after is not None
    assert 25 < error.retry_after <= 30


def test_an_unknown_model_is_named_and_gets_the_backends_advice() -> None:
    error = failure(404, {}, DOCUMENTED, model="accounts/acme/models/gone", unknown_model="Look elsewhere.")
    assert str(error).startswith(
        "The server does not know accounts/acme/models/gone. Look elsewhere. (HTTP 404"
    )
