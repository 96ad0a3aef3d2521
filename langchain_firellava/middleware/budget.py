"""`BudgetMiddleware`: what an agent may spend in a run, and in a whole conversation.

It needs ``langchain``, which only the middlewares of this package do. Annotations of the state are read at
run time by LangGraph, so none hides behind TYPE_CHECKING.
"""

import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, cast

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    hook_config,
)
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.runtime import Runtime
from langgraph.types import Command

from firellava.costs.budget import Budget, Spending
from firellava.errors import BudgetExceeded, ConfigurationError
from firellava.offload import in_thread
from langchain_firellava.errors import also_errors_of_langchain
from langchain_firellava.middleware.bounds import AgentCall, bounded_call
from langchain_firellava.middleware.spending import (
    RunKey,
    SpendingBook,
    SpendingSoFar,
    Spent,
    in_state,
    measured,
    run_key,
)

__all__ = ["BudgetMiddleware", "BudgetState"]

_Limit: TypeAlias = Literal["usd", "tokens", "calls"]
_Scope: TypeAlias = Literal["run", "thread"]


class BudgetState(AgentState[Any]):
    """An agent's state with what was spent: in the thread, and, never checkpointed, in the run."""

    budget_thread: NotRequired[Annotated[Spent, PrivateStateAttr]]
    budget_run: NotRequired[Annotated[Spent, UntrackedValue, PrivateStateAttr]]
    budget_run_name: NotRequired[Annotated[str, UntrackedValue, PrivateStateAttr]]
    budget_refused: NotRequired[Annotated[bool, UntrackedValue, PrivateStateAttr]]


class BudgetMiddleware(AgentMiddleware[BudgetState, Any, Any]):
    """Keeps an agent within a budget: a call of its model that may exceed a limit is not made.

        agent = create_agent(
            ChatFireLLaVA(model="qwen3p8-max"),
            tools,
            middleware=[BudgetMiddleware(run_usd="0.05", thread_usd=1)],
            checkpointer=checkpointer,
        )

    A run is one ``invoke`` of the agent; a thread is all runs with the same ``thread_id``, for which the
    agent needs a checkpointer. What a call takes at most is known before it is made, by the rules of
    `firellava.Budget`. What it took is what its replies say; a call that may have been billed and did not say
    for how much counts with the most it may have taken, whether it failed or not. What is answered on this
    machine takes neither dollars nor tokens, and is a call all the same.

    Put it last in the list: then each attempt of a `ModelRetryMiddleware` or `ModelFallbackMiddleware` is
    another call. The attempts that `ChatFireLLaVA` makes itself (``max_retries``) are all counted, but
    allowed together, as one call. Calls that tools or other middleware make on their own are not seen. A
    `firellava.Budget` given to the model sees each attempt of each of them.

    For an image a limit in dollars or tokens needs the model card's rule or its ``image_token_bound``: most
    models but FireLLaVA have neither until you say so (``card=``). Parameters are set on the model itself:
    what ``bind`` and ``configurable_fields`` give is to this middleware a model of another provider.

    What other providers' models take is unknown before the call, and in dollars also after it. They are
    refused under a limit in dollars or tokens, or allowed until it is used up, with tokens counted as they
    state them.

    Args:
        run_usd: dollars for a run.
        thread_usd: dollars for a thread.
        run_tokens: prompt and completion tokens for a run.
        thread_tokens: prompt and completion tokens for a thread.
        run_calls: calls of the model for a run.
        thread_calls: calls of the model for a thread.
        max_tokens: how long an answer of `ChatFireLLaVA` may be where neither the model nor the agent says,
            since without a limit nothing bounds what it costs. Sent under a limit in dollars or tokens.
        exit_behavior: raise `BudgetExceeded`, or ``end`` the run with a message that says so.
        when_unknown: ``refuse`` a call that cannot be bounded, with `CostUnknown`, or ``allow`` it.

    Raises:
        ConfigurationError: no limit, or one that is negative or no number.
    """

    state_schema = BudgetState

    def __init__(  # noqa: PLR0913 - three limits for each of two scopes
        self,
        *,
        run_usd: Decimal | float | str | None = None,
        thread_usd: Decimal | float | str | None = None,
        run_tokens: int | None = None,
        thread_tokens: int | None = None,
        run_calls: int | None = None,
        thread_calls: int | None = None,
        max_tokens: int = 1024,
        exit_behavior: Literal["error", "end"] = "error",
        when_unknown: Literal["refuse", "allow"] = "refuse",
    ) -> None:
        super().__init__()
        if exit_behavior not in ("error", "end"):
            raise ConfigurationError(f"exit_behavior is 'error' or 'end', not {exit_behavior!r}.")
        self._ends = exit_behavior == "end"
        self._limits: dict[_Scope, dict[_Limit, Decimal]] = {
            "run": _limits(usd=run_usd, tokens=run_tokens, calls=run_calls),
            "thread": _limits(usd=thread_usd, tokens=thread_tokens, calls=thread_calls),
        }
        limited = self._limits["run"] | self._limits["thread"]
        if not limited:
            raise ConfigurationError(
                "BudgetMiddleware needs a limit: give run_usd=, run_tokens=, run_calls=, thread_usd=, "
                "thread_tokens= or thread_calls=."
            )
        # It says how a call is bounded. Nothing is spent from it.
        rules: dict[str, Any] = {"max_tokens": max_tokens, "when_unknown": when_unknown}
        self._rules = Budget(**rules | {str(name): limit for name, limit in limited.items()})
        self._book = SpendingBook()

    def before_agent(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any]:  # noqa: ARG002 - LangChain's signature
        """A run begins. Its thread has also spent what an earlier run spent before it failed."""
        name = uuid.uuid4().hex
        thread = self._book.leave(run_key(name)).or_later(_so_far_in(state)).thread
        return {"budget_run_name": name, "budget_thread": in_state(thread)}

    async def abefore_agent(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any]:
        """The asynchronous twin of `before_agent`."""
        return self.before_agent(state, runtime)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ExtendedModelResponse[Any]:
        """Make a call of the model, if it keeps within the limits.

        Raises:
            BudgetExceeded: it might exceed one. Nothing was sent.
            CostUnknown: nobody knows what it may take. Nothing was sent.
        """
        with also_errors_of_langchain():
            call = bounded_call(request, self._rules)
            if refusal := self._refusal(request, call):
                return self._refused(refusal)
        with measured(call, partial(self._settle, request)):
            response = handler(call.request)
        return self._answered(request, response)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """The asynchronous twin of `wrap_model_call`."""
        with also_errors_of_langchain():
            call = await in_thread(bounded_call, request, self._rules)
            if refusal := self._refusal(request, call):
                return self._refused(refusal)
        with measured(call, partial(self._settle, request)):
            response = await handler(call.request)
        return self._answered(request, response)

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002 - LangChain's signature
        """End the run after a refusal: an agent that owes an answer in a given form would ask again."""
        return {"jump_to": "end"} if state.get("budget_refused") else None

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: BudgetState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """The asynchronous twin of `after_model`."""
        return self.after_model(state, runtime)

    def after_agent(self, state: BudgetState, runtime: Runtime[Any]) -> None:  # noqa: ARG002 - LangChain's signature
        """A run is over, and its state has what it spent."""
        self._book.leave(_key(state))

    async def aafter_agent(self, state: BudgetState, runtime: Runtime[Any]) -> None:
        """The asynchronous twin of `after_agent`."""
        self.after_agent(state, runtime)

    def _so_far(self, request: ModelRequest[Any]) -> SpendingSoFar:
        state = cast("BudgetState", request.state)
        return self._book.so_far(_key(state), _so_far_in(state))

    def _settle(self, request: ModelRequest[Any], spending: Spending) -> None:
        state = cast("BudgetState", request.state)
        self._book.add(_key(state), _so_far_in(state), spending)

    def _answered(
        self, request: ModelRequest[Any], response: ModelResponse[Any]
    ) -> ExtendedModelResponse[Any]:
        so_far = self._so_far(request)
        sums = {"budget_run": in_state(so_far.run), "budget_thread": in_state(so_far.thread)}
        return ExtendedModelResponse(response, Command(update=sums))

    def _refused(self, refusal: BudgetExceeded) -> ExtendedModelResponse[Any]:
        if not self._ends:
            raise refusal
        answer = ModelResponse[Any](result=[AIMessage(str(refusal))])
        return ExtendedModelResponse(answer, Command(update={"budget_refused": True}))

    def _refusal(self, request: ModelRequest[Any], call: AgentCall) -> BudgetExceeded | None:
        so_far = self._so_far(request)
        needed: dict[_Limit, Decimal | None] = {
            "usd": call.usd,
            "tokens": None if call.tokens is None else Decimal(call.tokens),
            "calls": Decimal(1),
        }
        spent: dict[_Scope, Spending] = {"run": so_far.run, "thread": so_far.thread}
        for scope, limits in self._limits.items():
            for name, limit in limits.items():
                left, amount = limit - Decimal(getattr(spent[scope], name)), needed[name]
                # Of what nobody knows, something is needed.
                if left <= 0 if amount is None else amount > left:
                    return _exceeded(scope, name, limit, left, amount)
        return None


def _limits(**limits: Decimal | float | str | None) -> dict[_Limit, Decimal]:
    given: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    return Budget(**given).limits if given else {}


def _key(state: BudgetState) -> RunKey:
    return run_key(state.get("budget_run_name"))


def _so_far_in(state: BudgetState) -> SpendingSoFar:
    return SpendingSoFar.of_state(state.get("budget_run"), state.get("budget_thread"))


def _exceeded(
    scope: _Scope, name: _Limit, limit: Decimal, left: Decimal, needed: Decimal | None
) -> BudgetExceeded:
    left = max(left, Decimal(0))
    wanted = "an unknown amount" if needed is None else f"up to {_shown(name, needed)}"
    advice = " A smaller max_tokens= needs less." if needed and left and name != "calls" else ""
    return BudgetExceeded(
        f"The agent's budget of {_shown(name, limit)} for a {scope} has {_shown(name, left)} left, and the "
        f"next call of its model may take {wanted}. Nothing was sent.{advice}",
        limit=name,
        needed=needed or Decimal(0),
        left=left,
    )


def _shown(name: _Limit, amount: Decimal) -> str:
    return f"${amount.normalize():f}" if name == "usd" else f"{amount:f} {name}"
