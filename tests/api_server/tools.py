"""Which tools an answer calls, with which arguments: a rule over the request, no judgement.

With tool_choice `auto` (or none given) the request is answered by tool calls unless it ends with a tool's
result or the question says "without tools"; `any` and `required` always call; a named choice calls that
tool.

Called are the tools the question mentions by name, one call per mention in order (only the first under
`parallel_tool_calls: false`); else the tool that shares most words with the question; else the first. When
`any` or `required` meet tool results, the tools that have already been called are passed over.

Arguments follow the tool's schema (`schemas`) from what the question says between one mention and the next.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tests.api_server.contract import ChatRequest, FunctionDefinition, NamedToolChoice
from tests.api_server.images import ReceivedImage
from tests.api_server.schemas import Mentions, value_for

_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}")


@dataclass(frozen=True, slots=True)
class CalledTool:
    """One call of the answer; `arguments` is JSON as text."""

    id: str
    name: str
    arguments: str


def called_tools(
    request: ChatRequest, question: str, images: Sequence[ReceivedImage]
) -> tuple[CalledTool, ...]:
    """The calls that answer the request; none where it is answered by text."""
    functions = _candidates(request, question)
    if not functions:
        return ()
    calls = []
    for number, (function, words) in enumerate(_chosen(functions, question)):
        mentions = Mentions(words, images)
        if mentions.nothing:
            mentions = Mentions(question, images)
        arguments = value_for(function.parameters or {"type": "object"}, mentions)
        call_id = f"call_{len(request.messages)}_{number}"
        calls.append(CalledTool(call_id, function.name, orjson.dumps(arguments).decode()))
    return tuple(calls[:1] if request.parallel_tool_calls is False else calls)


def _candidates(request: ChatRequest, question: str) -> list[FunctionDefinition]:
    functions = [tool.function for tool in request.tools or []]
    choice = request.tool_choice or "auto"
    if isinstance(choice, NamedToolChoice):
        return [function for function in functions if function.name == choice.function.name]
    answered = request.turns[-1][0] == "tool"
    if choice == "none" or (choice == "auto" and (answered or "without tools" in question.lower())):
        return []
    if answered:
        called = _called_since_the_question(request)
        return [function for function in functions if function.name not in called] or functions[-1:]
    return functions


def _called_since_the_question(request: ChatRequest) -> set[str]:
    called: set[str] = set()
    for turn, message in request.turns:
        if turn == "user":
            called.clear()
        called |= {call.function.name for call in message.tool_calls or []}
    return called


def _chosen(functions: Sequence[FunctionDefinition], question: str) -> list[tuple[FunctionDefinition, str]]:
    """Each function to call, with the words its arguments come from."""
    names = {function.name: function for function in functions}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    mentions = list(re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", question))
    if mentions:
        ends = [*(mention.start() for mention in mentions[1:]), len(question)]
        return [
            (names[mention[0]], question[mention.end() : end])
            for mention, end in zip(mentions, ends, strict=True)
        ]
    asked = {word.lower() for word in _WORD.findall(question)}
    shared = [len(asked & {word.lower() for word in _WORD.findall(name)}) for name in names]
    return [(functions[shared.index(max(shared))], question)]
