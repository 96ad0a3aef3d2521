"""What calls cost, as LlamaIndex's own events tell it: `FireLLaVACostHandler`.

Events come from LlamaIndex's instrumentation dispatcher, where every LLM of the process reports, whoever made
it. They tell of answers. What was sent and never became one shows in `firellava.track_cost`, which hears of
every call from the client that makes it.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Self

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.instrumentation.events.span import SpanDropEvent  # type: ignore[attr-defined] # re-exported
from llama_index.core.llms.structured_llm import StructuredLLM
from pydantic import PrivateAttr

from firellava.costs.ledger import Ledger
from firellava.errors import ConfigurationError
from llama_index_firellava.call_details import call_details, is_ours, outcome_object
from llama_index_firellava.calls_underway import CallsUnderway

if TYPE_CHECKING:
    from decimal import Decimal

    from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
    from llama_index.core.instrumentation.events import BaseEvent

    from firellava.costs.ledger import Totals

__all__ = ["FireLLaVACostHandler"]

_logger = logging.getLogger("llama_index_firellava")


class FireLLaVACostHandler(BaseEventHandler):
    """Counts tokens and dollars of every LLM call in the process, from LlamaIndex's events.

        from llama_index.core.instrumentation import get_dispatcher

        cost = FireLLaVACostHandler()
        get_dispatcher().add_event_handler(cost)  # for the rest of the process
        with FireLLaVACostHandler() as cost:      # or while a block runs
            query_engine.query("What is the total?")
        print(cost.total_cost, cost.total_tokens)

    Chat, completion, streams, structured output, tools and agents each count once, however LLMs are nested.
    The calls of other LLMs count with the tokens they state; their cost is unknown. While a ``with`` block
    runs, calls that other threads and tasks begin count too; for the calls of the block alone, use
    `firellava.track_cost`.

    An event tells of a question, not of each call made to answer it. What this handler cannot know, and
    `firellava.track_cost` does:

    - failed attempts before an answer. They are not counted, and where there were any, the answer's entry in
      the ledger says ``may_cost_more``;
    - what a failed question cost, and which backend failed. Its cost is unknown, unless the error says that
      nothing was sent;
    - the tokens of a stream that broke or was not read to its end. Its cost is unknown;
    - the images, the parameters, and whether the backend was on this machine.

    Of a stream whose reading never began there is nothing to know: nothing was sent.

    Copies of a handler are the handler itself. It observes and cannot refuse anything: give the LLM a
    ``budget=`` for that.

    Args:
        ledger: where to enter the questions; a new one by default.
    """

    _ledger: Ledger = PrivateAttr()
    _calls: CallsUnderway = PrivateAttr(default_factory=CallsUnderway)

    def __init__(self, ledger: Ledger | None = None) -> None:
        super().__init__()
        self._ledger = Ledger() if ledger is None else ledger

    @classmethod
    def class_name(cls) -> str:
        """The name LlamaIndex knows it by."""
        return "FireLLaVACostHandler"

    @property
    def ledger(self) -> Ledger:
        """An entry for each question: totals by model and backend, rows, CSV, JSON lines."""
        return self._ledger

    @property
    def total_tokens(self) -> int:
        """Tokens of prompts and answers together."""
        return self._ledger.totals.total_tokens

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompts, images included."""
        return self._ledger.totals.prompt_tokens

    @property
    def prompt_image_tokens(self) -> int:
        """How many of the prompts' tokens were images, where the model card has a rule."""
        return self._ledger.totals.image_tokens

    @property
    def prompt_cached_tokens(self) -> int:
        """How many of the prompts' tokens a server read from its own cache."""
        return self._ledger.totals.cached_tokens

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answers, reasoning included."""
        return self._ledger.totals.completion_tokens

    @property
    def reasoning_tokens(self) -> int:
        """How many of the answers' tokens were reasoning."""
        return self._ledger.totals.reasoning_tokens

    @property
    def successful_requests(self) -> int:
        """Questions that got their whole answer."""
        return self._ledger.totals.answered

    @property
    def failed_requests(self) -> int:
        """Questions without a whole answer: failed, broken off, or no longer wanted."""
        totals = self._ledger.totals
        return totals.calls - totals.answered

    @property
    def unpriced_requests(self) -> int:
        """Questions whose cost is unknown: `total_cost` lacks them."""
        return self._ledger.totals.unpriced

    @property
    def total_cost(self) -> Decimal:
        """Exact dollars, of the questions whose cost is known."""
        return self._ledger.totals.cost_usd

    @property
    def by_model(self) -> dict[str, Totals]:
        """Totals for each model that answered."""
        return self._ledger.by("model")

    @property
    def by_backend(self) -> dict[str, Totals]:
        """Totals for each backend that answered; of questions without an answer, for the class of the LLM."""
        return self._ledger.by("backend")

    def __enter__(self) -> Self:
        """Begin to count.

        Raises:
            ConfigurationError: the handler is on the dispatcher already.
        """
        dispatcher = get_dispatcher()
        if any(handler is self for handler in dispatcher.event_handlers):
            raise ConfigurationError("This handler counts already: use one handler for each with block.")
        dispatcher.add_event_handler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop counting; what was counted stays."""
        dispatcher = get_dispatcher()
        dispatcher.event_handlers = [one for one in dispatcher.event_handlers if one is not self]

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:  # noqa: ANN401, ARG002 - LlamaIndex's signature
        """Take note of an event. It raises nothing: LlamaIndex would swallow that without a word."""
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001 - an observer changes nothing
            _logger.warning("FireLLaVACostHandler could not count a call: %s.", type(error).__name__)

    def _take(self, event: BaseEvent) -> None:
        match event:
            case LLMChatStartEvent() | LLMCompletionStartEvent():
                self._begin(event)
            case LLMChatInProgressEvent() | LLMCompletionInProgressEvent():
                if (call := self._calls.get(event.span_id)) is not None:
                    call.add(event.response)
            case LLMChatEndEvent() | LLMCompletionEndEvent():
                self._end(event.span_id, event.response, None)
            case ExceptionEvent():
                self._end(event.span_id, None, event.exception)
            case SpanDropEvent():
                # The event itself holds the error's text alone; it is sent while the error is handled.
                self._end(event.span_id, None, sys.exc_info()[1])

    def _begin(self, event: LLMChatStartEvent | LLMCompletionStartEvent) -> None:
        told = event.model_dict
        llm = _name(told, "class_name")
        # The answers of a structured LLM are those of the LLM it wraps, which reports for itself.
        if llm != StructuredLLM.class_name():
            model = _name(told, "model", "model_name", "class_name")
            self._calls.begin(event.span_id, model, llm, chat=isinstance(event, LLMChatStartEvent))

    def _end(
        self,
        span: str | None,
        response: ChatResponse | CompletionResponse | None,
        error: BaseException | None,
    ) -> None:
        call = self._calls.pop(span)
        if call is None:
            return
        if error is not None and call.latest is not None and is_ours(call.latest):
            # That piece was the whole answer: whoever stops there has it all.
            response, error = call.latest, None
        details = call_details(call, response, error)
        if not call.ends_with(outcome_object(response, error)):
            self._ledger(details)

    def __repr__(self) -> str:
        totals = self._ledger.totals
        unpriced = f", and {totals.unpriced:,} of unknown cost" if totals.unpriced else ""
        return (
            f"Requests: {totals.answered:,} answered, {totals.calls - totals.answered:,} not\n"
            f"Tokens: {totals.total_tokens:,}\n"
            f"\tPrompts: {totals.prompt_tokens:,} (images: {totals.image_tokens:,}, "
            f"cached: {totals.cached_tokens:,})\n"
            f"\tAnswers: {totals.completion_tokens:,} (reasoning: {totals.reasoning_tokens:,})\n"
            f"Cost: ${totals.cost_usd:f}{unpriced}"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """The ledger as notebooks show it."""
        return self._ledger._repr_html_()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self


def _name(told: dict[str, Any], *keys: str) -> str:
    """The first of these that is a name; LLMs tell different things about themselves."""
    return next((told[key] for key in keys if told.get(key) and isinstance(told[key], str)), "unknown")
