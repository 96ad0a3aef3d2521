"""The books of one question: each call made to answer it is paid from the budget and told to the hooks.

The routing policy opens an account for every call and says how it ended; nothing else in the package knows
when to settle. A call that was cut short without a word, because its task was cancelled, is closed as
abandoned.
"""

from __future__ import annotations

import contextvars
import itertools
import logging
import random
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from firellava.costs.budget import Spending
from firellava.costs.calibration import calibration_of
from firellava.costs.needs import needed
from firellava.costs.tracking import active_trackers
from firellava.errors import (
    AttemptTimedOut,
    ConnectionFailed,
    FireLLaVAError,
    RefusedByServer,
    UnreadableReply,
)
from firellava.hooks import CallDetails
from firellava.tiling import in_tiles
from firellava.tool_images import with_tool_images_placed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from firellava.backends.base import Backend
    from firellava.costs.budget import Budget, Reserve
    from firellava.hooks import CallHook, CallOutcome
    from firellava.messages import Request
    from firellava.models import Fit
    from firellava.replies import Reply, Usage

__all__ = ["Account", "Observers", "QuestionAccounts", "may_be_billed"]

_logger = logging.getLogger("firellava")

_STEERING: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "stop",
    "n",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "reasoning_effort",
)
# A gateway gave up on a server that may have gone on to the end of the answer.
_STATUSES_OF_GATEWAYS: Final = frozenset({None, 408, 502, 504, 520})


def may_be_billed(error: FireLLaVAError) -> bool:
    """Whether a call that failed with this may have been paid for all the same."""
    if isinstance(error, ConnectionFailed | AttemptTimedOut):
        return error.sent
    if isinstance(error, RefusedByServer):
        return error.status in _STATUSES_OF_GATEWAYS
    return isinstance(error, UnreadableReply)


@dataclass(frozen=True, slots=True)
class Observers:
    """Who wants to know of a question's calls, and the context in which it was asked."""

    hooks: tuple[CallHook, ...] = ()
    tags: tuple[str, ...] = ()
    context: contextvars.Context | None = None

    @classmethod
    def of_this_moment(cls, hooks: Sequence[CallHook]) -> Self:
        """The client's own hooks, and the ledgers of the `track_cost` blocks that are open here."""
        trackers = active_trackers()
        if not hooks and not trackers:
            return cls()
        tags = tuple(tracker.tag for tracker in trackers if tracker.tag is not None)
        # One ledger may stand in several blocks: it takes each call once.
        wanted = {id(observer): observer for observer in (*hooks, *(tracker.ledger for tracker in trackers))}
        return cls(tuple(wanted.values()), tags, contextvars.copy_context())

    def tell(self, details: CallDetails) -> None:
        """Tell everyone. What a hook raises is logged."""
        for hook in self.hooks:
            try:
                if self.context is not None:
                    self.context.run(hook, details)
            except Exception as error:  # noqa: BLE001 - an observer changes nothing
                name = getattr(hook, "__qualname__", type(hook).__qualname__)
                _logger.warning("The call hook %s raised %s.", name, type(error).__name__)


class QuestionAccounts:
    """The accounts of all calls made to answer one question.

    Args:
        request: what is asked.
        budget: what pays for it, or None.
        observers: who wants to know.
        clock: gives the time in seconds on the same scale as the events of the routing.
        fit: how images are wanted, or None for the model card's way.

    Attributes:
        may_be_billed: whether a call so far was paid for, or may have been.
    """

    def __init__(
        self,
        request: Request | None = None,
        budget: Budget | None = None,
        observers: Observers = Observers(),
        clock: Callable[[], float] = time.monotonic,
        fit: Fit | None = None,
    ) -> None:
        self.request: Final = request
        self.fit: Final = fit
        self.observers: Final = observers
        self.clock: Final = clock
        self.epoch: Final = time.time() - clock() if observers.hooks else 0.0
        self.name: Final = f"{random.getrandbits(128):032x}" if observers.hooks else ""
        self._budget = budget
        self._calls = itertools.count()
        self.may_be_billed = False

    def open(self, backend: Backend, at: float) -> Account:
        """Begin a call.

        Raises:
            BudgetExceeded: the budget does not allow it.
            CostUnknown: the budget cannot know what it may cost.
            ConfigurationError: the price file that says what it costs is malformed.
        """
        reserve = None
        if self.request is not None and not backend.is_free:
            backend.prices_for(self.request)  # a malformed price file shows now, before anything is sent
        if self._budget is not None and self.request is not None and not backend.is_free:
            reserve = self._budget.reserve(needed(self._budget, self.request, backend, self.fit))
        return Account(self, backend, next(self._calls), at, reserve)


class Account:
    """What one call of one backend took. It is settled and told once, however the call ends."""

    def __init__(
        self, question: QuestionAccounts, backend: Backend, attempt: int, at: float, reserve: Reserve | None
    ) -> None:
        self._question = question
        self._backend = backend
        self._attempt = attempt
        self._started = at
        self._reserve = reserve
        self._first_piece: float | None = None
        self._over = False

    def opened(self, at: float) -> None:
        """The first piece of the answer is there."""
        self._first_piece = at

    def failed(self, error: FireLLaVAError, at: float) -> None:
        """The call ended without an answer."""
        self._close("failed", at, error=error)

    def ended(
        self,
        outcome: CallOutcome,
        at: float,
        usage: Usage | None,
        reply: Reply | None,
        error: FireLLaVAError | None,
    ) -> None:
        """The answer is over; `usage` is the last count that came, `reply` the whole of it."""
        self._close(outcome, at, usage=usage, reply=reply, error=error)
        request, card = self._question.request, self._backend.model_card
        if reply is None or usage is None or request is None:
            return
        # Images that may have been cut, with a text before each, tell nothing of those that are not.
        if not (request.images and in_tiles(request, card, self._question.fit)):
            calibration_of(self._backend.label).observe(request, card, usage)

    def close(self) -> None:
        """Nobody said how the call ended: it was cut short."""
        if not self._over:
            self._close("abandoned", self._question.clock())

    def _close(
        self,
        outcome: CallOutcome,
        at: float,
        *,
        usage: Usage | None = None,
        reply: Reply | None = None,
        error: FireLLaVAError | None = None,
    ) -> None:
        if self._over:
            return
        self._over = True
        refused = outcome == "failed" and error is not None and not may_be_billed(error)
        free = refused or self._backend.is_free
        cost: Decimal | None = Decimal(0)
        if not free:
            self._question.may_be_billed = True
            # A whole reply has it already; looking prices up takes a while.
            cost = self._backend.cost(usage, self._question.request) if reply is None else reply.cost_usd
        counted = free or (outcome == "answered" and usage is not None)
        self._settle(usage if counted and not free else None, cost, free=free)
        if self._question.observers.hooks:
            details = self._details(outcome, at, usage, cost, reply, error, counted=counted)
            self._question.observers.tell(details)

    def _settle(self, usage: Usage | None, cost: Decimal | None, *, free: bool) -> None:
        if self._reserve is None:
            return
        if free:
            self._reserve.release()
        elif usage is None:
            self._reserve.keep()
        else:
            tokens = max(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
            self._reserve.settle(Spending(cost or Decimal(0), tokens, calls=1))

    def _details(
        self,
        outcome: CallOutcome,
        at: float,
        usage: Usage | None,
        cost: Decimal | None,
        reply: Reply | None,
        error: FireLLaVAError | None,
        *,
        counted: bool,
    ) -> CallDetails:
        question, backend, request = self._question, self._backend, self._question.request
        assert request is not None  # noqa: S101 - whoever has observers has a request
        first = self._first_piece
        images = with_tool_images_placed(request, backend.model_card).images
        return CallDetails(
            question=question.name,
            attempt=self._attempt,
            backend=backend.label,
            kind=backend.kind,
            local=backend.is_local,
            server=_server(backend),
            model=getattr(backend, "model", None) or backend.model_card.name,
            answered_by=None if reply is None else reply.model,
            operation="completion" if request.completion else "chat",
            streamed=request.stream,
            started_at=question.epoch + self._started,
            seconds=at - self._started,
            first_piece_seconds=first - self._started if request.stream and first is not None else None,
            outcome=outcome,
            error=None if error is None else f"{type(error).__name__}: {error}",
            usage=usage,
            cost_usd=cost,
            may_cost_more=not counted,
            images=tuple(part.source.sha256 or "url" for part in images),
            tags=question.observers.tags,
            parameters=_steering(request),
            finish_reasons=() if reply is None else _finish_reasons(reply),
            degraded=backend.degraded,
            request_id=getattr(error if reply is None else reply, "request_id", None),
        )


def _server(backend: Backend) -> str | None:
    """Host and port, without anything else a URL may hold."""
    base_url = getattr(backend, "base_url", None)
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _steering(request: Request) -> dict[str, Any]:
    parameters = request.parameters
    given = parameters.model_fields_set
    values = [(name, getattr(parameters, name)) for name in _STEERING if name in given]
    return {name: value for name, value in values if value is not None}


def _finish_reasons(reply: Reply) -> tuple[str, ...]:
    return tuple(choice.finish_reason for choice in reply.choices if choice.finish_reason is not None)
