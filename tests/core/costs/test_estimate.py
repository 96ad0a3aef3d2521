"""What a question takes, told before it is asked: exact, approximate or unknown, and always said which."""

import builtins
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from firellava import (
    FireworksBackend,
    ImagePart,
    ImageSource,
    Message,
    OfflineReader,
    OpenAICompatibleBackend,
    Parameters,
    TextPart,
    ToolCall,
    Usage,
    VisionClient,
    model_card,
)
from firellava.costs.bounds import upper_bound
from firellava.costs.calibration import calibration_of
from firellava.costs.estimate import (
    Estimate,
    count_prompt_tokens,
    count_text_tokens,
    estimate,
    estimate_request,
)
from firellava.errors import ConfigurationError, CostUnknown, InvalidRequest
from firellava.messages import Request
from firellava.models import ModelCard
from tests.api_server.plain_requests import encoded

FIRELLAVA = model_card("firellava-13b")
NO_RULE = model_card("qwen3p8-max")
PICTURE = ImagePart(ImageSource.from_url("https://example.com/a.png"))
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Finds a price. " * 20}}


@pytest.fixture(autouse=True)
def nothing_learnt_yet() -> Iterator[None]:
    calibration_of.cache_clear()
    yield
    calibration_of.cache_clear()


def asking(text: str = "What is the total?", images: int = 0) -> list[Message]:
    return [Message("user", [PICTURE] * images + [TextPart(text)])]


def words(count: int) -> str:
    return "total " * count


def test_an_image_is_exactly_576_tokens_for_firellava_and_its_price_is_known() -> None:
    found = estimate(asking(images=2), max_tokens=100)
    assert (found.image_count, found.image_tokens, found.image_tokens_are) == (2, 1152, "exact")
    assert found.prompt_tokens == 1152 + found.text_tokens
    assert found.prompt_cost_usd == Decimal("0.20") * found.prompt_tokens / 1_000_000
    assert found.prompt_tokens_at_most is not None
    assert found.completion_tokens_at_most == 100
    assert found.cost_usd_at_most == Decimal("0.20") * (found.prompt_tokens_at_most + 100) / 1_000_000
    assert found.fits is True


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(ImageSource.from_path("no/such/file.jpg"), id="a file that is not there"),
        pytest.param(ImageSource.from_url("https://no-such-host.invalid/a.png"), id="a URL"),
        pytest.param(ImageSource.from_bytes(b"no image at all"), id="bytes that are no image"),
        pytest.param(ImageSource.from_pil(Image.new("RGB", (4000, 3000))), id="twelve megapixels"),
    ],
)
def test_nothing_is_opened_read_or_fetched(image: ImageSource, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("input or output")

    message = Message("user", [ImagePart(image), TextPart("What is this?")])
    for module, name in ((builtins, "open"), (os, "open"), (os, "stat"), (socket, "socket")):
        monkeypatch.setattr(module, name, forbidden)
    found = estimate([message], FIRELLAVA)
    counted = count_prompt_tokens([message], FIRELLAVA)
    monkeypatch.undo()
    assert found.image_tokens == 576
    assert counted == found.prompt_tokens


def test_without_a_rule_images_are_unknown_and_so_is_what_follows_from_them() -> None:
    found = estimate(asking(images=1), "qwen3p8-max", max_tokens=100)
    assert found.image_tokens_are == "unknown"
    assert found.text_tokens > 0
    unknown = (
        found.image_tokens,
        found.prompt_tokens,
        found.prompt_tokens_at_most,
        found.prompt_cost_usd,
        found.cost_usd_at_most,
        found.fits,
    )
    assert unknown == (None,) * 6
    assert estimate(asking(), "qwen3p8-max").fits is True


def test_images_seen_in_replies_are_told_as_observed_with_their_spread_and_never_as_fitting() -> None:
    backend = FireworksBackend(model="qwen3p8-max")
    for tokens in (1000, 1400):
        request = Request(tuple(asking(images=1)))
        calibration_of(backend.label).observe(request, NO_RULE, Usage(tokens, 5, tokens + 5))
    found = estimate(asking(images=2), "qwen3p8-max", max_tokens=100)
    assert found.image_tokens_are == "observed"
    assert found.images_observed is not None
    assert found.image_tokens == 2 * found.images_observed.mean
    assert found.images_observed.lowest < found.images_observed.mean < found.images_observed.highest
    assert found.prompt_tokens == found.image_tokens + found.text_tokens
    assert found.prompt_cost_usd is not None
    assert (found.prompt_tokens_at_most, found.cost_usd_at_most, found.fits) == (None, None, None)
    assert "if each takes what images did before" in str(found)


def test_a_bound_for_images_bounds_the_cost_without_pretending_to_be_a_count() -> None:
    card = NO_RULE.model_copy(update={"image_token_bound": 5000})
    found = estimate(asking(images=1), card, max_tokens=100)
    assert (found.image_tokens, found.image_tokens_are, found.prompt_tokens) == (None, "unknown", None)
    assert found.prompt_tokens_at_most is not None
    assert found.prompt_tokens_at_most > 5000
    assert found.cost_usd_at_most is not None
    assert found.fits is True


@pytest.mark.parametrize(
    ("text", "images", "parameters", "fits"),
    [
        ("What is the total?", 6, {}, True),
        ("What is the total?", 7, {}, True),
        ("What is the total?", 8, {}, False),
        ("What is the total?", 7, {"max_tokens": 200}, False),
        ("What is the total?", 6, {"max_tokens": 200}, True),
        ("What is the total?", 6, {"max_tokens": 200, "n": 4}, True),
        (words(3000), 0, {}, True),
        (words(3700), 0, {}, None),
        (words(5000), 0, {"max_tokens": 50}, None),
        (words(6000), 0, {}, False),
        (words(6000), 7, {}, False),
    ],
)
def test_it_fits_only_where_it_does_even_with_the_error_and_the_answer(
    *, text: str, images: int, parameters: dict[str, Any], fits: bool | None
) -> None:
    assert estimate(asking(text, images), **parameters).fits is fits


def test_without_a_context_window_nobody_knows_whether_it_fits() -> None:
    assert estimate(asking(), ModelCard(name="unheard-of")).fits is None


def test_a_card_whose_price_nobody_knows_has_no_cost_and_a_local_backend_a_known_zero() -> None:
    found = estimate(asking(), ModelCard(name="unheard-of"), max_tokens=5)
    assert (found.prompt_cost_usd, found.cost_usd_at_most) == (None, None)
    request = Request(tuple(asking(images=1)))
    for backend in (OfflineReader(), OpenAICompatibleBackend(base_url="http://127.0.0.1:9", model="llava")):
        found = estimate_request(request, backend)
        assert (found.prompt_cost_usd, found.cost_usd_at_most) == (Decimal(0), Decimal(0))


def test_several_answers_cost_several_times_max_tokens() -> None:
    assert estimate(asking(), max_tokens=50, n=3).completion_tokens_at_most == 150
    assert estimate(asking()).completion_tokens_at_most is None
    assert estimate(asking()).cost_usd_at_most is None


def test_everything_written_counts() -> None:
    plain = estimate(asking(), "qwen3p8-max").text_tokens
    call = ToolCall("1", "look_up", '{"item": "rye bread"}')
    assert estimate(asking(), "qwen3p8-max", tools=[TOOL]).text_tokens > plain + 50
    assert estimate([Message("system", "Be brief."), *asking()]).text_tokens > plain + 5
    assert estimate([Message("assistant", tool_calls=(call,)), *asking()]).text_tokens > plain + 10
    assert estimate([Message("assistant", "Hm.", reasoning=words(50)), *asking()]).text_tokens > plain + 50
    assert estimate([Message("user", [TextPart(words(50)), PICTURE]), *asking()]).text_tokens > plain + 50


def test_content_given_in_extra_body_makes_the_prompt_unknown() -> None:
    found = estimate(asking(), max_tokens=5, extra_body={"messages": [{"role": "user", "content": "x"}]})
    assert (found.prompt_tokens, found.prompt_cost_usd, found.fits) == (None, None, None)


def test_a_completion_has_no_role_marks() -> None:
    request = Request(tuple(asking(images=1)), completion=True)
    backend = FireworksBackend(model="firellava-13b")
    chat = estimate_request(replace(request, completion=False), backend)
    assert estimate_request(request, backend).text_tokens < chat.text_tokens


def test_a_prompt_beyond_the_window_is_told_as_long_as_it_is() -> None:
    found = estimate(asking(words(9000)))
    assert found.prompt_tokens is not None
    assert found.prompt_tokens > 4096
    assert found.prompt_tokens_at_most == 4096
    assert "at most" not in dict(found.rows())["Prompt"]


def test_bad_input_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no message"):
        estimate([])
    with pytest.raises(InvalidRequest, match="max_tokens"):
        estimate(asking(), max_tokens=-1)
    with pytest.raises(InvalidRequest, match="tools"):
        estimate(asking(), tools=[{"name": "\ud800"}])
    with pytest.raises(ConfigurationError, match="empty"):
        estimate(asking(), " ")
    (tmp_path / "prices.toml").write_text("not = [toml")
    monkeypatch.setenv("FIRELLAVA_PRICES", str(tmp_path / "prices.toml"))
    with pytest.raises(ConfigurationError, match=r"prices\.toml"):
        estimate(asking())


def test_it_is_a_value_that_prints_as_a_line_and_shows_as_a_table() -> None:
    card = FIRELLAVA.model_copy(update={"name": "<b>mine</b>"})
    found = estimate(asking(images=1), card, max_tokens=100)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own
    assert "\n" not in str(found)
    for told in ("<b>mine</b>", "1, 576 tokens", "±25%", "at most 100 tokens", "it fits", "about $0.0001"):
        assert told in str(found)
    table = found._repr_html_()
    assert "&lt;b&gt;mine&lt;/b&gt;" in table
    assert "<b>" not in table
    assert "unknown" in str(estimate(asking(images=1), "qwen3p8-max"))


def test_dollars_at_most_are_never_rounded_down() -> None:
    found = estimate(asking(), max_tokens=1)
    assert found.cost_usd_at_most is not None
    shown = Decimal(dict(found.rows())["Cost at most"].removeprefix("$"))
    assert found.cost_usd_at_most <= shown < found.cost_usd_at_most + Decimal("0.000001")


def test_counting_for_frameworks_agrees_with_the_estimate() -> None:
    messages = [Message("system", "Be brief."), *asking(images=3)]
    assert count_prompt_tokens(messages, FIRELLAVA) == estimate(messages).prompt_tokens
    with_tools = estimate(asking(), "qwen3p8-max", tools=[TOOL]).prompt_tokens
    assert count_prompt_tokens(asking(), NO_RULE, tools=[TOOL]) == with_tools
    assert count_text_tokens("", FIRELLAVA) == 0
    assert 4 <= count_text_tokens("What is the total?", FIRELLAVA) <= 6


def test_counting_images_nobody_knows_of_says_what_to_do_and_what_is_known_is_used() -> None:
    with pytest.raises(CostUnknown, match=r"Ask it once.*tokens_per_image.*image_token_bound"):
        count_prompt_tokens(asking(images=1), NO_RULE)
    text = count_prompt_tokens(asking(), NO_RULE)
    bounded = NO_RULE.model_copy(update={"image_token_bound": 5000})
    assert count_prompt_tokens(asking(images=2), bounded) == text + 10_000
    calibration = calibration_of("seen")
    calibration.observe(Request(tuple(asking(images=1))), NO_RULE, Usage(text + 900, 5, text + 905))
    assert count_prompt_tokens(asking(images=2), bounded, calibration) == text + 1800


ANY_MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant"]),
        st.lists(st.builds(TextPart, st.text(st.characters())) | st.just(PICTURE), max_size=3),
        reasoning=st.none() | st.text(),
        tool_calls=st.lists(st.builds(ToolCall, st.text(), st.text(), st.text()), max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=4,
)
WIDE = FIRELLAVA.model_copy(update={"context_window": None})


@given(messages=ANY_MESSAGES, completion=st.booleans(), learnt=st.sampled_from([(0, 1), (40, 5), (500, 1)]))
def test_an_estimate_is_never_above_the_bound_whatever_was_learnt(
    *, messages: list[Message], completion: bool, learnt: tuple[int, int]
) -> None:
    backend = FireworksBackend(model="firellava-13b", card=WIDE)
    calibration_of.cache_clear()
    for size in range(10, 60):
        prompt = learnt[0] + learnt[1] * size
        calibration_of(backend.label).observe(
            Request(tuple(asking(words(size)))), WIDE, Usage(prompt, 1, prompt + 1)
        )
    request = Request(tuple(messages), Parameters(max_tokens=9), completion=completion)
    found = estimate_request(request, backend)
    assert found.prompt_tokens_at_most == upper_bound(request, WIDE).prompt
    assert found.prompt_tokens is not None
    assert found.prompt_tokens_at_most is not None
    assert found.prompt_tokens <= found.prompt_tokens_at_most
    assert found.prompt_cost_usd is not None
    assert found.cost_usd_at_most is not None
    assert found.prompt_cost_usd <= found.cost_usd_at_most


@given(ANY_MESSAGES, ANY_MESSAGES, st.text(st.characters()))
def test_adding_text_or_messages_never_lowers_an_estimate(
    messages: list[Message], more: list[Message], text: str
) -> None:
    before = count_prompt_tokens(messages, FIRELLAVA)
    assert count_prompt_tokens([*messages, *more], FIRELLAVA) > before
    longer = replace(messages[-1], content=[*messages[-1].parts, TextPart(text)])
    assert count_prompt_tokens([*messages[:-1], longer], FIRELLAVA) >= before


def test_replies_of_a_client_make_its_estimates_better(
    client_for: Callable[..., VisionClient], blue_picture: Path
) -> None:
    client = client_for(model="qwen3p8-max")
    backend = client.backends[0]
    request = Request(tuple(asking(images=1)))
    assert estimate_request(request, backend).image_tokens_are == "unknown"
    reply = client.ask("What is the total?", blue_picture)
    assert reply.usage is not None
    found: Estimate = estimate_request(request, backend)
    assert found.image_tokens_are == "observed"
    assert found.prompt_tokens == pytest.approx(reply.usage.prompt_tokens, abs=2)


def test_the_bytes_of_an_image_are_nowhere_in_an_estimate() -> None:
    picture = ImagePart(ImageSource.from_bytes(encoded("PNG", (40, 40), "#ff0000")))
    found = estimate([Message("user", [picture, TextPart("What?")])])
    assert "PNG" not in repr(found) + str(found) + found._repr_html_()
