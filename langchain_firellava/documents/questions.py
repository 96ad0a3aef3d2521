"""Captions asked for through the chat model, so that callbacks, tracers, cache and rate limiter take part."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from langchain_core.messages import HumanMessage

from firellava.images import describe_metadata
from firellava.offload import in_thread
from firellava.replies import Choice, Reply
from langchain_firellava.call_details import is_marked_by_cache, stated_usage
from langchain_firellava.images import image_block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import AIMessage

    from firellava.images import ImageSource
    from langchain_firellava.chat_models import ChatFireLLaVA

__all__ = ["ChatModelAsker"]


@dataclass(frozen=True, slots=True)
class ChatModelAsker:
    """Puts the question of a `firellava.captions.Captioner` to a chat model, by `invoke`.

    The parameters it is given are those of the model's own settings, which `invoke` uses anyway.
    """

    llm: ChatFireLLaVA

    def ask(self, question: str, image: ImageSource, /, **_: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Ask one question about an image.

        Raises:
            FireLLaVAError: there is no answer.
        """
        return _reply(self.llm.invoke([self._message(question, image)]))

    async def aask(self, question: str, image: ImageSource, /, **_: Any) -> Reply:  # noqa: ANN401
        """The asynchronous twin of `ask`."""
        return _reply(await self.llm.ainvoke([await in_thread(self._message, question, image)]))

    def _message(self, question: str, image: ImageSource) -> HumanMessage:
        content: list[str | dict[Any, Any]] = [image_block(image), {"type": "text", "text": question}]
        # A block holds no metadata, so what the model is to be told of them is told here.
        if tags := self.llm.describe_metadata:
            told = describe_metadata(image, tags)
            content = [{"type": "text", "text": told}, *content] if told else content
        return HumanMessage(content)


def _reply(message: AIMessage) -> Reply:
    told = message.response_metadata
    counted: Mapping[str, Any] = message.usage_metadata or {}
    cost = told.get("cost_usd")
    if is_marked_by_cache(counted):
        cost = 0
    return Reply(
        choices=(Choice(str(message.text), told.get("finish_reason")),),
        backend=told["backend"],
        model=told["model_name"],
        usage=stated_usage(counted),
        cost_usd=None if cost is None else Decimal(cost),
        local=told["local"],
        degraded=told["degraded"],
        confidence=told["confidence"],
        request_id=told["request_id"],
    )
