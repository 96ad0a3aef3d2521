"""From a model's answer to the value that was asked for: a pydantic object, or what JSON holds.

Annotations here are read at run time by pydantic, so none hides behind TYPE_CHECKING.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.json import parse_partial_json

from firellava.json_answers import json_begun_in, json_in

__all__ = ["StructuredAnswerParser"]

_LONGEST_QUOTE = 200


class StructuredAnswerParser(BaseTransformOutputParser[Any]):
    """Reads the value out of an answer, and says why where there is none.

    Of a stream it gives what can be read so far, whenever that has become more: for a JSON schema dicts that
    grow, for a pydantic class objects as soon as they are valid. Last comes the whole.

    Attributes:
        model_class: a pydantic class of either version, whose instances are wanted; None for plain values.
        tool: the name of the tool whose arguments are the answer; None where its text is.
        array: the JSON wanted is an array.
        may_call_tools: the model had other tools as well, and an answer that calls them has no value: None.
    """

    model_class: Any = None
    tool: str | None = None
    array: bool = False
    may_call_tools: bool = False

    @property
    def _type(self) -> str:
        return "firellava-structured-answer"

    @property
    def OutputType(self) -> Any:  # noqa: ANN401, N802 - as the base
        """What is read."""
        return self.model_class or Any

    def parse(self, text: str) -> Any:  # noqa: ANN401 - as the base
        """Read a text."""
        return self.parse_result([Generation(text=text)])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:  # noqa: ANN401 - as the base
        """Read an answer.

        Raises:
            OutputParserException: it holds no such value; never where it is `partial`.
        """
        message = _message_of(result[0])
        if partial:
            return self._so_far(message)
        if self.may_call_tools and message.tool_calls and not message.text.strip():
            return None
        try:
            return self._whole(message)
        except ValueError as error:  # as pydantic's are, of both versions, and those of JSON
            told = f"{self._explained(message)} {error}"
            raise OutputParserException(told, llm_output=_said(message)) from error

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002 - as the base
        stream = _Stream(self)
        for piece in input:
            yield from stream.take(piece)
        yield from stream.end()

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:  # noqa: A002
        stream = _Stream(self)
        async for piece in input:
            for value in stream.take(piece):
                yield value
        for value in stream.end():
            yield value

    def _whole(self, message: AIMessage) -> Any:  # noqa: ANN401 - what was asked for
        if self.tool is None:
            return self._validated(json_in(message.text, array=self.array))
        if _is_cut(message):
            raise ValueError("The arguments of its tool call are not whole.")
        arguments = self._arguments(message)
        if arguments is None:
            raise ValueError(f"It did not call {self.tool}.")
        return self._validated(arguments)

    def _so_far(self, message: AIMessage) -> Any:  # noqa: ANN401 - what was asked for
        try:
            if self.tool is not None:
                arguments = self._arguments(message)
                return None if arguments is None else self._validated(arguments)
            begun = json_begun_in(message.text, array=self.array)
            return None if begun is None else self._validated(parse_partial_json(begun))
        except ValueError:
            return None

    def _arguments(self, message: AIMessage) -> Any:  # noqa: ANN401 - what the model wrote
        return next((call["args"] for call in message.tool_calls if call["name"] == self.tool), None)

    def _validated(self, value: Any) -> Any:  # noqa: ANN401 - what the model wrote
        if self.model_class is None:
            return value
        # The first version of pydantic has no model_validate.
        validate = getattr(self.model_class, "model_validate", None) or self.model_class.parse_obj
        return validate(value)

    def _explained(self, message: AIMessage) -> str:
        """Why the answer may be no such value, and what to do."""
        told = message.response_metadata
        if told.get("degraded"):
            return (
                f"{told.get('backend')} answered in the place of the model, and it fills in no schema: ask "
                "again when the model is there, or give a fallback that is a vision-language model."
            )
        if _is_cut(message):
            return "The answer was cut off at its limit of tokens: raise max_tokens=, or ask for less."
        if told.get("finish_reason") == "content_filter":
            return "The service held the answer back (finish_reason content_filter): ask in another way."
        form = "that was asked for" if self.model_class is None else f"of {self.model_class.__name__}"
        said = _said(message)
        quoted = f"{said[:_LONGEST_QUOTE]!r}…" if len(said) > _LONGEST_QUOTE else repr(said)
        return f"The answer has not the form {form}: {quoted}."


class _Stream:
    """What has come of a streamed answer, and what was read of it last."""

    def __init__(self, parser: StructuredAnswerParser) -> None:
        self._parser = parser
        self._whole: Any = None
        self._last: Any = None

    def take(self, piece: str | BaseMessage) -> Iterator[Any]:
        chunk = AIMessageChunk(content=piece) if isinstance(piece, str) else piece
        self._whole = chunk if self._whole is None else self._whole + chunk
        return self._new(partial=True)

    def end(self) -> Iterator[Any]:
        return iter(()) if self._whole is None else self._new(partial=False)

    def _new(self, *, partial: bool) -> Iterator[Any]:
        value = self._parser.parse_result([ChatGeneration(message=self._whole)], partial=partial)
        if value is not None and value != self._last:
            self._last = value
            yield value


def _message_of(generation: Generation) -> AIMessage:
    if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
        return generation.message
    return AIMessage(generation.text)


def _is_cut(message: AIMessage) -> bool:
    return message.response_metadata.get("finish_reason") == "length"


def _said(message: AIMessage) -> str:
    """The answer as text: what was said, or else the arguments of what was called."""
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    return message.text or "; ".join(
        f"{call['name']}({call['args'] if isinstance(call['args'], str) else json.dumps(call['args'])})"
        for call in calls
    )
