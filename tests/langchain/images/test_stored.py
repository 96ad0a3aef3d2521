"""References in the place of images: made, read back, counted, and told from damaged images."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.stores import InMemoryByteStore
from langgraph.types import Command, Send

from firellava.errors import UnreadableImage
from langchain_firellava import ChatFireLLaVA, image_block
from langchain_firellava.images.stored import image_names, put_back, take_out
from langchain_firellava.middleware.image_redaction import ImageRedactionMiddleware
from tests.api_server import ApiServer
from tests.langchain.image_shapes import BASE64, INLINED, RED, holds_pixels

URL = "https://images.example.com/red.png"
GONE = "[An image that was here is no longer stored.]"


class TestAReference:
    @pytest.mark.parametrize("shape", INLINED)
    def test_takes_the_place_of_an_image_in_any_shape_and_gives_it_back(self, shape: str) -> None:
        message = HumanMessage(["Look:", INLINED[shape]])
        without, images = take_out([message])
        assert list(images.values()) == [RED]
        assert not holds_pixels(without)
        assert len(json.dumps(without[0].content)) < 400
        assert image_names(without) == list(images)
        assert put_back(without, images) == [message]
        assert message.content[1] == INLINED[shape]

    @given(data=st.binary(min_size=1, max_size=200), shape=st.sampled_from(["standard", "OpenAI", "Google"]))
    def test_gives_back_any_bytes(self, data: bytes, shape: str) -> None:
        block = json.loads(json.dumps(INLINED[shape]).replace(BASE64, base64.b64encode(data).decode()))
        without, images = take_out([block])
        assert list(images.values()) == [data]
        assert put_back(without, images) == [block]

    @pytest.mark.parametrize(
        "shape", ["standard", "OpenAI", "Anthropic", "Bedrock Converse", "Google", "Google with bytes"]
    )
    def test_counts_as_the_image_that_it_stands_for(self, llm: ChatFireLLaVA, shape: str) -> None:
        message: BaseMessage = HumanMessage(["What is this?", INLINED[shape]])
        without, _ = take_out([message])
        tokens = llm.get_num_tokens_from_messages(without)
        assert tokens == llm.get_num_tokens_from_messages([message]) > 576

    @pytest.mark.parametrize(
        "hold",
        [
            lambda message: {"messages": [message]},
            lambda message: Command(update={"messages": (message,)}),
            lambda message: AIMessage("Hi", additional_kwargs={"earlier": [message]}),
            lambda message: HumanMessage([{"type": "tool_result", "content": message.content}]),
        ],
    )
    def test_is_made_wherever_a_message_stands(self, hold: Any) -> None:
        value = hold(HumanMessage([INLINED["standard"]]))
        without, images = take_out(value)
        assert len(images) == 1
        assert not holds_pixels(repr(without))
        assert holds_pixels(repr(value))
        assert repr(put_back(without, images)) == repr(value)

    def test_leaves_alone_what_holds_no_image(self) -> None:
        values: list[Any] = [
            HumanMessage("stored-image:base64,sha256-" + "0" * 64),
            HumanMessage([{"type": "text", "text": BASE64}, image_block(URL)]),
            AIMessage("", tool_calls=[{"name": "look", "args": {"image": INLINED["standard"]}, "id": "1"}]),
            HumanMessage([{"type": "image", "base64": "no base64!", "mime_type": "image/png"}]),
            Send("tools", 7),
        ]
        without, images = take_out(values)
        assert without is values
        assert images == {}
        assert put_back(values, {}) is values

    def test_of_other_letters_is_read_and_written_in_the_standard_ones(self) -> None:
        lines = "\n".join(BASE64[start : start + 76] for start in range(0, len(BASE64), 76))
        escaped = "data:image/png," + "".join(f"%{byte:02x}" for byte in RED)
        for block in (
            {"type": "image", "base64": lines, "mime_type": "image/png"},
            {"type": "image_url", "image_url": escaped},
        ):
            assert BASE64 in str(put_back(*take_out(block)))

    @pytest.mark.parametrize("shape", ["standard", "OpenAI"])
    def test_that_nobody_put_back_is_told_from_a_damaged_image(
        self, llm: ChatFireLLaVA, api_server: ApiServer, shape: str
    ) -> None:
        without, _ = take_out([HumanMessage(["Look", INLINED[shape]])])
        with pytest.raises(UnreadableImage, match="nobody put it back"):
            llm.invoke(without)
        assert api_server.requests == []

    def test_reads_nothing_but_images_from_a_store_that_others_use(self) -> None:
        store = InMemoryByteStore()
        store.mset([("sha256-" + "0" * 64, b"a secret")])
        block = {
            "type": "image",
            "base64": f"stored-image:base64,sha256-{'0' * 64}",
            "mime_type": "image/png",
        }
        restored = ImageRedactionMiddleware(store).restored([HumanMessage([block])])
        assert restored[0].content == [{"type": "text", "text": GONE}]
