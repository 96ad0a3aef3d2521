"""The text of a whole prompt, measured: what is written, the tools that go along, the marks in between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from firellava.costs.text_tokens import text_tokens
from firellava.errors import InvalidRequest
from firellava.messages import TextPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from firellava.costs.text_tokens import TextTokens, Vocabulary
    from firellava.messages import Message

__all__ = ["CONTENT_FIELDS", "prompt_text", "prompt_tokens"]

CONTENT_FIELDS: Final = frozenset({"messages", "prompt", "images", "tools"})
"""What ``extra_body`` may hold in the place of a request's own content, which then is not what is asked."""

# Role marks in chat templates: FireLLaVA's "USER:\n…\n\n" is 6 tokens and its "ASSISTANT:" with the token
# that begins every prompt 5; ChatML's "<|im_start|>user\n…<|im_end|>\n" is 5 and its last mark 3.
_TOKENS_PER_MESSAGE: Final = 5
_TOKENS_PER_CHAT: Final = 5
_TOKENS_PER_COMPLETION: Final = 1


def prompt_text(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> str:
    """All that is written in these messages, and the schemas of the tools as JSON.

    Raises:
        InvalidRequest: the schemas are no JSON.
    """
    texts = [text for message in messages for text in _texts(message)]
    if tools:
        texts.append(_json(tools))
    return "\n".join(texts)


def prompt_tokens(
    text: str, vocabulary: Vocabulary, *, messages: int, completion: bool = False
) -> TextTokens:
    """About how many tokens a prompt has besides its images.

    Args:
        text: its `prompt_text`.
        vocabulary: which weights to use.
        messages: how many there are, each with the marks of its role.
        completion: whether it is a raw prompt, which has no such marks.
    """
    marks = _TOKENS_PER_COMPLETION if completion else _TOKENS_PER_CHAT + messages * _TOKENS_PER_MESSAGE
    written = text_tokens(text, vocabulary)
    return replace(written, count=written.count + marks)


def _json(tools: Sequence[Mapping[str, Any]]) -> str:
    try:
        return orjson.dumps(tools, default=dict).decode()
    except TypeError as error:
        raise InvalidRequest(f"The tools cannot be written as JSON: {error}.") from None


def _texts(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    else:
        yield from (part.text for part in message.content if isinstance(part, TextPart))
    if message.reasoning:
        yield message.reasoning
    for call in message.tool_calls:
        yield call.name
        yield call.arguments
