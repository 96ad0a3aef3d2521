"""From pixels to a file: JPEG for photographs, PNG for what was drawn, whichever suits and is accepted."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from PIL import Image

from firellava.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection

    from firellava.models import ImageFormat

__all__ = ["JPEG_QUALITY", "encode", "encode_jpeg", "encode_png", "looks_drawn"]

JPEG_QUALITY: Final = 85
"""Pillow's scale. Below it, text in photographs suffers; above it, bytes grow faster than fidelity."""

_SMALL: Final = 512 * 512
_MOST_COLOURS: Final = 4_096
_SAMPLE_SIDE: Final = 96
_COMMON_COLOURS: Final = 16
_COMMON_SHARE: Final = 0.9


def encode(
    image: Image.Image, formats: Collection[ImageFormat], quality: int = JPEG_QUALITY
) -> tuple[bytes, ImageFormat]:
    """Encode as JPEG or PNG, whichever fits the picture better among those accepted.

    A small picture becomes the smaller of the two files (PNG is not tried where thousands of colours rule it
    out); a large one becomes PNG where it `looks_drawn`, since trying both would cost more than it saves.

    Args:
        image: mode ``L`` or ``RGB``.
        formats: what the receiver decodes.
        quality: of a JPEG, on Pillow's scale.

    Raises:
        InvalidRequest: the receiver decodes neither.
    """
    if "JPEG" not in formats and "PNG" not in formats:
        raise InvalidRequest(
            f"The model card accepts {', '.join(formats) or 'no format'}; images are sent as JPEG or PNG. "
            "Add one of them to image_limits.formats, or give the card of another model."
        )
    if "PNG" not in formats:
        return encode_jpeg(image, quality), "JPEG"
    if "JPEG" not in formats:
        return encode_png(image), "PNG"
    if image.width * image.height > _SMALL:
        return (encode_png(image), "PNG") if looks_drawn(image) else (encode_jpeg(image, quality), "JPEG")
    jpeg = encode_jpeg(image, quality)
    if image.getcolors(_MOST_COLOURS) is not None:
        png = encode_png(image)
        if len(png) <= len(jpeg):
            return png, "PNG"
    return jpeg, "JPEG"


def looks_drawn(image: Image.Image) -> bool:
    """Whether a picture looks like text, a chart or a screenshot: a few colours cover nearly all of it."""
    width, height = image.size
    sample = image.resize(
        (min(width, _SAMPLE_SIDE), min(height, _SAMPLE_SIDE)), Image.Resampling.NEAREST
    ).getcolors(_SAMPLE_SIDE * _SAMPLE_SIDE)
    counts = sorted((count for count, _ in sample or ()), reverse=True)
    return sum(counts[:_COMMON_COLOURS]) >= _COMMON_SHARE * sum(counts)


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """A baseline JPEG of an image of mode ``L`` or ``RGB`` that carries no metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(image: Image.Image) -> bytes:
    """A PNG of an image that carries no metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
