"""Settings that users bring along from other chat models: what they are called here, or what to use instead.

What only has another spelling is an alias of the setting itself (`FireLLaVASettings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parameters_here", "settings_here"]

_CLIENTS: Final = (
    "is not sent from here. Give clients of your own that do: http_client=httpx.Client({0}=…) for "
    "synchronous calls and http_async_client=httpx.AsyncClient({0}=…) for asynchronous ones"
)
_INSTEAD: Final = {
    "default_headers": _CLIENTS.format("headers"),
    "default_query": _CLIENTS.format("params"),
    "extra_headers": _CLIENTS.format("headers"),
    "extra_query": _CLIENTS.format("params"),
}
_WITH_A_CALL: Final = {
    "parallel_tool_calls": "goes with the tools: llm.bind_tools(tools, parallel_tool_calls=…)",
    "response_format": "goes with a call: llm.with_structured_output(…), or llm.bind(response_format=…)",
    "tool_choice": "goes with the tools: llm.bind_tools(tools, tool_choice=…)",
    "tools": "go with a call: llm.bind_tools(tools)",
}


def settings_here(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings a model is made with, without those that say what is so anyway.

    Raises:
        ConfigurationError: something is set in another way here.
    """
    return _known(settings, _INSTEAD | _WITH_A_CALL)


def parameters_here(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one call by the names they have here.

    Raises:
        ConfigurationError: something is set in another way here.
    """
    known = _known(parameters, _INSTEAD)
    if "max_completion_tokens" in known:
        known["max_tokens"] = known.pop("max_completion_tokens")
    return known


def _known(given: Mapping[str, Any], instead: Mapping[str, str]) -> dict[str, Any]:
    known = {name: value for name, value in given.items() if value is not None or name not in instead}
    for name in known.keys() & instead.keys():
        raise ConfigurationError(f"{name}= {instead[name]}.")
    if known.pop("stream_usage", None) is False:
        raise ConfigurationError(
            "stream_usage=False is not possible: usage is asked for in every stream, because costs are "
            "counted by it."
        )
    return known
