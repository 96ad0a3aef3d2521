"""What every opened image can be asked, whatever opened it: a decoder of pictures or one of documents.

An image is opened to see what it is and how large; `OpenedImage.decode` does the work, once. Whatever a
decoder raises comes out as one of our errors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from PIL import Image

from firellava.errors import ImageError, ImageTooLarge, MissingExtra, UnreadableImage
from firellava.images.regions import pixel_box
from firellava.images.tiff_directory import intact_exif

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.images.formats import SourceFormat
    from firellava.images.regions import Region

__all__ = ["OpenedImage", "explained", "missing_page"]

_MIME_TYPES: Final = {"PDF": "application/pdf", "PPM": "image/x-portable-anymap"}
"""Those that are not called after the format. Netpbm's three (PBM, PGM, PPM) count as one format here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedImage(ABC):
    """An image whose header was read. `decode` may be called once: decoders scale in place.

    Attributes:
        name: what messages call it.
        format: the format it was told to be by its content, or ``pixels``.
        whole: width and height of the whole upright picture.
        page: which page it is, from 1.
        region: the part of it that is wanted, as fractions, or None for all of it.
        several: whether there are more frames or pages.
        exif: the EXIF block, or None.
    """

    name: str
    format: SourceFormat | Literal["pixels"]
    whole: tuple[int, int]
    page: int = 1
    region: Region | None = None
    several: bool = False
    exif: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, or of the part of it that is wanted."""
        left, top, right, bottom = pixel_box(self.region, self.whole)
        return right - left, bottom - top

    @property
    def mime_type(self) -> str | None:
        """What the file is, by its content; None for pixels."""
        if self.format == "pixels":
            return None
        return _MIME_TYPES.get(self.format, f"image/{self.format.lower()}")

    @property
    def is_turned(self) -> bool:
        """Whether decoding turns the stored pixels."""
        return False

    @property
    def has_metadata(self) -> bool:
        """Whether anything but pixels was found. Complete after `decode`: some stands behind the pixels."""
        return False

    @abstractmethod
    def decode(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The upright pixels in sRGB, scaled to exactly `size` or as they are.

        Returns:
            An image of mode ``L``, ``LA``, ``RGB`` or ``RGBA`` that carries no metadata.

        Raises:
            UnreadableImage: the data is damaged or cut short.
            ImageTooLarge: more pixels than are decoded.
        """

    def read_exif(self) -> Image.Exif:
        """The tags of the EXIF block; none where there is no block. Raises anything where it is damaged."""
        exif = Image.Exif()
        if self.exif is not None:
            exif.load(intact_exif(self.exif))
        return exif

    def describe_scaling(self, size: tuple[int, int]) -> str | None:
        """How the picture came to have `size`, as a phrase; None where it had that already."""
        if size == self.size:
            return None
        return f"scaled from {self.size[0]}x{self.size[1]} to {size[0]}x{size[1]}"


@contextmanager
def explained(name: str, image_format: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one of our errors.

    Decoders meet hostile data with OSError, ValueError, SyntaxError, struct.error and more.
    """
    try:
        yield
    except (ImageError, MissingExtra):
        raise
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"{name} needs more memory than there is to decode it.") from error
    except Exception as error:
        state = "is cut short" if "truncated" in str(error) else "is damaged"
        raise UnreadableImage(f"{name} does not decode as {image_format}: the data {state}.") from error


def missing_page(name: str, page: int, count: int) -> UnreadableImage:
    """The error for a page that a file does not have.

    Args:
        name: what messages call the file.
        page: the page wanted, from 1.
        count: how many it has.
    """
    pages = "1 page" if count == 1 else f"{count:,} pages"
    return UnreadableImage(f"{name} has no page {page}: it has {pages}.")
