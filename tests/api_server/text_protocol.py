"""Tools for models that call none: the prompt describes them, and the answer says in text which to use.

This is the ReAct pattern as agent frameworks write it. A system message lists tools as ``> Tool Name: …``
with ``Tool Args: {JSON schema}`` and asks for lines of ``Thought:``, ``Action:`` and ``Action Input:``. The
answer names a tool and its arguments, those that the rule in `tools` finds for the question, unless that says
"without tools". Once the conversation ends with an ``Observation:``, what a tool said, the answer is

    Thought: …
    Answer: question: <last user text> | tool result: <the observation>
"""

import json
import re
from collections.abc import Sequence

from tests.api_server.contract import ChatRequest, FunctionDefinition, Tool
from tests.api_server.images import ReceivedImage
from tests.api_server.tools import called_tools

_TOOL = re.compile(r"^> Tool Name: (\S+)$.*?^Tool Args: (\{.*?\})$", re.MULTILINE | re.DOTALL)
_OBSERVATION = "Observation:"


def next_step(request: ChatRequest, images: Sequence[ReceivedImage]) -> str | None:
    """The answer to a prompt that describes tools; None where it describes none."""
    tools = _described(request)
    if not tools:
        return None
    texts = [message.text for message in request.messages if message.role == "user"]
    question = next((text for text in reversed(texts) if not text.startswith(_OBSERVATION)), "")
    last = request.messages[-1].text
    if last.startswith(_OBSERVATION):
        result = last.removeprefix(_OBSERVATION).strip()
        return f"Thought: I know enough.\nAnswer: question: {question} | tool result: {result}"
    calls = called_tools(request.model_copy(update={"tools": tools}), question, images)
    if not calls:
        return f"Thought: I need no tool.\nAnswer: question: {question}"
    return f"Thought: I need a tool.\nAction: {calls[0].name}\nAction Input: {calls[0].arguments}"


def _described(request: ChatRequest) -> list[Tool]:
    if request.tools:
        return []
    return [
        Tool(type="function", function=FunctionDefinition(name=name, parameters=json.loads(schema)))
        for message in request.messages
        if message.role == "system" and "Action Input:" in message.text
        for name, schema in _TOOL.findall(message.text)
    ]
