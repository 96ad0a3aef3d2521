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
    from llama_index_firellava.llms import FireLLaVA
    from llama_index_firellava.prompt_packing import chat_prompt_helper
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "llama_index":
        raise
    raise MissingExtra("llama-index", "llama_index_firellava") from None

__all__ = ["FireLLaVA", "FireLLaVACostHandler", "chat_prompt_helper", "track_cost"]
