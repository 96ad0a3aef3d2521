"""Every call of a backend is told to the hooks exactly once, however it ends, with what is known of it."""

import asyncio
import contextvars
import hashlib
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firellava import FireLLaVAError, Message, OpenAICompatibleBackend, VisionClient
from firellava.costs.ledger import Ledger
from firellava.costs.tracking import track_cost
from firellava.errors import ConfigurationError
from firellava.hooks import CallDetails
from firellava.replies import Reply, ReplyChunk
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import encoded
from tests.dead_servers import nobody_listens
from tests.fixtures import tiny_model

Make = Callable[..., VisionClient]

HELLO = [Message("user", "Hello one two three four five")]
ANSWER = "question: Hello one two three four five"
PROMPT = "USER:\nHello\n\nASSISTANT:"
PRICE = Decimal("0.20") / 1_000_000
MID_STREAM = 700  # bytes into the answer to HELLO: some pieces are through, others are not


@pytest.fixture
def told() -> list[CallDetails]:
    return []


@pytest.fixture
def client(client_for: Make, told: list[CallDetails]) -> VisionClient:
    return client_for(hooks=[told.append], max_retries=0)


def only(told: list[CallDetails]) -> CallDetails:
    (details,) = told
    return details


async def gathered(chunks: AsyncGenerator[ReplyChunk, None]) -> list[ReplyChunk]:
    return [chunk async for chunk in chunks]


# Each way to ask, as a function that takes the client and gives the whole reply.
WAYS: dict[str, Callable[[VisionClient], Reply | None]] = {
    "chat": lambda client: client.chat(HELLO, temperature=0.5, max_tokens=50),
    "achat": lambda client: asyncio.run(client.achat(HELLO, temperature=0.5, max_tokens=50)),
    "stream": lambda client: list(client.stream(HELLO, temperature=0.5, max_tokens=50))[-1].reply,
    "astream": lambda client: (
        asyncio.run(gathered(client.astream(HELLO, temperature=0.5, max_tokens=50)))[-1].reply
    ),
    "complete": lambda client: client.complete(PROMPT, temperature=0.5, max_tokens=50),
    "acomplete": lambda client: asyncio.run(client.acomplete(PROMPT, temperature=0.5, max_tokens=50)),
    "stream_complete": lambda client: (
        list(client.stream_complete(PROMPT, temperature=0.5, max_tokens=50))[-1].reply
    ),
    "astream_complete": lambda client: (
        asyncio.run(gathered(client.astream_complete(PROMPT, temperature=0.5, max_tokens=50)))[-1].reply
    ),
}
FOUR_WAYS = ("chat", "achat", "stream", "astream")


class TestAnAnswer:
    @pytest.mark.parametrize("way", WAYS)
    def test_is_told_with_all_that_is_known(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails], way: str
    ) -> None:
        before = time.time()
        reply = WAYS[way](client)
        after = time.time()
        details = only(told)
        assert reply is not None
        assert reply.usage is not None
        streamed = "stream" in way
        known = {name: getattr(details, name) for name in (field.name for field in fields(CallDetails))}
        assert len(known.pop("question")) == 32
        assert before - 0.1 <= known.pop("started_at") <= after + 0.1
        seconds, first = known.pop("seconds"), known.pop("first_piece_seconds")
        assert 0 < seconds <= after - before + 0.1
        assert (0 < first <= seconds) if streamed else (first is None)
        assert known == {
            "attempt": 0,
            "backend": "fireworks:firellava-13b",
            "kind": "fireworks",
            "local": False,
            "server": f"127.0.0.1:{api_server.port}",
            "model": FIRELLAVA_13B,
            "answered_by": FIRELLAVA_13B,
            "operation": "completion" if "complete" in way else "chat",
            "streamed": streamed,
            "outcome": "answered",
            "error": None,
            "usage": reply.usage,
            "cost_usd": reply.cost_usd,
            "may_cost_more": False,
            "images": (),
            "tags": (),
            "parameters": {"temperature": 0.5, "max_tokens": 50},
            "finish_reasons": ("stop",),
            "degraded": False,
            "request_id": reply.request_id,
        }
        (billed,) = api_server.billed
        assert details.cost_usd == (billed.prompt + billed.completion) * PRICE

    def test_names_the_images_by_their_hashes_and_urls_not_at_all(
        self, client_for: Make, api_server: ApiServer, told: list[CallDetails], tmp_path: Path
    ) -> None:
        data = encoded("PNG", (30, 30))
        (tmp_path / "photo.png").write_bytes(data)
        api_server.host_image("https://example.com/cat.png?token=secret", data)
        client = client_for(model=QWEN_MAX, hooks=[told.append])
        client.ask("Which?", tmp_path / "photo.png", "https://example.com/cat.png?token=secret", data)
        digest = hashlib.sha256(data).hexdigest()
        assert only(told).images == (digest, "url", digest)

    def test_of_several_choices_is_one_call_with_all_their_tokens(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        client.chat(HELLO, n=3)
        (billed,) = api_server.billed
        details = only(told)
        assert details.finish_reasons == ("stop", "stop", "stop")
        assert details.usage is not None
        assert details.usage.completion_tokens == billed.completion
        assert details.cost_usd == (billed.prompt + billed.completion) * PRICE
        assert details.parameters == {"n": 3}

    @pytest.mark.parametrize("way", FOUR_WAYS)
    def test_whose_usage_nobody_told_may_cost_anything(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails], way: str
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        WAYS[way](client)
        details = only(told)
        assert (details.outcome, details.usage, details.cost_usd) == ("answered", None, None)
        assert details.may_cost_more

    def test_of_unknown_price_has_tokens_and_no_cost(
        self, client_for: Make, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        api_server.deploy("accounts/me/deployments/eyes")
        client_for(model="accounts/me/deployments/eyes", hooks=[told.append]).chat(HELLO)
        details = only(told)
        assert details.usage is not None
        assert details.cost_usd is None
        assert not details.may_cost_more

    def test_in_a_dearer_tier_has_no_known_cost(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        reply = client.chat(HELLO, service_tier="priority")
        assert only(told).cost_usd is reply.cost_usd is None

    @pytest.mark.parametrize("way", FOUR_WAYS)
    def test_of_a_server_on_this_machine_is_known_to_cost_nothing(
        self, local: OpenAICompatibleBackend, local_server: ApiServer, told: list[CallDetails], way: str
    ) -> None:
        local_server.usage = UsagePlacement.NEVER
        WAYS[way](VisionClient(backend=local, hooks=[told.append]))
        details = only(told)
        assert (details.local, details.outcome, details.usage) == (True, "answered", None)
        assert (details.cost_usd, details.may_cost_more) == (Decimal(0), False)
        assert (details.kind, details.server) == ("openai_compatible", f"127.0.0.1:{local_server.port}")

    @pytest.mark.engine("llama_cpp")
    def test_of_an_engine_in_this_process_is_known_to_cost_nothing(self, told: list[CallDetails]) -> None:
        client = VisionClient(backend=tiny_model.llama_cpp(), hooks=[told.append])
        client.ask("Describe the image.", tiny_model.CIRCLE, temperature=0)
        details = only(told)
        assert (details.kind, details.local, details.server) == ("llama_cpp", True, None)
        assert (details.cost_usd, details.may_cost_more, details.degraded) == (Decimal(0), False, False)
        assert details.usage is not None


class TestAFailure:
    @pytest.mark.parametrize("way", FOUR_WAYS)
    @pytest.mark.parametrize(
        ("status", "error", "billed"),
        [
            (400, "BadRequest", False),
            (401, "AuthenticationFailed", False),
            (429, "RateLimited", False),
            (500, "ServerFailed", False),
            (503, "ServerFailed", False),
            # Somebody in between gave up on a server that may have answered.
            (408, "ServerFailed", True),
            (502, "ServerFailed", True),
            (504, "ServerFailed", True),
            (520, "ServerFailed", True),
        ],
    )
    def test_that_the_server_states_is_told_once(
        self,
        client: VisionClient,
        api_server: ApiServer,
        told: list[CallDetails],
        way: str,
        status: int,
        error: str,
        billed: bool,  # noqa: FBT001 - a case of the test
    ) -> None:
        api_server.fail_next(Fault(status=status, headers={"x-request-id": "r-17"}))
        with pytest.raises(FireLLaVAError):
            WAYS[way](client)
        details = only(told)
        assert (details.outcome, details.usage, details.finish_reasons) == ("failed", None, ())
        assert details.error is not None
        assert details.error.startswith(f"{error}: ")
        assert "\n" not in details.error
        assert (details.cost_usd, details.may_cost_more) == ((None, True) if billed else (Decimal(0), False))
        assert details.request_id == "r-17"
        assert (details.answered_by, details.first_piece_seconds) == (None, None)

    @pytest.mark.parametrize("way", FOUR_WAYS)
    def test_to_connect_costs_nothing(self, client_for: Make, told: list[CallDetails], way: str) -> None:
        with nobody_listens() as port, pytest.raises(FireLLaVAError):
            WAYS[way](client_for(base_url=f"http://127.0.0.1:{port}/v1", hooks=[told.append], max_retries=0))
        details = only(told)
        assert (details.outcome, details.cost_usd, details.may_cost_more) == ("failed", Decimal(0), False)

    @pytest.mark.parametrize("way", FOUR_WAYS)
    @pytest.mark.parametrize(
        "fault",
        [Fault(delay=60.0), Fault(drop=True), Fault(body=b"garbage"), Fault(body=b"")],
        ids=["timed out", "lost", "garbled", "empty"],
    )
    def test_after_sending_may_have_been_billed(
        self, client_for: Make, api_server: ApiServer, told: list[CallDetails], way: str, fault: Fault
    ) -> None:
        api_server.fail_next(fault)
        with pytest.raises(FireLLaVAError):
            WAYS[way](client_for(hooks=[told.append], timeout=0.3 if fault.delay else 20.0))
        details = only(told)
        assert (details.outcome, details.cost_usd, details.may_cost_more) == ("failed", None, True)

    def test_that_is_tried_again_is_another_call_of_the_same_question(
        self, client_for: Make, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        api_server.fail_next(Fault(status=503, headers={"retry-after-ms": "1"}))
        client = client_for(hooks=[told.append])
        client.chat(HELLO)
        client.chat(HELLO)
        assert [(call.attempt, call.outcome) for call in told] == [
            (0, "failed"),
            (1, "answered"),
            (0, "answered"),
        ]
        first, second, other = (call.question for call in told)
        assert first == second != other

    def test_that_another_backend_makes_good_is_told_beside_the_answer(
        self,
        client_for: Make,
        api_server: ApiServer,
        local: OpenAICompatibleBackend,
        told: list[CallDetails],
    ) -> None:
        api_server.fail_next(Fault(status=500))
        client_for(hooks=[told.append], fallback=local).chat(HELLO)
        assert [(call.attempt, call.backend, call.local, call.outcome, call.cost_usd) for call in told] == [
            (0, "fireworks:firellava-13b", False, "failed", Decimal(0)),
            (1, local.label, True, "answered", Decimal(0)),
        ]
        assert len({call.question for call in told}) == 1

    def test_before_any_backend_is_asked_is_no_call(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails], tmp_path: Path
    ) -> None:
        with pytest.raises(FireLLaVAError):
            client.ask("What?", tmp_path / "missing.png")
        with pytest.raises(FireLLaVAError):
            asyncio.run(client.aask("What?", tmp_path / "missing.png"))
        with pytest.raises(FireLLaVAError):
            client.ask(" ")
        with pytest.raises(FireLLaVAError):
            client.chat(HELLO, temperature=9)
        assert told == []
        assert api_server.requests == []


def consume(chunks: Generator[ReplyChunk, None, None], pieces: int) -> None:
    for _ in range(pieces):
        next(chunks)
    chunks.close()


class TestAStream:
    @pytest.mark.parametrize("way", ["stream", "astream"])
    @pytest.mark.parametrize(
        "fault", [Fault(cut_after=MID_STREAM), Fault(truncate_after=MID_STREAM)], ids=str
    )
    def test_that_breaks_is_told_with_the_last_count_and_why(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails], way: str, fault: Fault
    ) -> None:
        api_server.usage = UsagePlacement.EVERY_CHUNK
        api_server.fail_next(fault)
        with pytest.raises(FireLLaVAError) as broken:
            WAYS[way](client)
        details = only(told)
        assert details.outcome == "broken"
        assert details.error == f"StreamBroken: {broken.value}"
        assert ANSWER[:8] not in details.error
        assert details.usage is not None
        assert details.cost_usd == (details.usage.prompt_tokens + details.usage.completion_tokens) * PRICE
        assert details.may_cost_more
        assert details.first_piece_seconds is not None
        (billed,) = api_server.billed
        assert details.usage.completion_tokens < billed.completion

    def test_that_is_closed_early_is_told(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        consume(client.stream(HELLO), 2)
        details = only(told)
        assert (details.outcome, details.error, details.usage) == ("abandoned", None, None)
        assert (details.cost_usd, details.may_cost_more) == (None, True)
        assert details.first_piece_seconds is not None

    def test_that_is_closed_after_its_last_piece_was_answered(
        self, client: VisionClient, told: list[CallDetails]
    ) -> None:
        pieces = len(list(client.stream(HELLO)))
        consume(client.stream(HELLO), pieces)
        assert [(call.outcome, call.may_cost_more) for call in told] == [("answered", False)] * 2

    def test_that_is_dropped_without_a_word_is_told(
        self, client: VisionClient, told: list[CallDetails]
    ) -> None:
        stream = client.stream(HELLO)
        next(stream)
        del stream
        assert only(told).outcome == "abandoned"

    def test_that_nobody_reads_from_was_never_asked(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        client.stream(HELLO).close()
        del client
        assert told == []
        assert api_server.requests == []

    async def test_that_is_closed_early_asynchronously_is_told(
        self, client: VisionClient, told: list[CallDetails]
    ) -> None:
        stream = client.astream(HELLO)
        await anext(stream)
        await stream.aclose()
        assert (only(told).outcome, only(told).may_cost_more) == ("abandoned", True)

    @pytest.mark.parametrize(
        ("way", "fault"),
        [
            ("achat", Fault(delay=60.0)),
            ("achat", Fault(stall=60.0)),
            ("astream", Fault(delay=60.0)),
            ("astream", Fault(stall=60.0, stall_after=MID_STREAM)),
        ],
        ids=["before the reply", "within the reply", "before the first piece", "after the first piece"],
    )
    async def test_whose_task_is_cancelled_is_told(
        self, client: VisionClient, api_server: ApiServer, told: list[CallDetails], way: str, fault: Fault
    ) -> None:
        api_server.fail_next(fault)
        heard = asyncio.Event()

        async def listen() -> None:
            if way == "achat":
                await client.achat(HELLO)
            async for _ in client.astream(HELLO):
                heard.set()

        task = asyncio.create_task(listen())
        if fault.stall and way == "astream":
            await heard.wait()
        while not api_server.requests:  # noqa: ASYNC110 - the server runs in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        details = only(told)
        assert (details.outcome, details.cost_usd, details.may_cost_more) == ("abandoned", None, True)
        assert (details.first_piece_seconds is not None) == heard.is_set()


@dataclass
class Unhashable:
    """A hook that compares by value and so has no hash."""

    heard: list[CallDetails] = field(default_factory=list)

    def __call__(self, details: CallDetails) -> None:
        self.heard.append(details)


class TestAHook:
    @pytest.mark.parametrize("way", WAYS)
    def test_that_raises_changes_nothing_and_is_logged_by_name(
        self, client_for: Make, told: list[CallDetails], caplog: pytest.LogCaptureFixture, way: str
    ) -> None:
        class Clumsy:
            def __call__(self, details: CallDetails) -> None:
                raise KeyError("a secret of yours")

        with caplog.at_level(logging.WARNING):
            reply = WAYS[way](client_for(hooks=[Clumsy(), told.append]))
        assert reply is not None
        assert reply.text
        assert only(told).outcome == "answered"
        (record,) = caplog.records
        assert record.name == "firellava"
        assert "Clumsy raised KeyError" in record.getMessage()
        assert "secret" not in caplog.text

    def test_need_not_be_hashable_and_is_told_once_for_each_time_it_stands_there(
        self, client_for: Make
    ) -> None:
        one, other = Unhashable(), Unhashable()
        client_for(hooks=[one, other, one]).chat(HELLO)
        assert (len(one.heard), len(other.heard)) == (1, 1)

    def test_that_is_also_the_ledger_of_blocks_around_the_question_is_told_once_with_their_tags(
        self, client_for: Make
    ) -> None:
        ledger = Ledger()
        client = client_for(hooks=[ledger])
        with track_cost("outer", ledger=ledger), track_cost(), track_cost("inner", ledger=ledger):
            stream = client.stream(HELLO)
        list(stream)
        client.chat(HELLO)
        assert [call.tags for call in ledger.entries] == [("outer", "inner"), ()]

    @pytest.mark.parametrize("hooks", ["a text", len, [7], [None], {len}], ids=repr)
    def test_that_cannot_be_called_is_refused(self, client_for: Make, hooks: Any) -> None:
        with pytest.raises(ConfigurationError, match="hooks= takes"):
            client_for(hooks=hooks)

    def test_that_would_have_to_be_awaited_is_refused(self, client_for: Make) -> None:
        async def later(details: CallDetails) -> None: ...

        with pytest.raises(ConfigurationError, match="would not be awaited"):
            client_for(hooks=[later])

    def test_sees_the_context_variables_of_whoever_asked(self, client_for: Make) -> None:
        who: ContextVar[str] = ContextVar("who", default="nobody")
        seen: list[str] = []
        client = client_for(hooks=[lambda details: seen.append(who.get())])

        def asked_by(name: str) -> Any:
            who.set(name)
            return client.stream(HELLO)

        stream = contextvars.copy_context().run(asked_by, "Ada")
        who.set("Bob")
        reader = threading.Thread(target=list, args=[stream])
        reader.start()
        reader.join()
        assert seen == ["Ada"]

    async def test_sees_them_asynchronously_too(self, client_for: Make) -> None:
        who: ContextVar[str] = ContextVar("who", default="nobody")
        seen: list[str] = []
        client = client_for(hooks=[lambda details: seen.append(who.get())])

        def asked_by(name: str) -> Any:
            who.set(name)
            return client.astream(HELLO)

        stream = contextvars.copy_context().run(asked_by, "Ada")
        await asyncio.create_task(gathered(stream))

        async def ask(name: str) -> None:
            who.set(name)
            await client.achat(HELLO)

        await asyncio.gather(ask("Bob"), ask("Cleo"))
        assert sorted(seen) == ["Ada", "Bob", "Cleo"]
        assert who.get() == "nobody"

    def test_hears_no_secret_no_pixels_and_no_words(
        self, client_for: Make, api_server: ApiServer, told: list[CallDetails]
    ) -> None:
        api_server.fail_next(Fault(), Fault(status=500), Fault(body=b"xyzzy"))
        client = client_for(hooks=[told.append], max_retries=0)
        image = encoded("PNG", (300, 200))
        for _ in range(3):
            with suppress(FireLLaVAError):
                client.ask("Where is the treasure?", image, user="me", prompt_cache_key="mine")
        assert len(told) == 3
        shown = repr(told)
        for hidden in (api_server.key, "treasure", "base64", "iVBOR", repr(image[:8]), "xyzzy"):
            assert hidden not in shown
