"""What a call of an agent's model may take at most, before it is made; for `BudgetMiddleware`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from langchain.agents.structured_output import ToolStrategy
from langchain_core.utils.function_calling import convert_to_openai_tool

from firellava.errors import CostUnknown
from firellava.requests import chat_request
from langchain_firellava.chat_models import ChatFireLLaVA
from langchain_firellava.translation.messages import to_core_messages

if TYPE_CHECKING:
    from langchain.agents.middleware import ModelRequest

    from firellava.costs.budget import Budget

__all__ = ["AgentCall", "bounded_call"]


@dataclass(frozen=True, slots=True)
class AgentCall:
    """A call of an agent's model that is to be made.

    Attributes:
        request: what is asked, with a limit for its answer where a budget needs one.
        usd: dollars at most, or None where nobody knows.
        tokens: tokens at most, or None where nobody knows.
    """

    request: ModelRequest[Any]
    usd: Decimal | None
    tokens: int | None


def bounded_call(request: ModelRequest[Any], budget: Budget) -> AgentCall:
    """The call with what it may take at most, as far as the budget's limits ask for it.

    Nothing is sent. Images that stand in the messages are decoded.

    Raises:
        CostUnknown: that cannot be known, and the budget refuses what is unknown.
        InvalidRequest: the model would refuse the request as well.
    """
    if not budget.limits_tokens:
        return AgentCall(request, Decimal(0), 0)
    model = request.model
    if not isinstance(model, ChatFireLLaVA):
        if budget.when_unknown == "allow":
            return AgentCall(request, None, None)
        raise CostUnknown(
            f"Nobody knows what a call of {type(model).__name__} takes before it is made, so a budget in "
            "dollars or tokens cannot hold: limit calls, or use BudgetMiddleware(when_unknown='allow')."
        )
    # What the model does with the request: it belongs to this package.
    client, parameters = model._call(None, _overrides(request))  # noqa: SLF001
    messages = [request.system_message, *request.messages] if request.system_message else request.messages
    asked = to_core_messages(messages)
    most = client.spending_at_most(asked, budget, **parameters)
    whole = chat_request(asked, parameters, stream=False)
    if model.budget is not None:
        whole = model.budget.bounded(whole)
    if budget.bounded(whole) is not whole:
        settings = {**request.model_settings, "max_tokens": budget.max_tokens}
        request = request.override(model_settings=settings)
    return AgentCall(request, most.usd, most.tokens)


def _overrides(request: ModelRequest[Any]) -> dict[str, Any]:
    """What the agent binds to the model for this call."""
    tools = [convert_to_openai_tool(tool) for tool in request.tools] + _structured(request.response_format)
    return {**request.model_settings, "tools": tools or None}


def _structured(response_format: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a strategy or a schema
    """The form that the answer must have, as tools: as a ``response_format`` it takes no more."""
    if response_format is None:
        return []
    schemas = ToolStrategy(getattr(response_format, "schema", response_format)).schema_specs
    return [
        {
            "type": "function",
            "function": {"name": spec.name, "description": spec.description, "parameters": spec.json_schema},
        }
        for spec in schemas
    ]
