"""The two adapters translate the same conversation into the same bytes, in each of their ways to ask."""

import asyncio
import base64
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock

from firellava import SeveralImagesWarning
from langchain_firellava import ChatFireLLaVA
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer

PICTURES = Path(__file__).parents[2] / "cookbook" / "images"
RECEIPT, SIGN = PICTURES / "receipt.jpg", PICTURES / "sign.jpg"
QUESTION = "Which of the two is a receipt?"

pytestmark = pytest.mark.filterwarnings(f"ignore::{SeveralImagesWarning.__module__}.SeveralImagesWarning")


def langchain_block(path: Path) -> dict[str, str]:
    data = base64.b64encode(path.read_bytes()).decode()
    return {"type": "image", "base64": data, "mime_type": "image/jpeg"}


LANGCHAIN = [
    SystemMessage("Be brief."),
    HumanMessage([{"type": "text", "text": QUESTION}, langchain_block(RECEIPT), langchain_block(SIGN)]),
]
LLAMA_INDEX = [
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(
        role="user", blocks=[TextBlock(text=QUESTION), ImageBlock(path=RECEIPT), ImageBlock(path=SIGN)]
    ),
]


def test_one_conversation_with_two_images_is_the_same_bytes_from_both(api_server: ApiServer) -> None:
    settings = {
        "api_key": api_server.key,
        "base_url": api_server.base_url,
        "temperature": 0.0,
        "max_tokens": 50,
    }
    chat = ChatFireLLaVA(**settings)
    llm = FireLLaVA(**settings)

    whole = [str(chat.invoke(LANGCHAIN).content), llm.chat(LLAMA_INDEX).message.content]
    streamed = [
        "".join(str(chunk.content) for chunk in chat.stream(LANGCHAIN)),
        "".join(response.delta or "" for response in llm.stream_chat(LLAMA_INDEX)),
    ]

    async def asynchronously() -> tuple[list[str | None], list[str]]:
        invoked = [
            str((await chat.ainvoke(LANGCHAIN)).content),
            (await llm.achat(LLAMA_INDEX)).message.content,
        ]
        chunks = [str(chunk.content) async for chunk in chat.astream(LANGCHAIN)]
        deltas = [response.delta or "" async for response in await llm.astream_chat(LLAMA_INDEX)]
        return invoked, ["".join(chunks), "".join(deltas)]

    awhole, astreamed = asyncio.run(asynchronously())

    assert len({*whole, *streamed, *awhole, *astreamed}) == 1
    assert "image 2: JPEG 336x336" in streamed[0]
    plain = {request.body for request in api_server.requests if "stream" not in request.json}
    streams = {request.body for request in api_server.requests if "stream" in request.json}
    assert len(api_server.requests) == 8
    assert len(plain) == len(streams) == 1
