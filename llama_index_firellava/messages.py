"""From LlamaIndex's messages and image documents to the core's `Message` and `ImageSource`.

Pure translation: files are not read and nothing is fetched here. LlamaIndex's own resolvers read any path and
fetch any URL, so they are never called; the fields are taken as they are. Paths that merely stand in metadata
are ignored.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import IO, TYPE_CHECKING, Final, cast

from llama_index.core.base.llms.types import (
    CachePoint,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.schema import ImageNode, MediaResource, Node, NodeWithScore

from firellava import ImagePart, ImageSource, Message, TextPart, ToolCall
from firellava.errors import InvalidRequest, UnreadableImage
from firellava.images.formats import detect_format

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from llama_index.core.base.llms.types import BaseContentBlock, ChatMessage
    from llama_index.core.schema import BaseNode
    from pydantic import AnyUrl

    from firellava.messages import Detail, Part, Role

    ImageDocumentLike = BaseNode | ImageBlock | MediaResource | NodeWithScore

__all__ = ["to_image_sources", "to_message", "to_messages", "to_question"]

_ROLES: Final[dict[MessageRole, Role]] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}

_DETAILS: Final[dict[str, Detail]] = {"auto": "auto", "low": "low", "high": "high"}

_INSTEAD: Final = {
    "DocumentBlock": "send its pages as ImageBlock, or its text as TextBlock",
    "AudioBlock": "send a transcript as TextBlock",
    "VideoBlock": "send some of its frames as ImageBlock",
}


def to_messages(messages: Iterable[ChatMessage]) -> list[Message]:
    """A conversation for the core.

    Raises:
        InvalidRequest: a block no vision model takes, or a message without what its role needs.
    """
    return [to_message(message) for message in messages]


def to_message(message: ChatMessage) -> Message:
    """One message for the core.

    Reasoning of earlier turns and cache points are left out: no answer depends on them.

    Raises:
        InvalidRequest: a block no vision model takes, or a message without what its role needs.
    """
    role = _ROLES[message.role]
    parts: list[Part] = []
    calls: list[ToolCall] = []
    for block in message.blocks:
        match block:
            case TextBlock():
                parts.append(TextPart(block.text))
            case ImageBlock():
                parts.append(ImagePart(_block_source(block), _detail(block.detail)))
            case ToolCallBlock() if role == "assistant":
                calls.append(_tool_call(block))
            case ThinkingBlock() | CachePoint():
                pass
            case _:
                raise _refused(block, role)
    return Message(role, parts, tuple(calls), _answered_call(message) if role == "tool" else None)


def to_question(prompt: str, images: Iterable[ImageDocumentLike] | None) -> Message:
    """A prompt and the images it is about as one user message, the images first.

    Raises:
        InvalidRequest: the prompt is empty, or an image document holds no image.
    """
    if not prompt.strip():
        raise InvalidRequest("The prompt is empty.")
    return Message("user", [*(ImagePart(source) for source in to_image_sources(images)), TextPart(prompt)])


def to_image_sources(images: Iterable[ImageDocumentLike] | None) -> list[ImageSource]:
    """The images in what code written for ``MultiModalLLM`` hands in as ``image_documents=``.

    Args:
        images: ImageNode, ImageDocument, any node with an ``image_resource``, such a MediaResource itself,
            ImageBlock, or NodeWithScore.

    Raises:
        InvalidRequest: one of them is something else, or holds no image.
    """
    return [_document_source(image) for image in images or ()]


def _document_source(document: ImageDocumentLike) -> ImageSource:
    kind = type(document).__name__
    if isinstance(document, NodeWithScore):
        return _document_source(document.node)
    if isinstance(document, ImageBlock):
        return _block_source(document)
    if isinstance(document, MediaResource):
        return _source(kind, document.data, document.path, document.url)
    if isinstance(document, ImageNode):
        image = document.image.encode() if document.image else None
        return _source(kind, image, document.image_path, document.image_url)
    if isinstance(document, Node):
        resource = document.image_resource or MediaResource()
        return _source(kind, resource.data, resource.path, resource.url)
    raise InvalidRequest(
        f"A value of type {kind} holds no image: image_documents= takes ImageDocument, ImageNode and "
        "ImageBlock."
    )


def _block_source(block: ImageBlock) -> ImageSource:
    image = block.image
    if image is not None and not isinstance(image, bytes):
        image = ImageSource.of(cast("IO[bytes]", image)).data
    return _source(type(block).__name__, image, block.path, block.url)


def _source(kind: str, image: bytes | None, path: str | Path | None, url: str | AnyUrl | None) -> ImageSource:
    """The image a block or document holds; where it says so more than once, in LlamaIndex's own order."""
    if image:
        return ImageSource.from_bytes(_decoded(image))
    if path:
        return ImageSource.from_path(path)
    if url:
        text = str(url)
        is_data_url = text[:5].lower() == "data:"
        return ImageSource.from_data_url(text) if is_data_url else ImageSource.from_url(text)
    raise UnreadableImage(f"{kind} holds no image: give it image bytes, a path or a URL.")


def _decoded(image: bytes) -> bytes:
    """The encoded image in a field that holds base64 or the image itself.

    LlamaIndex takes whatever decodes as base64 for base64, so one field may hold either, or base64 twice
    over. What is an image decides.
    """
    candidate = image
    for _ in range(2):
        if detect_format(candidate) is not None:
            break
        try:
            candidate = base64.b64decode(b"".join(candidate.split()), validate=True)
        except binascii.Error:
            break
    return candidate


def _detail(detail: str | None) -> Detail | None:
    if detail is None:
        return None
    if detail not in _DETAILS:
        raise InvalidRequest(f"detail={detail!r} is none of {', '.join(_DETAILS)}.")
    return _DETAILS[detail]


def _tool_call(block: ToolCallBlock) -> ToolCall:
    arguments = block.tool_kwargs
    return ToolCall(
        # The API wants an id for every call; `selected_tools` gives the same one to whoever answers it.
        id=block.tool_call_id or block.tool_name,
        name=block.tool_name,
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
    )


def _answered_call(message: ChatMessage) -> str:
    call = message.additional_kwargs.get("tool_call_id")
    if not isinstance(call, str) or not call:
        raise InvalidRequest(
            "A tool message answers a tool call: name it in additional_kwargs={'tool_call_id': …}."
        )
    return call


def _refused(block: BaseContentBlock, role: Role) -> InvalidRequest:
    kind = type(block).__name__
    if isinstance(block, ToolCallBlock):
        return InvalidRequest(f"{kind} belongs into assistant messages, not into one of role {role!r}.")
    instead = _INSTEAD.get(kind, "send its content as TextBlock or ImageBlock")
    return InvalidRequest(f"{kind} cannot be sent to a vision model: {instead}.")
