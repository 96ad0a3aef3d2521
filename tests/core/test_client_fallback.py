"""Who is asked instead, and who never: ``fallback``, ``fallback_on``, ``local_only``; what the log says."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firellava import FireLLaVAError, FireworksBackend, Message, OfflineReader, VisionClient
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import (
    AllBackendsFailed,
    AuthenticationFailed,
    ConfigurationError,
    ModelNotFound,
    NothingToAsk,
    ServerFailed,
    StreamBroken,
    UnsupportedCapability,
)
from tests.api_server import QWEN_MAX, ApiServer, Fault

Make = Callable[..., VisionClient]
HELLO = [Message("user", "Hello one two three")]
GREETING = "question: Hello one two three"
RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"


def whole(client: VisionClient) -> Any:
    return client.chat(HELLO)


def streamed(client: VisionClient) -> Any:
    *_, last = client.stream(HELLO)
    return last.reply


def awhole(client: VisionClient) -> Any:
    return asyncio.run(client.achat(HELLO))


def astreamed(client: VisionClient) -> Any:
    async def run() -> Any:
        return [chunk async for chunk in client.astream(HELLO)][-1].reply

    return asyncio.run(run())


each_way = pytest.mark.parametrize("ask", [whole, streamed, awhole, astreamed])
Ask = Callable[[VisionClient], Any]


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is found, whatever runs on the one that runs the tests."""

    async def nothing(seconds: float | None) -> tuple[()]:
        return ()

    monkeypatch.setattr("firellava.pipeline.automatic_fallbacks", lambda seconds: ())
    monkeypatch.setattr("firellava.pipeline.automatic_fallbacks_async", nothing)


class TestAnAnswerFromElsewhere:
    @each_way
    def test_says_who_gave_it_and_why(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        api_server: ApiServer,
        local_server: ApiServer,
        ask: Ask,
    ) -> None:
        api_server.fail_next(Fault(status=500, message="out of memory"))
        reply = ask(client_for(fallback=local))
        assert (reply.text, reply.backend, reply.model) == (GREETING, local.label, QWEN_MAX)
        assert not reply.degraded
        assert reply.cost_usd == 0
        first, second = reply.attempts
        assert (first.backend, second.backend) == ("fireworks:firellava-13b", local.label)
        assert isinstance(first.error, ServerFailed)
        assert "out of memory" in reply.metadata()["fallback_from"][0]["reason"]
        assert (len(api_server.requests), len(local_server.requests)) == (1, 1)

    def test_of_the_same_name_is_told_too(
        self, client_for: Make, api_server: ApiServer, local_server: ApiServer
    ) -> None:
        twin = FireworksBackend(base_url=local_server.base_url, api_key=local_server.key)
        api_server.fail_next(Fault(status=500))
        reply = client_for(fallback=twin).ask("Hello")
        assert reply.backend == twin.label == "fireworks:firellava-13b"
        (missed,) = reply.fallback_from
        assert isinstance(missed.error, ServerFailed)

    def test_is_not_sought_once_a_stream_has_begun(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        api_server: ApiServer,
        local_server: ApiServer,
    ) -> None:
        event = b'data: {"choices": [{"index": 0, "delta": {"content": "Half"}}]}\n\n'
        api_server.fail_next(Fault(body=event, headers={"content-type": "text/event-stream"}))
        with pytest.raises(StreamBroken) as raised:
            streamed(client_for(fallback=local))
        assert raised.value.partial_text == "Half"
        assert (len(api_server.requests), len(local_server.requests)) == (1, 0)


class TestFallbackOn:
    @pytest.mark.parametrize("named", [ModelNotFound, "ModelNotFound", "RefusedByServer", FireLLaVAError])
    def test_makes_an_error_a_reason(
        self, client_for: Make, local: OpenAICompatibleBackend, api_server: ApiServer, named: Any
    ) -> None:
        api_server.fail_next(Fault(status=404))
        reply = whole(client_for(fallback=local, fallback_on=[named]))
        assert reply.backend == local.label

    @each_way
    def test_takes_the_place_of_the_usual_reasons(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        api_server: ApiServer,
        local_server: ApiServer,
        ask: Ask,
    ) -> None:
        api_server.fail_next(Fault(status=500))
        with pytest.raises(ServerFailed):
            ask(client_for(fallback=local, fallback_on=[ModelNotFound]))
        assert local_server.requests == []

    @each_way
    def test_a_refused_key_is_no_reason_unless_it_says_so(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        local_server: ApiServer,
        ask: Ask,
    ) -> None:
        with pytest.raises(AuthenticationFailed):
            ask(client_for(api_key="wrong", fallback=local))
        assert local_server.requests == []
        reply = ask(client_for(api_key="wrong", fallback=local, fallback_on=["AuthenticationFailed"]))
        assert reply.backend == local.label

    @pytest.mark.parametrize("named", ["NoSuchError", "annotations", ValueError, 7])
    def test_takes_only_errors_of_this_package(self, client_for: Make, named: Any) -> None:
        with pytest.raises(ConfigurationError, match="fallback_on"):
            client_for(fallback_on=[named])


class TestLocalOnly:
    @each_way
    def test_asks_this_machine_and_not_the_cloud(
        self, client_for: Make, local: OpenAICompatibleBackend, api_server: ApiServer, ask: Ask
    ) -> None:
        assert ask(client_for(fallback=local, local_only=True)).backend == local.label
        assert api_server.requests == []

    @each_way
    def test_does_not_ask_the_cloud_when_this_machine_fails(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        local_server: ApiServer,
        api_server: ApiServer,
        ask: Ask,
    ) -> None:
        cloud = FireworksBackend(api_key=api_server.key, base_url=api_server.base_url)
        local_server.fail_next(Fault(status=500), times=2)
        for client in (
            client_for(fallback=local, local_only=True),
            VisionClient(backend=local, fallback=cloud, local_only=True),
        ):
            with pytest.raises(ServerFailed):
                ask(client)
        assert api_server.requests == []

    @pytest.mark.engine("rapidocr")
    def test_without_a_fallback_asks_what_this_machine_has(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        reply = client_for(local_only=True).ask("What is the total?", RECEIPT)
        assert not reply.backend.startswith("fireworks")
        assert reply.fallback_from == ()
        assert api_server.requests == []

    @pytest.mark.usefixtures("bare_machine")
    @each_way
    def test_that_leaves_nothing_is_told_before_anything_is_sent(
        self, client_for: Make, api_server: ApiServer, ask: Ask
    ) -> None:
        cloud = FireworksBackend(api_key=api_server.key, base_url=api_server.base_url, model="qwen3p8-max")
        elsewhere = OpenAICompatibleBackend(base_url="http://192.168.1.5:8000", model="llava")
        for fallback in (None, cloud, elsewhere, "auto"):
            with pytest.raises(NothingToAsk):
                ask(client_for(fallback=fallback, local_only=True))
        assert api_server.requests == []


class TestTheLog:
    def test_has_one_line_for_an_outage_and_one_for_its_end(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        api_server: ApiServer,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO, logger="firellava")
        client = client_for(fallback=local)
        for outage in range(2):
            api_server.fail_next(Fault(status=500), times=3)
            for ask in (whole, awhole, streamed):
                assert ask(client).backend == local.label
            for ask in (astreamed, whole):
                assert ask(client).backend == "fireworks:firellava-13b"
            began, ended = caplog.records[2 * outage :]
            assert (began.levelname, ended.levelname) == ("WARNING", "INFO")
            assert began.getMessage().startswith(
                f"{local.label} answers instead of fireworks:firellava-13b (ServerFailed"
            )
            assert ended.getMessage() == "fireworks:firellava-13b answers again"

    def test_has_no_line_for_a_backend_that_only_cannot_do_what_was_asked(
        self,
        client_for: Make,
        local_server: ApiServer,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        able = FireworksBackend(model=QWEN_MAX, base_url=local_server.base_url, api_key=local_server.key)
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        reply = client_for(fallback=able).chat(HELLO, tools=[tool])
        assert [attempt.error.__class__ for attempt in reply.fallback_from] == [UnsupportedCapability]
        assert caplog.messages == []

    def test_has_no_line_where_nothing_changes(
        self, client_for: Make, api_server: ApiServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, logger="firellava")
        client = client_for(max_retries=1)
        api_server.fail_next(Fault(status=429, headers={"retry-after-ms": "1"}))
        whole(client)
        api_server.fail_next(Fault(status=500))
        with pytest.raises(ServerFailed):
            whole(client)
        assert caplog.records == []

    def test_names_each_backend_that_was_passed_over(
        self,
        client_for: Make,
        local: OpenAICompatibleBackend,
        local_server: ApiServer,
        api_server: ApiServer,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        second = FireworksBackend(api_key="k", base_url=api_server.base_url, model="qwen3p8-max")
        api_server.fail_next(Fault(status=500), times=2)
        whole(client_for(fallback=[second, local]))
        first_line, second_line = (record.getMessage() for record in caplog.records)
        assert f"{local.label} answers instead of fireworks:firellava-13b" in first_line
        assert f"{local.label} answers instead of fireworks:qwen3p8-max" in second_line


def test_when_nobody_answers_the_error_tells_of_each(
    client_for: Make, local: OpenAICompatibleBackend, local_server: ApiServer, api_server: ApiServer
) -> None:
    api_server.fail_next(Fault(status=500, message="cloudburst"), times=4)
    local_server.fail_next(Fault(body=b"?"), times=4)
    for ask in (whole, streamed, awhole, astreamed):
        with pytest.raises(AllBackendsFailed, match="cloudburst") as raised:
            ask(client_for(fallback=local))
        assert [attempt.backend for attempt in raised.value.attempts] == [
            "fireworks:firellava-13b",
            local.label,
        ]


@pytest.mark.engine("rapidocr")
def test_a_degraded_answer_says_so(client_for: Make, api_server: ApiServer) -> None:
    api_server.fail_next(Fault(drop=True))
    reply = client_for(fallback=OfflineReader()).ask("What is the total?", RECEIPT)
    assert (reply.backend, reply.degraded) == ("offline-reader", True)


class TestAKeyThatWasWithheld:
    """Settings that were stored without the key they had."""

    @each_way
    def test_is_missed_and_not_fallen_back_from(self, ask: Ask, api_server: ApiServer) -> None:
        client = VisionClient(base_url=api_server.base_url, key_withheld=True, fallback=OfflineReader())
        with pytest.raises(ConfigurationError, match="stayed behind"):
            ask(client)
        assert api_server.requests == []

    def test_counts_no_more_where_one_is_given_again(self, api_server: ApiServer) -> None:
        client = VisionClient(api_key=api_server.key, base_url=api_server.base_url, key_withheld=True)
        assert client.chat(HELLO).text == GREETING

    def test_is_nothing_to_a_backend_of_its_own(self, local: OpenAICompatibleBackend) -> None:
        assert VisionClient(backend=local, key_withheld=True).backend == local
