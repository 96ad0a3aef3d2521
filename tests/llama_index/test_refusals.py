"""Bad input gets an error that says what to do, and nothing is sent; the API's own errors come through."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.schema import ImageNode, TextNode

from firellava.errors import (
    AuthenticationFailed,
    ConfigurationError,
    FireLLaVAError,
    ImageTooLarge,
    InvalidRequest,
    LimitExceeded,
    MissingKey,
    ModelNotFound,
    RateLimited,
    StreamBroken,
    UnreadableImage,
    UnsupportedFormat,
)
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer, Fault
from tests.llama_index.asking import CHAT, COMPLETE, PICTURE, answer, conversation, responses

PROMPT = "USER:\n<image>\nWhat is this?\n\nASSISTANT:"


def huge_png() -> bytes:
    """A PNG whose header states a billion pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 25_000, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(b""), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def renamed_text(folder: Path) -> Path:
    path = folder / "notes.png"
    path.write_text("This is no image.")
    return path


def missing(folder: Path) -> ImageNode:
    return ImageNode(image_path=str(folder / "missing.png"))


BAD_INPUT: dict[str, tuple[type[FireLLaVAError], str, Callable[[Path], dict[str, Any]]]] = {
    "missing file": (
        UnreadableImage,
        "There is no file",
        lambda folder: {"prompt": "What?", "image_documents": [missing(folder)]},
    ),
    "folder": (
        UnreadableImage,
        "folder",
        lambda folder: {"prompt": "What?", "image_documents": [ImageNode(image_path=str(folder))]},
    ),
    "text renamed": (
        UnsupportedFormat,
        "starts like text",
        lambda folder: {
            "prompt": "What?",
            "image_documents": [ImageNode(image_path=str(renamed_text(folder)))],
        },
    ),
    "text as bytes": (
        UnsupportedFormat,
        "no image",
        lambda folder: {"prompt": "What?", "image_documents": [ImageBlock(image=b"This is no image.")]},
    ),
    "text that is base64 by chance": (
        UnsupportedFormat,
        "no image",
        lambda folder: {"prompt": "What?", "image_documents": [ImageBlock(image=b"abcd1234")]},
    ),
    "too many pixels": (
        ImageTooLarge,
        "pixels",
        lambda folder: {"prompt": "What?", "image_documents": [ImageBlock(image=huge_png())]},
    ),
    "empty prompt": (InvalidRequest, "prompt is empty", lambda folder: {"prompt": " "}),
    "empty prompt with image": (
        InvalidRequest,
        "prompt is empty",
        lambda folder: {"prompt": "", "image_documents": [ImageBlock(image=PICTURE)]},
    ),
    "empty formatted prompt": (
        InvalidRequest,
        "prompt is empty",
        lambda folder: {"prompt": "", "formatted": True},
    ),
    "image without token": (
        InvalidRequest,
        "0 <image> tokens for 1 images",
        lambda folder: {
            "prompt": "What?",
            "formatted": True,
            "image_documents": [ImageBlock(image=PICTURE)],
        },
    ),
    "token without image": (
        InvalidRequest,
        "1 <image> tokens for 0 images",
        lambda folder: {"prompt": PROMPT, "formatted": True},
    ),
    "images in place of formatted": (
        InvalidRequest,
        "image_documents=",
        lambda folder: {"prompt": "What?", "formatted": [ImageBlock(image=PICTURE)]},
    ),
    "path as document": (
        InvalidRequest,
        "type str holds no image",
        lambda folder: {"prompt": "What?", "image_documents": ["picture.png"]},
    ),
    "text node": (
        InvalidRequest,
        "type TextNode holds no image",
        lambda folder: {"prompt": "What?", "image_documents": [TextNode(text="a caption")]},
    ),
    "too many images": (
        LimitExceeded,
        "at most 30",
        lambda folder: {"prompt": "What?", "image_documents": [ImageBlock(image=PICTURE)] * 31},
    ),
    "misspelt parameter": (
        InvalidRequest,
        "'temprature'",
        lambda folder: {"prompt": "What?", "temprature": 0},
    ),
    "parameter out of range": (
        InvalidRequest,
        "temperature",
        lambda folder: {"prompt": "What?", "temperature": 3},
    ),
}


@pytest.mark.parametrize(("error", "said", "given"), BAD_INPUT.values(), ids=BAD_INPUT)
@pytest.mark.parametrize("method", ["complete", "astream_complete"])
async def test_bad_input_costs_nothing(
    llm: FireLLaVA,
    api_server: ApiServer,
    tmp_path: Path,
    method: str,
    error: type[FireLLaVAError],
    said: str,
    given: Callable[[Path], dict[str, Any]],
) -> None:
    with pytest.raises(error, match=said):
        await answer(llm, method, **given(tmp_path))
    assert api_server.requests == []


REFUSED_BLOCKS = {
    "DocumentBlock": DocumentBlock(data=b"A letter, in words.", document_mimetype="text/plain"),
    "AudioBlock": AudioBlock(audio=b"RIFF and more", format="wav"),
    "VideoBlock": VideoBlock(video=b"\x00\x00\x00\x18ftypmp42 and more"),
    "CitableBlock": CitableBlock(title="A page", source="A book", content=[TextBlock(text="words")]),
    "CitationBlock": CitationBlock(
        title="A page", source="A book", cited_content=TextBlock(text="words"), additional_location_info={}
    ),
    "ToolCallBlock": ToolCallBlock(tool_name="add"),
}


@pytest.mark.parametrize(("name", "block"), REFUSED_BLOCKS.items(), ids=REFUSED_BLOCKS)
@pytest.mark.parametrize("method", CHAT)
async def test_a_block_no_vision_model_takes_is_refused_by_name(
    llm: FireLLaVA, api_server: ApiServer, method: str, name: str, block: Any
) -> None:
    message = ChatMessage(role="user", blocks=[TextBlock(text="What is this?"), block])
    with pytest.raises(InvalidRequest, match=rf"\b{name}\b"):
        await answer(llm, method, [message])
    assert api_server.requests == []


def test_an_unknown_detail_is_refused(llm: FireLLaVA, api_server: ApiServer, picture: Path) -> None:
    with pytest.raises(InvalidRequest, match="detail='original'"):
        llm.chat(conversation(ImageBlock(path=picture, detail="original")))
    assert api_server.requests == []


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_no_key_is_named_with_its_variable_and_the_way_out(api_server: ApiServer, method: str) -> None:
    llm = FireLLaVA(base_url=api_server.base_url)
    with pytest.raises(MissingKey, match=r"FIREWORKS_API_KEY.*fallback"):
        await answer(llm, method, conversation() if method in CHAT else "What is this?")
    assert api_server.requests == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_url": "http://api.example.com/v1"}, "plain http"),
        ({"base_url": "not a url"}, "base_url"),
        ({"model": " "}, "model name is empty"),
        ({"api_key": "two words"}, "api_key"),
        ({"fallback": "offline"}, "fallback="),
        ({"fallback": 5}, "fallback="),
        ({"timeout": "soon"}, "timeout: "),
        ({"temperature": 5}, "temperature: "),
        ({"additional_kwargs": {"min_p": -1}}, "min_p: "),
        ({"image_roots": 5}, "image_roots: "),
    ],
)
def test_a_wrong_setting_is_refused_at_once(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FireLLaVA(**settings)


@pytest.mark.parametrize("method", ["chat", "achat", "stream_chat", "astream_chat"])
async def test_a_text_in_the_place_of_messages_is_refused(
    llm: FireLLaVA, api_server: ApiServer, method: str
) -> None:
    with pytest.raises(InvalidRequest, match="takes messages"):
        await answer(llm, method, "What is this?")
    assert api_server.requests == []


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no setting 'temprature'"):
        FireLLaVA(temprature=0)  # type: ignore[call-arg]  # the mistake under test


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_model_the_api_does_not_know_is_told_with_what_to_do(
    llm_for: Callable[..., FireLLaVA], method: str
) -> None:
    llm = llm_for(model="firellava-99b")
    with pytest.raises(ModelNotFound, match=r"retired.*kimi"):
        await answer(llm, method, conversation() if method in CHAT else "What is this?")


async def test_errors_of_the_api_come_through(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer
) -> None:
    with pytest.raises(AuthenticationFailed):
        llm_for(api_key="fw_wrong").chat(conversation())
    api_server.fail_next(Fault(status=429))
    with pytest.raises(RateLimited):
        await llm_for(max_retries=0).achat(conversation())


@pytest.mark.parametrize("method", ["stream_chat", "astream_chat", "stream_complete", "astream_complete"])
async def test_a_stream_that_breaks_off_says_what_had_come(
    llm: FireLLaVA, api_server: ApiServer, method: str
) -> None:
    api_server.fail_next(Fault(cut_after=600))
    with pytest.raises(StreamBroken) as broken:
        await responses(llm, method, conversation() if method in CHAT else "What is this?")
    assert broken.value.partial_text.startswith("question:")
    assert len(api_server.requests) == 1


def test_a_text_file_object_is_refused(llm: FireLLaVA, api_server: ApiServer) -> None:
    block = ImageBlock(image=io.StringIO("This is no image."))
    with pytest.raises(UnreadableImage, match="binary"):
        llm.chat(conversation(block))
    assert api_server.requests == []
