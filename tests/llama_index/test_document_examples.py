"""The examples of "Querying vision-language models": what LlamaIndex users write arrives as the same JSON."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.schema import ImageNode
from PIL import Image

from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer
from tests.llama_index.asking import CHAT, COMPLETE, RECEIPT, answer

MODEL = "accounts/fireworks/models/firellava-13b"
URL = (
    "https://images.unsplash.com/photo-1582538885592-e70a5d7ab3d3?ixlib=rb-4.0.3&ixid=M3wxMjA3fDB8MHxwaG90by1w"
    "YWdlfHx8fGVufDB8fHx8fA%3D%3D&auto=format&fit=crop&w=1770&q=80"
)
PROMPT = "SYSTEM: Hello\n\nUSER:<image>\ntell me about the image\n\nASSISTANT:"


def without_stream(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"stream", "stream_options"}}


def describe(url: str) -> dict[str, Any]:
    return {
        "model": MODEL,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Can you describe this image?"},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            }
        ],
    }


@pytest.mark.parametrize("method", CHAT)
async def test_an_image_by_url(llm: FireLLaVA, api_server: ApiServer, method: str) -> None:
    api_server.host_image(URL, RECEIPT.read_bytes())
    blocks = [TextBlock(text="Can you describe this image?"), ImageBlock(url=URL)]
    await answer(llm, method, [ChatMessage(role="user", blocks=blocks)])
    assert without_stream(api_server.requests[0].json) == describe(URL)


def test_an_image_as_base64(llm: FireLLaVA, api_server: ApiServer, receipt: Path) -> None:
    data_url = f"data:image/jpeg;base64,{base64.b64encode(receipt.read_bytes()).decode()}"
    blocks = [TextBlock(text="Can you describe this image?"), ImageBlock(url=data_url)]
    llm.chat([ChatMessage(role="user", blocks=blocks)])
    (request,) = api_server.requests
    sent = request.json["messages"][0]["content"][1]["image_url"]["url"]
    assert sent.startswith("data:image/jpeg;base64,")
    assert request.json == describe(sent)
    (received,) = request.images
    assert mean_difference(received.pixels, Image.open(io.BytesIO(receipt.read_bytes()))) < 4


def mean_difference(letterboxed: Image.Image, original: Image.Image) -> float:
    """How far the picture in the middle of the square is from the original, in levels of 0 to 255."""
    scale = letterboxed.width / max(original.size)
    width, height = (round(side * scale) for side in original.size)
    left, top = (letterboxed.width - width) // 2, (letterboxed.height - height) // 2
    inside = letterboxed.crop((left, top, left + width, top + height)).convert("L")
    expected = original.resize((width, height), Image.Resampling.LANCZOS).convert("L")
    pairs = zip(inside.tobytes(), expected.tobytes(), strict=True)
    return sum(abs(one - other) for one, other in pairs) / (width * height)


@pytest.mark.parametrize("method", CHAT)
@pytest.mark.parametrize(("system", "told"), [("You are a pirate.", "You are a pirate."), ("", "(empty)")])
async def test_the_system_prompt_is_overridden_or_with_an_empty_one_omitted(
    llm: FireLLaVA, api_server: ApiServer, method: str, system: str, told: str
) -> None:
    messages = [
        ChatMessage(role="system", content=system),
        ChatMessage(role="user", content="Hello, what is your name?"),
    ]
    response = await answer(llm, method, messages)
    assert without_stream(api_server.requests[0].json) == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": "Hello, what is your name?"},
        ],
    }
    assert response.message.content == f"question: Hello, what is your name? | system: {told}"


@pytest.mark.parametrize("method", COMPLETE)
async def test_the_completions_api_with_an_image_token(
    llm: FireLLaVA, api_server: ApiServer, method: str
) -> None:
    api_server.host_image(URL, RECEIPT.read_bytes())
    await answer(llm, method, PROMPT, formatted=True, image_documents=[ImageNode(image_url=URL)])
    sent = without_stream(api_server.requests[0].json)
    assert sent == {"model": MODEL, "prompt": PROMPT, "images": [URL]}


@pytest.mark.parametrize("method", COMPLETE)
async def test_text_only_requests_have_plain_string_content(
    llm: FireLLaVA, api_server: ApiServer, method: str
) -> None:
    await answer(llm, method, "Say hello.")
    assert without_stream(api_server.requests[0].json) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
