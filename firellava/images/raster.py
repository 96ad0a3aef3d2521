"""Pictures made of pixels: opened by a decoder, scaled while decoding, cut, turned upright, in sRGB."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from firellava.images.colour import to_averageable, to_srgb
from firellava.images.exif import SIDEWAYS, TURNS, find_exif, read_orientation
from firellava.images.formats import DECODERS, webp_size
from firellava.images.gif_blocks import first_gif_picture
from firellava.images.heif import open_avif, open_heif
from firellava.images.joined_bytes import open_joined
from firellava.images.jpeg_segments import JpegHeader, read_jpeg_header
from firellava.images.limits import MAX_PIXELS, MAX_SCALED_PIXELS, check_pixel_count
from firellava.images.opened import OpenedImage, explained, missing_page
from firellava.images.pages import MAX_PAGES, count_pages
from firellava.images.png_chunks import read_png_chunks
from firellava.images.primaries import find_primaries, profile_of_primaries
from firellava.images.regions import pixel_box, stored_box
from firellava.images.tiff_directory import single_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firellava.images.formats import SourceFormat
    from firellava.images.source import ImageSource

__all__ = ["OpenedPicture", "open_picture", "open_pixels"]

# Scaled JPEG decoding is a poor filter by itself. With this much left to do, LANCZOS comes out within 0.3 dB
# of scaling the whole picture for most photographs. BICUBIC saves 1 to 5 ms of 25 to 45 and loses 0.1 to 1 dB
# more; a margin of 2 would help the few photographs that remain and cost a quarter more (docs/IMAGES.md).
_DRAFT_MARGIN: Final = 1.4

# LANCZOS after averaging blocks down to at least three times the target: as good, in a third of the time,
# and its table of weights stays small for pictures that are a pixel wide and millions long.
_REDUCING_GAP: Final = 3.0

# TIFF 6.0, section 15.
_TILE_WIDTH, _TILE_LENGTH = 322, 323

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
        if image_format == "PNG":
            return _open_png(source, data)
        if image_format == "GIF":
            return _open_gif(source, data)
        return _open_other(source, data, image_format)


def _open_jpeg(source: ImageSource, data: bytes) -> OpenedPicture:
    # The decoder never sees the metadata: it would parse it, and warn about what is damaged in it.
    header = read_jpeg_header(data)
    file = io.BytesIO(data) if header is None else open_joined(header.head, data, header.scan_start)
    image = _with_pixels(DECODERS["JPEG"](file))
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
    page = single_page(data, source.page) if source.page <= MAX_PAGES else None
    if page is None:
        raise missing_page(source.name, source.page, count_pages(data, source.name))
    image = _read_header("TIFF", page.data)
    check_pixel_count(image.size, source.name)
    _check_tiles(image, source.name)
    # This decoder turns the pixels upright itself.
    return OpenedPicture(
        name=source.name,
        format="TIFF",
        whole=image.size,
        page=source.page,
        region=source.region,
        several=page.several,
        exif=page.exif,
        image=image,
        described=page.described,
    )


def _open_png(source: ImageSource, data: bytes) -> OpenedPicture:
    chunks = read_png_chunks(data)
    image = _read_header("PNG", chunks.data)
    return _opened(source, "PNG", image, several=chunks.several, described=chunks.described)


def _open_gif(source: ImageSource, data: bytes) -> OpenedPicture:
    picture = first_gif_picture(data)
    check_pixel_count(picture.size, source.name)
    return _opened(source, "GIF", _read_header("GIF", picture.data), several=picture.several)


def _open_other(source: ImageSource, data: bytes, image_format: SourceFormat) -> OpenedPicture:
    if image_format == "WEBP":
        check_pixel_count(webp_size(data) or (0, 0), source.name)
    image = _read_header(image_format, data)
    opened = _opened(source, image_format, image, several=_has_several_frames(image))
    return replace(opened, primaries=find_primaries(data)) if image_format in ("AVIF", "HEIF") else opened


def _opened(
    source: ImageSource,
    image_format: SourceFormat,
    image: Image.Image,
    *,
    several: bool,
    described: bool = False,
) -> OpenedPicture:
    check_pixel_count(image.size, source.name)
    exif = find_exif(image.info)
    orientation = read_orientation(exif)
    return OpenedPicture(
        name=source.name,
        format=image_format,
        whole=_upright(image.size, orientation),
        region=source.region,
        several=several,
        exif=exif,
        image=image,
        orientation=orientation,
        described=described,
    )


def _read_header(image_format: SourceFormat, data: bytes) -> Image.Image:
    if image_format == "HEIF":
        return _with_pixels(open_heif(data))
    if image_format == "AVIF":
        return _with_pixels(open_avif(data))
    return _with_pixels(DECODERS[image_format](io.BytesIO(data)))


def _with_pixels(image: Image.Image) -> Image.Image:
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


def _check_tiles(image: Image.Image, name: str) -> None:
    """Refuse a TIFF of huge tiles, each of which is decoded whole."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    check_pixel_count((tags.get(_TILE_WIDTH, 1), tags.get(_TILE_LENGTH, 1)), name)
