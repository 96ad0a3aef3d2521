"""LangChain's retries and fallbacks tell errors that may pass from errors that will not."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain_core.exceptions import ModelAPIError, ModelError, ModelRateLimitError
from langchain_core.messages import HumanMessage

from firellava import Budget, errors
from langchain_firellava import BudgetMiddleware, ChatFireLLaVA
from tests.api_server import QWEN_MAX, ApiServer, Fault

Make = Callable[..., ChatFireLLaVA]


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, ModelError) or error.is_retryable


# Newer releases of LangChain ask the error by themselves; older ones repeat whatever is raised, unless told.
_BY_ITSELF = inspect.signature(ModelRetryMiddleware).parameters["retry_on"].default
RETRY_ON = _BY_ITSELF if callable(_BY_ITSELF) else _may_pass


def retrying(times: int, failed: list[Exception]) -> Any:
    """LangChain's middleware, which keeps what each attempt failed with in `failed`."""

    def retry_on(error: Exception) -> bool:
        failed.append(error)
        return RETRY_ON(error)

    return ModelRetryMiddleware(max_retries=times, initial_delay=0, retry_on=retry_on, on_failure="error")


class TestAnAgent:
    async def test_what_may_succeed_is_asked_again(self, llm_for: Make, api_server: ApiServer) -> None:
        failed: list[Exception] = []
        retry = retrying(1, failed)
        agent = create_agent(llm_for(model=QWEN_MAX, max_retries=0), middleware=[retry])
        question: Any = {"messages": [HumanMessage("Hello")]}
        for fault in (Fault(status=503), Fault(status=429), Fault(drop=True)):
            api_server.fail_next(fault)
            assert agent.invoke(question)["messages"][-1].content == "question: Hello"
            api_server.fail_next(fault)
            assert (await agent.ainvoke(question))["messages"][-1].content == "question: Hello"
        assert len(failed) == 6
        assert len(api_server.requests) == 12

    @pytest.mark.parametrize("status", [400, 401, 402, 404])
    async def test_what_will_not_is_raised_at_once(
        self, llm_for: Make, api_server: ApiServer, status: int
    ) -> None:
        failed: list[Exception] = []
        retry = retrying(3, failed)
        agent = create_agent(llm_for(model=QWEN_MAX), middleware=[retry])
        api_server.fail_next(Fault(status=status), times=2)
        with pytest.raises(errors.RefusedByServer):
            agent.invoke({"messages": [HumanMessage("Hello")]})
        with pytest.raises(errors.RefusedByServer):
            await agent.ainvoke({"messages": [HumanMessage("Hello")]})
        assert len(failed) == 2
        assert len(api_server.requests) == 2

    def test_nor_are_a_missing_key_or_a_spent_budget(self, llm_for: Make, api_server: ApiServer) -> None:
        failed: list[Exception] = []
        retry = retrying(3, failed)
        spent = llm_for(model=QWEN_MAX, budget=Budget(calls=1))
        spent.invoke("Hello")
        for llm, error in ((spent, errors.BudgetExceeded), (ChatFireLLaVA(), errors.MissingKey)):
            with pytest.raises(error):
                create_agent(llm, middleware=[retry]).invoke({"messages": [HumanMessage("Hello")]})
        assert len(failed) == 2
        assert len(api_server.requests) == 1

    async def test_nor_is_the_refusal_of_an_agents_budget(self, llm_for: Make, api_server: ApiServer) -> None:
        failed: list[Exception] = []
        retry = retrying(3, failed)
        middleware: list[Any] = [retry, BudgetMiddleware(run_usd="0.000001", max_tokens=9)]
        agent = create_agent(llm_for(model=QWEN_MAX), middleware=middleware)
        with pytest.raises(errors.BudgetExceeded):
            agent.invoke({"messages": [HumanMessage("Hello")]})
        with pytest.raises(errors.BudgetExceeded):
            await agent.ainvoke({"messages": [HumanMessage("Hello")]})
        assert len(failed) == 2
        assert api_server.requests == []

    async def test_another_model_takes_over(self, llm_for: Make, api_server: ApiServer) -> None:
        other = ModelFallbackMiddleware(llm_for(model=QWEN_MAX))
        agent = create_agent(llm_for(model="accounts/me/deployments/gone"), middleware=[other])
        question: Any = {"messages": [HumanMessage("Hello")]}
        for answer in (agent.invoke(question), await agent.ainvoke(question)):
            assert answer["messages"][-1].response_metadata["model_name"] == QWEN_MAX


class TestAWrapper:
    async def test_that_retries_picks_errors_by_class(self, llm_for: Make, api_server: ApiServer) -> None:
        patient = llm_for(max_retries=0).with_retry(
            retry_if_exception_type=(ModelRateLimitError,), wait_exponential_jitter=False
        )
        api_server.fail_next(Fault(status=429), Fault(), Fault(status=503))
        assert patient.invoke("Hello").content == "question: Hello"
        with pytest.raises(errors.ServerFailed):
            await patient.ainvoke("Hello")
        assert len(api_server.requests) == 3

    async def test_that_falls_back_picks_them_by_class(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(max_retries=0).with_fallbacks(
            [llm_for(model=QWEN_MAX)], exceptions_to_handle=(ModelAPIError,)
        )
        api_server.fail_next(Fault(status=500), Fault(), Fault(status=500), Fault(), Fault(status=401))
        assert llm.invoke("Hello").response_metadata["model_name"] == QWEN_MAX
        chunks = [chunk async for chunk in llm.astream("Hello")]
        assert "".join(str(chunk.content) for chunk in chunks) == "question: Hello"
        with pytest.raises(errors.AuthenticationFailed):
            llm.invoke("Hello")
