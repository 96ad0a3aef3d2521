"""From an image source to pixels: opened by what it is, capped, scaled while decoding, upright, in sRGB.

`open_image` looks at the header only; `decode` of what it returns does the work, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from firellava.errors import UnreadableImage
from firellava.images.colour import on_background
from firellava.images.formats import detect_format, refuse_format
from firellava.images.pdf import open_page
from firellava.images.raster import open_picture, open_pixels

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from PIL import Image

    from firellava.images.opened import OpenedImage
    from firellava.images.source import ImageSource

__all__ = ["bounded_size", "decode_image", "filling_size", "open_image"]

_WHITE: Final = (255, 255, 255)


def open_image(
    source: ImageSource, image_roots: Iterable[str | os.PathLike[str]] | None = None
) -> OpenedImage:
    """Read an image's header and check its size.

    Args:
        source: the image; a file is read now, a URL is refused.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        UnreadableImage: missing, damaged, protected by a password, without the page asked for, or a URL.
        UnsupportedFormat: no image, or none of a format that is opened.
        ImageTooLarge: more bytes or pixels than are read.
        ForbiddenPath: outside `image_roots`.
        MissingExtra: HEIF or PDF, and what opens it is not installed.
    """
    loaded = source.load(image_roots)
    if loaded.pixels is not None:
        return open_pixels(loaded, loaded.pixels)
    data = loaded.data
    if data is None:
        raise UnreadableImage(
            f"{loaded.name} is a URL and nothing is downloaded here: download the image and give its bytes."
        )
    image_format = detect_format(data)
    if image_format is None:
        raise refuse_format(data, loaded.name)
    if image_format == "PDF":
        return open_page(loaded, data)
    return open_picture(loaded, data, image_format)


def decode_image(
    source: ImageSource,
    *,
    max_side: int | None = None,
    background: tuple[int, int, int] = _WHITE,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> Image.Image:
    """The picture itself, for a backend in this process: upright, mode ``RGB``, without metadata.

    Args:
        source: the image.
        max_side: pixels of the longer side at most; a smaller picture keeps its size. A page of a PDF has
            the size it would have if scanned at 200 dots per inch.
        background: what shines through transparency.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        ImageError: one of its kinds, as for `open_image`, or because the pixels are damaged.
        MissingExtra: HEIF or PDF, and what opens it is not installed.
    """
    opened = open_image(source, image_roots)
    return on_background(opened.decode(bounded_size(opened.size, max_side)), background).convert("RGB")


def bounded_size(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """`size` scaled down so that its longer side is at most `max_side`; never enlarged."""
    if max_side is None or max(size) <= max_side:
        return size
    return filling_size(size, max_side)


def filling_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size` scaled up or down so that its longer side is exactly `side`."""
    scale = side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
