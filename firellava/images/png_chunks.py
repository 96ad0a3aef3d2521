"""The chunks of a PNG file: giving the decoder, or the world, those that pixels need.

A PNG is a row of chunks: a length, four letters, content, a checksum (PNG specification, section 5). The
decoder would inflate all texts, and refuse a picture whose description is longer than it likes or does not
match its checksum; and it would warn about an animation of which only the first picture is wanted.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PngChunks", "cut_png_metadata", "read_png_chunks"]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_FRAME: Final = 12
_INFLATED_AT_ONCE: Final = 1_000_000
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_ANIMATION: Final = frozenset({b"acTL", b"fcTL", b"fdAT"})
# How ImageMagick stored EXIF before PNG had a chunk for it. What says which way is up is never so long.
_EXIF_TEXT: Final = re.compile(rb"Raw profile type (?:exif|APP1)\x00")
_LONGEST_EXIF_TEXT: Final = 200_000


@dataclass(frozen=True, slots=True)
class PngChunks:
    """A PNG file as a decoder should see it.

    Attributes:
        data: the file without texts, dates and all frames of an animation but the first picture.
        described: whether texts or a date were left out.
        several: whether frames of an animation were.
    """

    data: bytes
    described: bool
    several: bool


def read_png_chunks(data: bytes) -> PngChunks:
    """Leave out what no pixel needs. What is damaged stays as it is, for the decoder to judge."""
    kept: list[memoryview] = [memoryview(data)[: len(_SIGNATURE)]]
    described = False
    animated = several = False
    end = len(_SIGNATURE)
    for kind, start, end in _chunks(data):
        if kind in _ANIMATION:
            animated = True
            several = several or kind == b"fdAT"
        elif kind == b"tIME" or (kind in _TEXTS and not _holds_exif(data, start, end)):
            described = True
        else:
            kept.append(memoryview(data)[start:end])
    kept.append(memoryview(data)[end:])
    if not described and not animated:
        return PngChunks(data, described, several)
    return PngChunks(b"".join(kept), described, several)


def cut_png_metadata(data: bytes) -> bytes | None:
    """The same PNG with pixels as they are, and nothing else but palette and transparency.

    Returns:
        The shorter file, or None where it has no end, a chunk is damaged, or there is anything behind the
        compressed pixels: what an editor cut off stays there when it writes over a longer file.
    """
    kept: list[bytes | memoryview] = [_SIGNATURE]
    inflation = zlib.decompressobj()
    for kind, start, end in _chunks(data):
        if kind not in _PIXELS:
            continue
        chunk = memoryview(data)[start:end]
        (checksum,) = struct.unpack_from(">I", chunk, len(chunk) - 4)
        if checksum != zlib.crc32(chunk[4:-4]):
            return None
        if kind == b"IDAT" and not _inflate(inflation, chunk[8:-4]):
            return None
        kept.append(chunk)
        if kind == b"IEND":
            return b"".join(kept) if inflation.eof else None
    return None


def _inflate(inflation: zlib._Decompress, compressed: memoryview) -> bool:
    """Inflate one piece more of the pixels, keeping nothing; whether all of it belonged to them."""
    if inflation.eof:
        return not compressed
    try:
        while len(compressed) > 0 and not inflation.eof:
            inflation.decompress(compressed, _INFLATED_AT_ONCE)
            compressed = memoryview(inflation.unconsumed_tail)
    except zlib.error:
        return False
    return not inflation.unused_data


def _holds_exif(data: bytes, start: int, end: int) -> bool:
    return end - start < _LONGEST_EXIF_TEXT and _EXIF_TEXT.match(data, start + 8) is not None


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The letters of each whole chunk, where it starts and where it ends."""
    position = len(_SIGNATURE)
    while position + _FRAME <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + _FRAME + length
        if end > len(data):
            return
        kind = data[position + 4 : position + 8]
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end
