"""The settings `prices`, `budget` and `hooks`: where they reach, and where they must not."""

import asyncio
import copy
import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps, load

from firellava import Message, Parameters, model_card
from firellava.costs.bounds import upper_bound
from firellava.costs.budget import Budget, Spending
from firellava.costs.ledger import Ledger
from firellava.errors import BudgetExceeded, ConfigurationError
from firellava.messages import Request
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions
from tests.api_server import ApiServer, UsagePlacement

Make = Callable[..., ChatFireLLaVA]

QUESTIONS: list[Any] = ["What is the total?"] * 64
PAID = 10
PRICE = Decimal("0.20") / 1_000_000
BOTH = pytest.mark.parametrize("kind", [ChatFireLLaVA, FireLLaVACompletions])


def most_tokens() -> int:
    bound = upper_bound(
        Request((Message("user", QUESTIONS[0]),), Parameters(max_tokens=50)), model_card("firellava-13b")
    )
    assert bound.prompt is not None
    assert bound.completion is not None
    return bound.prompt + bound.completion


class TestABudget:
    @BOTH
    def test_is_shared_by_copies(self, kind: Any, api_server: ApiServer) -> None:
        budget = Budget(calls=2)
        llm = kind(api_key=api_server.key, base_url=api_server.base_url, budget=budget)
        for copied in (copy.copy(llm), copy.deepcopy(llm), llm.model_copy(deep=True)):
            assert copied.budget is budget
        copy.deepcopy(llm).invoke("Hello")
        llm.model_copy(update={"max_tokens": 3}).invoke("Hello")
        with pytest.raises(BudgetExceeded):
            llm.invoke("Hello")
        assert budget.spent.calls == 2

    @BOTH
    def test_keeps_a_model_from_being_pickled(self, kind: Any) -> None:
        llm = kind(budget=Budget(usd=1))
        with pytest.raises(ConfigurationError, match="Give each process a budget of its own"):
            pickle.dumps(llm)
        assert llm.budget is not None

    @BOTH
    def test_is_no_part_of_what_is_written_or_told_apart(self, kind: Any) -> None:
        llm, other = kind(budget=Budget(usd=1), hooks=[Ledger()]), kind()
        assert dumpd(llm) == dumpd(other)
        assert llm._identifying_params == other._identifying_params
        for written in (repr(llm), str(llm), dumps(llm), llm.model_dump_json()):
            assert "udget" not in written
            assert "edger" not in written

    @BOTH
    def test_is_checked_when_the_model_is_made(self, kind: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"budget= takes a Budget\(usd=…"):
            kind(budget=5)

    def test_sends_a_limit_for_the_answer_unless_the_model_has_one(
        self, llm_for: Make, api_server: ApiServer
    ) -> None:
        budget = Budget(usd=1, max_tokens=77)
        llm_for(budget=budget).invoke("Hello")
        llm_for(budget=budget, max_tokens=5).invoke("Hello")
        llm_for(budget=budget, model_kwargs={"max_completion_tokens": 6}).invoke("Hello")
        llm_for(budget=budget).invoke("Hello", max_tokens=7)
        sent = [
            {name: value for name, value in request.json.items() if "_tokens" in name}
            for request in api_server.requests
        ]
        assert sent == [
            {"max_tokens": 77},
            {"max_tokens": 5},
            {"max_completion_tokens": 6},
            {"max_tokens": 7},
        ]

    @pytest.mark.parametrize("ask", ["batch", "abatch"])
    @pytest.mark.parametrize("limit", ["usd", "calls"])
    def test_for_ten_calls_pays_for_ten_of_sixty_four_at_once(
        self, llm_for: Make, api_server: ApiServer, limit: str, ask: str
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        budget = Budget(usd=PAID * most_tokens() * PRICE) if limit == "usd" else Budget(calls=PAID)
        llm = llm_for(budget=budget, max_tokens=50)
        together: Any = {"max_concurrency": len(QUESTIONS)}
        if ask == "batch":
            answers = llm.batch(QUESTIONS, together, return_exceptions=True)
        else:
            answers = asyncio.run(llm.abatch(QUESTIONS, together, return_exceptions=True))
        refused = [answer for answer in answers if isinstance(answer, BudgetExceeded)]
        assert len(api_server.billed) == PAID == len(answers) - len(refused)
        assert (budget.reserved, budget.spent.calls) == (Spending(), PAID)


class TestHooks:
    @BOTH
    def test_are_shared_by_copies_and_stay_behind_when_pickled(
        self, kind: Any, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        ledger = Ledger()
        llm = kind(base_url=api_server.base_url, hooks=[ledger])
        copy.deepcopy(llm).invoke("Hello")
        assert len(ledger.entries) == 1
        moved = pickle.loads(pickle.dumps(llm))  # noqa: S301 - pickled here
        moved.invoke("Hello")
        assert moved.hooks == ()
        assert len(ledger.entries) == 1
        assert llm.hooks == (ledger,)

    def test_can_be_changed(self, llm_for: Make) -> None:
        first: list[Any] = []
        second: list[Any] = []
        given: list[Any] = [first.append]
        llm = llm_for(hooks=given)
        llm.invoke("Hello")
        given.append(second.append)  # the model has what it was given, not what becomes of it
        llm.invoke("Hello")
        assert (len(first), len(second)) == (2, 0)
        llm.hooks = [second.append]
        llm.invoke("Hello")
        assert (len(first), len(second)) == (2, 1)

    @pytest.mark.parametrize("wrong", [len, "a text", [7], {len}], ids=repr)
    def test_are_checked_when_the_model_is_made(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="hooks= takes"):
            ChatFireLLaVA(hooks=wrong)


class TestPrices:
    def test_decide_what_an_answer_costs(self, llm_for: Make) -> None:
        answer = llm_for(prices={"input": 1, "output": "3.5"}).invoke("Hello")
        usage = answer.usage_metadata
        assert usage is not None
        assert Decimal(answer.response_metadata["cost_usd"]) * 1_000_000 == (
            usage["input_tokens"] + usage["output_tokens"] * Decimal("3.5")
        )

    @pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
    def test_survive_serialisation_and_pickling(self) -> None:
        llm = ChatFireLLaVA(prices={"input": "0.1", "cached_input": "0.01", "output": 3})
        loaded = load(dumpd(llm), valid_namespaces=["langchain_firellava"], allowed_objects=[ChatFireLLaVA])
        moved = pickle.loads(pickle.dumps(llm))  # noqa: S301 - pickled here
        for again in (loaded, moved):
            assert again.prices == llm.prices
            assert dumpd(again) == dumpd(llm)
        assert json.loads(dumps(llm))["kwargs"]["prices"]["cached_input"] == "0.01"

    @pytest.mark.parametrize("wrong", [{"input": -1, "output": 1}, {"input": 1}, 5, "cheap"], ids=repr)
    def test_that_are_wrong_are_refused_when_the_model_is_made(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError):
            ChatFireLLaVA(prices=wrong)
