"""Tool calls and their results where they stand as content blocks, in the shapes of several services.

LangChain keeps calls beside a message's content, and results in messages of their own. Histories that were
written for one service have them inside the content.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from firellava.errors import InvalidRequest
from firellava.messages import Message, ToolCall
from langchain_firellava.translation.content import to_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["calls_in", "results_in", "to_tool_call"]

# Where each kind of block says id, name and arguments: LangChain's, Anthropic's, OpenAI's and Google's.
_CALLS = {
    "tool_call": (("id",), "name", ("args",)),
    "invalid_tool_call": (("id",), "name", ("args",)),
    "tool_use": (("id",), "name", ("input",)),
    "function_call": (("call_id", "id"), "name", ("arguments", "args")),
    "toolUse": (("toolUseId",), "name", ("input",)),
}
_RESULTS = {"tool_result": "tool_use_id", "toolResult": "toolUseId"}


def calls_in(content: str | Sequence[Any]) -> list[ToolCall]:
    """The tool calls among the blocks of an assistant message."""
    found = []
    for kind, block in _named(content):
        if kind in _CALLS:
            ids, name, arguments = _CALLS[kind]
            found.append(to_tool_call(_first(block, ids), block.get(name), _first(block, arguments)))
    return found


def results_in(content: str | Sequence[Any]) -> tuple[list[Message], str | list[Any]]:
    """The results of tools among the blocks of a user message, as messages; and the other blocks.

    Raises:
        InvalidRequest: a result does not say which call it answers, or holds what the API does not take.
        ImageError: an image in a result is damaged.
    """
    if isinstance(content, str):
        return [], content
    results, rest = [], []
    for block in content:
        ((kind, inner),) = _named([block]) or [("", {})]
        if kind not in _RESULTS:
            rest.append(block)
            continue
        call = inner.get(_RESULTS[kind])
        if not isinstance(call, str):
            raise InvalidRequest(f"A {kind} block does not say which call it answers: {_RESULTS[kind]}.")
        results.append(Message("tool", to_parts(inner.get("content") or ""), tool_call_id=call))
    return results, rest


def to_tool_call(call: Any, name: Any, arguments: Any) -> ToolCall:  # noqa: ANN401 - as blocks have them
    """A call for the core; arguments that are text already stay as they were written.

    Raises:
        InvalidRequest: the arguments cannot be written as JSON.
    """
    try:
        written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"The arguments of a call of {name} are no JSON: {error}.") from None
    return ToolCall(str(call or ""), str(name or ""), written)


def _named(content: str | Sequence[Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The blocks that are dicts, each with its kind; those of Converse are named by their only key."""
    named: list[tuple[str, Mapping[str, Any]]] = []
    for block in () if isinstance(content, str) else content:
        if not isinstance(block, dict) or not block:
            continue
        if "type" in block:
            named.append((str(block["type"]), block))
            continue
        kind, inner = next(iter(block.items()))
        named.append((str(kind), inner if isinstance(inner, dict) else {}))
    return named


def _first(block: Mapping[str, Any], keys: Sequence[str]) -> Any:  # noqa: ANN401 - as blocks have them
    return next((block[key] for key in keys if block.get(key)), None)
