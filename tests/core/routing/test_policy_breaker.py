"""How the policy uses the breakers: who is passed over, and what an attempt's end says about its backend."""

from collections.abc import Callable, Generator

import pytest

from firellava import Backend, FireworksBackend, OfflineReader
from firellava.errors import (
    AccessDenied,
    AllBackendsFailed,
    AttemptTimedOut,
    AuthenticationFailed,
    BadRequest,
    CircuitOpen,
    ConnectionFailed,
    FireLLaVAError,
    LimitExceeded,
    MissingKey,
    ModelNotFound,
    RateLimited,
    ServerFailed,
    UnreadableImage,
    UnreadableReply,
    UnsafeURL,
    UnsupportedCapability,
)
from firellava.routing.breaker import Breaker
from firellava.routing.events import Action, Deliver, Ended, Event, Failed, Open, Opened, Outcome, Sleep
from firellava.routing.policy import FALLBACK_REASONS, Timing, route

CLOUD = FireworksBackend(model="firellava-13b")
OTHER = FireworksBackend(model="qwen3p8-max")
READER = OfflineReader()

Routed = Callable[..., Generator[Action, Event, None]]


@pytest.fixture
def breakers() -> dict[Backend, Breaker]:
    """Breakers that open at the first failure for ten seconds."""
    return {backend: Breaker(threshold=1, first_pause=10.0) for backend in (CLOUD, OTHER, READER)}


@pytest.fixture
def routed(breakers: dict[Backend, Breaker]) -> Routed:
    def begin(
        *backends: Backend,
        now: float = 100.0,
        fallback_on: tuple[type[FireLLaVAError], ...] = FALLBACK_REASONS,
    ) -> Generator[Action, Event, None]:
        timing = Timing(max_retries=0)
        return route(
            backends,
            timing,
            now=now,
            jitter=lambda: 0.0,
            breaker_of=breakers.__getitem__,
            fallback_on=fallback_on,
        )

    return begin


def refused(kind: type[FireLLaVAError], status: int, **details: object) -> FireLLaVAError:
    return kind("no", status=status, **details)  # type: ignore[call-arg]


def broken(breaker: Breaker, at: float = 100.0) -> None:
    permit = breaker.permit(at)
    assert permit is not None
    breaker.failed(permit, at)


def ended(routing: Generator[Action, Event, None], at: float, outcome: Outcome) -> None:
    with pytest.raises(StopIteration):
        routing.send(Ended(at, outcome))


class TestABackendWhoseCircuitIsOpen:
    def test_is_passed_over_where_another_stands_behind_it(
        self, routed: Routed, breakers: dict[Backend, Breaker]
    ) -> None:
        broken(breakers[CLOUD])
        routing = routed(CLOUD, READER)
        assert next(routing) == Open(READER, 60.0, None)
        delivered = routing.send(Opened(101.0))
        assert isinstance(delivered, Deliver)
        (passed, answered) = delivered.attempts
        assert (passed.backend, passed.seconds) == (CLOUD.label, 0.0)
        assert isinstance(passed.error, CircuitOpen)
        assert answered.error is None

    def test_is_asked_all_the_same_where_it_is_the_last(
        self, routed: Routed, breakers: dict[Backend, Breaker]
    ) -> None:
        broken(breakers[CLOUD])
        assert next(routed(CLOUD)) == Open(CLOUD, 60.0, None)
        broken(breakers[READER])
        assert next(routed(CLOUD, READER)) == Open(READER, 60.0, None)

    def test_is_told_of_when_the_others_fail_too(
        self, routed: Routed, breakers: dict[Backend, Breaker]
    ) -> None:
        broken(breakers[CLOUD])
        routing = routed(CLOUD, READER)
        next(routing)
        with pytest.raises(AllBackendsFailed, match="left alone for a while") as raised:
            routing.send(Failed(101.0, UnsupportedCapability("no tools")))
        assert [type(attempt.error) for attempt in raised.value.attempts] == [
            CircuitOpen,
            UnsupportedCapability,
        ]

    def test_is_not_passed_over_where_that_is_no_reason_to(
        self, routed: Routed, breakers: dict[Backend, Breaker]
    ) -> None:
        broken(breakers[CLOUD])
        with pytest.raises(CircuitOpen):
            next(routed(CLOUD, READER, fallback_on=(ServerFailed,)))

    def test_is_not_waited_for(self, breakers: dict[Backend, Breaker]) -> None:
        patient = Timing(max_retries=5)
        for backends, after in (((CLOUD, READER), Open), ((CLOUD,), Sleep)):
            breakers[CLOUD] = Breaker(threshold=1)
            routing = route(backends, patient, now=100.0, jitter=lambda: 0.0, breaker_of=breakers.__getitem__)
            next(routing)
            assert isinstance(routing.send(Failed(100.0, ConnectionFailed("down"))), after)


TROUBLE = [
    ConnectionFailed("no way"),
    ConnectionFailed("lost", sent=True),
    AttemptTimedOut("connecting"),
    AttemptTimedOut("reading", sent=True),
    UnreadableReply("garbage"),
    refused(RateLimited, 429),
    refused(ServerFailed, 408),
    refused(ServerFailed, 425),
    refused(ServerFailed, 500),
    refused(ServerFailed, 503),
]
NO_TROUBLE = [
    refused(BadRequest, 400),
    refused(BadRequest, 413),
    refused(BadRequest, 422),
    refused(AuthenticationFailed, 401),
    refused(AccessDenied, 402),
    refused(AccessDenied, 403),
    refused(ModelNotFound, 404),
    MissingKey("none"),
    UnreadableImage("bad"),
    UnsafeURL("no"),
    UnsupportedCapability("no tools"),
    LimitExceeded("too many"),
]


class TestAnAttempt:
    @pytest.mark.parametrize("error", TROUBLE, ids=repr)
    def test_counts_against_its_backend_where_that_is_in_trouble(
        self, routed: Routed, breakers: dict[Backend, Breaker], error: FireLLaVAError
    ) -> None:
        routing = routed(CLOUD, READER)
        next(routing)
        routing.send(Failed(100.0, error))
        assert breakers[CLOUD].state(100.0) == "open"
        assert breakers[READER].state(100.0) == "closed"

    @pytest.mark.parametrize("error", NO_TROUBLE, ids=repr)
    def test_that_fails_for_another_reason_says_nothing_about_it(
        self, routed: Routed, breakers: dict[Backend, Breaker], error: FireLLaVAError
    ) -> None:
        for backends in ((CLOUD,), (CLOUD, READER)):
            routing = routed(*backends, fallback_on=(FireLLaVAError,))
            next(routing)
            if len(backends) == 1:
                with pytest.raises(type(error)):
                    routing.send(Failed(100.0, error))
            else:
                routing.send(Failed(100.0, error))
            assert breakers[CLOUD].state(100.0) == "closed"

    @pytest.mark.parametrize("error", NO_TROUBLE, ids=repr)
    def test_that_taught_nothing_frees_the_probe(
        self, routed: Routed, breakers: dict[Backend, Breaker], error: FireLLaVAError
    ) -> None:
        broken(breakers[CLOUD], at=80.0)
        routing = routed(CLOUD)
        next(routing)
        assert breakers[CLOUD].permit(100.0) is None
        with pytest.raises(type(error)):
            routing.send(Failed(100.0, error))
        assert breakers[CLOUD].permit(100.0) is not None

    def test_whose_reply_breaks_counts_against_its_backend(
        self, routed: Routed, breakers: dict[Backend, Breaker]
    ) -> None:
        routing = routed(CLOUD, READER)
        next(routing)
        routing.send(Opened(101.0))
        assert breakers[CLOUD].state(101.0) == "closed"
        ended(routing, 102.0, "broken")
        assert breakers[CLOUD].state(102.0) == "open"

    @pytest.mark.parametrize("outcome", ["answered", "abandoned"])
    def test_whose_reply_came_closes_the_circuit(
        self, routed: Routed, breakers: dict[Backend, Breaker], outcome: Outcome
    ) -> None:
        broken(breakers[CLOUD], at=80.0)
        routing = routed(CLOUD, READER)
        next(routing)
        routing.send(Opened(101.0))
        assert breakers[CLOUD].state(101.0) == "half-open"
        ended(routing, 102.0, outcome)
        assert breakers[CLOUD].state(102.0) == "closed"

    def test_keeps_its_backend_closed_for_as_long_as_the_server_asks(
        self, routed: Routed, breakers: dict[Backend, Breaker]
    ) -> None:
        routing = routed(CLOUD, READER)
        next(routing)
        routing.send(Failed(100.0, refused(RateLimited, 429, retry_after=60.0)))
        assert breakers[CLOUD].state(159.0) == "open"
        assert breakers[CLOUD].state(160.0) == "half-open"

    @pytest.mark.parametrize("events", [[], [Opened(101.0)]], ids=["before", "after"])
    def test_that_is_given_up_frees_the_probe(
        self, routed: Routed, breakers: dict[Backend, Breaker], events: list[Event]
    ) -> None:
        broken(breakers[CLOUD], at=80.0)
        routing = routed(CLOUD, READER)
        next(routing)
        for event in events:
            routing.send(event)
        routing.close()
        probe = breakers[CLOUD].permit(101.0)
        assert probe is not None
        assert probe.probe


class TestFallbackOn:
    def test_decides_which_errors_lead_to_the_next_backend(self, routed: Routed) -> None:
        routing = routed(CLOUD, READER, fallback_on=(ModelNotFound,))
        next(routing)
        assert routing.send(Failed(100.0, refused(ModelNotFound, 404))) == Open(READER, 60.0, None)
        routing = routed(CLOUD, READER, fallback_on=(ModelNotFound,))
        next(routing)
        with pytest.raises(MissingKey):
            routing.send(Failed(100.0, MissingKey("none")))

    def test_takes_the_classes_below_those_named_too(self, routed: Routed) -> None:
        routing = routed(CLOUD, OTHER, READER, fallback_on=(FireLLaVAError,))
        next(routing)
        assert isinstance(routing.send(Failed(100.0, UnreadableImage("bad"))), Open)
        assert routing.send(Failed(100.0, refused(AuthenticationFailed, 401))) == Open(READER, 60.0, None)
