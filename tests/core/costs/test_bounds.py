"""The bound of a request is never below what a server counts."""

import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firellava import (
    ImagePart,
    ImageSource,
    Message,
    Parameters,
    TextPart,
    ToolCall,
    VisionClient,
    model_card,
)
from firellava.costs.bounds import TokenBound, upper_bound
from firellava.errors import InvalidRequest
from firellava.limits import SeveralImagesWarning
from firellava.messages import Request
from firellava.models import ModelCard
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded
from tests.fixtures import tiny_model

FIRELLAVA = model_card("firellava-13b")
QWEN = model_card("qwen3p8-max")
BOUNDLESS = ModelCard(name="some-model")

# Characters of one to four bytes, such that make a tokenizer's life hard, and whole words of many languages.
_HARD = "aZ7 .,!\n\t{}\"<>'é¼ßЖ中日語한국ஷ्क़ﷺ🙂👩‍👩‍👧🏳️‍🌈\u0301\u200d\U0001d160\U0001f9ff"
_WORDS = [
    "total",
    " the",
    " antidisestablishment",
    "这张图片里有什么",
    " Сколько",
    "이미지",
    " تصویر",
    " मूल्य",
]
TEXTS = st.text(st.sampled_from(_HARD) | st.characters(exclude_categories=["Cs"]), max_size=60) | st.lists(
    st.sampled_from(_WORDS), max_size=12
).map("".join)


def request_of(*messages: Message, **parameters: Any) -> Request:
    return Request(messages, Parameters(**parameters))


def bound(text: str = "", card: ModelCard = BOUNDLESS, **parameters: Any) -> TokenBound:
    return upper_bound(request_of(Message("user", text), **parameters), card)


def prompt(text: str = "", card: ModelCard = BOUNDLESS, **parameters: Any) -> int:
    tokens = bound(text, card, **parameters).prompt
    assert tokens is not None
    return tokens


def pictures(count: int) -> list[ImagePart]:
    return [ImagePart(ImageSource.from_bytes(encoded("PNG", (40, 30))))] * count


class TestThePrompt:
    @pytest.mark.parametrize(
        ("text", "least"),
        [
            ("", 0),
            ("hello", 5),
            ("é", 2),
            ("中文", 6),
            ("🙂", 4),
            ("👩‍👩‍👧", 18),
            # What a tokenizer that brings texts into a normal form first makes of them.
            ("\u0958" * 10, 60),
            ("\ufdfa" * 10, 330),
            ("\ud800", 3),
        ],
    )
    def test_has_no_more_tokens_of_text_than_bytes(self, text: str, least: int) -> None:
        assert prompt(text) - prompt("") == least

    def test_counts_images_by_the_rule_or_by_the_bound_of_the_card(self) -> None:
        asked = request_of(Message("user", [*pictures(3), TextPart("Which?")]))
        without = request_of(Message("user", "Which?"))
        for card, each in (
            (BOUNDLESS.model_copy(update={"tokens_per_image": 576}), 576),
            (BOUNDLESS.model_copy(update={"image_token_bound": 2000}), 2000),
            (BOUNDLESS.model_copy(update={"tokens_per_image": 576, "image_token_bound": 2000}), 576),
            (BOUNDLESS.model_copy(update={"image_token_bound": 0}), 0),
        ):
            more, less = upper_bound(asked, card).prompt, upper_bound(without, card).prompt
            assert more is not None
            assert less is not None
            assert 3 * each <= more - less <= 3 * (each + 10)

    def test_is_unbounded_where_nobody_says_what_an_image_takes(self) -> None:
        asked = Message("user", [*pictures(1), TextPart("What?")])
        assert upper_bound(request_of(asked, max_tokens=5), BOUNDLESS) == TokenBound(None, 5)

    @pytest.mark.parametrize("replaced", ["messages", "prompt", "images", "tools"])
    def test_is_unbounded_where_extra_body_replaces_it(self, replaced: str) -> None:
        assert bound("Hi", extra_body={replaced: []}).prompt is None

    def test_is_no_longer_than_the_context_window(self) -> None:
        assert prompt("x" * 10_000, FIRELLAVA) == 4096
        assert upper_bound(request_of(Message("user", pictures(7))), FIRELLAVA).prompt == 4096
        assert prompt("x" * 10_000) > 10_000

    def test_leaves_room_for_a_default_system_prompt_where_none_is_given(self) -> None:
        own = request_of(Message("system", ""), Message("user", "Hi"))
        raw = replace(request_of(Message("user", "Hi")), completion=True)
        for given_request in (own, raw):
            tokens = upper_bound(given_request, BOUNDLESS).prompt
            assert tokens is not None
            assert prompt("Hi") - tokens > 900

    def test_takes_in_everything_that_is_sent(self) -> None:
        long = "z" * 1000
        parts = {
            "text": Message("user", [TextPart("a"), TextPart(long)]),
            "reasoning": Message("assistant", "a", reasoning=long),
            "arguments": Message("assistant", "", tool_calls=(ToolCall("1", "add", long),)),
            "name": Message("assistant", "", tool_calls=(ToolCall("1", long, "{}"),)),
            "result": Message("tool", long, tool_call_id="1"),
            "id": Message("tool", "", tool_call_id=long),
        }
        for message in parts.values():
            tokens = upper_bound(request_of(Message("user", "Hi"), message), BOUNDLESS).prompt
            assert tokens is not None
            assert tokens - prompt("Hi") >= 1000
        tools = ({"type": "function", "function": {"name": "add", "description": long}},)
        assert prompt("Hi", tools=tools) - prompt("Hi") >= 1000
        assert prompt("Hi", response_format={"type": "grammar", "grammar": long}) - prompt("Hi") >= 1000
        assert prompt("Hi", extra_body={"prefix": long}) - prompt("Hi") >= 1000

    def test_of_what_cannot_be_sent_is_left_to_whoever_refuses_it(self) -> None:
        assert prompt("Hi", extra_body={"x": "\ud800", "y": 1 << 80}) >= prompt("Hi")


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("parameters", "tokens"),
        [
            ({}, None),
            ({"max_tokens": 100}, 100),
            ({"max_tokens": 0}, 0),
            ({"max_tokens": 100, "n": 3}, 300),
            ({"extra_body": {"max_tokens": 50}}, 50),
            ({"max_tokens": 100, "extra_body": {"max_tokens": 50}}, 50),
            ({"max_tokens": 50, "extra_body": {"max_tokens": 100}}, 100),
            ({"max_tokens": 50, "extra_body": {"max_completion_tokens": 100}}, 100),
            ({"max_tokens": 50, "extra_body": {"max_completion_tokens": None}}, 50),
            ({"max_tokens": 50, "n": 2, "extra_body": {"n": 5}}, 250),
            ({"max_tokens": 50, "extra_body": {"best_of": 4}}, 200),
            ({"max_tokens": 50, "n": 6, "extra_body": {"best_of": 4}}, 300),
            # Values of which nobody knows what a server makes.
            ({"max_tokens": 50, "extra_body": {"max_tokens": None}}, None),
            ({"max_tokens": 50, "extra_body": {"max_tokens": -1}}, None),
            ({"max_tokens": 50, "extra_body": {"max_completion_tokens": 5e3}}, None),
            ({"max_tokens": 50, "extra_body": {"max_completion_tokens": "5000"}}, None),
            ({"max_tokens": 50, "extra_body": {"n": 64.0}}, None),
            ({"max_tokens": 50, "extra_body": {"best_of": "64"}}, None),
            ({"max_tokens": 50, "extra_body": {"n": -1}}, None),
        ],
    )
    def test_is_bounded_by_what_the_server_will_read(
        self, parameters: dict[str, Any], tokens: int | None
    ) -> None:
        assert bound("Hi", **parameters).completion == tokens

    def test_is_no_longer_than_the_context_window_each(self) -> None:
        assert bound("Hi", FIRELLAVA, max_tokens=50_000, n=2).completion == 2 * 4096


def a_tool(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"x": {"type": "string", "description": description}}}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """What the API takes: a system message or none, turns, answered tool calls, and a question at the end."""
    messages = [Message("system", system)] if (system := draw(st.none() | TEXTS)) is not None else []
    for number in range(draw(st.integers(0, 2))):
        messages.append(Message("user", f"{draw(TEXTS)}?"))
        calls = tuple(
            ToolCall(f"{number}-{index}", "add", draw(st.sampled_from(["{}", '{"a":1}', '{"a":"中"}'])))
            for index in range(draw(st.integers(0, 2)))
        )
        messages.append(Message("assistant", draw(TEXTS), calls, reasoning=draw(st.none() | TEXTS)))
        messages += [Message("tool", draw(TEXTS), tool_call_id=call.id) for call in calls]
    return [*messages, Message("user", [*pictures(draw(st.integers(0, 2))), TextPart(f"{draw(TEXTS)}?")])]


@pytest.mark.filterwarnings(f"ignore::{SeveralImagesWarning.__module__}.{SeveralImagesWarning.__name__}")
@pytest.mark.parametrize(
    "card", [FIRELLAVA, QWEN.model_copy(update={"image_token_bound": 6})], ids=lambda c: c.name
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    conversation=conversations(),
    tools=st.lists(st.builds(a_tool, st.sampled_from(["add", "look"]), TEXTS), max_size=2, unique_by=str),
    max_tokens=st.integers(1, 60),
    n=st.none() | st.integers(1, 3),
)
def test_the_test_server_counts_no_more(
    api_server: ApiServer,
    card: ModelCard,
    conversation: list[Message],
    tools: Sequence[dict[str, Any]],
    max_tokens: int,
    n: int | None,
) -> None:
    model = card.name
    client = VisionClient(model, api_key=api_server.key, base_url=api_server.base_url, card=card)
    parameters: dict[str, Any] = {"max_tokens": max_tokens, "n": n}
    if tools and card.capabilities.tools:
        # The test server's limit for a tool call leaves the tool's name out.
        parameters |= {"tools": tuple(tools), "tool_choice": "none"}
    api_server.clear()
    client.chat(conversation, **parameters)
    (billed,) = api_server.billed
    most = upper_bound(request_of(*conversation, **parameters), card)
    assert most.prompt is not None
    assert most.completion is not None
    assert billed.prompt <= most.prompt
    assert billed.completion <= most.completion


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS.filter(lambda text: "<image>" not in text), count=st.integers(0, 1))
def test_the_test_server_counts_no_more_of_a_raw_prompt(api_server: ApiServer, text: str, count: int) -> None:
    client = VisionClient(api_key=api_server.key, base_url=api_server.base_url)
    images = pictures(count)
    api_server.clear()
    client.complete(f"{'<image>' * len(images)}{text}?", [part.source for part in images], max_tokens=9)
    (billed,) = api_server.billed
    message = Message("user", [*images, TextPart(f"{text}?")])
    most = upper_bound(replace(request_of(message, max_tokens=9), completion=True), FIRELLAVA)
    assert most.prompt is not None
    assert billed.prompt <= most.prompt
    assert billed.completion <= 9 == most.completion


@cache
def byte_level_tokenizers() -> list[Any]:
    """The tiny model's byte-level tokenizer, with hardly a merge, as it is and behind each normal form."""
    from tokenizers import Tokenizer, normalizers  # noqa: PLC0415 - comes with transformers

    path = str(tiny_model.CHECKPOINT / "tokenizer.json")
    made = [Tokenizer.from_file(path) for _ in range(3)]
    made[1].normalizer, made[2].normalizer = normalizers.NFC(), normalizers.NFKC()
    return made


@pytest.mark.engine("transformers")
@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_a_byte_level_tokenizer_counts_no_more(texts: list[str]) -> None:
    most = prompt("".join(texts)) - prompt("")
    for tokenizer in byte_level_tokenizers():
        assert len(tokenizer.encode("".join(texts), add_special_tokens=False).ids) <= most


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_the_tokenizer_of_openai_counts_no_more(text: str) -> None:
    from llama_index.core.utils import get_tokenizer  # noqa: PLC0415 - the only one that needs no download

    count = get_tokenizer()
    for form in (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text)):
        assert len(count(form)) <= prompt(text) - prompt("")


def engines() -> list[Any]:
    return [pytest.param(kind, marks=pytest.mark.engine(kind)) for kind in ("llama_cpp", "transformers")]


@pytest.mark.parametrize("kind", engines())
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), images=st.integers(0, 2), system=st.none() | TEXTS)
def test_a_real_model_with_its_own_template_counts_no_more(
    kind: str, texts: list[str], images: int, system: str | None
) -> None:
    backend = tiny_model.engine_backend(kind)
    roles = itertools.cycle(("user", "assistant"))
    conversation = [Message(role, f"{text}?") for role, text in zip(roles, texts, strict=False)]  # type: ignore[arg-type]  # cycle forgets that they are roles
    if system is not None:
        conversation.insert(0, Message("system", system))
    circles = [ImagePart(ImageSource.of(tiny_model.CIRCLE))] * images
    conversation.append(Message("user", [*circles, TextPart("Describe the image.")]))
    per_image = backend.model_card.tokens_per_image
    card = BOUNDLESS.model_copy(update={"tokens_per_image": 16 if per_image is None else per_image})
    try:
        usage = VisionClient(backend=backend).chat(conversation, max_tokens=4).usage
    except InvalidRequest:
        return  # longer than the tiny context window, or a form of conversation that its template refuses
    assert usage is not None
    most = upper_bound(request_of(*conversation, max_tokens=4), card)
    assert most.prompt is not None
    assert most.completion is not None
    assert usage.prompt_tokens <= most.prompt
    assert usage.completion_tokens <= most.completion
