"""How much of what was retrieved goes into one prompt: `chat_prompt_helper`.

LlamaIndex packs retrieved nodes into as few prompts as the context window allows, and counts 2125 tokens for
every image. FireLLaVA counts 576, so four retrieved pictures that would be asked about one after the other,
each answer "refined" by the next, fit a single question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from llama_index.core.base.llms.types import ImageBlock, TextBlock
from llama_index.core.indices.prompt_helper import DEFAULT_PADDING, ChatPromptHelper
from llama_index.core.utilities.token_counting import TokenCounter
from pydantic import PrivateAttr

from llama_index_firellava.counting.image_tokens import asked_first, most_tokens_per_image
from llama_index_firellava.counting.stand_ins import ImageStandIn, TextStandIn
from llama_index_firellava.counting.tokenizer import TextTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from llama_index.core.base.llms.types import ChatMessage, ContentBlock
    from llama_index.core.llms import LLM
    from llama_index.core.prompts import BasePromptTemplate
    from llama_index.core.tools import BaseTool

    from firellava.backends.base import Backend
    from llama_index_firellava.settings import FireLLaVASettings

__all__ = ["chat_prompt_helper"]

_Result = TypeVar("_Result")


def chat_prompt_helper(llm: FireLLaVASettings) -> ChatPromptHelper:
    """What LlamaIndex packs prompts with, counting images as the LLM's model does and text about as it does.

        synthesizer = get_response_synthesizer(
            llm=llm, multimodal=True, chat_prompt_helper=chat_prompt_helper(llm)
        )
        engine = RetrieverQueryEngine.from_args(retriever, llm=llm, response_synthesizer=synthesizer)

    Or for everything at once: ``Settings.chat_prompt_helper = chat_prompt_helper(llm)``. Nodes and messages
    stay as they are, and no image is opened to be counted. Room for the answer is kept by the LLM's
    ``max_tokens``, or LlamaIndex's 256 tokens. Synchronous engines make no event loop for it; one in the mode
    ``simple_summarize`` does all the same, and leaves it open.

    Packing an image raises `CostUnknown` where neither the model card nor an earlier reply of the model says
    how many tokens one may take. Make another helper where the LLM was set to another model.
    """
    metadata = llm.metadata
    return _VisionPromptHelper(asked_first(llm), metadata.context_window, metadata.num_output)


class _VisionPromptHelper(ChatPromptHelper):
    """LlamaIndex's own packing, over blocks that stand in for the real ones and know their tokens."""

    _backend: Backend = PrivateAttr()
    _pieces: TextTokenizer = PrivateAttr()

    def __init__(self, backend: Backend, context_window: int, num_output: int) -> None:
        pieces = TextTokenizer(backend)
        super().__init__(context_window, num_output, tokenizer=pieces)
        self._backend = backend
        self._pieces = pieces
        self._token_counter = _Counter(self._stand_ins, pieces)

    async def arepack(
        self,
        prompt: BasePromptTemplate,
        messages: Sequence[ChatMessage],
        padding: int = DEFAULT_PADDING,
        llm: LLM | None = None,
        tools: list[BaseTool] | None = None,
    ) -> list[ChatMessage]:
        """Make of the messages as few as fit the context window, one by one, with the prompt."""
        return _real(await super().arepack(prompt, self._stand_ins(messages), padding, llm, tools))

    async def atruncate(
        self,
        prompt: BasePromptTemplate,
        messages: Sequence[ChatMessage],
        padding: int = DEFAULT_PADDING,
        llm: LLM | None = None,
        tools: list[BaseTool] | None = None,
    ) -> Sequence[ChatMessage]:
        """Shorten the messages so that together they fit the context window with the prompt."""
        return _real(await super().atruncate(prompt, self._stand_ins(messages), padding, llm, tools))

    def repack(
        self,
        prompt: BasePromptTemplate,
        messages: Sequence[ChatMessage],
        padding: int = DEFAULT_PADDING,
        llm: LLM | None = None,
        tools: list[BaseTool] | None = None,
    ) -> list[ChatMessage]:
        """The synchronous twin of `arepack`."""
        return _at_once(self.arepack(prompt, messages, padding, llm, tools))

    def truncate(
        self,
        prompt: BasePromptTemplate,
        messages: Sequence[ChatMessage],
        padding: int = DEFAULT_PADDING,
        llm: LLM | None = None,
        tools: list[BaseTool] | None = None,
    ) -> Sequence[ChatMessage]:
        """The synchronous twin of `atruncate`."""
        return _at_once(self.atruncate(prompt, messages, padding, llm, tools))

    def _stand_ins(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        return [
            _with_blocks(message, [self._stand_in(block) for block in message.blocks]) for message in messages
        ]

    def _stand_in(self, block: ContentBlock) -> ContentBlock:
        if isinstance(block, ImageBlock):
            return ImageStandIn(original=block, tokens=most_tokens_per_image(self._backend))
        if isinstance(block, TextBlock):
            return TextStandIn(text=block.text, pieces=self._pieces)
        return block


class _Counter(TokenCounter):
    """Counts the messages of a prompt template."""

    def __init__(
        self,
        stand_ins: Callable[[Sequence[ChatMessage]], list[ChatMessage]],
        pieces: Callable[[str], list[int]],
    ) -> None:
        super().__init__(pieces)
        self._stand_ins = stand_ins

    async def aestimate_tokens_in_messages(self, messages: list[ChatMessage]) -> int:
        return await super().aestimate_tokens_in_messages(self._stand_ins(messages))


def _at_once(counting: Coroutine[Any, Any, _Result]) -> _Result:
    """What a coroutine returns that waits for nothing, as counting does.

    LlamaIndex would make an event loop for it, and leave that open.
    """
    try:
        counting.send(None)
    except StopIteration as returned:
        result: _Result = returned.value
        return result
    raise RuntimeError("Counting tokens waited for something.")


def _real(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The messages with the blocks that were stood in for."""
    return [_with_blocks(message, [_real_block(block) for block in message.blocks]) for message in messages]


def _real_block(block: ContentBlock) -> ContentBlock:
    if isinstance(block, ImageStandIn):
        return block.original
    return TextBlock(text=block.text) if isinstance(block, TextStandIn) else block


def _with_blocks(message: ChatMessage, blocks: list[ContentBlock]) -> ChatMessage:
    return message.model_copy(update={"blocks": blocks})
