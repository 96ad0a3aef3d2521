"""The values of a request: messages, their parts, what steers generation. The way back is in `replies`.

All of them are frozen, so they can be shared between threads, compared and pickled. A framework adapter
builds a `Request` and reads a `Reply`; a backend does the reverse; nothing here knows any JSON key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - pydantic reads annotations at run time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firellava.errors import InvalidRequest
from firellava.validation import explain

if TYPE_CHECKING:
    from firellava.images.source import ImageSource
    from firellava.models import Fit

__all__ = [
    "Detail",
    "ImagePart",
    "Message",
    "Parameters",
    "Part",
    "Request",
    "Role",
    "TextPart",
    "ToolCall",
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


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a vision-language model, the same for every backend.

    Attributes:
        messages: the conversation, oldest first.
        parameters: what steers generation.
        stream: whether the reply is wanted piece by piece.
        completion: whether this is a prompt for the completions API: a single user message whose image
            parts stand where the prompt had its ``<image>`` tokens.
        adjustments: what was done to the conversation's images before any backend was asked, a line each.
        fit: how its images are made to fit, where neither the client nor the model card is to decide.
    """

    messages: tuple[Message, ...]
    parameters: Parameters = field(default_factory=Parameters)
    stream: bool = False
    completion: bool = False
    adjustments: tuple[str, ...] = ()
    fit: Fit | None = None

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """All images of the conversation in order."""
        return tuple(image for message in self.messages for image in message.images)
