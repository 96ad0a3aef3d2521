"""Fireworks vision models in LlamaIndex: images in, answers with their tokens, cost and origin out.

    from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
    from llama_index_firellava import FireLLaVA

    llm = FireLLaVA(temperature=0, fallback="auto")
    question = [ImageBlock(path="receipt.jpg"), TextBlock(text="What is the total?")]
    response = llm.chat([ChatMessage(role="user", blocks=question)])

This package only translates between LlamaIndex and `firellava`, which does the work.
"""

from firellava.costs.tracking import track_cost
from firellava.errors import MissingExtra

try:
    from llama_index_firellava.callbacks import FireLLaVACostHandler
    from llama_index_firellava.captions.as_text import CaptionsAsText
    from llama_index_firellava.captions.captioner import ImageCaptioner
    from llama_index_firellava.counting.chat_memory import chat_memory
    from llama_index_firellava.counting.image_tokens import CountedImageBlock
    from llama_index_firellava.counting.prompt_packing import chat_prompt_helper
    from llama_index_firellava.counting.tokenizer import text_tokenizer
    from llama_index_firellava.llms import FireLLaVA
    from llama_index_firellava.loading import load_images
    from llama_index_firellava.structured_output import SchemaParser, StructureMissed
    from llama_index_firellava.tools import VisionToolSpec
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "llama_index":
        raise
    raise MissingExtra("llama-index", "llama_index_firellava") from None

__all__ = [
    "CaptionsAsText",
    "CountedImageBlock",
    "FireLLaVA",
    "FireLLaVACostHandler",
    "ImageCaptioner",
    "SchemaParser",
    "StructureMissed",
    "VisionToolSpec",
    "chat_memory",
    "chat_prompt_helper",
    "load_images",
    "text_tokenizer",
    "track_cost",
]
