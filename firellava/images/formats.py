"""What a run of bytes is, by its signature: one of the formats we open, or something to refuse by name.

Names and claimed types are never believed. Nothing here decodes pixels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from PIL import features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from firellava.errors import ImageError, UnreadableImage, UnsupportedFormat
from firellava.images.scaled_jpeg import ScaledJpegFile

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["DECODERS", "SourceFormat", "detect_format", "refuse_format", "webp_size"]

SourceFormat: TypeAlias = Literal["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP", "AVIF", "HEIF", "PDF"]
"""The formats images are read from; what servers accept is `firellava.models.ImageFormat`."""

# The decoders are called by class instead of through `PIL.Image.open`, which tries formats nobody asked for
# when a global says so, and warns about large images before we could look at their size. A JPEG with several
# pictures (MPO) is opened as the JPEG it starts with.
DECODERS: Final[dict[SourceFormat, type[ImageFile]]] = {
    "JPEG": ScaledJpegFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "PPM": PpmImageFile,
    "WEBP": WebPImageFile,
    "AVIF": AvifImageFile,
}
"""The formats Pillow opens (APNG is PNG, MPO is JPEG, PBM and PGM are PPM) and what decodes them."""

_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_VERSION, _LONGEST_BRANDS = 4, 512

_SIGNATURES: Final[tuple[tuple[SourceFormat, re.Pattern[bytes]], ...]] = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("BMP", re.compile(rb"BM.{12}[\x0c-\xff]\x00\x00\x00", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\x00|MM\x00[*+]")),
    ("PPM", re.compile(rb"P[1-6][\s#]")),
    ("WEBP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("PDF", re.compile(rb"%PDF-")),
)

_REFUSED: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    (
        "an AVIF image, which this Pillow has no decoder for",
        re.compile(rb".{4}ftyp.{0,64}avi[fs]", re.DOTALL),
    ),
    ("a camera's raw picture", re.compile(rb".{4}ftypcrx |FUJIFILMCCD-RAW|IIU\x00|IIR[OS]", re.DOTALL)),
    ("a video", re.compile(rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", re.DOTALL)),
    ("a JPEG XL image", re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL ")),
    ("a JPEG 2000 image", re.compile(rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51")),
    ("a BPG image", re.compile(rb"BPG\xfb")),
    ("an MNG animation", re.compile(rb"[\x8a\x8b][MJ]NG\r\n")),
    ("an OpenEXR image", re.compile(rb"v/1\x01")),
    ("a Radiance HDR image", re.compile(rb"#\?(?:RADIANCE|RGBE)")),
    ("a portable float map", re.compile(rb"P[Ff]\s")),
    ("a PAM image", re.compile(rb"P7\n")),
    ("a DDS texture", re.compile(rb"DDS ")),
    ("a QOI image", re.compile(rb"qoif")),
    ("a FITS image", re.compile(rb"SIMPLE  =")),
    ("a DICOM image", re.compile(rb".{128}DICM", re.DOTALL)),
    ("an SGI image", re.compile(rb"\x01\xda[\x00\x01][\x01\x02]")),
    ("a Sun raster image", re.compile(rb"\x59\xa6\x6a\x95")),
    ("a PCX image", re.compile(rb"\x0a[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08]")),
    ("an X bitmap", re.compile(rb"\s*(?:/\* XPM \*/|#define\s+\w+_width\b)")),
    ("a Windows metafile", re.compile(rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF", re.DOTALL)),
    ("a DjVu document", re.compile(rb"AT&TFORM")),
    ("a PostScript document", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("a Photoshop document", re.compile(rb"8BPS")),
    ("a GIMP document", re.compile(rb"gimp xcf")),
    ("an icon", re.compile(rb"\x00\x00[\x01\x02]\x00|icns")),
    ("a ZIP archive or office document", re.compile(rb"PK\x03\x04")),
    ("an SVG drawing", re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<svg\b", re.DOTALL)),
    ("a web page", re.compile(rb"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)),
)

_ADVICE: Final = "convert it to JPEG or PNG first"
_TEXT: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r\x20-\x7e\x80-\xff]+")


def detect_format(data: bytes) -> SourceFormat | None:
    """The format `data` starts like, or None where it is none of those that are opened.

    HEIF and PDF are opened with the extras ``heic`` and ``pdf``, AVIF where Pillow was built with a decoder.

    Args:
        data: the file, or at least its first 64 bytes.
    """
    head = data[:18]
    found = next((name for name, signature in _SIGNATURES if signature.match(head)), None)
    return found or _detect_iso_format(data)


def refuse_format(data: bytes, name: str) -> ImageError:
    """The error for `data` that `detect_format` does not know, saying what it looks like instead."""
    head = data[:512]
    if not head:
        return UnreadableImage(f"{name} is empty.")
    for what, signature in _REFUSED:
        if signature.match(head):
            return UnsupportedFormat(f"{name} is {what}, which is not opened: {_ADVICE}.")
    formats = ", ".join(get_args(SourceFormat))
    if _TEXT.fullmatch(head):
        return UnsupportedFormat(
            f"{name} is no image we can open: it starts like text. Opened are {formats}."
        )
    return UnsupportedFormat(f"{name} is no image we can open. Opened are {formats}.")


def _detect_iso_format(data: bytes) -> SourceFormat | None:
    """AVIF and HEIF are told apart by the brands in their first box (ISO/IEC 14496-12, 4.3)."""
    if data[4:8] != b"ftyp":
        return None
    brands = data[8 : min(int.from_bytes(data[:4], "big"), _LONGEST_BRANDS)]
    # The second four bytes are a version.
    named = {brands[start : start + 4] for start in range(0, len(brands), 4) if start != _VERSION}
    if not named.isdisjoint(_AVIF_BRANDS):
        return "AVIF" if features.check("avif") else None
    return "HEIF" if not named.isdisjoint(_HEIF_BRANDS) else None


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
