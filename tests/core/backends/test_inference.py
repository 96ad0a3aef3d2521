"""What both engines in this process do alike: answer about the pixels, and refuse what they cannot do."""

import asyncio
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firellava import ImageSource, Message, Reply, VisionClient
from firellava.backends.inference import EngineBackend, Inference
from firellava.errors import (
    ConfigurationError,
    ConnectionFailed,
    ContextOverflow,
    FireLLaVAError,
    MissingExtra,
    MissingKey,
    UnreadableImage,
    UnsafeURL,
    UnsupportedCapability,
)
from firellava.images.fetch import FetchedImage
from firellava.replies import ReplyChunk
from tests.fixtures.tiny_model import CIRCLE, asked, picture

DESCRIBED = "A red circle on a blue background."
COLOUR = "What colour is the background?"


@pytest.fixture
def client(engine_backend: EngineBackend) -> VisionClient:
    return VisionClient(backend=engine_backend)


@pytest.mark.parametrize(
    ("shape", "colour", "background"),
    [("circle", "red", "blue"), ("triangle", "yellow", "green"), ("square", "white", "black")],
)
def test_it_answers_about_the_pixels(client: VisionClient, shape: str, colour: str, background: str) -> None:
    image = picture(shape, colour, background)
    answers = {
        "What shape is in the image?": f"A {shape}.",
        f"What colour is the {shape}?": f"The {shape} is {colour}.",
        COLOUR: f"The background is {background}.",
        "Describe the image.": f"A {colour} {shape} on a {background} background.",
    }
    assert {question: client.ask(question, image, temperature=0).text for question in answers} == answers


def test_it_answers_the_same_in_all_four_ways_and_in_one_event_loop_after_another(
    client: VisionClient,
) -> None:
    messages = asked("Describe the image.", CIRCLE)

    async def asynchronously() -> tuple[str, str]:
        reply = await client.achat(messages, temperature=0)
        chunks = [chunk async for chunk in client.astream(messages, temperature=0)]
        assert chunks[-1].reply is not None
        return reply.text, "".join(chunk.text for chunk in chunks)

    pieces = [chunk.text for chunk in client.stream(messages, temperature=0) if chunk.text]
    assert len(pieces) > 3
    texts = {client.chat(messages, temperature=0).text, "".join(pieces)}
    assert texts | {text for _ in range(3) for text in asyncio.run(asynchronously())} == {DESCRIBED}


def test_a_reply_tells_who_answered_what_it_took_and_that_it_cost_nothing(
    client: VisionClient, engine_backend: EngineBackend
) -> None:
    reply = client.ask(COLOUR, picture("circle", "red", "blue", (2048, 1024)), temperature=0)
    assert reply.backend == engine_backend.label
    assert reply.model == engine_backend.label.partition(":")[2]
    assert not reply.degraded
    assert reply.cost_usd == 0
    assert reply.finish_reason == "stop"
    assert reply.usage is not None
    assert 70 < reply.usage.prompt_tokens < 80  # 64 of them are the image
    assert reply.usage.completion_tokens == 6
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + 6
    assert reply.adjustments == ("image 1: scaled from 2048x1024 to 1024x512",)
    assert str(Path(__file__).parents[2]) not in repr(reply)


def test_several_images_a_system_message_and_an_earlier_turn_are_seen(client: VisionClient) -> None:
    blue, red = Image.new("RGB", (56, 56), "blue"), Image.new("RGB", (56, 56), "red")
    same = "Are the two images the same colour?"
    assert client.ask(same, red, blue, temperature=0).text == "No, one is red and one is blue."
    assert client.ask(same, red, red, temperature=0).text == "Yes, both are red."
    conversation = [
        Message("system", "Be brief."),
        *asked("What shape is in the image?", CIRCLE),
        Message("assistant", "A circle."),
        Message("user", "What colour is the circle?"),
    ]
    assert client.chat(conversation, temperature=0).text == "The circle is red."


@pytest.mark.parametrize(
    "prompt",
    [
        "USER:\n<image>\nWhat colour is the background?\n\nASSISTANT:",
        "USER: <image>\nWhat colour is the background? ASSISTANT:",
        "SYSTEM: Be brief.\n\nUSER:\n<image>\nWhat colour is the background?\n\nASSISTANT:",
    ],
)
def test_a_completions_prompt_is_answered_too(client: VisionClient, prompt: str) -> None:
    assert client.complete(prompt, [CIRCLE], temperature=0).text.strip() == "The background is blue."
    streamed = "".join(chunk.text for chunk in client.stream_complete(prompt, [CIRCLE], temperature=0))
    assert streamed.strip() == "The background is blue."


def test_stop_strings_and_a_limit_on_tokens_are_kept(client: VisionClient) -> None:
    cut = client.ask("Describe the image.", CIRCLE, temperature=0, stop=["circle on", "zebra"])
    assert (cut.text, cut.finish_reason) == ("A red ", "stop")
    short = client.ask("Describe the image.", CIRCLE, temperature=0, max_tokens=3)
    assert (short.text, short.finish_reason) == ("A red circle", "length")
    assert short.usage is not None
    assert short.usage.completion_tokens == 3


def test_a_seed_makes_a_sampled_answer_the_same_again(client: VisionClient) -> None:
    def sample(seed: int) -> str:
        return client.ask("x", temperature=2, top_p=1, top_k=0, min_p=0, seed=seed, max_tokens=30).text

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_an_image_given_by_url_is_downloaded_first(
    client: VisionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FetchedImage(ImageSource.of(CIRCLE), seconds=0.1)
    monkeypatch.setattr("firellava.backends.pictures.fetch_images", lambda urls, *_, **__: {urls[0]: found})
    assert client.ask("Describe the image.", "https://example.com/a.png", temperature=0).text == DESCRIBED


def test_hints_to_the_api_are_ignored(client: VisionClient) -> None:
    hints: dict[str, Any] = {
        "user": "u",
        "metadata": {"a": "b"},
        "service_tier": "priority",
        "prompt_cache_key": "k",
        "reasoning_effort": "low",
        "context_length_exceeded_behavior": "error",
        "perf_metrics_in_response": True,
    }
    assert client.ask(COLOUR, CIRCLE, temperature=0, n=1, **hints).text == "The background is blue."


def test_many_threads_and_tasks_share_one_engine(client: VisionClient) -> None:
    pictures = {colour: Image.new("RGB", (56, 56), colour) for colour in ("red", "green", "blue", "yellow")}
    colours = list(pictures) * 4
    expected = [f"The background is {colour}." for colour in colours]
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda c: client.ask(COLOUR, pictures[c], temperature=0).text, colours))
    assert texts == expected

    async def together() -> list[Reply]:
        return await asyncio.gather(*(client.aask(COLOUR, pictures[c], temperature=0) for c in colours))

    assert [reply.text for reply in asyncio.run(together())] == expected


def test_a_backend_is_a_value(engine_backend: EngineBackend) -> None:
    copy = pickle.loads(pickle.dumps(engine_backend))  # noqa: S301 - our own pickle
    assert copy == engine_backend
    assert hash(copy) == hash(engine_backend)
    assert type(engine_backend).model_validate_json(engine_backend.model_dump_json()) == engine_backend
    assert type(engine_backend).__name__ in repr(engine_backend)
    assert VisionClient(backend=copy).ask(COLOUR, CIRCLE, temperature=0).text == "The background is blue."


def test_backends_that_differ_in_their_card_share_an_engine(engine_backend: EngineBackend) -> None:
    other = engine_backend.model_copy(update={"card": engine_backend.model_card})
    assert other.engine_key == engine_backend.engine_key


def test_it_says_why_it_was_asked(engine_backend: EngineBackend) -> None:
    reply = VisionClient(fallback=engine_backend).ask(COLOUR, CIRCLE, temperature=0)
    assert reply.text == "The background is blue."
    (missed,) = reply.fallback_from
    assert isinstance(missed.error, MissingKey)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ],
    ids=["n", "tools"],
)
def test_what_it_cannot_do_is_refused_by_name(
    client: VisionClient, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnsupportedCapability, match=rf"\b{said}\b"):
        client.ask("Which?", CIRCLE, **parameters)


def test_bad_input_is_refused_before_an_engine_is_opened(
    client: VisionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("firellava.backends.inference.compute")
    with pytest.raises(UnsafeURL):
        client.ask("What is this?", "http://127.0.0.1:1/cat.jpg")
    with pytest.raises(UnreadableImage):
        client.ask("What is this?", b"\x89PNG\r\n\x1a\nand then nothing")


def test_more_than_the_context_window_holds_is_refused(client: VisionClient) -> None:
    for ask in (client.chat, lambda messages: list(client.stream(messages))):
        with pytest.raises(ContextOverflow, match=r"\b1024\b"):
            ask(asked("red " * 2000, CIRCLE))


def test_a_missing_extra_is_named(client: VisionClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("xllamacpp", "transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install .firellava\[(llama-cpp|transformers)\]"):
        client.ask(COLOUR, CIRCLE)


@pytest.mark.parametrize("error", [ValueError("tensor\n  exploded"), ConnectionFailed("gone")], ids=repr)
def test_whatever_an_engine_raises_arrives_as_an_error_of_ours(
    client: VisionClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(self: Inference, chunk: ReplyChunk) -> None:
        raise error

    monkeypatch.setattr(Inference, "emit", fail)
    with pytest.raises(FireLLaVAError, match=r"tensor exploded|gone"):
        client.ask(COLOUR, CIRCLE)


def test_a_missing_model_is_named(engine_backend: EngineBackend, tmp_path: Path) -> None:
    name = "model_path" if engine_backend.kind == "llama_cpp" else "checkpoint_path"
    missing = engine_backend.model_copy(update={name: tmp_path / "nowhere"})
    with pytest.raises(ConfigurationError, match=r"there is no .*nowhere"):
        VisionClient(backend=missing).ask(COLOUR, CIRCLE)
