"""Code written for ``MultiModalLLM`` runs: its query engine, chat engines and program, sync and async."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex, get_response_synthesizer
from llama_index.core.base.response.schema import Response
from llama_index.core.chat_engine.multi_modal_condense_plus_context import (
    MultiModalCondensePlusContextChatEngine,
)
from llama_index.core.chat_engine.multi_modal_context import MultiModalContextChatEngine
from llama_index.core.embeddings.mock_embed_model import MockMultiModalEmbedding
from llama_index.core.indices.multi_modal import MultiModalVectorStoreIndex
from llama_index.core.llms import ImageBlock
from llama_index.core.memory import Memory
from llama_index.core.program import MultiModalLLMCompletionProgram
from llama_index.core.query_engine import RetrieverQueryEngine, SimpleMultiModalQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, NodeWithScore, TextNode
from PIL import Image
from pydantic import BaseModel

from firellava import Budget
from firellava.errors import BudgetExceeded, ForbiddenPath
from llama_index_firellava import FireLLaVA, chat_prompt_helper
from llama_index_firellava.captions.as_text import CaptionsAsText
from llama_index_firellava.counting.chat_memory import chat_memory
from llama_index_firellava.structured_output import SchemaParser
from tests.api_server import ApiServer
from tests.llama_index.asking import COLOUR, PICTURE

Make = Callable[..., FireLLaVA]

CHAT_ENGINES = (MultiModalContextChatEngine, MultiModalCondensePlusContextChatEngine)
COLOURS = ("#c81e3c", "#1e3cc8")

# FireLLaVA was not trained with two pictures at a time; that is told elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::firellava.SeveralImagesWarning")


@pytest.fixture
def retriever(tmp_path: Path) -> BaseRetriever:
    """Two captioned pictures and a text."""
    pictures = []
    for colour in COLOURS:
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (32, 32), colour).save(path)
        pictures.append(ImageNode(text=f"all of it {colour}", image_path=str(path)))
    nodes = [*pictures, TextNode(text="Paint dries slowly.")]
    index = VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))
    return index.as_retriever(similarity_top_k=3)


def query_engine(llm: FireLLaVA, retriever: BaseRetriever, **settings: Any) -> SimpleMultiModalQueryEngine:
    with pytest.warns(DeprecationWarning, match="multimodal=True"):
        engine = SimpleMultiModalQueryEngine(retriever, multi_modal_llm=llm, **settings)  # type: ignore[arg-type]  # any retriever works
    assert isinstance(engine, SimpleMultiModalQueryEngine)
    return engine


@pytest.mark.parametrize("method", ["query", "aquery"])
async def test_the_simple_query_engine_asks_once_about_all_that_was_retrieved(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever, method: str
) -> None:
    engine = query_engine(llm, retriever)
    response = await called(engine, method, "What colours are these?")
    assert isinstance(response, Response)
    (request,) = api_server.requests
    assert {image.mean for image in request.images} == set(COLOURS)
    assert "Paint dries slowly." in request.body.decode()
    assert all(colour in str(response) for colour in COLOURS)
    assert response.metadata is not None
    assert len(response.metadata["image_nodes"]) == 2


async def called(engine: Any, method: str, *args: Any) -> Any:
    """What a method of an engine says, called from where it belongs: a thread of its own, or the loop."""
    if method.startswith("a"):
        return await getattr(engine, method)(*args)
    return await asyncio.to_thread(getattr(engine, method), *args)


def test_the_simple_query_engine_alone_tells_no_captions(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever
) -> None:
    """What `CaptionsAsText` is for; where this fails, it may not be needed any more."""
    query_engine(llm, retriever).query("What colours are these?")
    assert "all of it" not in api_server.requests[0].body.decode()


@pytest.mark.parametrize("method", ["query", "aquery"])
async def test_with_our_postprocessor_it_tells_the_caption_of_each_image(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever, method: str
) -> None:
    engine = query_engine(llm, retriever, node_postprocessors=[CaptionsAsText()])
    await called(engine, method, "What colours are these?")
    (request,) = api_server.requests
    text = request.json["messages"][0]["content"][-1]["text"]
    for number, image in enumerate(request.images, 1):
        assert f"Image {number}: all of it {image.mean}" in text


@pytest.mark.parametrize("settings", [{}, {"node_postprocessors": [CaptionsAsText()]}])
@pytest.mark.parametrize("kind", CHAT_ENGINES)
async def test_a_chat_engine_keeps_the_conversation_and_shows_the_images(
    llm: FireLLaVA,
    api_server: ApiServer,
    retriever: BaseRetriever,
    kept: Callable[[Memory], Memory],
    kind: Any,
    settings: dict[str, Any],
) -> None:
    engine = kind.from_defaults(
        retriever=retriever,
        multi_modal_llm=llm,
        system_prompt="Be brief.",
        memory=kept(chat_memory(llm)),
        **settings,
    )
    first = await engine.achat("What colours are these?")
    assert all(colour in str(first) for colour in COLOURS)
    streamed = await engine.astream_chat("And now?")
    said = "".join([token async for token in streamed.async_response_gen()])
    assert all(colour in said for colour in COLOURS)
    asked = [request for request in api_server.requests if request.images]
    assert [len(request.images) for request in asked] == [2, 2]
    assert [message["role"] for message in asked[1].json["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert ("Image 2: all of it" in asked[0].body.decode()) is bool(settings)
    assert [str(message.content)[:8] for message in await engine._memory.aget_all()][:3] == [
        "What col",
        "question",
        "And now?",
    ]


@pytest.mark.parametrize("kind", CHAT_ENGINES)
def test_so_it_does_without_an_event_loop(
    llm: FireLLaVA, retriever: BaseRetriever, kept: Callable[[Memory], Memory], kind: Any
) -> None:
    engine = kind.from_defaults(retriever=retriever, multi_modal_llm=llm, memory=kept(chat_memory(llm)))
    first = engine.chat("What colours are these?")
    assert all(colour in str(first) for colour in COLOURS)
    streamed = engine.stream_chat("And now?")
    said = "".join(streamed.response_gen)
    assert all(colour in said for colour in COLOURS)
    assert len(engine.chat_history) == 4
    engine.reset()
    assert engine.chat_history == []


def test_an_engine_with_multimodal_set_tells_captions_with_our_postprocessor(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever
) -> None:
    synthesizer = get_response_synthesizer(
        llm=llm, multimodal=True, chat_prompt_helper=chat_prompt_helper(llm)
    )
    for postprocessors in ([], [CaptionsAsText()]):
        RetrieverQueryEngine.from_args(
            retriever,
            llm=llm,
            response_synthesizer=synthesizer,
            node_postprocessors=list(postprocessors),
        ).query("What colours are these?")
    silent, told = (request.body.decode() for request in api_server.requests)
    assert "all of it" not in silent
    assert all(f"all of it {colour}" in told for colour in COLOURS)


def test_a_caption_in_metadata_is_told_too_and_what_has_none_is_left_alone() -> None:
    captioned, bare, text = (
        ImageNode(metadata={"caption": "a receipt"}, image_path="a.png"),
        ImageNode(image_path="b.png"),
        TextNode(text="words"),
    )
    told = CaptionsAsText().postprocess_nodes([scored(bare), scored(captioned), scored(text)])
    assert [one.node.get_content() for one in told if not isinstance(one.node, ImageNode)] == [
        "Image 2: a receipt",
        "words",
    ]
    assert [one.node for one in told if one.node in (bare, captioned, text)] == [bare, captioned, text]


def scored(node: ImageNode | TextNode) -> NodeWithScore:
    return NodeWithScore(node=node, score=0.5)


def test_files_of_retrieved_nodes_are_read_only_inside_the_roots(
    llm_for: Make, api_server: ApiServer, retriever: BaseRetriever, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(ForbiddenPath):
        query_engine(llm_for(image_roots=[inside]), retriever).query("What colours are these?")
    assert api_server.requests == []


async def test_a_budget_holds_in_an_engine(
    llm_for: Make, api_server: ApiServer, retriever: BaseRetriever
) -> None:
    engine = query_engine(llm_for(budget=Budget(calls=1)), retriever)
    await engine.aquery("What colours are these?")
    with pytest.raises(BudgetExceeded):
        await engine.aquery("What colours are these?")
    assert len(api_server.requests) == 1


class Seen(BaseModel):
    """What a picture shows."""

    colour: str
    width: int


@pytest.mark.parametrize("kind", ["block", "node"])
async def test_the_multi_modal_program_reads_a_picture(
    llm: FireLLaVA, api_server: ApiServer, picture: Path, kind: str
) -> None:
    image: Any = ImageBlock(image=PICTURE) if kind == "block" else ImageNode(image_path=str(picture))
    program = MultiModalLLMCompletionProgram.from_defaults(
        output_parser=SchemaParser(Seen),
        prompt_template_str="What does {what} show?",
        multi_modal_llm=llm,
        image_documents=[image],
    )
    assert await program.acall(what="the picture") == Seen(colour=COLOUR, width=336)
    assert program(image_documents=[image], what="the picture") == Seen(colour=COLOUR, width=336)
    assert [len(request.images) for request in api_server.requests] == [1, 1]
    assert all("What does the picture show?" in request.body.decode() for request in api_server.requests)
    assert all("{{" not in request.body.decode() for request in api_server.requests)


async def test_so_it_does_with_llama_index_s_parser_where_the_server_keeps_the_form(
    llm: FireLLaVA, api_server: ApiServer, picture: Path
) -> None:
    program = MultiModalLLMCompletionProgram.from_defaults(
        output_cls=Seen,
        prompt_template_str="What does it show?",
        multi_modal_llm=llm,
        image_documents=[ImageBlock(path=picture)],
    )
    kept = {"type": "json_schema", "json_schema": {"name": "Seen", "schema": Seen.model_json_schema()}}
    answer = await program.acall(llm_kwargs={"response_format": kept})
    assert answer == Seen(colour=COLOUR, width=336)


@pytest.mark.parametrize("method", ["query", "aquery"])
async def test_a_multi_modal_index_is_asked_through_it(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, method: str
) -> None:
    """Pictures found by their own embedding, beside texts found by theirs."""
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURE)
    # A node of which there is nothing to say does not get into such an index.
    nodes = [ImageNode(image_path=str(path), metadata={"shelf": "a"}), TextNode(text="Paint dries slowly.")]
    index = MultiModalVectorStoreIndex(
        nodes, embed_model=MockEmbedding(embed_dim=8), image_embed_model=MockMultiModalEmbedding(embed_dim=8)
    )
    with pytest.warns(DeprecationWarning, match="multimodal=True"):
        engine = index.as_query_engine(llm=llm)
    response = await called(engine, method, "What colour is it?")
    assert COLOUR in str(response)
    assert "Paint dries slowly." in api_server.requests[0].body.decode()
    assert len(api_server.requests[0].images) == 1
