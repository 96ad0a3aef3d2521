"""Where an image comes from, as one value that travels through requests.

An `ImageSource` is made from whatever a developer has: a path, bytes, base64, a data URL, an http URL, a
Pillow image, an array. It names one page of a document and may name a part of the picture. It holds no
decoded pixels unless it was given some, decides nothing about formats, and shows in its repr only what may be
logged.
"""

from __future__ import annotations

import hashlib
import io
import operator
import os
import re
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

from PIL import Image

from firellava.errors import InvalidRequest, UnreadableImage
from firellava.images.arrays import PixelArray, image_of_array
from firellava.images.files import quote_path, read_image_file
from firellava.images.limits import MAX_BYTES, check_byte_count
from firellava.images.opened import missing_page
from firellava.images.pages import count_pages
from firellava.images.pixels import hash_pixels, upright_copy
from firellava.images.regions import check_region, region_within
from firellava.images.urls import check_web_url, decode_base64, decode_data_url, public_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from firellava.images.regions import Region

__all__ = ["ImageInput", "ImageSource"]

_Kind: TypeAlias = Literal["path", "bytes", "url", "pixels"]

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_UNNAMED: Final = "The image data"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImageSource:
    """An image a developer gave, wherever its pixels are. Compares by content; pickles.

    Make one with `of` or a ``from_…`` method.

    Attributes:
        kind: ``path`` (a file, not read yet), ``bytes`` (an encoded image), ``url`` or ``pixels``.
        name: what messages call the image: its path, its URL without the query, or "The image data".
        page: which page of a PDF or TIFF file is meant. Pages count from 1, as in every viewer.
        region: the part of the upright picture that is meant, as fractions (left, top, right, bottom), or
            None for the whole; see `cropped`.
    """

    kind: _Kind
    name: str
    _value: str | bytes | Image.Image
    page: int = 1
    region: Region | None = None
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
        if isinstance(value, (str, os.PathLike)):
            return cls._from_text(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return cls.from_bytes(value)
        if isinstance(value, Image.Image):
            return cls.from_pil(value)
        if isinstance(value, PixelArray):
            return cls.from_array(value)
        if hasattr(value, "read"):
            return cls._from_file(value)
        raise UnreadableImage(
            f"A value of type {type(value).__name__} is no image: give a path, bytes, a file opened in "
            "binary mode, a Pillow image, an array, an http(s) URL or a data URL."
        )

    @classmethod
    def pages(
        cls,
        value: ImageInput,
        pages: Iterable[int] | None = None,
        *,
        image_roots: Iterable[str | os.PathLike[str]] | None = None,
    ) -> tuple[ImageSource, ...]:
        """The pages of a PDF or TIFF file, an image each; of anything else the one picture it is.

        A file is read now, to count its pages, and its bytes are shared by all of them. A page of a PDF is
        drawn only when it is prepared, with the pixels its model wants. The frames of an animation are no
        pages, and a Pillow image counts as the frame it stands at.

        Args:
            value: as for `of`, but no URL: nothing is downloaded here.
            pages: numbers of the pages wanted, in the order wanted, counted from 1: ``[1, 3]`` or
                ``range(1, 5)``. None takes all.
            image_roots: folders a file must lie in; None allows any folder.

        Raises:
            InvalidRequest: one of `pages` is no number.
            UnreadableImage: there is no such page, it is damaged or protected by a password, or a URL.
            UnsupportedFormat: no image, or none of a format that is opened.
            ImageTooLarge: more bytes or pages than are read.
            ForbiddenPath: the file is outside `image_roots`.
            MissingExtra: a PDF, and what draws it is not installed.
        """
        loaded = cls.of(value).load(image_roots)
        _refuse_url(loaded, "has its pages counted")
        count = 1 if loaded.data is None else count_pages(loaded.data, loaded.name)
        wanted = [loaded.on_page(page) for page in (range(1, count + 1) if pages is None else pages)]
        for source in wanted:
            if source.page > count:
                raise missing_page(source.name, source.page, count)
        return tuple(wanted)

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
        return cls.from_bytes(decode_base64(text))

    @classmethod
    def from_data_url(cls, text: str) -> ImageSource:
        """An encoded image as a data URL (RFC 2397). The type it claims is not believed.

        Raises:
            UnreadableImage: it is no data URL, or its content is damaged.
            ImageTooLarge: too many bytes.
        """
        return cls.from_bytes(decode_data_url(text))

    @classmethod
    def from_url(cls, text: str) -> ImageSource:
        """An image on the web. The server fetches it, where it can; nothing is downloaded here.

        Raises:
            UnreadableImage: no http or https URL, or one with a user name or password in it.
        """
        url = check_web_url(text)
        return cls("url", public_url(url), url)

    @classmethod
    def from_pil(cls, image: Image.Image) -> ImageSource:
        """A Pillow image: the frame it stands at, turned upright. Later changes to `image` are not seen.

        Raises:
            UnreadableImage: it was opened from a file that does not decode.
            ImageTooLarge: more pixels than are decoded.
        """
        return cls("pixels", _UNNAMED, upright_copy(image, _UNNAMED))

    @classmethod
    def from_array(cls, array: PixelArray) -> ImageSource:
        """Pixels in a NumPy array: height x width, or height x width x 1, 2, 3 or 4 channels, red first.

        Numbers are ``bool``, ``uint8``, ``uint16`` (0 to 65535), ``float32`` or ``float64`` (0 to 1, or 0 to
        255 where any is greater than 2). Later changes to `array` are not seen.

        Raises:
            UnreadableImage: a shape or type of numbers that is no picture; the message says which.
            ImageTooLarge: more pixels than are decoded.
        """
        return cls("pixels", _UNNAMED, image_of_array(array))

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

        For a later page or a part, the hash of that together with page and region. None for a file that was
        not read yet and for a URL.
        """
        whole = self._whole_digest()
        if whole is None or (self.page == 1 and self.region is None):
            return whole
        return hashlib.sha256(f"{whole} {self.page} {self.region}".encode()).hexdigest()

    @property
    def content_hash(self) -> str | None:
        """``sha256-`` and the hash of all that was given, whatever page or part is meant; see `sha256`."""
        whole = self._whole_digest()
        return None if whole is None else f"sha256-{whole}"

    def on_page(self, page: int) -> ImageSource:
        """The same file at another page. Whether there is one shows when the image is opened.

        Args:
            page: counted from 1.

        Raises:
            InvalidRequest: no whole number from 1.
            UnreadableImage: the image is on the web, where a page cannot be asked for.
        """
        try:
            number = operator.index(page)
        except TypeError:
            number = 0
        if number < 1:
            raise InvalidRequest(f"There is no page {page!r}: pages are whole numbers and count from 1.")
        if number == self.page:
            return self
        _refuse_url(self, "has a page chosen")
        return replace(self, page=number)

    def cropped(self, left: float, top: float, right: float, bottom: float) -> ImageSource:
        """A part of the picture as an image of its own. Nothing is read or decoded yet.

        Fractions hold whatever size the picture is decoded at: a part of a PDF page is drawn as sharp as its
        model can see, and not cut out of a small picture of the page.

        Args:
            left: fraction of the width of the upright picture, 0 to 1. A part of a part is meant as a
                fraction of that part.
            top: fraction of its height.
            right: like `left`, and greater.
            bottom: like `top`, and greater.

        Raises:
            InvalidRequest: these are no such fractions.
            UnreadableImage: the image is on the web, where a part cannot be asked for.
        """
        region = check_region(left, top, right, bottom)
        if region is None:
            return self
        _refuse_url(self, "is cut")
        return replace(self, region=region_within(self.region, region))

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
            loaded = self._from_encoded(read_image_file(self._value, image_roots), self.name)
            return replace(loaded, page=self.page, region=self.region)
        return self

    @classmethod
    def _from_text(cls, text: str | os.PathLike[str]) -> ImageSource:
        if isinstance(text, str) and _URL.match(text):
            return cls.from_data_url(text) if text[:5].lower() == "data:" else cls.from_url(text)
        return cls.from_path(text)

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

    def _whole_digest(self) -> str | None:
        if isinstance(self._value, str):
            return None
        if not self._digest:  # computed at most once in one thread, and alike in all
            if isinstance(self._value, bytes):
                self._digest.append(hashlib.sha256(self._value).hexdigest())
            else:
                self._digest.append(hash_pixels(self._value))
        return self._digest[0]

    def _identity(self) -> tuple[object, ...]:
        value = self._value if isinstance(self._value, str) else self.sha256
        return self.kind, value, self.page, self.region

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, ImageSource) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        facts = []
        if isinstance(self._value, bytes):
            facts += [f"{len(self._value):,} bytes", f"sha256 {(self.sha256 or '')[:12]}"]
        elif isinstance(self._value, Image.Image):
            picture = self._value
            facts += [
                f"{picture.mode} {picture.width}x{picture.height}",
                f"sha256 {(self.sha256 or '')[:12]}",
            ]
        if self.page > 1:
            facts.append(f"page {self.page}")
        if self.region is not None:
            left, top, right, bottom = self.region
            facts.append(f"part {left:.3g} to {right:.3g} across, {top:.3g} to {bottom:.3g} down")
        name = [] if self.name == _UNNAMED else [self.name]
        return f"ImageSource({self.kind} {', '.join(name + facts)})"


ImageInput: TypeAlias = (
    ImageSource
    | str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | IO[bytes]
    | Image.Image
    | PixelArray
)
"""What a developer may hand in as an image: see `ImageSource.of`."""


def _refuse_url(source: ImageSource, what: str) -> None:
    """Raise for a URL, which the server would fetch and see whole."""
    if source.is_url:
        raise UnreadableImage(
            f"{source.name} is a URL, and only an image that is here {what}: download it and give its bytes."
        )
