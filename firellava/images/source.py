"""Where an image comes from, as one value that travels through requests.

An `ImageSource` is made from whatever a developer has: a path, bytes, base64, a data URL, an http URL, a
Pillow image. It holds no decoded pixels unless it was given some, decides nothing about formats, and shows
in its repr only what may be logged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from PIL import Image

from firellava.errors import UnreadableImage
from firellava.images.exif import TURNS
from firellava.images.files import quote_path, read_image_file
from firellava.images.limits import MAX_BYTES, check_byte_count, check_pixel_count

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ImageInput", "ImageSource"]

_Kind: TypeAlias = Literal["path", "bytes", "url", "pixels"]

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_DATA_URL: Final = re.compile(r"data:([^,]*),", re.IGNORECASE)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_ORIENTATION: Final = 0x0112
_UNNAMED: Final = "The image data"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImageSource:
    """An image a developer gave, wherever its pixels are. Compares by content; pickles.

    Make one with `of` or a ``from_…`` method.

    Attributes:
        kind: ``path`` (a file, not read yet), ``bytes`` (an encoded image), ``url`` or ``pixels``.
        name: what messages call the image: its path, its URL without the query, or "The image data".
    """

    kind: _Kind
    name: str
    _value: str | bytes | Image.Image
    _digest: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, value: ImageInput) -> ImageSource:
        """Take whatever a developer calls an image.

        A string is an http(s) URL, a data URL, or else the path of a file. Strings out of messages or stored
        nodes must not come here: use the method that says what they are.

        Raises:
            UnreadableImage: it is nothing that can hold an image.
            ImageTooLarge: more bytes or pixels than are read.
        """
        if isinstance(value, ImageSource):
            return value
        if isinstance(value, str) and _URL.match(value):
            return cls.from_data_url(value) if value[:5].lower() == "data:" else cls.from_url(value)
        if isinstance(value, (str, os.PathLike)):
            return cls.from_path(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return cls.from_bytes(value)
        if isinstance(value, Image.Image):
            return cls.from_pil(value)
        if hasattr(value, "read"):
            return cls._from_file(value)
        raise UnreadableImage(
            f"A value of type {type(value).__name__} is no image: give a path, bytes, a file opened in "
            "binary mode, a Pillow image, an http(s) URL or a data URL."
        )

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> ImageSource:
        """A file. It is read when the request is made (`load`), not now."""
        text = os.fsdecode(path)
        return cls("path", quote_path(text), text)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> ImageSource:
        """An encoded image: the content of an image file.

        Raises:
            UnreadableImage: there are no bytes.
            ImageTooLarge: there are too many.
        """
        return cls._from_encoded(bytes(data), _UNNAMED)

    @classmethod
    def from_base64(cls, text: str) -> ImageSource:
        """An encoded image as base64 (RFC 4648), line ends allowed, padding optional.

        Raises:
            UnreadableImage: it is not base64.
            ImageTooLarge: too many bytes.
        """
        return cls.from_bytes(_decode_base64(text))

    @classmethod
    def from_data_url(cls, text: str) -> ImageSource:
        """An encoded image as a data URL (RFC 2397). The type it claims is not believed.

        Raises:
            UnreadableImage: it is no data URL, or its content is damaged.
            ImageTooLarge: too many bytes.
        """
        header = _DATA_URL.match(text)
        if header is None:
            raise UnreadableImage("This is no data URL: one looks like data:image/png;base64,iVBORw0KGgo…")
        content = text[header.end() :]
        if not header[1].lower().endswith(";base64"):
            check_byte_count(len(content) // 3, "The data URL")
            return cls.from_bytes(unquote_to_bytes(content))
        if "%" in content:
            content = unquote_to_bytes(content).decode("latin-1")
        return cls.from_base64(content)

    @classmethod
    def from_url(cls, text: str) -> ImageSource:
        """An image on the web. The server fetches it, where it can; nothing is downloaded here.

        Raises:
            UnreadableImage: no http or https URL, or one with a user name or password in it.
        """
        url = text.strip()
        try:
            parts = urlsplit(url)
            has_credentials = parts.username is not None or parts.password is not None
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise UnreadableImage("The image URL is malformed.") from None
        if parts.scheme not in ("http", "https"):
            raise UnreadableImage(
                f"An image URL starts with http:// or https://, not {parts.scheme[:20]!r}. "
                "For a file use ImageSource.from_path, for a data URL ImageSource.from_data_url."
            )
        if not host or _UNPRINTABLE.search(url):
            raise UnreadableImage("The image URL is malformed: it has no host, or blanks inside.")
        if has_credentials:
            raise UnreadableImage(
                f"The image URL for {host!r} has a user name or password in it, and would hand them to the "
                "model's server. Download the image and give its bytes."
            )
        return cls("url", _public_url(url), url)

    @classmethod
    def from_pil(cls, image: Image.Image) -> ImageSource:
        """A Pillow image: the frame it stands at, turned upright. Later changes to `image` are not seen.

        Raises:
            UnreadableImage: it was opened from a file that does not decode.
            ImageTooLarge: more pixels than are decoded.
        """
        check_pixel_count(image.size, _UNNAMED)
        try:
            orientation = image.getexif().get(_ORIENTATION, 1)
        except Exception:  # noqa: BLE001 - Pillow raises anything on damaged EXIF, and the pixels are fine
            orientation = 1
        turn = TURNS.get(orientation)
        try:
            pixels = image.copy() if turn is None else image.transpose(turn)
        except Exception as error:
            raise UnreadableImage(
                "The Pillow image does not decode: its file is damaged or closed."
            ) from error
        pixels.info = {key: pixels.info[key] for key in ("icc_profile", "transparency") if key in pixels.info}
        return cls("pixels", _UNNAMED, pixels)

    @property
    def is_url(self) -> bool:
        """Whether the image is on the web."""
        return self.kind == "url"

    @property
    def url(self) -> str | None:
        """The whole URL of an image on the web, query included; None for other images."""
        return self._value if self.kind == "url" and isinstance(self._value, str) else None

    @property
    def data(self) -> bytes | None:
        """The encoded image; None for files not read yet, URLs and pixels."""
        return self._value if isinstance(self._value, bytes) else None

    @property
    def pixels(self) -> Image.Image | None:
        """The Pillow image that was given, to be read only; None for other images."""
        return self._value if isinstance(self._value, Image.Image) else None

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the encoded image, or of mode, size and pixels, in hexadecimal.

        None for a file that was not read yet and for a URL.
        """
        if isinstance(self._value, str):
            return None
        if not self._digest:  # computed at most once in one thread, and alike in all
            self._digest.append(_digest(self._value))
        return self._digest[0]

    def load(self, image_roots: Iterable[str | os.PathLike[str]] | None = None) -> ImageSource:
        """This image with its bytes in memory: a file is read, anything else is returned as it is.

        Args:
            image_roots: folders a file must lie in; None allows any folder.

        Raises:
            ForbiddenPath: the file is outside `image_roots`.
            UnreadableImage: it is missing, no regular file, or not permitted.
            ImageTooLarge: more bytes than are read.
        """
        if self.kind == "path" and isinstance(self._value, str):
            return self._from_encoded(read_image_file(self._value, image_roots), self.name)
        return self

    @classmethod
    def _from_encoded(cls, data: bytes, name: str) -> ImageSource:
        if not data:
            raise UnreadableImage(f"{name} is empty: it has no bytes.")
        check_byte_count(len(data), name)
        return cls("bytes", name, data)

    @classmethod
    def _from_file(cls, file: IO[bytes]) -> ImageSource:
        # Whoever has just written an image into a buffer stands at its end.
        if isinstance(file, io.IOBase) and file.seekable():
            file.seek(0)
        data = file.read(MAX_BYTES + 1)
        if not isinstance(data, bytes):
            raise UnreadableImage("The file gives text, not bytes: open it in binary mode, open(path, 'rb').")
        return cls._from_encoded(data, _UNNAMED)

    def _identity(self) -> tuple[str, str | None]:
        return self.kind, self._value if isinstance(self._value, str) else self.sha256

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, ImageSource) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        if isinstance(self._value, str):
            return f"ImageSource({self.kind} {self.name})"
        name = "" if self.name == _UNNAMED else f"{self.name}, "
        if isinstance(self._value, bytes):
            size = f"{len(self._value):,} bytes"
        else:
            size = f"{self._value.mode} {self._value.width}x{self._value.height}"
        return f"ImageSource({self.kind} {name}{size}, sha256 {(self.sha256 or '')[:12]})"


ImageInput: TypeAlias = (
    ImageSource | str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image
)
"""What a developer may hand in as an image: see `ImageSource.of`."""


def _decode_base64(text: str) -> bytes:
    check_byte_count(len(text) * 3 // 4, "The base64 image")
    compact = "".join(text.split())
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableImage("The image is not valid base64: it is damaged or cut short.") from None


def _public_url(url: str) -> str:
    """A URL without its query and fragment, which often hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _digest(value: bytes | Image.Image) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    header = (value.mode, value.size, value.getpalette("RGBA") if value.mode in ("P", "PA") else None)
    colours = (value.info.get("icc_profile"), value.info.get("transparency"))
    return hashlib.sha256(repr((header, colours)).encode() + value.tobytes()).hexdigest()
