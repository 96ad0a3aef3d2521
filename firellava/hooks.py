"""What can be told about a call of a backend once it is over, and who wants to be told.

A `CallHook` is any callable that takes a `CallDetails`: a `Ledger`, the OpenTelemetry hook, or a function of
your own. Details hold no bytes of an image, no text of a message and no key, so that they can be logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from firellava.replies import Usage

__all__ = ["CallDetails", "CallHook", "CallOutcome"]

CallOutcome: TypeAlias = Literal["answered", "broken", "abandoned", "failed"]
"""How a call ended: with its whole answer, half-way through it, no longer wanted, or without any answer."""


@dataclass(frozen=True, slots=True)
class CallDetails:
    """One call of one backend. A question that is retried or falls back is several calls.

    Attributes:
        question: names the question; the calls made to answer it have it in common.
        attempt: which of these calls it was, from 0.
        backend: the label of the backend.
        kind: what sort of backend, such as ``fireworks`` or ``offline_reader``.
        local: whether nothing left this machine.
        server: host and port of a backend that is asked over HTTP, else None.
        model: the model that was asked, by the name its server has for it.
        answered_by: the model the server says answered, or None where it did not say.
        operation: ``chat``, or ``completion`` for a raw prompt.
        streamed: whether the answer was wanted piece by piece.
        started_at: seconds since the epoch (UTC).
        seconds: how long the call took, to the end of its answer.
        first_piece_seconds: how long until the first piece of a streamed answer was there, else None.
        outcome: how it ended.
        error: the class and message of what went wrong, in one line, or None.
        usage: the tokens the backend stated, or None where it did not; of an answer that was not whole, the
            last count that arrived.
        cost_usd: dollars for these tokens; zero where it is known that nothing was billed; None where tokens
            or prices are unknown.
        may_cost_more: the call was, or may have been, billed for more than `cost_usd` says.
        images: the SHA-256 of each image in order, in hexadecimal; of an image given by URL, ``url``.
        tags: those of the `track_cost` blocks around the call, outermost first.
        parameters: what steered generation, such as ``max_tokens``; no texts but stop sequences.
        finish_reasons: why each answer ended.
        degraded: whether something other than a vision-language model answered.
        request_id: the server's name for the call.
    """

    question: str
    attempt: int
    backend: str
    kind: str
    local: bool
    server: str | None
    model: str
    answered_by: str | None
    operation: Literal["chat", "completion"]
    streamed: bool
    started_at: float
    seconds: float
    first_piece_seconds: float | None
    outcome: CallOutcome
    error: str | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    may_cost_more: bool = False
    images: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    finish_reasons: tuple[str, ...] = ()
    degraded: bool = False
    request_id: str | None = None


class CallHook(Protocol):
    """Whoever wants to know of calls.

    It is called once for each call of a backend, when the call is over, in the thread (or on the event loop)
    that made it: keep it short. Context variables are those of the moment the question was asked. What it
    raises is logged and changes nothing.
    """

    def __call__(self, details: CallDetails, /) -> None:
        """Take note of a call."""
