"""Validates a request body, and turns pydantic's complaint into the API's error message."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tests.api_server.errors import Refusal

# Tags of unions land in pydantic's error locations; this mark tells them from the request's own keys.
TAG = "\0"

Body = TypeVar("Body", bound=BaseModel)


def parse(model: type[Body], body: bytes) -> Body:
    """The validated request. Raises a 400 that names the first offending field, as the API does."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, _message(error)) from error


def _message(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return message
    field = "".join(_location(first["loc"]))
    if first["type"] == "extra_forbidden":
        # The API echoes the refused value, whatever it is: a client must not repeat it.
        return f"{message}, field: '{field}', value: {first['input']!r}"
    return f"{message}, field: '{field}'" if field else message


def _location(parts: tuple[int | str, ...]) -> Iterator[str]:
    own = [part for part in parts if not str(part).startswith(TAG)]
    for position, part in enumerate(own):
        if isinstance(part, int):
            yield f"[{part}]"
        else:
            yield f".{part}" if position else part
