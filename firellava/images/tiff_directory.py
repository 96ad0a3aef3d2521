"""The directories of a TIFF file: one page of it without metadata, or its metadata without pixels.

A TIFF is a chain of directories, one for each page, of tags whose values stand anywhere in the file (TIFF
6.0, section 2; BigTIFF has wider numbers), and an EXIF block is a TIFF. Pillow would read all tags of all
pages up to the one wanted, warn about whatever is damaged in any, and give up over some. So it gets a plain
file with one directory, of whole and wanted tags.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL import TiffTags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["TiffPage", "directory_places", "intact_exif", "single_page"]

# TIFF 6.0: what pixels need, the profile of their colours included; and what tells of another format.
_NEEDED: Final = frozenset(
    {
        256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325,
        332, 338, 339, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532, 34675, 48129,
    }
)  # fmt: skip
# Texts, dates, makers, and the blocks of XMP, IPTC, Photoshop, EXIF and GPS.
_DESCRIPTIVE: Final = frozenset(
    {269, 270, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34853, 40965}
)
_EXIF, _GPS = 34665, 34853
_TYPE_BYTES: Final = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
_STRINGS: Final = frozenset({1, 2, 7})
# BigTIFF's own types, and what they are in any TIFF.
_NARROWER: Final = {16: (4, "Q", "I"), 17: (9, "q", "i"), 18: (13, "Q", "I")}
_LONG, _LONG_BYTES = 4, 4
_MOST_ENTRIES: Final = 65_535
_LONGEST_VALUE: Final = 65_535


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One page of a TIFF file.

    Attributes:
        data: a TIFF file of this page alone, without metadata.
        described: whether there was any.
        several: whether the file has more pages.
        exif: its metadata, as an EXIF block.
    """

    data: bytes
    described: bool
    several: bool
    exif: bytes


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers stand in a file; `first` is where the place of the first directory is."""

    order: str
    first: int
    place: str
    count: str

    @property
    def place_bytes(self) -> int:
        return struct.calcsize(self.order + self.place)

    @property
    def entry_bytes(self) -> int:
        return 4 + 2 * self.place_bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    kind: int
    count: int
    content: bytes


def directory_places(data: bytes) -> Iterator[int]:
    """Where the directory of each page is; a chain that comes back to itself or leaves the file ends there.

    Raises:
        ValueError: the header is damaged.
    """
    layout = _read_layout(data)
    seen: set[int] = set()
    link = layout.first
    while link + layout.place_bytes <= len(data):
        (place,) = struct.unpack_from(layout.order + layout.place, data, link)
        if not 0 < place <= len(data) - struct.calcsize(layout.order + layout.count) or place in seen:
            return
        seen.add(place)
        yield place
        start, count = _read_start(data, layout, place)
        link = start + count * layout.entry_bytes


def single_page(data: bytes, page: int) -> TiffPage | None:
    """A page as a file of its own, or None where there is no such page.

    Args:
        data: the file.
        page: counted from 1.

    Raises:
        ValueError: the file is damaged.
    """
    layout = _read_layout(data)
    places = directory_places(data)
    for number, place in enumerate(places, 1):
        if number == page:
            several = page > 1 or next(places, None) is not None
            needed = _read_entries(data, layout, place, _NEEDED)
            described = not _DESCRIPTIVE.isdisjoint(_read_tags(data, layout, place))
            return TiffPage(
                _with_directory(data, layout.order, needed), described, several, intact_exif(data, place)
            )
    return None


def intact_exif(block: bytes, place: int | None = None) -> bytes:
    """An EXIF block of those tags whose values are whole and fit a block of the size that JPEG allows.

    The tags are those about the picture, about taking it and about the place.

    Args:
        block: an EXIF block or TIFF file.
        place: where its directory is, if that is not the first.

    Raises:
        ValueError: the header is damaged.
    """
    layout = _read_layout(block)
    place = next(directory_places(block), None) if place is None else place
    header = (b"II*\x00" if layout.order == "<" else b"MM\x00*") + bytes(4)
    if place is None:
        return header
    entries = {entry.tag: entry for entry in _described(block, layout, place)}
    for tag in (_EXIF, _GPS):
        pointer = entries.pop(tag, None)
        if pointer is not None and len(pointer.content) == _LONG_BYTES:
            (inner,) = struct.unpack(layout.order + "I", pointer.content)
            if 0 < inner < len(block) - layout.place_bytes:
                header = _with_directory(header, layout.order, _described(block, layout, inner, tag))
                entries[tag] = _Entry(tag, _LONG, 1, header[4:8])
    return _with_directory(header, layout.order, list(entries.values()))


def _described(block: bytes, layout: _Layout, place: int, group: int | None = None) -> list[_Entry]:
    entries = _read_entries(block, layout, place, group=group)
    return [entry for entry in entries if len(entry.content) <= _LONGEST_VALUE]


def _read_layout(data: bytes) -> _Layout:
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\x00", b"\x00+")
    layout = _Layout(order, 8, "Q", "Q") if is_big else _Layout(order, 4, "I", "H")
    if data[:2] not in (b"II", b"MM") or len(data) < layout.first + layout.place_bytes:
        raise ValueError("no TIFF header")
    return layout


def _read_start(data: bytes, layout: _Layout, place: int) -> tuple[int, int]:
    """Where the entries of a directory start, and how many it says there are."""
    (count,) = struct.unpack_from(layout.order + layout.count, data, place)
    return place + struct.calcsize(layout.order + layout.count), count


def _read_tags(data: bytes, layout: _Layout, place: int) -> Iterator[int]:
    for position in _positions(data, layout, place):
        yield struct.unpack_from(layout.order + "H", data, position)[0]


def _positions(data: bytes, layout: _Layout, place: int) -> range:
    start, count = _read_start(data, layout, place)
    size = layout.entry_bytes
    return range(start, min(start + min(count, _MOST_ENTRIES) * size, len(data) - size + 1), size)


def _read_entries(
    data: bytes, layout: _Layout, place: int, wanted: Collection[int] | None = None, group: int | None = None
) -> list[_Entry]:
    """The tags of a directory whose values are whole; of a tag that is there twice, the first."""
    entries: dict[int, _Entry] = {}
    taken = 0
    for position in _positions(data, layout, place):
        tag, kind, count = struct.unpack_from(f"{layout.order}HH{layout.place}", data, position)
        size = count * _TYPE_BYTES.get(kind, 0)
        is_wanted = tag not in entries and (wanted is None or tag in wanted)
        if not is_wanted or not size or _are_too_many(tag, kind, count, group):
            continue
        start = position + 4 + layout.place_bytes
        if size > layout.place_bytes:
            (start,) = struct.unpack_from(layout.order + layout.place, data, start)
        taken += size
        # Tags that share their values could be made to take any amount of memory.
        if start + size > len(data) or taken > len(data):
            continue
        entry = _narrowed(layout.order, _Entry(tag, kind, count, data[start : start + size]))
        if entry is not None:
            entries[tag] = entry
    return list(entries.values())


def _are_too_many(tag: int, kind: int, count: int, group: int | None) -> bool:
    """Whether a tag has many numbers where one is meant."""
    return count > 1 and kind not in _STRINGS and TiffTags.lookup(tag, group).length == 1


def _narrowed(order: str, entry: _Entry) -> _Entry | None:
    """The entry in a type that any TIFF may have; None where its numbers are too large for that."""
    if entry.kind not in _NARROWER:
        return entry
    kind, wide, narrow = _NARROWER[entry.kind]
    numbers = struct.unpack(f"{order}{entry.count}{wide}", entry.content)
    try:
        content = struct.pack(f"{order}{entry.count}{narrow}", *numbers)
    except struct.error:
        return None
    return _Entry(entry.tag, kind, entry.count, content)


def _with_directory(data: bytes, order: str, entries: list[_Entry]) -> bytes:
    """The file as a plain TIFF with `entries` as its only directory, behind everything else."""
    directory = len(data) + len(data) % 2
    behind = directory + 2 + 12 * len(entries) + 4
    packed = [struct.pack(order + "H", len(entries))]
    values = []
    for entry in sorted(entries, key=lambda entry: entry.tag):
        packed.append(struct.pack(order + "HHI", entry.tag, entry.kind, entry.count))
        if len(entry.content) <= _LONG_BYTES:
            packed.append(entry.content.ljust(_LONG_BYTES, b"\x00"))
            continue
        packed.append(struct.pack(order + "I", behind))
        values.append(entry.content + bytes(len(entry.content) % 2))
        behind += len(values[-1])
    header = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", directory)
    padding = bytes(directory - len(data))
    return b"".join((header, memoryview(data)[8:], padding, *packed, bytes(4), *values))
