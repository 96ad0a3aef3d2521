"""A picture's own pixels as a file without metadata: its own file if it can be cleaned, else a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from firellava.images.colour import is_srgb
from firellava.images.encode import encode_jpeg, encode_png, looks_drawn
from firellava.images.jpeg_segments import cut_jpeg_metadata
from firellava.images.png_chunks import cut_png_metadata
from firellava.images.raster import OpenedPicture

if TYPE_CHECKING:
    from PIL import Image

    from firellava.images.opened import OpenedImage
    from firellava.models import ImageFormat

__all__ = ["encode_as_given"]

# What is encoded anew here may be encoded once more for a model, so it must survive that.
_JPEG_QUALITY: Final = 92

_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def encode_as_given(
    opened: OpenedImage, size: tuple[int, int], original: bytes | None
) -> tuple[bytes, ImageFormat]:
    """The picture at `size`, upright, in sRGB, without metadata, and no more changed than that takes.

    A JPEG or PNG that needs nothing done to its pixels keeps its compressed data, and everything else is cut
    out of its file. Other formats without loss become PNG, pixel for pixel and with their transparency: of
    GIF, BMP, TIFF and PPM most have places for metadata, and none is smaller. What is scaled, turned, cut or
    of other colours, and lossy WebP, AVIF, HEIF and pages of a PDF, become a JPEG of high quality, or PNG
    where the picture is transparent or drawn.

    Args:
        opened: the picture, not decoded yet. It is decoded in any case: what is damaged does not get through.
        size: width and height it is to have.
        original: its file, or None for pixels.

    Raises:
        UnreadableImage: the data is damaged or cut short.
        ImageTooLarge: more pixels than are decoded.
    """
    if not isinstance(opened, OpenedPicture):
        return _encode_anew(opened.decode(size))
    mode = opened.image.mode
    is_plain = size == opened.size and is_srgb(mode, opened.profile)
    is_untouched = is_plain and not opened.is_turned and opened.region is None
    if opened.format == "JPEG":
        pixels = opened.decode(size)
        cut = cut_jpeg_metadata(original or b"") if is_untouched else None
        return _encode_anew(pixels) if cut is None else (cut, "JPEG")
    is_lossy = opened.format in ("AVIF", "HEIF") or _is_lossy_webp(original)
    if is_plain and mode in _PNG_MODES and not is_lossy:
        stored = opened.decode_as_stored()
        cut = cut_png_metadata(original or b"") if is_untouched and opened.format == "PNG" else None
        return encode_png(stored) if cut is None else cut, "PNG"
    pixels = opened.decode(size)
    if size == opened.size and not is_lossy:
        return encode_png(pixels), "PNG"
    return _encode_anew(pixels)


def _encode_anew(pixels: Image.Image) -> tuple[bytes, ImageFormat]:
    if pixels.mode in ("LA", "RGBA") or looks_drawn(pixels):
        return encode_png(pixels), "PNG"
    return encode_jpeg(pixels, _JPEG_QUALITY), "JPEG"


def _is_lossy_webp(data: bytes | None) -> bool:
    # An extended file says so only inside its frames; the name of a lossy frame is told by its blank.
    return data is not None and data[:4] == b"RIFF" and data[8:12] == b"WEBP" and b"VP8 " in data[12:]
