"""Prices as data, and the one rule that turns tokens into dollars."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads annotations at run time
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from firellava.replies import Usage

__all__ = ["Prices"]

_MILLION = Decimal(1_000_000)


class Prices(BaseModel):
    """What a model costs, in dollars per million tokens.

    Attributes:
        input: prompt tokens, images included.
        cached_input: prompt tokens read from the server's cache; the full price where None.
        output: completion tokens, reasoning included.
        date: when the price was read.
        source: where it was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal = Field(ge=0)
    cached_input: Decimal | None = Field(default=None, ge=0)
    output: Decimal = Field(ge=0)
    date: date
    source: str

    def cost(self, usage: Usage) -> Decimal:
        """Dollars for these tokens, exact to the last digit."""
        cached = usage.cached_tokens or 0
        cached_price = self.input if self.cached_input is None else self.cached_input
        fresh = usage.prompt_tokens - cached
        return (fresh * self.input + cached * cached_price + usage.completion_tokens * self.output) / _MILLION
