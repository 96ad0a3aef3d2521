"""FireLLaVA for LangChain: a chat model and a completions model that take images.

    from langchain_core.messages import HumanMessage
    from langchain_firellava import ChatFireLLaVA, image_block

    llm = ChatFireLLaVA(temperature=0, fallback="auto")
    question = {"type": "text", "text": "What is the total?"}
    answer = llm.invoke([HumanMessage([question, image_block("receipt.jpg")])])
    print(answer.content, answer.response_metadata["backend"], answer.usage_metadata)

This package only translates between LangChain and `firellava`, which does the work.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from firellava.errors import MissingExtra

if find_spec("langchain_core") is None:
    raise MissingExtra("langchain", "langchain_firellava")

from langchain_firellava.callbacks import FireLLaVACostHandler, get_firellava_callback
from langchain_firellava.chat_models import ChatFireLLaVA
from langchain_firellava.documents import (
    FailedImage,
    ImageCaptionLoader,
    ImageCaptionParser,
    ImageNotShownWarning,
    documents_to_message,
)
from langchain_firellava.images import image_block
from langchain_firellava.images.redacted import redact_images
from langchain_firellava.llms import FireLLaVACompletions
from langchain_firellava.tools import VisionTool

if TYPE_CHECKING:
    from langchain_firellava.middleware.budget import BudgetMiddleware
    from langchain_firellava.middleware.image_redaction import ImageRedactionMiddleware
    from langchain_firellava.middleware.newest_images import NewestImagesMiddleware

__all__ = [
    "BudgetMiddleware",
    "ChatFireLLaVA",
    "FailedImage",
    "FireLLaVACompletions",
    "FireLLaVACostHandler",
    "ImageCaptionLoader",
    "ImageCaptionParser",
    "ImageNotShownWarning",
    "ImageRedactionMiddleware",
    "NewestImagesMiddleware",
    "VisionTool",
    "documents_to_message",
    "get_firellava_callback",
    "image_block",
    "redact_images",
]

_MIDDLEWARE = {
    "BudgetMiddleware": "budget",
    "ImageRedactionMiddleware": "image_redaction",
    "NewestImagesMiddleware": "newest_images",
}


def __getattr__(name: str) -> object:
    """Middleware belongs to LangChain's agents, which take half a second to import and need not be there."""
    if name not in _MIDDLEWARE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("langchain") is None:
        raise MissingExtra("agents", name)
    return getattr(import_module(f"langchain_firellava.middleware.{_MIDDLEWARE[name]}"), name)
