"""Pictures made of pixels: opened by a decoder, scaled while decoding, cut, turned upright, in sRGB."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from firellava.images.colour import to_averageable, to_srgb
from firellava.images.exif import SIDEWAYS, TURNS, find_exif, read_orientation
from firellava.images.formats import DECODERS, webp_size
from firellava.images.heif import open_avif, open_heif
from firellava.images.jpeg_segments import JpegHeader, read_jpeg_header
from firellava.images.limits import MAX_PIXELS, MAX_SCALED_PIXELS, check_pixel_count
from firellava.images.opened import OpenedImage, explained, missing_page
from firellava.images.pages import count_pages
from firellava.images.primaries import find_primaries, profile_of_primaries
from firellava.images.regions import pixel_box, stored_box

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firellava.images.formats import SourceFormat
    from firellava.images.source import ImageSource

__all__ = ["OpenedPicture", "open_picture", "open_pixels"]

# Scaled JPEG decoding is a poor filter by itself; LANCZOS needs this much left to do to come out within
# 0.3 dB of scaling the whole picture (benchmarks/images.py). Any more costs time and gains nothing.
_DRAFT_MARGIN: Final = 1.4

# LANCZOS after averaging blocks down to at least three times the target: as good, in a third of the time,
# and its table of weights stays small for pictures that are a pixel wide and millions long.
_REDUCING_GAP: Final = 3.0

# TIFF 6.0, section 15; the others are texts, dates, makers and the blocks of XMP, IPTC, EXIF and GPS.
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_DESCRIPTIVE_TAGS: Final = frozenset({270, 271, 272, 305, 306, 315, 316, 700, 33432, 33723, 34665, 34853})

# Decoders keep these beside the pixels; everything else there is metadata.
_TECHNICAL: Final = frozenset(
    {
        "adobe", "adobe_transform", "aux", "background", "bbox", "bit_depth", "blend", "chroma",
        "compression", "default_image", "depth_images", "disposal", "dpi", "duration", "extension", "gamma",
        "heif", "interlace", "jfif", "jfif_density", "jfif_unit", "jfif_version", "loop", "maxval",
        "nclx_profile", "original_orientation", "primary", "progression", "progressive", "resolution",
        "scale", "thumbnails", "tiling", "timestamp", "transparency", "version",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPicture(OpenedImage):
    """A picture whose header was read.

    Attributes:
        image: Pillow's image, its pixels not decoded yet.
        orientation: EXIF's number for which way the stored pixels lie.
        jpeg: the header of a JPEG.
        primaries: the number of its red, green and blue (see `primaries`), or None.
        described: whether a TIFF has tags that describe it.
    """

    image: Image.Image
    orientation: int = 1
    jpeg: JpegHeader | None = None
    primaries: int | None = None
    described: bool = False

    @property
    def is_turned(self) -> bool:
        """Whether decoding turns the stored pixels."""
        return self.orientation in TURNS

    @property
    def profile(self) -> bytes | None:
        """The ICC profile, or None."""
        profile = self.image.info.get("icc_profile")
        if isinstance(profile, bytes) and profile:
            return profile
        return profile_of_primaries(self.primaries)

    @property
    def has_metadata(self) -> bool:
        """Whether anything but pixels was found. Complete after `decode`: some stands behind the pixels."""
        in_header = self.jpeg is not None and self.jpeg.has_metadata
        beside = any(value for key, value in self.image.info.items() if key not in _TECHNICAL)
        return in_header or self.described or beside

    def read_exif(self) -> Image.Exif:
        """The tags of the EXIF block; see `OpenedImage.read_exif`."""
        if self.exif is None:
            return self.image.getexif()
        exif = Image.Exif()
        exif.load(self.exif)
        return exif

    def decode(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The upright pixels in sRGB; see `OpenedImage.decode`."""
        with explained(self.name, self.format):
            part = self._stored_part()
            wanted = self._turned(size or self.size)
            box = self._decode_towards(wanted, part)
            pixels = to_averageable(self.image, 65_535 if self.format == "PPM" else None)
            pixels = _scaled(pixels, wanted, box)
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
            pixels = self.image.crop(self._stored_part())
            turn = TURNS.get(self.orientation)
            pixels = pixels if turn is None else pixels.transpose(turn)
            pixels.info = {key: value for key, value in self.image.info.items() if key == "transparency"}
            return pixels

    def _decode_towards(self, wanted: tuple[int, int], part: tuple[int, int, int, int]) -> _FloatBox:
        """Have the decoder scale down towards what is wanted; say where the part lies in what it gives."""
        stored = self.image.size
        extent: tuple[float, float] = stored
        if self.format == "JPEG":
            margin = (
                _DRAFT_MARGIN * wanted[0] / (part[2] - part[0]),
                _DRAFT_MARGIN * wanted[1] / (part[3] - part[1]),
            )
            asked = math.ceil(stored[0] * margin[0]), math.ceil(stored[1] * margin[1])
            drafted = self.image.draft(None, asked)
            if drafted is not None:
                # Decoded to an eighth, 437.5 rows are 438: the box says where the picture ends in them.
                extent = drafted[1][2], drafted[1][3]
        check_pixel_count(self.image.size, self.name)
        across, down = extent[0] / stored[0], extent[1] / stored[1]
        return part[0] * across, part[1] * down, part[2] * across, part[3] * down

    def _stored_part(self) -> tuple[int, int, int, int]:
        return stored_box(pixel_box(self.region, self.whole), self.whole, self.orientation)

    def _turned(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self.orientation in SIDEWAYS else size


_FloatBox = tuple[float, float, float, float]


def open_pixels(source: ImageSource, image: Image.Image) -> OpenedPicture:
    """The pixels a developer gave.

    Raises:
        UnreadableImage: a later page of them is asked for.
    """
    if source.page > 1:
        raise missing_page(source.name, source.page, 1)
    return OpenedPicture(
        name=source.name, format="pixels", whole=image.size, region=source.region, image=image
    )


def open_picture(source: ImageSource, data: bytes, image_format: SourceFormat) -> OpenedPicture:
    """Read the header of an encoded picture and check its size.

    Raises:
        UnreadableImage: damaged, or without the page that is asked for.
        ImageTooLarge: more pixels than are decoded.
        MissingExtra: its decoder is not installed.
    """
    if image_format != "TIFF" and source.page > 1:
        raise missing_page(source.name, source.page, 1)
    with explained(source.name, image_format):
        if image_format == "JPEG":
            return _open_jpeg(source, data)
        if image_format == "TIFF":
            return _open_tiff(source, data)
        return _open_other(source, data, image_format)


def _open_jpeg(source: ImageSource, data: bytes) -> OpenedPicture:
    # The decoder never sees the metadata: it would parse it, and warn about what is damaged in it.
    header = read_jpeg_header(data)
    image = _read_header("JPEG", data if header is None else header.head + data[header.scan_start :])
    scales_in_one_pass = header is not None and header.one_pass
    check_pixel_count(image.size, source.name, MAX_SCALED_PIXELS if scales_in_one_pass else MAX_PIXELS)
    exif = find_exif(image.info) if header is None else header.exif
    orientation = read_orientation(exif)
    return OpenedPicture(
        name=source.name,
        format="JPEG",
        whole=_upright(image.size, orientation),
        region=source.region,
        exif=exif,
        image=image,
        orientation=orientation,
        jpeg=header,
    )


def _open_tiff(source: ImageSource, data: bytes) -> OpenedPicture:
    image = _read_header("TIFF", data)
    several = _has_several_frames(image)
    if source.page > 1:
        count = count_pages(data, source.name)
        if source.page > count:
            raise missing_page(source.name, source.page, count)
        image.seek(source.page - 1)
    check_pixel_count(image.size, source.name)
    # This decoder turns the pixels upright itself.
    return OpenedPicture(
        name=source.name,
        format="TIFF",
        whole=image.size,
        page=source.page,
        region=source.region,
        several=several,
        image=image,
        described=_check_tags(image, source.name),
    )


def _open_other(source: ImageSource, data: bytes, image_format: SourceFormat) -> OpenedPicture:
    if image_format == "WEBP":
        check_pixel_count(webp_size(data) or (0, 0), source.name)
    image = _read_header(image_format, data)
    check_pixel_count(image.size, source.name)
    exif = find_exif(image.info)
    orientation = read_orientation(exif)
    return OpenedPicture(
        name=source.name,
        format=image_format,
        whole=_upright(image.size, orientation),
        region=source.region,
        several=_has_several_frames(image),
        exif=exif,
        image=image,
        orientation=orientation,
        primaries=find_primaries(data) if image_format in ("AVIF", "HEIF") else None,
    )


def _read_header(image_format: SourceFormat, data: bytes) -> Image.Image:
    if image_format == "HEIF":
        image = open_heif(data)
    elif image_format == "AVIF":
        image = open_avif(data)
    else:
        image = DECODERS[image_format](io.BytesIO(data))
    if min(image.size) < 1:
        raise ValueError("no pixels")
    return image


def _upright(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation in SIDEWAYS else size


def _scaled(pixels: Image.Image, size: tuple[int, int], box: _FloatBox) -> Image.Image:
    left, top, right, bottom = (round(edge) for edge in box)
    is_exact = all(edge.is_integer() for edge in box)
    if not is_exact or size != (right - left, bottom - top):
        return pixels.resize(size, Image.Resampling.LANCZOS, box, _REDUCING_GAP)
    return pixels if size == pixels.size else pixels.crop((left, top, right, bottom))


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
