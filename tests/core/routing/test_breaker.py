"""The circuit breaker against an oracle, against fifty threads, and behind `VisionClient`."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from firellava import FireworksBackend, VisionClient
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import FireLLaVAError, ServerFailed
from firellava.routing.breaker import Breaker, Permit, breaker_of
from tests.api_server import FIRELLAVA_13B, ApiServer, Fault

Make = Callable[..., VisionClient]

THRESHOLD, FIRST_PAUSE, LONGEST_PAUSE, PROBE_EXPIRY = 2, 10.0, 35.0, 60.0
THREADS = 50


class Oracle:
    """What the breaker should do, told by the set of permits whose reports still count."""

    def __init__(self) -> None:
        self.counted: set[int] = set()
        self.failures, self.pause = 0, FIRST_PAUSE
        self.open_until = self.probed_until = 0.0
        self.closed = True

    def permits(self, now: float) -> bool:
        return self.closed or now >= max(self.open_until, self.probed_until)

    def given(self, number: int, now: float) -> None:
        self.counted = {*self.counted, number} if self.closed else {number}
        self.probed_until = self.probed_until if self.closed else now + PROBE_EXPIRY

    def succeeded(self, number: int) -> None:
        if number in self.counted:
            self.failures = 0
            if not self.closed:
                self.counted, self.closed, self.pause = set(), True, FIRST_PAUSE

    def failed(self, number: int, now: float, retry_after: float | None) -> None:
        if number in self.counted:
            self.failures += 1
            if not self.closed:
                self.pause = min(self.pause * 2, LONGEST_PAUSE)
            if not self.closed or self.failures == THRESHOLD:
                self.counted, self.closed, self.failures, self.probed_until = set(), False, 0, 0.0
                self.open_until = now + max(self.pause, retry_after or 0.0)

    def ignored(self, number: int) -> None:
        if not self.closed and number in self.counted:
            self.probed_until = 0.0


class BreakerAndOracle(RuleBasedStateMachine):
    """Any number of callers ask, wait, and report in any order, late or never."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(THRESHOLD, FIRST_PAUSE, LONGEST_PAUSE, PROBE_EXPIRY)
        self.oracle = Oracle()
        self.now = 100.0
        self.given = 0

    @rule(seconds=st.sampled_from([0.5, 5.0, FIRST_PAUSE, PROBE_EXPIRY]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_until_a_probe_is_due(self) -> None:
        self.now = max(self.now, self.oracle.open_until, self.oracle.probed_until)

    @rule(outcomes=st.lists(st.sampled_from(["succeeded", "failed"]), min_size=2, max_size=4))
    def ask_and_report_one_after_the_other(self, outcomes: list[str]) -> None:
        for outcome in outcomes:
            self.wait_until_a_probe_is_due()
            held = self.ask()
            if outcome == "failed":
                self.fail(held, None, settled=True)
            else:
                self.succeed(held, settled=True)
            self.they_agree_on_the_state()

    @rule(target=permits)
    def ask(self) -> Any:
        permit = self.breaker.permit(self.now)
        assert (permit is not None) == self.oracle.permits(self.now)
        if permit is None:
            return multiple()
        assert permit.probe is not self.oracle.closed
        self.given += 1
        self.oracle.given(self.given, self.now)
        return self.given, permit

    @rule(held=consumes(permits), settled=st.booleans())
    def succeed(self, held: tuple[int, Permit], *, settled: bool) -> None:
        number, permit = held
        self.breaker.succeeded(permit)
        self.oracle.succeeded(number)
        if settled:
            self.ignore(held)

    @rule(
        held=consumes(permits),
        retry_after=st.sampled_from([None, 1.0, 2 * LONGEST_PAUSE]),
        settled=st.booleans(),
    )
    def fail(self, held: tuple[int, Permit], retry_after: float | None, *, settled: bool) -> None:
        number, permit = held
        self.breaker.failed(permit, self.now, retry_after)
        self.oracle.failed(number, self.now, retry_after)
        if settled:
            self.ignore(held)

    @rule(held=consumes(permits))
    def ignore(self, held: tuple[int, Permit]) -> None:
        number, permit = held
        self.breaker.ignored(permit)
        self.oracle.ignored(number)

    @invariant()
    def they_agree_on_the_state(self) -> None:
        opened = "open" if self.now < self.oracle.open_until else "half-open"
        assert self.breaker.state(self.now) == ("closed" if self.oracle.closed else opened)


TestBreakerAndOracle = BreakerAndOracle.TestCase
TestBreakerAndOracle.settings = settings(max_examples=1000, stateful_step_count=25, deadline=None)


def opened(**limits: float) -> Breaker:
    breaker = Breaker(THRESHOLD, **limits)
    for _ in range(THRESHOLD):
        breaker.failed(asked(breaker, 0.0), 0.0)
    return breaker


def asked(breaker: Breaker, now: float) -> Permit:
    permit = breaker.permit(now)
    assert permit is not None
    return permit


class TestTheBreaker:
    def test_opens_after_failures_in_a_row_only(self) -> None:
        breaker = Breaker(threshold=2)
        for report in (breaker.failed, lambda permit, _: breaker.succeeded(permit), breaker.failed):
            report(asked(breaker, 0.0), 0.0)
        assert breaker.state(0.0) == "closed"
        breaker.failed(asked(breaker, 0.0), 0.0)
        assert breaker.state(0.0) == "open"
        assert breaker.permit(0.0) is None

    def test_lets_one_of_fifty_threads_probe(self) -> None:
        breaker = opened(first_pause=10.0)
        together = Barrier(THREADS)

        def ask(_: int) -> Permit | None:
            together.wait()
            return breaker.permit(10.0)

        with ThreadPoolExecutor(THREADS) as threads:
            permits = [permit for permit in threads.map(ask, range(THREADS)) if permit is not None]
        assert len(permits) == 1
        assert permits[0].probe

    def test_closes_with_the_success_of_a_probe_and_forgets_how_long_it_waited(self) -> None:
        breaker = opened(first_pause=10.0)
        breaker.failed(asked(breaker, 10.0), 10.0)
        breaker.succeeded(asked(breaker, 30.0))
        assert breaker.state(30.0) == "closed"
        for _ in range(THRESHOLD):
            breaker.failed(asked(breaker, 30.0), 30.0)
        assert breaker.permit(39.9) is None
        assert asked(breaker, 40.0).probe

    def test_waits_twice_as_long_after_each_failed_probe_up_to_a_limit(self) -> None:
        breaker, now = opened(first_pause=10.0, longest_pause=35.0), 0.0
        for pause in (10.0, 20.0, 35.0, 35.0):
            assert breaker.permit(now + pause - 0.1) is None
            now += pause
            breaker.failed(asked(breaker, now), now)

    @pytest.mark.parametrize(("retry_after", "until"), [(5.0, 10.0), (90.0, 90.0), (None, 10.0)])
    def test_waits_for_the_later_of_its_pause_and_what_the_server_asks(
        self, retry_after: float | None, until: float
    ) -> None:
        breaker = Breaker(threshold=1, first_pause=10.0)
        breaker.failed(asked(breaker, 0.0), 0.0, retry_after)
        assert breaker.permit(until - 0.1) is None
        assert breaker.permit(until) is not None

    def test_gives_the_probe_to_another_when_it_taught_nothing(self) -> None:
        breaker = opened(first_pause=10.0)
        breaker.ignored(asked(breaker, 10.0))
        assert asked(breaker, 10.0).probe

    def test_gives_the_probe_to_another_when_it_was_never_reported(self) -> None:
        breaker = opened(first_pause=10.0, probe_expiry=60.0)
        lost = asked(breaker, 10.0)
        assert breaker.permit(69.9) is None
        second = asked(breaker, 70.0)
        breaker.succeeded(lost)
        assert breaker.state(70.0) == "half-open"
        breaker.succeeded(second)
        assert breaker.state(70.0) == "closed"

    def test_does_not_listen_to_reports_about_an_earlier_state(self) -> None:
        breaker = Breaker(threshold=1, first_pause=10.0)
        early, late = asked(breaker, 0.0), asked(breaker, 0.0)
        breaker.failed(early, 0.0)
        breaker.succeeded(late)
        assert breaker.state(0.0) == "open"
        breaker.succeeded(asked(breaker, 10.0))
        breaker.failed(late, 11.0)
        assert breaker.state(11.0) == "closed"


@pytest.fixture(scope="module")
def local_server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def local(local_server: ApiServer) -> OpenAICompatibleBackend:
    local_server.clear()
    return OpenAICompatibleBackend(
        base_url=local_server.base_url, model=FIRELLAVA_13B, api_key=local_server.key
    )


@pytest.fixture
def cloud(api_server: ApiServer) -> FireworksBackend:
    return FireworksBackend(api_key=api_server.key, base_url=api_server.base_url)


def half_open(backend: FireworksBackend) -> Breaker:
    """The backend's breaker after an outage that is a while ago."""
    breaker, long_ago = breaker_of(backend), time.monotonic() - 100
    for _ in range(5):
        breaker.failed(asked(breaker, long_ago), long_ago)
    assert breaker.state(time.monotonic()) == "half-open"
    return breaker


def arrived(server: ApiServer) -> None:
    """Wait for a request to reach the server."""
    while not server.requests:
        time.sleep(0.01)


class TestBehindTheClient:
    def test_synchronous_and_asynchronous_callers_share_it(
        self, cloud: FireworksBackend, local: OpenAICompatibleBackend, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(status=500), times=20)
        client, same = (VisionClient(backend=cloud.model_copy(), fallback=local) for _ in range(2))
        for _ in range(3):
            client.ask("Hello")
        for _ in range(2):
            asyncio.run(same.aask("Hello"))
        assert len(api_server.requests) == 5
        for reply in (client.ask("Hello"), asyncio.run(same.aask("Hello"))):
            assert reply.backend == local.label
            assert [attempt.reason for attempt in reply.fallback_from] == [
                f"CircuitOpen: {cloud.label} failed several times in a row and is left alone for a while."
            ]
        assert len(api_server.requests) == 5

    @pytest.mark.parametrize("fault", [Fault(status=500), Fault(drop=True), Fault(body=b"?")], ids=repr)
    def test_fifty_callers_send_one_probe(
        self, cloud: FireworksBackend, local: OpenAICompatibleBackend, api_server: ApiServer, fault: Fault
    ) -> None:
        breaker = half_open(cloud)
        api_server.fail_next(fault, times=THREADS)
        client = VisionClient(backend=cloud, fallback=local)
        with ThreadPoolExecutor(THREADS) as threads:
            replies = list(threads.map(lambda _: client.ask("Hello"), range(THREADS)))
        assert [reply.backend for reply in replies] == [local.label] * THREADS
        assert len(api_server.requests) == 1
        assert breaker.state(time.monotonic()) == "open"

    def test_a_probe_that_succeeds_brings_the_backend_back(
        self, cloud: FireworksBackend, local: OpenAICompatibleBackend
    ) -> None:
        breaker = half_open(cloud)
        assert VisionClient(backend=cloud, fallback=local).ask("Hello").backend == cloud.label
        assert breaker.state(time.monotonic()) == "closed"

    async def test_a_cancelled_probe_makes_room_for_another(
        self, cloud: FireworksBackend, local: OpenAICompatibleBackend, api_server: ApiServer
    ) -> None:
        breaker = half_open(cloud)
        api_server.fail_next(Fault(delay=60))
        client = VisionClient(backend=cloud, fallback=local)
        probing = asyncio.create_task(client.aask("Hello"))
        await asyncio.to_thread(arrived, api_server)
        assert breaker.permit(time.monotonic()) is None
        probing.cancel()
        with suppress(asyncio.CancelledError):
            await probing
        assert (await client.aask("Hello")).backend == cloud.label

    def test_a_failing_local_backend_does_not_touch_the_clouds(
        self,
        cloud: FireworksBackend,
        local: OpenAICompatibleBackend,
        local_server: ApiServer,
        api_server: ApiServer,
    ) -> None:
        local_server.fail_next(Fault(status=500), times=20)
        client = VisionClient(backend=cloud, fallback=local)
        for _ in range(6):
            api_server.fail_next(Fault(status=500), Fault())
            with pytest.raises(FireLLaVAError):
                client.ask("Hello")
            assert client.ask("Hello").backend == cloud.label
        assert breaker_of(local).state(time.monotonic()) == "open"
        assert breaker_of(cloud).state(time.monotonic()) == "closed"

    def test_the_only_backend_is_asked_though_its_circuit_is_open(
        self, cloud: FireworksBackend, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(status=500), times=6)
        client = VisionClient(backend=cloud)
        for _ in range(6):
            with pytest.raises(ServerFailed):
                client.ask("Hello")
        assert breaker_of(cloud).state(time.monotonic()) == "open"
        assert client.ask("Hello").backend == cloud.label
