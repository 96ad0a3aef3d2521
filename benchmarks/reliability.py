"""How well time is kept when things go wrong, and what an open circuit costs.

    python -m benchmarks.reliability

The first table has every case in which a server hangs or drips: how many milliseconds after its deadline (of
one second) a call came back, the latest of several calls in each way to ask. The second has what it takes to
ask a local backend directly, and behind an API that is dead and left alone. It ends with 1 where a call came
back 100 ms late or an open circuit cost 1 ms.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest

from firellava import Backend, FireLLaVAError, FireworksBackend, Message, ModelCard, ReplyChunk, VisionClient
from firellava.backends.base import InProcessBackend
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.routing.breaker import breaker_of
from tests.api_server import FIRELLAVA_13B, ApiServer, Fault
from tests.dead_servers import NameService, nobody_accepts, nobody_answers, nobody_listens, reads_slowly

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from firellava.backends.base import AttemptContext
    from firellava.messages import Request

DEADLINE = 1.0
MOST_MS_LATE = 100.0
MOST_MS_FOR_AN_OPEN_CIRCUIT = 1.0

_CALLS = 3
_QUESTION = [Message("user", "Hello one two three four five six")]
_LONG_QUESTION = [Message("user", "many words " * 3_000_000)]
_NEVER = 60.0
_ROW = "{:<42} {:>9} {:>9} {:>9} {:>9}"


def main() -> int:
    """Print both tables."""
    with ApiServer() as server, pytest.MonkeyPatch.context() as monkeypatch:
        late = _print_lateness(server, monkeypatch)
        cost = _print_cost(server)
    return int(late >= MOST_MS_LATE or cost >= MOST_MS_FOR_AN_OPEN_CIRCUIT)


def _whole(client: VisionClient, messages: list[Message]) -> None:
    client.chat(messages)


def _streamed(client: VisionClient, messages: list[Message]) -> None:
    for _ in client.stream(messages):
        pass


def _awhole(client: VisionClient, messages: list[Message]) -> None:
    async def run() -> None:
        await client.achat(messages)

    asyncio.run(run())


def _astreamed(client: VisionClient, messages: list[Message]) -> None:
    async def run() -> None:
        async for _ in client.astream(messages):
            pass

    asyncio.run(run())


_WAYS = {"chat": _whole, "stream": _streamed, "achat": _awhole, "astream": _astreamed}


class _World(NamedTuple):
    server: ApiServer
    monkeypatch: pytest.MonkeyPatch


_Settings = dict[str, Any]


def _faulty(*faults: Fault) -> Callable[[_World], AbstractContextManager[_Settings]]:
    @contextmanager
    def arrange(world: _World) -> Iterator[_Settings]:
        world.server.clear()
        world.server.fail_next(*faults, times=9)
        yield {"base_url": world.server.base_url}

    return arrange


@contextmanager
def _connection_hangs(_: _World) -> Iterator[_Settings]:
    with nobody_accepts() as port:
        yield {"base_url": f"http://127.0.0.1:{port}/v1"}


@contextmanager
def _every_address_hangs(world: _World) -> Iterator[_Settings]:
    with world.monkeypatch.context() as patched, nobody_accepts() as port:
        NameService(patched, *["127.0.0.1"] * 4)
        yield {"base_url": f"https://api.test:{port}/v1"}


@contextmanager
def _handshake_hangs(_: _World) -> Iterator[_Settings]:
    with nobody_answers() as port:
        yield {"base_url": f"https://127.0.0.1:{port}/v1"}


@contextmanager
def _request_is_not_taken(_: _World) -> Iterator[_Settings]:
    with nobody_answers() as port:
        yield {"base_url": f"http://127.0.0.1:{port}/v1", "messages": _LONG_QUESTION}


@contextmanager
def _request_is_taken_in_drips(_: _World) -> Iterator[_Settings]:
    with reads_slowly(0.02) as port:
        yield {"base_url": f"http://127.0.0.1:{port}/v1", "messages": _LONG_QUESTION}


@contextmanager
def _both_backends_hang(world: _World) -> Iterator[_Settings]:
    world.server.clear()
    world.server.fail_next(Fault(delay=_NEVER), times=9)
    other = FireworksBackend(base_url=world.server.base_url, api_key=world.server.key, model="qwen3p8-max")
    yield {"base_url": world.server.base_url, "fallback": other}


_CASES = {
    "connection hangs": _connection_hangs,
    "each of four addresses hangs": _every_address_hangs,
    "TLS handshake hangs": _handshake_hangs,
    "request of 33 MB is not taken": _request_is_not_taken,
    "request of 33 MB is taken in drips": _request_is_taken_in_drips,
    "silence before the headers": _faulty(Fault(delay=_NEVER)),
    "headers drip": _faulty(Fault(drip=0.02, drip_headers=True)),
    "silence after the headers": _faulty(Fault(stall=_NEVER, stall_after=0)),
    "silence in mid-body": _faulty(Fault(stall=_NEVER, stall_after=300)),
    "silence after a stream's first piece": _faulty(Fault(stall=_NEVER, stall_after=700)),
    "body drips": _faulty(Fault(drip=0.02)),
    "body drips, faster": _faulty(Fault(drip=0.001)),
    "error body drips": _faulty(Fault(status=503, message="busy " * 99, drip=0.02)),
    "503 each time, and a hang": _faulty(Fault(status=503), Fault(delay=_NEVER)),
    "API and fallback hang": _both_backends_hang,
}


def _print_lateness(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> float:
    """The first table; gives the latest return of all."""
    print(f"Milliseconds after the deadline of {DEADLINE:g} s, the latest of {_CALLS} calls:\n")
    print(_ROW.format("", *_WAYS))
    latest = 0.0
    for name, arrange in _CASES.items():
        row = [_lateness(ask, arrange, _World(server, monkeypatch)) for ask in _WAYS.values()]
        print(_ROW.format(name, *("answered" if late is None else f"{late:.1f}" for late in row)), flush=True)
        latest = max(latest, *(late for late in row if late is not None))
    print(f"\nlatest of all: {latest:.1f} ms\n")
    return latest


def _lateness(
    ask: Callable[[VisionClient, list[Message]], None],
    arrange: Callable[[_World], AbstractContextManager[_Settings]],
    world: _World,
) -> float | None:
    """Milliseconds from the deadline to the latest error; None where there was an answer before."""
    late = []
    for _ in range(_CALLS):
        breaker_of.cache_clear()
        with arrange(world) as settings:
            messages = settings.pop("messages", _QUESTION)
            client = VisionClient(**{"api_key": world.server.key, "deadline": DEADLINE, **settings})
            began = time.monotonic()
            try:
                ask(client, messages)
            except FireLLaVAError:
                late.append((time.monotonic() - began - DEADLINE) * 1000)
    return max(late, default=None)


class _Instant(InProcessBackend):
    """Answers at once, so that what is measured is what stands before it."""

    kind: Literal["instant"] = "instant"

    @property
    def label(self) -> str:
        return "instant"

    @property
    def model_card(self) -> ModelCard:
        return ModelCard(name="instant")

    def replies(self, request: Request, context: AttemptContext) -> Generator[ReplyChunk, None, None]:
        del request, context
        yield ReplyChunk(text="At once.", finish_reason="stop")
        yield ReplyChunk(last=True)


def _print_cost(server: ApiServer) -> float:
    """The second table; gives the highest cost of an open circuit."""
    server.clear()
    own = OpenAICompatibleBackend(base_url=server.base_url, model=FIRELLAVA_13B, api_key=server.key)
    print(
        "Median milliseconds of a call to a local backend alone, and behind an API whose circuit is open:\n"
    )
    print(_ROW.format("", "alone", "behind", "cost", "calls"))
    costs = []
    with nobody_listens() as port:
        dead = FireworksBackend(base_url=f"http://127.0.0.1:{port}/v1", api_key="k")
        for name, local, calls in (("answers at once", _Instant(), 4000), ("a server", own, 1000)):
            for way, timed in (("chat", _timed), ("achat", _atimed)):
                _leave_alone(dead)
                times = timed(VisionClient(backend=local), VisionClient(backend=dead, fallback=local), calls)
                alone, behind = (statistics.median(taken) * 1000 for taken in times)
                costs.append(behind - alone)
                row = f"{alone:.3f}", f"{behind:.3f}", f"{behind - alone:.3f}", calls
                print(_ROW.format(f"{way}, {name}", *row), flush=True)
    print(f"\nhighest cost of an open circuit: {max(costs):.3f} ms")
    return max(costs)


def _leave_alone(backend: Backend) -> None:
    """Open the backend's circuit for an hour."""
    breaker_of.cache_clear()
    breaker, now = breaker_of(backend), time.monotonic()
    while (permit := breaker.permit(now)) is not None:
        breaker.failed(permit, now, retry_after=3600)


def _timed(alone: VisionClient, behind: VisionClient, calls: int) -> tuple[list[float], list[float]]:
    """Seconds of each call, taken in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(calls):
        for client, taken in zip((alone, behind), times, strict=True):
            began = time.perf_counter()
            client.chat(_QUESTION)
            taken.append(time.perf_counter() - began)
    return times


def _atimed(alone: VisionClient, behind: VisionClient, calls: int) -> tuple[list[float], list[float]]:
    async def run() -> tuple[list[float], list[float]]:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(calls):
            for client, taken in zip((alone, behind), times, strict=True):
                began = time.perf_counter()
                await client.achat(_QUESTION)
                taken.append(time.perf_counter() - began)
        return times

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
