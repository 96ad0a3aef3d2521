"""What an encoded image file consists of, and whether any of it is more than pixels need.

A second opinion on what the package writes: it shares no code with it, knows what may be in a file instead
of what must not, and takes everything else for a leak. After ITU-T T.81 (JPEG), JFIF 1.02 and the PNG
specification.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["has_gps", "superfluous_parts"]

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_NEEDED: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

_SOI, _EOI, _SOS, _APP0, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
_RESTARTS: Final = frozenset(range(0xD0, 0xD8))
# Tables of Huffman codes and quantisation, restart interval, arithmetic conditioning; frames; scans.
_JPEG_NEEDED: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD, _SOS}) | frozenset(range(0xC0, 0xD0)) - {0xC8}
_JFIF_WITHOUT_THUMBNAIL: Final = 14
_ADOBE: Final = 12

_TIFF_HEADER: Final = re.compile(rb"II\*\x00|MM\x00\*")
_GPS_DIRECTORY: Final = 0x8825
_MOST_HEADERS: Final = 50


def superfluous_parts(data: bytes) -> list[str]:
    """Names of the parts of a JPEG or PNG file that hold anything but its pixels; none in a clean file."""
    if data.startswith(_PNG_SIGNATURE):
        return list(_superfluous_in_png(data))
    if data.startswith(b"\xff\xd8"):
        return list(_superfluous_in_jpeg(data))
    return ["neither JPEG nor PNG"]


def has_gps(data: bytes) -> bool:
    """Whether a file of any format holds an EXIF block that tells a place."""
    headers = [match.start() for match, _ in zip(_TIFF_HEADER.finditer(data), range(_MOST_HEADERS))]  # noqa: B905 - cut short on purpose
    return any(_tells_place(data[start : start + 70_000]) for start in headers)


def _superfluous_in_png(data: bytes) -> Iterator[str]:
    position, compressed = len(_PNG_SIGNATURE), b""
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", data.ljust(position + 12 + length), position + 8 + length)
        position += 12 + length
        if checksum != zlib.crc32(kind + body):
            yield f"a damaged chunk {kind!r}"
        if kind not in _PNG_NEEDED:
            yield f"chunk {kind!r}"
        if kind == b"IDAT":
            compressed += body
        if kind == b"IEND":
            break
    inflation = zlib.decompressobj()
    inflation.decompress(compressed)
    if inflation.unused_data or not inflation.eof:
        yield "bytes behind the compressed pixels, or too few of them"
    if position != len(data):
        yield f"{len(data) - position} bytes after the end"


def _superfluous_in_jpeg(data: bytes) -> Iterator[str]:
    position = 2
    while position + 2 <= len(data):
        if data[position] != 0xFF:  # noqa: PLR2004 - what every marker starts with
            yield f"byte {position} is no marker"
            return
        marker = data[position + 1]
        if marker == _EOI:
            if position + 2 != len(data):
                yield f"{len(data) - position - 2} bytes after the end"
            return
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        content = data[position + 4 : position + 2 + length]
        if not _is_needed(marker, content):
            yield f"segment FF{marker:02X} of {length} bytes: {content[:12]!r}"
        position += 2 + length
        if marker == _SOS:
            position = _end_of_scan(data, position)
    yield "no end"


def _is_needed(marker: int, content: bytes) -> bool:
    if marker == _APP0:
        has_thumbnail = content[12:14] != b"\x00\x00"
        return (
            content.startswith(b"JFIF\x00") and len(content) == _JFIF_WITHOUT_THUMBNAIL and not has_thumbnail
        )
    if marker == _APP14:
        return content.startswith(b"Adobe") and len(content) == _ADOBE
    return marker in _JPEG_NEEDED


def _end_of_scan(data: bytes, position: int) -> int:
    while position + 1 < len(data):
        position = data.find(b"\xff", position)
        if position < 0:
            return len(data)
        if (
            data[position + 1 : position + 2] not in (b"\x00", b"\xff")
            and data[position + 1] not in _RESTARTS
        ):
            return position
        position += 1 if data[position + 1] == 0xFF else 2  # noqa: PLR2004 - a fill byte
    return len(data)


def _tells_place(block: bytes) -> bool:
    order = "<" if block.startswith(b"II") else ">"
    try:
        (directory,) = struct.unpack_from(order + "I", block, 4)
        for tag, value in _entries(block, order, directory):
            if tag == _GPS_DIRECTORY:
                return any(_entries(block, order, value))
    except struct.error:
        pass
    return False


def _entries(block: bytes, order: str, directory: int) -> Iterator[tuple[int, int]]:
    (count,) = struct.unpack_from(order + "H", block, directory)
    for index in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHII", block, directory + 2 + 12 * index)
        yield tag, value
