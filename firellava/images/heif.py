"""HEIF and AVIF: pictures in boxes, as phones store them.

Their boxes say which way is up (``irot``, ``imir``), and decoders obey that; what EXIF says about it beside
that is not to be obeyed a second time (ISO/IEC 23008-12, annex A).
"""

from __future__ import annotations

import io
import re
from typing import IO, TYPE_CHECKING, Final

from PIL.AvifImagePlugin import AvifImageFile

from firellava.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

__all__ = ["open_avif", "open_heif"]

# ISO/IEC 14496-12, 8.11.6: the entry that names an item, in its two layouts, then the item's type.
_EXIF_ITEM: Final = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


def open_heif(data: bytes) -> Image:
    """The main picture of a HEIF file, not decoded yet. Pillow learns nothing of this decoder.

    Raises:
        MissingExtra: the decoder is not installed.
    """
    try:
        from pillow_heif import HeifImageFile  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("heic", needed_for="Opening a HEIC or HEIF image") from error
    decoder: Callable[[IO[bytes]], Image] = HeifImageFile
    return decoder(io.BytesIO(data))


def open_avif(data: bytes) -> Image:
    """The first picture of an AVIF file, not decoded yet."""
    try:
        return AvifImageFile(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - the decoder parses EXIF, and a damaged block must not cost the picture
        return AvifImageFile(io.BytesIO(_EXIF_ITEM.sub(rb"\1free", data)))
