"""`redact_images`: what traces and logs are told of images, through real tracers."""

import base64
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.tools import tool
from langchain_core.tracers import LangChainTracer
from langsmith import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from firellava.errors import AuthenticationFailed
from langchain_firellava import ChatFireLLaVA, image_block
from langchain_firellava.images.redacted import redact_images
from langchain_firellava.middleware.image_redaction import ImageRedactionMiddleware
from langchain_firellava.middleware.newest_images import NewestImagesMiddleware
from tests.api_server import QWEN_MAX
from tests.api_server.plain_requests import data_url, encoded
from tests.asgi_server import AsgiServer
from tests.langchain.image_shapes import BASE64, INLINED, RED

Make = Callable[..., ChatFireLLaVA]

TOLD = f"[image/png, {len(RED)} bytes, {image_block(RED)['id']}]"
URL = "https://images.example.com/red.png"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256))


def holds_pixels(value: object) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return any(mark in text for mark in (BASE64[30:60], repr(RED[20:40])[2:-1], RED[20:40].decode("latin-1")))


@contextmanager
def trace_service() -> Iterator[tuple[Client, list[bytes]]]:
    """A LangSmith client that redacts, and what a service on this machine receives from it."""
    received: list[bytes] = []

    async def receive(request: Request) -> JSONResponse:
        received.append(await request.body())
        return JSONResponse({})

    routes = [Route("/{rest:path}", receive, methods=["POST", "PATCH"])]
    with AsgiServer(Starlette(routes=routes)) as server:
        yield (
            Client(
                api_url=f"http://127.0.0.1:{server.port}",
                api_key="key",
                auto_batch_tracing=False,
                hide_inputs=redact_images,
                hide_outputs=redact_images,
            ),
            received,
        )


@tool
def camera(place: str) -> list[Any]:
    """Look up what a place looks like."""
    return [{"type": "text", "text": place}, image_block(RED)]


QUESTION: dict[str, Any] = {"messages": [HumanMessage(["Please look up the camera", image_block(RED)])]}


class TestATrace:
    @pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
    @pytest.mark.parametrize("with_middleware", ["with middleware", "without"])
    async def test_of_an_agent_holds_no_image(self, llm_for: Make, way: str, with_middleware: str) -> None:
        middleware = [NewestImagesMiddleware(2), ImageRedactionMiddleware()]
        if with_middleware == "without":
            middleware.clear()
        agent: Any = create_agent(llm_for(model=QWEN_MAX), [camera], middleware=middleware)
        with trace_service() as (client, received):
            config: Any = {"callbacks": [LangChainTracer(client=client)]}
            if way == "ainvoke":
                await agent.ainvoke(QUESTION, config)
            elif way == "stream":
                list(agent.stream(QUESTION, config))
            else:
                agent.invoke(QUESTION, config)
            whole = b"".join(received)
        assert not holds_pixels(whole)
        # The human's and the tool's, in what the models were asked.
        assert whole.count(image_block(RED)["id"].encode()) > 4
        assert b"Please look up the camera" in whole

    def test_of_a_failed_call_holds_no_image(self, llm_for: Make) -> None:
        llm = llm_for(api_key="wrong", max_retries=0)
        with trace_service() as (client, received):
            with pytest.raises(AuthenticationFailed):
                llm.invoke(
                    [HumanMessage([image_block(RED)])], {"callbacks": [LangChainTracer(client=client)]}
                )
            whole = b"".join(received)
        assert TOLD.encode() in whole
        assert not holds_pixels(whole)


class TestAHandlerOfOnesOwn:
    def test_is_told_whole_images_and_can_write_them_down_redacted(
        self, llm: ChatFireLLaVA, caplog: pytest.LogCaptureFixture
    ) -> None:
        told: list[Any] = []

        class Logging(BaseCallbackHandler):
            def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
                told.extend(messages)
                logging.getLogger("asked").info("asked: %s", redact_images(messages))

        with caplog.at_level(logging.INFO, "asked"):
            llm.invoke([HumanMessage(["What is this?", image_block(RED)])], {"callbacks": [Logging()]})
        assert holds_pixels(told)
        assert not holds_pixels(caplog.text)
        assert TOLD in caplog.text

    def test_of_an_agent_with_references_sees_images_only_at_models_and_tools(self, llm_for: Make) -> None:
        holding: list[str] = []

        class Watching(BaseCallbackHandler):
            def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
                if holds_pixels(inputs):
                    holding.append("chain")

            def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
                if holds_pixels(outputs):
                    holding.append("chain")

            def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
                if holds_pixels(messages):
                    holding.append("model")

            def on_tool_end(self, output: Any, **kwargs: Any) -> None:
                if holds_pixels(output):
                    holding.append("tool")

        redaction = ImageRedactionMiddleware()
        agent: Any = create_agent(llm_for(model=QWEN_MAX), [camera], middleware=[redaction])
        agent.invoke(redaction.redacted(QUESTION), {"callbacks": [Watching()]})
        assert holding == ["model", "tool", "model"]


@dataclass(frozen=True, slots=True)
class Held:
    content: Any


NESTINGS: dict[str, Callable[[Any], Any]] = {
    "a message": lambda block: HumanMessage(["Look:", block]),
    "a result of a tool": lambda block: ToolMessage("", tool_call_id="1", artifact={"seen": [block]}),
    "a message of messages": lambda block: AIMessage("", additional_kwargs={"asked": HumanMessage([block])}),
    "arguments of a tool call": lambda block: AIMessage(
        "", tool_calls=[{"name": "look", "args": {"at": block}, "id": "1"}]
    ),
    "a prompt": lambda block: ChatPromptValue(messages=[HumanMessage([block])]),
    "lists, tuples and dicts": lambda block: {"inputs": [({"messages": [[block]]}, 1)]},
    "a dataclass": lambda block: Held([block]),
    "a serialised message": lambda block: dumpd(HumanMessage([block])),
    "a repr": lambda block: repr(HumanMessage([block])),
    "JSON": lambda block: json.dumps(HumanMessage([block]).model_dump(mode="json"), default=str),
}


AS_TEXT = ("a repr", "JSON", "a serialised message")


def _leaves(value: Any) -> list[Any]:
    return (
        [leaf for inner in value.values() for leaf in _leaves(inner)] if isinstance(value, dict) else [value]
    )


class TestAnImage:
    @pytest.mark.parametrize(
        ("shape", "nesting"),
        # A text has no place for bytes.
        [
            (shape, nesting)
            for shape, block in INLINED.items()
            for nesting in NESTINGS
            if RED not in _leaves(block) or nesting not in AS_TEXT
        ],
    )
    def test_of_any_shape_is_replaced_wherever_it_stands(self, shape: str, nesting: str) -> None:
        value = NESTINGS[nesting](INLINED[shape])
        before = repr(value)
        assert holds_pixels(before)
        redacted = redact_images(value)
        assert not holds_pixels(repr(redacted))
        assert TOLD in repr(redacted)
        assert type(redacted) is type(value)
        assert repr(value) == before
        assert redact_images(redacted) == redacted

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            (f"See ![]({data_url(RED)}) here.", f"See ![]({TOLD}) here."),
            (f"{data_url(RED)} and {data_url(RED)}", f"{TOLD} and {TOLD}"),
            (f"It is {BASE64}.", f"It is {TOLD}."),
            (f"Lines:\n{BASE64[:76]}\n{BASE64[76:]}\nEnd", f"Lines:\n{TOLD}\nEnd"),
            (f"data:image/png,{''.join(f'%{byte:02x}' for byte in RED)} x", f"{TOLD} x"),
            (data_url(RED).replace("data:image/png", "DATA:IMAGE/JPEG;a=b"), TOLD),
            (data_url(RED).replace("+", "%2B").replace("/", "%2F").replace("image%2F", "image/"), TOLD),
            ("data:;base64," + BASE64, TOLD),
        ],
    )
    def test_in_a_text_is_replaced_and_the_text_stays(self, text: str, told: str) -> None:
        assert redact_images(text) == told

    def test_that_is_damaged_or_cut_short_is_replaced_too(self) -> None:
        cut = BASE64[:101]
        for value in (
            {"type": "image", "base64": cut, "mime_type": "image/png"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{cut}"}},
            f"It is {cut}",
        ):
            redacted = redact_images(value)
            assert not holds_pixels(redacted)
            assert "101 characters that cannot be read" in str(redacted)

    @pytest.mark.parametrize("data", [RED, bytearray(RED), memoryview(RED)])
    def test_as_bytes_is_replaced(self, data: Any) -> None:
        assert redact_images({"input": data}) == {"input": TOLD}

    def test_of_one_pixel_is_replaced(self) -> None:
        tiny = encoded("GIF", (1, 1))
        block = {"type": "image", "base64": base64.b64encode(tiny).decode(), "mime_type": "image/gif"}
        assert "[image/gif, " in redact_images(block)["base64"]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "audio", "base64": base64.b64encode(WAV).decode(), "mime_type": "audio/wav"},
        {"type": "media", "data": WAV, "mime_type": "audio/wav"},
        {"type": "file", "file": {"file_data": f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": base64.b64encode(WAV).decode()}},
    ],
)
def test_other_files_are_replaced_too(block: dict[str, Any]) -> None:
    redacted = json.dumps(redact_images(block))
    assert f"{len(WAV)} bytes, sha256-" in redacted
    assert base64.b64encode(WAV).decode()[40:60] not in redacted


class TestWhatIsNoImage:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            7,
            "What is this?",
            "data: see the table; base64, too",
            "/home/" + "a" * 100 + "/picture.png",
            "0123456789abcdef" * 20,
            b"some bytes",
            object(),
            uuid.uuid4(),
            [image_block(URL)],
            {"format": "png", "data": "a table"},
            {"type": "image", "base64": "stored-image:base64,sha256-" + "0" * 64, "mime_type": "image/png"},
            {"messages": [HumanMessage("Hello"), AIMessage("Hi", response_metadata={"id": "x"})]},
            ImageRedactionMiddleware,
        ],
    )
    def test_is_given_back_as_it_is(self, value: Any) -> None:
        assert redact_images(value) is value

    def test_may_hold_itself(self) -> None:
        ring: dict[str, Any] = {"image": image_block(RED)}
        ring["again"] = [ring]
        assert redact_images(ring)["image"]["base64"] == TOLD

    @given(st.text(max_size=300))
    def test_is_given_back_whatever_its_letters(self, text: str) -> None:
        assert redact_images({"data": text, "mime_type": "text/plain"}).keys() == {"data", "mime_type"}
        if "data:" not in text.lower():
            assert redact_images(text) == text
