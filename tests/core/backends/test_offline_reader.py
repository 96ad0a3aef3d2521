"""The offline reader as a backend: degraded, confident to a degree, and honest about what it is not."""

import asyncio
from pathlib import Path

import pytest

from firellava import ImagePart, ImageSource, Message, OfflineReader, Reply, TextPart, VisionClient
from firellava.errors import AllBackendsFailed, MissingKey, UnsupportedCapability

pytestmark = pytest.mark.engine("rapidocr")

RECEIPT = Path(__file__).parents[3] / "cookbook" / "images" / "receipt.jpg"
TOTAL = "$49.98"


@pytest.fixture
def reader() -> VisionClient:
    return VisionClient(backend=OfflineReader())


def question(text: str) -> list[Message]:
    return [Message("user", [ImagePart(ImageSource.of(RECEIPT)), TextPart(text)])]


def test_an_answer_is_degraded_costs_nothing_and_says_how_sure_it_is(reader: VisionClient) -> None:
    reply = reader.ask("What is the total?", RECEIPT)
    assert TOTAL in reply.text
    assert reply.backend == "offline-reader"
    assert reply.degraded
    assert reply.confidence is not None
    assert 0 < reply.confidence <= 1
    assert reply.usage is None
    assert reply.cost_usd == 0


def test_it_answers_the_same_in_all_four_ways(reader: VisionClient) -> None:
    messages = question("What is the total?")

    async def asynchronously() -> tuple[Reply, str]:
        reply = await reader.achat(messages)
        return reply, "".join([chunk.text async for chunk in reader.astream(messages)])

    whole = reader.chat(messages)
    streamed = "".join(chunk.text for chunk in reader.stream(messages))
    awhole, astreamed = asyncio.run(asynchronously())
    assert whole.text == streamed == awhole.text == astreamed


def test_it_answers_completions_too(reader: VisionClient) -> None:
    assert TOTAL in reader.complete("USER:\n<image>\nWhat is the total?\n\nASSISTANT:", [RECEIPT]).text


@pytest.mark.parametrize("fallback", ["auto", OfflineReader(), [OfflineReader()]], ids=repr)
def test_it_answers_where_there_is_no_key_and_the_reply_says_why(fallback: object) -> None:
    reply = VisionClient(fallback=fallback).ask("What is the total?", RECEIPT)  # type: ignore[arg-type]
    assert TOTAL in reply.text
    (missed,) = reply.fallback_from
    assert missed.backend == "fireworks:firellava-13b"
    assert isinstance(missed.error, MissingKey)
    assert reply.metadata()["fallback_from"][0]["reason"].startswith("MissingKey: No API key")


def test_it_is_passed_over_where_it_cannot_do_what_was_asked(reader: VisionClient) -> None:
    with pytest.raises(UnsupportedCapability, match="schema"):
        reader.ask("What is the total?", RECEIPT, response_format={"type": "json_object"})
    with pytest.raises(AllBackendsFailed, match="schema"):
        VisionClient(fallback="auto").ask(
            "What is the total?", RECEIPT, response_format={"type": "json_object"}
        )


def test_a_question_without_an_image_is_declined(reader: VisionClient) -> None:
    reply = reader.ask("What is the capital of France?")
    assert "Paris" not in reply.text
    assert "image" in reply.text
