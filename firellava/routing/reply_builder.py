"""Puts a reply together from its pieces, while they pass by on their way to the caller."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from firellava.messages import ToolCall
from firellava.replies import Choice, Reply

if TYPE_CHECKING:
    from firellava.messages import Request
    from firellava.replies import ReplyChunk, Usage
    from firellava.routing.events import Deliver

__all__ = ["ReplyBuilder"]


@dataclass(slots=True)
class _ToolCallParts:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _ChoiceParts:
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: dict[int, _ToolCallParts] = field(default_factory=dict)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, chunk: ReplyChunk) -> None:
        if chunk.text:
            self.text.append(chunk.text)
        if chunk.reasoning:
            self.reasoning.append(chunk.reasoning)
        for piece in chunk.tool_calls:
            call = self.tool_calls.setdefault(piece.index, _ToolCallParts())
            call.id = piece.id or call.id
            call.name = piece.name or call.name
            call.arguments.append(piece.arguments)
        if chunk.logprobs is not None:
            self.logprobs.append(dict(chunk.logprobs))
        self.finish_reason = chunk.finish_reason or self.finish_reason

    def choice(self) -> Choice:
        calls = [self.tool_calls[index] for index in sorted(self.tool_calls)]
        return Choice(
            text="".join(self.text),
            finish_reason=self.finish_reason,
            tool_calls=tuple(ToolCall(call.id, call.name, "".join(call.arguments)) for call in calls),
            reasoning="".join(self.reasoning) or None,
            logprobs=_joined(self.logprobs),
        )


def _joined(logprobs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Log probabilities of a stream as an unstreamed reply would state them: lists one after the other."""
    if not logprobs:
        return None
    joined: dict[str, Any] = {}
    for piece in logprobs:
        for name, value in piece.items():
            seen = joined.get(name)
            joined[name] = seen + value if isinstance(seen, list) and isinstance(value, list) else value
    return joined


class ReplyBuilder:
    """Collects the pieces of one reply.

    Args:
        request: what was asked.
        deliver: who answers, and what was tried before.

    Attributes:
        complete: the last piece has passed.
        usage: the newest snapshot of the token counts, or None so far.
        reply: the whole reply, once it is complete.
    """

    def __init__(self, request: Request, deliver: Deliver) -> None:
        self.complete = False
        self.usage: Usage | None = None
        self.reply: Reply | None = None
        self._request = request
        self._images = len(request.images)
        self._backend = deliver.backend
        self._attempts = deliver.attempts
        self._choices: defaultdict[int, _ChoiceParts] = defaultdict(_ChoiceParts)
        self._model: str | None = None

    @property
    def partial_text(self) -> str:
        """The text of the first choice so far."""
        return "".join(self._choices[0].text)

    def add(self, chunk: ReplyChunk) -> ReplyChunk:
        """Take a piece in and give it back; the last one comes back with the whole reply on it."""
        self._choices[chunk.choice].add(chunk)
        self._model = chunk.model or self._model
        if chunk.usage is not None:
            self.usage = self._counted(chunk.usage)
            chunk = replace(chunk, usage=self.usage)
        if not chunk.last:
            return chunk
        self.complete = True
        if chunk.images is not None and self.usage is not None:
            self._images = chunk.images
            self.usage = self._counted(self.usage)
        self.reply = self._reply(chunk)
        return replace(chunk, usage=self.usage, reply=self.reply)

    def _counted(self, usage: Usage) -> Usage:
        rule = self._backend.model_card.tokens_per_image
        return usage if rule is None else replace(usage, image_tokens=rule * self._images)

    def _reply(self, last: ReplyChunk) -> Reply:
        return Reply(
            choices=tuple(self._choices[index].choice() for index in sorted(self._choices)),
            backend=self._backend.label,
            model=self._model or self._backend.model_card.name,
            usage=self.usage,
            cost_usd=self._backend.cost(self.usage, self._request),
            local=self._backend.is_local,
            degraded=self._backend.degraded,
            confidence=last.confidence,
            evidence=last.evidence,
            attempts=self._attempts,
            adjustments=(*self._request.adjustments, *last.adjustments),
            request_id=last.request_id,
        )
