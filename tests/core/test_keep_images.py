"""A conversation can keep only its newest images, with a text where an older one was."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava import Budget, ImagePart, ImageSource, Message, TextPart, VisionClient
from firellava.errors import BudgetExceeded, ConfigurationError, ContextOverflow, InvalidRequest
from firellava.messages import Parameters, Part, Request
from firellava.requests import newest_images
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., VisionClient]

MARK = "[An earlier image is no longer shown here.]"
COLOURS = ("#ff0000", "#00ff00", "#0000ff")


def conversation(turns: int) -> list[Message]:
    """Questions about a picture each, and their answers."""
    messages: list[Message] = []
    for turn in range(turns):
        image = ImageSource.from_bytes(encoded(colour=COLOURS[turn % 3]))
        messages += [
            Message("user", [ImagePart(image), TextPart(f"Question {turn}")]),
            Message("assistant", f"Answer {turn}"),
        ]
    return messages[:-1]


def test_older_images_give_way_to_a_text_and_the_reply_says_so(
    client_for: Make, api_server: ApiServer
) -> None:
    reply = client_for(model=QWEN_MAX, keep_images=2).chat(conversation(4))
    assert [image.mean for image in api_server.requests[0].images] == ["#0000ff", "#ff0000"]
    first, answer, second, *_ = api_server.requests[0].json["messages"]
    assert first["content"] == [{"type": "text", "text": MARK}, {"type": "text", "text": "Question 0"}]
    assert answer["content"] == "Answer 0"
    assert second["content"][0] == {"type": "text", "text": MARK}
    assert reply.adjustments == (
        "2 older images were left out (keep_images=2); those that stayed are numbered from 1",
    )


async def test_asynchronously_and_as_a_stream_too(client_for: Make, api_server: ApiServer) -> None:
    client = client_for(keep_images=1)
    replies = [await client.achat(conversation(2))]
    replies += [chunk.reply for chunk in client.stream(conversation(2)) if chunk.reply]
    replies += [chunk.reply async for chunk in client.astream(conversation(2)) if chunk.reply]
    for request, reply in zip(api_server.requests, replies, strict=True):
        assert [image.size for image in request.images] == [(336, 336)]
        assert reply.adjustments[0].startswith("1 older image was left out (keep_images=1)")
        assert reply.adjustments[1].startswith("image 1: ")
        assert reply.usage is not None
        assert reply.usage.image_tokens == 576


def test_a_long_conversation_stays_within_the_context_window(client_for: Make) -> None:
    with pytest.raises(ContextOverflow, match="keep_images="):
        client_for().chat(conversation(8))
    assert client_for(keep_images=1).chat(conversation(8)).text


def test_an_image_that_is_left_out_is_not_read(client_for: Make, tmp_path: Path) -> None:
    gone = Message("user", [ImagePart(ImageSource.from_path(tmp_path / "gone.png"))])
    messages = [gone, Message("assistant", "A cat."), *conversation(1)]
    assert client_for(keep_images=1, image_roots=[tmp_path]).chat(messages).text


def test_an_image_that_is_left_out_is_not_paid_for(client_for: Make, api_server: ApiServer) -> None:
    with pytest.raises(BudgetExceeded):
        client_for(budget=Budget(tokens=3_000, max_tokens=100)).chat(conversation(4))
    assert api_server.requests == []
    assert client_for(keep_images=1, budget=Budget(tokens=3_000, max_tokens=100)).chat(conversation(4)).text


def test_an_estimate_counts_only_those_that_stay(client_for: Make) -> None:
    client = client_for(keep_images=1)
    assert client.estimate(conversation(3)).image_tokens == 576


@pytest.mark.parametrize("keep", [3, 4, None])
def test_nothing_changes_where_no_image_is_too_old(keep: int | None) -> None:
    request = Request(tuple(conversation(3)))
    assert newest_images(request, keep) is request


def test_a_raw_prompt_is_sent_as_written_or_not_at_all(client_for: Make, api_server: ApiServer) -> None:
    prompt = "USER:<image> and <image>\nWhich?\n\nASSISTANT:"
    with pytest.raises(InvalidRequest, match=r"2 images, and keep_images=1 .* out of the prompt"):
        client_for(keep_images=1).complete(prompt, [encoded(), encoded()])
    assert api_server.requests == []
    with pytest.warns(UserWarning, match="2 here"):
        client_for(keep_images=2).complete(prompt, [encoded(), encoded()])
    assert api_server.requests[0].json["prompt"] == prompt


@pytest.mark.parametrize("keep", [0, -1, True, 1.5, "2"])
def test_the_setting_is_a_whole_number_from_1(keep: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"keep_images= takes a whole number from 1"):
        VisionClient(keep_images=keep)


@given(
    turns=st.lists(st.lists(st.booleans(), max_size=4), max_size=6),
    keep=st.integers(1, 8),
)
def test_the_newest_stay_and_nothing_else_moves(turns: list[list[bool]], keep: int) -> None:
    numbers = itertools.count()

    def part(is_image: bool) -> Part:  # noqa: FBT001 - a parameter of the test
        number = next(numbers)
        if is_image:
            return ImagePart(ImageSource.from_url(f"https://example.com/{number}.png"))
        return TextPart(str(number))

    messages = tuple(Message("user", [part(kind) for kind in turn]) for turn in turns)
    request = Request(messages, Parameters(max_tokens=5), stream=True)
    kept = newest_images(request, keep)
    assert kept.images == request.images[-keep:]
    assert (kept.parameters, kept.stream) == (request.parameters, True)
    assert bool(kept.adjustments) == (len(request.images) > keep)
    for before, after in zip(request.messages, kept.messages, strict=True):
        for old, new in zip(before.parts, after.parts, strict=True):
            assert new == old or (isinstance(old, ImagePart) and new == TextPart(MARK))
