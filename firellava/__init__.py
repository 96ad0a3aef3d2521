"""Ask questions about images with the Fireworks vision chat API, and on this machine when it cannot answer.

    from firellava import OfflineReader, VisionClient

    client = VisionClient(fallback=OfflineReader())
    reply = client.ask("What is the total?", "receipt.jpg")
    print(reply.text, reply.backend, reply.cost_usd)

This package knows no framework; `langchain_firellava` and `llama_index_firellava` put it behind theirs.
"""

from firellava.backends.base import Backend
from firellava.backends.discovery import discover_local
from firellava.backends.fireworks import FireworksBackend
from firellava.backends.llama_cpp import LlamaCppBackend
from firellava.backends.offline_reader import OfflineReader
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.backends.transformers import TransformersBackend
from firellava.client import VisionClient
from firellava.costs.budget import Budget
from firellava.costs.estimate import Estimate, estimate
from firellava.costs.ledger import Ledger
from firellava.costs.prices import Prices
from firellava.costs.tracking import track_cost
from firellava.errors import FireLLaVAError
from firellava.hooks import CallDetails, CallHook
from firellava.image_references import ImageReferences
from firellava.images import ImageSource, PreparedImage, prepare_image
from firellava.images.fetch_policy import FetchPolicy
from firellava.limits import SeveralImagesWarning, TextTooSmallWarning
from firellava.messages import ImagePart, Message, Parameters, TextPart, ToolCall
from firellava.models import ModelCard, model_card
from firellava.replies import Attempt, Choice, Reply, ReplyChunk, Usage
from firellava.version import __version__

__all__ = [
    "Attempt",
    "Backend",
    "Budget",
    "CallDetails",
    "CallHook",
    "Choice",
    "Estimate",
    "FetchPolicy",
    "FireLLaVAError",
    "FireworksBackend",
    "ImagePart",
    "ImageReferences",
    "ImageSource",
    "Ledger",
    "LlamaCppBackend",
    "Message",
    "ModelCard",
    "OfflineReader",
    "OpenAICompatibleBackend",
    "Parameters",
    "PreparedImage",
    "Prices",
    "Reply",
    "ReplyChunk",
    "SeveralImagesWarning",
    "TextPart",
    "TextTooSmallWarning",
    "ToolCall",
    "TransformersBackend",
    "Usage",
    "VisionClient",
    "__version__",
    "discover_local",
    "estimate",
    "model_card",
    "prepare_image",
    "track_cost",
]
