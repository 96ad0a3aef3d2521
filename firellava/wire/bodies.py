"""What the bodies of both endpoints have in common: writing JSON, the envelope of a reply, its usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from firellava.errors import InvalidRequest, UnreadableReply
from firellava.images import PreparedImage
from firellava.replies import ReplyChunk, Usage
from firellava.wire.failures import failure_in_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from firellava.messages import Request
    from firellava.models import ModelCard

__all__ = ["image_url", "read_choices", "read_whole", "write_body"]


def write_body(model: str, content: dict[str, Any], request: Request, card: ModelCard) -> bytes:
    """A request body as JSON: the model, the content, what steers generation, and ``extra_body``.

    Usage is always asked for in a stream: some models state it only then.

    Raises:
        InvalidRequest: a text cannot be written as UTF-8, or a value is no JSON.
    """
    body = {"model": model, **content, **_steering(request, card)}
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    try:
        return orjson.dumps(body | dict(request.parameters.extra_body or {}))
    except TypeError as error:
        raise InvalidRequest(f"The request cannot be written as JSON: {error}.") from None


def _steering(request: Request, card: ModelCard) -> dict[str, Any]:
    """The parameters in the form this server takes."""
    capabilities = card.capabilities
    given = request.parameters.given()
    fields = {name: value for name, value in given.items() if name not in capabilities.unsupported_fields}
    choice = fields.get("tool_choice")
    if isinstance(choice, Mapping) and not capabilities.tool_choice_objects:
        # To choose among one tool is to choose it.
        chosen = choice.get("function", {}).get("name")
        fields["tools"] = [tool for tool in fields.get("tools", ()) if tool["function"]["name"] == chosen]
        fields["tool_choice"] = "required"
    return fields


def image_url(image: PreparedImage | str) -> str | orjson.Fragment:
    """An image as a JSON string. A data URL is JSON already: its megabytes are copied, not escaped again."""
    return orjson.Fragment(image.data_url_json) if isinstance(image, PreparedImage) else image


def read_whole(body: bytes, read_choice: Callable[[dict[str, Any]], ReplyChunk]) -> list[ReplyChunk]:
    """The pieces of an unstreamed reply: one for each choice, then the last with model and usage.

    Raises:
        UnreadableReply: the body is not what the API documents.
    """
    reply = _load_object(body)
    chunks = _choices(reply, read_choice)
    if not chunks:
        raise UnreadableReply("The reply has no choices.")
    return [*chunks, _envelope(reply, last=True)]


def read_choices(
    data: bytes, read_choice: Callable[[dict[str, Any]], ReplyChunk], *, model: str
) -> list[ReplyChunk]:
    """The pieces in one event of a stream. Usage may stand beside choices or in an event without any.

    Raises:
        UnreadableReply: the event is not what the API documents.
        RefusedByServer: the event is an error.
    """
    event = _load_object(data)
    if (error := event.get("error")) is not None:
        raise failure_in_event(error, model=model)
    chunks = _choices(event, read_choice)
    # The envelope travels on with usage and at a choice's end, which need not be the same event.
    if event.get("usage") is not None or any(chunk.finish_reason for chunk in chunks):
        chunks.append(_envelope(event, last=False))
    return chunks


def _choices(reply: dict[str, Any], read_choice: Callable[[dict[str, Any]], ReplyChunk]) -> list[ReplyChunk]:
    try:
        return [read_choice(choice) for choice in reply.get("choices") or ()]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UnreadableReply("The reply has a choice that is not as the API documents it.") from None


def _envelope(reply: dict[str, Any], *, last: bool) -> ReplyChunk:
    model, request_id = reply.get("model"), reply.get("id")
    return ReplyChunk(
        usage=_usage(reply.get("usage")),
        model=model if isinstance(model, str) else None,
        request_id=request_id if isinstance(request_id, str) else None,
        last=last,
    )


def _load_object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise UnreadableReply(f"The reply is no JSON ({len(data)} bytes).") from None
    if not isinstance(value, dict):
        raise UnreadableReply("The reply is JSON, but no object.")
    return value


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict) or (prompt := _count(usage.get("prompt_tokens"))) is None:
        return None
    completion = _count(usage.get("completion_tokens")) or 0
    total = _count(usage.get("total_tokens"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion if total is None else total,
        cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens"),
        reasoning_tokens=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: dict[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, dict) else None


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 0 else None
