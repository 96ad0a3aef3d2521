"""The values of a reply: the whole of it, and the pieces it comes in. The way there is in `messages`.

All of them are frozen, so they can be shared between threads, compared and pickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from firellava.errors import FireLLaVAError
    from firellava.evidence import Evidence
    from firellava.messages import ToolCall

__all__ = ["Attempt", "Choice", "Reply", "ReplyChunk", "ToolCallChunk", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens a call was counted as. ``None`` means nobody said, which is not zero.

    Attributes:
        prompt_tokens: tokens of the whole prompt, images included.
        completion_tokens: tokens of the answer, reasoning included.
        total_tokens: the sum the server stated.
        image_tokens: how many of the prompt's tokens were images, where the model card has a rule.
        cached_tokens: how many of the prompt's tokens came from the server's cache.
        reasoning_tokens: how many of the completion's tokens were reasoning.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    image_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one backend.

    Attributes:
        backend: its label.
        seconds: from the start of the attempt until its reply began, or until it failed.
        error: why it failed, or None for the attempt that answered.
        turn: which backend it was in the order of asking, from 0; two may have the same label.
    """

    backend: str
    seconds: float
    error: FireLLaVAError | None = None
    turn: int = 0

    @property
    def reason(self) -> str | None:
        """Why this attempt failed, in one line; None where it answered."""
        return None if self.error is None else f"{type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a request (there is one unless ``n`` asks for more)."""

    text: str = ""
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    logprobs: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, from whom, and what it cost.

    Attributes:
        choices: the answers; `text`, `finish_reason`, … are those of the first.
        backend: the label of the backend that answered.
        model: the model the server says answered.
        usage: tokens, or None where the backend did not say.
        cost_usd: dollars as an exact decimal, or None where usage or price is unknown.
        local: True where it came from this machine.
        degraded: True where something other than a vision-language model answered.
        confidence: 0 to 1, from backends that know how sure they are.
        evidence: the text that the answer quotes from the images, and where it stands, from backends that
            know; `firellava.evidence.draw_evidence` shows it.
        attempts: every try, in order; the last one answered.
        adjustments: what was done to the images, one line each.
        request_id: the server's name for the request.
    """

    choices: tuple[Choice, ...]
    backend: str
    model: str
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    local: bool = False
    degraded: bool = False
    confidence: float | None = None
    evidence: tuple[Evidence, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    adjustments: tuple[str, ...] = ()
    request_id: str | None = None

    @property
    def text(self) -> str:
        """The answer."""
        return self.choices[0].text

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped: ``stop``, ``length``, ``tool_calls`` and the like."""
        return self.choices[0].finish_reason

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Tools the model wants called."""
        return self.choices[0].tool_calls

    @property
    def reasoning(self) -> str | None:
        """The model's reasoning, where it shows any."""
        return self.choices[0].reasoning

    @property
    def logprobs(self) -> Mapping[str, Any] | None:
        """Log probabilities as the server stated them, where they were asked for."""
        return self.choices[0].logprobs

    @property
    def fallback_from(self) -> tuple[Attempt, ...]:
        """The failed attempts of other backends, which are why this one was asked."""
        return tuple(attempt for attempt in self.attempts if attempt.turn != self.attempts[-1].turn)

    def metadata(self) -> dict[str, Any]:
        """Everything but the answer itself, as plain JSON values: what frameworks keep beside an answer.

        ``cost_usd`` is a string, so that no digit is lost, or None where it is unknown.
        """
        return {
            "model_name": self.model,
            "finish_reason": self.finish_reason,
            "backend": self.backend,
            "local": self.local,
            "degraded": self.degraded,
            "confidence": self.confidence,
            "evidence": [quoted.metadata() for quoted in self.evidence],
            "fallback_from": [{"backend": a.backend, "reason": a.reason} for a in self.fallback_from],
            "attempts": [
                {"backend": a.backend, "seconds": round(a.seconds, 6), "reason": a.reason}
                for a in self.attempts
            ],
            "cost_usd": None if self.cost_usd is None else f"{self.cost_usd:f}",
            "request_id": self.request_id,
            "adjustments": list(self.adjustments),
        }


@dataclass(frozen=True, slots=True)
class ToolCallChunk:
    """A fragment of a tool call. Fragments with the same index belong together; strings are appended."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class ReplyChunk:
    """A piece of a reply. Texts are increments.

    A backend yields any number of pieces and then one with ``last=True``. `VisionClient.stream` sets
    ``reply`` on that last one: the whole reply, exactly as `VisionClient.chat` would have returned it.

    Attributes:
        choice: which of the answers this belongs to.
        usage: the newest snapshot of the token counts; snapshots replace each other and are never added.
        images: on the last piece, how many images were sent, where the backend knows.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallChunk, ...] = ()
    logprobs: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    choice: int = 0
    usage: Usage | None = None
    model: str | None = None
    request_id: str | None = None
    confidence: float | None = None
    evidence: tuple[Evidence, ...] = ()
    adjustments: tuple[str, ...] = ()
    images: int | None = None
    last: bool = False
    reply: Reply | None = None
