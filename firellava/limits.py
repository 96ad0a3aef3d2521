"""What a model card forbids, seen to before anything is sent.

The limits are the documented ones; the server's own refusal would come after the upload. They are not
enforced everywhere, so what to do about them is the caller's choice, a `LimitsPolicy`.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from firellava.errors import ContextOverflow, LimitExceeded, UnsupportedCapability
from firellava.images import PreparedImage
from firellava.images.formats import detect_format
from firellava.images.shrink import SMALLEST_SIDE, shrink_image, shrink_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.images import ImageSource
    from firellava.messages import Request
    from firellava.models import ModelCard

__all__ = [
    "LimitsPolicy",
    "SeveralImagesWarning",
    "TextTooSmallWarning",
    "check_formats",
    "check_request",
    "warn_of_several_images",
    "warn_of_small_text",
    "within_limits",
]

LimitsPolicy: TypeAlias = Literal["strict", "adjust", "off"]
"""What is done about the limits of a model card.

``strict`` raises where a request is over one. ``adjust`` makes images smaller where that brings the request
under it, says so in the reply, and raises where it does not: no image is ever left out. ``off`` leaves it to
the server; how much of an image is decoded here stays limited (`firellava.images.limits`).
"""

_REMEDY: Final = "Send fewer, or keep only the newest images of a conversation with keep_images=."


class SeveralImagesWarning(UserWarning):
    """The model was not trained with more than one image in a conversation; answers may be worse."""


class TextTooSmallWarning(UserWarning):
    """A page was made so small that its text cannot be read. `PreparedImage.unreadable_lines` says which."""


def check_request(request: Request, card: ModelCard, policy: LimitsPolicy) -> None:
    """Check what can be checked without looking at pixels.

    Raises:
        LimitExceeded: more images than the server takes in one request.
        ContextOverflow: the images alone fill the context window.
        UnsupportedCapability: tools, a schema or completions with images that the model does not do, whatever
            the policy is.
    """
    if policy != "off":
        count = len(request.images)
        limit = card.image_limits.count
        if limit is not None and count > limit:
            raise LimitExceeded(
                f"{count} images in one request: {card.name} takes at most {limit}. {_REMEDY}"
            )
        _check_context(count, card)
    _check_capabilities(request, card)


def warn_of_several_images(request: Request, card: ModelCard) -> None:
    """Warn where there is more than one image and the model was trained with one."""
    count = len(request.images)
    if count > 1 and not card.capabilities.several_images:
        warnings.warn(
            f"{card.name} was not trained with several images in one conversation ({count} here): "
            "its answers may be worse. Ask about one image at a time where you can.",
            SeveralImagesWarning,
            stacklevel=2,
        )


def warn_of_small_text(card: ModelCard, *, in_parts: bool) -> None:
    """Warn that text was lost. The words are alike for all images, so that Python shows them once.

    Args:
        card: what the images were prepared for.
        in_parts: they were shown in parts already.
    """
    side = card.image_target.side
    remedy = "Ask" if in_parts else "Give fit='tiles', which shows it in parts as well, or ask"
    warnings.warn(
        f"The text of a page is too small to read in the {side} pixels that {card.name} sees of a picture. "
        f"{remedy} a model that sees more pixels.",
        TextTooSmallWarning,
        stacklevel=3,
    )


def check_formats(sources: Sequence[ImageSource], card: ModelCard) -> None:
    """Check that images can go in the format they are in. Pixels are in none and can go in any.

    Raises:
        LimitExceeded: one is of a format that the server does not take.
    """
    for number, source in enumerate(sources, 1):
        image_format = None if source.data is None else detect_format(source.data)
        if image_format is not None and image_format not in card.image_limits.formats:
            accepted = ", ".join(card.image_limits.formats)
            raise LimitExceeded(
                f"Image {number} is {image_format}; {card.name} takes {accepted}. "
                "limits='adjust' converts it."
            )


def within_limits(
    images: Sequence[PreparedImage | str],
    sources: Sequence[ImageSource],
    card: ModelCard,
    policy: LimitsPolicy,
    rest: int,
) -> list[PreparedImage | str]:
    """The images of a request as they may be sent.

    Args:
        images: in order, each prepared, or the URL to pass on, whose bytes the server does not count.
        sources: where each comes from, loaded.
        card: what they were prepared for.
        policy: what to do about an image or a request that has too many bytes.
        rest: bytes of the request without its prepared images.

    Returns:
        The same images in the same order, under ``adjust`` some of them smaller; that they are is among their
        adjustments.

    Raises:
        LimitExceeded: an image or the request has too many bytes, and the policy or `SMALLEST_SIDE` does not
            let it be made smaller.
    """
    if policy == "off":
        return list(images)
    _check_text(card, rest)
    prepared = {place: image for place, image in enumerate(images) if isinstance(image, PreparedImage)}
    if policy == "adjust":
        prepared = _shrunk(prepared, sources, card, rest)
    _check_bytes(prepared, card, rest)
    return [prepared.get(place, image) for place, image in enumerate(images)]


def _shrunk(
    images: dict[int, PreparedImage], sources: Sequence[ImageSource], card: ModelCard, rest: int
) -> dict[int, PreparedImage]:
    limits = card.image_limits
    alone = images
    if (most := limits.image_bytes) is not None:
        alone = {
            place: shrink_image(image, sources[place], card, most, lambda one: len(one.data))
            for place, image in images.items()
        }
    together = dict(alone)
    if limits.request_bytes is not None:
        together = shrink_together(alone, sources, card, limits.request_bytes - rest)
    for place, image in together.items():
        if image is not alone[place]:
            together[place] = _explained(image, images[place], "the request", limits.request_bytes)
        elif image is not images[place]:
            together[place] = _explained(image, images[place], "one image", limits.image_bytes)
    return together


def _explained(image: PreparedImage, before: PreparedImage, what: str, most: int | None) -> PreparedImage:
    line = (
        f"{image.width}x{image.height} instead of {before.width}x{before.height}, so that {what} stays under "
        f"{_megabytes(most)}"
    )
    return replace(image, adjustments=(*image.adjustments, line))


def _check_text(card: ModelCard, rest: int) -> None:
    most = card.image_limits.request_bytes
    if most is not None and rest > most:
        raise LimitExceeded(
            f"The request has {rest:,} bytes without its images; {card.name} takes {_megabytes(most)}. "
            "Shorten its text."
        )


def _check_bytes(images: dict[int, PreparedImage], card: ModelCard, rest: int) -> None:
    limits = card.image_limits
    for place, image in images.items():
        if limits.image_bytes is not None and len(image.data) > limits.image_bytes:
            raise LimitExceeded(
                f"Image {place + 1} has {len(image.data):,} bytes at {image.width}x{image.height}; "
                f"{card.name} takes {_megabytes(limits.image_bytes)}. {_advice(image)}"
            )
    total = rest + sum(image.bytes_on_wire for image in images.values())
    if limits.request_bytes is None or total <= limits.request_bytes:
        return
    raise LimitExceeded(
        f"The request has {total:,} bytes with its images as base64; {card.name} takes "
        f"{_megabytes(limits.request_bytes)}. {_advice(*images.values())} {_REMEDY}"
    )


def _advice(*images: PreparedImage) -> str:
    if all(max(image.width, image.height) <= SMALLEST_SIDE for image in images):
        return f"No image is made smaller than {SMALLEST_SIDE} pixels."
    return "limits='adjust' makes images smaller."


def _megabytes(count: int | None) -> str:
    return f"{(count or 0) / 1e6:g} MB"


def _check_context(count: int, card: ModelCard) -> None:
    if card.context_window is None or card.tokens_per_image is None:
        return
    tokens = count * card.tokens_per_image
    if tokens >= card.context_window:
        raise ContextOverflow(
            f"{count} images take {tokens} tokens at {card.tokens_per_image} each; the context window of "
            f"{card.name} has {card.context_window}. "
            f"Send at most {(card.context_window - 1) // card.tokens_per_image}, or keep only the newest "
            "images of a conversation with keep_images=."
        )


def _check_capabilities(request: Request, card: ModelCard) -> None:
    capabilities, parameters = card.capabilities, request.parameters
    if parameters.tools and not capabilities.tools:
        method = "json_schema" if capabilities.json_schema else "prompt"
        raise UnsupportedCapability(
            f"{card.name} does not call tools: choose a model whose card says tools. For an answer in the "
            f"form of a schema there is method={method!r}."
        )
    if parameters.response_format and not capabilities.json_schema:
        raise UnsupportedCapability(
            f"{card.name} does not take a response_format: put the schema into the prompt, as "
            "method='prompt' does."
        )
    if request.completion and request.images and not capabilities.completions:
        raise UnsupportedCapability(f"{card.name} takes no images in the completions API: use chat.")
