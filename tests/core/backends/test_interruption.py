"""Engines stop when nobody waits: closed, cancelled, timed out, forked, at the end of the process."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from firellava import VisionClient
from firellava.backends import engines
from firellava.backends.inference import EngineBackend, Inference
from firellava.errors import (
    AttemptTimedOut,
    ConnectionFailed,
    DeadlineExceeded,
    StreamBroken,
)
from firellava.replies import ReplyChunk
from tests.fixtures.tiny_model import CHECKPOINT, CIRCLE, asked

ROOT = Path(__file__).parents[3]
COLOUR = "What colour is the background?"
QUESTION = asked("Describe the image.", CIRCLE)


@dataclass
class Endless:
    """A backend whose answer to these parameters goes on for hundreds of slow tokens; and what it said."""

    backend: EngineBackend
    parameters: dict[str, Any]
    said: list[str] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)

    def client(self, **settings: Any) -> VisionClient:
        return VisionClient(backend=self.backend, **settings)

    def said_in_all(self) -> int:
        """Pieces it said until it turned to the next question."""
        self.client().ask(COLOUR, CIRCLE, temperature=0, max_tokens=1)
        return len(self.said)


@pytest.fixture
def endless(engine_backend: EngineBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Endless:
    if engine_backend.kind == "llama_cpp":
        made = Endless(engine_backend, {"temperature": 0, "extra_body": {"ignore_eos": True}})
    else:
        checkpoint = shutil.copytree(CHECKPOINT, tmp_path / "endless")
        settings = checkpoint / "generation_config.json"
        settings.write_text(settings.read_text().replace('"eos_token_id": 2', '"eos_token_id": 1'))
        backend = engine_backend.model_copy(update={"checkpoint_path": checkpoint})
        made = Endless(backend, {"temperature": 0})
    emit = Inference.emit

    def slowly(self: Inference, chunk: ReplyChunk) -> None:
        made.said.append(chunk.text)
        made.begun.set()
        time.sleep(0.01)
        emit(self, chunk)

    monkeypatch.setattr(Inference, "emit", slowly)
    return made


def test_a_stream_that_is_closed_early_stops_the_engine(endless: Endless) -> None:
    stream = endless.client().stream(QUESTION, **endless.parameters)
    assert next(stream).text
    stream.close()
    assert endless.said_in_all() < 50


async def test_an_asynchronous_stream_that_is_closed_early_stops_the_engine(endless: Endless) -> None:
    stream = endless.client().astream(QUESTION, **endless.parameters)
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(endless.said_in_all) < 50


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancelled_task_stops_the_engine(
    endless: Endless,
    streamed: bool,  # noqa: FBT001 - a case of the test
) -> None:
    async def read() -> None:
        async for _ in endless.client().astream(QUESTION, **endless.parameters):
            pass

    answer = read() if streamed else endless.client().achat(QUESTION, **endless.parameters)
    task = asyncio.ensure_future(answer)
    assert await asyncio.to_thread(endless.begun.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(endless.said_in_all) < 100


def test_time_limits_are_kept_and_stop_the_engine(endless: Endless) -> None:
    parameters = endless.parameters
    endless.client().chat(QUESTION, **parameters | {"max_tokens": 1})  # so that it is loaded
    endless.said.clear()
    with pytest.raises(AttemptTimedOut, match="took too long to answer") as raised:
        endless.client(timeout=0.3).chat(QUESTION, **parameters)
    assert raised.value.backend == endless.backend.label
    assert raised.value.sent  # the engine was at it: once more would take as long
    with pytest.raises(DeadlineExceeded):
        endless.client(deadline=0.3).chat(QUESTION, **parameters)
    with pytest.raises(AttemptTimedOut):
        asyncio.run(endless.client(timeout=0.3).achat(QUESTION, **parameters))
    with pytest.raises(StreamBroken, match="took too long") as broken:
        list(endless.client(deadline=2).stream(QUESTION, **parameters))
    assert broken.value.partial_text
    assert endless.said_in_all() < 500


def test_whoever_waits_for_a_busy_engine_waits_no_longer_than_allowed(endless: Endless) -> None:
    stream = endless.client().stream(QUESTION, **endless.parameters)
    next(stream)
    impatient = endless.client(timeout=0.2, max_retries=0)
    with pytest.raises(AttemptTimedOut, match="busy with another question") as raised:
        impatient.chat(QUESTION, **endless.parameters)
    assert not raised.value.sent
    assert next(stream).text
    stream.close()
    assert endless.said_in_all() < 100


def test_an_engine_that_is_closed_while_it_answers_breaks_the_stream_and_opens_again(
    endless: Endless,
) -> None:
    stream = endless.client().stream(QUESTION, **endless.parameters)
    next(stream)
    engines.close_all()
    with pytest.raises(StreamBroken, match="was closed before it had answered"):
        list(stream)
    reply = endless.client().ask(COLOUR, CIRCLE, temperature=0, max_tokens=5)
    assert reply.text == "The background is blue."


def test_no_engine_is_opened_for_a_question_that_nobody_waits_for_any_longer() -> None:
    posted: list[object] = []

    def opened() -> NoReturn:
        pytest.fail("the engine was opened")

    inference = Inference(lambda *_: None, posted.append, "an engine")
    inference.unwanted.set()
    inference.run(opened)
    assert [type(item) for item in posted] == [ConnectionFailed]


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, from which engines must be cleared away at the end."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _CLIENT + program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - ourselves


_CLIENT = """
import os, sys
from firellava import VisionClient
from tests.fixtures.tiny_model import CIRCLE, asked, engine_backend
client = VisionClient(backend=engine_backend(sys.argv[1]))
assert client.ask("Describe the image.", CIRCLE, temperature=0).text == "A red circle on a blue background."
"""


_FORKING = """
colour = "What colour is the background?"
child = os.fork()
if child == 0:
    print(client.ask(colour, CIRCLE, temperature=0).text, flush=True)
    client.ask(colour, CIRCLE, temperature=0)
    sys.exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
print(client.ask(colour, CIRCLE, temperature=0).text)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_opens_an_engine_of_its_own_and_ends_in_peace(engine_backend: EngineBackend) -> None:
    done = run(_FORKING, engine_backend.kind)
    assert done.stderr == ""
    assert done.stdout.split("\n") == ["The background is blue.", "5", "The background is blue.", ""]
    assert done.returncode == 0


_QUIETLY = """
client.ask("Describe the image.", CIRCLE, temperature=1, seed=3)
try:
    client.ask("red " * 5000)
except Exception as error:
    assert type(error).__name__ == "ContextOverflow"
kept = client.stream(asked("Describe the image.", CIRCLE))
next(kept)
sys.exit(7)
"""


def test_nothing_is_printed_and_the_process_ends_as_it_wants_in_the_middle_of_a_stream(
    engine_backend: EngineBackend,
) -> None:
    done = run(_QUIETLY, engine_backend.kind)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 7)
