"""Chosen facts out of an image's EXIF, as a line of text for the prompt. Only ever on request.

The model sees pixels and nothing else; who wants it to know when a picture was taken passes that through the
prompt. What EXIF says was written by whoever made the file, so values are cleaned and cut short.
"""

from __future__ import annotations

import difflib
import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, SupportsFloat

from PIL import ExifTags

from firellava.errors import InvalidRequest
from firellava.images.decode import open_image

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from firellava.images.opened import OpenedImage
    from firellava.images.source import ImageSource

__all__ = ["describe_metadata"]

_LONGEST_VALUE: Final = 200
_MOST_NUMBERS: Final = 16
_TAGS: Final[dict[str, int]] = {name: tag for tag, name in ExifTags.TAGS.items()}
_GPS_TAGS: Final[dict[str, int]] = {name: tag for tag, name in ExifTags.GPSTAGS.items()}
# EXIF 2.32, 4.6.5: the character code before a comment.
_CHARACTER_CODES: Final = {b"ASCII\x00\x00\x00": "ascii", b"UNICODE\x00": "utf-16", b"\x00" * 8: "ascii"}


def describe_metadata(
    source: ImageSource,
    names: Sequence[str],
    *,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> str | None:
    """A line such as ``Image metadata: DateTime: 2024:05:01 10:00:00; Model: X``.

    Args:
        source: the image.
        names: EXIF tags by name (``DateTime``, ``Model``, ``ExposureTime``, ``GPSLatitude``, …), in the order
            they are wanted. Tags the image lacks are left out.
        image_roots: folders a file must lie in; None allows any folder.

    Returns:
        The line, or None where the image has none of the tags or is a URL.

    Raises:
        InvalidRequest: a name is no EXIF tag.
        ImageError: the image cannot be opened.
    """
    for name in names:
        _check_name(name)
    if source.is_url:
        return None
    directories = _read_directories(open_image(source, image_roots))
    facts = []
    for name in names:
        text = _as_text(name, _find(name, directories))
        if text:
            facts.append(f"{name}: {text}")
    return f"Image metadata: {'; '.join(facts)}" if facts else None


def _check_name(name: str) -> None:
    if name in _TAGS or name in _GPS_TAGS:
        return
    close = difflib.get_close_matches(name, [*_TAGS, *_GPS_TAGS], n=3)
    advice = f" Did you mean {' or '.join(close)}?" if close else " PIL.ExifTags.TAGS lists the names."
    raise InvalidRequest(f"{name!r} is no EXIF tag.{advice}")


@dataclass(frozen=True, slots=True)
class _Directories:
    """The three tables of an EXIF block: about the picture, about taking it, about the place."""

    picture: Mapping[int, object]
    taking: Mapping[int, object]
    place: Mapping[int, object]


def _read_directories(opened: OpenedImage) -> _Directories:
    try:
        exif = opened.read_exif()
        return _Directories(exif, exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # noqa: BLE001 - Pillow raises anything on damaged EXIF, which then says nothing
        return _Directories({}, {}, {})


def _find(name: str, directories: _Directories) -> object:
    if name in _GPS_TAGS:
        return directories.place.get(_GPS_TAGS[name])
    tag = _TAGS[name]
    return directories.picture.get(tag, directories.taking.get(tag))


def _as_text(name: str, value: object) -> str | None:
    if isinstance(value, tuple):
        texts = [_as_text(name, part) for part in value[:_MOST_NUMBERS]]
        return ", ".join(text for text in texts if text)
    if isinstance(value, bytes):
        return _clean(_decode(name, value))
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, SupportsFloat):
        number = float(value)
        return f"{number:.10g}" if math.isfinite(number) else None
    return None


def _decode(name: str, value: bytes) -> str:
    encoding = "utf-16-le" if name.startswith("XP") else "ascii"
    for code, meant in _CHARACTER_CODES.items():
        if value.startswith(code):
            value, encoding = value[len(code) :], meant
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return ""


def _clean(text: str) -> str:
    """One line of bounded length, without control characters and the ``<image>`` that prompts count."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text if c not in "<>")
    return " ".join(visible.split())[:_LONGEST_VALUE]
