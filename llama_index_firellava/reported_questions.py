"""Questions of this package's own that LlamaIndex hears of as if its LLM had been asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.llms.callbacks import llm_chat_callback

from firellava import ImagePart
from firellava.requests import question_message
from llama_index_firellava.responses import chat_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import ChatResponse

    from firellava import ImageSource, Message, Reply
    from llama_index_firellava.settings import FireLLaVASettings

__all__ = ["ReportedQuestions"]

_dispatcher = get_dispatcher(__name__)


@dataclass(frozen=True, slots=True)
class ReportedQuestions:
    """Puts questions to an LLM's client, under its rate limiter, with its events and callbacks.

    An image is told of by name, size and hash: no event holds one. The LLM's own parameters hold, under those
    of a call.

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
        return self.put(question_message(question, (image,)), **parameters)

    @_dispatcher.span
    async def aask(self, question: str, image: ImageSource, /, **parameters: Any) -> Reply:  # noqa: ANN401 - as above
        """The asynchronous twin of `ask`."""
        return await self.aput(question_message(question, (image,)), **parameters)

    def put(self, question: Message, /, **parameters: Any) -> Reply:  # noqa: ANN401 - as above
        """Put a question with any number of images.

        Raises:
            FireLLaVAError: there is no answer.
        """
        replies: list[Reply] = []

        @llm_chat_callback()
        def chat(llm: FireLLaVASettings, _: Sequence[ChatMessage], **parameters: Any) -> ChatResponse:  # noqa: ANN401 - as above
            replies.append(llm.client.chat([question], **llm._parameters(parameters)))  # noqa: SLF001 - the settings of an LLM of this package
            return chat_response(replies[0])

        chat(self.llm, [_told(question)], **parameters)
        return replies[0]

    async def aput(self, question: Message, /, **parameters: Any) -> Reply:  # noqa: ANN401 - as above
        """The asynchronous twin of `put`."""
        replies: list[Reply] = []

        @llm_chat_callback()
        async def achat(llm: FireLLaVASettings, _: Sequence[ChatMessage], **parameters: Any) -> ChatResponse:  # noqa: ANN401 - as above
            replies.append(await llm.client.achat([question], **llm._parameters(parameters)))  # noqa: SLF001 - as above
            return chat_response(replies[0])

        await achat(self.llm, [_told(question)], **parameters)
        return replies[0]


def _told(question: Message) -> ChatMessage:
    """The question as events may hold it."""
    blocks = [
        TextBlock(text=repr(part.source) if isinstance(part, ImagePart) else part.text)
        for part in question.parts
    ]
    return ChatMessage(role=MessageRole.USER, blocks=blocks)
