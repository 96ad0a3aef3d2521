"""Conversations as the chat completions endpoint takes them."""

import json
from typing import Any

import pytest

from firellava import Message
from firellava.errors import InvalidRequest
from firellava.messages import Request, ToolCall
from firellava.models import model_card
from firellava.wire.chat import encode


def encoded(*messages: Message) -> list[dict[str, Any]]:
    body = encode(Request(messages), "m", model_card("qwen3p8-max"), ())
    told: list[dict[str, Any]] = json.loads(body)["messages"]
    return told


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("", "{}"),
        ('{"a": ', '{"invalid_arguments": "{\\"a\\": "}'),
        ("[1]", '{"invalid_arguments": "[1]"}'),
        ('{"a": NaN}', '{"invalid_arguments": "{\\"a\\": NaN}"}'),
        ("größer", '{"invalid_arguments": "größer"}'),
    ],
)
def test_arguments_of_a_tool_call_are_sent_as_the_json_of_an_object(written: str, sent: str) -> None:
    (message,) = encoded(Message("assistant", tool_calls=(ToolCall("1", "look", written),)))
    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": sent}


def test_arguments_that_are_no_text_of_unicode_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        encoded(Message("assistant", tool_calls=(ToolCall("1", "look", "\ud800"),)))
