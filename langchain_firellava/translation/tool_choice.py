"""How LangChain users say which tool a model must call, in the API's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firellava.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["to_tool_choice"]

_WORDS = ("auto", "none", "any", "required")


def to_tool_choice(
    choice: str | bool | dict[str, Any] | None,  # noqa: FBT001 - LangChain users write tool_choice=True
    tools: Sequence[dict[str, Any]],
) -> str | dict[str, Any] | None:
    """The API's value for `choice`: a word, or the object that names one function; None leaves it open.

    Raises:
        InvalidRequest: it names no tool.
    """
    if isinstance(choice, dict):
        choice = _named_in(choice)
    if not choice:
        return None
    if choice is True:
        return "any"
    if choice in _WORDS:
        return choice
    names = [tool["function"]["name"] for tool in tools]
    if choice not in names:
        raise InvalidRequest(f"tool_choice names {choice!r}; the tools are {', '.join(names) or 'none'}.")
    return {"type": "function", "function": {"name": choice}}


def _named_in(choice: dict[str, Any]) -> str:
    """The word or the tool's name in an object, as OpenAI, Anthropic or Bedrock write it.

    Raises:
        InvalidRequest: there is none.
    """
    kind = choice.get("type")
    for inner in (choice.get("function"), choice.get("tool"), choice):
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            return str(inner["name"])
    word = kind if kind in _WORDS else next((word for word in _WORDS if word in choice), None)
    if word is None:
        raise InvalidRequest(
            "tool_choice is an object that names no tool: give the tool's name, or "
            "{'type': 'function', 'function': {'name': …}}."
        )
    return str(word)
