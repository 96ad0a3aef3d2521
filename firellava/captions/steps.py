"""Work that waits, written once for both ways of waiting.

A generator yields a `Step` wherever it has to wait, and is sent what came of it; `carry_out` waits by holding
up its thread, `acarry_out` on the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

from firellava.offload import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

__all__ = ["Step", "Steps", "acarry_out", "blocking", "carry_out"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Step:
    """Something to wait for.

    Attributes:
        call: does it, and returns when it is done.
        acall: its asynchronous twin.
    """

    call: Callable[[], Any]
    acall: Callable[[], Awaitable[Any]]


Steps: TypeAlias = "Generator[Step, Any, _T]"
"""Work that returns a value after any number of steps."""


def blocking(function: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs) -> Step:
    """A call that holds up its thread: asynchronously it gets one of its own."""
    return Step(partial(function, *args, **kwargs), partial(in_thread, function, *args, **kwargs))


def carry_out(steps: Steps[_T]) -> _T:
    """Do the work here."""
    try:
        step = next(steps)
        while True:
            try:
                outcome = step.call()
            except BaseException as error:  # noqa: BLE001 - the work itself decides what becomes of it
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        result: _T = end.value
        return result


async def acarry_out(steps: Steps[_T]) -> _T:
    """Do the work without holding up the event loop."""
    try:
        step = next(steps)
        while True:
            try:
                outcome = await step.acall()
            except BaseException as error:  # noqa: BLE001 - as above
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        result: _T = end.value
        return result
