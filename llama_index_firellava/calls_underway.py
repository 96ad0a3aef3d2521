"""The LLM calls that LlamaIndex's events have begun and not yet ended, and which of them stand for others.

One LLM may answer by asking another, or by another of its own methods: ``CustomLLM.chat`` asks its own
``complete``. Both report the same answer, and it was paid once. Events do not say who called whom, so this is
kept in a context variable, which follows a call wherever it goes.
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatResponse, CompletionResponse

__all__ = ["CallUnderway", "CallsUnderway"]

# Streams that nobody reads begin and never end; the oldest records make room.
_MOST_CALLS: Final = 10_000
_DEEPEST_NESTING: Final = 16


@dataclass(slots=True, eq=False)
class CallUnderway:
    """One call of an LLM, from its start event to the event that ends it.

    Attributes:
        model: the model, as far as the LLM names it.
        llm: the name of the LLM's class.
        chat: whether it was asked in messages, not with a prompt.
        within: the calls this one was made in.
        started_at: seconds since the epoch.
        clock: the same moment on the monotonic clock.
        first_piece: the moment of the first piece of a streamed answer, or None.
        latest: the last piece of it.
        outcomes: how the calls made within this one ended: what each answered or raised.
        over: it has ended.
    """

    model: str
    llm: str
    chat: bool
    within: tuple[CallUnderway, ...]
    started_at: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)
    first_piece: float | None = None
    latest: ChatResponse | CompletionResponse | None = None
    outcomes: list[Any] = field(default_factory=list)
    over: bool = False

    def add(self, piece: ChatResponse | CompletionResponse) -> None:
        """A piece of the answer is there."""
        if self.first_piece is None:
            self.first_piece = time.monotonic()
        self.latest = piece

    def ends_with(self, outcome: object) -> bool:
        """End the call; return whether a call made within it ended so already, and was the real one.

        Args:
            outcome: the object that came out of it: a raw reply, a text or an exception. Whoever passes on
                what another call gave passes on the same one.
        """
        repeated = any(other is outcome for other in self.outcomes)
        for outer in self.within:
            if not outer.over:
                outer.outcomes.append(outcome)
        # Contexts hold on to this record; what it refers to need not stay.
        self.over, self.within, self.latest = True, (), None
        self.outcomes.clear()
        return repeated


_open_calls: ContextVar[tuple[CallUnderway, ...]] = ContextVar("firellava_llama_index_calls", default=())


class CallsUnderway:
    """The calls of one handler by the ids of their spans. Safe to share between threads.

    The garbage collector may end an abandoned stream at any moment, so also in the midst of a method here:
    hence the lock that its own thread can take again.
    """

    def __init__(self) -> None:
        self._calls: dict[str | None, CallUnderway] = {}
        self._lock = threading.RLock()

    def begin(self, span: str | None, model: str, llm: str, *, chat: bool) -> None:
        """A call begins in this context."""
        within = tuple(call for call in _open_calls.get() if not call.over)[-_DEEPEST_NESTING:]
        call = CallUnderway(model, llm, chat, within)
        _open_calls.set((*within, call))
        with self._lock:
            self._calls.pop(span, None)
            while len(self._calls) >= _MOST_CALLS:
                del self._calls[next(iter(self._calls))]
            self._calls[span] = call

    def get(self, span: str | None) -> CallUnderway | None:
        """The call with this span, if it is underway."""
        return self._calls.get(span)

    def pop(self, span: str | None) -> CallUnderway | None:
        """The call with this span, which ends now."""
        return self._calls.pop(span, None)
