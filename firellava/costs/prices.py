"""Prices as data, and the one rule that turns tokens into dollars."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads annotations at run time
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, model_validator

from firellava.errors import ConfigurationError
from firellava.validation import CheckedModel

if TYPE_CHECKING:
    from firellava.replies import Usage

__all__ = ["FREE", "Prices"]

_MILLION: Final = Decimal(1_000_000)

# Whatever precision the program around us has chosen: enough for thirty digits times any count of tokens.
_EXACT: Final = Context(prec=100)

_Dollars = Annotated[Decimal, Field(ge=0, max_digits=30, decimal_places=20)]


class Prices(CheckedModel):
    """What a model costs, in dollars per million tokens.

    Numbers may be given as decimals, integers, texts or floats; a float counts as what it prints as, so that
    ``0.2`` is exactly 0.2.

    Attributes:
        input: prompt tokens, images included.
        cached_input: prompt tokens read from the server's cache; the full price where None.
        output: completion tokens, reasoning included.
        date: when the price was read, or None.
        source: where it was read.

    Raises:
        ConfigurationError: a price is negative, is no finite number or has more than 20 decimal places; or
            cached tokens are said to be dearer than others, which would break every upper bound.
    """

    input: _Dollars
    cached_input: _Dollars | None = None
    output: _Dollars
    date: dt.date | None = None
    source: str = "given by the user"

    @model_validator(mode="after")
    def _cache_makes_nothing_dearer(self) -> Self:
        if self.cached_input is not None and self.cached_input > self.input:
            raise ConfigurationError("Prices: cached_input is a discount and cannot be more than input.")
        return self

    @property
    def free(self) -> bool:
        """Whether tokens cost nothing, however many there are."""
        return not (self.input or self.output)

    def cost(self, usage: Usage) -> Decimal:
        """Dollars for these tokens, exact to the last digit."""
        # A server that counts more of a prompt as cached than the prompt has would be paid less than nothing.
        cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        total = _EXACT.multiply(usage.completion_tokens, self.output)
        total = _EXACT.fma(usage.prompt_tokens - cached, self.input, total)
        if cached:
            total = _EXACT.fma(cached, cached_price, total)
        return _EXACT.divide(total, _MILLION)


FREE: Final = Prices(input=Decimal(0), output=Decimal(0), source="answered on this machine")
"""What a backend on this machine costs: not unknown, but nothing."""
