"""The eight ways to ask, four in each framework, behind one call."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage
from llama_index.core.llms import ChatMessage, ChatResponse

from firellava.errors import FireLLaVAError
from langchain_firellava import ChatFireLLaVA
from llama_index_firellava import FireLLaVA

QUESTION = "Hello one two three four"
ANSWER = f"question: {QUESTION}"


@dataclass(slots=True)
class Heard:
    """What reached the caller: pieces of text in order, what was said about them, the error at the end."""

    pieces: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    error: FireLLaVAError | None = None

    @property
    def text(self) -> str:
        """All pieces."""
        return "".join(self.pieces)

    def take_message(self, message: BaseMessage) -> None:
        """LangChain's answer, or a chunk of it."""
        self.pieces.append(str(message.content))
        self.metadata.update(message.response_metadata)

    def take_response(self, response: ChatResponse) -> None:
        """LlamaIndex's answer, or a step of it."""
        said = response.message.content if response.delta is None else response.delta
        self.pieces.append(said or "")
        self.metadata.update(response.additional_kwargs)


def invoke(settings: dict[str, Any], heard: Heard) -> None:
    heard.take_message(ChatFireLLaVA(**settings).invoke(QUESTION))


def ainvoke(settings: dict[str, Any], heard: Heard) -> None:
    async def run() -> None:
        heard.take_message(await ChatFireLLaVA(**settings).ainvoke(QUESTION))

    asyncio.run(run())


def stream(settings: dict[str, Any], heard: Heard) -> None:
    for chunk in ChatFireLLaVA(**settings).stream(QUESTION):
        heard.take_message(chunk)


def astream(settings: dict[str, Any], heard: Heard) -> None:
    async def run() -> None:
        async for chunk in ChatFireLLaVA(**settings).astream(QUESTION):
            heard.take_message(chunk)

    asyncio.run(run())


_MESSAGES = [ChatMessage(role="user", content=QUESTION)]


def chat(settings: dict[str, Any], heard: Heard) -> None:
    heard.take_response(FireLLaVA(**settings).chat(_MESSAGES))


def achat(settings: dict[str, Any], heard: Heard) -> None:
    async def run() -> None:
        heard.take_response(await FireLLaVA(**settings).achat(_MESSAGES))

    asyncio.run(run())


def stream_chat(settings: dict[str, Any], heard: Heard) -> None:
    for response in FireLLaVA(**settings).stream_chat(_MESSAGES):
        heard.take_response(response)


def astream_chat(settings: dict[str, Any], heard: Heard) -> None:
    async def run() -> None:
        async for response in await FireLLaVA(**settings).astream_chat(_MESSAGES):
            heard.take_response(response)

    asyncio.run(run())


WAYS: tuple[Callable[[dict[str, Any], Heard], None], ...] = (
    invoke,
    ainvoke,
    stream,
    astream,
    chat,
    achat,
    stream_chat,
    astream_chat,
)


def ask(way: Callable[[dict[str, Any], Heard], None], settings: dict[str, Any]) -> Heard:
    """Ask in one of the `WAYS`, with the settings of its model."""
    heard = Heard()
    try:
        way(settings, heard)
    except FireLLaVAError as error:
        heard.error = error
    return heard
