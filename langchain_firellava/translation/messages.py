"""From LangChain's messages to the core's, and from the core's replies to LangChain's. Pure functions.

Images are accepted in every shape LangChain has had, tool calls and results also inside the content. What
models say besides (citations, calls of servers' own tools, …) comes back in histories and is left out: the
API refuses what it does not know.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import (
    ToolCall,
    ToolCallChunk,
    invalid_tool_call,
    tool_call,
    tool_call_chunk,
)

from firellava import messages as core
from firellava import replies
from firellava.errors import InvalidRequest
from langchain_firellava.translation.content import to_parts
from langchain_firellava.translation.tool_blocks import calls_in, results_in, to_tool_call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["PROVIDER", "ChunkTranslator", "metadata_of", "to_ai_message", "to_core_messages", "usage_of"]

PROVIDER = "firellava"
"""What traces and metadata call this integration."""

_OURS = (None, PROVIDER, "fireworks")
"""Who may have made a message whose reasoning is of use to the API's models; None where nobody said."""

_ROLES: dict[str, core.Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
}


def to_core_messages(messages: Sequence[BaseMessage]) -> list[core.Message]:
    """A LangChain conversation as the core's.

    Names, ids, artifacts and metadata of messages stay behind: the API has no place for them. Reasoning goes
    along, for models that want to see what they thought while they called tools; not that of other services.

    Raises:
        InvalidRequest: a message or a block is of a kind that the API does not take.
        ImageError: an image is damaged, or names a file: a string inside a message never opens one.
    """
    return list(itertools.chain.from_iterable(map(_to_core_messages, messages)))


def _to_core_messages(message: BaseMessage) -> list[core.Message]:
    if isinstance(message, AIMessage):
        parts = to_parts(message.content, said_by_model=True)
        return [core.Message("assistant", parts, _tool_calls(message), reasoning=_reasoning_in(message))]
    if isinstance(message, ToolMessage):
        return [core.Message("tool", to_parts(message.content), tool_call_id=message.tool_call_id)]
    role = _role(message)
    if role != "user":
        return [core.Message(role, to_parts(message.content, said_by_model=role == "assistant"))]
    results, rest = results_in(message.content)
    return [*results, core.Message(role, to_parts(rest))] if rest or not results else results


def _role(message: BaseMessage) -> core.Role:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, ChatMessage):
        if message.role in _ROLES:
            return _ROLES[message.role]
        known = ", ".join(_ROLES)
        raise InvalidRequest(f"A ChatMessage has the role {message.role!r}; the API knows {known}.")
    advice = "answer a tool call with ToolMessage" if message.type == "function" else "remove it"
    raise InvalidRequest(f"{type(message).__name__} is no message the API takes: {advice}.")


def _tool_calls(message: AIMessage) -> tuple[core.ToolCall, ...]:
    """The calls of an earlier turn; those whose arguments were no valid JSON go back as they came."""
    beside = [
        to_tool_call(call["id"], call["name"], call["args"])
        for call in (*message.tool_calls, *message.invalid_tool_calls)
    ]
    known = {call.id for call in beside}
    return (*beside, *(call for call in calls_in(message.content) if call.id not in known))


def _reasoning_in(message: AIMessage) -> str | None:
    """What the model thought, from the standard blocks or from where it stands beside plain text.

    What a model of another service thought stays behind: it need not be valid here.
    """
    if message.response_metadata.get("model_provider") not in _OURS:
        return None
    blocks = [] if isinstance(message.content, str) else message.content
    thoughts = [
        block["reasoning"]
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "reasoning" and block.get("reasoning")
    ]
    return "\n".join(thoughts) or message.additional_kwargs.get("reasoning_content") or None


def to_ai_message(reply: replies.Reply, choice: int = 0) -> AIMessage:
    """One of the answers of a reply. Usage and cost belong to the reply as a whole and stand on the first."""
    answer = reply.choices[choice]
    valid, invalid = _read_tool_calls(answer.tool_calls)
    return AIMessage(
        content=answer.text,
        additional_kwargs=_reasoning(answer.reasoning),
        tool_calls=valid,
        invalid_tool_calls=invalid,
        response_metadata=metadata_of(reply, choice),
        usage_metadata=usage_of(reply.usage) if choice == 0 else None,
    )


class ChunkTranslator:
    """Turns the pieces of one streamed reply into message chunks that LangChain can add up.

    LangChain appends strings of chunks to each other: so what is no increment (metadata, a tool call's name)
    is put on one chunk only, and usage, which it adds up, on the last. Content blocks it adds up by their
    index. It numbers them itself where they are missing, apart from the numbers that tool calls have, so that
    a text and a call could become one block: blocks are made and numbered here.

    Args:
        as_blocks: the content is wanted as standard content blocks (``output_version="v1"``).
    """

    def __init__(self, *, as_blocks: bool = False) -> None:
        self._announced: set[int] = set()
        self._as_blocks = as_blocks
        self._blocks_begun = 0
        self._indexes: dict[str | int, int] = {}
        self._kind: str | None = None

    def translate(self, chunk: replies.ReplyChunk) -> AIMessageChunk | None:
        """The message chunk for a piece, or None where the piece says nothing a user would see."""
        calls = [self._tool_call(call) for call in chunk.tool_calls]
        if chunk.reply is None and not (chunk.text or chunk.reasoning or calls):
            return None
        message = AIMessageChunk(
            content=list(self._blocks(chunk, calls)) if self._as_blocks else chunk.text,
            additional_kwargs=_reasoning(chunk.reasoning),
            tool_call_chunks=calls,
        )
        if self._as_blocks:
            message.response_metadata = {"output_version": "v1"}
        if chunk.reply is not None:
            message.usage_metadata = usage_of(chunk.reply.usage)
            message.response_metadata |= metadata_of(chunk.reply)
            message.chunk_position = "last"
        return message

    def _tool_call(self, call: replies.ToolCallChunk) -> ToolCallChunk:
        known = call.index in self._announced
        self._announced.add(call.index)
        return tool_call_chunk(
            name=None if known else call.name,
            id=call.id,
            args=call.arguments,
            index=call.index,
        )

    def _blocks(self, chunk: replies.ReplyChunk, calls: list[ToolCallChunk]) -> Iterator[dict[str, Any]]:
        if chunk.reasoning:
            yield {"type": "reasoning", "reasoning": chunk.reasoning, "index": self._index("reasoning")}
        if chunk.text:
            yield {"type": "text", "text": chunk.text, "index": self._index("text")}
        for call in calls:
            yield {**call, "index": self._index("tool_call", call["index"])}

    def _index(self, kind: str, number: int | None = None) -> int:
        """The number of the block that a piece belongs to. Text after something else is another block."""
        block = kind if number is None else number
        if block not in self._indexes or (number is None and kind != self._kind):
            self._indexes[block] = self._blocks_begun
            self._blocks_begun += 1
        self._kind = kind
        return self._indexes[block]


def usage_of(usage: replies.Usage | None) -> UsageMetadata | None:
    """Token counts in LangChain's terms: whole numbers, and only those somebody stated."""
    if usage is None:
        return None
    counted = UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )
    read: dict[str, int | None] = {"image": usage.image_tokens, "cache_read": usage.cached_tokens}
    if details := {name: count for name, count in read.items() if count is not None}:
        # The type lists what its authors thought of, and says that other keys may stand beside them.
        counted["input_token_details"] = InputTokenDetails(**details)  # type: ignore[typeddict-item]
    if usage.reasoning_tokens is not None:
        counted["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return counted


def metadata_of(reply: replies.Reply, choice: int = 0) -> dict[str, Any]:
    """What is known about an answer beside its text: who gave it, why it ended, what it cost."""
    answer = reply.choices[choice]
    metadata = reply.metadata() | {"model_provider": PROVIDER, "finish_reason": answer.finish_reason}
    if choice:
        del metadata["cost_usd"]
    if answer.logprobs is not None:
        metadata["logprobs"] = dict(answer.logprobs)
    return metadata


def _reasoning(text: str | None) -> dict[str, Any]:
    # From this key LangChain makes its reasoning content blocks.
    return {"reasoning_content": text} if text else {}


def _read_tool_calls(calls: Sequence[core.ToolCall]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    valid, invalid = [], []
    for call in calls:
        try:
            arguments = json.loads(call.arguments or "{}")
        except json.JSONDecodeError as error:
            invalid.append(_invalid(call, f"The arguments are no JSON: {error}"))
            continue
        if isinstance(arguments, dict):
            valid.append(tool_call(name=call.name, args=arguments, id=call.id))
        else:
            invalid.append(_invalid(call, "The arguments are JSON, but no object."))
    return valid, invalid


def _invalid(call: core.ToolCall, problem: str) -> InvalidToolCall:
    return invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=problem)
