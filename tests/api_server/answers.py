"""The answers, made by a fixed rule from the request alone: no model, no state, no chance.

An ordinary answer lists what arrived, leaving out what did not:

    question: <last user text> | system: <text> | tool result: <text> | image 1: JPEG 336x336 mean #7a7468

The question is the last user message, not counting one that shows the pictures of tools' results (see
`ChatRequest.turns`). An empty system message shows as "(empty)". Further choices (`n`) end in " #2", " #3".
Where tools are given the answer may be tool calls (`tools`); where the prompt describes tools, it may be a
text that names one (`text_protocol`). Where `response_format` asks for JSON, or the prompt holds a JSON
schema, it is JSON for that schema (`schemas`); `json_object` without a schema gives an object whose keys are
the quoted words of the question. `reasoning_effort` adds reasoning on a model that reasons.

`stop` and the token limit then cut the text as a service would, JSON and tool arguments included.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from tests.api_server import tokens
from tests.api_server.contract import ChatRequest, CompletionRequest, ResponseFormat
from tests.api_server.images import ReceivedImage
from tests.api_server.schemas import Mentions, value_for
from tests.api_server.served_models import ServedModel
from tests.api_server.text_protocol import next_step
from tests.api_server.tools import CalledTool, called_tools

_TEMPLATE = re.compile(r"(?:SYSTEM:(?P<system>.*?))?USER:(?P<user>.*?)(?:ASSISTANT:|$)", re.DOTALL)
_KEY = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice of a reply, before it is written as JSON or as a stream."""

    text: str | None
    finish_reason: Literal["stop", "length", "tool_calls"] = "stop"
    tool_calls: tuple[CalledTool, ...] = ()
    reasoning: str | None = None

    @property
    def tokens(self) -> int:
        """The completion tokens, those of the reasoning included."""
        calls = sum(tokens.count(f"{call.name} {call.arguments}") for call in self.tool_calls)
        return tokens.count(self.text or "") + calls + tokens.count(self.reasoning or "")


def chat_answers(
    request: ChatRequest,
    images: Sequence[ReceivedImage],
    model: ServedModel,
    limit: int,
) -> list[Answer]:
    """As many answers as the request asks for with `n`."""
    question = next((message.text for turn, message in reversed(request.turns) if turn == "user"), "")
    reasoning = None
    if model.reasoning and request.reasoning_effort not in {None, "none"}:
        reasoning = f"The question has {tokens.count(question)} tokens and {len(images)} images."
    calls = called_tools(request, question, images)
    if calls:
        return [_calling(calls, reasoning, limit)] * (request.n or 1)
    text = (
        next_step(request, images)
        or _structured(request, question, images)
        or _ordinary(
            question,
            [message.text or "(empty)" for message in request.messages if message.role == "system"],
            _tool_results(request),
            images,
        )
    )
    return [_saying(text, number, request, reasoning, limit) for number in range(request.n or 1)]


def completion_answers(
    request: CompletionRequest,
    images: Sequence[ReceivedImage],
    limit: int,
) -> list[Answer]:
    """The answers to a prompt; its SYSTEM and USER parts are told apart where it follows the template."""
    match = _TEMPLATE.search(request.prompt)
    question, system = (match["user"], match["system"] or "") if match else (request.prompt, "")
    question, system = question.replace("<image>", "").strip(), system.strip()
    text = _formatted(request.response_format, Mentions(question, images)) or _ordinary(
        question,
        [system] if system else [],
        [],
        images,
    )
    return [_saying(text, number, request, None, limit) for number in range(request.n or 1)]


def pieces(text: str) -> list[str]:
    """The text in words, each with the space before it: what a stream sends one by one."""
    return re.findall(r"\s*\S+|\s+$", text)


def _ordinary(
    question: str,
    systems: Sequence[str],
    tool_results: Sequence[str],
    images: Sequence[ReceivedImage],
) -> str:
    parts = [f"question: {question}"]
    parts += [f"system: {system}" for system in systems]
    parts += [f"tool result: {result}" for result in tool_results]
    parts += [f"image {number}: {image!r}" for number, image in enumerate(images, start=1)]
    return " | ".join(parts)


def _tool_results(request: ChatRequest) -> list[str]:
    """The tool messages since the last question."""
    results: list[str] = []
    for turn, message in request.turns:
        if turn == "user":
            results.clear()
        elif message.role == "tool":
            results.append(message.text)
    return results


def _structured(request: ChatRequest, question: str, images: Sequence[ReceivedImage]) -> str | None:
    """JSON for the schema that the request or its text holds."""
    if request.response_format is not None:
        return _formatted(request.response_format, Mentions(question, images))
    for text in [question, *(message.text for message in request.messages if message.role == "system")]:
        schema, rest = _schema_in(text)
        if schema is not None:
            return _json(value_for(schema, Mentions(rest if text is question else question, images)))
    return None


def _formatted(response_format: ResponseFormat | None, mentions: Mentions) -> str | None:
    if response_format is None or response_format.type in {"text", "grammar"}:
        return None
    if response_format.json_schema is not None:
        return _json(value_for(response_format.json_schema.schema_, mentions))
    if response_format.schema_ is not None:
        return _json(value_for(response_format.schema_, mentions))
    keys = [word for word in mentions.quoted if _KEY.fullmatch(word)] or ["answer"]
    return _json(dict.fromkeys(keys, mentions.text))


def _schema_in(text: str) -> tuple[Mapping[str, Any] | None, str]:
    """The last JSON object with properties in a text, and the text without it."""
    decoder = json.JSONDecoder()
    found: tuple[Mapping[str, Any] | None, str] = (None, text)
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except ValueError:
            end = position + 1
        else:
            if "properties" in value:
                found = (value, text[:position] + text[end:])
        position = text.find("{", end)
    return found


def _saying(
    text: str,
    number: int,
    request: ChatRequest | CompletionRequest,
    reasoning: str | None,
    limit: int,
) -> Answer:
    if number:
        text = f"{text} #{number + 1}"
    starts = [text.find(stop) for stop in request.stops if stop in text]
    if starts:
        text = text[: min(starts)]
    kept = tokens.cut(text, limit)
    return Answer(kept, "stop" if kept == text else "length", reasoning=reasoning)


def _calling(calls: Sequence[CalledTool], reasoning: str | None, limit: int) -> Answer:
    """Tool calls; the limit holds for each call's arguments."""
    kept = tuple(CalledTool(call.id, call.name, tokens.cut(call.arguments, limit)) for call in calls)
    return Answer(None, "tool_calls" if kept == tuple(calls) else "length", kept, reasoning)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
