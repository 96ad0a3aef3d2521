"""Questions of the core's own that LlamaIndex hears of as if its LLM had been asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.llms.callbacks import llm_chat_callback

from llama_index_firellava.responses import chat_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import ChatResponse

    from firellava import ImageSource, Reply
    from llama_index_firellava.settings import FireLLaVASettings

__all__ = ["ReportedQuestions"]

_dispatcher = get_dispatcher(__name__)


@dataclass(frozen=True, slots=True)
class ReportedQuestions:
    """Puts questions to an LLM's client, under its rate limiter, with its events and callbacks.

    An image is told of by name, size and hash: no event holds one.

    Attributes:
        llm: who is asked.
    """

    llm: FireLLaVASettings

    @_dispatcher.span
    def ask(self, question: str, image: ImageSource, /, **parameters: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Ask one question about an image.

        Raises:
            FireLLaVAError: there is no answer.
        """
        replies: list[Reply] = []

        @llm_chat_callback()
        def chat(llm: FireLLaVASettings, _: Sequence[ChatMessage], **parameters: Any) -> ChatResponse:  # noqa: ANN401 - as above
            replies.append(llm.client.ask(question, image, **parameters))
            return chat_response(replies[0])

        chat(self.llm, _told(question, image), **parameters)
        return replies[0]

    @_dispatcher.span
    async def aask(self, question: str, image: ImageSource, /, **parameters: Any) -> Reply:  # noqa: ANN401 - as above
        """The asynchronous twin of `ask`."""
        replies: list[Reply] = []

        @llm_chat_callback()
        async def achat(llm: FireLLaVASettings, _: Sequence[ChatMessage], **parameters: Any) -> ChatResponse:  # noqa: ANN401 - as above
            replies.append(await llm.client.aask(question, image, **parameters))
            return chat_response(replies[0])

        await achat(self.llm, _told(question, image), **parameters)
        return replies[0]


def _told(question: str, image: ImageSource) -> list[ChatMessage]:
    blocks = [TextBlock(text=repr(image)), TextBlock(text=question)]
    return [ChatMessage(role=MessageRole.USER, blocks=blocks)]
