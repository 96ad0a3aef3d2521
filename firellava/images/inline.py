"""Images small enough to live inside messages, and good enough for every model that may read them later.

A block in a message travels through traces, checkpoints and vector stores. So it holds at most so many
pixels, stands upright and carries no metadata; within that, pixels are kept exactly where that is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from firellava.images.colour import is_srgb
from firellava.images.decode import bounded_size, open_image
from firellava.images.encode import encode_jpeg, encode_png, looks_drawn
from firellava.images.jpeg_segments import cut_jpeg_metadata
from firellava.images.prepare import PreparedImage, describe_changes, describe_cleaning
from firellava.images.source import ImageSource

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from PIL import Image

    from firellava.images.decode import OpenedImage
    from firellava.images.source import ImageInput
    from firellava.models import ImageFormat

__all__ = ["INLINE_SIDE", "inline_image"]

INLINE_SIDE: Final = 2048
"""Pixels of the longer side: a page of print stays readable for OCR."""

# Each model's own copy is made from this one, so it must survive a second encoding.
_JPEG_QUALITY: Final = 92

_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def inline_image(
    source: ImageInput,
    max_side: int = INLINE_SIDE,
    *,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> PreparedImage:
    """An image to keep inside a message: at most `max_side` pixels long, upright, without metadata.

    An upright JPEG in sRGB keeps its very pixels: its metadata is cut out and nothing is encoded again. All
    formats without loss become PNG, with their transparency. What must be encoded anew (scaled, turned or
    converted photographs, lossy WebP) becomes a JPEG of high quality, or PNG if it is transparent or drawn.

    Args:
        source: a path, bytes, a binary file, a Pillow image, a data URL or an `ImageSource`.
        max_side: pixels of the longer side at most; a smaller picture keeps its size.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        ImageError: one of its kinds, as for `prepare_image`.
    """
    loaded = ImageSource.of(source).load(image_roots)
    opened = open_image(loaded)
    size = bounded_size(opened.size, max_side)
    data, image_format = _encode(opened, size, loaded.data)
    return PreparedImage(
        data=data,
        format=image_format,
        width=size[0],
        height=size[1],
        sha256=loaded.sha256 or "",
        original_format=opened.format,
        original_size=opened.size,
        adjustments=(
            *describe_changes(opened, size, None),
            *describe_cleaning(opened, image_format),
        ),
    )


def _encode(opened: OpenedImage, size: tuple[int, int], original: bytes | None) -> tuple[bytes, ImageFormat]:
    mode = opened.image.mode
    is_plain = size == opened.size and is_srgb(mode, opened.profile)
    if opened.format == "JPEG":
        pixels = opened.decode(size)  # also where its bytes are kept: a damaged image must not get through
        if is_plain and not opened.is_turned:
            cut = cut_jpeg_metadata(original or b"")
            if cut is not None:
                return cut, "JPEG"
        return _encode_anew(pixels)
    if is_plain and mode in _PNG_MODES and not _is_lossy_webp(original):
        return encode_png(opened.decode_as_stored()), "PNG"
    pixels = opened.decode(size)
    if size == opened.size and not _is_lossy_webp(original):
        return encode_png(pixels), "PNG"
    return _encode_anew(pixels)


def _encode_anew(pixels: Image.Image) -> tuple[bytes, ImageFormat]:
    if pixels.mode in ("LA", "RGBA") or looks_drawn(pixels):
        return encode_png(pixels), "PNG"
    return encode_jpeg(pixels, _JPEG_QUALITY), "JPEG"


def _is_lossy_webp(data: bytes | None) -> bool:
    # An extended file says so only inside its frames; the name of a lossy frame is told by its blank.
    return data is not None and data[:4] == b"RIFF" and data[8:12] == b"WEBP" and b"VP8 " in data[12:]
