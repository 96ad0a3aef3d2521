"""`Ledger`: what is entered, what it comes to, and that nothing gets lost on the way."""

import copy
import decimal
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.costs.ledger import Ledger, Totals
from firellava.errors import ConfigurationError
from firellava.hooks import CallDetails
from firellava.replies import Usage
from tests.core.costs.calls import any_call, call

Calls = Sequence[CallDetails]


def ledger_of(*calls: CallDetails, keep: int | None = None) -> Ledger:
    ledger = Ledger(keep=keep)
    for each in calls:
        ledger(each)
    return ledger


def added_up(calls: Calls) -> Totals:
    """The totals the slow way, figure by figure."""
    usages = [each.usage for each in calls if each.usage is not None]
    outcomes = [each.outcome for each in calls]
    costs = [Fraction(each.cost_usd) for each in calls if each.cost_usd is not None]
    exact = decimal.Context(prec=100)
    cost = sum(costs, Fraction(0))
    silent = [each for each in calls if each.usage is None and not each.degraded]
    return Totals(
        calls=len(calls),
        answered=outcomes.count("answered"),
        broken=outcomes.count("broken"),
        abandoned=outcomes.count("abandoned"),
        failed=outcomes.count("failed"),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        image_tokens=sum(usage.image_tokens or 0 for usage in usages),
        cached_tokens=sum(usage.cached_tokens or 0 for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens or 0 for usage in usages),
        total_tokens=sum(usage.total_tokens for usage in usages),
        uncounted=sum(1 for each in silent if each.outcome != "failed" or each.may_cost_more),
        cost_usd=exact.divide(Decimal(cost.numerator), Decimal(cost.denominator)),
        unpriced=len(calls) - len(costs),
        may_cost_more=sum(1 for each in calls if each.may_cost_more),
    )


class TestTotals:
    @given(calls=st.lists(any_call, max_size=20), keep=st.none() | st.integers(0, 20))
    def test_are_the_sums_over_all_calls_whatever_is_kept(self, calls: Calls, keep: int | None) -> None:
        ledger = ledger_of(*calls, keep=keep)
        assert ledger.totals == added_up(calls)
        kept = len(calls) if keep is None else min(keep, len(calls))
        assert ledger.entries == tuple(calls[len(calls) - kept :])
        assert ledger.forgotten == len(calls) - kept

    @given(calls=st.lists(any_call, max_size=20), keep=st.none() | st.integers(0, 20))
    def test_by_model_backend_and_tag_cover_every_call(self, calls: Calls, keep: int | None) -> None:
        ledger = ledger_of(*calls, keep=keep)
        assert ledger.by("model") == {
            name: added_up([each for each in calls if each.model == name])
            for name in {each.model for each in calls}
        }
        assert ledger.by("backend") == {
            name: added_up([each for each in calls if each.backend == name])
            for name in {each.backend for each in calls}
        }
        assert ledger.by("tag") == {
            name: added_up([each for each in calls if name in (each.tags or ("",))])
            for name in {tag for each in calls for tag in each.tags or ("",)}
        }

    @given(first=st.lists(any_call, max_size=8), second=st.lists(any_call, max_size=8))
    def test_of_two_ledgers_can_be_added(self, first: Calls, second: Calls) -> None:
        assert ledger_of(*first).totals + ledger_of(*second).totals == added_up([*first, *second])

    def test_count_an_unknown_cost_and_never_take_it_for_nothing(self) -> None:
        totals = ledger_of(call(), call(cost_usd=None)).totals
        assert (totals.cost_usd, totals.unpriced) == (Decimal("0.0001244"), 1)

    @pytest.mark.parametrize(
        ("changes", "uncounted"),
        [
            ({"outcome": "answered"}, 1),
            ({"outcome": "abandoned"}, 1),
            ({"outcome": "failed", "may_cost_more": True}, 1),
            ({"outcome": "failed"}, 0),
            ({"outcome": "answered", "degraded": True}, 0),
        ],
        ids=str,
    )
    def test_count_the_calls_whose_tokens_nobody_stated(self, changes: Any, uncounted: int) -> None:
        assert ledger_of(call(usage=None, **changes)).totals.uncounted == uncounted

    def test_are_exact_whatever_precision_the_caller_works_with(self) -> None:
        with decimal.localcontext() as context:
            context.prec = 3
            context.traps[decimal.Inexact] = True
            ledger = ledger_of(
                call(cost_usd=Decimal("123456789.5")), call(cost_usd=Decimal("0.0000000001152"))
            )
            assert repr(ledger).startswith("Ledger($123,456,789.50, 2 calls")
        assert str(ledger.totals.cost_usd) == "123456789.5000000001152"

    def test_by_something_else_are_refused(self) -> None:
        what: Any = "user"
        with pytest.raises(ConfigurationError, match='"model", "backend" or "tag"'):
            Ledger().by(what)


class TestALedger:
    def test_begins_with_nothing(self) -> None:
        ledger = Ledger()
        assert (ledger.entries, ledger.totals, ledger.by("model"), ledger.rows()) == ((), Totals(), {}, [])

    def test_does_not_fill_the_memory_of_a_service(self) -> None:
        ledger = Ledger()
        for _ in range(10_050):
            ledger(call())
        assert len(ledger.entries) == 10_000
        assert ledger.totals.calls == 10_050

    def test_says_so_when_it_exports_less_than_there_was(self, caplog: pytest.LogCaptureFixture) -> None:
        ledger = ledger_of(call(), call(), call(), keep=2)
        with caplog.at_level(logging.WARNING, logger="firellava"):
            assert len(ledger.rows()) == 2
        assert "1 of the ledger's calls are no longer among its entries" in caplog.text

    @pytest.mark.parametrize("keep", [-1, 2.5, "all", True])
    def test_refuses_to_keep_what_is_no_number_of_entries(self, keep: Any) -> None:
        with pytest.raises(ConfigurationError, match="how many entries"):
            Ledger(keep=keep)

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
    def test_stays_the_same_when_it_is_copied(self, copied: Any) -> None:
        ledger = Ledger()
        copied(ledger)(call())
        assert ledger.totals.calls == 1

    def test_carries_what_it_knows_in_a_pickle(self) -> None:
        ledger = ledger_of(call(), call(tags=("captions",)), call(), keep=2)
        other = pickle.loads(pickle.dumps(ledger))  # noqa: S301 - our own
        assert (other.entries, other.totals, other.by("tag")) == (
            ledger.entries,
            ledger.totals,
            ledger.by("tag"),
        )
        other(call())
        assert (other.totals.calls, len(other.entries), ledger.totals.calls) == (4, 2, 3)


class TestNothingIsLost:
    def test_between_threads_that_write_and_read(self) -> None:
        ledger = Ledger(keep=100)

        def work(worker: int) -> None:
            for number in range(400):
                ledger(call(tags=(f"worker {worker}",), cost_usd=Decimal(number)))
                if number % 50 == 0:
                    # Whoever has recorded a call finds it in what he reads.
                    assert ledger.by("tag")[f"worker {worker}"].calls == number + 1
                    kept = len(ledger.entries)
                    assert ledger.totals.calls >= kept

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, range(8)))
        finally:
            sys.setswitchinterval(before)
        assert ledger.totals.calls == 3200
        assert ledger.totals.cost_usd == 8 * sum(range(400))
        assert {total.calls for total in ledger.by("tag").values()} == {400}

    def test_while_another_thread_makes_a_pickle(self) -> None:
        ledger = ledger_of(call(), keep=200)
        over = threading.Event()

        def record() -> None:
            while not over.is_set():
                ledger(call())

        with ThreadPoolExecutor(2) as pool:
            recording = pool.submit(record)
            try:
                counted = [pickle.loads(pickle.dumps(ledger)).totals.calls for _ in range(50)]  # noqa: S301
            finally:
                over.set()
            recording.result()
        assert counted == sorted(counted)

    def test_when_a_call_ends_in_the_midst_of_recording_another(self) -> None:
        # As when the garbage collector finds an abandoned answer just then.
        ledger = Ledger()
        interrupted: list[bool] = []

        class Interrupting(str):
            __slots__ = ()

            def __eq__(self, other: object) -> bool:
                if not interrupted:
                    interrupted.append(True)
                    ledger(call())
                    assert ledger.totals.calls == 1
                return str.__eq__(self, other)

            __hash__ = str.__hash__

        ledger(call())
        ledger(call(outcome=Interrupting("answered")))
        assert interrupted
        assert (ledger.totals.calls, ledger.totals.cost_usd) == (3, 3 * Decimal("0.0001244"))
        assert len(ledger.entries) == 3

    def test_when_a_call_ends_in_the_midst_of_reading_the_totals(self) -> None:
        ledger = Ledger()

        class Interrupting(int):
            reading = False

            def __add__(self, other: int) -> "Interrupting":
                if Interrupting.reading:
                    Interrupting.reading = False
                    ledger(call(model="of another"))
                return Interrupting(int(self) + int(other))

            __radd__ = __add__

        for model in ("one", "two", "three"):
            ledger(call(model=model, usage=Usage(Interrupting(5), 1, 6)))
        Interrupting.reading = True
        assert ledger.totals.calls == 3
        assert (ledger.totals.calls, list(ledger.by("model"))) == (4, ["one", "two", "three", "of another"])

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_in_a_child_that_is_forked_while_threads_record(self) -> None:
        # In a process of its own: one that has threads had better not fork.
        command = [sys.executable, "-W", "ignore", "-c", _FORKS]
        root = Path(__file__).parents[3]
        done = subprocess.run(command, cwd=root, capture_output=True, check=False, timeout=60)  # noqa: S603 - ourselves
        assert (done.returncode, done.stderr) == (0, b"")


_FORKS = """
import os, sys, threading
from firellava.costs.ledger import Ledger
from tests.core.costs.calls import call

sys.setswitchinterval(1e-5)
ledger, over, entry = Ledger(keep=None), threading.Event(), call()

def record():
    while not over.is_set():
        ledger(entry)

threads = [threading.Thread(target=record) for _ in range(3)]
for thread in threads:
    thread.start()
failures = 0
for _ in range(20):
    child = os.fork()
    if child == 0:
        ledger(entry)
        os._exit(0 if ledger.totals.calls == len(ledger.entries) else 1)
    failures += os.waitpid(child, 0)[1] != 0
over.set()
for thread in threads:
    thread.join()
assert ledger.totals.calls == len(ledger.entries)
sys.exit(failures)
"""


class TestGroupings:
    @pytest.mark.parametrize("what", ["model", "backend", "tag"])
    def test_stand_in_the_order_in_which_they_were_seen(
        self, what: Literal["model", "backend", "tag"]
    ) -> None:
        calls = [call(model=name, backend=name, tags=(name,)) for name in ("b", "a", "b", "c")]
        assert list(ledger_of(*calls).by(what)) == ["b", "a", "c"]

    def test_count_a_call_once_for_a_tag_that_it_has_twice(self) -> None:
        totals = ledger_of(call(tags=("a", "b", "a"))).by("tag")
        assert {tag: total.calls for tag, total in totals.items()} == {"a": 1, "b": 1}

    def test_add_image_tokens_that_are_known_to_those_that_are_not(self) -> None:
        totals = ledger_of(call(), call(usage=Usage(100, 5, 105))).totals
        assert (totals.prompt_tokens, totals.image_tokens) == (708, 576)
