"""`Budget` on its own: what it takes, what it allows, and that it never allows more."""

import copy
import decimal
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from firellava.costs.budget import Budget, Reserve, Spending
from firellava.errors import BudgetExceeded, ConfigurationError
from firellava.messages import Message, Parameters, Request

NOTHING = Spending()
ONE_CALL = Spending(calls=1)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def dollars(amount: str) -> Spending:
    return Spending(usd=Decimal(amount))


class TestABudget:
    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({}, "needs a limit"),
            ({"window": 60}, "needs a limit"),
            ({"usd": -1}, "usd is a number from 0 up"),
            ({"usd": "-0.01"}, "usd is a number from 0 up"),
            ({"usd": float("nan")}, "usd is a number"),
            ({"usd": float("inf")}, "usd is a number"),
            ({"usd": "five"}, "usd is a number.*'five'"),
            ({"usd": True}, "usd is a number"),
            ({"tokens": -1}, "tokens is a number from 0 up"),
            ({"tokens": "many"}, "tokens is a number"),
            ({"tokens": 1.5}, "tokens is a whole number"),
            ({"calls": -1}, "calls is a number from 0 up"),
            ({"calls": 2.5}, "calls is a whole number"),
            ({"usd": 1, "window": 0}, "window is more than 0"),
            ({"usd": 1, "window": -5}, "window is a number from 0 up"),
            ({"usd": 1, "window": "a day"}, "window is a number"),
            ({"usd": 1, "max_tokens": 0}, "max_tokens is more than 0"),
            ({"usd": 1, "max_tokens": -1}, "max_tokens is a number from 0 up"),
            ({"usd": 1, "max_tokens": 0.5}, "max_tokens is a whole number"),
            ({"usd": 1, "when_exhausted": "stop"}, "when_exhausted is 'raise' or 'fallback', not 'stop'"),
            ({"usd": 1, "when_unknown": "guess"}, "when_unknown is 'refuse' or 'allow', not 'guess'"),
        ],
    )
    def test_refuses_settings_that_make_no_sense(self, settings: dict[str, Any], told: str) -> None:
        with pytest.raises(ConfigurationError, match=told):
            Budget(**settings)

    @pytest.mark.parametrize("usd", [0.1, "0.1", Decimal("0.1")])
    def test_takes_dollars_as_they_are_written(self, usd: Any) -> None:
        budget = Budget(usd=usd)
        budget.reserve(dollars("0.1"))
        with pytest.raises(BudgetExceeded):
            budget.reserve(dollars("0.000000000001"))

    def test_of_nothing_allows_nothing_but_what_is_free(self) -> None:
        budget = Budget(usd=0)
        budget.reserve(ONE_CALL)
        with pytest.raises(BudgetExceeded):
            budget.reserve(dollars("0.0000001"))

    @pytest.mark.parametrize(
        ("budget", "advised"), [(Budget(calls=0), False), (Budget(tokens=5), True), (Budget(usd=0), True)]
    )
    def test_advises_shorter_answers_where_these_need_less(self, budget: Budget, *, advised: bool) -> None:
        with pytest.raises(BudgetExceeded) as caught:
            budget.reserve(Spending(Decimal(1), 10, calls=1))
        assert ("smaller max_tokens=" in str(caught.value)) is advised

    def test_shows_what_was_spent(self) -> None:
        budget = Budget(usd="5.00", calls=100, window=3600)
        budget.reserve(Spending(Decimal("0.50"), 1000, 1)).settle(Spending(Decimal("0.25"), 700, 1))
        assert repr(budget) == "<Budget: $0.25 of $5, 1 calls of 100 calls spent within 3600 s>"

    def test_says_which_limit_it_was_and_what_would_help(self) -> None:
        budget = Budget(usd="0.01", tokens=1000)
        budget.reserve(Spending(Decimal("0.004"), 900, 1))
        with pytest.raises(
            BudgetExceeded, match=r"\$0.01 has \$0.006 left.*up to \$0.007.*max_tokens="
        ) as usd:
            budget.reserve(Spending(Decimal("0.007"), 10, 1))
        assert (usd.value.limit, usd.value.needed, usd.value.left) == (
            "usd",
            Decimal("0.007"),
            Decimal("0.006"),
        )
        with pytest.raises(BudgetExceeded, match="1000 tokens has 100 tokens left") as tokens:
            budget.reserve(Spending(Decimal("0.001"), 101, 1))
        assert (tokens.value.limit, int(tokens.value.needed), int(tokens.value.left)) == ("tokens", 101, 100)

    def test_is_the_same_budget_in_every_copy(self) -> None:
        budget = Budget(calls=1)
        holder = {"budget": budget}
        assert copy.copy(budget) is copy.deepcopy(budget) is copy.deepcopy(holder)["budget"] is budget

    def test_counts_for_many_threads_as_for_one(self, hurried_threads: None) -> None:
        budget = Budget(calls=2000)
        paid: list[int] = []

        def spend() -> None:
            count = 0
            with suppress(BudgetExceeded):
                while True:
                    budget.reserve(ONE_CALL).keep()
                    count += 1
            paid.append(count)

        threads = [threading.Thread(target=spend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (sum(paid), budget.spent, budget.reserved) == (2000, Spending(calls=2000), NOTHING)

    def test_is_not_pickled(self) -> None:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(ConfigurationError, match="Give each process a budget of its own"):
                pickle.dumps(Budget(usd=1), protocol)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_pays_for_nothing_in_the_child_of_a_fork(self) -> None:
        # In a process of its own: one that has threads had better not fork.
        command = [sys.executable, "-c", _FORKING]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["child: Give each process a budget of its own.", "parent: paid"]


_FORKING = """
import os
from firellava.costs.budget import Budget, Spending
from firellava.errors import ConfigurationError
budget = Budget(calls=5)
child = os.fork()
if child == 0:
    try:
        budget.reserve(Spending(calls=1))
    except ConfigurationError as error:
        print("child:", *str(error).split()[-8:], flush=True)
    os._exit(0)
os.waitpid(child, 0)
budget.reserve(Spending(calls=1))
print("parent: paid")
"""


class TestAReserve:
    @pytest.mark.parametrize(
        ("end", "spent"),
        [
            (
                lambda reserve: reserve.settle(Spending(Decimal("0.02"), 30, 1)),
                Spending(Decimal("0.02"), 30, 1),
            ),
            (Reserve.keep, Spending(Decimal("0.05"), 100, 1)),
            (Reserve.release, NOTHING),
        ],
        ids=["settled", "kept", "released"],
    )
    def test_leaves_what_the_call_took_and_counts_once(
        self, end: Callable[[Reserve], None], spent: Spending
    ) -> None:
        budget = Budget(usd=1)
        needed = Spending(Decimal("0.05"), 100, 1)
        reserve = budget.reserve(needed)
        assert (budget.spent, budget.reserved) == (NOTHING, needed)
        end(reserve)
        for again in (end, Reserve.keep, Reserve.release):
            assert (budget.spent, budget.reserved) == (spent, NOTHING)
            again(reserve)
        assert (budget.spent, budget.reserved) == (spent, NOTHING)

    def test_that_is_refused_takes_nothing(self) -> None:
        budget = Budget(usd=1, calls=1)
        with pytest.raises(BudgetExceeded):
            budget.reserve(Spending(Decimal("0.5"), 10, 2))
        assert budget.reserved == NOTHING
        budget.reserve(Spending(Decimal(1), 10, 1))

    def test_keeps_others_out_until_it_is_settled(self) -> None:
        budget = Budget(usd="0.10")
        first = budget.reserve(dollars("0.06"))
        with pytest.raises(BudgetExceeded):
            budget.reserve(dollars("0.05"))
        first.settle(dollars("0.01"))
        budget.reserve(dollars("0.05"))

    def test_may_be_settled_while_the_same_thread_is_counting(self) -> None:
        # As when the garbage collector finds an abandoned answer in the midst of a reserve.
        held: list[Reserve] = []

        def interrupting_clock() -> float:
            while held:
                held.pop().keep()
            return 0.0

        budget = Budget(calls=3, window=60, clock=interrupting_clock)
        held += [budget.reserve(ONE_CALL), budget.reserve(ONE_CALL)]
        counting = threading.Thread(target=budget.reserve, args=[ONE_CALL], daemon=True)
        counting.start()
        counting.join(timeout=30)
        assert not counting.is_alive()
        assert (budget.spent, budget.reserved) == (Spending(calls=2), ONE_CALL)

    def test_is_exact_whatever_the_precision_of_the_callers_decimals(self) -> None:
        budget = Budget(usd="1")
        with decimal.localcontext(prec=2):
            for _ in range(3):
                budget.reserve(dollars("0.2001")).settle(dollars("0.1001"))
            with pytest.raises(BudgetExceeded) as exceeded:
                budget.reserve(dollars("0.6998"))
        assert budget.spent.usd == Decimal("0.3003")
        assert exceeded.value.left == Decimal("0.6997")


class TestAWindow:
    def test_forgets_what_was_spent_before_it(self, clock: Clock) -> None:
        budget = Budget(calls=1, window=10, clock=clock)
        budget.reserve(ONE_CALL).keep()
        clock.now = 9.0
        with pytest.raises(BudgetExceeded):
            budget.reserve(ONE_CALL)
        clock.now = 10.0
        assert budget.spent == NOTHING
        budget.reserve(ONE_CALL)

    def test_begins_when_the_call_is_over(self, clock: Clock) -> None:
        budget = Budget(calls=1, window=10, clock=clock)
        reserve = budget.reserve(ONE_CALL)
        clock.now = 100.0
        with pytest.raises(BudgetExceeded) as exceeded:
            budget.reserve(ONE_CALL)
        assert exceeded.value.free_in is None  # nobody knows when that call ends
        reserve.keep()
        clock.now = 109.0
        with pytest.raises(BudgetExceeded, match=r"free again in 1 s") as exceeded:
            budget.reserve(ONE_CALL)
        assert exceeded.value.free_in == 1.0

    def test_tells_when_enough_is_free_again(self, clock: Clock) -> None:
        budget = Budget(usd="1", window=60, clock=clock)
        for at, spent in ((0.0, "0.3"), (10.0, "0.3"), (20.0, "0.3")):
            clock.now = at
            budget.reserve(dollars(spent)).keep()
        for needed, free_in in (("0.2", 40.0), ("0.4", 40.0), ("0.5", 50.0), ("0.9", 60.0), ("1.1", None)):
            with pytest.raises(BudgetExceeded) as exceeded:
                budget.reserve(dollars(needed))
            assert exceeded.value.free_in == free_in
        clock.now = 60.0
        budget.reserve(dollars("0.4"))

    def test_without_one_nothing_is_ever_free_again(self) -> None:
        budget = Budget(calls=1)
        budget.reserve(ONE_CALL).keep()
        with pytest.raises(BudgetExceeded) as exceeded:
            budget.reserve(ONE_CALL)
        assert exceeded.value.free_in is None
        assert "free again" not in str(exceeded.value)


class TestALimitForTheAnswer:
    @staticmethod
    def bounded(budget: Budget, **parameters: Any) -> Parameters:
        request = Request((Message("user", "Hi"),), Parameters(**parameters))
        return budget.bounded(request).parameters

    @pytest.mark.parametrize("limits", [{"usd": 1}, {"tokens": 9}, {"usd": 1, "calls": 2}])
    def test_is_set_where_the_budget_needs_one(self, limits: dict[str, Any]) -> None:
        assert self.bounded(Budget(**limits)).max_tokens == 1024
        assert self.bounded(Budget(**limits, max_tokens=77), temperature=0.5) == Parameters(
            max_tokens=77, temperature=0.5
        )

    @pytest.mark.parametrize(
        ("limits", "given"),
        [
            ({"calls": 5}, {}),
            ({"usd": 1}, {"max_tokens": 5}),
            ({"usd": 1}, {"extra_body": {"max_tokens": 5}}),
            ({"usd": 1}, {"extra_body": {"max_completion_tokens": 5}}),
        ],
    )
    def test_is_left_as_it_was_where_there_is_one_or_none_is_needed(
        self, limits: dict[str, Any], given: dict[str, Any]
    ) -> None:
        assert self.bounded(Budget(**limits), **given) == Parameters(**given)


_AMOUNTS = st.builds(
    Spending,
    usd=st.decimals(min_value=0, max_value=4, places=9),
    tokens=st.integers(0, 400),
    calls=st.integers(0, 2),
)


class AnyUse(RuleBasedStateMachine):
    """A budget beside an oracle that keeps every call in a list and adds all of them up each time."""

    reserves = Bundle("reserves")

    @initialize(
        limits=st.fixed_dictionaries(
            {},
            optional={
                "usd": st.decimals(min_value=0, max_value=10, places=9),
                "tokens": st.integers(0, 1000),
                "calls": st.integers(0, 6),
            },
        ).filter(bool),
        window=st.none() | st.integers(1, 20),
    )
    def begin(self, limits: dict[str, Any], window: int | None) -> None:
        self.clock = Clock()
        self.limits = limits
        self.window = window
        self.budget = Budget(**limits, window=window, clock=self.clock)
        self.open: list[tuple[Reserve, Spending]] = []
        self.ended: list[tuple[float, Spending]] = []

    def taken(self, name: str, at: float) -> Any:
        """What the oracle counts at some time, if no call on its way ends before."""
        counted = [needed for _, needed in self.open]
        counted += [spent for when, spent in self.ended if self.window is None or at - when < self.window]
        return sum(getattr(spending, name) for spending in counted)

    def fits(self, needed: Spending, at: float) -> bool:
        return all(
            self.taken(name, at) + getattr(needed, name) <= limit for name, limit in self.limits.items()
        )

    @rule(target=reserves, needed=_AMOUNTS)
    def reserve(self, needed: Spending) -> tuple[Reserve, Spending] | None:
        now = self.clock.now
        if self.fits(needed, now):
            made = (self.budget.reserve(needed), needed)
            self.open.append(made)
            return made
        with pytest.raises(BudgetExceeded) as exceeded:
            self.budget.reserve(needed)
        name, free_in = exceeded.value.limit, exceeded.value.free_in
        limit, amount = self.limits[name], getattr(needed, name)
        assert self.taken(name, now) + amount > limit
        assert exceeded.value.left == limit - self.taken(name, now)
        later = [
            when + self.window - now
            for when, _ in self.ended
            if self.window is not None and self.taken(name, when + self.window) + amount <= limit
        ]
        assert free_in == min((wait for wait in later if wait > 0), default=None)
        return None

    @rule(
        reserved=consumes(reserves),
        share=st.integers(0, 100),
        how=st.sampled_from(["settle", "keep", "release"]),
    )
    def end(self, reserved: tuple[Reserve, Spending] | None, share: int, how: str) -> None:
        if reserved is None:
            return
        reserve, needed = reserved
        spent = {
            "settle": Spending(needed.usd * share / 100, needed.tokens * share // 100, needed.calls),
            "keep": needed,
            "release": NOTHING,
        }[how]
        if how == "settle":
            reserve.settle(spent)
        else:
            getattr(reserve, how)()
        reserve.settle(needed)  # a second end changes nothing
        self.open.remove(reserved)
        self.ended.append((self.clock.now, spent))

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def counts_like_the_oracle_and_never_beyond_a_limit(self) -> None:
        spent, reserved = self.budget.spent, self.budget.reserved
        for name in ("usd", "tokens", "calls"):
            assert getattr(reserved, name) == sum(getattr(needed, name) for _, needed in self.open)
            assert getattr(spent, name) + getattr(reserved, name) == self.taken(name, self.clock.now)
        for name, limit in self.limits.items():
            assert getattr(spent, name) + getattr(reserved, name) <= limit

    def teardown(self) -> None:
        if hasattr(self, "budget"):
            for reserve, _ in self.open:
                reserve.release()
            assert self.budget.reserved == NOTHING


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
