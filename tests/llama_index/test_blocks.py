"""What becomes of each kind of block that is no text and no plain image."""

import asyncio
import base64
import io
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    DocumentBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from PIL import Image

from firellava import SeveralImagesWarning, model_card
from firellava.errors import (
    ForbiddenPath,
    ImageError,
    InvalidRequest,
    MissingExtra,
    UnreadableImage,
)
from firellava.images.formats import detect_format
from firellava.models import ToolImages
from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer, UsagePlacement
from tests.api_server.plain_requests import data_url, encoded
from tests.core.images.documents import COLOURED, pages
from tests.llama_index.asking import CHAT, COLOUR, COMPLETE, PICTURE, answer

Make = Callable[..., FireLLaVA]

LETTER = pages(COLOURED, COLOURED)
URL = "https://example.com/letter"


def in_file(folder: Path, data: bytes, name: str = "document") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def asked(block: Any) -> list[ChatMessage]:
    return [ChatMessage(role="user", blocks=[block, TextBlock(text="What is this?")])]


def assigned(data: bytes) -> DocumentBlock:
    """Bytes that LlamaIndex had no chance to make base64 of."""
    block = DocumentBlock(path="nowhere")
    block.path, block.data = None, data
    return block


DOCUMENTS: dict[str, Callable[[Path, bytes], DocumentBlock]] = {
    "bytes": lambda folder, data: DocumentBlock(data=data),
    "base64": lambda folder, data: DocumentBlock(data=base64.b64encode(data)),
    "bytes as they are": lambda folder, data: assigned(data),
    "open file": lambda folder, data: DocumentBlock(data=io.BytesIO(data)),
    "path": lambda folder, data: DocumentBlock(path=in_file(folder, data)),
    "path as text": lambda folder, data: DocumentBlock(path=str(in_file(folder, data))),
    "wrong name": lambda folder, data: DocumentBlock(path=in_file(folder, data, "letter.docx")),
    "data URL": lambda folder, data: DocumentBlock(url=data_url(data)),
    "wrong type": lambda folder, data: DocumentBlock(data=data, document_mimetype="text/plain"),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_is_an_image_is_sent_as_one(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, document: Callable[[Path, bytes], DocumentBlock]
) -> None:
    assert COLOUR in str(llm.chat(asked(document(tmp_path, PICTURE))))
    assert len(api_server.requests[0].images) == 1


@pytest.mark.engine("pdf")
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_pdf_is_sent_as_its_pages(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, document: Callable[[Path, bytes], DocumentBlock]
) -> None:
    with pytest.warns(SeveralImagesWarning):
        llm.chat(asked(document(tmp_path, LETTER)))
    first, second = api_server.requests[0].images
    assert first.size == second.size == (336, 336)
    assert first.pixels.convert("RGB").getpixel((168, 100)) == (255, 0, 0)


@pytest.mark.engine("pdf")
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_every_method_shows_a_document(llm: FireLLaVA, api_server: ApiServer, method: str) -> None:
    block = DocumentBlock(data=pages(COLOURED))
    if method in CHAT:
        await answer(llm, method, asked(block))
    else:
        await answer(llm, method, "What is this?", image_documents=[block])
    assert [image.size for image in api_server.requests[0].images] == [(336, 336)]


def test_the_pages_of_a_tiff_are_sent(llm_for: Make, api_server: ApiServer, tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (64, 64), colour) for colour in (COLOUR, "#1e3cc8"))
    path = tmp_path / "scan"
    first.save(path, "TIFF", save_all=True, append_images=[second])
    llm_for(model=QWEN_MAX).chat(asked(DocumentBlock(path=path)))
    assert [image.mean for image in api_server.requests[0].images] == [COLOUR, "#1e3cc8"]


def test_without_the_extra_a_pdf_is_an_error_that_names_it(
    llm: FireLLaVA, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(MissingExtra, match=r"firellava\[pdf\]"):
        llm.chat(asked(DocumentBlock(data=LETTER)))
    assert api_server.requests == []


@pytest.mark.engine("pdf")
@pytest.mark.parametrize("method", ["chat", "astream_chat", "complete", "acomplete"])
async def test_a_document_is_read_only_inside_the_roots(
    llm_for: Make, api_server: ApiServer, tmp_path: Path, method: str
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    llm = llm_for(image_roots=[inside])
    for path in (in_file(tmp_path, LETTER), inside / ".." / "document"):
        block = DocumentBlock(path=path)
        question = (asked(block),) if method in CHAT else ("What is this?",)
        extra = {} if method in CHAT else {"image_documents": [block]}
        with pytest.raises(ForbiddenPath):
            await answer(llm, method, *question, **extra)
    assert api_server.requests == []
    llm.chat(asked(DocumentBlock(path=in_file(inside, pages(COLOURED)))))
    assert len(api_server.requests) == 1


@pytest.mark.parametrize(
    ("document", "error", "said"),
    [
        (lambda folder: DocumentBlock(), ImageError, "DocumentBlock holds no image"),
        (lambda folder: DocumentBlock(data=b""), ImageError, "DocumentBlock holds no image"),
        (lambda folder: DocumentBlock(path=str(folder / "nowhere.pdf")), UnreadableImage, "no file"),
        (lambda folder: DocumentBlock(path=str(folder)), UnreadableImage, "folder"),
        (
            lambda folder: DocumentBlock(data=b"PK\x03\x04 and more"),
            InvalidRequest,
            "DocumentBlock.*TextBlock",
        ),
        (lambda folder: DocumentBlock(path=in_file(folder, b"words")), InvalidRequest, "DocumentBlock"),
        (lambda folder: DocumentBlock(url=f"{URL}.pdf"), InvalidRequest, r"application/pdf.*download it"),
        (lambda folder: DocumentBlock(url="file:///etc/passwd"), ImageError, "http"),
    ],
)
def test_a_document_without_a_picture_is_refused(
    llm: FireLLaVA,
    api_server: ApiServer,
    tmp_path: Path,
    document: Callable[[Path], DocumentBlock],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        llm.chat(asked(document(tmp_path)))
    assert api_server.requests == []


@pytest.mark.parametrize("url", [f"{URL}.png", URL])
def test_a_document_s_address_is_passed_on_as_that_of_an_image(
    llm: FireLLaVA, api_server: ApiServer, url: str
) -> None:
    api_server.host_image(url, PICTURE)
    llm.chat(asked(DocumentBlock(url=url)))
    assert api_server.requests[0].json["messages"][0]["content"][0]["image_url"] == {"url": url}


def test_who_counts_a_document_does_not_open_or_download_it(llm_for: Make, api_server: ApiServer) -> None:
    """LlamaIndex's counter would, wherever a reply states no usage."""
    api_server.usage = UsagePlacement.NEVER
    api_server.host_image(URL, PICTURE)
    counter = TokenCountingHandler(tokenizer=str.split)
    llm_for(callback_manager=CallbackManager([counter])).chat(asked(DocumentBlock(url=URL)))
    (event,) = counter.llm_token_counts
    assert event.prompt_token_count > 576


@pytest.mark.parametrize("method", CHAT)
async def test_reasoning_goes_back_to_the_model(llm: FireLLaVA, api_server: ApiServer, method: str) -> None:
    cache = CachePoint(cache_control=CacheControl(type="ephemeral"))
    said = [ThinkingBlock(content="He greets."), TextBlock(text="Hello."), cache, ThinkingBlock()]
    await answer(
        llm,
        method,
        [
            ChatMessage(role="user", blocks=[TextBlock(text="Hi"), ThinkingBlock(content="not a model's")]),
            ChatMessage(role="assistant", blocks=said),
            ChatMessage(role="user", content="Bye"),
        ],
    )
    assert api_server.requests[0].json["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello.", "reasoning_content": "He greets."},
        {"role": "user", "content": "Bye"},
    ]


def test_but_not_where_the_server_does_not_take_it(llm_for: Make, api_server: ApiServer) -> None:
    card = model_card("firellava-13b")
    able = card.capabilities.model_copy(update={"unsupported_fields": frozenset({"reasoning_content"})})
    said = ChatMessage(
        role="assistant", blocks=[ThinkingBlock(content="He greets."), TextBlock(text="Hello.")]
    )
    llm_for(card=card.model_copy(update={"capabilities": able})).chat([said, ChatMessage("Bye")])
    assert api_server.requests[0].json["messages"][0] == {"role": "assistant", "content": "Hello."}


async def test_what_the_model_said_goes_back_as_it_came(llm_for: Make, api_server: ApiServer) -> None:
    llm = llm_for(model=QWEN_MAX, additional_kwargs={"reasoning_effort": "high"})
    question = ChatMessage("Who are you?")
    said = (await llm.achat([question])).message
    await llm.achat([question, said, ChatMessage("Really?")])
    assistant = api_server.requests[1].json["messages"][1]
    assert assistant["reasoning_content"].startswith("The question has")
    assert assistant["content"] == "question: Who are you?"


@pytest.mark.parametrize(
    ("places", "roles", "shown"),
    [
        ("native", ["user", "assistant", "tool", "user"], 1),
        ("hoisted", ["user", "assistant", "tool", "user", "user"], 1),
        ("text", ["user", "assistant", "tool", "user"], 0),
    ],
)
def test_an_image_in_a_tool_s_result_is_shown_where_the_card_says(
    llm_for: Make, api_server: ApiServer, places: ToolImages, roles: list[str], shown: int
) -> None:
    card = model_card(QWEN_MAX)
    able = card.capabilities.model_copy(update={"tool_images": places})
    llm_for(model=QWEN_MAX, card=card.model_copy(update={"capabilities": able})).chat(
        [
            ChatMessage("Look."),
            ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="camera", tool_kwargs={})]),
            ChatMessage(
                role="tool",
                blocks=[TextBlock(text="Here:"), ImageBlock(image=PICTURE)],
                additional_kwargs={"tool_call_id": "camera"},
            ),
            ChatMessage("What colour?"),
        ]
    )
    (request,) = api_server.requests
    assert [message["role"] for message in request.json["messages"]] == roles
    assert [image.mean for image in request.images] == [COLOUR] * shown
    assert "Here:" in str(request.json["messages"][2]["content"])


@pytest.mark.parametrize("method", ["achat", "astream_chat", "acomplete", "astream_complete"])
async def test_megabytes_of_base64_do_not_hold_up_the_event_loop(
    llm: FireLLaVA, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """They are decoded on another thread than the one that runs the loop."""
    threads: list[threading.Thread] = []

    def watched(data: bytes) -> Any:
        threads.append(threading.current_thread())
        return detect_format(data)

    block = ImageBlock(image=encoded("PNG", (64, 64), COLOUR))
    monkeypatch.setattr("llama_index_firellava.images.detect_format", watched)
    if method in CHAT:
        await answer(llm, method, asked(block))
    else:
        await answer(llm, method, "What is this?", image_documents=[block])
        await answer(llm, method, "USER:<image>\nASSISTANT:", formatted=True, image_documents=[block])
    assert threads
    assert threading.current_thread() not in threads
    assert asyncio.get_running_loop().is_running()
