"""What LangChain users offer a model as tools, in the API's terms.

The API refuses keys it does not know, and tools written for other services have such keys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from langchain_core.utils.function_calling import convert_to_openai_tool

from firellava.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.tools import BaseTool

__all__ = ["named_schema", "to_tool_schema"]

_KEYS = ("name", "description", "parameters", "strict")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64


def to_tool_schema(
    tool: Mapping[str, Any] | type | Callable[..., Any] | BaseTool, *, strict: bool | None = None
) -> dict[str, Any]:
    """A tool as the API takes it, with no key that the API does not know.

    Args:
        tool: a function, a tool, a pydantic class, a typed dict, a JSON schema with a title, or a tool as
            OpenAI, Anthropic or Bedrock write it.
        strict: hold arguments to the schema; None leaves it as the tool says.

    Raises:
        InvalidRequest: it is none of these, or a tool that only another service has.
    """
    try:
        formatted = convert_to_openai_tool(tool, strict=strict)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"This is no tool: {str(error)[:300]}") from None
    function = formatted.get("function")
    if not isinstance(function, dict) or not function.get("name"):
        kind = formatted.get("type")
        raise InvalidRequest(
            f"A tool of type {kind!r} belongs to another service: the API takes functions, "
            "{'type': 'function', 'function': {'name': …, 'parameters': …}}."
        )
    known = {key: function[key] for key in _KEYS if function.get(key) is not None}
    if strict is not None:
        known["strict"] = strict  # which LangChain leaves out of tools that are OpenAI's already
    return {"type": "function", "function": known}


def named_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema with a title that the API takes as a name; it is ``answer`` where there is none.

    Schemas that are wrapped in a response format are unwrapped.
    """
    inner = schema.get("json_schema", schema)
    if isinstance(inner.get("schema"), dict):
        inner = {"title": inner.get("name") or "answer", **inner["schema"]}
    if "name" in inner or "function" in inner or "toolSpec" in inner:  # a tool, whose name is a name
        return dict(inner)
    title = _NOT_IN_NAMES.sub("_", str(inner.get("title") or "answer"))[:_LONGEST_NAME]
    return {**inner, "title": title}
