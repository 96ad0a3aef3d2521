"""One LLM call that LlamaIndex's events told of, as the core's `CallDetails`."""

from __future__ import annotations

import time
import uuid
from asyncio import CancelledError
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from llama_index.core.base.llms.types import CompletionResponse
from llama_index.core.callbacks.token_counting import get_tokens_from_response

from firellava.errors import FireLLaVAError
from firellava.hooks import CallDetails
from firellava.replies import Usage

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatResponse

    from firellava.hooks import CallOutcome
    from llama_index_firellava.calls_underway import CallUnderway

__all__ = ["call_details", "is_ours", "outcome_object"]

# What `llama_index_firellava.responses` puts beside every answer, and nobody else.
_OURS: Final = frozenset({"backend", "attempts", "cost_usd", "image_tokens"})
_COUNTS: Final = tuple(count.name for count in fields(Usage))
_NO_LONGER_WANTED: Final = (GeneratorExit, CancelledError)


def call_details(
    call: CallUnderway, response: ChatResponse | CompletionResponse | None, error: BaseException | None
) -> CallDetails:
    """The details of a call that has ended, as far as its events tell.

    Args:
        call: the call.
        response: its whole answer, if there is one.
        error: what was raised in its place, where that is known.
    """
    told = response.additional_kwargs if response is not None and is_ours(response) else {}
    usage = None if response is None else _usage(response)
    cost = told.get("cost_usd")
    failed_attempts = max(len(told.get("attempts", ())) - 1, 0)
    unpaid = isinstance(error, FireLLaVAError) and not error.may_be_billed
    counted = unpaid or (usage is not None and not failed_attempts)
    return CallDetails(
        question=uuid.uuid4().hex,
        attempt=failed_attempts,
        backend=told.get("backend", call.llm),
        kind=call.llm,
        local=told.get("local", False),
        server=None,
        model=told.get("model_name", call.model),
        answered_by=told.get("model_name"),
        operation="chat" if call.chat else "completion",
        streamed=call.first_piece is not None,
        started_at=call.started_at,
        seconds=time.monotonic() - call.clock,
        first_piece_seconds=None if call.first_piece is None else call.first_piece - call.clock,
        outcome=_outcome(call, response, error),
        error=_named(error),
        usage=usage,
        cost_usd=Decimal(0) if unpaid else None if cost is None else Decimal(cost),
        may_cost_more=not counted,
        finish_reasons=(told["finish_reason"],) if told.get("finish_reason") else (),
        degraded=told.get("degraded", False),
        request_id=told.get("request_id"),
    )


def _outcome(
    call: CallUnderway, response: ChatResponse | CompletionResponse | None, error: BaseException | None
) -> CallOutcome:
    if response is not None:
        return "answered"
    if isinstance(error, _NO_LONGER_WANTED):
        return "abandoned"
    return "failed" if call.first_piece is None else "broken"


def outcome_object(response: ChatResponse | CompletionResponse | None, error: BaseException | None) -> object:
    """The object that came out of a call, for `CallUnderway.ends_with`."""
    if response is None:
        return error
    if response.raw is not None:
        return response.raw
    return response.text if isinstance(response, CompletionResponse) else response.message.content


def is_ours(response: ChatResponse | CompletionResponse) -> bool:
    """Whether this is a whole answer of `llama_index_firellava.FireLLaVA`."""
    return response.additional_kwargs.keys() >= _OURS


def _usage(response: ChatResponse | CompletionResponse) -> Usage | None:
    """The tokens an answer states, where LLMs put them; None where it states none."""
    told = response.additional_kwargs
    if is_ours(response):
        return None if told["prompt_tokens"] is None else Usage(**{name: told[name] for name in _COUNTS})
    counts: tuple[object, object]
    try:
        counts = get_tokens_from_response(response)
    except Exception:  # noqa: BLE001 - a raw reply may be anything
        counts = (0, 0)
    if counts == (0, 0):
        counts = (told.get("prompt_tokens"), told.get("completion_tokens"))
    match counts:
        case (int(prompt), int(completion)):
            return Usage(prompt, completion, prompt + completion)
        case _:
            return None


def _named(error: BaseException | None) -> str | None:
    """What went wrong. Only the texts of our own errors are known to hold nothing of what was asked."""
    if error is None or isinstance(error, _NO_LONGER_WANTED):
        return None
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, FireLLaVAError) else name
