"""The HTTP backend on a bad day: refusals, retries, time limits, broken streams, odd usage, secrets."""

import asyncio
import logging
import pickle
import socket
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firellava import FireLLaVAError, FireworksBackend, Message, VisionClient
from firellava.errors import (
    AllBackendsFailed,
    AttemptTimedOut,
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UnreadableReply,
)
from tests.api_server import ApiServer, Fault, UsagePlacement

Make = Callable[..., VisionClient]
HELLO = [Message("user", "Hello one two three four five six")]
GREETING = "question: Hello one two three four five six"


def whole(client: VisionClient) -> str:
    return client.chat(HELLO).text


def streamed(client: VisionClient) -> str:
    return "".join(chunk.text for chunk in client.stream(HELLO))


def awhole(client: VisionClient) -> str:
    async def run() -> str:
        return (await client.achat(HELLO)).text

    return asyncio.run(run())


def astreamed(client: VisionClient) -> str:
    async def run() -> str:
        return "".join([chunk.text async for chunk in client.astream(HELLO)])

    return asyncio.run(run())


each_way = pytest.mark.parametrize("ask", [whole, streamed, awhole, astreamed])
each_stream = pytest.mark.parametrize("ask", [streamed, astreamed])
Ask = Callable[[VisionClient], str]


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address on this machine where nobody listens."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unheard.getsockname()[1]}/v1"


class TestARefusal:
    @each_way
    def test_that_may_pass_is_tried_again(
        self, client: VisionClient, api_server: ApiServer, ask: Ask
    ) -> None:
        api_server.fail_next(Fault(status=429, headers={"retry-after-ms": "1"}), Fault(status=503))
        assert ask(client) == GREETING
        assert len(api_server.requests) == 3

    @each_way
    def test_that_will_not_pass_is_raised_at_once(
        self, client: VisionClient, api_server: ApiServer, ask: Ask
    ) -> None:
        for status, kind in ((401, AuthenticationFailed), (500, ServerFailed)):
            api_server.clear()
            api_server.fail_next(Fault(status=status))
            with pytest.raises(kind) as raised:
                ask(client)
            assert raised.value.backend == "fireworks:firellava-13b"
            assert len(api_server.requests) == 1

    def test_is_raised_when_the_retries_are_used_up(self, client_for: Make, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=429, headers={"retry-after-ms": "1"}), times=9)
        with pytest.raises(RateLimited):
            whole(client_for(max_retries=1))
        assert len(api_server.requests) == 2

    @each_stream
    def test_inside_a_stream_is_recognised(
        self, client: VisionClient, api_server: ApiServer, ask: Ask
    ) -> None:
        body = b'data: {"error": {"message": "overloaded", "code": 500}}\n\ndata: [DONE]\n\n'
        api_server.fail_next(Fault(body=body, headers={"content-type": "text/event-stream"}))
        with pytest.raises(ServerFailed, match="overloaded"):
            ask(client)

    def test_redirects_are_not_followed(self, client: VisionClient, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=307, headers={"location": "/elsewhere"}))
        with pytest.raises(FireLLaVAError, match="base_url"):
            whole(client)
        assert len(api_server.requests) == 1


class TestAConnection:
    @each_way
    def test_that_cannot_be_made_is_tried_again_and_then_told(
        self, client_for: Make, dead_url: str, ask: Ask
    ) -> None:
        with pytest.raises(ConnectionFailed, match=r"No connection to 127\.0\.0\.1"):
            ask(client_for(base_url=dead_url, max_retries=1))

    @each_way
    def test_that_is_dropped_after_the_request_is_not_used_again(
        self, client: VisionClient, api_server: ApiServer, ask: Ask
    ) -> None:
        api_server.fail_next(Fault(drop=True))
        with pytest.raises(ConnectionFailed):
            ask(client)
        assert len(api_server.requests) == 1

    @each_way
    def test_that_fails_gives_way_to_the_next_backend(
        self, client_for: Make, api_server: ApiServer, dead_url: str, ask: Ask
    ) -> None:
        second = FireworksBackend(api_key=api_server.key, base_url=api_server.base_url, model="qwen3p8-max")
        client = client_for(base_url=dead_url, max_retries=0, fallback=second)
        assert ask(client) == GREETING

    def test_of_every_backend_failing_tells_of_each(self, client_for: Make, dead_url: str) -> None:
        second = FireworksBackend(api_key="k", base_url=dead_url, model="qwen3p8-max")
        with pytest.raises(AllBackendsFailed) as raised:
            whole(client_for(base_url=dead_url, max_retries=0, fallback=second))
        assert [attempt.backend for attempt in raised.value.attempts] == [
            "fireworks:firellava-13b",
            "fireworks:qwen3p8-max",
        ]


NEVER = 60.0
MOST_OF_A_STREAM = 1000


class TestTime:
    """Every fault here would last a minute or more: the tests end because the limit is kept."""

    @each_way
    @pytest.mark.parametrize(
        "fault",
        [
            Fault(delay=NEVER),
            Fault(stall=NEVER),
            Fault(stall=NEVER, stall_after=0),
            Fault(drip=0.05, drip_headers=True, headers={"x-long": "x" * 2000}),
        ],
        ids=["silence", "stall in the first event", "stall after the headers", "dripping headers"],
    )
    def test_an_attempt_ends_with_its_timeout(
        self, client_for: Make, api_server: ApiServer, ask: Ask, fault: Fault
    ) -> None:
        api_server.fail_next(fault)
        with pytest.raises(AttemptTimedOut):
            ask(client_for(timeout=0.3))
        assert len(api_server.requests) == 1

    @pytest.mark.parametrize("ask", [whole, awhole])
    def test_a_dripping_reply_ends_with_the_timeout(
        self, client_for: Make, api_server: ApiServer, ask: Ask
    ) -> None:
        api_server.fail_next(Fault(drip=0.2))
        with pytest.raises(AttemptTimedOut):
            ask(client_for(timeout=0.5))

    @each_stream
    def test_a_dripping_stream_ends_with_the_deadline(
        self, client_for: Make, api_server: ApiServer, ask: Ask
    ) -> None:
        api_server.fail_next(Fault(drip=0.001))
        with pytest.raises(StreamBroken) as raised:
            ask(client_for(timeout=1.0, deadline=1.6))
        assert GREETING.startswith(raised.value.partial_text)
        assert raised.value.partial_text

    @each_way
    def test_the_deadline_ends_all_attempts(self, client_for: Make, api_server: ApiServer, ask: Ask) -> None:
        api_server.fail_next(Fault(status=503), Fault(delay=NEVER))
        with pytest.raises(DeadlineExceeded) as raised:
            ask(client_for(deadline=1.2))
        assert len(raised.value.attempts) == 2

    def test_a_hanging_backend_leaves_time_for_the_next(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(delay=NEVER))
        second = FireworksBackend(api_key=api_server.key, base_url=api_server.base_url, model="qwen3p8-max")
        assert whole(client_for(deadline=1.0, fallback=second)) == GREETING


class TestAReply:
    @each_way
    @pytest.mark.parametrize(
        "fault",
        [Fault(body=b"<html>"), Fault(body=b"[]"), Fault(body=b'{"choices": [7]}'), Fault(body=b"{}")],
    )
    def test_that_is_garbage_is_called_so(
        self, client: VisionClient, api_server: ApiServer, ask: Ask, fault: Fault
    ) -> None:
        api_server.fail_next(fault)
        with pytest.raises(UnreadableReply):
            ask(client)
        assert len(api_server.requests) == 1

    @each_stream
    def test_cut_at_any_byte_is_never_repeated(
        self, client: VisionClient, api_server: ApiServer, ask: Ask
    ) -> None:
        for cut in range(0, 3000, 37):
            api_server.clear()
            api_server.fail_next(Fault(cut_after=cut))
            heard = ""
            try:
                heard = ask(client)
            except StreamBroken as error:
                heard = error.partial_text
            except ConnectionFailed:
                assert cut < MOST_OF_A_STREAM
            else:
                assert heard == GREETING
            assert GREETING.startswith(heard)
            assert len(api_server.requests) == 1

    @each_stream
    def test_without_done_is_broken(self, client: VisionClient, api_server: ApiServer, ask: Ask) -> None:
        body = b'data: {"choices": [{"index": 0, "delta": {"content": "Half"}}]}\n\n'
        api_server.fail_next(Fault(body=body, headers={"content-type": "text/event-stream"}))
        with pytest.raises(StreamBroken) as raised:
            ask(client)
        assert raised.value.partial_text == "Half"

    def test_that_is_no_longer_wanted_closes_the_connection_without_an_error(
        self, client: VisionClient, api_server: ApiServer
    ) -> None:
        for _ in range(3):
            chunks = client.stream(HELLO)
            assert next(chunks).text
            chunks.close()
        assert whole(client) == GREETING
        assert len(api_server.requests) == 4

    @each_stream
    def test_of_a_server_that_does_not_stream_is_taken_whole(
        self, client: VisionClient, api_server: ApiServer, ask: Ask
    ) -> None:
        api_server.fail_next(Fault(body=b'{"choices": [{"message": {"content": "All at once"}}]}'))
        assert ask(client) == "All at once"

    @pytest.mark.parametrize("placement", UsagePlacement)
    def test_counts_usage_once_wherever_it_stands(
        self, client: VisionClient, api_server: ApiServer, placement: UsagePlacement
    ) -> None:
        truth = client.chat(HELLO).usage
        api_server.usage = placement
        *_, last = client.stream(HELLO)
        assert last.reply is not None
        if placement is UsagePlacement.NEVER:
            assert last.reply.usage is None
            assert last.reply.cost_usd is None
        else:
            assert last.reply.usage == truth


SENTINEL = "fw_sentinel_7h1s_k3y_mu57_n07_5h0w"


class TestTheKey:
    def test_is_in_no_error_log_or_traceback(
        self, client_for: Make, api_server: ApiServer, dead_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        client = client_for(api_key=SENTINEL, max_retries=0, timeout=0.5)
        shown = [repr(client), repr(client.backends[0])]
        faults = (Fault(), Fault(status=429), Fault(drop=True), Fault(delay=NEVER), Fault(body=b"x"))
        for ask in (whole, streamed, awhole, astreamed):
            for fault in faults:
                api_server.clear()
                api_server.fail_next(fault)
                shown += self._told(ask, client)
            shown += self._told(ask, client_for(api_key=SENTINEL, base_url=dead_url, max_retries=0))
        assert all(SENTINEL not in text for text in shown)
        assert SENTINEL not in caplog.text

    @staticmethod
    def _told(ask: Ask, client: VisionClient) -> list[str]:
        with pytest.raises(FireLLaVAError) as raised:
            ask(client)
        error = raised.value
        assert error.__context__ is None
        assert error.__cause__ is None
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        # The frames of this test module hold the client by name only.
        return [repr(error), str(vars(error)), "".join(report.format()), repr(pickle.dumps(error))]

    def test_stays_behind_when_a_backend_is_pickled_and_is_missed(self, api_server: ApiServer) -> None:
        backend = FireworksBackend(api_key=SENTINEL, base_url=api_server.base_url)
        pickled = pickle.dumps(backend)
        assert SENTINEL.encode() not in pickled
        assert SENTINEL not in str(backend.model_dump()) + backend.model_dump_json()
        for copy in (pickle.loads(pickled), FireworksBackend(**backend.model_dump())):  # noqa: S301 - our own
            with pytest.raises(ConfigurationError, match="stayed behind"):
                VisionClient(backend=copy, fallback="auto").ask("Hello")
        assert api_server.requests == []

    @pytest.mark.parametrize("key", ["", " ", "a b", "a\nb", "ключ", 7, b"bytes"])
    def test_that_cannot_be_sent_is_refused_without_repeating_it(self, key: Any) -> None:
        with pytest.raises(ConfigurationError) as raised:
            FireworksBackend(api_key=key)
        assert repr(key) not in str(raised.value)

    def test_with_spaces_around_it_is_cleaned(self) -> None:
        key = FireworksBackend(api_key=" abc\n").api_key
        assert key is not None
        assert key.get_secret_value() == "abc"
