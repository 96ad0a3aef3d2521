"""The request bodies the API accepts, as pydantic models: unknown keys are refused at every level.

Keys, types and ranges follow the API's documentation. Types are strict: "0.5" is no temperature.
"""

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from tests.api_server.validation import TAG


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TextPart(_Strict):
    """`{"type": "text", "text": ...}`"""

    type: Literal["text"]
    text: str


class ImageUrl(_Strict):
    """`{"url": ..., "detail"?: ...}`: the object form only."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(_Strict):
    """`{"type": "image_url", "image_url": {...}}`"""

    type: Literal["image_url"]
    image_url: ImageUrl


def _part_tag(part: Any) -> str | None:
    kind = part.get("type") if isinstance(part, dict) else None
    return f"{TAG}{kind}"


def _shape_tag(value: Any) -> str:
    return f"{TAG}{type(value).__name__}"


_BY_SHAPE = Discriminator(
    _shape_tag,
    custom_error_type="wrong_type",
    custom_error_message="Input has the wrong type",
)
_Null = Annotated[None, Tag(f"{TAG}NoneType")]

Part = Annotated[
    Annotated[TextPart, Tag(f"{TAG}text")] | Annotated[ImagePart, Tag(f"{TAG}image_url")],
    Discriminator(
        _part_tag,
        custom_error_type="unknown_part",
        custom_error_message="Content part types are 'text' and 'image_url'",
    ),
]
Content = Annotated[
    Annotated[str, Tag(f"{TAG}str")] | Annotated[Annotated[list[Part], MinLen(1)], Tag(f"{TAG}list")] | _Null,
    _BY_SHAPE,
]


class CalledFunction(_Strict):
    """What an earlier reply called: `arguments` is JSON as text."""

    name: str
    arguments: str


class ToolCall(_Strict):
    """A tool call of an earlier reply."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class Message(_Strict):
    """One message; which keys may be set depends on the role."""

    role: Literal["system", "user", "assistant", "tool"]
    content: Content = None
    reasoning_content: str | None = None
    tool_call_id: str | None = None
    tool_calls: Annotated[list[ToolCall], MinLen(1)] | None = None

    @model_validator(mode="after")
    def _keys_fit_the_role(self) -> Self:
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content may be null only on an assistant message with tool_calls")
        if self.role != "assistant" and (self.tool_calls or self.reasoning_content is not None):
            raise ValueError("tool_calls and reasoning_content belong to assistant messages")
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError("tool_call_id belongs to tool messages, which need it")
        return self

    @property
    def text(self) -> str:
        """The text parts, one a line."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if isinstance(part, TextPart))
        return self.content or ""

    @property
    def image_urls(self) -> list[str]:
        """The URLs of the image parts, in order."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url.url for part in parts if isinstance(part, ImagePart)]


class FunctionDefinition(_Strict):
    """A function a model may call; `parameters` is a JSON schema."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(_Strict):
    """`{"type": "function", "function": {...}}`"""

    type: Literal["function"]
    function: FunctionDefinition


class FunctionName(_Strict):
    """The function a request insists on."""

    name: str


class NamedToolChoice(_Strict):
    """`{"type": "function", "function": {"name": ...}}`"""

    type: Literal["function"]
    function: FunctionName


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "any", "required"], Tag(f"{TAG}str")]
    | Annotated[NamedToolChoice, Tag(f"{TAG}dict")]
    | _Null,
    _BY_SHAPE,
]


class NamedSchema(_Strict):
    """The value of `response_format.json_schema`."""

    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(_Strict):
    """text, json_object (with an optional schema), json_schema, or grammar."""

    type: Literal["text", "json_object", "json_schema", "grammar"]
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    json_schema: NamedSchema | None = None
    grammar: str | None = None

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema belongs to type json_schema, which needs it")
        if (self.type == "grammar") != (self.grammar is not None):
            raise ValueError("grammar belongs to type grammar, which needs it")
        if self.schema_ is not None and self.type != "json_object":
            raise ValueError("schema belongs to type json_object")
        return self


class StreamOptions(_Strict):
    """`{"include_usage": true}`"""

    include_usage: bool | None = None


Stop = Annotated[
    Annotated[str, Tag(f"{TAG}str")] | Annotated[Annotated[list[str], MaxLen(4)], Tag(f"{TAG}list")] | _Null,
    _BY_SHAPE,
]
Logprobs = Annotated[
    Annotated[bool, Tag(f"{TAG}bool")] | Annotated[Annotated[int, Ge(0), Le(5)], Tag(f"{TAG}int")] | _Null,
    _BY_SHAPE,
]


class _Sampling(_Strict):
    """The parameters both endpoints share."""

    model: str
    temperature: Annotated[float, Ge(0), Le(2)] | None = None
    top_p: Annotated[float, Ge(0), Le(1)] | None = None
    top_k: Annotated[int, Ge(0), Le(100)] | None = None
    min_p: Annotated[float, Ge(0), Le(1)] | None = None
    max_tokens: Annotated[int, Ge(1)] | None = None
    stop: Stop = None
    n: Annotated[int, Ge(1), Le(128)] | None = None
    seed: int | None = None
    logprobs: Logprobs = None
    top_logprobs: Annotated[int, Ge(0), Le(5)] | None = None
    frequency_penalty: Annotated[float, Ge(-2), Le(2)] | None = None
    presence_penalty: Annotated[float, Ge(-2), Le(2)] | None = None
    repetition_penalty: Annotated[float, Ge(0), Le(2)] | None = None
    logit_bias: dict[str, float] | None = None
    response_format: ResponseFormat | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    reasoning_effort: Literal["none", "low", "medium", "high", "xhigh", "max"] | None = None
    context_length_exceeded_behavior: Literal["truncate", "error"] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "default", "priority"] | None = None
    perf_metrics_in_response: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    ignore_eos: bool | None = None
    raw_output: bool | None = None

    @property
    def stops(self) -> list[str]:
        """The stop sequences as a list."""
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or [])


class ChatRequest(_Sampling):
    """The body of POST /chat/completions."""

    messages: Annotated[list[Message], MinLen(1)]
    max_completion_tokens: Annotated[int, Ge(1)] | None = None
    tools: Annotated[list[Tool], MinLen(1)] | None = None
    tool_choice: ToolChoice = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _tool_messages_answer_calls(self) -> Self:
        called: set[str] = set()
        for message in self.messages:
            called |= {call.id for call in message.tool_calls or []}
            if message.tool_call_id is not None and message.tool_call_id not in called:
                raise ValueError(f"tool_call_id {message.tool_call_id!r} answers no earlier tool call")
        return self

    @model_validator(mode="after")
    def _the_chosen_tool_is_given(self) -> Self:
        names = {tool.function.name for tool in self.tools or []}
        if self.tool_choice not in {None, "none", "auto"} and not names:
            raise ValueError("tool_choice needs tools")
        if isinstance(self.tool_choice, NamedToolChoice) and self.tool_choice.function.name not in names:
            raise ValueError(f"tool_choice names {self.tool_choice.function.name!r}, which is not in tools")
        return self

    @property
    def turns(self) -> list[tuple[str, Message]]:
        """The messages and whose turn each is.

        A user message with images right behind tool messages belongs to what the tools gave: it is how the
        API is shown pictures of tools by clients that send none in tool messages.
        """
        turns: list[tuple[str, Message]] = []
        for message in self.messages:
            shows = message.role == "user" and message.image_urls and turns and turns[-1][0] == "tool"
            turns.append(("tool" if shows else message.role, message))
        return turns

    @property
    def image_urls(self) -> list[str]:
        """All images of all messages, in order."""
        return [url for message in self.messages for url in message.image_urls]


class CompletionRequest(_Sampling):
    """The body of POST /completions: an image for each `<image>` in the prompt."""

    prompt: str
    images: list[str] | None = None

    @model_validator(mode="after")
    def _an_image_for_each_token(self) -> Self:
        tokens, images = self.prompt.count("<image>"), len(self.images or [])
        if tokens != images:
            raise ValueError(
                f"the number of <image> tokens in the prompt ({tokens}) "
                f"must equal the number of images ({images})",
            )
        return self

    @property
    def image_urls(self) -> list[str]:
        """The images in the order of their tokens."""
        return self.images or []
