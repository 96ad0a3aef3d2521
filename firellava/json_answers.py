"""Answers in the form of a JSON schema from models that can only be asked for it in words.

Such a model writes around the JSON what people write: an introduction, a code fence, a remark. What counts is
the JSON in its answer. All functions are pure.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["json_begun_in", "json_in", "json_texts_in", "schema_instruction"]

_INSTRUCTION: Final = (
    "Answer with one JSON {kind} and nothing else, without an explanation before or after it. "
    "It must be valid under this JSON schema:\n{schema}"
)
# What JSON begins with, as against a bracket in a sentence.
_BEGINNING: Final = re.compile(r'\{\s*(?:["}]|\Z)|\[\s*(?:["{\[\]\-0-9tfn]|\Z)')
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)', re.DOTALL)
_TOKEN: Final = re.compile(_STRING.pattern + r"|[{}\[\]]", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")


def schema_instruction(schema: Mapping[str, Any]) -> str:
    """What to tell a model, so that it answers in the form of a schema."""
    kind = "array" if schema.get("type") == "array" else "object"
    return _INSTRUCTION.format(kind=kind, schema=json.dumps(schema, ensure_ascii=False))


def json_in(text: str, *, array: bool = False) -> Any:  # noqa: ANN401 - a JSON value
    """The JSON object in an answer, or the array where one was asked for.

    Of several the last one counts: a model may repeat the schema, or think aloud, before it answers.

    Raises:
        ValueError: there is none that is whole.
    """
    found = json_texts_in(text, array=array)
    if not found:
        raise ValueError("There is no whole JSON in it.")
    return json.loads(found[-1])


def json_texts_in(text: str, *, array: bool = False) -> list[str]:
    """The JSON objects in an answer, or the arrays, in their order and none inside of another.

    They are as the model wrote them, but for line ends inside of strings, which are written as JSON has it.
    """
    found = []
    for start, end in _candidates(text, "[" if array else "{"):
        written = _escaped(text[start:end])
        with suppress(ValueError, RecursionError):
            json.loads(written)
            found.append(written)
    return found


def json_begun_in(text: str, *, array: bool = False) -> str | None:
    """The JSON that a part of an answer has come to, perhaps without its end; None before it begins."""
    begun = None
    for start, end in _candidates(text, "[" if array else "{"):
        begun = _escaped(text[start:end])
    return begun


def _escaped(written: str) -> str:
    """JSON whose strings hold no line ends and the like; models write them as they stand."""
    return _STRING.sub(lambda string: _CONTROL.sub(_escape, string[0]), written)


def _escape(control: re.Match[str]) -> str:
    return f"\\u{ord(control[0]):04x}"


def _candidates(text: str, opening: str) -> Iterator[tuple[int, int | None]]:
    """Where JSON seems to begin and end, none inside of another; the end is None where it has not come."""
    position = text.find(opening)
    while position >= 0:
        end: int | None = position + 1
        if _BEGINNING.match(text, position):
            end = _end(text, position)
            yield position, end
        if end is None:
            return
        position = text.find(opening, end)


def _end(text: str, start: int) -> int | None:
    """Behind the bracket that closes the one at `start`; brackets inside of strings do not count."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
        if depth == 0:
            return token.end()
    return None
