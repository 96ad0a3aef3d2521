"""Replies in the API's JSON: whole ones here, streamed ones in `streaming`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.api_server.answers import Answer, pieces
from tests.api_server.usage import Usage, UsagePlacement

# Every token is this likely; the number means nothing but can be recognised.
LOGPROB = -0.25
PERFORMANCE = {"server-time-to-first-token": "0.010", "server-processing-time": "0.020"}


@dataclass(frozen=True, slots=True)
class Reply:
    """All that a reply is written from, whole or streamed.

    `logprobs` is what the request asked for: True gives the form with `content`, a number the older form.
    """

    id: str
    created: int
    model: str
    answers: Sequence[Answer]
    usage: Usage
    placement: UsagePlacement
    include_usage: bool = False
    logprobs: bool | int | None = None
    top_logprobs: int = 0
    performance: bool = False

    def envelope(self, kind: str) -> dict[str, Any]:
        """The keys that every body and every chunk begins with."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def chat_body(reply: Reply) -> dict[str, Any]:
    """The body of an unstreamed chat reply."""
    choices = [
        {
            "index": index,
            "message": _message(answer),
            "finish_reason": answer.finish_reason,
            **logprobs_of(reply, answer.text or ""),
        }
        for index, answer in enumerate(reply.answers)
    ]
    return _with_totals(reply, {**reply.envelope("chat.completion"), "choices": choices})


def completion_body(reply: Reply) -> dict[str, Any]:
    """The body of an unstreamed completion."""
    choices = [
        {
            "index": index,
            "text": answer.text,
            "finish_reason": answer.finish_reason,
            **logprobs_of(reply, answer.text or ""),
        }
        for index, answer in enumerate(reply.answers)
    ]
    return _with_totals(reply, {**reply.envelope("text_completion"), "choices": choices})


def logprobs_of(reply: Reply, text: str) -> dict[str, Any]:
    """The choice's `logprobs`, where they were asked for, word by word."""
    words = pieces(text)
    if reply.logprobs is None or reply.logprobs is False:
        return {}
    if reply.logprobs is not True:
        return {
            "logprobs": {
                "tokens": words,
                "token_logprobs": [LOGPROB] * len(words),
                "top_logprobs": [{word: LOGPROB} for word in words],
                "text_offset": [sum(map(len, words[:number])) for number in range(len(words))],
            },
        }
    entries = [{"token": word, "logprob": LOGPROB, "bytes": list(word.encode())} for word in words]
    return {
        "logprobs": {
            "content": [{**entry, "top_logprobs": [entry][: reply.top_logprobs]} for entry in entries]
        },
    }


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.reasoning is not None:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tool_calls
        ]
    return message


def _with_totals(reply: Reply, body: dict[str, Any]) -> dict[str, Any]:
    if reply.placement is not UsagePlacement.NEVER:
        body["usage"] = reply.usage.body()
    if reply.performance:
        body["perf_metrics"] = PERFORMANCE
    return body
