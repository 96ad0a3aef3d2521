"""Images in messages: made into content blocks, found in any shape, kept elsewhere, or left out of traces."""

from langchain_firellava.images.block import BlockInput, image_block, image_source

__all__ = ["BlockInput", "image_block", "image_source"]
