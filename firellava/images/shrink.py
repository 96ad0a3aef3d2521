"""Smaller copies of pictures that are too large to send, alone or together.

A copy is made from the original with fewer pixels. How many bytes a picture of some size will have is not
known before it is encoded, so a size is guessed from the bytes it has now, and corrected until it fits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from firellava.images.prepare import prepare_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from firellava.images.prepare import PreparedImage
    from firellava.images.source import ImageSource
    from firellava.models import ModelCard

__all__ = ["SMALLEST_SIDE", "shrink_image", "shrink_together"]

SMALLEST_SIDE: Final = 224
"""Pixels of the longer side below which no copy goes: the smallest picture that the common vision encoders
take (CLIP ViT-L/14 and SigLIP at 224). Less would be sent without being seen."""

_AIM: Final = 0.95
_LONGEST_STEP: Final = 0.9


def shrink_image(
    image: PreparedImage,
    source: ImageSource,
    card: ModelCard,
    most: int,
    bytes_of: Callable[[PreparedImage], int],
) -> PreparedImage:
    """The picture with as few pixels as it takes to have at most `most` bytes.

    Args:
        image: the picture, prepared.
        source: the original, loaded.
        card: what it was prepared for.
        most: bytes.
        bytes_of: counts them.

    Returns:
        The picture itself where it is small enough already. Where `SMALLEST_SIDE` is not small enough either,
        the copy of that size.
    """
    target = card.image_target
    while bytes_of(image) > most and max(image.width, image.height) > SMALLEST_SIDE:
        scale = min(_LONGEST_STEP, _AIM * math.sqrt(max(most, 0) / bytes_of(image)))
        side = max(SMALLEST_SIDE, int(scale * max(image.width, image.height)))
        # A picture that fills the model's square stays one, whatever its size.
        fit = "letterbox" if target.fit == "letterbox" else "contain"
        smaller = target.model_copy(update={"fit": fit, "side": side})
        image = prepare_image(source, card.model_copy(update={"image_target": smaller}))
    return image


def shrink_together(
    images: Mapping[int, PreparedImage], sources: Sequence[ImageSource], card: ModelCard, room: int
) -> dict[int, PreparedImage]:
    """The pictures with the largest of them smaller, until all take at most `room` bytes of a request.

    Those that end up smaller are given equal shares of what the others leave.

    Args:
        images: the pictures, by their place among the sources.
        sources: the originals, loaded.
        card: what the pictures were prepared for.
        room: bytes on the wire.

    Returns:
        The pictures by the same places. They may take more than `room` where `SMALLEST_SIDE` is still too
        large.
    """
    fitted = dict(images)
    shrinkable = set(images)
    while shrinkable and _bytes(fitted.values()) > room:
        fixed = _bytes(image for place, image in fitted.items() if place not in shrinkable)
        share = _share([fitted[place].bytes_on_wire for place in shrinkable], room - fixed)
        for place in [place for place in shrinkable if fitted[place].bytes_on_wire > share]:
            image = shrink_image(fitted[place], sources[place], card, share, _bytes_on_wire)
            fitted[place] = image
            if image.bytes_on_wire > share:
                shrinkable.remove(place)
    return fitted


def _bytes_on_wire(image: PreparedImage) -> int:
    return image.bytes_on_wire


def _bytes(images: Iterable[PreparedImage]) -> int:
    return sum(image.bytes_on_wire for image in images)


def _share(sizes: Sequence[int], room: int) -> int:
    """The bytes to which each of several pictures may grow so that all of them stay within `room`."""
    for place, size in enumerate(sorted(sizes)):
        share = room // (len(sizes) - place)
        if size > share:
            return max(share, 0)
        room -= size
    return max(sizes, default=0)
