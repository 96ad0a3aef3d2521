"""The settings `prices`, `budget` and `hooks`: where they reach, and where they must not."""

import asyncio
import copy
import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from firellava.costs.budget import Budget
from firellava.costs.ledger import Ledger
from firellava.errors import BudgetExceeded, ConfigurationError
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer, UsagePlacement
from tests.llama_index.asking import CHAT, conversation, responses

Make = Callable[..., FireLLaVA]


class TestABudget:
    def test_is_shared_by_copies(self, llm_for: Make) -> None:
        budget = Budget(calls=2)
        llm = llm_for(budget=budget)
        for copied in (copy.copy(llm), copy.deepcopy(llm), llm.model_copy(deep=True)):
            assert copied.budget is budget
        copy.deepcopy(llm).chat(conversation())
        llm.model_copy(update={"max_tokens": 3}).chat(conversation())
        with pytest.raises(BudgetExceeded):
            llm.chat(conversation())
        assert budget.spent.calls == 2

    def test_keeps_an_llm_from_being_pickled(self) -> None:
        llm = FireLLaVA(budget=Budget(usd=1))
        with pytest.raises(ConfigurationError, match="Give each process a budget of its own"):
            pickle.dumps(llm)
        assert llm.budget is not None

    def test_is_no_part_of_what_is_written(self) -> None:
        llm, other = FireLLaVA(budget=Budget(usd=1), hooks=[Ledger()]), FireLLaVA()
        assert llm.to_dict() == other.to_dict()
        for written in (repr(llm), str(llm), llm.to_json(), llm.model_dump_json()):
            assert "udget" not in written
            assert "edger" not in written

    def test_is_checked_when_the_llm_is_made(self) -> None:
        with pytest.raises(ConfigurationError, match=r"budget= takes a Budget\(usd=…"):
            FireLLaVA(budget=5)

    @pytest.mark.parametrize("method", CHAT)
    async def test_sends_a_limit_for_the_answer_unless_the_llm_has_one(
        self, llm_for: Make, api_server: ApiServer, method: str
    ) -> None:
        budget = Budget(usd=1, max_tokens=77)
        await responses(llm_for(budget=budget), method, conversation())
        await responses(llm_for(budget=budget, max_tokens=5), method, conversation())
        assert [request.json["max_tokens"] for request in api_server.requests] == [77, 5]

    async def test_for_ten_calls_pays_for_ten_of_sixty_four_at_once(
        self, llm_for: Make, api_server: ApiServer
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        llm = llm_for(budget=Budget(calls=10))
        answers = await asyncio.gather(
            *(llm.achat(conversation()) for _ in range(64)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, BudgetExceeded)]
        assert len(api_server.billed) == 10 == len(answers) - len(refused)


class TestHooks:
    def test_are_shared_by_copies_and_stay_behind_when_pickled(
        self, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        ledger = Ledger()
        llm = FireLLaVA(base_url=api_server.base_url, hooks=[ledger])
        copy.deepcopy(llm).chat(conversation())
        assert len(ledger.entries) == 1
        moved = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own pickle
        moved.chat(conversation())
        assert moved.hooks == ()
        assert len(ledger.entries) == 1
        llm.chat(conversation())
        assert len(ledger.entries) == 2

    @pytest.mark.parametrize("wrong", [len, "a text", [7], {len}], ids=repr)
    def test_are_checked_when_the_llm_is_made(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="hooks= takes"):
            FireLLaVA(hooks=wrong)


class TestPrices:
    def test_decide_what_an_answer_costs(self, llm_for: Make) -> None:
        told = llm_for(prices={"input": 1, "output": "3.5"}).chat(conversation()).additional_kwargs
        cost = told["prompt_tokens"] + told["completion_tokens"] * Decimal("3.5")
        assert Decimal(told["cost_usd"]) * 1_000_000 == cost

    def test_survive_serialisation_and_pickling(self) -> None:
        llm = FireLLaVA(prices={"input": "0.1", "cached_input": "0.01", "output": 3})
        moved = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own pickle
        for again in (FireLLaVA.from_json(llm.to_json()), FireLLaVA.from_dict(llm.to_dict()), moved):
            assert again.prices == llm.prices
        assert json.loads(llm.to_json())["prices"]["cached_input"] == "0.01"

    @pytest.mark.parametrize("wrong", [{"input": -1, "output": 1}, {"input": 1}, 5, "cheap"], ids=repr)
    def test_that_are_wrong_are_refused_when_the_llm_is_made(self, wrong: Any) -> None:
        with pytest.raises(ConfigurationError, match="Prices: "):
            FireLLaVA(prices=wrong)
