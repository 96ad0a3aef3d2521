"""The traps of LlamaIndex that others fall into: each was seen happening, and each has a test of its name."""

import base64
import json
import os
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex, get_response_synthesizer
from llama_index.core.base.llms import types
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.multi_modal_llms import generic_utils
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import BaseNode, ImageDocument, ImageNode, MediaResource, Node, TextNode
from pydantic import BaseModel

from firellava import Budget, SeveralImagesWarning
from firellava.errors import BudgetExceeded, ForbiddenPath, ImageError, ServerFailed
from llama_index_firellava import FireLLaVA, chat_prompt_helper
from llama_index_firellava.captions.captioner import ImageCaptioner
from llama_index_firellava.loading import load_images
from tests.api_server import QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import encoded
from tests.llama_index.asking import CHAT, COLOUR, COMPLETE, PICTURE, answer, conversation
from tests.llama_index.billing import billed
from tests.llama_index.captioning import WordEmbedding, write_pictures

Make = Callable[..., FireLLaVA]
URL = "https://example.com/pictures/one.png?width=300"
STATED = [placement for placement in UsagePlacement if placement is not UsagePlacement.NEVER]
BASE64 = base64.b64encode(PICTURE).decode()


def no_file(folder: Path) -> Path:
    return folder / "missing.png"


def a_folder(folder: Path) -> Path:
    return folder


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def a_device(folder: Path) -> Path:
    return Path("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes and devices in this file system")
@pytest.mark.parametrize("what", [no_file, a_folder, a_pipe, a_device])
@pytest.mark.parametrize("method", COMPLETE)
async def test_trap_00_a_path_that_is_no_file_is_our_error_and_not_pydantic_s(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, what: Callable[[Path], Path], method: str
) -> None:
    path = what(tmp_path)
    vanished = tmp_path / "vanished.png"
    vanished.write_bytes(PICTURE)
    block = ImageBlock(path=vanished)
    vanished.unlink()
    for image in (ImageNode(image_path=str(path)), Node(image_resource=MediaResource(path=path)), block):
        with pytest.raises(ImageError, match=path.name if image is not block else "vanished"):
            await answer(llm, method, "What is this?", image_documents=[image])
    assert api_server.requests == []


@pytest.mark.parametrize("method", CHAT)
async def test_trap_00_a_block_that_came_through_json_reads_nothing_outside_the_image_roots(
    llm_for: Make, api_server: ApiServer, picture: Path, tmp_path: Path, method: str
) -> None:
    message = ChatMessage(role="user", blocks=[ImageBlock(path=picture), TextBlock(text="What is this?")])
    stored = ChatMessage.model_validate_json(message.model_dump_json())
    with pytest.raises(ForbiddenPath, match="image_roots"):
        await answer(llm_for(image_roots=[tmp_path / "allowed"]), method, [stored])
    assert api_server.requests == []


NAMES = {
    "a PNG named .jpg": ("picture.jpg", "PNG"),
    "capitals": ("PICTURE.PNG", "PNG"),
    "no extension": ("picture", "JPEG"),
    "a query in the name": ("picture.png?width=3", "PNG"),
    "a BMP named .png": ("picture.png", "BMP"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_trap_01_the_type_on_the_wire_is_that_of_the_bytes_whatever_the_file_is_called(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, name: str, method: str
) -> None:
    file_name, image_format = NAMES[name]
    path = tmp_path / file_name
    path.write_bytes(encoded(image_format, (64, 64), COLOUR))
    if method in CHAT:
        await answer(llm, method, conversation(ImageBlock(path=path, image_mimetype="image/webp")))
    else:
        await answer(llm, method, "What is this?", image_documents=load_images(path))
    (request,) = api_server.requests
    (image,) = request.images
    assert f'"data:image/{image.format.lower()};base64,' in request.body.decode()
    red, green, blue = image.pixels.convert("RGB").getpixel((168, 168))  # type: ignore[misc]  # three bands
    assert max(abs(red - 0xC8), abs(green - 0x1E), abs(blue - 0x3C)) <= 3


def test_trap_01_documents_and_captions_say_the_type_of_the_bytes(llm: FireLLaVA, tmp_path: Path) -> None:
    for file_name, image_format in NAMES.values():
        (tmp_path / file_name).write_bytes(encoded(image_format))
    documents = load_images(tmp_path)
    nodes = ImageCaptioner(llm=llm)([ImageNode(image_path=document.image_path) for document in documents])
    stated = [node.image_mimetype for node in nodes if isinstance(node, ImageNode)]
    assert stated == [document.image_mimetype for document in documents]
    assert sorted(filter(None, stated)) == ["image/bmp", "image/jpeg"] + 3 * ["image/png"]


def test_trap_02_an_opened_file_is_an_image_and_letters_that_happen_to_be_base64_are_none(
    llm: FireLLaVA, api_server: ApiServer
) -> None:
    llm.chat(conversation(ImageBlock(image=BytesIO(PICTURE))))
    assert [image.mean for image in api_server.requests[0].images] == [COLOUR]
    with pytest.raises(ImageError):
        llm.chat(conversation(ImageBlock(image=b"abcd1234")))
    assert len(api_server.requests) == 1


def test_trap_02_a_document_with_inline_bytes_becomes_a_node_that_keeps_them(
    llm: FireLLaVA, api_server: ApiServer
) -> None:
    document = ImageDocument(image=PICTURE, metadata={"album": "Rome"})
    assert BASE64 not in str(document.to_dict())
    (node,) = ImageCaptioner(llm=llm)([document])
    stored = ImageNode.from_json(node.to_json())
    llm.complete("What is this?", image_documents=[stored])
    assert [image.mean for image in api_server.requests[-1].images] == [COLOUR]


@pytest.fixture
def framework_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """LlamaIndex's own readers of images, any of which fails the test."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("LlamaIndex's own resolver was called, which reads any path and fetches any URL")

    monkeypatch.setattr(ImageBlock, "resolve_image", refuse)
    monkeypatch.setattr(ImageBlock, "inline_url", refuse, raising=False)
    monkeypatch.setattr(ImageBlock, "aestimate_tokens", refuse)
    monkeypatch.setattr(ImageNode, "resolve_image", refuse)
    monkeypatch.setattr(ImageDocument, "resolve_image", refuse)
    monkeypatch.setattr(types, "resolve_binary", refuse)
    monkeypatch.setattr(generic_utils, "image_documents_to_base64", refuse)


@pytest.mark.usefixtures("framework_left_alone")
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_trap_03_nothing_is_read_or_fetched_by_the_framework(
    llm_for: Make, api_server: ApiServer, picture: Path, method: str
) -> None:
    api_server.host_image(URL, PICTURE)
    llm = llm_for(callback_manager=CallbackManager([TokenCountingHandler(tokenizer=str.split)]))
    for image in ({"path": picture}, {"url": URL}):
        if method in CHAT:
            await answer(llm, method, conversation(ImageBlock(**image)))
        else:
            given = ImageNode(**{f"image_{kind}": str(value) for kind, value in image.items()})
            await answer(llm, method, "What is this?", image_documents=[given])
    assert [request.images[0].mean for request in api_server.requests] == [COLOUR, COLOUR]


@pytest.mark.usefixtures("framework_left_alone")
def test_trap_03_a_path_in_metadata_is_never_read(
    llm: FireLLaVA, api_server: ApiServer, picture: Path
) -> None:
    metadata = {"file_path": str(picture), "image_path": str(picture)}
    for document in (ImageDocument(metadata=metadata), ImageNode(metadata=metadata)):
        with pytest.raises(ImageError, match="holds no image"):
            llm.complete("What is this?", image_documents=[document])
    nodes: list[BaseNode] = [TextNode(text="A text.", metadata=metadata), ImageNode(metadata=metadata)]
    assert ImageCaptioner(llm=llm)(nodes) == nodes
    assert api_server.requests == []


def test_trap_04_the_caption_reaches_the_model_beside_the_image(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    nodes = ImageCaptioner(llm=llm, prompt="Which colour?")(
        load_images(write_pictures(tmp_path, ["#ff0000", "#00ff00"]))
    )
    index = VectorStoreIndex(nodes, embed_model=WordEmbedding())
    retriever = index.as_retriever(similarity_top_k=1)
    RetrieverQueryEngine.from_args(retriever, llm=llm, multimodal=True).query("mean #00ff00")
    request = api_server.requests[-1]
    assert [image.mean for image in request.images] == ["#00ff00"]
    texts = [part["text"] for message in request.json["messages"] for part in parts(message)]
    assert any(
        "caption: question: Which colour? | image 1: PNG 336x336 mean #00ff00" in text for text in texts
    )


def parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [part for part in content if part["type"] == "text"] if isinstance(content, list) else []


def test_trap_05_four_retrieved_images_are_one_question_and_not_four(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    colours = ["#ff0000", "#00ff00", "#0000ff", "#ffff00"]
    nodes = [ImageNode(text=path.stem, image_path=str(path)) for path in write_pictures(tmp_path, colours)]
    retriever = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8)).as_retriever(
        similarity_top_k=4
    )
    synthesizer = get_response_synthesizer(
        llm=llm, multimodal=True, chat_prompt_helper=chat_prompt_helper(llm)
    )
    with pytest.warns(SeveralImagesWarning):
        RetrieverQueryEngine.from_args(retriever, llm=llm, response_synthesizer=synthesizer).query(
            "Which colours?"
        )
    (request,) = api_server.requests
    assert {image.mean for image in request.images} == set(colours)
    assert billed(api_server).image == 4 * 576


@pytest.mark.parametrize("placement", STATED)
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_trap_06_the_token_counter_counts_what_the_api_stated(
    llm_for: Make, api_server: ApiServer, picture: Path, placement: UsagePlacement, method: str
) -> None:
    api_server.usage = placement
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = llm_for(callback_manager=CallbackManager([counter]))
    if method in CHAT:
        await answer(llm, method, conversation(ImageBlock(path=picture)))
    else:
        await answer(llm, method, "What is this?", image_documents=[ImageNode(image_path=str(picture))])
    told = billed(api_server)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (
        told.prompt,
        told.completion,
    )


@pytest.mark.usefixtures("framework_left_alone")
@pytest.mark.parametrize("method", CHAT)
async def test_trap_06_an_image_on_the_web_without_usage_is_counted_and_not_downloaded(
    llm_for: Make, api_server: ApiServer, method: str
) -> None:
    api_server.usage = UsagePlacement.NEVER
    api_server.host_image(URL, PICTURE)
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = llm_for(callback_manager=CallbackManager([counter]))
    response = await answer(llm, method, conversation(ImageBlock(url=URL)))
    assert COLOUR in response.message.content
    assert 576 < counter.prompt_llm_token_count < 600


def test_trap_07_two_images_never_share_a_caption_in_an_ingestion_cache(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    pipeline = IngestionPipeline(transformations=[ImageCaptioner(llm=llm)])
    captions = [
        pipeline.run(documents=load_images(path))[0].get_content()
        for path in write_pictures(tmp_path, ["#ff0000", "#00ff00"])
    ]
    assert ["#ff0000" in captions[0], "#00ff00" in captions[1]] == [True, True]
    assert len(api_server.requests) == 2


def test_trap_07_one_new_image_captions_one_image(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    pipeline = IngestionPipeline(transformations=[ImageCaptioner(llm=llm)])
    colours = ["#ff0000", "#00ff00", "#0000ff"]
    for images in (2, 3):
        pipeline.run(documents=load_images(write_pictures(tmp_path, colours[:images])))
        assert len(api_server.requests) == images


@pytest.mark.parametrize("method", CHAT)
async def test_trap_08_an_image_in_the_answer_of_a_tool_reaches_the_model(
    llm_for: Make, api_server: ApiServer, picture: Path, method: str
) -> None:
    asked = ChatMessage(role="user", content="Look.")
    called = ChatMessage(
        role="assistant", blocks=[types.ToolCallBlock(tool_call_id="1", tool_name="camera", tool_kwargs={})]
    )
    answered = ChatMessage(
        role="tool",
        blocks=[TextBlock(text="Here:"), ImageBlock(path=picture)],
        additional_kwargs={"tool_call_id": "1"},
    )
    await answer(llm_for(model=QWEN_MAX), method, [asked, called, answered])
    (request,) = api_server.requests
    assert len(request.images) == 1
    assert request.json["messages"][2]["role"] == "tool"


class Objecting(BaseEventHandler):
    """Objects to everything it hears of."""

    @classmethod
    def class_name(cls) -> str:
        return "Objecting"

    def handle(self, event: Any, **kwargs: Any) -> None:
        raise RuntimeError("stop")


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_trap_09_a_budget_refuses_before_the_call_which_no_event_handler_can(
    llm_for: Make, api_server: ApiServer, method: str
) -> None:
    dispatcher, objecting = get_dispatcher(), Objecting()
    dispatcher.add_event_handler(objecting)
    given: Any = conversation() if method in CHAT else "What is this?"
    llm = llm_for(budget=Budget(calls=1))
    try:
        await answer(llm, method, given)
        with pytest.raises(BudgetExceeded):
            await answer(llm, method, given)
    finally:
        dispatcher.event_handlers.remove(objecting)
    assert len(api_server.requests) == 1


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_trap_10_as_many_retries_as_were_asked_for_and_no_layer_multiplies_them(
    llm_for: Make, api_server: ApiServer, method: str, retries: int
) -> None:
    api_server.fail_next(Fault(status=503, headers={"retry-after": "0"}), times=20)
    given: Any = conversation() if method in CHAT else "What is this?"
    with pytest.raises(ServerFailed):
        await answer(llm_for(max_retries=retries), method, given)
    assert len(api_server.requests) == 1 + retries


KEY = "fw_quite_secret_0123456789"
SHOWN: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "to_dict": lambda shown: shown.to_dict(),
    "to_json": lambda shown: shown.to_json(),
    "model_dump": lambda shown: shown.model_dump(),
    "model_dump_json": lambda shown: shown.model_dump_json(),
    "json": lambda shown: json.dumps(shown.to_dict()),
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("show", SHOWN)
def test_trap_11_nothing_prints_stores_or_pickles_the_key(show: str) -> None:
    llm = FireLLaVA(api_key=KEY)
    for shown in (llm, ImageCaptioner(llm=llm), llm.as_structured_llm(Answered)):
        assert KEY not in str(SHOWN[show](shown))
    assert KEY not in str(llm.to_payload())


class Answered(BaseModel):
    """An answer with a colour."""

    colour: str
