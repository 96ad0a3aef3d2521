"""The completions endpoint: a raw prompt with ``<image>`` tokens and the list of images for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firellava.errors import InvalidRequest
from firellava.messages import ImagePart, Message, TextPart
from firellava.replies import ReplyChunk
from firellava.wire.bodies import image_url, read_choices, read_whole, write_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.images import ImageSource, PreparedImage
    from firellava.messages import Part, Request
    from firellava.models import ModelCard

__all__ = ["IMAGE_TOKEN", "encode", "prompt_message", "read_event", "read_reply"]

IMAGE_TOKEN = "<image>"  # noqa: S105 - a token of the prompt, not a secret
"""Where the model sees an image in a completions prompt, as the API document writes it."""

_CHAT_ONLY = frozenset({"tools", "tool_choice", "parallel_tool_calls", "top_logprobs"})


def prompt_message(prompt: str, images: Sequence[ImageSource]) -> Message:
    """A prompt as a message whose image parts stand where the ``<image>`` tokens were.

    Raises:
        InvalidRequest: the number of tokens is not the number of images.
    """
    texts = prompt.split(IMAGE_TOKEN)
    tokens = len(texts) - 1
    if tokens != len(images):
        raise InvalidRequest(
            f"The prompt has {tokens} {IMAGE_TOKEN} tokens for {len(images)} images: "
            f"write one {IMAGE_TOKEN} where each image belongs."
        )
    parts: list[Part] = [TextPart(texts[0])]
    for image, text in zip(images, texts[1:], strict=True):
        parts += [ImagePart(image), TextPart(text)]
    return Message("user", parts)


def encode(request: Request, model: str, card: ModelCard, images: Sequence[PreparedImage | str]) -> bytes:
    """The body of a completions request.

    Args:
        request: a request whose message was made by `prompt_message`.
        model: the model's name on this server.
        card: what the server takes.
        images: for each image of the request, in order, the prepared image or the URL to pass through.

    Raises:
        InvalidRequest: a parameter belongs to chat only, or a value is no JSON.
    """
    if chat_only := _CHAT_ONLY & request.parameters.given().keys():
        raise InvalidRequest(f"The completions API has no {', '.join(sorted(chat_only))}: use chat.")
    parts = [part for message in request.messages for part in message.parts]
    content: dict[str, Any] = {
        "prompt": "".join(IMAGE_TOKEN if isinstance(part, ImagePart) else part.text for part in parts)
    }
    if images:
        content["images"] = [image_url(image) for image in images]
    return write_body(model, content, request, card)


def read_reply(body: bytes) -> list[ReplyChunk]:
    """The pieces of an unstreamed reply: one for each choice, then the last with model and usage.

    Raises:
        UnreadableReply: the body is not what the API documents.
    """
    return read_whole(body, _read_choice)


def read_event(data: bytes, *, model: str) -> list[ReplyChunk]:
    """The pieces in one event of a stream.

    Raises:
        UnreadableReply: the event is not what the API documents.
        RefusedByServer: the event is an error.
    """
    return read_choices(data, _read_choice, model=model)


def _read_choice(choice: dict[str, Any]) -> ReplyChunk:
    return ReplyChunk(
        text=choice["text"] or "",
        logprobs=choice.get("logprobs"),
        finish_reason=choice.get("finish_reason"),
        choice=choice.get("index") or 0,
    )
