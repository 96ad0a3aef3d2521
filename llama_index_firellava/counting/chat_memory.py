"""How much of a conversation is kept: `chat_memory`.

LlamaIndex's memory keeps 30,000 tokens, counts 256 for every image and drops 3,000 at a time. FireLLaVA takes
4096 tokens and counts 576 for an image: such a conversation grows until the model refuses it, or is forgotten
nearly whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.memory import Memory

from llama_index_firellava.counting.image_tokens import asked_first, tokens_per_image
from llama_index_firellava.counting.tokenizer import text_tokenizer

if TYPE_CHECKING:
    from llama_index_firellava.settings import FireLLaVASettings

__all__ = ["chat_memory"]


def chat_memory(llm: FireLLaVASettings, **settings: Any) -> Memory:  # noqa: ANN401 - LlamaIndex's own
    """LlamaIndex's memory of a conversation, counting images as the LLM's model does, and text about so.

        memory = chat_memory(llm)
        engine = MultiModalContextChatEngine.from_defaults(retriever, multi_modal_llm=llm, memory=memory)
        await FunctionAgent(tools=tools, llm=llm).run("What is this?", memory=memory)

    It keeps what fits the context window beside the answer (``max_tokens``, or LlamaIndex's 256 tokens), and
    of that, seven tenths for the conversation itself (``chat_history_token_ratio=``): instructions and what
    is retrieved need room too. When there is more, the oldest turns go, a tenth at a time.

    Where the model card has no rule, an image counts as images did in earlier replies, as much as the card
    allows it at most, or, where nothing is known, as LlamaIndex guesses elsewhere: 2125 tokens. Make another
    memory where the LLM was set to another model. LlamaIndex keeps messages in a database as they are: of an
    image given by path or URL the path or URL, of one put inline all of it.

    Args:
        llm: whose conversation it is.
        settings: what else `Memory.from_defaults` takes, such as ``session_id``, ``chat_history`` or
            ``memory_blocks``, and whatever of the above you know better.
    """
    metadata = llm.metadata
    limit = settings.pop("token_limit", None) or max(1, metadata.context_window - metadata.num_output)
    return Memory.from_defaults(
        **{
            "token_limit": limit,
            "token_flush_size": max(1, limit // 10),
            "image_token_size_estimate": tokens_per_image(asked_first(llm)),
            "tokenizer_fn": text_tokenizer(llm),
            **settings,
        }
    )
