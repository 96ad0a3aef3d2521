"""Blocks that stand in for those of a message while LlamaIndex packs prompts, and count as the model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence  # noqa: TC003 - pydantic reads annotations at run time
from typing import Annotated, Any, Self

from llama_index.core.base.llms.types import ImageBlock, TextBlock
from pydantic import Field, SkipValidation

from llama_index_firellava.counting.image_tokens import CountedImageBlock

__all__ = ["ImageStandIn", "TextStandIn"]


class ImageStandIn(CountedImageBlock):
    """Stands for an image. It holds none itself, so that packing opens, decodes and copies nothing."""

    # Validating it again would decode an inline image and encode it once more.
    original: Annotated[ImageBlock, SkipValidation] = Field(exclude=True, repr=False)


class TextStandIn(TextBlock):
    """Stands for a text. The pieces of its text are as many as its tokens."""

    pieces: Callable[[str], list[int]] = Field(exclude=True, repr=False)

    @classmethod
    async def amerge(
        cls,
        splits: Sequence[TextBlock],
        chunk_size: int,
        tokenizer: Any | None = None,  # noqa: ANN401 - LlamaIndex's signature
    ) -> Sequence[Self]:
        """Texts as long as `chunk_size` allows."""
        merged = await super().amerge(splits, chunk_size, tokenizer)
        pieces = next(split.pieces for split in splits if isinstance(split, TextStandIn))
        return [cls(text=block.text, pieces=pieces) for block in merged]

    async def aestimate_tokens(self, tokenizer: Any | None = None) -> int:  # noqa: ANN401, ARG002 - LlamaIndex's signature
        """The tokens of the text."""
        return len(self.pieces(self.text))

    async def asplit(  # type: ignore[override] # a list of its own kind, as the base class of blocks says
        self,
        max_tokens: int,
        overlap: int = 0,
        tokenizer: Any | None = None,  # noqa: ANN401, ARG002 - LlamaIndex's signature
    ) -> list[Self]:
        """Texts of at most `max_tokens`."""
        parts = await super().asplit(max_tokens, overlap, self.pieces)
        return [type(self)(text=part.text, pieces=self.pieces) for part in parts]
