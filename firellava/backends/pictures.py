"""The images of a request, made ready for the backend that gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firellava.images import PreparedImage, prepare_image
from firellava.images.fetch import fetch_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firellava.backends.base import AttemptContext
    from firellava.images import ImageSource
    from firellava.models import ModelCard

__all__ = ["adjustments_of", "downloaded", "prepared"]


def downloaded(source: ImageSource, context: AttemptContext) -> ImageSource:
    """The image itself, for backends that take no URLs: downloaded where it is one.

    Raises:
        ImageError: a URL that is not safe to open, or that leads to no image.
    """
    return source if source.url is None else fetch_image(source.url, seconds=context.seconds)


def prepared(source: ImageSource, card: ModelCard, context: AttemptContext) -> PreparedImage:
    """The picture for this model card, fitted as the caller wants.

    Raises:
        ImageError: there is no picture to be had from it.
    """
    return prepare_image(downloaded(source, context), card, fit=context.fit)


def adjustments_of(images: Iterable[PreparedImage | str]) -> tuple[str, ...]:
    """What was done to the images, a line each; to those that go as URLs, nothing."""
    return tuple(
        f"image {number}: {line}"
        for number, image in enumerate(images, 1)
        if isinstance(image, PreparedImage)
        for line in image.adjustments
    )
