"""From the core's `Reply` and `ReplyChunk` to LlamaIndex's responses.

Beside the answer a response carries what LlamaIndex code looks for: ``additional_kwargs`` says what the
answer cost and who gave it, and ``raw["usage"]`` is where token counters look first. What nobody stated is
None in the one and absent from the other, because counters take a None there for a number.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from firellava import ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping, Sequence

    from llama_index.core.base.llms.types import ContentBlock

    from firellava import Reply, ReplyChunk
    from firellava.replies import ToolCallChunk

__all__ = [
    "ChatStream",
    "CompletionStream",
    "achunks_to_responses",
    "assistant_message",
    "chat_response",
    "chunks_to_responses",
    "completion_response",
]

_Response_co = TypeVar("_Response_co", bound=ChatResponse | CompletionResponse, covariant=True)


def chat_response(reply: Reply, *, delta: str | None = None) -> ChatResponse:
    """A whole reply as LlamaIndex's chat response."""
    return ChatResponse(
        message=assistant_message(reply.text, reply.reasoning or "", reply.tool_calls),
        delta=delta,
        raw=_raw(reply),
        logprobs=_logprobs(reply.logprobs),
        additional_kwargs=_details(reply),
    )


def completion_response(reply: Reply, *, delta: str | None = None) -> CompletionResponse:
    """A whole reply as LlamaIndex's completion response."""
    return CompletionResponse(
        text=reply.text,
        delta=delta,
        raw=_raw(reply),
        logprobs=_logprobs(reply.logprobs),
        additional_kwargs=_details(reply),
    )


def assistant_message(text: str, reasoning: str, calls: Sequence[ToolCall]) -> ChatMessage:
    """What the model said so far, as a message that can be put back into the conversation."""
    blocks: list[ContentBlock] = []
    if reasoning:
        blocks.append(ThinkingBlock(content=reasoning))
    if text or not calls:
        blocks.append(TextBlock(text=text))
    blocks += [
        ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=call.arguments) for call in calls
    ]
    # LlamaIndex's structured streaming looks here to see whether tools were called.
    extra = {"tool_calls": [asdict(call) for call in calls]} if calls else {}
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=extra)


class ResponseStream(Protocol[_Response_co]):
    """Makes a response of each piece of a streamed reply; None where a piece says nothing."""

    def add(self, chunk: ReplyChunk) -> _Response_co | None:
        """Take the next piece in."""


class ChatStream:
    """Chat responses whose ``message`` grows while ``delta`` is what came last."""

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""
        self._calls: dict[int, ToolCall] = {}

    def add(self, chunk: ReplyChunk) -> ChatResponse | None:
        """Take the next piece in; the last one comes out as the whole response."""
        if chunk.reply is not None:
            return chat_response(chunk.reply, delta=chunk.text)
        if not (chunk.text or chunk.reasoning or chunk.tool_calls):
            return None
        self._text += chunk.text
        self._reasoning += chunk.reasoning
        for piece in chunk.tool_calls:
            self._calls[piece.index] = _extended(self._calls.get(piece.index), piece)
        calls = [self._calls[index] for index in sorted(self._calls)]
        return ChatResponse(
            message=assistant_message(self._text, self._reasoning, calls),
            delta=chunk.text,
            additional_kwargs={"thinking_delta": chunk.reasoning} if chunk.reasoning else {},
        )


class CompletionStream:
    """Completion responses whose ``text`` grows while ``delta`` is what came last."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, chunk: ReplyChunk) -> CompletionResponse | None:
        """Take the next piece in; the last one comes out as the whole response."""
        if chunk.reply is not None:
            return completion_response(chunk.reply, delta=chunk.text)
        if not chunk.text:
            return None
        self._text += chunk.text
        return CompletionResponse(text=self._text, delta=chunk.text)


def chunks_to_responses(
    chunks: Generator[ReplyChunk, None, None], stream: ResponseStream[_Response_co]
) -> Generator[_Response_co, None, None]:
    """The responses of a stream; closing this closes the connection."""
    with closing(chunks):
        for chunk in chunks:
            if (response := stream.add(chunk)) is not None:
                yield response


async def achunks_to_responses(
    chunks: AsyncGenerator[ReplyChunk, None], stream: ResponseStream[_Response_co]
) -> AsyncGenerator[_Response_co, None]:
    """The asynchronous twin of `chunks_to_responses`."""
    async with aclosing(chunks):
        async for chunk in chunks:
            if (response := stream.add(chunk)) is not None:
                yield response


def _extended(call: ToolCall | None, piece: ToolCallChunk) -> ToolCall:
    call = call or ToolCall("", "", "")
    return replace(
        call, id=piece.id or call.id, name=piece.name or call.name, arguments=call.arguments + piece.arguments
    )


def _details(reply: Reply) -> dict[str, Any]:
    unknown: dict[str, Any] = dict.fromkeys(count.name for count in fields(Usage))
    return (unknown if reply.usage is None else asdict(reply.usage)) | reply.metadata()


def _raw(reply: Reply) -> dict[str, Any]:
    raw: dict[str, Any] = {"model": reply.model, "choices": [asdict(choice) for choice in reply.choices]}
    if reply.usage is not None:
        raw["usage"] = asdict(reply.usage)
    return raw


def _logprobs(stated: Mapping[str, Any] | None) -> list[list[LogProb]] | None:
    """For each token of the answer the likeliest ones, or the token alone; None where nobody said.

    The API's two forms: a list of objects, or, for a number of alternatives, lists side by side.
    """
    if not stated:
        return None
    if (content := stated.get("content")) is not None:
        return [[_logprob(one) for one in token.get("top_logprobs") or [token]] for token in content]
    alternatives = stated.get("top_logprobs")
    if not alternatives:
        pairs = zip(stated.get("tokens") or (), stated.get("token_logprobs") or (), strict=False)
        alternatives = [{token: logprob} for token, logprob in pairs]
    return [
        [LogProb(token=token, logprob=logprob) for token, logprob in of_token.items() if logprob is not None]
        for of_token in alternatives
    ]


def _logprob(stated: Mapping[str, Any]) -> LogProb:
    return LogProb(token=stated["token"], logprob=stated["logprob"], bytes=stated.get("bytes") or [])
