"""What a model card forbids, checked before anything is sent.

The limits are the documented ones; the server's own refusal would come after the upload.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from firellava.errors import ContextOverflow, LimitExceeded, UnsupportedCapability
from firellava.images import PreparedImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.messages import Request
    from firellava.models import ModelCard

__all__ = ["SeveralImagesWarning", "check_images", "check_request"]


class SeveralImagesWarning(UserWarning):
    """The model was not trained with more than one image in a conversation; answers may be worse."""


def check_request(request: Request, card: ModelCard) -> None:
    """Check what can be checked without looking at pixels.

    Raises:
        LimitExceeded: more images than the server takes in one request.
        ContextOverflow: the images alone fill the context window.
        UnsupportedCapability: tools, a schema or completions with images that the model does not do.
    """
    count = len(request.images)
    limit = card.image_limits.count
    if limit is not None and count > limit:
        raise LimitExceeded(f"{count} images in one request: {card.name} takes at most {limit}.")
    _check_context(count, card)
    _check_capabilities(request, card)
    if count > 1 and not card.capabilities.several_images:
        warnings.warn(
            f"{card.name} was not trained with several images in one conversation ({count} here): "
            "its answers may be worse. Ask about one image at a time where you can.",
            SeveralImagesWarning,
            stacklevel=2,
        )


def _check_context(count: int, card: ModelCard) -> None:
    if card.context_window is None or card.tokens_per_image is None:
        return
    tokens = count * card.tokens_per_image
    if tokens >= card.context_window:
        raise ContextOverflow(
            f"{count} images take {tokens} tokens at {card.tokens_per_image} each; the context window of "
            f"{card.name} has {card.context_window}. "
            f"Send at most {(card.context_window - 1) // card.tokens_per_image}."
        )


def _check_capabilities(request: Request, card: ModelCard) -> None:
    capabilities, parameters = card.capabilities, request.parameters
    if parameters.tools and not capabilities.tools:
        raise UnsupportedCapability(f"{card.name} does not call tools: choose a model whose card says tools.")
    if parameters.response_format and not capabilities.json_schema:
        raise UnsupportedCapability(
            f"{card.name} does not take a response_format: ask for JSON in the prompt."
        )
    if request.completion and request.images and not capabilities.completions:
        raise UnsupportedCapability(f"{card.name} takes no images in the completions API: use chat.")


def check_images(images: Sequence[PreparedImage | str], card: ModelCard) -> None:
    """Check the prepared images of one request together.

    Raises:
        LimitExceeded: their base64 is larger than the server takes.
    """
    limit = card.image_limits.inline_bytes
    size = sum(image.bytes_on_wire for image in images if isinstance(image, PreparedImage))
    if limit is not None and size > limit:
        raise LimitExceeded(
            f"The images are {size / 1e6:.1f} MB as base64; {card.name} takes {limit / 1e6:.0f} MB in one "
            "request. Send fewer images, or URLs."
        )
