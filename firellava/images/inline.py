"""Images small enough to live inside messages, and good enough for every model that may read them later.

A block in a message travels through traces, checkpoints and vector stores. So it holds at most so many
pixels, stands upright and carries no metadata; within that, pixels are kept exactly where that is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from firellava.images.as_given import encode_as_given
from firellava.images.decode import bounded_size, open_image
from firellava.images.prepare import PreparedImage, describe_changes, describe_cleaning
from firellava.images.source import ImageSource

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from firellava.images.source import ImageInput

__all__ = ["INLINE_SIDE", "inline_image"]

INLINE_SIDE: Final = 2048
"""Pixels of the longer side: a page of print stays readable for OCR."""


def inline_image(
    source: ImageInput,
    max_side: int = INLINE_SIDE,
    *,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> PreparedImage:
    """An image to keep inside a message: at most `max_side` pixels long, upright, without metadata.

    A picture that is small enough, upright and in sRGB keeps its very pixels: out of a JPEG or PNG the
    metadata is cut, and other formats without loss become PNG. What must be encoded anew (scaled, turned, cut
    or converted photographs, lossy WebP, AVIF, HEIF, pages of a PDF) becomes a JPEG of high quality, or PNG
    if it is transparent or drawn.

    Args:
        source: a path, bytes, a binary file, a Pillow image, an array, a data URL or an `ImageSource`.
        max_side: pixels of the longer side at most; a smaller picture keeps its size.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        ImageError: one of its kinds, as for `prepare_image`.
        MissingExtra: HEIF or PDF, and what opens it is not installed.
    """
    loaded = ImageSource.of(source).load(image_roots)
    opened = open_image(loaded)
    size = bounded_size(opened.size, max_side)
    data, image_format = encode_as_given(opened, size, loaded.data)
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
