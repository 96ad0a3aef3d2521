"""What a call needs of a budget: its bound in tokens, at the price of the backend that would be asked."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from firellava.costs.bounds import upper_bound
from firellava.costs.budget import Spending
from firellava.errors import CostUnknown
from firellava.replies import Usage

if TYPE_CHECKING:
    from firellava.backends.base import Backend
    from firellava.costs.budget import Budget
    from firellava.messages import Request
    from firellava.models import Fit

__all__ = ["needed"]


def needed(budget: Budget, request: Request, backend: Backend, fit: Fit | None = None) -> Spending:
    """What a call of this backend may take of a budget at most, as far as the budget's limits ask for it.

    `fit` is how images are wanted, or None for the model card's way.

    Raises:
        CostUnknown: that cannot be known, and the budget refuses what is unknown.
        ConfigurationError: the price file is malformed.
    """
    if not budget.limits_tokens:
        return Spending(calls=1)
    bound = upper_bound(request, backend.model_card, fit)
    most: Usage | None = None
    if bound.prompt is not None and bound.completion is not None:
        most = Usage(bound.prompt, bound.completion, bound.prompt + bound.completion)
    refuse = budget.when_unknown == "refuse"
    if refuse and most is None and "tokens" in budget.limits:
        raise CostUnknown(_unbounded(request, backend))
    usd: Decimal | None = None
    if "usd" in budget.limits:
        if backend.prices_for(request) is None and refuse:
            raise CostUnknown(
                f"Nobody knows what {backend.label} charges for this request, so a budget in dollars cannot "
                "hold: give prices=, name a price file in FIRELLAVA_PRICES, or give the budget "
                "when_unknown='allow'."
            )
        usd = backend.cost(most, request)
        if usd is None and refuse:
            raise CostUnknown(_unbounded(request, backend))
    return Spending(usd or Decimal(0), 0 if most is None else most.total_tokens, calls=1)


def _unbounded(request: Request, backend: Backend) -> str:
    card = backend.model_card
    if request.images and card.tokens_per_image is None and card.image_token_bound is None:
        return (
            f"Nobody says how many tokens {card.name} counts for an image, so a budget cannot hold: give "
            "card=model_card(…).model_copy(update={'image_token_bound': …}), or give the budget "
            "when_unknown='allow'."
        )
    return (
        f"Nothing bounds how many tokens this call to {backend.label} takes: give max_tokens=, leave the "
        "content out of extra_body, or give the budget when_unknown='allow'."
    )
