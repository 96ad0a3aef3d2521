"""What can go wrong with the API, as a table: how it is brought about, and what is expected then."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api_server import ApiServer, Fault
from tests.dead_servers import NameService, nobody_accepts, nobody_listens

FALLBACK = "fallback"
"""The outcome that the local backend answered."""

_NEVER = 60.0
_SHORT = 0.5
_PATIENT = 20.0


@dataclass(frozen=True, slots=True)
class World:
    """What a failure can act on.

    api_server     the API
    monkeypatch    for name resolution and the time a connection may take
    streamed       whether a stream is asked for
    """

    api_server: ApiServer
    monkeypatch: pytest.MonkeyPatch
    streamed: bool


Settings = dict[str, Any]
Arrange = Callable[[World], AbstractContextManager[Settings]]


@dataclass(frozen=True, slots=True)
class Failure:
    """One row of the matrix.

    name        what happens
    arrange     makes it happen, and gives the settings of the model that meets it
    attempts    how often the API is tried
    requests    how many requests reach it
    whole       the outcome expected where the answer is wanted in one piece: FALLBACK or an error's name
    streamed    the outcome expected where it is wanted as a stream
    """

    name: str
    arrange: Arrange
    attempts: int
    requests: int
    whole: str = FALLBACK
    streamed: str = FALLBACK

    def expected(self, *, streamed: bool) -> str:
        """The outcome expected."""
        return self.streamed if streamed else self.whole


@contextmanager
def _no_key(world: World) -> Iterator[Settings]:
    yield {"base_url": world.api_server.base_url}


@contextmanager
def _unknown_name(world: World) -> Iterator[Settings]:
    NameService(world.monkeypatch)
    yield {"base_url": "https://api.test/v1", "api_key": "k"}


@contextmanager
def _refused(world: World) -> Iterator[Settings]:
    with nobody_listens() as port:
        yield {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "k"}


@contextmanager
def _hanging(world: World) -> Iterator[Settings]:
    world.monkeypatch.setattr("firellava.backends.connections._CONNECT_SECONDS", _SHORT / 2)
    with nobody_accepts() as port:
        yield {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "k"}


def _faulty(whole: Fault, streamed: Fault | None = None, timeout: float = _PATIENT) -> Arrange:
    @contextmanager
    def arrange(world: World) -> Iterator[Settings]:
        fault = streamed if world.streamed and streamed is not None else whole
        world.api_server.fail_next(fault, times=9)
        server = world.api_server
        yield {"base_url": server.base_url, "api_key": server.key, "timeout": timeout}

    return arrange


def _status(status: int, **headers: str) -> Arrange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _faulty(Fault(status=status, headers=named))


_EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n'
_STREAM = b"".join(_EVENT % piece for piece in (b"question:", b" Hello", b" one", b" two"))
_AFTER_TWO_PIECES = len(_EVENT % b"question:" + _EVENT % b" Hello") + 20


def _stream(**how: Any) -> Fault:
    return Fault(body=_STREAM, headers={"content-type": "text/event-stream"}, **how)


_HALF_JSON = Fault(body=b'{"id": "1", "choices": [{"index": 0, "mess')
_GARBAGE = Fault(body=b"<html>\x00\xff not what was asked for", headers={"content-type": "text/html"})

FAILURES = (
    Failure("no API key", _no_key, attempts=1, requests=0),
    Failure("name does not resolve", _unknown_name, attempts=3, requests=0),
    Failure("connection refused", _refused, attempts=3, requests=0),
    Failure("connection hangs", _hanging, attempts=3, requests=0),
    Failure("silence before the headers", _faulty(Fault(delay=_NEVER), timeout=_SHORT), 1, 1),
    Failure(
        "silence in mid-body",
        _faulty(Fault(stall=_NEVER), _stream(stall=_NEVER, stall_after=_AFTER_TWO_PIECES), _SHORT),
        attempts=1,
        requests=1,
        streamed="StreamBroken",
    ),
    Failure("408 request timeout", _status(408), attempts=3, requests=3),
    Failure("425 too early", _status(425), attempts=3, requests=3),
    Failure("429, Retry-After: 0", _status(429, retry_after="0"), attempts=3, requests=3),
    Failure("429, Retry-After: 60", _status(429, retry_after="60"), attempts=1, requests=1),
    Failure("500", _status(500), attempts=1, requests=1),
    Failure("502", _status(502), attempts=3, requests=3),
    Failure("503", _status(503), attempts=3, requests=3),
    Failure("504", _status(504), attempts=3, requests=3),
    Failure("404 unknown model", _status(404), 1, 1, whole="ModelNotFound", streamed="ModelNotFound"),
    Failure("truncated JSON", _faulty(_HALF_JSON), attempts=1, requests=1),
    Failure("garbage instead of a reply", _faulty(_GARBAGE), attempts=1, requests=1),
    Failure(
        "cut before the first piece",
        _faulty(Fault(cut_after=20), _stream(cut_after=20)),
        attempts=1,
        requests=1,
    ),
    Failure(
        "cut after the first piece",
        _faulty(Fault(cut_after=200), _stream(cut_after=_AFTER_TWO_PIECES)),
        attempts=1,
        requests=1,
        streamed="StreamBroken",
    ),
)
