"""What a run of bytes is, by its signature: one of the formats we open, or something to refuse by name.

Names and claimed types are never believed. Nothing here decodes pixels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from firellava.errors import ImageError, UnreadableImage, UnsupportedFormat

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from firellava.models import ImageFormat

__all__ = ["DECODERS", "detect_format", "refuse_format", "webp_size"]

# The decoders are called by class instead of through `PIL.Image.open`, which tries formats nobody asked for
# when a global says so, and warns about large images before we could look at their size. A JPEG with several
# pictures (MPO) is opened as the JPEG it starts with.
DECODERS: Final[dict[ImageFormat, type[ImageFile]]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "PPM": PpmImageFile,
    "WEBP": WebPImageFile,
}
"""The formats that are opened (APNG is PNG, MPO is JPEG, PBM and PGM are PPM) and what decodes them."""

_OPENED: Final[tuple[tuple[ImageFormat, re.Pattern[bytes]], ...]] = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("BMP", re.compile(rb"BM.{12}[\x0c-\xff]\x00\x00\x00", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\x00|MM\x00[*+]")),
    ("PPM", re.compile(rb"P[1-6][\s#]")),
    ("WEBP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
)

_REFUSED: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    ("a HEIC image", re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)),
    ("an AVIF image", re.compile(rb".{4}ftypavi[fs]", re.DOTALL)),
    ("a video", re.compile(rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", re.DOTALL)),
    ("a JPEG XL image", re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL ")),
    ("a JPEG 2000 image", re.compile(rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51")),
    ("a PDF document", re.compile(rb"%PDF-")),
    ("a PostScript document", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("a Photoshop document", re.compile(rb"8BPS")),
    ("an icon", re.compile(rb"\x00\x00[\x01\x02]\x00")),
    ("a ZIP archive or office document", re.compile(rb"PK\x03\x04")),
    ("an SVG drawing", re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<svg\b", re.DOTALL)),
    ("a web page", re.compile(rb"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)),
)

_ADVICE: Final = "convert it to JPEG or PNG first"
_TEXT: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r\x20-\x7e\x80-\xff]+")


def detect_format(data: bytes) -> ImageFormat | None:
    """The format `data` starts like, or None where it is none of those that are opened."""
    head = data[:18]
    return next((name for name, signature in _OPENED if signature.match(head)), None)


def refuse_format(data: bytes, name: str) -> ImageError:
    """The error for `data` that `detect_format` does not know, saying what it looks like instead."""
    head = data[:512]
    if not head:
        return UnreadableImage(f"{name} is empty.")
    for what, signature in _REFUSED:
        if signature.match(head):
            return UnsupportedFormat(f"{name} is {what}, which is not opened: {_ADVICE}.")
    formats = ", ".join(DECODERS)
    if _TEXT.fullmatch(head):
        return UnsupportedFormat(
            f"{name} is no image we can open: it starts like text. Opened are {formats}."
        )
    return UnsupportedFormat(f"{name} is no image we can open. Opened are {formats}.")


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height a WebP file states, or None where its first chunk is none of the three kinds.

    The decoder allocates the whole canvas when it is made, so its size must be known before. Layout: the
    WebP container specification and RFC 6386 (VP8), section 9.1.
    """
    chunk, body = data[12:16], data[20:30].ljust(10, b"\x00")
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
        return width & 0x3FFF, height & 0x3FFF
    return None
