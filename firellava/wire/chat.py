"""The chat completions endpoint: from a `Request` to its JSON, and from its JSON to `ReplyChunk` values.

All functions are pure. The API refuses keys it does not know, so nothing is sent that is not listed here,
in `Parameters` or in ``extra_body``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from firellava.messages import ImagePart
from firellava.replies import ReplyChunk, ToolCallChunk
from firellava.wire.bodies import image_url, read_choices, read_whole, write_body

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firellava.images import PreparedImage
    from firellava.messages import Message, Part, Request
    from firellava.models import ModelCard

__all__ = ["encode", "read_event", "read_reply"]


def encode(request: Request, model: str, card: ModelCard, images: Sequence[PreparedImage | str]) -> bytes:
    """The body of a chat completions request.

    Args:
        request: what to ask.
        model: the model's name on this server.
        card: what the server takes.
        images: for each image of the request, in order, the prepared image or the URL to pass through.

    Raises:
        InvalidRequest: a text cannot be written as UTF-8, or a value is no JSON.
    """
    pending = iter(images)
    messages = [_message(message, card, pending) for message in request.messages]
    return write_body(model, {"messages": messages}, request, card)


def _message(message: Message, card: ModelCard, images: Iterator[PreparedImage | str]) -> dict[str, Any]:
    encoded: dict[str, Any] = {"role": message.role, "content": _content(message, card, images)}
    if message.tool_calls:
        encoded["content"] = encoded["content"] or None
        encoded["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _object(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if message.reasoning is not None and "reasoning_content" not in card.capabilities.unsupported_fields:
        encoded["reasoning_content"] = message.reasoning
    return encoded


def _object(arguments: str) -> str:
    """Arguments as the JSON of an object, whatever the model once wrote: chat templates read them as one.

    What is none goes along as a text inside of one, so that the model sees what it did wrong.
    """
    try:
        is_object = isinstance(orjson.loads(arguments or "{}"), dict)
    except orjson.JSONDecodeError:
        is_object = False
    if is_object:
        return arguments or "{}"
    return json.dumps({"invalid_arguments": arguments}, ensure_ascii=False)


def _content(
    message: Message, card: ModelCard, images: Iterator[PreparedImage | str]
) -> str | list[dict[str, Any]]:
    # Plain text goes out as a plain string, however it was given: every server takes that.
    if len(message.parts) <= 1 and not message.images:
        return message.text
    return [_part(part, card, images) for part in message.parts]


def _part(part: Part, card: ModelCard, images: Iterator[PreparedImage | str]) -> dict[str, Any]:
    if not isinstance(part, ImagePart):
        return {"type": "text", "text": part.text}
    encoded: dict[str, Any] = {"url": image_url(next(images))}
    if part.detail is not None and card.capabilities.detail:
        encoded["detail"] = part.detail
    return {"type": "image_url", "image_url": encoded}


def read_reply(body: bytes) -> list[ReplyChunk]:
    """The pieces of an unstreamed reply: one for each choice, then the last with model and usage.

    Raises:
        UnreadableReply: the body is not what the API documents.
    """
    return read_whole(body, lambda choice: _read_choice(choice, choice["message"]))


def read_event(data: bytes, *, model: str) -> list[ReplyChunk]:
    """The pieces in one event of a stream.

    Raises:
        UnreadableReply: the event is not what the API documents.
        RefusedByServer: the event is an error.
    """
    return read_choices(data, lambda choice: _read_choice(choice, choice["delta"]), model=model)


def _read_choice(choice: dict[str, Any], said: dict[str, Any]) -> ReplyChunk:
    return ReplyChunk(
        text=said.get("content") or "",
        reasoning=said.get("reasoning_content") or said.get("reasoning") or "",
        tool_calls=tuple(
            _read_tool_call(call, position) for position, call in enumerate(said.get("tool_calls") or ())
        ),
        logprobs=choice.get("logprobs"),
        finish_reason=choice.get("finish_reason"),
        choice=choice.get("index") or 0,
    )


def _read_tool_call(call: dict[str, Any], position: int) -> ToolCallChunk:
    function = call.get("function") or {}
    arguments = function.get("arguments") or ""
    return ToolCallChunk(
        index=position if call.get("index") is None else call["index"],
        id=call.get("id"),
        name=function.get("name"),
        # Some servers send the arguments as an object instead of as JSON text.
        arguments=arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode(),
    )
