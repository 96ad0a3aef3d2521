"""What cannot be answered is an error of ours, and where it is known beforehand nothing is sent."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ChatMessage, HumanMessage

from firellava.errors import (
    AuthenticationFailed,
    ConfigurationError,
    FireLLaVAError,
    ImageTooLarge,
    InvalidRequest,
    MissingKey,
    ModelNotFound,
    UnsupportedCapability,
    UnsupportedFormat,
)
from langchain_firellava import ChatFireLLaVA, image_block
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded
from tests.langchain.pictures import claiming_pixels

Make = Callable[..., ChatFireLLaVA]


def inlined(data: bytes) -> HumanMessage:
    block = {"type": "image", "base64": base64.b64encode(data).decode(), "mime_type": "image/png"}
    return HumanMessage(["What is this?", block])


TEXT = b"I am a text, whatever I am called."
PIXELS = base64.b64encode(encoded("PNG", (60, 60), "#a01f7c")).decode()

REFUSED: dict[str, tuple[list[Any], type[FireLLaVAError], str]] = {
    "no message": ([], InvalidRequest, "no message"),
    "an empty prompt": ([HumanMessage("")], InvalidRequest, "empty"),
    "a blank prompt": ([HumanMessage([{"type": "text", "text": " \n"}])], InvalidRequest, "empty"),
    "a prompt of nothing": ([HumanMessage([])], InvalidRequest, "empty"),
    "half a character": ([HumanMessage("\ud800")], InvalidRequest, "JSON|UTF-8|surrogate"),
    "a text called an image": ([inlined(TEXT)], UnsupportedFormat, "no image|not an image|format"),
    "too many pixels": ([inlined(claiming_pixels(30_000, 20_000))], ImageTooLarge, "pixels"),
    "an unknown role": ([ChatMessage(content="Hi", role="narrator")], InvalidRequest, "'narrator'"),
}


@pytest.fixture(params=["invoke", "ainvoke", "stream", "astream"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Asks in one of the four ways."""

    async def ask(llm: ChatFireLLaVA, messages: Any, **parameters: Any) -> None:
        match request.param:
            case "invoke":
                llm.invoke(messages, **parameters)
            case "ainvoke":
                await llm.ainvoke(messages, **parameters)
            case "stream":
                list(llm.stream(messages, **parameters))
            case "astream":
                [chunk async for chunk in llm.astream(messages, **parameters)]

    return ask


class TestNothingIsSent:
    @pytest.mark.parametrize("case", REFUSED)
    async def test_for_a_request_that_cannot_be_answered(
        self, llm: ChatFireLLaVA, api_server: ApiServer, ask: Any, case: str
    ) -> None:
        messages, kind, told = REFUSED[case]
        with pytest.raises(kind, match=told):
            await ask(llm, messages)
        assert api_server.requests == []

    async def test_without_a_key(self, api_server: ApiServer, ask: Any) -> None:
        with pytest.raises(MissingKey, match=r"FIREWORKS_API_KEY.*fallback="):
            await ask(ChatFireLLaVA(base_url=api_server.base_url), "Hello")
        assert api_server.requests == []

    async def test_for_parameters_out_of_range(
        self, llm: ChatFireLLaVA, api_server: ApiServer, ask: Any
    ) -> None:
        with pytest.raises(InvalidRequest, match="temperature"):
            await ask(llm, "Hello", temperature=3)
        assert api_server.requests == []

    @pytest.mark.parametrize(
        ("parameters", "told"),
        [({"model": 7}, "model= is the name of a model, not int"), ({"extra_body": 7}, "extra_body")],
    )
    async def test_for_parameters_of_other_types(
        self, llm: ChatFireLLaVA, api_server: ApiServer, ask: Any, parameters: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=told):
            await ask(llm, "Hello", **parameters)
        assert api_server.requests == []

    @pytest.mark.parametrize("block", [{"type": PIXELS}, {PIXELS: PIXELS}, {"type": "image", PIXELS: ""}])
    async def test_and_no_error_holds_an_image(
        self, llm: ChatFireLLaVA, api_server: ApiServer, ask: Any, block: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidRequest, match="block") as caught:
            await ask(llm, [HumanMessage([block])])
        assert PIXELS[:20] not in str(caught.value)
        assert api_server.requests == []

    async def test_for_tools_that_the_model_cannot_call(
        self, llm: ChatFireLLaVA, api_server: ApiServer, ask: Any
    ) -> None:
        tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
        with pytest.raises(UnsupportedCapability, match="does not call tools"):
            await ask(llm, "Hello", tools=[tool])
        assert api_server.requests == []

    def test_for_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FireLLaVAError, match=r"missing\.jpg"):
            image_block(tmp_path / "missing.jpg")

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"base_url": "http://api.example.com/v1"}, "unencrypted"),
            ({"model": " "}, "empty"),
            ({"api_key": ""}, "empty"),
            ({"fallback": "ollama"}, "fallback="),
            ({"temperature": "warm"}, "temperature"),
            ({"temprature": 1}, "'temprature'.*model_kwargs"),
            ({"backend": 7}, "backend"),
            ({"timeout": -1}, "timeout= takes a number of seconds above 0"),
            ({"card": "firelava-13b"}, "no model 'firelava-13b': name one of firellava-13b"),
        ],
    )
    def test_with_settings_that_are_wrong(self, settings: dict[str, Any], told: str) -> None:
        with pytest.raises(ConfigurationError, match=told):
            ChatFireLLaVA(**settings)


class TestTheServerRefuses:
    async def test_a_model_it_does_not_know(self, llm_for: Make, ask: Any) -> None:
        with pytest.raises(ModelNotFound, match=r"retired.*qwen3p8-max.*deployment.*fallback="):
            await ask(llm_for(model="firellava-99b"), "Hello")

    async def test_a_wrong_key_and_the_error_does_not_repeat_it(self, llm_for: Make, ask: Any) -> None:
        with pytest.raises(AuthenticationFailed) as caught:
            await ask(llm_for(api_key="fw_wrong"), "Hello")
        assert "fw_wrong" not in str(caught.value)


@pytest.mark.parametrize("setting", [{"temperature": 5}, {"n": 0}, {"stop": ["a"] * 5}, {"top_p": -1}])
def test_a_parameter_out_of_range_shows_when_the_model_is_made(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        ChatFireLLaVA(**setting)
