"""What came of a download so far, unpacked and counted, without the network."""

from __future__ import annotations

import zlib
from typing import Final

from firellava.errors import ImageDownloadFailed, ImageTooLarge, UnsupportedFormat
from firellava.images.formats import detect_format, refuse_format

__all__ = ["ReceivedImage"]

# The signature of every format, and enough of anything else to say what it is.
_HEAD: Final = 512
_GZIP: Final = zlib.MAX_WBITS | 16


class ReceivedImage:
    """Takes the bytes of an image as they come, and refuses the rest of one as early as it can.

    Args:
        name: what messages call the image.
        max_bytes: of the image, packed or not. No more than that is ever unpacked.
        encoding: the server's Content-Encoding. Some send what they store packed although nobody asked for
            it; gzip is unpacked, anything else refused.
        length: the server's Content-Length.

    Raises:
        ImageTooLarge: the server itself says so.
        ImageDownloadFailed: packed in another way than gzip.
    """

    def __init__(self, name: str, max_bytes: int, encoding: bytes = b"", length: bytes = b"") -> None:
        if encoding.lower() not in (b"", b"identity", b"gzip", b"x-gzip"):
            raise ImageDownloadFailed(f"{name}: its server packed the image in a way nobody asked for.")
        self._unpacker = zlib.decompressobj(_GZIP) if encoding.lower().endswith(b"gzip") else None
        self._name = name
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._packed = 0
        self._is_image = False
        if length.isdigit():
            self._check_count(int(length))

    def feed(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            ImageTooLarge: more than `max_bytes` of them, before or after unpacking.
            ImageDownloadFailed: what the server packed is damaged.
            UnsupportedFormat: it starts like something else than an image that is opened.
        """
        self._packed += len(piece)
        self._check_count(self._packed)
        self._data += piece if self._unpacker is None else self._unpack(piece)
        self._check_count(len(self._data))
        if len(self._data) >= _HEAD:
            self._check_format()

    def whole(self) -> bytes:
        """The image, when all has come.

        Raises:
            ImageDownloadFailed: what the server packed is cut short.
            UnsupportedFormat: it starts like something else than an image that is opened.
            UnreadableImage: there are no bytes.
        """
        if self._unpacker is not None and not self._unpacker.eof:
            raise ImageDownloadFailed(f"{self._name}: what its server packed is cut short.")
        self._check_format()
        return bytes(self._data)

    def _unpack(self, piece: bytes) -> bytes:
        if self._unpacker is None or self._unpacker.eof:
            return b""
        try:
            return self._unpacker.decompress(piece, self._max_bytes + 1 - len(self._data))
        except zlib.error:
            raise ImageDownloadFailed(f"{self._name}: what its server packed is damaged.") from None

    def _check_count(self, count: int) -> None:
        if count > self._max_bytes:
            raise ImageTooLarge(
                f"{self._name} has more than {self._max_bytes:,} bytes, which is all that is downloaded. "
                "Raise FetchPolicy(max_bytes=…), or give a smaller image."
            )

    def _check_format(self) -> None:
        if self._is_image:
            return
        head = bytes(self._data[:_HEAD])
        image_format = detect_format(head)
        if image_format is None:
            raise refuse_format(head, self._name)
        if image_format == "PDF":
            raise UnsupportedFormat(
                f"{self._name} is a PDF document, and only pictures are downloaded: download it yourself and "
                "give its pages, ImageSource.pages(…)."
            )
        self._is_image = True
