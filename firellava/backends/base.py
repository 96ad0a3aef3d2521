"""What a backend is: a frozen piece of configuration that can be asked.

A backend prints, compares, pickles and serialises without a secret. What it needs at run time (connections,
an engine, a model) is opened at first use and shared in the process; it is never part of the value.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, field_validator

from firellava.costs.price_list import prices_in_file
from firellava.costs.prices import FREE, Prices
from firellava.errors import ConfigurationError
from firellava.images.fetch_policy import FetchPolicy
from firellava.models import ModelCard, card_by_name
from firellava.validation import CheckedModel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    import httpx

    from firellava.backends.pictures import ImageURLs
    from firellava.images.fetch import FetchedImage
    from firellava.limits import LimitsPolicy
    from firellava.messages import Request
    from firellava.models import Fit
    from firellava.replies import ReplyChunk, Usage

__all__ = ["AttemptContext", "Backend", "InProcessBackend"]

_logger = logging.getLogger("firellava")


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What an attempt is given besides the request.

    Attributes:
        seconds: time until the first piece of the reply must be there, or None.
        idle_seconds: time that may pass between later pieces, or None.
        end_by: `time.monotonic` instant at which the whole call ends, or None.
        fit: how images are made to fit, where the caller overrides the model card.
        limits: what is done about the limits of the model card.
        image_urls: what is done with images given by URL, where the backend takes URLs.
        fetch_policy: what may be downloaded here.
        fetched: what was downloaded here for this question, by URL, so that another attempt finds it again.
        http_client: the caller's own client for synchronous calls, or None for the shared one.
        http_async_client: the caller's own client for asynchronous calls, or None for the shared one.
    """

    seconds: float | None = None
    idle_seconds: float | None = None
    end_by: float | None = None
    fit: Fit | None = None
    limits: LimitsPolicy = "adjust"
    image_urls: ImageURLs = "pass"
    fetch_policy: FetchPolicy = field(default_factory=FetchPolicy)
    fetched: dict[str, FetchedImage] = field(default_factory=dict, repr=False, compare=False)
    http_client: httpx.Client | None = None
    http_async_client: httpx.AsyncClient | None = None


class Backend(CheckedModel, ABC):
    """Something that answers requests.

    Attributes:
        kind: names the class in serialised form.
        card: what is known about the model, as a card or the name of one; where None, the backend knows.
        prices: what you pay, above every other price; see `prices_for`.
        degraded: True where the answer does not come from a vision-language model.
    """

    model_config = ConfigDict(validate_default=True)

    kind: str
    card: ModelCard | None = None
    prices: Prices | None = None
    degraded: ClassVar[bool] = False

    @field_validator("card", mode="before")
    @classmethod
    def _card_by_name(cls, card: Any) -> Any:  # noqa: ANN401 - whatever the user gave
        return card_by_name(card) if isinstance(card, str) else card

    @property
    @abstractmethod
    def label(self) -> str:
        """The name that replies, attempts and errors carry, such as ``fireworks:firellava-13b``."""

    @property
    def is_local(self) -> bool:
        """Whether asking it sends nothing off this machine."""
        return False

    @property
    def is_free(self) -> bool:
        """Whether asking it costs nothing: it is on this machine, and no `prices` were given for it."""
        return self.is_local and self.prices is None

    @property
    @abstractmethod
    def model_card(self) -> ModelCard:
        """What is known about the model behind it."""

    def prices_for(self, request: Request | None = None) -> Prices | None:
        """What tokens cost here, or None where nobody said, which is not zero.

        A backend on this machine costs nothing, unless `prices` says otherwise, as for a gateway to a paid
        service. For any other the first of these counts: the setting `prices`; the file named in
        ``FIRELLAVA_PRICES``; what is published about the model.

        Args:
            request: what is asked; what is published may not hold for every request.

        Raises:
            ConfigurationError: the price file is missing or malformed. Ask before anything is sent.
        """
        if self.is_free:
            return FREE
        return self.prices or prices_in_file(*self._names_in_file()) or self._published_prices(request)

    def cost(self, usage: Usage | None, request: Request | None = None) -> Decimal | None:
        """Dollars for these tokens; None where the tokens or the price are unknown.

        It raises nothing, because what was paid for must not be lost with its price: where the price file has
        become unreadable the cost is unknown, and the reason is logged.
        """
        try:
            prices = self.prices_for(request)
        except ConfigurationError as error:
            _logger.warning("The cost of a call is unknown. %s", error)
            return None
        if prices is None:
            return None
        if usage is None:
            return Decimal(0) if prices.free else None
        return prices.cost(usage)

    def _names_in_file(self) -> tuple[str, ...]:
        """The names under which a price file may list the model, the best first."""
        return (self.model_card.name,)

    def _published_prices(self, request: Request | None) -> Prices | None:  # noqa: ARG002 - for who knows tiers
        """What others than the user say the model costs for this request."""
        return self.model_card.prices

    @abstractmethod
    def replies(self, request: Request, context: AttemptContext) -> Generator[ReplyChunk, None, None]:
        """Ask, and yield the pieces of the reply; the final one has ``last=True``.

        Images of the request are loaded: they hold bytes, pixels or a URL, never a path.

        Raises:
            InvalidRequest: the request does not suit this backend; nothing was sent.
            BackendError: the backend did not answer.
        """

    @abstractmethod
    def areplies(self, request: Request, context: AttemptContext) -> AsyncGenerator[ReplyChunk, None]:
        """The same for asynchronous callers; the event loop is never held up."""


class InProcessBackend(Backend):
    """A backend that computes here instead of asking a server; asynchronous callers wait on a thread."""

    @property
    def is_local(self) -> bool:
        """It computes in this process."""
        return True

    async def areplies(self, request: Request, context: AttemptContext) -> AsyncGenerator[ReplyChunk, None]:
        """Run `replies` piece by piece on a worker thread."""
        replies = self.replies(request, context)
        while (chunk := await asyncio.to_thread(next, replies, None)) is not None:
            try:
                yield chunk
            except GeneratorExit:
                # Only here is the generator at rest; a cancelled thread still runs it, and lets it go after.
                replies.close()
                raise
