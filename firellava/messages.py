"""The values that travel through the core: a request on the way out, a reply on the way back.

All of them are frozen, so they can be shared between threads, compared and pickled. A framework adapter
builds a `Request` and reads a `Reply`; a backend does the reverse; nothing here knows any JSON key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - pydantic reads annotations at run time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firellava.errors import InvalidRequest

if TYPE_CHECKING:
    from decimal import Decimal

    from firellava.errors import FireLLaVAError
    from firellava.images.source import ImageSource

__all__ = [
    "Attempt",
    "Choice",
    "Detail",
    "ImagePart",
    "Message",
    "Parameters",
    "Part",
    "Reply",
    "ReplyChunk",
    "Request",
    "Role",
    "TextPart",
    "ToolCall",
    "ToolCallChunk",
    "Usage",
]

Role = Literal["system", "user", "assistant", "tool"]
Detail = Literal["auto", "low", "high"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text inside a message."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image inside a message.

    Attributes:
        source: where the pixels are; they are read when the request is made and prepared for the backend
            that will get them.
        detail: the API's hint for models that look at images in several resolutions; sent as given.
    """

    source: ImageSource
    detail: Detail | None = None


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants called.

    Attributes:
        id: the model's name for this call; the tool's answer refers to it.
        name: the tool.
        arguments: the JSON text as the model wrote it, which need not be valid JSON.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who speaks.
        content: plain text, or the parts in order. Any sequence of parts is accepted and kept as a tuple.
        tool_calls: what an assistant message asked to have called.
        tool_call_id: in a tool message, the call it answers.
        reasoning: the assistant's reasoning of an earlier turn, for models that want it back.
    """

    role: Role
    content: str | Sequence[Part] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", tuple(self.content))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts; plain text is one part, an empty string is none."""
        if isinstance(self.content, str):
            return (TextPart(self.content),) if self.content else ()
        return tuple(self.content)

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The images of this message in order."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @property
    def text(self) -> str:
        """The text of this message, its parts joined by line ends."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


class Parameters(BaseModel):
    """What steers generation. ``None`` leaves a setting to the server.

    The names and ranges are those of the API's chat and completions endpoints; a backend whose model card
    lacks a capability refuses the request or drops what is only a hint, as the card says.

    Attributes:
        extra_body: anything else the API takes, merged into the request as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=0)
    stop: tuple[str, ...] | None = Field(default=None, max_length=4)
    n: int | None = Field(default=None, ge=1, le=128)
    seed: int | None = None
    logprobs: bool | int | None = None
    top_logprobs: int | None = Field(default=None, ge=0)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    repetition_penalty: float | None = Field(default=None, ge=0, le=2)
    response_format: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | int | bool | None = None
    context_length_exceeded_behavior: Literal["truncate", "error"] | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    perf_metrics_in_response: bool | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None
    extra_body: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Parameters:
        """Check keyword arguments and keep those that are set.

        Raises:
            InvalidRequest: a name is unknown or a value is out of range.
        """
        given = {name: value for name, value in values.items() if value is not None}
        if isinstance(given.get("stop"), str):
            given["stop"] = (given["stop"],)
        problem = ""
        try:
            return cls(**given)
        except ValidationError as error:
            problem = explain(error)
        raise InvalidRequest(
            f"Parameters: {problem}. What the API takes beyond these goes into extra_body={{…}}."
        )

    def given(self) -> dict[str, Any]:
        """The parameters that are set, by name, without `extra_body`."""
        return {
            name: value
            for name in type(self).model_fields
            if name != "extra_body" and (value := getattr(self, name)) is not None
        }


def explain(error: ValidationError) -> str:
    """What pydantic found wrong, in one line that names settings but echoes no value."""
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(step) for step in detail["loc"])
        if detail["type"] == "extra_forbidden":
            problems.append(f"there is no setting {name!r}")
        else:
            problems.append(f"{name}: {detail['msg']}")
    return "; ".join(problems)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a vision-language model, the same for every backend.

    Attributes:
        messages: the conversation, oldest first.
        parameters: what steers generation.
        stream: whether the reply is wanted piece by piece.
        completion: whether this is a prompt for the completions API: a single user message whose image
            parts stand where the prompt had its ``<image>`` tokens.
    """

    messages: tuple[Message, ...]
    parameters: Parameters = field(default_factory=Parameters)
    stream: bool = False
    completion: bool = False

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """All images of the conversation in order."""
        return tuple(image for message in self.messages for image in message.images)


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
    """

    backend: str
    seconds: float
    error: FireLLaVAError | None = None

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
        degraded: True where something other than a vision-language model answered.
        confidence: 0 to 1, from backends that know how sure they are.
        attempts: every try, in order; the last one answered.
        adjustments: what was done to the images, one line each.
        request_id: the server's name for the request.
    """

    choices: tuple[Choice, ...]
    backend: str
    model: str
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    degraded: bool = False
    confidence: float | None = None
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
        return tuple(a for a in self.attempts if a.error is not None and a.backend != self.backend)

    def metadata(self) -> dict[str, Any]:
        """Everything but the answer itself, as plain JSON values: what frameworks keep beside an answer.

        ``cost_usd`` is a string, so that no digit is lost, or None where it is unknown.
        """
        return {
            "model_name": self.model,
            "finish_reason": self.finish_reason,
            "backend": self.backend,
            "degraded": self.degraded,
            "confidence": self.confidence,
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
    adjustments: tuple[str, ...] = ()
    last: bool = False
    reply: Reply | None = None
