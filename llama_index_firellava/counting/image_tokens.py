"""Image blocks that say what their images cost, for those in LlamaIndex who count a prompt on their own.

LlamaIndex counts 2125 tokens for every image, and opens its file or downloads it to see whether it is empty.
Its token counter does so wherever a reply states no usage. These blocks answer with the model's own number,
and nothing is opened.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Self

from llama_index.core.base.llms.types import DocumentBlock, ImageBlock
from pydantic import Field

from firellava.costs.calibration import calibration_of
from firellava.errors import CostUnknown, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llama_index.core.base.llms.types import ChatMessage, ContentBlock

    from firellava.backends.base import Backend
    from llama_index_firellava.settings import FireLLaVASettings

__all__ = [
    "CountedImageBlock",
    "asked_first",
    "counts_images",
    "most_tokens_per_image",
    "tokens_per_image",
]

_COUNTED: Final = (ImageBlock, DocumentBlock)

# LlamaIndex's own guess, for a model of which nothing is known.
_GUESS: Final = 2125


class CountedImageBlock(ImageBlock):
    """An image block that says how many tokens its image takes. It serialises as any other.

        CountedImageBlock.for_llm(llm, path="receipt.jpg")

    `FireLLaVA` makes them of the blocks it is asked with, so that they are needed only where LlamaIndex
    counts before it asks: in a `ChatPromptHelper` of its own, or where a message is cut to a size.

    Attributes:
        tokens: what the image counts for.
    """

    tokens: int = Field(exclude=True, repr=False)

    @classmethod
    def for_llm(cls, llm: FireLLaVASettings, **block: Any) -> Self:  # noqa: ANN401 - ImageBlock's own
        """An image block that counts as the LLM's model does; see `tokens_per_image` where nobody knows.

        Args:
            llm: whose model counts.
            block: what `ImageBlock` takes: ``image``, ``path`` or ``url``, and ``detail``.
        """
        return cls(**block, tokens=tokens_per_image(asked_first(llm)))

    async def aestimate_tokens(self, *_: object, **__: object) -> int:
        """The tokens; the image is not opened."""
        return self.tokens


class CountedDocumentBlock(DocumentBlock):
    """A document block that counts as one page; how many it has shows only when it is opened."""

    tokens: int = Field(exclude=True, repr=False)

    async def aestimate_tokens(self, *_: object, **__: object) -> int:
        """The tokens; the document is not opened."""
        return self.tokens


def counts_images(chat: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a chat method of an LLM, outside LlamaIndex's own decorator.

    Whoever observes the call then counts its images as the model does, and neither opens nor downloads them.
    How much that is where the model card has no rule, `tokens_per_image` says.
    """
    if inspect.iscoroutinefunction(chat):

        @wraps(chat)
        async def acounting(self: FireLLaVASettings, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:  # noqa: ANN401 - any chat method's
            return await chat(self, _counted(messages, self), **kwargs)

        return acounting

    @wraps(chat)
    def counting(self: FireLLaVASettings, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:  # noqa: ANN401 - any chat method's
        return chat(self, _counted(messages, self), **kwargs)

    return counting


def asked_first(llm: FireLLaVASettings) -> Backend:
    """The backend that an LLM asks first."""
    return llm.client.backend


def _counted(messages: Sequence[ChatMessage] | str, llm: FireLLaVASettings) -> Sequence[ChatMessage]:
    if isinstance(messages, str):
        raise InvalidRequest(
            "chat takes messages, not a text: [ChatMessage(content=…)]. complete(…) takes a text, and "
            "image_documents= beside it."
        )
    if not any(isinstance(block, _COUNTED) for message in messages for block in message.blocks):
        return messages
    tokens = tokens_per_image(asked_first(llm))
    return [
        message.model_copy(update={"blocks": [_counted_block(block, tokens) for block in message.blocks]})
        for message in messages
    ]


def _counted_block(block: ContentBlock, tokens: int) -> ContentBlock:
    # Not validated again: that would decode an inline image and encode it once more.
    if isinstance(block, ImageBlock):
        fields = dict(block) | {"tokens": tokens}
        return CountedImageBlock.model_construct(block.model_fields_set, **fields)
    if isinstance(block, DocumentBlock):
        fields = dict(block) | {"tokens": tokens}
        return CountedDocumentBlock.model_construct(block.model_fields_set, **fields)
    return block


def tokens_per_image(backend: Backend) -> int:
    """What an image counts for where a number is needed, and be it a guess.

    The card's rule, else what images took in earlier replies, else as much as the card allows an image at
    most, else what LlamaIndex guesses: 2125.
    """
    card, observed = backend.model_card, calibration_of(backend.label).images
    known = (card.tokens_per_image, None if observed is None else observed.mean, card.image_token_bound)
    return next((tokens for tokens in known if tokens is not None), _GUESS)


def most_tokens_per_image(backend: Backend) -> int:
    """What an image may take at most, where too few would overflow the context window.

    The card's rule, else as much as the card allows an image at most, else the most one took in earlier
    replies.

    Raises:
        CostUnknown: nobody says.
    """
    card, observed = backend.model_card, calibration_of(backend.label).images
    highest = None if observed is None else observed.highest
    for tokens in (card.tokens_per_image, card.image_token_bound, highest):
        if tokens is not None:
            return tokens
    raise CostUnknown(
        f"Nobody says how many tokens {card.name} counts for an image, so nobody can tell how many "
        "images fit a prompt. Ask it about one, and its reply tells; or say what you know: "
        "FireLLaVA(card=model_card(…).model_copy(update={'image_token_bound': …}))."
    )
