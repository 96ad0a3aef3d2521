"""How many pages an image file has, without decoding any of them."""

from __future__ import annotations

import struct
from typing import Final

from firellava.errors import ImageTooLarge, UnreadableImage
from firellava.images.formats import detect_format, refuse_format
from firellava.images.pdf import count_pdf_pages

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
    """How many directories there are, each with the place of the next at its end (TIFF 6.0, section 2).

    Pillow would read each of them, and one that it does not understand would cost all the pages.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\x00", b"\x00+")  # BigTIFF, with 64 bits for 32
    place_at, count_code, place_code, entry_size = (8, "Q", "Q", 20) if is_big else (4, "H", "I", 12)
    places: set[int] = set()
    try:
        while len(places) <= MAX_PAGES:
            (place,) = struct.unpack_from(order + place_code, data, place_at)
            if place == 0 or place in places:
                break
            (entries,) = struct.unpack_from(order + count_code, data, place)
            places.add(place)
            place_at = place + struct.calcsize(order + count_code) + entries * entry_size
    except struct.error:
        pass  # the last directory is cut short, or lies behind the end of the file
    if not places:
        raise UnreadableImage(f"{name} does not decode as TIFF: the data is damaged.")
    return len(places)
