"""A budget around calls: what is set aside, settled, kept or given back; what is sent, and what is not."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from firellava import (
    FireLLaVAError,
    Message,
    OpenAICompatibleBackend,
    Parameters,
    Reply,
    VisionClient,
    model_card,
)
from firellava.costs.bounds import upper_bound
from firellava.costs.budget import Budget, Spending
from firellava.errors import (
    AllBackendsFailed,
    BudgetExceeded,
    ConfigurationError,
    CostUnknown,
    ServerFailed,
    StreamBroken,
)
from firellava.messages import Request
from tests.api_server import QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import encoded
from tests.dead_servers import nobody_listens

Make = Callable[..., VisionClient]

HELLO = [Message("user", "Hello one two three four five")]
PRICE = Decimal("0.20") / 1_000_000
MID_STREAM = 700  # bytes into the answer to HELLO
SOON = {"retry-after-ms": "1"}


def most(**parameters: Any) -> Spending:
    """What a call for HELLO takes at most."""
    bound = upper_bound(Request(tuple(HELLO), Parameters(**parameters)), model_card("firellava-13b"))
    assert bound.prompt is not None
    assert bound.completion is not None
    tokens = bound.prompt + bound.completion
    return Spending(tokens * PRICE, tokens, 1)


async def last_piece(client: VisionClient) -> Reply | None:
    return [chunk async for chunk in client.astream(HELLO)][-1].reply


WAYS: dict[str, Callable[[VisionClient], Reply | None]] = {
    "chat": lambda client: client.chat(HELLO),
    "achat": lambda client: asyncio.run(client.achat(HELLO)),
    "stream": lambda client: list(client.stream(HELLO))[-1].reply,
    "astream": lambda client: asyncio.run(last_piece(client)),
}
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def budget() -> Budget:
    return Budget(usd=1, tokens=1_000_000, calls=10)


@pytest.fixture
def client(client_for: Make, budget: Budget) -> VisionClient:
    return client_for(budget=budget, max_retries=0)


@each_way
class TestACall:
    def test_that_is_answered_takes_what_the_server_counted(
        self, client: VisionClient, api_server: ApiServer, budget: Budget, way: str
    ) -> None:
        WAYS[way](client)
        (billed,) = api_server.billed
        tokens = billed.prompt + billed.completion
        assert budget.spent == Spending(tokens * PRICE, tokens, 1)
        assert budget.reserved == Spending()

    def test_that_says_no_usage_keeps_what_was_set_aside(
        self, client: VisionClient, api_server: ApiServer, budget: Budget, way: str
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        WAYS[way](client)
        assert (budget.spent, budget.reserved) == (most(max_tokens=1024), Spending())

    @pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
    def test_that_is_refused_takes_nothing(
        self, client: VisionClient, api_server: ApiServer, budget: Budget, way: str, status: int
    ) -> None:
        api_server.fail_next(Fault(status=status))
        with pytest.raises(FireLLaVAError):
            WAYS[way](client)
        assert budget.spent == budget.reserved == Spending()

    @pytest.mark.parametrize(
        "fault",
        [Fault(status=504), Fault(delay=60.0), Fault(drop=True), Fault(body=b"garbage")],
        ids=["given up by a gateway", "timed out", "lost", "garbled"],
    )
    def test_that_fails_and_may_have_been_billed_keeps_what_was_set_aside(
        self, client_for: Make, api_server: ApiServer, budget: Budget, way: str, fault: Fault
    ) -> None:
        api_server.fail_next(fault)
        with pytest.raises(FireLLaVAError):
            WAYS[way](client_for(budget=budget, max_retries=0, timeout=0.3 if fault.delay else 20.0))
        assert (budget.spent, budget.reserved) == (most(max_tokens=1024), Spending())

    def test_that_cannot_connect_takes_nothing(self, client_for: Make, budget: Budget, way: str) -> None:
        with nobody_listens() as port, pytest.raises(FireLLaVAError):
            WAYS[way](client_for(base_url=f"http://127.0.0.1:{port}/v1", budget=budget, max_retries=0))
        assert budget.spent == budget.reserved == Spending()

    def test_beyond_the_budget_is_not_made(self, client_for: Make, api_server: ApiServer, way: str) -> None:
        told: list[Any] = []
        for limits in ({"usd": "0.0001"}, {"tokens": 1000}, {"calls": 0}):
            with pytest.raises(BudgetExceeded, match="Nothing was sent"):
                WAYS[way](client_for(budget=Budget(**limits), hooks=[told.append]))
        assert (api_server.requests, told) == ([], [])

    def test_on_this_machine_is_not_limited(self, local: OpenAICompatibleBackend, way: str) -> None:
        budget = Budget(usd=0, tokens=0, calls=0)
        assert WAYS[way](VisionClient(backend=local, budget=budget)) is not None
        assert budget.spent == Spending()

    def test_beyond_the_budget_goes_to_a_backend_on_this_machine_where_that_is_wanted(
        self, client_for: Make, api_server: ApiServer, local: OpenAICompatibleBackend, way: str
    ) -> None:
        budget = Budget(calls=1, when_exhausted="fallback")
        told: list[Any] = []
        client = client_for(budget=budget, fallback=local, hooks=[told.append])
        first, second = WAYS[way](client), WAYS[way](client)
        assert first is not None
        assert second is not None
        assert (first.backend, first.fallback_from) == ("fireworks:firellava-13b", ())
        assert second.backend == local.label
        (skipped,) = second.fallback_from
        assert skipped.reason is not None
        assert skipped.reason.startswith("BudgetExceeded: The budget of 1 calls has 0 calls left")
        assert len(api_server.requests) == 1
        assert [(call.backend, call.attempt) for call in told] == [(first.backend, 0), (local.label, 0)]

    def test_beyond_the_budget_is_an_error_although_there_is_a_fallback_unless_it_is_wanted(
        self, client_for: Make, local: OpenAICompatibleBackend, local_server: ApiServer, way: str
    ) -> None:
        with pytest.raises(BudgetExceeded):
            WAYS[way](client_for(budget=Budget(calls=0), fallback=local))
        assert local_server.requests == []


class TestAStream:
    @pytest.mark.parametrize("way", ["stream", "astream"])
    @pytest.mark.parametrize("usage", UsagePlacement)
    def test_that_breaks_keeps_what_was_set_aside_whatever_it_counted_so_far(
        self, client: VisionClient, api_server: ApiServer, budget: Budget, way: str, usage: UsagePlacement
    ) -> None:
        api_server.usage = usage
        api_server.fail_next(Fault(cut_after=MID_STREAM))
        with pytest.raises(StreamBroken):
            WAYS[way](client)
        assert (budget.spent, budget.reserved) == (most(max_tokens=1024), Spending())

    def test_that_is_abandoned_keeps_what_was_set_aside(self, client: VisionClient, budget: Budget) -> None:
        stream = client.stream(HELLO)
        next(stream)
        assert (budget.spent, budget.reserved) == (Spending(), most(max_tokens=1024))
        stream.close()
        assert (budget.spent, budget.reserved) == (most(max_tokens=1024), Spending())

    async def test_that_is_abandoned_asynchronously_keeps_what_was_set_aside(
        self, client: VisionClient, budget: Budget
    ) -> None:
        stream = client.astream(HELLO)
        await anext(stream)
        await stream.aclose()
        assert (budget.spent, budget.reserved) == (most(max_tokens=1024), Spending())

    async def test_whose_task_is_cancelled_keeps_what_was_set_aside(
        self, client: VisionClient, api_server: ApiServer, budget: Budget
    ) -> None:
        api_server.fail_next(Fault(delay=60.0))
        task = asyncio.create_task(client.achat(HELLO))
        while not api_server.requests:  # noqa: ASYNC110 - the server runs in another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (budget.spent, budget.reserved) == (most(max_tokens=1024), Spending())

    def test_that_nobody_reads_from_takes_nothing(self, client: VisionClient, budget: Budget) -> None:
        client.stream(HELLO).close()
        assert budget.spent == budget.reserved == Spending()


class TestARetry:
    def test_is_another_call(self, client_for: Make, api_server: ApiServer, budget: Budget) -> None:
        api_server.fail_next(Fault(status=504, headers=SOON))
        client_for(budget=budget).chat(HELLO)
        assert budget.spent.calls == 2
        assert budget.spent.tokens == most(max_tokens=1024).tokens + sum(
            billed.prompt + billed.completion for billed in api_server.billed
        )

    def test_that_cannot_be_paid_raises_what_went_wrong_first(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(status=504, headers=SOON, message="upstream"))
        with pytest.raises(ServerFailed, match="upstream"):
            client_for(budget=Budget(calls=1)).chat(HELLO)
        assert len(api_server.requests) == 1

    def test_that_cannot_be_paid_gives_way_to_a_fallback(
        self, client_for: Make, api_server: ApiServer, local: OpenAICompatibleBackend
    ) -> None:
        api_server.fail_next(Fault(status=504, headers=SOON))
        reply = client_for(budget=Budget(calls=1), fallback=local).chat(HELLO)
        assert reply.backend == local.label
        assert [str(attempt.reason).partition(":")[0] for attempt in reply.fallback_from] == [
            "ServerFailed",
            "BudgetExceeded",
        ]

    def test_of_another_backend_is_paid_from_the_same_budget(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        other = client_for(model=QWEN_MAX).backends[0]
        api_server.fail_next(Fault(status=504, headers=SOON))
        with pytest.raises(AllBackendsFailed) as failed:
            client_for(budget=Budget(calls=1), fallback=other, max_retries=0).chat(HELLO)
        assert [type(attempt.error) for attempt in failed.value.attempts] == [ServerFailed, BudgetExceeded]


class TestTheLimitOfTheAnswer:
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ({}, {"max_tokens": 99}),
            ({"max_tokens": 5}, {"max_tokens": 5}),
            ({"extra_body": {"max_tokens": 7}}, {"max_tokens": 7}),
            ({"extra_body": {"max_completion_tokens": 8}}, {"max_completion_tokens": 8}),
        ],
    )
    @pytest.mark.parametrize("limits", [{"usd": 1}, {"tokens": 10_000}])
    def test_is_sent_unless_the_caller_gave_one(
        self,
        client_for: Make,
        api_server: ApiServer,
        limits: dict[str, Any],
        given: dict[str, Any],
        sent: dict[str, int],
    ) -> None:
        client_for(budget=Budget(**limits, max_tokens=99)).chat(HELLO, **given)
        body = api_server.requests[0].json
        assert {name: value for name, value in body.items() if "tokens" in name} == sent

    def test_is_not_sent_under_a_budget_of_calls(self, client_for: Make, api_server: ApiServer) -> None:
        client_for(budget=Budget(calls=1)).chat(HELLO)
        assert "max_tokens" not in api_server.requests[0].json

    def test_decides_what_is_set_aside(self, client_for: Make) -> None:
        budget = Budget(usd=most(max_tokens=10).usd)
        client_for(budget=budget).chat(HELLO, max_tokens=10)
        with pytest.raises(BudgetExceeded, match="max_tokens="):
            client_for(budget=Budget(usd=most(max_tokens=10).usd)).chat(HELLO, max_tokens=11)


UNPRICED = "accounts/me/deployments/eyes"


class TestWhatNobodyKnows:
    @pytest.fixture(autouse=True)
    def _deployed(self, api_server: ApiServer) -> None:
        api_server.deploy(UNPRICED)

    @pytest.mark.parametrize(
        ("settings", "images", "parameters", "told"),
        [
            ({"model": UNPRICED}, 0, {}, "charges for this request.*prices=.*FIRELLAVA_PRICES.*'allow'"),
            ({"model": UNPRICED, "card": "firellava-13b"}, 0, {}, "charges for this request"),
            (
                {"model": QWEN_MAX},
                1,
                {},
                "how many tokens qwen3p8-max counts for an image.*image_token_bound",
            ),
            ({}, 0, {"service_tier": "priority"}, "charges for this request"),
            ({}, 0, {"extra_body": {"service_tier": "priority"}}, "charges for this request"),
            ({}, 0, {"extra_body": {"messages": []}}, "Nothing bounds"),
            ({}, 0, {"extra_body": {"max_tokens": None}}, "Nothing bounds.*max_tokens="),
            ({}, 0, {"max_tokens": 5, "extra_body": {"n": 2.0}}, "Nothing bounds"),
        ],
    )
    def test_is_refused_under_a_budget_in_dollars_before_anything_is_sent(
        self,
        client_for: Make,
        api_server: ApiServer,
        settings: dict[str, Any],
        images: int,
        parameters: dict[str, Any],
        told: str,
    ) -> None:
        details: list[Any] = []
        client = client_for(budget=Budget(usd=100), hooks=[details.append], **settings)
        with pytest.raises(CostUnknown, match=told):
            client.ask("What?", *[encoded()] * images, **parameters)
        assert (api_server.requests, details) == ([], [])

    def test_is_no_matter_to_a_budget_of_calls(self, client_for: Make, api_server: ApiServer) -> None:
        client_for(budget=Budget(calls=1), model=UNPRICED).ask("What?", encoded())
        assert len(api_server.requests) == 1

    def test_of_prices_is_no_matter_to_a_budget_of_tokens(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        budget = Budget(tokens=10_000)
        client_for(budget=budget, model=UNPRICED).chat(HELLO)
        (billed,) = api_server.billed
        assert budget.spent.tokens == billed.prompt + billed.completion
        with pytest.raises(CostUnknown, match="image_token_bound"):
            client_for(budget=budget, model=UNPRICED).ask("What?", encoded())

    def test_is_allowed_where_that_is_wanted_and_counted_as_far_as_it_is_known(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        budget = Budget(usd=1, tokens=10_000, when_unknown="allow")
        client_for(budget=budget, model=QWEN_MAX).ask("What?", encoded())
        client_for(budget=budget, model=UNPRICED).chat(HELLO)
        priced, unpriced = api_server.billed
        assert budget.spent.usd == (priced.prompt * 2 + priced.completion * 6) / Decimal(1_000_000)
        assert budget.spent.tokens == sum(billed.prompt + billed.completion for billed in (priced, unpriced))

    def test_can_be_said(self, client_for: Make, api_server: ApiServer) -> None:
        budget = Budget(usd=1)
        card = model_card(QWEN_MAX).model_copy(update={"image_token_bound": 2000})
        client_for(budget=budget, model=QWEN_MAX, card=card).ask("What?", encoded())
        client_for(budget=budget, model=UNPRICED, prices={"input": 1, "output": 3}).chat(HELLO)
        first, second = api_server.billed
        assert budget.spent.usd * 1_000_000 == (
            first.prompt * 2 + first.completion * 6 + second.prompt + second.completion * 3
        )

    def test_about_a_model_that_is_free_is_no_matter_to_a_budget_in_dollars(self, client_for: Make) -> None:
        budget = Budget(usd="0.01")
        free = client_for(budget=budget, model=UNPRICED, prices={"input": 0, "output": 0})
        free.ask("What?", encoded())
        assert budget.spent.usd == 0

    def test_because_a_price_file_is_malformed_is_an_error_before_anything_is_sent(
        self, client_for: Make, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "prices.toml"
        path.write_text('["firellava-13b"]\ninput = -1\noutput = 2\n')
        monkeypatch.setenv("FIRELLAVA_PRICES", str(path))
        budget = Budget(usd=1)
        with pytest.raises(ConfigurationError, match=r"prices\.toml"):
            client_for(budget=budget).chat(HELLO)
        assert (api_server.requests, budget.reserved) == ([], Spending())


def test_a_budget_is_a_budget() -> None:
    for wrong in (5, "5 dollars", {"usd": 5}, Budget):
        with pytest.raises(ConfigurationError, match=r"budget= takes a Budget\(usd=…"):
            VisionClient(budget=wrong)  # type: ignore[arg-type]
