"""From LlamaIndex's messages to the core's `Message`. The images in them are the affair of `images`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from llama_index.core.base.llms.types import (
    CachePoint,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from firellava import ImagePart, Message, TextPart, ToolCall
from firellava.errors import InvalidRequest
from firellava.offload import in_thread
from llama_index_firellava.images import block_source, document_pages, to_image_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llama_index.core.base.llms.types import BaseContentBlock, ChatMessage

    from firellava.messages import Detail, Part, Role
    from llama_index_firellava.images import ImageDocumentLike

__all__ = ["to_messages", "to_messages_async", "to_question", "to_question_async"]

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
    "AudioBlock": "send a transcript as TextBlock",
    "VideoBlock": "send some of its frames as ImageBlock",
}


def to_messages(messages: Iterable[ChatMessage], image_roots: Iterable[str] | None = None) -> list[Message]:
    """A conversation for the core.

    The model's reasoning goes back to it; cache points are left out, since no answer depends on them.

    Args:
        messages: the conversation.
        image_roots: folders in which the files of DocumentBlocks must lie; None allows any folder.

    Raises:
        InvalidRequest: a block no vision model takes, or a message without what its role needs.
        ImageError: a block holds no image, or a document that cannot be opened.
    """
    return [_to_message(message, image_roots) for message in messages]


async def to_messages_async(
    messages: Sequence[ChatMessage], image_roots: Iterable[str] | None = None
) -> list[Message]:
    """The asynchronous twin of `to_messages`: megabytes of base64 are decoded off the event loop."""
    if any(isinstance(block, ImageBlock | DocumentBlock) for message in messages for block in message.blocks):
        return await in_thread(to_messages, messages, image_roots)
    return to_messages(messages)


def to_question(
    prompt: str, images: Iterable[ImageDocumentLike] | None, image_roots: Iterable[str] | None = None
) -> Message:
    """A prompt and the images it is about as one user message, the images first.

    Raises:
        InvalidRequest: the prompt is empty, or an image document holds no image.
    """
    if not prompt.strip():
        raise InvalidRequest("The prompt is empty.")
    sources = to_image_sources(images, image_roots)
    return Message("user", [*(ImagePart(source) for source in sources), TextPart(prompt)])


async def to_question_async(
    prompt: str, images: Iterable[ImageDocumentLike] | None, image_roots: Iterable[str] | None = None
) -> Message:
    """The asynchronous twin of `to_question`: megabytes of base64 are decoded off the event loop."""
    if not images:
        return to_question(prompt, None)
    return await in_thread(to_question, prompt, images, image_roots)


def _to_message(message: ChatMessage, image_roots: Iterable[str] | None) -> Message:
    role = _ROLES[message.role]
    parts: list[Part] = []
    calls: list[ToolCall] = []
    reasoning: list[str] = []
    for block in message.blocks:
        match block:
            case TextBlock():
                parts.append(TextPart(block.text))
            case ImageBlock():
                parts.append(ImagePart(block_source(block), _detail(block.detail)))
            case DocumentBlock():
                parts += [ImagePart(page) for page in document_pages(block, image_roots)]
            case ToolCallBlock() if role == "assistant":
                calls.append(_tool_call(block))
            case ThinkingBlock(content=str(thought)):
                reasoning.append(thought)
            case ThinkingBlock() | CachePoint():
                pass
            case _:
                raise _refused(block, role)
    return Message(
        role,
        parts,
        tuple(calls),
        _answered_call(message) if role == "tool" else None,
        # The API takes reasoning from assistants only.
        ("\n".join(reasoning) or None) if role == "assistant" else None,
    )


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
