"""Every failure, in every way to ask: who answers, what is raised, what is sent, and who is named.

What is observed is the table in docs/RELIABILITY.md; `make reliability` writes it anew.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firellava import OfflineReader
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import BackendError, StreamBroken
from langchain_firellava import ChatFireLLaVA, image_block
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.dead_servers import CAN_HANG_CONNECTIONS
from tests.reliability import document
from tests.reliability.asking import ANSWER, WAYS, Heard, ask
from tests.reliability.document import Cell
from tests.reliability.failures import FAILURES, FALLBACK, Failure, World

CLOUD = "fireworks:firellava-13b"
RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"

Cells = dict[tuple[str, str], Cell]
Way = Callable[[dict[str, Any], Heard], None]


@pytest.fixture(scope="module")
def cells() -> Cells:
    """What the tests of this module observed so far."""
    return {}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_a_failure(
    failure: Failure,
    way: Way,
    api_server: ApiServer,
    local_server: ApiServer,
    local: OpenAICompatibleBackend,
    monkeypatch: pytest.MonkeyPatch,
    cells: Cells,
) -> None:
    if failure.name == "connection hangs" and not CAN_HANG_CONNECTIONS:
        pytest.skip("here a full backlog leaves nobody waiting")
    streamed = "stream" in way.__name__
    with failure.arrange(World(api_server, monkeypatch, streamed)) as settings:
        heard = ask(way, {**settings, "fallback": local})
    answers = len(local_server.requests)
    cell = cells[failure.name, way.__name__] = Cell(
        outcome=_outcome(heard, local),
        attempts=_attempts(heard),
        requests=len(api_server.requests),
        repeated=_repeated(heard, answers),
        wrong_labels=_wrong_labels(heard, local if answers else None),
    )
    assert cell == Cell(failure.expected(streamed=streamed), failure.attempts, failure.requests, 0, 0)
    assert answers == (1 if cell.outcome == FALLBACK else 0)


def _outcome(heard: Heard, local: OpenAICompatibleBackend) -> str:
    if heard.error is not None:
        return type(heard.error).__name__
    return FALLBACK if heard.metadata["backend"] == local.label else str(heard.metadata["backend"])


def _attempts(heard: Heard) -> int:
    """How often the API was tried; an error that is raised as it is came of the first try."""
    return len([a for a in heard.metadata["attempts"] if a["reason"]]) if heard.metadata else 1


def _repeated(heard: Heard, answers: int) -> int:
    if isinstance(heard.error, StreamBroken):
        # What was heard is the beginning of the answer, once, and nobody was asked for it again.
        once = bool(heard.text) and heard.text == heard.error.partial_text and ANSWER.startswith(heard.text)
        return int(not once) + answers
    if heard.error is not None:
        return len(heard.pieces) + answers
    return int(heard.text != ANSWER) + answers - 1


def _wrong_labels(heard: Heard, answered: OpenAICompatibleBackend | None) -> int:
    """Names other than those of the servers that the requests and the answer passed through."""
    if heard.error is not None:
        return not (isinstance(heard.error, BackendError) and heard.error.backend == CLOUD)
    named = [one["backend"] for one in heard.metadata["attempts"]]
    failed = [one["backend"] for one in heard.metadata["fallback_from"]]
    wrong: list[bool] = [name != CLOUD for name in (*named[:-1], *failed)]
    answering = None if answered is None else (answered.label, answered.label, QWEN_MAX)
    right = (heard.metadata["backend"], named[-1], heard.metadata["model_name"]) == answering
    return sum(wrong) + int(not right)


def test_the_table_in_the_documentation_is_what_this_run_observed(cells: Cells) -> None:
    names, ways = [failure.name for failure in FAILURES], [way.__name__ for way in WAYS]
    if len(cells) < len(names) * len(ways):
        pytest.skip("not every cell was run")
    table = document.render(names, ways, cells)
    if document.REWRITE:
        document.rewrite(table)
    assert document.committed() == table, "`make reliability` writes the table anew"


@pytest.mark.engine("rapidocr")
@pytest.mark.parametrize(
    "fault",
    [Fault(drop=True), Fault(status=500), Fault(truncate_after=30)],
    ids=["dropped", "500", "cut before the first piece"],
)
def test_the_offline_reader_answers_about_the_same_picture(api_server: ApiServer, fault: Fault) -> None:
    api_server.fail_next(fault, times=2)
    llm = ChatFireLLaVA(api_key=api_server.key, base_url=api_server.base_url, fallback=OfflineReader())
    question = [
        {"role": "user", "content": [{"type": "text", "text": "What is the total?"}, image_block(RECEIPT)]}
    ]
    whole = llm.invoke(question)
    chunks = list(llm.stream(question))
    streamed = chunks[0]
    for chunk in chunks[1:]:
        streamed += chunk
    for answer in (whole, streamed):
        assert answer.content == "$49.98"
        assert answer.response_metadata["backend"] == "offline-reader"
        assert answer.response_metadata["degraded"] is True
        assert [one["backend"] for one in answer.response_metadata["fallback_from"]] == [CLOUD]
    assert len(api_server.requests) == 2
