"""Images in the results of tools, where the model that is asked looks for them.

The API's schema allows images in tool messages, and its models differ: some look at them, some only at those
that a user shows, and some servers refuse them. The model card says which (`Capabilities.tool_images`).
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from firellava.messages import Message, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firellava.messages import Part, Request
    from firellava.models import ModelCard

__all__ = ["with_tool_images_placed"]

_MOVED: Final = "[Image {number} of this result is shown in the next user message.]"
_LEFT_OUT: Final = "[Image {number} of this result cannot be shown to this model.]"
_CAPTION: Final = "{images} of the result of the tool call {call}:"


def with_tool_images_placed(request: Request, card: ModelCard) -> Request:
    """The request with the images of tool messages where the card wants them; by far most have none there.

    Hoisted images stand in a user message of their own behind the last of the tool messages that follow each
    other, because nothing may come between the results that answer one message. So the order of a request's
    images never changes; where the card says ``text`` there are fewer of them.
    """
    wanted = card.capabilities.tool_images
    if wanted == "native" or not any(
        message.role == "tool" and message.images for message in request.messages
    ):
        return request
    replaced = _hoisted(request.messages) if wanted == "hoisted" else _told(request.messages)
    return replace(request, messages=tuple(replaced))


def _hoisted(messages: Sequence[Message]) -> Iterator[Message]:
    names: dict[str, str] = {}
    waiting: list[Part] = []
    for message in messages:
        names |= {call.id: call.name for call in message.tool_calls}
        if message.role != "tool":
            if waiting:
                yield Message("user", waiting)
                waiting = []
            yield message
            continue
        if message.images:
            waiting += [TextPart(_caption(message, names)), *message.images]
        yield _without_images(message, _MOVED)
    if waiting:
        yield Message("user", waiting)


def _told(messages: Sequence[Message]) -> Iterator[Message]:
    for message in messages:
        yield _without_images(message, _LEFT_OUT) if message.role == "tool" else message


def _without_images(message: Message, instead: str) -> Message:
    if not message.images:
        return message
    numbers = itertools.count(1)
    texts = (
        part.text if isinstance(part, TextPart) else instead.format(number=next(numbers))
        for part in message.parts
    )
    return replace(message, content="\n".join(texts))


def _caption(message: Message, names: dict[str, str]) -> str:
    count = len(message.images)
    images = "Image 1" if count == 1 else f"Images 1 to {count}"
    name = names.get(message.tool_call_id or "")
    call = f"{message.tool_call_id} ({name})" if name else str(message.tool_call_id)
    return _CAPTION.format(images=images, call=call)
