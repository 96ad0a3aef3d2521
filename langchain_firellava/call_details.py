"""One request to a model as LangChain's callbacks tell of it, made into the `CallDetails` of a ledger."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration

from firellava.errors import FireLLaVAError
from firellava.hooks import CallDetails
from firellava.replies import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from langchain_core.outputs import Generation, LLMResult

    from firellava.hooks import CallOutcome

__all__ = ["OpenRequest", "details_of", "is_from_cache", "is_marked_by_cache", "stated_usage"]

_TAGS_OF_LANGCHAIN: Final = ("seq:step:", "map:key:", "langsmith:")
"""How the tags begin that LangChain itself puts on the steps of a chain."""


@dataclass(slots=True)
class OpenRequest:
    """What is known about a request that has been sent and not been answered yet."""

    model: str
    provider: str
    operation: Literal["chat", "completion"]
    tags: tuple[str, ...]
    started_at: float
    started: float
    first_piece: float | None = None

    @classmethod
    def now(
        cls,
        operation: Literal["chat", "completion"],
        tags: Sequence[str] | None,
        metadata: Mapping[str, Any] | None,
    ) -> Self:
        """A request that is being sent; `tags` and `metadata` as LangChain tells them."""
        told = metadata or {}
        return cls(
            model=told.get("ls_model_name") or "",
            provider=told.get("ls_provider") or "",
            operation=operation,
            tags=tuple(tag for tag in tags or () if not tag.startswith(_TAGS_OF_LANGCHAIN)),
            started_at=time.time(),
            started=time.monotonic(),
        )


def is_from_cache(response: LLMResult) -> bool:
    """Whether LangChain's cache gave this answer."""
    return is_marked_by_cache(_usage_metadata(_first(response)))


def is_marked_by_cache(counted: Mapping[str, Any]) -> bool:
    """Whether this ``usage_metadata`` is of an answer from LangChain's cache: it marks what it gives."""
    return counted.get("total_cost") == 0


def details_of(
    request: OpenRequest, run_id: UUID, response: LLMResult | None, error: BaseException | None = None
) -> CallDetails:
    """A request that is over.

    Args:
        request: what was asked.
        run_id: LangChain's name for it.
        response: the answer, or what had come of it.
        error: why there is no whole answer, or None where there is one.
    """
    now = time.monotonic()
    generation = _first(response)
    outcome = _outcome(error, request)
    told = _metadata(generation)
    usage = stated_usage(_usage_metadata(generation))
    stated = told.get("cost_usd")
    cost = None if stated is None else Decimal(stated)
    if error is not None and cost is None and not _may_be_billed(error):
        cost = Decimal(0)
    model = told.get("model_name")
    provider = told.get("model_provider") or request.provider
    return CallDetails(
        question=run_id.hex,
        attempt=max(len(told.get("attempts") or ()) - 1, 0),
        backend=told.get("backend") or getattr(error, "backend", None) or provider,
        kind=provider,
        local=bool(told.get("local")),
        server=None,
        model=model or request.model,
        answered_by=model,
        operation=request.operation,
        streamed=request.first_piece is not None,
        started_at=request.started_at,
        seconds=now - request.started,
        first_piece_seconds=None if request.first_piece is None else request.first_piece - request.started,
        outcome=outcome,
        error=_in_one_line(error) if outcome != "abandoned" else None,
        usage=usage,
        cost_usd=cost,
        may_cost_more=cost is None and (error is not None or usage is None),
        tags=request.tags,
        finish_reasons=_finish_reasons(told),
        degraded=bool(told.get("degraded")),
        request_id=told.get("request_id"),
    )


def _first(response: LLMResult | None) -> Generation | None:
    """The first answer, which carries the usage of all of them."""
    generations = response.generations if response is not None else []
    return generations[0][0] if generations and generations[0] else None


def _usage_metadata(generation: Generation | None) -> Mapping[str, Any]:
    if isinstance(generation, ChatGeneration):
        message = generation.message
        return (message.usage_metadata or {}) if isinstance(message, AIMessage) else {}
    return _metadata(generation).get("usage_metadata") or {}


def _metadata(generation: Generation | None) -> Mapping[str, Any]:
    if isinstance(generation, ChatGeneration):
        return generation.message.response_metadata
    return (generation.generation_info or {}) if generation is not None else {}


def _outcome(error: BaseException | None, request: OpenRequest) -> CallOutcome:
    if error is None:
        return "answered"
    if isinstance(error, GeneratorExit | asyncio.CancelledError | KeyboardInterrupt):
        return "abandoned"
    return "failed" if request.first_piece is None else "broken"


def stated_usage(counted: Mapping[str, Any]) -> Usage | None:
    """LangChain's ``usage_metadata`` as the core's value, or None where it counts nothing."""
    if "input_tokens" not in counted:
        return None
    read, written = counted.get("input_token_details") or {}, counted.get("output_token_details") or {}
    return Usage(
        prompt_tokens=counted["input_tokens"],
        completion_tokens=counted["output_tokens"],
        total_tokens=counted["total_tokens"],
        image_tokens=read.get("image"),
        cached_tokens=read.get("cache_read"),
        reasoning_tokens=written.get("reasoning"),
    )


def _may_be_billed(error: BaseException) -> bool:
    """Whether the request may have been paid for although it failed with this."""
    return not isinstance(error, FireLLaVAError) or error.may_be_billed


def _in_one_line(error: BaseException | None) -> str | None:
    if isinstance(error, FireLLaVAError):
        return f"{type(error).__name__}: {error}"
    # Nobody knows what others write into their messages: a key, the bytes of an image.
    return None if error is None else type(error).__name__


def _finish_reasons(told: Mapping[str, Any]) -> tuple[str, ...]:
    reason = told.get("finish_reason")
    return (reason,) if isinstance(reason, str) else ()
