"""How many pictures of a retrieval go into one question: as many as the model has room for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import MockEmbedding, Settings, VectorStoreIndex, get_response_synthesizer
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.base.response.schema import AsyncStreamingResponse
from llama_index.core.constants import DEFAULT_NUM_OUTPUTS
from llama_index.core.indices.prompt_helper import ChatPromptHelper
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode
from PIL import Image

from firellava import SeveralImagesWarning, model_card
from firellava.costs.estimate import count_text_tokens
from firellava.errors import CostUnknown
from llama_index_firellava import FireLLaVA
from llama_index_firellava.counting.image_tokens import CountedImageBlock
from llama_index_firellava.counting.prompt_packing import chat_prompt_helper
from tests.api_server import QWEN_MAX, ApiServer
from tests.llama_index.asking import conversation

COLOURS = ["#c81e3c", "#1e3cc8", "#3cc81e", "#c8c81e"]
PROMPT = ChatPromptTemplate([ChatMessage("Answer from what follows.")])


def nodes(folder: Path) -> list[ImageNode]:
    """One picture of each colour, as any ingestion leaves them."""
    for colour in COLOURS:
        Image.new("RGB", (32, 32), colour).save(folder / f"{colour}.png")
    return [
        ImageNode(text=colour, image_path=str(folder / f"{colour}.png"), metadata={"caption": colour})
        for colour in COLOURS
    ]


@pytest.fixture
def retriever(tmp_path: Path) -> BaseRetriever:
    index = VectorStoreIndex(nodes(tmp_path), embed_model=MockEmbedding(embed_dim=8))
    return index.as_retriever(similarity_top_k=4)


def engine(llm: FireLLaVA, retriever: BaseRetriever, **settings: Any) -> RetrieverQueryEngine:
    synthesizer = get_response_synthesizer(
        llm=llm, multimodal=True, chat_prompt_helper=chat_prompt_helper(llm), **settings
    )
    return RetrieverQueryEngine.from_args(retriever, llm=llm, response_synthesizer=synthesizer)


def images_asked_about(server: ApiServer) -> list[int]:
    return [len(request.images) for request in server.requests]


def test_llama_index_alone_asks_about_one_picture_at_a_time(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever
) -> None:
    """What the helper is for; where this fails, it may not be needed any more."""
    RetrieverQueryEngine.from_args(retriever, llm=llm, multimodal=True).query("What colours are these?")
    assert images_asked_about(api_server) == [1, 1, 1, 1]


@pytest.mark.parametrize("mode", ["compact", "tree_summarize", "simple_summarize", "compact_accumulate"])
def test_four_retrieved_pictures_fit_one_question(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever, mode: str
) -> None:
    with pytest.warns(SeveralImagesWarning):
        engine(llm, retriever, response_mode=mode).query("What colours are these?")
    (request,) = api_server.requests
    assert {image.mean for image in request.images} == set(COLOURS)
    assert all(colour in request.body.decode() for colour in COLOURS)


async def test_so_they_do_in_an_asynchronous_and_in_a_streamed_query(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever
) -> None:
    async def ask() -> None:
        await engine(llm, retriever).aquery("What colours are these?")
        answer = await engine(llm, retriever, streaming=True).aquery("What colours are these?")
        assert isinstance(answer, AsyncStreamingResponse)
        _ = [token async for token in answer.async_response_gen()]

    with pytest.warns(SeveralImagesWarning):
        await ask()
    assert images_asked_about(api_server) == [4, 4]


def test_one_helper_may_serve_every_engine(
    llm: FireLLaVA, api_server: ApiServer, retriever: BaseRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "_chat_prompt_helper", None)
    Settings.chat_prompt_helper = chat_prompt_helper(llm)
    with pytest.warns(SeveralImagesWarning):
        RetrieverQueryEngine.from_args(retriever, llm=llm, multimodal=True).query("What colours are these?")
    assert images_asked_about(api_server) == [4]


def pictures(path: Path, count: int) -> list[ChatMessage]:
    return [ChatMessage(blocks=[TextBlock(text="One."), ImageBlock(path=path)]) for _ in range(count)]


def packed(
    helper: ChatPromptHelper, messages: list[ChatMessage], prompt: BasePromptTemplate = PROMPT
) -> list[int]:
    """The number of images in each message that packing makes."""
    return [
        sum(isinstance(block, ImageBlock) for block in message.blocks)
        for message in helper.repack(prompt, messages)
    ]


def test_as_many_go_together_as_the_context_window_has_room_for(
    llm_for: Callable[..., FireLLaVA], picture: Path
) -> None:
    """4096 tokens, less the answer's and a few of text, are 6 images of 576, or 5 beside a long answer."""
    assert packed(chat_prompt_helper(llm_for()), pictures(picture, 13)) == [6, 6, 1]
    assert packed(chat_prompt_helper(llm_for(max_tokens=1000)), pictures(picture, 13)) == [5, 5, 3]


def test_a_picture_in_the_template_takes_its_room(llm: FireLLaVA, picture: Path) -> None:
    sample = ChatPromptTemplate([ChatMessage(blocks=[ImageBlock(path=picture)])])
    assert packed(chat_prompt_helper(llm), pictures(picture, 6), sample) == [5, 1]


def test_the_pictures_come_out_as_they_went_in(llm: FireLLaVA, picture: Path) -> None:
    messages = pictures(picture, 2)
    before = [message.model_copy(deep=True) for message in messages]
    (message,) = chat_prompt_helper(llm).repack(PROMPT, messages)
    assert messages == before
    assert [type(block) for block in message.blocks] == [TextBlock, ImageBlock, TextBlock, ImageBlock]
    assert message.blocks[1] is messages[0].blocks[1]
    (short,) = chat_prompt_helper(llm).truncate(PROMPT, messages[:1])
    assert [type(block) for block in short.blocks] == [TextBlock, ImageBlock]


def test_nothing_is_opened_to_be_counted(llm: FireLLaVA, picture: Path) -> None:
    hosted = ImageBlock(url="https://192.0.2.1/nowhere.png")
    messages = [*pictures(picture, 2), ChatMessage(blocks=[hosted])]
    picture.unlink()
    assert packed(chat_prompt_helper(llm), messages) == [3]


def test_long_texts_are_split_by_the_model_s_tokens(llm: FireLLaVA) -> None:
    """Of which this text has half as many again as LlamaIndex counts."""
    text = " ".join(f"영수증의 합계는 {number}원입니다." for number in range(1000))
    room = 4096 - DEFAULT_NUM_OUTPUTS
    messages = chat_prompt_helper(llm).repack(PROMPT, [ChatMessage(text)])
    (short,) = chat_prompt_helper(llm).truncate(PROMPT, [ChatMessage(text)])
    assert " ".join(str(message.content) for message in messages).split() == text.split()
    assert text.startswith(str(short.content))
    for message in (*messages[:-1], short):
        assert 0.8 * room < count_text_tokens(str(message.content), model_card("firellava-13b")) < room


def test_texts_beside_a_picture_are_joined(llm: FireLLaVA, picture: Path) -> None:
    blocks = [TextBlock(text="One."), TextBlock(text="Two."), ImageBlock(path=picture)]
    (message,) = chat_prompt_helper(llm).repack(PROMPT, [ChatMessage(blocks=blocks)])
    assert message.content == "One. Two."


def test_a_model_whose_images_nobody_knows_is_an_error_with_a_remedy(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, picture: Path
) -> None:
    model = "nobody-knows-it"
    helper = chat_prompt_helper(llm_for(model=model))
    with pytest.raises(CostUnknown, match="image_token_bound"):
        helper.repack(PROMPT, pictures(picture, 1))
    assert [message.content for message in helper.repack(PROMPT, [ChatMessage("Text alone.")])] == [
        "Text alone."
    ]
    bounded = model_card(model).model_copy(update={"image_token_bound": 1000, "context_window": 4096})
    assert packed(chat_prompt_helper(llm_for(model=model, card=bounded)), pictures(picture, 4)) == [3, 1]


async def test_a_reply_teaches_what_an_image_takes(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, picture: Path
) -> None:
    api_server.deploy("accounts/me/models/new", like=QWEN_MAX)
    llm = llm_for(model="accounts/me/models/new")
    helper = chat_prompt_helper(llm)
    with pytest.raises(CostUnknown):
        helper.repack(PROMPT, pictures(picture, 1))
    wide = picture.with_name("wide.png")
    Image.new("RGB", (1200, 800)).save(wide)
    await llm.achat(conversation(ImageBlock(path=wide)))
    groups = packed(helper, pictures(picture, 10))
    assert sum(groups) == 10
    assert 1 < max(groups) <= llm.metadata.context_window // api_server.billed[-1].image


def test_llama_index_s_own_helper_counts_blocks_that_know_their_tokens(
    llm_for: Callable[..., FireLLaVA], picture: Path
) -> None:
    llm = llm_for()
    blocks = [CountedImageBlock.for_llm(llm, path=picture) for _ in range(8)]
    helper = ChatPromptHelper(llm.metadata.context_window, llm.metadata.num_output)
    assert packed(helper, [ChatMessage(blocks=[block]) for block in blocks]) == [6, 2]
    assert packed(helper, [ChatMessage(blocks=[ImageBlock(path=picture)]) for _ in range(2)]) == [1, 1]
    assert blocks[0].estimate_tokens() == 576
    assert blocks[0].model_dump() == ImageBlock(path=picture).model_dump()
    assert ChatMessage(blocks=blocks[:1]).blocks[0] is blocks[0]


@pytest.mark.filterwarnings("ignore::firellava.SeveralImagesWarning")
@pytest.mark.parametrize("mode", ["compact", "tree_summarize", "refine", "compact_accumulate"])
def test_packing_makes_no_event_loop(
    llm: FireLLaVA, retriever: BaseRetriever, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """LlamaIndex's own helper makes one, and leaves it open."""

    def refuse(coroutine: Any) -> None:
        coroutine.close()
        pytest.fail("an event loop was asked for")

    for module in ("indices.prompt_helper", "base.llms.types"):
        monkeypatch.setattr(f"llama_index.core.{module}.asyncio_run", refuse)
    engine(llm, retriever, response_mode=mode).query("What colours are these?")
    assert chat_prompt_helper(llm).truncate(PROMPT, [ChatMessage("Short.")])[0].content == "Short."
