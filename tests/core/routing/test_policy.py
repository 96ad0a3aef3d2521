"""The routing policy, asked with plain ``.send()``: no clock, no network, no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from firellava import FireworksBackend, OfflineReader
from firellava.errors import (
    AllBackendsFailed,
    AttemptTimedOut,
    AuthenticationFailed,
    ConnectionFailed,
    DeadlineExceeded,
    FireLLaVAError,
    ImageError,
    MissingKey,
    ModelNotFound,
    RateLimited,
    ServerFailed,
    UnreadableReply,
    UnsupportedCapability,
)
from firellava.routing.events import Deliver, Ended, Failed, Open, Opened, Sleep, Woke
from firellava.routing.policy import Timing, route

if TYPE_CHECKING:
    from collections.abc import Generator

    from firellava.backends.base import Backend
    from firellava.routing.events import Action, Event

CLOUD = FireworksBackend(model="firellava-13b")
READER = OfflineReader()
DOWN = ConnectionFailed("down")


def routed(*backends: Backend, **timing: float | None) -> Generator[Action, Event, None]:
    return route(backends, Timing(**timing), now=100.0, jitter=lambda: 1.0)  # type: ignore[arg-type]


def refused(kind: type[FireLLaVAError], status: int, **details: object) -> FireLLaVAError:
    return kind("no", status=status, **details)  # type: ignore[call-arg]


def test_a_backend_that_opens_is_delivered_and_the_end_is_awaited() -> None:
    routing = routed(CLOUD)
    assert next(routing) == Open(CLOUD, 60.0, None)
    delivered = routing.send(Opened(101.5))
    assert isinstance(delivered, Deliver)
    assert [(a.backend, a.seconds, a.error) for a in delivered.attempts] == [(CLOUD.label, 1.5, None)]
    with pytest.raises(StopIteration):
        routing.send(Ended(102.0, "answered"))


@pytest.mark.parametrize(
    "error",
    [
        DOWN,
        AttemptTimedOut("connecting", sent=False),
        refused(ServerFailed, 408),
        refused(ServerFailed, 425),
        refused(RateLimited, 429),
        refused(RateLimited, 400),
        refused(ServerFailed, 502),
        refused(ServerFailed, 503),
        refused(ServerFailed, 504),
        refused(ServerFailed, 520),
        refused(ServerFailed, 500, should_retry=True),
    ],
    ids=repr,
)
def test_these_failures_are_tried_again(error: FireLLaVAError) -> None:
    routing = routed(CLOUD)
    next(routing)
    assert isinstance(routing.send(Failed(100.0, error)), Sleep)
    assert isinstance(routing.send(Woke(100.5)), Open)


@pytest.mark.parametrize(
    "error",
    [
        AttemptTimedOut("reading", sent=True),
        ConnectionFailed("lost", sent=True),
        UnreadableReply("garbage"),
        refused(ServerFailed, 500),
        refused(ServerFailed, 503, should_retry=False),
        refused(AuthenticationFailed, 401),
        refused(ModelNotFound, 404),
        ImageError("bad"),
        MissingKey("none"),
    ],
    ids=repr,
)
def test_these_failures_are_not_tried_again(error: FireLLaVAError) -> None:
    routing = routed(CLOUD)
    next(routing)
    with pytest.raises(type(error)) as raised:
        routing.send(Failed(100.0, error))
    assert raised.value is error


def test_retries_wait_longer_each_time_and_end() -> None:
    routing = routed(CLOUD, max_retries=2)
    next(routing)
    for wait in (0.5, 1.0):
        assert routing.send(Failed(100.0, DOWN)) == Sleep(wait)
        assert isinstance(routing.send(Woke(100.0)), Open)
    with pytest.raises(ConnectionFailed):
        routing.send(Failed(100.0, DOWN))


def test_jitter_shortens_a_wait_to_no_less_than_half() -> None:
    routing = route([CLOUD], Timing(), now=0.0, jitter=lambda: 0.0)
    next(routing)
    assert routing.send(Failed(0.0, DOWN)) == Sleep(0.25)


def test_retry_after_is_obeyed() -> None:
    routing = routed(CLOUD)
    next(routing)
    assert routing.send(Failed(100.0, refused(RateLimited, 429, retry_after=3.0))) == Sleep(3.0)


def test_a_wait_beyond_the_cap_is_not_waited_for() -> None:
    limited = refused(RateLimited, 429, retry_after=600.0)
    routing = routed(CLOUD, READER)
    next(routing)
    assert routing.send(Failed(100.0, limited)) == Open(READER, 60.0, None)


@pytest.mark.parametrize(
    "error",
    [
        MissingKey("none"),
        AttemptTimedOut("reading", sent=True),
        ConnectionFailed("lost", sent=True),
        UnreadableReply("garbage"),
        refused(ServerFailed, 500),
        UnsupportedCapability("no tools"),
    ],
    ids=repr,
)
def test_these_failures_are_reasons_to_ask_the_next_backend(error: FireLLaVAError) -> None:
    routing = routed(CLOUD, READER)
    next(routing)
    assert isinstance(opened := routing.send(Failed(100.0, error)), Open)
    assert opened.backend is READER
    delivered = routing.send(Opened(101.0))
    assert isinstance(delivered, Deliver)
    assert [a.error for a in delivered.attempts] == [error, None]


@pytest.mark.parametrize(
    "error",
    [refused(AuthenticationFailed, 401), refused(ModelNotFound, 404), ImageError("bad")],
    ids=repr,
)
def test_these_failures_are_raised_although_there_is_a_fallback(error: FireLLaVAError) -> None:
    routing = routed(CLOUD, READER)
    next(routing)
    with pytest.raises(type(error)):
        routing.send(Failed(100.0, error))


def test_when_several_backends_fail_the_error_tells_of_all() -> None:
    routing = routed(CLOUD, READER)
    next(routing)
    routing.send(Failed(100.0, MissingKey("no key")))
    with pytest.raises(AllBackendsFailed) as raised:
        routing.send(Failed(101.0, ImageError("no picture")))
    assert [a.backend for a in raised.value.attempts] == [CLOUD.label, READER.label]
    assert "no key" in str(raised.value)
    assert "no picture" in str(raised.value)


def test_an_attempt_gets_its_timeout_or_its_share_of_the_deadline() -> None:
    routing = routed(CLOUD, READER, timeout=30.0, deadline=10.0)
    assert next(routing) == Open(CLOUD, 5.0, 110.0)
    assert routing.send(Failed(105.0, AttemptTimedOut("hung", sent=True))) == Open(READER, 5.0, 110.0)


def test_the_deadline_covers_all_attempts_and_waits() -> None:
    routing = routed(CLOUD, timeout=None, deadline=2.0)
    next(routing)
    assert routing.send(Failed(101.0, DOWN)) == Sleep(0.5)
    assert routing.send(Woke(101.5)) == Open(CLOUD, 0.5, 102.0)
    with pytest.raises(DeadlineExceeded) as raised:
        routing.send(Failed(102.0, AttemptTimedOut("hung", sent=True)))
    assert len(raised.value.attempts) == 2


def test_no_wait_goes_beyond_the_deadline() -> None:
    routing = routed(CLOUD, deadline=1.0)
    next(routing)
    with pytest.raises(RateLimited):
        routing.send(Failed(100.5, refused(RateLimited, 429, retry_after=2.0)))
