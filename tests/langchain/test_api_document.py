"""The examples of the API's own document, and the JSON that arrives when they are asked through LangChain."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from PIL import Image, ImageChops, ImageStat

from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from tests.api_server import FIRELLAVA_13B, ApiServer

URL = (
    "https://images.unsplash.com/photo-1582538885592-e70a5d7ab3d3?ixlib=rb-4.0.3&"
    "ixid=M3wxMjA3fDB8MHxwaG90by1wYWdlfHx8fGVufDB8fHx8fA%3D%3D&auto=format&fit=crop&w=1770&q=80"
)
PHOTOGRAPH = Path(__file__).parents[2] / "cookbook" / "images" / "photograph.jpg"


def example(url: str) -> dict[str, Any]:
    """The document's request, with the image at `url`."""
    return {
        "model": "accounts/fireworks/models/firellava-13b",
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


@pytest.fixture
def square(tmp_path: Path) -> Path:
    """The middle of a photograph; being square it is not padded."""
    path = tmp_path / "square.jpg"
    with Image.open(PHOTOGRAPH) as photograph:
        side = min(photograph.size)
        photograph.crop((0, 0, side, side)).save(path, quality=95)
    return path


def test_an_image_by_url(llm: ChatFireLLaVA, api_server: ApiServer, square: Path) -> None:
    api_server.host_image(URL, square.read_bytes())
    llm.invoke([HumanMessage(example(URL)["messages"][0]["content"])])
    llm.invoke([HumanMessage([{"type": "text", "text": "Can you describe this image?"}, image_block(URL)])])
    assert [request.json for request in api_server.requests] == [example(URL), example(URL)]


def test_an_image_by_data_url(llm: ChatFireLLaVA, api_server: ApiServer, square: Path) -> None:
    url = f"data:image/jpeg;base64,{base64.b64encode(square.read_bytes()).decode()}"
    llm.invoke([HumanMessage(example(url)["messages"][0]["content"])])
    (request,) = api_server.requests
    sent = request.json["messages"][0]["content"][1]["image_url"]["url"]
    assert sent.startswith("data:image/jpeg;base64,")
    assert request.json == example(sent)
    (image,) = request.images
    with Image.open(io.BytesIO(square.read_bytes())) as original:
        wanted = original.resize((336, 336), Image.Resampling.LANCZOS)
    assert image.size == (336, 336)
    assert max(ImageStat.Stat(ImageChops.difference(image.pixels, wanted)).mean) < 4


def test_a_system_prompt_of_ones_own(llm: ChatFireLLaVA, api_server: ApiServer) -> None:
    llm.invoke([("system", "You are a pirate."), ("user", "Hello, what is your name?")])
    assert api_server.requests[0].json["messages"] == [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Hello, what is your name?"},
    ]


def test_an_empty_system_prompt_is_sent_and_omits_the_default(
    llm: ChatFireLLaVA, api_server: ApiServer
) -> None:
    with_default = llm.invoke("Hello").usage_metadata
    without = llm.invoke([SystemMessage(""), HumanMessage("Hello")]).usage_metadata
    assert api_server.requests[1].json["messages"][0] == {"role": "system", "content": ""}
    assert with_default is not None
    assert without is not None
    assert without["input_tokens"] < with_default["input_tokens"]


@pytest.mark.parametrize("content", ["Hello", [{"type": "text", "text": "Hello"}], ["Hello"]])
def test_text_alone_is_a_plain_string(llm: ChatFireLLaVA, api_server: ApiServer, content: Any) -> None:
    llm.invoke([HumanMessage(content)])
    assert api_server.requests[0].json == {
        "model": FIRELLAVA_13B,
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_the_completions_api(completions: FireLLaVACompletions, api_server: ApiServer, square: Path) -> None:
    api_server.host_image(URL, square.read_bytes())
    prompt = "SYSTEM: Hello\n\nUSER:<image>\ntell me about the image\n\nASSISTANT:"
    completions.invoke(prompt, images=[URL])
    (request,) = api_server.requests
    assert request.path.endswith("/v1/completions")
    assert request.json == {
        "model": "accounts/fireworks/models/firellava-13b",
        "prompt": prompt,
        "images": [URL],
    }
