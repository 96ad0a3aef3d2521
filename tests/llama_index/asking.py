"""The eight methods behind one call, and a picture whose colour tells that it arrived."""

from pathlib import Path
from typing import Any

from llama_index.core.llms import (
    LLM,
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    TextBlock,
)

from tests.api_server.plain_requests import encoded

CHAT = ("chat", "achat", "stream_chat", "astream_chat")
COMPLETE = ("complete", "acomplete", "stream_complete", "astream_complete")

COLOUR = "#c81e3c"
PICTURE = encoded("PNG", (64, 64), COLOUR)
RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"


def conversation(*blocks: TextBlock | ImageBlock, text: str = "What is this?") -> list[ChatMessage]:
    """One user message: the blocks, then a question."""
    return [ChatMessage(role="user", blocks=[*blocks, TextBlock(text=text)])]


async def responses(llm: LLM, method: str, *args: Any, **kwargs: Any) -> list[Any]:
    """All responses of one of the eight methods, of which the last is whole."""
    result = getattr(llm, method)(*args, **kwargs)
    if method.startswith("a"):
        result = await result
    if "stream" not in method:
        return [result]
    return [response async for response in result] if method.startswith("a") else list(result)


async def answer(llm: LLM, method: str, *args: Any, **kwargs: Any) -> Any:
    """The whole response of one of the eight methods."""
    return (await responses(llm, method, *args, **kwargs))[-1]


def text_of(response: ChatResponse | CompletionResponse) -> str | None:
    """What the response says."""
    return response.text if isinstance(response, CompletionResponse) else response.message.content
