"""The segments of a JPEG file: finding the EXIF block, and cutting metadata out without touching a pixel.

A JPEG is a row of segments (ITU-T T.81, annex B): a marker ``FF xx``, for most of them a length, then
content. Entropy-coded pixel data follows each scan header and holds ``FF`` only before ``00`` or a restart
marker. What is no JPEG throughout gives None, and the caller leaves the file to the decoder's judgement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from firellava.errors import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JpegHeader", "cut_jpeg_metadata", "read_jpeg_header"]

_START_OF_IMAGE: Final = 0xD8
_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
_COMMENT: Final = 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_EXIF: Final = b"Exif\x00\x00"
_PROFILE: Final = b"ICC_PROFILE\x00"
_JFIF: Final = b"JFIF\x00"
_JFIF_LENGTH: Final = 14
_ADOBE: Final = b"Adobe"
_ADOBE_LENGTH: Final = 12
_MOST_SEGMENTS: Final = 5_000
_FILL: Final = re.compile(rb"\xff+(?=\xff)")
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the first scan of a JPEG.

    Attributes:
        head: the header with its colour profile and without other metadata.
        scan_start: where in the file the first scan starts, which is what follows `head`.
        exif: the EXIF block, a small TIFF file, or None.
        one_pass: whether the pixels stand in one scan in order, so that a decoder that scales down never
            holds the whole picture. Others (progressive files) need two bytes for every sample.
        has_metadata: whether anything was left out of `head`.
    """

    head: bytes
    scan_start: int
    exif: bytes | None
    one_pass: bool
    has_metadata: bool


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """Read the segments before the first scan, or give None where they are damaged.

    Raises:
        UnreadableImage: there are thousands of them, which no camera or program writes.
    """
    kept: list[bytes] = []
    exif: bytes | None = None
    frame: _Segment | None = None
    metadata = False
    for segment in _segments(data):
        if segment.marker == _START_OF_SCAN:
            # A frame lists its components at offset 5, a scan those it holds at 0 (T.81, B.2.2 and B.2.3).
            one_pass = (
                frame is not None
                and frame.marker in _SEQUENTIAL
                and data[frame.content + 5] == data[segment.content]
            )
            return JpegHeader(b"".join(kept), segment.start, exif, one_pass, metadata)
        if segment.marker in _FRAMES:
            frame = segment
        content = data[segment.content : segment.end]
        if segment.marker == _APP1 and content.startswith(_EXIF) and exif is None:
            exif = content[len(_EXIF) :]
        cleaned = _without_metadata(data, segment, keep_profile=True)
        kept.append(cleaned)
        metadata = metadata or len(cleaned) < segment.end - segment.start
    return None


def cut_jpeg_metadata(data: bytes) -> bytes | None:
    """The same JPEG with pixels as they are and no EXIF, XMP, colour profile, comment, thumbnail or tail.

    Returns:
        The shorter file, or None where the file is damaged or has no end.
    """
    kept: list[bytes] = []
    for segment in _segments(data):
        kept.append(_without_metadata(data, segment, keep_profile=False))
        if segment.marker == _START_OF_SCAN:
            kept.append(data[segment.end : _scan_end(data, segment)])
        if segment.marker == _END_OF_IMAGE:
            return b"".join(kept)
    return None


def _without_metadata(data: bytes, segment: _Segment, *, keep_profile: bool) -> bytes:
    """The segment as it may stay; nothing where it is metadata."""
    if not (segment.marker == _COMMENT or _APP0 <= segment.marker <= _APP15):
        return data[segment.start : segment.end]
    content = data[segment.content : segment.end]
    if segment.marker == _APP0 and content.startswith(_JFIF) and len(content) >= _JFIF_LENGTH:
        # The last two bytes state the size of a thumbnail, which is left out: it may show the picture
        # before it was edited.
        return b"\xff\xe0\x00\x10" + content[:12] + b"\x00\x00"
    if segment.marker == _APP14 and content.startswith(_ADOBE) and len(content) >= _ADOBE_LENGTH:
        # It tells the decoder how colours are coded. Some programs write more behind that.
        return b"\xff\xee\x00\x0e" + content[:_ADOBE_LENGTH]
    if keep_profile and segment.marker == _APP2 and content.startswith(_PROFILE):
        return data[segment.start : segment.end]
    return b""


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments in order, as far as they follow the rules; pixel data is skipped."""
    if data[:2] != b"\xff\xd8":
        return
    yield _Segment(_START_OF_IMAGE, 0, 2, 2)
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if fill := _FILL.match(data, position):
            position = fill.end()
        header = data[position : position + 4]
        if len(header) < 2 or header[0] != 0xFF or header[1] in (0x00, _START_OF_IMAGE):  # noqa: PLR2004
            return
        if header[1] == _END_OF_IMAGE:
            yield _Segment(_END_OF_IMAGE, position, position + 2, position + 2)
            return
        length = int.from_bytes(header[2:4], "big")
        segment = _Segment(header[1], position, position + 4, position + 2 + length)
        if length < 2 or segment.end > len(data):  # noqa: PLR2004 - the length counts its own two bytes
            return
        yield segment
        position = _scan_end(data, segment) if segment.marker == _START_OF_SCAN else segment.end
    raise UnreadableImage(f"A JPEG with more than {_MOST_SEGMENTS:,} segments is damaged or made to do harm.")


def _scan_end(data: bytes, scan: _Segment) -> int:
    found = _MARKER.search(data, scan.end)
    return found.start() if found else len(data)
