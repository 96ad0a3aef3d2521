"""`track_cost`: which calls a block records, wherever they are made and however they end."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava import Message, VisionClient
from firellava.costs.ledger import Ledger
from firellava.costs.tracking import Tracker, active_trackers, track_cost
from firellava.errors import ConfigurationError, ServerFailed
from tests.api_server import ApiServer
from tests.api_server.faults import Fault

QUESTION = [Message("user", "What is a ledger?")]


class TestABlock:
    def test_records_the_calls_made_in_it_and_no_others(self, client: VisionClient) -> None:
        client.ask("Before?")
        with track_cost() as ledger:
            reply = client.ask("Inside?")
        client.ask("After?")
        assert [entry.usage for entry in ledger.entries] == [reply.usage]
        assert ledger.totals.cost_usd == reply.cost_usd

    def test_records_every_attempt(self, client: VisionClient, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=503))
        with track_cost() as ledger:
            client.ask("Are you there?")
        assert [(entry.attempt, entry.outcome) for entry in ledger.entries] == [
            (0, "failed"),
            (1, "answered"),
        ]
        assert len({entry.question for entry in ledger.entries}) == 1

    def test_ends_with_the_error_that_ended_it(
        self, client_for: Callable[..., VisionClient], api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(status=500))
        with pytest.raises(ServerFailed), track_cost() as ledger:
            client_for(max_retries=0).ask("Are you there?")
        assert ledger.totals.failed == 1
        assert active_trackers() == ()

    def test_takes_a_ledger_that_was_there_before(self, client: VisionClient) -> None:
        ledger = Ledger()
        for tag in ("first", "second"):
            with track_cost(tag, ledger=ledger) as same:
                assert same is ledger
                client.ask("Which one?")
        assert {tag: total.calls for tag, total in ledger.by("tag").items()} == {"first": 1, "second": 1}

    @pytest.mark.parametrize("tag", ["", " ", 5, Ledger()], ids=["empty", "blank", "number", "ledger"])
    def test_refuses_a_tag_that_is_no_name(self, tag: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"goes into ledger="):
            track_cost(tag)


class TestNestedBlocks:
    def test_record_what_is_inside_each(self, client: VisionClient) -> None:
        with track_cost("outer") as outer:
            client.ask("One?")
            with track_cost() as middle, track_cost("inner") as inner:
                client.ask("Two?")
            client.ask("Three?")
        assert [len(ledger.entries) for ledger in (outer, middle, inner)] == [3, 1, 1]
        assert [entry.tags for entry in outer.entries] == [("outer",), ("outer", "inner"), ("outer",)]

    def test_record_a_call_once_in_a_ledger_they_share(self, client_for: Callable[..., VisionClient]) -> None:
        ledger = Ledger()
        with track_cost("a", ledger=ledger), track_cost("b", ledger=ledger):
            client_for(hooks=[ledger]).ask("How often?")
        assert [entry.tags for entry in ledger.entries] == [("a", "b")]

    @given(steps=st.lists(st.tuples(st.sampled_from(["open", "close"]), st.integers(0, 2)), max_size=12))
    def test_can_end_in_any_order(self, steps: list[tuple[str, int]]) -> None:
        contextvars.copy_context().run(self.open_and_close, steps)

    def open_and_close(self, steps: list[tuple[str, int]]) -> None:
        trackers = [track_cost(str(number)) for number in range(3)]
        opened: list[Tracker] = []
        for step, number in steps:
            tracker = trackers[number]
            if step == "open":
                assert tracker.__enter__() is tracker.ledger
                opened.append(tracker)
            elif tracker in opened:
                tracker.__exit__(None, None, None)
                # One that was opened twice ends where it began last.
                del opened[len(opened) - 1 - opened[::-1].index(tracker)]
            assert active_trackers() == tuple(opened)


class TestBlocksElsewhere:
    def test_follow_the_context_into_threads(self, client: VisionClient) -> None:
        with ThreadPoolExecutor(8) as pool, track_cost("batch") as ledger:
            futures = [
                pool.submit(contextvars.copy_context().run, client.ask, f"Question {number}?")
                for number in range(40)
            ]
            replies = [future.result() for future in futures]
        assert ledger.totals.calls == ledger.by("tag")["batch"].calls == 40
        assert ledger.totals.total_tokens == sum(reply.usage.total_tokens for reply in replies if reply.usage)

    def test_of_two_threads_know_nothing_of_each_other(self, client: VisionClient) -> None:
        def work(number: int) -> int:
            with track_cost() as ledger:
                for _ in range(number):
                    client.ask("Whose?")
            return ledger.totals.calls

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(1, 5))) == [1, 2, 3, 4]

    async def test_hold_in_tasks_and_keep_them_apart(self, client: VisionClient) -> None:
        async def work(tag: str, number: int) -> Ledger:
            with track_cost(tag) as ledger:
                await asyncio.gather(*(client.aask(f"Question {n}?") for n in range(number)))
                await asyncio.to_thread(client.ask, "And from a thread?")
            return ledger

        with track_cost() as everything:
            ledgers = await asyncio.gather(work("a", 3), work("b", 5))
        await client.aask("After?")
        assert [ledger.totals.calls for ledger in ledgers] == [4, 6]
        assert everything.totals.calls == 10
        assert {tag: total.calls for tag, total in everything.by("tag").items()} == {"a": 4, "b": 6}

    async def test_record_a_task_that_outlives_them(self, client: VisionClient) -> None:
        with track_cost() as ledger:
            task = asyncio.create_task(client.aask("How long?"))
        await task
        assert ledger.totals.answered == 1

    def test_record_an_answer_that_is_read_after_them(self, client: VisionClient) -> None:
        with track_cost("inside") as ledger:
            pieces = client.stream(QUESTION)
        assert ledger.totals.calls == 0
        with track_cost("outside") as other:
            last = list(pieces)[-1]
        assert [(entry.usage, entry.tags) for entry in ledger.entries] == [(last.usage, ("inside",))]
        assert other.totals.calls == 0

    async def test_record_an_asynchronous_answer_that_is_read_after_them(self, client: VisionClient) -> None:
        with track_cost() as ledger:
            pieces = client.astream(QUESTION)
        async for _ in pieces:
            pass
        assert ledger.totals.answered == 1

    def test_record_an_answer_that_nobody_reads_to_its_end(self, client: VisionClient) -> None:
        with track_cost() as ledger:
            pieces = client.stream(QUESTION)
            next(pieces)
        pieces.close()
        assert [(entry.outcome, entry.may_cost_more) for entry in ledger.entries] == [("abandoned", True)]

    def test_inside_a_generator_may_end_in_another_context(self, client: VisionClient) -> None:
        # As when a web server fetches each piece on whatever thread is free.
        def pieces() -> Iterator[Ledger]:
            with track_cost() as ledger:
                client.ask("First?")
                yield ledger
            client.ask("Second?")

        generator = pieces()
        ledger = contextvars.copy_context().run(next, generator)
        assert contextvars.copy_context().run(next, generator, None) is None
        assert ledger.totals.calls == 1
        assert active_trackers() == ()

    async def test_inside_an_asynchronous_generator_end_with_it(self, client: VisionClient) -> None:
        async def pieces() -> AsyncIterator[Ledger]:
            with track_cost() as ledger:
                await client.aask("First?")
                yield ledger

        async for ledger in pieces():
            assert ledger.totals.calls == 1
        assert active_trackers() == ()
