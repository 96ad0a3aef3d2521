"""Answers in the form of a pydantic model: what is asked of the model, and how its answer is read.

LlamaIndex asks through "programs" of its own. They write the braces of a schema twice into the prompt, forget
the system prompt in asynchronous calls, let the model choose in streams whether to answer in the form at all,
and end a stream with whatever could be read of it. So `FireLLaVA` asks by itself, in the best of three ways
that its model card says the model can do; every answer is checked, in streams too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program.utils import create_flexible_model
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, TypeAdapter, ValidationError

from firellava.errors import UnreadableReply, UnsupportedCapability
from firellava.json_answers import json_begun_in, json_texts_in, schema_instruction
from firellava.validation import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llama_index.core.base.llms.types import ChatResponse

    from firellava.models import Capabilities

__all__ = [
    "PartialAnswers",
    "SchemaParser",
    "StructureMissed",
    "Way",
    "answer_of",
    "ask_for",
    "read_answer",
    "way_to_ask",
]

_Model = TypeVar("_Model", bound=BaseModel)

Way = Literal["tool", "schema", "prompt"]
"""How a model is made to answer in a form: by calling a tool that takes it, held to a JSON schema by its
server, or told so in the prompt."""

_ANYTHING: Final = TypeAdapter[object](object)
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME: Final = 64


class StructureMissed(UnreadableReply, ValueError):
    """The model answered, and not in the form that was asked for.

    Attributes:
        answer: what it answered.
    """

    may_be_billed = True

    def __init__(self, message: str, answer: str = "") -> None:
        super().__init__(message)
        self.answer = answer


class SchemaParser(PydanticOutputParser[_Model]):
    """For LlamaIndex's programs: asks for a pydantic model as `FireLLaVA` does, and reads the answer.

        program = MultiModalLLMCompletionProgram.from_defaults(
            output_parser=SchemaParser(Receipt), prompt_template_str="Read it.", multi_modal_llm=llm,
            image_documents=[ImageBlock(path="receipt.jpg")],
        )

    LlamaIndex's own parser, which such a program makes by itself, doubles every brace of the schema.
    """

    def format(self, query: str) -> str:
        """The query and, after it, what the answer is to look like."""
        return "\n\n".join(part for part in (query, _instruction(self.output_cls)) if part)

    def parse(self, text: str) -> _Model:
        """The answer, found in the text around it.

        Raises:
            StructureMissed: there is none that fits.
        """
        return read_answer(text, self.output_cls)


def way_to_ask(mode: PydanticProgramMode, can: Capabilities, model: str) -> Way | None:
    """How `model` is asked for answers in a form; None where only a program of LlamaIndex's own knows.

    Args:
        mode: what the LLM is set to: ``DEFAULT`` takes the best way there is, ``FUNCTION`` insists on tools,
            ``LLM`` on the prompt.
        can: what the model card says.
        model: the name for errors.

    Raises:
        UnsupportedCapability: tools are insisted on, and the model calls none.
    """
    if mode is PydanticProgramMode.DEFAULT:
        return "tool" if can.tools else "schema" if can.json_schema else "prompt"
    if mode is PydanticProgramMode.FUNCTION:
        if not can.tools:
            raise UnsupportedCapability(
                f"{model} calls no tools, so it cannot answer in a form with "
                "pydantic_program_mode='function': leave that at its default."
            )
        return "tool"
    return "prompt" if mode is PydanticProgramMode.LLM else None


def ask_for(
    output_cls: type[BaseModel], messages: Sequence[ChatMessage], way: Way
) -> tuple[list[ChatMessage], dict[str, Any]]:
    """The conversation and the parameters with which a model answers in the form of `output_cls`."""
    schema = output_cls.model_json_schema()
    name = _NOT_IN_NAMES.sub("_", schema.get("title", output_cls.__name__))[:_LONGEST_NAME]
    if way == "tool":
        function = {
            "name": name,
            "description": schema.get("description") or f"Takes the answer: one {name}.",
            "parameters": schema,
        }
        tools = [{"type": "function", "function": function}]
        return list(messages), {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False}
    if way == "schema":
        named = {"name": name, "schema": schema}
        return list(messages), {"response_format": {"type": "json_schema", "json_schema": named}}
    return _instructed(messages, _instruction(output_cls)), {}


def answer_of(response: ChatResponse) -> str:
    """What a model answered: what it handed to a tool, or its text."""
    for block in response.message.blocks:
        if isinstance(block, ToolCallBlock):
            given = block.tool_kwargs
            return given if isinstance(given, str) else json.dumps(given)
    return response.message.content or ""


def read_answer(text: str, output_cls: type[_Model]) -> _Model:
    """An answer in the form that was asked for, checked.

    Models write fences and words around it, repeat the schema or think aloud before it: of the values that
    fit, the last one is the answer.

    Raises:
        StructureMissed: there is none.
    """
    problem = ""
    for candidate in _candidates(text, output_cls):
        try:
            return output_cls.model_validate_json(candidate)
        except ValidationError as error:
            if not problem and error.errors(include_url=False)[0]["type"] != "json_invalid":
                problem = explain(error)
    raise StructureMissed(
        f"The model's answer is no {output_cls.__name__}: {problem or 'it holds no whole JSON value'}. "
        "What it wrote is in the error's answer attribute.",
        text,
    )


class PartialAnswers:
    """The answers in a stream while it grows.

    As long as fields are missing or wrong they are LlamaIndex's "flexible" models: with the same fields, None
    where nothing came yet. The last one is checked.

    Args:
        output_cls: the form that was asked for.
    """

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._is_array = _is_array(output_cls.model_json_schema())
        self._flexible = create_flexible_model(output_cls)
        self._said = ""
        self._read: object = None

    def add(self, response: ChatResponse) -> BaseModel | None:
        """Take the next response in; what it changed comes out, if anything."""
        self._said = answer_of(response)
        value = _value_so_far(self._said, array=self._is_array)
        if value is None or value == self._read:
            return None
        self._read = value
        for form in (self._output_cls, self._flexible):
            try:
                return form.model_validate(value)
            except ValidationError:
                continue
        return None

    def last(self) -> BaseModel:
        """The whole answer.

        Raises:
            StructureMissed: it has not the form that was asked for.
        """
        return read_answer(self._said, self._output_cls)


def _instruction(output_cls: type[BaseModel]) -> str:
    return schema_instruction(output_cls.model_json_schema())


def _instructed(messages: Sequence[ChatMessage], instruction: str) -> list[ChatMessage]:
    """The conversation with the instruction after its last question; the caller's own stays as it is."""
    told = list(messages)
    if told and told[-1].role == MessageRole.USER:
        blocks = [*told[-1].blocks, TextBlock(text=instruction)]
        told[-1] = told[-1].model_copy(update={"blocks": blocks})
    else:
        told.append(ChatMessage(role=MessageRole.USER, content=instruction))
    return told


def _candidates(text: str, output_cls: type[BaseModel]) -> Iterator[str]:
    """What may be the answer, the likeliest first: the whole text, then the JSON values in it."""
    yield text
    yield from reversed(json_texts_in(text, array=_is_array(output_cls.model_json_schema())))


def _is_array(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array"


def _value_so_far(text: str, *, array: bool) -> object:
    """The JSON value that a text has come to, as far as it got; None before it begins."""
    begun = json_begun_in(text, array=array)
    if begun is None:
        return None
    try:
        return _ANYTHING.validate_json(begun, experimental_allow_partial="trailing-strings")
    except ValueError:
        return None
