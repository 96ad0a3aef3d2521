"""What LangChain's callbacks tell about tokens and dollars: `FireLLaVACostHandler`, `get_firellava_callback`.

LangChain reports one request to a model at a time, of any provider, and so does the handler. How often
`firellava` asked a backend until a request was answered, and what an answer had used up when it broke off,
only `firellava.track_cost` knows.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from firellava.costs.ledger import Ledger
from langchain_firellava.call_details import OpenRequest, details_of, is_from_cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult

    from firellava.costs.ledger import Totals

__all__ = ["FireLLaVACostHandler", "get_firellava_callback"]


@contextmanager
def get_firellava_callback() -> Iterator[FireLLaVACostHandler]:
    """Count what is asked inside a ``with`` block, by chains, agents and batches too.

        with get_firellava_callback() as cost:
            agent.invoke(…)
        print(cost.total_tokens, cost.total_cost)

    Blocks may stand inside each other: each one counts everything inside it.
    """
    handler = FireLLaVACostHandler()
    _open_blocks.set(_Blocks((*_open_handlers(), handler)))
    try:
        yield handler
    finally:
        # No reset to what was there before: a block inside a generator may end in another context than it
        # began in, or later than one that began after it.
        left = tuple(other for other in _open_handlers() if other is not handler)
        _open_blocks.set(_Blocks(left) if left else None)


class _RequestHandler(BaseCallbackHandler):
    """A handler of requests to models; everything else that LangChain reports passes it by."""

    # A few microseconds: less than it takes to hand an event over to a thread.
    run_inline = True

    @property
    def ignore_chain(self) -> bool:
        return True

    @property
    def ignore_agent(self) -> bool:
        return True

    @property
    def ignore_retriever(self) -> bool:
        return True

    @property
    def ignore_retry(self) -> bool:
        return True

    @property
    def ignore_custom_event(self) -> bool:
        return True


class FireLLaVACostHandler(_RequestHandler):
    """Counts tokens and dollars of requests, as LangChain users know it from other providers.

        cost = FireLLaVACostHandler()
        chain.batch(questions, {"callbacks": [cost]})
        print(cost)

    It may be given to a model, to a call, or to both, to any number of them at once, from any thread: each
    request counts once. Models of other providers count too, with their tokens and with a cost that is
    unknown. What a request cost is what its answer says; a price nobody stated is no zero, and a request
    without one is among the `unpriced_requests`.

    An answer from LangChain's cache takes no tokens and no dollars: it is one of the `cached_requests` and
    nothing else. (`UsageMetadataCallbackHandler` adds its tokens up once more.) Completions models tell no
    handler of answers from the cache.

    A request that failed, or whose stream broke or was abandoned, counts as a failed one. Its cost is known
    where nothing was billed, or where its usage had arrived, and unknown otherwise. LangChain says nothing of
    a stream that nobody closes; nor of the other requests of a ``generate`` call of which one failed, which a
    completions model reports as failed even where they were answered. Neither does it tell of the attempts
    behind a request. `firellava.track_cost` sees all of these.

    Args:
        ledger: where to enter the requests; a new one by default. Its entries, its totals by tag (LangChain's
            tags of the request), its exports and its table for notebooks come with it.

    Attributes:
        ledger: one entry for each request that was sent.
        cached_requests: requests that LangChain's cache answered.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        super().__init__()
        self.ledger: Final = Ledger() if ledger is None else ledger
        self.cached_requests = 0
        self._lock = threading.Lock()
        self._open: dict[UUID, OpenRequest] = {}

    @property
    def total_tokens(self) -> int:
        """Tokens of prompts and answers."""
        return self.ledger.totals.total_tokens

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompts, images included."""
        return self.ledger.totals.prompt_tokens

    @property
    def prompt_image_tokens(self) -> int:
        """How many of the prompts' tokens were images, where a model card has a rule."""
        return self.ledger.totals.image_tokens

    @property
    def prompt_cached_tokens(self) -> int:
        """How many of the prompts' tokens a server read from its own cache."""
        return self.ledger.totals.cached_tokens

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answers, reasoning included."""
        return self.ledger.totals.completion_tokens

    @property
    def reasoning_tokens(self) -> int:
        """How many of the answers' tokens were reasoning."""
        return self.ledger.totals.reasoning_tokens

    @property
    def successful_requests(self) -> int:
        """Requests that a model answered."""
        return self.ledger.totals.answered

    @property
    def failed_requests(self) -> int:
        """Requests without a whole answer."""
        totals = self.ledger.totals
        return totals.calls - totals.answered

    @property
    def unpriced_requests(self) -> int:
        """Requests whose cost nobody knows: `total_cost` lacks them."""
        return self.ledger.totals.unpriced

    @property
    def total_cost(self) -> Decimal:
        """Exact dollars, of the requests whose cost is known."""
        return self.ledger.totals.cost_usd

    @property
    def by_model(self) -> dict[str, Totals]:
        """The same for each model, by the name it gives itself."""
        return self.ledger.by("model")

    @property
    def by_backend(self) -> dict[str, Totals]:
        """The same for each backend of `firellava`, and for each other provider."""
        return self.ledger.by("backend")

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 - LangChain's signature
        messages: list[list[BaseMessage]],  # noqa: ARG002 - LangChain's signature
        *,
        run_id: UUID,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **_: Any,  # noqa: ANN401 - LangChain's signature
    ) -> None:
        """A chat model is asked."""
        self._open[run_id] = OpenRequest.now("chat", tags, metadata)

    def on_llm_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002 - LangChain's signature
        prompts: list[str],  # noqa: ARG002 - LangChain's signature
        *,
        run_id: UUID,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **_: Any,  # noqa: ANN401 - LangChain's signature
    ) -> None:
        """A completions model is asked."""
        self._open[run_id] = OpenRequest.now("completion", tags, metadata)

    def on_llm_new_token(self, token: object, *, run_id: UUID, **_: Any) -> None:  # noqa: ANN401, ARG002
        """A piece of an answer is there."""
        request = self._open.get(run_id)
        if request is not None and request.first_piece is None:
            request.first_piece = time.monotonic()

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:  # noqa: ANN401
        """A model, or LangChain's cache, has answered."""
        request = self._open.pop(run_id, None)
        if request is None:  # told before: the handler was given twice
            return
        if is_from_cache(response):
            with self._lock:
                self.cached_requests += 1
        else:
            self.ledger(details_of(request, run_id, response))

    def on_llm_error(
        self,
        error: BaseException,
        *,
        run_id: UUID,
        response: LLMResult | None = None,
        **_: Any,  # noqa: ANN401 - LangChain's signature
    ) -> None:
        """A request failed, or its answer broke off or is no longer wanted."""
        request = self._open.pop(run_id, None)
        if request is not None:
            self.ledger(details_of(request, run_id, response, error))

    def __repr__(self) -> str:
        totals = self.ledger.totals
        failed, cached = totals.calls - totals.answered, self.cached_requests
        unpriced = f", and {totals.unpriced:,} of unknown cost" if totals.unpriced else ""
        return (
            f"Requests: {totals.answered:,} answered, {failed:,} failed, {cached:,} from the cache\n"
            f"Tokens: {totals.total_tokens:,}\n"
            f"\tPrompts: {totals.prompt_tokens:,} (images: {totals.image_tokens:,}, "
            f"cached: {totals.cached_tokens:,})\n"
            f"\tAnswers: {totals.completion_tokens:,} (reasoning: {totals.reasoning_tokens:,})\n"
            f"Cost: ${totals.cost_usd:f}{unpriced}"
        )

    def _repr_html_(self) -> str:
        """The ledger as notebooks show it."""
        return self.ledger._repr_html_()


class _Blocks(_RequestHandler):
    """The handlers of the open blocks, outermost first, as the one handler that a context variable holds."""

    def __init__(self, handlers: tuple[FireLLaVACostHandler, ...]) -> None:
        super().__init__()
        self.handlers: Final = handlers

    def on_chat_model_start(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        for handler in self.handlers:
            handler.on_chat_model_start(*values, **named)

    def on_llm_start(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        for handler in self.handlers:
            handler.on_llm_start(*values, **named)

    def on_llm_new_token(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        for handler in self.handlers:
            handler.on_llm_new_token(*values, **named)

    def on_llm_end(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        for handler in self.handlers:
            handler.on_llm_end(*values, **named)

    def on_llm_error(self, *values: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        for handler in self.handlers:
            handler.on_llm_error(*values, **named)


# LangChain keeps what is registered for good: one variable serves all blocks.
_open_blocks: ContextVar[_Blocks | None] = ContextVar("firellava_cost_blocks", default=None)
register_configure_hook(_open_blocks, inheritable=True)


def _open_handlers() -> tuple[FireLLaVACostHandler, ...]:
    blocks = _open_blocks.get()
    return () if blocks is None else blocks.handlers
