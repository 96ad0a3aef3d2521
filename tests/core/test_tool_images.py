"""Images in the results of tools: where each kind of model finds them."""

import itertools
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava import (
    Budget,
    ImagePart,
    ImageSource,
    Ledger,
    Message,
    ModelCard,
    TextPart,
    Usage,
    VisionClient,
    model_card,
)
from firellava.costs.bounds import upper_bound
from firellava.costs.calibration import Calibration
from firellava.costs.prompts import prompt_tokens
from firellava.costs.text_tokens import vocabulary_of
from firellava.messages import Part, Request, ToolCall
from firellava.models import ToolImages
from firellava.tool_images import with_tool_images_placed
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., VisionClient]

WAYS: tuple[ToolImages, ...] = ("native", "hoisted", "text")
COLOURS = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]
RED, GREEN, BLUE, YELLOW = (ImagePart(ImageSource.from_bytes(encoded(colour=colour))) for colour in COLOURS)
CALLS = (ToolCall("call_1", "crop", "{}"), ToolCall("call_2", "zoom", "{}"))
CONVERSATION = (
    Message("user", [TextPart("Which is brighter?"), RED]),
    Message("assistant", tool_calls=CALLS),
    Message("tool", [TextPart("Cropped."), GREEN, BLUE], tool_call_id="call_1"),
    Message("tool", [YELLOW], tool_call_id="call_2"),
)
MOVED = "[Image {} of this result is shown in the next user message.]"


def card_with(tool_images: ToolImages, name: str = "qwen3p8-max") -> ModelCard:
    card = model_card(name)
    capabilities = card.capabilities.model_copy(update={"tool_images": tool_images})
    return card.model_copy(update={"capabilities": capabilities})


def placed(tool_images: ToolImages, messages: tuple[Message, ...] = CONVERSATION) -> tuple[Message, ...]:
    return with_tool_images_placed(Request(messages), card_with(tool_images)).messages


class TestNative:
    def test_leaves_them_where_they_are(self) -> None:
        assert placed("native") == CONVERSATION


class TestHoisted:
    def test_is_what_a_card_says_that_says_nothing(self) -> None:
        assert ModelCard(name="mine").capabilities.tool_images == "hoisted"

    def test_moves_them_behind_all_results_that_answer_one_message(self) -> None:
        *asked, first, second, shown = placed("hoisted")
        assert tuple(asked) == CONVERSATION[:2]
        assert first.content == f"Cropped.\n{MOVED.format(1)}\n{MOVED.format(2)}"
        assert second.content == MOVED.format(1)
        assert (first.tool_call_id, second.tool_call_id) == ("call_1", "call_2")
        assert shown == Message(
            "user",
            [
                TextPart("Images 1 to 2 of the result of the tool call call_1 (crop):"),
                GREEN,
                BLUE,
                TextPart("Image 1 of the result of the tool call call_2 (zoom):"),
                YELLOW,
            ],
        )

    def test_moves_them_before_whatever_comes_next(self) -> None:
        answer = Message("assistant", "The yellow one.")
        messages = placed("hoisted", (*CONVERSATION, answer, Message("user", "Sure?")))
        assert [message.role for message in messages[2:]] == ["tool", "tool", "user", "assistant", "user"]

    def test_names_the_call_by_its_id_where_the_call_itself_is_gone(self) -> None:
        *_, shown = placed("hoisted", CONVERSATION[2:3])
        assert shown.text == "Images 1 to 2 of the result of the tool call call_1:"


class TestText:
    def test_says_that_there_was_one(self) -> None:
        *asked, first, second = placed("text")
        assert tuple(asked) == CONVERSATION[:2]
        assert first.content == (
            "Cropped.\n[Image 1 of this result cannot be shown to this model.]\n"
            "[Image 2 of this result cannot be shown to this model.]"
        )
        assert second.text == "[Image 1 of this result cannot be shown to this model.]"


_parts = st.lists(st.sampled_from([TextPart("text"), RED, GREEN, BLUE, YELLOW]), max_size=4)


@st.composite
def _conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    messages: list[Message] = []
    for parts in draw(st.lists(_parts, max_size=8)):
        role = draw(st.sampled_from(["user", "assistant", "tool"]))
        call = "call_1" if role == "tool" else None
        messages.append(Message(role, parts, tool_call_id=call))  # type: ignore[arg-type]  # one of the roles
    return tuple(messages)


def _shown(messages: tuple[Message, ...], *, but_of_tools: bool = False) -> list[Part]:
    return [image for one in messages if not (but_of_tools and one.role == "tool") for image in one.images]


@given(_conversations())
def test_no_image_is_lost_or_changes_its_place_in_the_order(messages: tuple[Message, ...]) -> None:
    for way in ("native", "hoisted"):
        assert _shown(placed(way, messages)) == _shown(messages)
    assert _shown(placed("text", messages)) == _shown(messages, but_of_tools=True)


@given(_conversations())
def test_nothing_comes_between_results_that_follow_each_other(messages: tuple[Message, ...]) -> None:
    hoisted = placed("hoisted", messages)
    added = [message for message in hoisted if message.text.startswith(("Image 1 of", "Images 1 to"))]
    others = [message for message in hoisted if message not in added]
    assert [(one.role, one.tool_call_id) for one in others] == [
        (one.role, one.tool_call_id) for one in messages
    ]
    for before, after in itertools.pairwise(hoisted):
        assert after not in added or before.role == "tool"
        assert before not in added or after.role != "tool"


class TestOnTheWire:
    @pytest.mark.parametrize("streams", [False, True])
    def test_each_model_gets_them_as_its_card_says(
        self, client_for: Make, api_server: ApiServer, *, streams: bool
    ) -> None:
        roles = {
            "native": ["user", "assistant", "tool", "tool"],
            "hoisted": ["user", "assistant", "tool", "tool", "user"],
            "text": ["user", "assistant", "tool", "tool"],
        }
        for way, expected in roles.items():
            client = client_for(model=QWEN_MAX, card=card_with(way))  # type: ignore[arg-type]  # one of the ways
            if streams:
                *_, last = client.stream(CONVERSATION)
                assert last.reply is not None
                reply = last.reply
            else:
                reply = client.chat(CONVERSATION)
            sent = api_server.requests[-1]
            assert [message["role"] for message in sent.json["messages"]] == expected
            assert [image.mean for image in sent.images] == COLOURS[: 1 if way == "text" else 4]
            assert reply.text.startswith("question: Which is brighter? | tool result: ")
        assert reply.adjustments == (
            "3 images in results of tools left out, since qwen3p8-max sees none there; the rest count from 1",
        )

    async def test_asynchronously_too(self, client_for: Make, api_server: ApiServer) -> None:
        client = client_for(model=QWEN_MAX)
        await client.achat(CONVERSATION)
        client.chat(CONVERSATION)
        assert api_server.requests[0].body == api_server.requests[1].body

    def test_native_images_stand_among_the_texts_of_the_result(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        client_for(model=QWEN_MAX, card=card_with("native")).chat(CONVERSATION)
        _, _, result, _ = api_server.requests[0].json["messages"]
        assert [part["type"] for part in result["content"]] == ["text", "image_url", "image_url"]
        assert result["tool_call_id"] == "call_1"

    @pytest.mark.filterwarnings("ignore::firellava.limits.SeveralImagesWarning")
    def test_one_that_is_cut_into_parts_is_so_in_the_message_it_is_moved_to(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        page = ImagePart(ImageSource.from_bytes(encoded("PNG", (1344, 672))))
        result = Message("tool", [page], tool_call_id="call_1")
        client_for(model="firellava-13b").chat(
            [Message("user", "Read it."), CONVERSATION[1], result], fit="tiles"
        )
        *_, shown = api_server.requests[0].json["messages"]
        captions = [part["text"] for part in shown["content"] if part["type"] == "text"]
        assert captions[0].startswith("Image 1 of the result")
        assert captions[1].startswith("The next ")

    def test_one_that_is_not_sent_is_not_downloaded_either(self, client_for: Make) -> None:
        web = ImagePart(ImageSource.from_url("https://127.0.0.1/secret.png"))
        result = Message("tool", [TextPart("Found."), web], tool_call_id="call_1")
        client = client_for(model=QWEN_MAX, card=card_with("text"), image_urls="inline")
        assert "Found." in client.chat([*CONVERSATION[:2], result]).text


class TestCosts:
    def test_count_the_images_that_are_sent(self, client_for: Make) -> None:
        counted = {
            way: client_for(card=card_with(way, "firellava-13b")).estimate(CONVERSATION) for way in WAYS
        }
        assert [one.image_tokens for one in counted.values()] == [4 * 576, 4 * 576, 576]
        assert counted["hoisted"].text_tokens > counted["native"].text_tokens

    @pytest.mark.parametrize("way", ["native", "hoisted", "text"])
    @pytest.mark.filterwarnings("ignore::firellava.limits.SeveralImagesWarning")
    def test_stay_within_what_a_budget_set_aside(self, api_server: ApiServer, way: ToolImages) -> None:
        api_server.deploy("accounts/me/deployments/eyes", like=QWEN_MAX)
        card = card_with(way).model_copy(update={"tokens_per_image": 8})
        budget = Budget(usd=Decimal(1))
        client = VisionClient(
            model="accounts/me/deployments/eyes",
            card=card,
            api_key=api_server.key,
            base_url=api_server.base_url,
            prices=model_card("qwen3p8-max").prices,
            budget=budget,
        )
        bound = client.spending_at_most(CONVERSATION, budget, max_tokens=200)
        reply = client.chat(CONVERSATION, max_tokens=200)
        assert reply.cost_usd is not None
        assert reply.usage is not None
        assert reply.usage.image_tokens == 8 * (1 if way == "text" else 4)
        assert 0 < reply.cost_usd <= bound.usd

    def test_are_bounded_for_what_is_sent(self) -> None:
        bounds = {}
        for way in WAYS:
            card = card_with(way).model_copy(update={"tokens_per_image": 576})
            bounds[way] = upper_bound(Request(CONVERSATION), card).prompt or 0
        assert bounds["text"] < bounds["native"] - 2 * 576
        assert bounds["hoisted"] > bounds["native"]

    @pytest.mark.parametrize(("way", "count"), [("native", 4), ("hoisted", 4), ("text", 1)])
    def test_name_the_images_that_were_sent(self, client_for: Make, way: ToolImages, count: int) -> None:
        ledger = Ledger()
        client_for(model=QWEN_MAX, card=card_with(way), hooks=[ledger]).chat(CONVERSATION)
        assert [len(entry.images) for entry in ledger.entries] == [count]

    def test_are_learnt_from_what_was_sent(self) -> None:
        card = card_with("text").model_copy(update={"tokens_per_image": 576})
        request, usage = Request(CONVERSATION), Usage(1000, 1, 1001)
        learnt, expected = Calibration(), Calibration()
        learnt.observe(request, card, usage)
        expected.observe(with_tool_images_placed(request, card), card, usage)
        measured = prompt_tokens("A question.", vocabulary_of(card), messages=1)
        assert learnt.prompt(measured) == expected.prompt(measured) != Calibration().prompt(measured)
