"""Tools on their way to the model, and the model's calls on their way back to LlamaIndex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.utils import parse_partial_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llama_index.core.base.llms.types import ChatMessage, ChatResponse
    from llama_index.core.tools.types import BaseTool

__all__ = ["first_call_only", "react_settings", "selected_tools", "tool_parameters"]

# The API's own words for tool_choice; any other text is the name of a tool.
_CHOICES: Final = frozenset({"auto", "none", "any", "required"})


def tool_parameters(
    tools: Sequence[BaseTool], choice: str | Mapping[str, Any] | None, *, required: bool, parallel: bool
) -> dict[str, Any]:
    """The parameters that let a model call tools.

    Args:
        tools: what it may call; with none of them there is nothing to say.
        choice: one of the API's words, the API's own object, the name of a tool, or None for `required`.
        required: it must call one.
        parallel: it may call several at once.
    """
    if not tools:
        return {}
    if choice is None:
        choice = "required" if required else "auto"
    elif isinstance(choice, str) and choice not in _CHOICES:
        choice = {"type": "function", "function": {"name": choice}}
    return {
        "tools": [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools],
        "tool_choice": choice,
        "parallel_tool_calls": parallel,
    }


def first_call_only(response: ChatResponse) -> ChatResponse:
    """The response with at most one tool call, for callers who asked for one: not every server heeds that."""
    message = response.message
    calls = _calls(message)
    if len(calls) <= 1:
        return response
    blocks = [block for block in message.blocks if block is calls[0] or not isinstance(block, ToolCallBlock)]
    extra = message.additional_kwargs | {"tool_calls": message.additional_kwargs.get("tool_calls", [])[:1]}
    return response.model_copy(
        update={"message": message.model_copy(update={"blocks": blocks, "additional_kwargs": extra})}
    )


def selected_tools(response: ChatResponse, *, error_on_none: bool) -> list[ToolSelection]:
    """The tools the model wants called; of a reply still streaming, with the arguments so far.

    Raises:
        ValueError: it wants none, and `error_on_none` is set.
    """
    calls = _calls(response.message)
    if not calls and error_on_none:
        raise ValueError(
            "The model called no tool: ask with tool_required=True, or take its text with "
            "error_on_no_tool_call=False."
        )
    return [
        ToolSelection(
            tool_id=call.tool_call_id or call.tool_name,
            tool_name=call.tool_name,
            tool_kwargs=_arguments(call.tool_kwargs),
        )
        for call in calls
    ]


def react_settings() -> dict[str, Any]:
    """How a model that calls no tools is told of them in the prompt, and how its answers are read."""
    # Brings in all of LlamaIndex's agents: only who has use for them waits for that.
    from llama_index.core.agent.react.formatter import ReActChatFormatter  # noqa: PLC0415
    from llama_index.core.agent.react.output_parser import ReActOutputParser  # noqa: PLC0415

    return {"react_chat_formatter": ReActChatFormatter(), "output_parser": ReActOutputParser()}


def _calls(message: ChatMessage) -> list[ToolCallBlock]:
    return [block for block in message.blocks if isinstance(block, ToolCallBlock)]


def _arguments(arguments: dict[str, Any] | str) -> dict[str, Any]:
    """Arguments as a dictionary, with what there is of them while they stream."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return parse_partial_json(arguments)
    except ValueError:
        return {}
