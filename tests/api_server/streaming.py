"""Streamed replies: server-sent events, a word or a fragment of tool arguments each, up to `[DONE]`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from tests.api_server.answers import Answer, pieces
from tests.api_server.replies import PERFORMANCE, Reply, logprobs_of
from tests.api_server.usage import UsagePlacement

FRAGMENT_CHARACTERS = 5

_ON_FINISH = {UsagePlacement.FINISH_CHUNK, UsagePlacement.FINISH_AND_TRAILING}


def chat_events(reply: Reply) -> Iterator[bytes]:
    """The events of a streamed chat reply."""
    choices = [
        {
            "index": index,
            "delta": delta,
            "finish_reason": reason,
            **logprobs_of(reply, delta.get("content") or ""),
        }
        for index, answer in enumerate(reply.answers)
        for delta, reason in _deltas(answer)
    ]
    return _events(reply, "chat.completion.chunk", choices)


def completion_events(reply: Reply) -> Iterator[bytes]:
    """The events of a streamed completion."""
    choices = [
        {"index": index, "text": text, "finish_reason": reason, **logprobs_of(reply, text)}
        for index, answer in enumerate(reply.answers)
        for text, reason in [
            *((piece, None) for piece in pieces(answer.text or "")),
            ("", answer.finish_reason),
        ]
    ]
    return _events(reply, "text_completion", choices)


def _deltas(answer: Answer) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The deltas of one choice and, on the last of them, its finish reason."""
    yield {"role": "assistant"}, None
    for piece in pieces(answer.reasoning or ""):
        yield {"reasoning_content": piece}, None
    for piece in pieces(answer.text or ""):
        yield {"content": piece}, None
    for index, call in enumerate(answer.tool_calls):
        opening = {"name": call.name, "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": opening}]}, None
        for start in range(0, len(call.arguments), FRAGMENT_CHARACTERS):
            fragment = {"arguments": call.arguments[start : start + FRAGMENT_CHARACTERS]}
            yield {"tool_calls": [{"index": index, "function": fragment}]}, None
    yield {}, answer.finish_reason


def _events(reply: Reply, kind: str, choices: list[dict[str, Any]]) -> Iterator[bytes]:
    """A chunk for each choice delta, the trailing usage chunk where there is one, and the end mark."""
    envelope = reply.envelope(kind)
    for number, choice in enumerate(choices, start=1):
        last = number == len(choices)
        chunk = {**envelope, "choices": [choice]}
        if reply.placement is UsagePlacement.EVERY_CHUNK:
            so_far = reply.usage.completion * number // len(choices)
            chunk["usage"] = replace(reply.usage, completion=so_far).body()
        elif last and reply.placement in _ON_FINISH:
            chunk["usage"] = reply.usage.body()
        elif reply.include_usage:
            chunk["usage"] = None
        if last and reply.performance:
            chunk["perf_metrics"] = PERFORMANCE
        yield _event(chunk)
    asked = reply.placement is UsagePlacement.TRAILING_CHUNK and reply.include_usage
    if asked or reply.placement is UsagePlacement.FINISH_AND_TRAILING:
        yield _event({**envelope, "choices": [], "usage": reply.usage.body()})
    yield b"data: [DONE]\n\n"


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
