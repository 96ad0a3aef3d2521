"""How many pages an image file has, without decoding any of them."""

from __future__ import annotations

from itertools import islice
from typing import Final

from firellava.errors import ImageTooLarge
from firellava.images.formats import detect_format, refuse_format
from firellava.images.opened import explained
from firellava.images.pdf import count_pdf_pages
from firellava.images.tiff_directory import directory_places

__all__ = ["MAX_PAGES", "count_pages"]

MAX_PAGES: Final = 10_000
"""Pages of one file: a shelf of books. More are a mistake, or made to keep the reader busy."""


def count_pages(data: bytes, name: str) -> int:
    """The pages of a PDF or TIFF file; 1 for every other image.

    Raises:
        UnreadableImage: damaged, or protected by a password.
        UnsupportedFormat: no image, or none of a format that is opened.
        ImageTooLarge: more than `MAX_PAGES`.
        MissingExtra: a PDF, and what opens it is not installed.
    """
    image_format = detect_format(data)
    if image_format is None:
        raise refuse_format(data, name)
    if image_format == "PDF":
        count = count_pdf_pages(data, name)
    elif image_format == "TIFF":
        count = _count_tiff_pages(data, name)
    else:
        return 1
    if count > MAX_PAGES:
        raise ImageTooLarge(f"{name} has more than {MAX_PAGES:,} pages, which is all that are counted.")
    return count


def _count_tiff_pages(data: bytes, name: str) -> int:
    with explained(name, "TIFF"):
        count = sum(1 for _ in islice(directory_places(data), MAX_PAGES + 1))
        if not count:
            raise ValueError("no page")
        return count
