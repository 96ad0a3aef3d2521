"""From pixels to a file: JPEG for photographs, PNG for what was drawn, whichever suits and is accepted."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops

from firellava.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection

    from firellava.models import ImageFormat

__all__ = ["JPEG_QUALITY", "encode", "encode_jpeg", "encode_png", "looks_drawn"]

JPEG_QUALITY: Final = 86
"""Pillow's scale. Below it, text in photographs suffers; above it, bytes grow faster than fidelity. One more
than the usual 85, for 3 % more bytes, pays for what scaling while decoding costs (docs/IMAGES.md)."""

_SMALL: Final = 512 * 512
_MOST_COLOURS: Final = 4_096
_MOST_BY_REPETITION: Final = 1.25
_SAMPLE_SIDE: Final = 96
_COMMON_COLOURS: Final = 16
_COMMON_SHARE: Final = 0.9


def encode(
    image: Image.Image, formats: Collection[ImageFormat], quality: int = JPEG_QUALITY
) -> tuple[bytes, ImageFormat]:
    """Encode as JPEG or PNG, whichever fits the picture better among those accepted.

    A small picture becomes the smaller of the two files (PNG is not tried where thousands of colours or grain
    rule it out); a large one becomes PNG where it `looks_drawn`, since to try both costs more than it saves.

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
    if _may_be_smaller_as_png(image, len(jpeg)):
        png = encode_png(image)
        if len(png) <= len(jpeg):
            return png, "PNG"
    return jpeg, "JPEG"


def _may_be_smaller_as_png(image: Image.Image, jpeg_bytes: int) -> bool:
    """Whether it is worth a try, which takes twenty times as long as this: never so for grey photographs."""
    if image.getcolors(_MOST_COLOURS) is None:
        return False
    grey = image.convert("L")
    steps = ImageChops.subtract_modulo(grey, ImageChops.offset(grey, 1, 0)).histogram()
    total = grey.width * grey.height
    bits = -sum(count * math.log2(count / total) for count in steps if count)
    # PNG stores steps from pixel to pixel, in fewer bits than their entropy only where patterns repeat.
    return bits / 8 <= _MOST_BY_REPETITION * jpeg_bytes


def looks_drawn(image: Image.Image) -> bool:
    """Whether a picture looks like text, a chart or a screenshot: a few colours cover nearly all of it."""
    sample = image.resize(
        (min(image.width, _SAMPLE_SIDE), min(image.height, _SAMPLE_SIDE)), Image.Resampling.NEAREST
    )
    total = sample.width * sample.height
    # With more colours than these, the common ones cannot cover that much. Photographs end here, early.
    colours = sample.getcolors(_COMMON_COLOURS + int((1 - _COMMON_SHARE) * total) + 1)
    counts = sorted((count for count, _ in colours or ()), reverse=True)
    return sum(counts[:_COMMON_COLOURS]) >= _COMMON_SHARE * total


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
