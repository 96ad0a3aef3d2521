"""What a backend is: a frozen piece of configuration that can be asked.

A backend prints, compares, pickles and serialises without a secret. What it needs at run time (connections,
an engine, a model) is opened at first use and shared in the process; it is never part of the value.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from firellava.errors import ConfigurationError
from firellava.models import ModelCard, model_card
from firellava.validation import explain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    import httpx
    from pydantic import ModelWrapValidatorHandler

    from firellava.messages import Request
    from firellava.models import Fit
    from firellava.replies import ReplyChunk, Usage

__all__ = ["AttemptContext", "Backend", "InProcessBackend"]


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What an attempt is given besides the request.

    Attributes:
        seconds: time until the first piece of the reply must be there, or None.
        idle_seconds: time that may pass between later pieces, or None.
        end_by: `time.monotonic` instant at which the whole call ends, or None.
        fit: how images are made to fit, where the caller overrides the model card.
        http_client: the caller's own client for synchronous calls, or None for the shared one.
        http_async_client: the caller's own client for asynchronous calls, or None for the shared one.
    """

    seconds: float | None = None
    idle_seconds: float | None = None
    end_by: float | None = None
    fit: Fit | None = None
    http_client: httpx.Client | None = None
    http_async_client: httpx.AsyncClient | None = None


class Backend(BaseModel, ABC):
    """Something that answers requests.

    Attributes:
        kind: names the class in serialised form.
        card: what is known about the model, as a card or the name of one; where None, the backend knows.
        degraded: True where the answer does not come from a vision-language model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    kind: str
    card: ModelCard | None = None
    degraded: ClassVar[bool] = False

    @model_validator(mode="wrap")
    @classmethod
    def _own_errors(cls, settings: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        problem = ""
        try:
            return handler(settings)
        except ValidationError as error:
            problem = explain(error)
        # Raised here, not above: pydantic's report holds what was set, which may be a key.
        raise ConfigurationError(f"{cls.__name__}: {problem}.")

    @field_validator("card", mode="before")
    @classmethod
    def _card_by_name(cls, card: Any) -> Any:  # noqa: ANN401 - whatever the user gave
        return model_card(card) if isinstance(card, str) else card

    @property
    @abstractmethod
    def label(self) -> str:
        """The name that replies, attempts and errors carry, such as ``fireworks:firellava-13b``."""

    @property
    def is_local(self) -> bool:
        """Whether asking it sends nothing off this machine."""
        return False

    @property
    @abstractmethod
    def model_card(self) -> ModelCard:
        """What is known about the model behind it."""

    def cost(self, usage: Usage | None) -> Decimal | None:
        """Dollars for these tokens; None where the tokens or the price are unknown."""
        prices = self.model_card.prices
        return None if usage is None or prices is None else prices.cost(usage)

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

    def cost(self, usage: Usage | None) -> Decimal:  # noqa: ARG002 - tokens are free here
        """Nothing: no one is paid."""
        return Decimal(0)

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
