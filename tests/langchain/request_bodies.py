"""What arrives at the server when a conversation is sent, and in which places two such requests differ.

Requests are compared by what they mean: what is null, what the API takes for granted, and the two ways to
write one text are no differences.
"""

import base64
import copy
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from PIL import Image

from tests.api_server import ApiServer
from tests.langchain.histories import HOSTED, History

_TAKEN_FOR_GRANTED: Final = {"stream": False, "n": 1}
_NOTHING: Final = "nothing"


@dataclass(frozen=True)
class Sent:
    """What became of a conversation.

    Attributes:
        outcome: ``answered``; ``refused``, by the API; or ``not sent``, with the error's class.
        body: the request's JSON, reduced to what it means; None where nothing was sent.
    """

    outcome: str
    body: dict[str, Any] | None


def send(history: History, llm: BaseChatModel, server: ApiServer) -> Sent:
    """Ask a model as the history says, and look at what arrived."""
    server.clear()
    for url, data in HOSTED.items():
        server.host_image(url, data)
    error: Exception | None = None
    try:
        bound = history.bound(llm)
        messages = copy.deepcopy(list(history.messages))
        _ = list(bound.stream(messages)) if history.streamed else bound.invoke(messages)
    except Warning:  # which pytest makes an error, and is none of the package's
        raise
    except Exception as caught:  # noqa: BLE001 - the others raise what they like
        error = caught
    if not server.requests:
        return Sent(f"not sent ({type(error).__name__})", None)
    (request,) = server.requests
    if server.billed and error is not None:
        raise error  # the reply was not understood, which is another matter
    return Sent("answered" if server.billed else "refused", _meaning(request.json))


def differences(ours: Sent, theirs: Sent) -> list[str]:
    """Each place in which two requests differ, as in ``messages.0.name: nothing instead of "ann"``."""
    told = [] if ours.outcome == theirs.outcome else [f"{ours.outcome} instead of {theirs.outcome}"]
    if ours.body is not None and theirs.body is not None:
        told += _differences("", ours.body, theirs.body)
    return told


def _differences(place: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, list) and isinstance(theirs, list):
        ours, theirs = dict(enumerate(ours)), dict(enumerate(theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**theirs, **ours}:
            inner = f"{place}.{key}" if place else str(key)
            yield from _differences(inner, ours.get(key, _NOTHING), theirs.get(key, _NOTHING))
    elif ours != theirs:
        yield f"{place}: {_written(ours)} instead of {_written(theirs)}"


def _written(value: Any) -> str:
    return value if value is _NOTHING else json.dumps(value, ensure_ascii=False)


def _meaning(body: dict[str, Any]) -> dict[str, Any]:
    given = _without_nulls(body)
    return {
        key: _read(key, value)
        for key, value in given.items()
        if key not in _TAKEN_FOR_GRANTED or value != _TAKEN_FOR_GRANTED[key]
    }


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _read(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _read(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        read = [_read("", one) for one in value]
        # A text and a list of one text part are one thing to the API.
        is_text = key == "content" and read == [{"type": "text", "text": _text_in(read)}]
        return _text_in(read) if is_text else read
    if isinstance(value, str) and key == "arguments":
        return _parsed(value)
    if isinstance(value, str) and value.startswith("data:image/"):
        return _described(value)
    return value


def _text_in(parts: list[Any]) -> Any:
    return parts[0].get("text") if parts and isinstance(parts[0], dict) else None


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except json.JSONDecodeError:
        return arguments


def _described(data_url: str) -> str:
    """An image of one colour: its format, its size, its colour to the accuracy that JPEG leaves."""
    with Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2]))) as picture:
        width, height = picture.size
        red, green, blue = (
            round(level / 51) * 51 for level in picture.convert("RGB").resize((1, 1)).tobytes()
        )
        kind = data_url.partition(";")[0].removeprefix("data:")
        return f"{kind}: {picture.format} {width}x{height} #{red:02x}{green:02x}{blue:02x}"
