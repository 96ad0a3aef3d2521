"""From an image source to pixels: opened by what it is, capped, scaled while decoding, upright, in sRGB.

`open_image` looks at the header only; `OpenedImage.decode` does the work, once. Whatever a decoder raises
comes out as one of our errors.
"""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from firellava.errors import ImageError, ImageTooLarge, UnreadableImage
from firellava.images.colour import on_background, to_averageable, to_srgb
from firellava.images.exif import SIDEWAYS, TURNS, find_exif, read_orientation
from firellava.images.formats import DECODERS, detect_format, refuse_format, webp_size
from firellava.images.jpeg_segments import JpegHeader, read_jpeg_header
from firellava.images.limits import MAX_PIXELS, MAX_SCALED_PIXELS, check_pixel_count

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from firellava.images.source import ImageSource
    from firellava.models import ImageFormat

__all__ = ["OpenedImage", "bounded_size", "decode_image", "explained", "filling_size", "open_image"]

# Scaled JPEG decoding is a poor filter by itself; LANCZOS needs this much left to do to come out within
# 0.3 dB of scaling the whole picture (benchmarks/images.py). Any more costs time and gains nothing.
_DRAFT_MARGIN: Final = 1.4

# LANCZOS after averaging blocks down to at least three times the target: as good, in a third of the time,
# and its table of weights stays small for pictures that are a pixel wide and millions long.
_REDUCING_GAP: Final = 3.0

# TIFF 6.0, section 15; the others are texts, dates, makers and the blocks of XMP, IPTC, EXIF and GPS.
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_DESCRIPTIVE_TAGS: Final = frozenset({270, 271, 272, 305, 306, 315, 316, 700, 33432, 33723, 34665, 34853})
_WHITE: Final = (255, 255, 255)

# Pillow keeps these beside the pixels for decoding; everything else there is metadata.
_TECHNICAL: Final = frozenset(
    {
        "adobe", "adobe_transform", "background", "blend", "bbox", "compression", "default_image", "disposal",
        "dpi", "duration", "extension", "gamma", "interlace", "jfif", "jfif_density", "jfif_unit",
        "jfif_version", "loop", "maxval", "progression", "progressive", "resolution", "scale", "timestamp",
        "transparency", "version",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image whose header was read. `decode` may be called once: decoders scale in place.

    Attributes:
        image: Pillow's image, its pixels not decoded yet.
        name: what messages call it.
        format: the format by its decoder's name, or ``pixels``.
        orientation: EXIF's number for which way the stored pixels lie.
        exif: the EXIF block, or None.
        jpeg: the header of a JPEG.
        described: whether a TIFF has tags that describe it.
        several: whether this is the first of several frames or pages.
        size: width and height of the upright picture.
    """

    image: Image.Image
    name: str
    format: ImageFormat | str
    orientation: int = 1
    exif: bytes | None = None
    jpeg: JpegHeader | None = None
    described: bool = False
    several: bool = False
    size: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self._turned(self.image.size))

    @property
    def is_turned(self) -> bool:
        """Whether decoding turns the stored pixels."""
        return self.orientation in TURNS

    @property
    def profile(self) -> bytes | None:
        """The ICC profile, or None."""
        profile = self.image.info.get("icc_profile")
        return profile if isinstance(profile, bytes) and profile else None

    @property
    def has_metadata(self) -> bool:
        """Whether anything but pixels was found. Complete after `decode`: some stands behind the pixels."""
        in_header = self.jpeg is not None and self.jpeg.has_metadata
        return in_header or self.described or any(key not in _TECHNICAL for key in self.image.info)

    def decode(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The upright pixels in sRGB, scaled to exactly `size` or as they are.

        Returns:
            An image of mode ``L``, ``LA``, ``RGB`` or ``RGBA`` that carries no metadata.

        Raises:
            UnreadableImage: the data is damaged or cut short.
            ImageTooLarge: more pixels than are decoded.
        """
        with explained(self.name, self.format):
            stored = self._turned(size) if size else self.image.size
            wanted = (math.ceil(stored[0] * _DRAFT_MARGIN), math.ceil(stored[1] * _DRAFT_MARGIN))
            # Decoded to an eighth, 437.5 rows are 438: the box says where the picture ends in them.
            _, box = self.image.draft(None, wanted) or (None, None)
            check_pixel_count(self.image.size, self.name)
            pixels = to_averageable(self.image, 65_535 if self.format == "PPM" else None)
            if pixels.size != stored:
                pixels = pixels.resize(stored, Image.Resampling.LANCZOS, box, _REDUCING_GAP)
            pixels = to_srgb(pixels, self.profile)
            turn = TURNS.get(self.orientation)
            pixels = pixels.copy() if turn is None else pixels.transpose(turn)
            pixels.info = {}
            return pixels

    def decode_as_stored(self) -> Image.Image:
        """The upright pixels in the mode they are stored in, transparency included, without metadata.

        Raises:
            UnreadableImage: the data is damaged or cut short.
        """
        with explained(self.name, self.format):
            self.image.load()
            turn = TURNS.get(self.orientation)
            pixels = self.image.copy() if turn is None else self.image.transpose(turn)
            pixels.info = {key: value for key, value in pixels.info.items() if key == "transparency"}
            return pixels

    def _turned(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self.orientation in SIDEWAYS else size


def open_image(
    source: ImageSource, image_roots: Iterable[str | os.PathLike[str]] | None = None
) -> OpenedImage:
    """Read an image's header and check its size.

    Args:
        source: the image; a file is read now, a URL is refused.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        UnreadableImage: missing, damaged, or a URL.
        UnsupportedFormat: no image, or none of a format that is opened.
        ImageTooLarge: more bytes or pixels than are read.
        ForbiddenPath: outside `image_roots`.
    """
    loaded = source.load(image_roots)
    if loaded.pixels is not None:
        return OpenedImage(loaded.pixels, loaded.name, "pixels")
    data = loaded.data
    if data is None:
        raise UnreadableImage(
            f"{loaded.name} is a URL and nothing is downloaded here: download the image and give its bytes."
        )
    name = loaded.name
    image_format = detect_format(data)
    if image_format is None:
        raise refuse_format(data, name)
    with explained(name, image_format):
        if image_format == "JPEG":
            return _open_jpeg(data, name)
        return _open_other(data, name, image_format)


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
        max_side: pixels of the longer side at most; a smaller picture keeps its size.
        background: what shines through transparency.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        ImageError: one of its kinds, as for `open_image`, or because the pixels are damaged.
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


@contextmanager
def explained(name: str, image_format: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one of our errors.

    Decoders meet hostile data with OSError, ValueError, SyntaxError, struct.error and more.
    """
    try:
        yield
    except ImageError:
        raise
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"{name} needs more memory than there is to decode it.") from error
    except Exception as error:
        state = "is cut short" if "truncated" in str(error) else "is damaged"
        raise UnreadableImage(f"{name} does not decode as {image_format}: the data {state}.") from error


def _open_jpeg(data: bytes, name: str) -> OpenedImage:
    # The decoder never sees the metadata: it would parse it, and warn about what is damaged in it.
    header = read_jpeg_header(data)
    image = _read_header("JPEG", data if header is None else header.head + data[header.scan_start :])
    scales_in_one_pass = header is not None and header.one_pass
    check_pixel_count(image.size, name, MAX_SCALED_PIXELS if scales_in_one_pass else MAX_PIXELS)
    exif = find_exif(image.info) if header is None else header.exif
    return OpenedImage(image, name, "JPEG", read_orientation(exif), exif, header)


def _open_other(data: bytes, name: str, image_format: ImageFormat) -> OpenedImage:
    if image_format == "WEBP":
        check_pixel_count(webp_size(data) or (0, 0), name)
    image = _read_header(image_format, data)
    check_pixel_count(image.size, name)
    several = _has_several_frames(image)
    if image_format == "TIFF":
        # This decoder turns the pixels upright itself.
        return OpenedImage(image, name, "TIFF", described=_check_tags(image, name), several=several)
    exif = find_exif(image.info)
    return OpenedImage(image, name, image_format, read_orientation(exif), exif, several=several)


def _read_header(image_format: ImageFormat, data: bytes) -> Image.Image:
    image = DECODERS[image_format](io.BytesIO(data))
    if min(image.size) < 1:
        raise ValueError("no pixels")
    return image


def _has_several_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 - a second frame that is damaged must not cost the first
        return False


def _check_tags(image: Image.Image, name: str) -> bool:
    """Refuse a TIFF of huge tiles, each of which is decoded whole; tell whether it describes itself."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    check_pixel_count((tags.get(_TILE_WIDTH, 1), tags.get(_TILE_LENGTH, 1)), name)
    return not _DESCRIPTIVE_TAGS.isdisjoint(tags)
