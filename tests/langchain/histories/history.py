"""What a conversation is here, and blocks that many of them have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import Runnable

from tests.api_server import QWEN_MAX
from tests.api_server.plain_requests import data_url
from tests.langchain.image_shapes import RED

ASK = {"type": "text", "text": "What is this?"}
RED_IMAGE = {"type": "image_url", "image_url": {"url": data_url(RED)}}


def as_it_is(llm: BaseChatModel) -> Runnable[Any, Any]:
    return llm


@dataclass(frozen=True)
class History:
    """A conversation and how a model is asked with it.

    Attributes:
        messages: the conversation.
        bound: what users bind to a model before they ask it.
        model: who is asked.
        streamed: whether the answer is streamed.
    """

    messages: Sequence[BaseMessage]
    bound: Callable[[BaseChatModel], Runnable[Any, Any]] = as_it_is
    model: str = QWEN_MAX
    streamed: bool = False


def asked(*blocks: Any) -> list[BaseMessage]:
    """A question of several blocks."""
    return [HumanMessage(list(blocks))]
