"""Sixty-four questions at once against a budget for ten: never more than ten are paid."""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firellava import FireworksBackend, Message, Parameters, Reply, Usage, VisionClient, model_card
from firellava.costs.accounts import QuestionAccounts
from firellava.costs.bounds import upper_bound
from firellava.costs.budget import Budget, Spending
from firellava.errors import (
    AttemptTimedOut,
    BudgetExceeded,
    ConnectionFailed,
    FireLLaVAError,
    RateLimited,
    ServerFailed,
    UnreadableReply,
)
from firellava.messages import Request
from firellava.routing.breaker import Breaker
from firellava.routing.events import Action, Deliver, Ended, Event, Failed, Open, Opened, Sleep, Woke
from firellava.routing.policy import Timing, route
from tests.api_server import ApiServer, Fault, UsagePlacement

Make = Callable[..., VisionClient]

QUESTIONS = 64
PAID = 10
ASKED = Request((Message("user", "What is the total?"),), Parameters(max_tokens=100))
CLOUD = FireworksBackend(model="firellava-13b")
PRICE = Decimal("0.20") / 1_000_000  # of a token, going in or coming out


def most_tokens(request: Request) -> int:
    bound = upper_bound(request, model_card("firellava-13b"))
    assert bound.prompt is not None
    assert bound.completion is not None
    return bound.prompt + bound.completion


MOST = most_tokens(ASKED)

Outcome = Literal[
    "answered",
    "uncounted",
    "broken",
    "abandoned",
    "refused",
    "limited",
    "unsent",
    "sent",
    "garbled",
    "closed",
]
_FAILURES: dict[str, Callable[[], FireLLaVAError]] = {
    "refused": lambda: ServerFailed("no", status=503),
    "limited": lambda: RateLimited("no", status=429),
    "unsent": lambda: ConnectionFailed("no"),
    "sent": lambda: AttemptTimedOut("no", sent=True),
    "garbled": lambda: UnreadableReply("no"),
}
_NOT_BILLED = {"refused", "limited", "unsent"}


@dataclass
class Asking:
    """One question on its way through the routing policy, and what its calls may cost in the end."""

    routing: Generator[Action, Event, None]
    action: Action | None = None
    over: bool = False
    underway: int = 0
    paid_calls: int = 0
    paid_tokens: int = 0

    def step(self, outcome: Outcome, tokens: int) -> None:
        """Let the next thing happen to it."""
        if self.over:
            return
        if outcome == "closed":
            self.routing.close()
            self._ends_with(MOST)
            self.over = True
        elif self.action is None:
            self._go(lambda: next(self.routing))
        elif isinstance(self.action, Sleep):
            self._go(lambda: self.routing.send(Woke(0.0)))
        elif isinstance(self.action, Deliver):
            self._end(outcome, tokens)
        elif outcome in _FAILURES:
            self._ends_with(None if outcome in _NOT_BILLED else MOST)
            self._go(lambda: self.routing.send(Failed(0.0, _FAILURES[outcome]())))
        else:
            self._go(lambda: self.routing.send(Opened(0.0)))

    def _end(self, outcome: Outcome, tokens: int) -> None:
        usage = Usage(tokens - tokens // 3, tokens // 3, tokens)
        if outcome == "answered":
            self._ends_with(tokens)
            self._go(lambda: self.routing.send(Ended(0.0, "answered", usage)))
        elif outcome == "uncounted":
            self._ends_with(MOST)
            self._go(lambda: self.routing.send(Ended(0.0, "answered", None)))
        else:
            self._ends_with(MOST)
            self._go(lambda: self.routing.send(Ended(0.0, "abandoned" if tokens % 2 else "broken", usage)))

    def _ends_with(self, tokens: int | None) -> None:
        if self.underway and tokens is not None:
            self.paid_calls += 1
            self.paid_tokens += tokens
        self.underway = 0

    def _go(self, on: Callable[[], Action]) -> None:
        try:
            self.action = on()
        except (StopIteration, FireLLaVAError):
            self.over = True
        else:
            self.underway = int(isinstance(self.action, Open | Deliver))


_OUTCOMES: list[Outcome] = [*get_args(Outcome)]


@pytest.mark.parametrize(
    "limits",
    [
        {"calls": PAID},
        {"usd": PAID * MOST * PRICE},
        {"tokens": PAID * MOST},
        {"usd": PAID * MOST * PRICE, "tokens": (PAID + 5) * MOST, "calls": PAID + 5},
    ],
    ids="+".join,
)
@settings(max_examples=150, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from(_OUTCOMES), min_size=1, max_size=6),
    chance=st.randoms(use_true_random=True),
)
def test_at_any_interleaving_of_any_outcomes(
    limits: dict[str, Any], outcomes: list[Outcome], chance: Random
) -> None:
    budget = Budget(**limits)
    breaker = Breaker(threshold=1_000_000)
    questions = [
        Asking(
            route(
                [CLOUD],
                Timing(),
                now=0.0,
                jitter=lambda: 1.0,
                breaker_of=lambda _: breaker,
                accounts=QuestionAccounts(ASKED, budget, clock=lambda: 0.0),
            )
        )
        for _ in range(QUESTIONS)
    ]

    asked = list(questions)
    while asked:
        question = chance.choice(asked)
        question.step(chance.choice(outcomes), chance.randint(1, MOST))
        if question.over:
            asked.remove(question)
        underway = sum(question.underway for question in questions)
        calls = underway + sum(question.paid_calls for question in questions)
        tokens = underway * MOST + sum(question.paid_tokens for question in questions)
        taken = {"calls": calls, "tokens": tokens, "usd": tokens * PRICE}
        counted = budget.spent + budget.reserved
        for name, limit in limits.items():
            assert taken[name] <= limit
            # And the books say neither more nor less.
            assert getattr(counted, name) == taken[name]
    assert budget.reserved == Spending()


def budgets(**settings: Any) -> dict[str, Budget]:
    return {
        "usd": Budget(usd=PAID * MOST * PRICE, **settings),
        "calls": Budget(calls=PAID, **settings),
        "tokens": Budget(tokens=PAID * MOST, **settings),
    }


def ask_with_threads(client: VisionClient) -> list[Reply | BaseException]:
    """All questions at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(QUESTIONS)

    def ask() -> Reply:
        barrier.wait()
        return client.chat(ASKED.messages, max_tokens=100)

    with ThreadPoolExecutor(QUESTIONS) as pool:
        asked = [pool.submit(ask) for _ in range(QUESTIONS)]
    return [future.exception() or future.result() for future in asked]


def ask_with_tasks(client: VisionClient) -> list[Reply | BaseException]:
    """All questions as tasks of one event loop."""

    async def ask() -> list[Reply | BaseException]:
        questions = (client.achat(ASKED.messages, max_tokens=100) for _ in range(QUESTIONS))
        return await asyncio.gather(*questions, return_exceptions=True)

    return asyncio.run(ask())


Ask = Callable[[VisionClient], list[Reply | BaseException]]


@pytest.mark.parametrize("ask", [ask_with_threads, ask_with_tasks])
@pytest.mark.parametrize("limit", ["usd", "calls", "tokens"])
class TestForReal:
    def test_exactly_ten_are_billed_where_nobody_says_what_they_cost(
        self, client_for: Make, api_server: ApiServer, ask: Ask, limit: str
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        budget = budgets()[limit]
        answers = ask(client_for(budget=budget))
        assert len(api_server.billed) == PAID == sum(isinstance(answer, Reply) for answer in answers)
        assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == QUESTIONS - PAID
        assert (budget.reserved, budget.spent.calls) == (Spending(), PAID)

    def test_what_an_answer_leaves_pays_for_others_and_no_more(
        self, client_for: Make, api_server: ApiServer, ask: Ask, limit: str
    ) -> None:
        budget = budgets()[limit]
        answers = ask(client_for(budget=budget))
        billed = [usage.prompt + usage.completion for usage in api_server.billed]
        assert len(billed) == sum(isinstance(answer, Reply) for answer in answers)
        if limit == "calls":
            assert len(billed) == PAID
        else:
            assert len(billed) >= PAID
            assert sum(billed) <= PAID * MOST
        assert budget.reserved == Spending()
        assert budget.spent.calls == len(billed)
        if limit != "calls":
            assert budget.spent.tokens == sum(billed)
        if limit == "usd":
            assert budget.spent.usd == sum(billed) * PRICE

    def test_retries_are_paid_like_any_other_call(
        self, client_for: Make, api_server: ApiServer, ask: Ask, limit: str
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        soon = {"retry-after-ms": "1"}
        api_server.fail_next(
            Fault(status=503, headers=soon), Fault(), Fault(status=429, headers=soon), times=4
        )
        budget = budgets()[limit]
        answers = ask(client_for(budget=budget))
        assert len(api_server.billed) == sum(isinstance(answer, Reply) for answer in answers) <= PAID
        assert len(api_server.requests) <= PAID + 8
        assert (budget.reserved, budget.spent.calls) == (Spending(), len(api_server.billed))
