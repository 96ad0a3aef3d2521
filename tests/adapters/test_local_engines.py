"""True engines on the tiny LLaVA answer about pixels through every face of this package, the API down."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from PIL import Image

from firellava import Backend, VisionClient
from firellava.backends import engines
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from langchain_firellava import ChatFireLLaVA, image_block
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer, Fault
from tests.fixtures import tiny_model
from tests.fixtures.tiny_model import asked, picture

PICTURES = {
    ("circle", "red", "blue"): "A red circle on a blue background.",
    ("triangle", "yellow", "green"): "A yellow triangle on a green background.",
}
QUESTION = "Describe the image."


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("llama_cpp", marks=pytest.mark.engine("llama_cpp")),
        pytest.param("transformers", marks=pytest.mark.engine("transformers")),
        pytest.param("llama-server", marks=pytest.mark.engine("llama_cpp")),
    ],
)
def local(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """In-process llama.cpp, in-process transformers, and a llama-server over HTTP."""
    if request.param == "llama-server":
        with tiny_model.llama_server() as server:
            yield OpenAICompatibleBackend(base_url=server.base_url, model=server.model, api_key=server.key)
    else:
        yield tiny_model.engine_backend(request.param)
        engines.close_all()


@pytest.fixture
def settings(api_server: ApiServer, local: Backend) -> dict[str, Any]:
    """The API is down, and the engine stands behind it."""
    api_server.fail_next(Fault(status=500), times=99)
    cloud = {"api_key": api_server.key, "base_url": api_server.base_url}
    return {**cloud, "fallback": local, "max_retries": 0}


@pytest.fixture(params=PICTURES, ids=lambda shown: shown[0])
def shown(request: pytest.FixtureRequest) -> tuple[Image.Image, str]:
    return picture(*request.param), PICTURES[request.param]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def test_vision_client(
    settings: dict[str, Any], shown: tuple[Image.Image, str], local: Backend
) -> None:
    image, answer = shown
    client, messages = VisionClient(**settings), asked(QUESTION, image)
    options: dict[str, Any] = {"temperature": 0, "max_tokens": 24}
    replies = [client.chat(messages, **options), await client.achat(messages, **options)]
    streams = [
        list(client.stream(messages, **options)),
        [chunk async for chunk in client.astream(messages, **options)],
    ]
    for chunks in streams:
        assert len(chunks) > 3
        assert "".join(chunk.text for chunk in chunks).strip() == answer
        assert chunks[-1].reply is not None
        replies.append(chunks[-1].reply)
    for reply in replies:
        assert reply.text.strip() == answer
        assert reply.backend == local.label
        assert not reply.degraded
        assert reply.cost_usd == 0
        assert reply.usage is not None
        assert [attempt.backend for attempt in reply.fallback_from] == ["fireworks:firellava-13b"]


async def test_langchain(settings: dict[str, Any], shown: tuple[Image.Image, str], local: Backend) -> None:
    image, answer = shown
    llm = ChatFireLLaVA(**settings, temperature=0, max_tokens=24)
    messages = [HumanMessage([{"type": "text", "text": QUESTION}, image_block(image)])]
    whole = [llm.invoke(messages), await llm.ainvoke(messages)]
    streams = [list(llm.stream(messages)), [chunk async for chunk in llm.astream(messages)]]
    for message in whole:
        assert message.text.strip() == answer
        assert message.usage_metadata is not None
    for chunks in streams:
        assert "".join(chunk.text for chunk in chunks).strip() == answer
    for message in [*whole, *(chunks[-1] for chunks in streams)]:
        told = message.response_metadata
        assert (told["backend"], told["degraded"], told["cost_usd"]) == (local.label, False, "0")
        assert told["fallback_from"][0]["reason"].startswith("ServerFailed")
        assert [attempt["backend"] for attempt in told["attempts"]] == [
            "fireworks:firellava-13b",
            local.label,
        ]


async def test_llama_index(settings: dict[str, Any], shown: tuple[Image.Image, str], local: Backend) -> None:
    image, answer = shown
    llm = FireLLaVA(**settings, temperature=0, max_tokens=24)
    blocks = [TextBlock(text=QUESTION), ImageBlock(image=base64.b64encode(png(image)))]
    messages = [ChatMessage(role="user", blocks=blocks)]
    streams = [list(llm.stream_chat(messages)), [r async for r in await llm.astream_chat(messages)]]
    for response in [
        llm.chat(messages),
        await llm.achat(messages),
        *(responses[-1] for responses in streams),
    ]:
        assert (response.message.content or "").strip() == answer
        told = response.additional_kwargs
        assert (told["backend"], told["degraded"], told["cost_usd"]) == (local.label, False, "0")
        assert told["fallback_from"][0]["backend"] == "fireworks:firellava-13b"


def test_two_images_are_compared(settings: dict[str, Any]) -> None:
    red, blue = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    client = VisionClient(**settings | {"local_only": True})
    question = "Are the two images the same colour?"
    assert client.chat(asked(question, red, red), temperature=0).text.strip() == "Yes, both are red."
    assert (
        client.chat(asked(question, red, blue), temperature=0).text.strip()
        == "No, one is red and one is blue."
    )
