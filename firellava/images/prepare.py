"""From any image a user has to the small, clean one a model sees.

`prepare_image` follows a model card: turned upright, scaled and padded to what the model can see, encoded in
a format its server accepts, without metadata. Prepared images are kept in memory by content.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from PIL import Image

from firellava.images.as_given import encode_as_given
from firellava.images.cache import BoundedCache
from firellava.images.colour import on_background
from firellava.images.decode import bounded_size, filling_size, open_image
from firellava.images.display import as_html
from firellava.images.encode import JPEG_QUALITY, encode
from firellava.images.legibility import unreadable_lines
from firellava.images.source import ImageSource
from firellava.models import DEFAULT_MODEL, model_card

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from decimal import Decimal

    from firellava.images.opened import OpenedImage
    from firellava.images.source import ImageInput
    from firellava.models import Fit, ImageFormat, ImageTarget, ModelCard

__all__ = ["PreparedImage", "describe_changes", "describe_cleaning", "prepare_image", "prepare_uncached"]

_CACHE_BYTES: Final = 64_000_000

# A picture made less than this much smaller loses no text that anybody would read on it.
_NOTABLY: Final = 2

# The blocks of a JPEG in which picture and padding meet cost the picture 0.1 to 0.25 dB; this pays them back.
_PADDED_JPEG_QUALITY: Final = JPEG_QUALITY + 1


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image as it goes to a model.

    Attributes:
        data: the encoded image.
        format: how it is encoded.
        width: pixels.
        height: pixels.
        sha256: of the original, in hexadecimal.
        original_format: the original's format, or ``pixels`` for a Pillow image or an array.
        original_size: width and height of the original, or of the part of it that is meant, once it stands
            upright. A page of a PDF counts as scanned at 200 dots per inch.
        adjustments: what was done to it, in order, one phrase each.
        unreadable_lines: how far apart, in pixels, lines of text stand that became too small to read; None
            where none were found.
        tokens: what the model counts for it, or None where no rule is published.
        cost_usd: their price, or None where nobody published one.
        data_url_json: the data URL as JSON text, quotes included, ready to be copied into a request.
    """

    data: bytes = field(repr=False)
    format: ImageFormat
    width: int
    height: int
    sha256: str
    original_format: str
    original_size: tuple[int, int]
    adjustments: tuple[str, ...] = ()
    unreadable_lines: float | None = None
    tokens: int | None = None
    cost_usd: Decimal | None = None
    data_url_json: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Base64 needs no escaping in JSON, so this is made once, here, and only copied later.
        url = b'"data:%b;base64,%b"' % (self.mime_type.encode(), base64.b64encode(self.data))
        object.__setattr__(self, "data_url_json", url)

    @property
    def mime_type(self) -> str:
        """The media type of `data`."""
        return f"image/{self.format.lower()}"

    @property
    def bytes_on_wire(self) -> int:
        """Bytes the image adds to a request."""
        return len(self.data_url_json)

    @property
    def note_on_text(self) -> str | None:
        """That the text on it cannot be read, or None where nothing says so."""
        if self.unreadable_lines is None:
            return None
        return f"lines of text are about {self.unreadable_lines:.0f} pixels apart, too small to read"

    def _repr_html_(self) -> str:
        """The picture as a notebook shows it: what the model will see, and how it came to be."""
        return as_html(self)


_prepared: Final[BoundedCache[PreparedImage]] = BoundedCache(
    _CACHE_BYTES, lambda image: len(image.data) + image.bytes_on_wire
)


def prepare_image(
    source: ImageInput,
    card: str | ModelCard = DEFAULT_MODEL,
    *,
    fit: Fit | None = None,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> PreparedImage:
    """The picture a model will see.

    Formats are told by content: JPEG (MPO too), PNG, GIF, BMP, TIFF, PPM, WebP, AVIF where Pillow has it,
    HEIF with the extra ``heic`` and PDF with the extra ``pdf``; of several frames the first, of several pages
    the one the source names. Under ``letterbox`` the picture fills the model's square, scaled up where it is
    smaller, and the rest is background, so that padding and cropping servers see the same; under ``contain``
    it is scaled down to the card's side and never up; under ``none`` it keeps its pixels. Under ``tiles``
    this is the picture of the whole, to which `VisionClient.preview` adds the parts.

    Args:
        source: a path, bytes, a binary file, a Pillow image, an array, a data URL or an `ImageSource`.
        card: the model, by name or card.
        fit: how to make it fit, instead of the card's way.
        image_roots: folders a file must lie in; None allows any folder.

    Raises:
        UnreadableImage: missing, damaged, or a URL, which is not downloaded here.
        UnsupportedFormat: no image, or of a format that is not opened.
        ImageTooLarge: more bytes or pixels than are safe to decode.
        ForbiddenPath: outside `image_roots`.
        InvalidRequest: the card accepts neither JPEG nor PNG.
        MissingExtra: HEIF or PDF, and what opens it is not installed.
    """
    loaded = ImageSource.of(source).load(image_roots)
    rules = model_card(card)
    target, formats = rules.image_target.of_each(fit), rules.image_limits.formats
    tokens, cost = rules.tokens_per_image, rules.cost_per_image
    if loaded.sha256 is None:
        return prepare_uncached(loaded, target, formats, tokens, cost)
    return _prepared.get(
        (loaded.kind, loaded.sha256, target, formats, tokens, cost),
        lambda: prepare_uncached(loaded, target, formats, tokens, cost),
    )


def describe_changes(
    opened: OpenedImage, size: tuple[int, int], padded_to: tuple[int, int] | None
) -> list[str]:
    """What decoding did to an image's frame, one phrase each.

    Args:
        opened: the original.
        size: what it was scaled to.
        padded_to: the size after padding, or None where there was none.
    """
    changes = []
    if opened.page > 1:
        changes.append(f"page {opened.page} taken")
    elif opened.several:
        changes.append("first of several frames or pages taken")
    if opened.region is not None:
        changes.append(f"a part of {_by(opened.size)} cut out of {_by(opened.whole)}")
    if opened.is_turned:
        changes.append("turned upright")
    scaling = opened.describe_scaling(size)
    steps = [] if scaling is None else [scaling]
    if padded_to is not None:
        steps.append(f"padded to {_by(padded_to)}")
    if steps:
        changes.append(" and ".join(steps))
    return changes


def describe_cleaning(opened: OpenedImage, image_format: ImageFormat) -> list[str]:
    """What re-encoding changed, one phrase each. Complete only after `OpenedImage.decode`."""
    changes = []
    if opened.format not in (image_format, "pixels"):
        changes.append(f"converted from {opened.format}")
    if opened.has_metadata:
        changes.append("metadata removed")
    return changes


def prepare_uncached(
    source: ImageSource,
    target: ImageTarget,
    formats: tuple[ImageFormat, ...],
    tokens: int | None = None,
    cost_usd: Decimal | None = None,
) -> PreparedImage:
    """The picture for a target, made anew. `source` is loaded; errors are those of `prepare_image`."""
    opened = open_image(source)
    original_size = opened.size
    lines: float | None = None
    if target.fit == "none":
        size = fitted = original_size
        data, image_format = _as_given(opened, source.data, target, formats)
    else:
        is_letterbox = target.fit == "letterbox"
        fitted = (filling_size if is_letterbox else bounded_size)(original_size, target.side)
        pixels = on_background(opened.decode(fitted), target.background)
        if max(original_size) > _NOTABLY * max(fitted):
            lines = unreadable_lines(pixels)
        picture = _pad(pixels, target) if is_letterbox else pixels
        size = picture.size
        data, image_format = encode(
            picture, formats, JPEG_QUALITY if size == fitted else _PADDED_JPEG_QUALITY
        )
    changes = describe_changes(opened, fitted, None if size == fitted else size)
    return PreparedImage(
        data=data,
        format=image_format,
        width=size[0],
        height=size[1],
        sha256=source.sha256 or "",
        original_format=opened.format,
        original_size=original_size,
        adjustments=(*changes, *describe_cleaning(opened, image_format)),
        unreadable_lines=lines,
        tokens=tokens,
        cost_usd=cost_usd,
    )


def _as_given(
    opened: OpenedImage, original: bytes | None, target: ImageTarget, formats: tuple[ImageFormat, ...]
) -> tuple[bytes, ImageFormat]:
    data, image_format = encode_as_given(opened, opened.size, original)
    if image_format in formats:
        return data, image_format
    pixels = open_image(ImageSource.from_bytes(data)).decode()
    return encode(on_background(pixels, target.background), formats)


def _pad(picture: Image.Image, target: ImageTarget) -> Image.Image:
    """The picture in the middle of the model's square; grey stays grey where the background is."""
    if picture.size == (target.side, target.side):
        return picture
    red, green, blue = target.background
    grey = picture.mode == "L" and red == green == blue
    canvas = Image.new("L" if grey else "RGB", (target.side, target.side), red if grey else target.background)
    left, top = (target.side - picture.width) // 2, (target.side - picture.height) // 2
    canvas.paste(picture if grey else picture.convert("RGB"), (left, top))
    return canvas


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
