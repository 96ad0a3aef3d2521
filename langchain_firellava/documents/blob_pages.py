"""The images of LangChain's blobs: the pages of each, and whose they are when their captions come."""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firellava.errors import FireLLaVAError, MissingExtra, UnreadableImage
from firellava.images import ImageSource
from langchain_firellava.images import image_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.documents.base import Blob

__all__ = ["BlobPage", "BlobPages", "FailedImage"]

_NPY = "application/x-npy"
"""What LangChain's PDF loaders call an array of pixels as `numpy.save` writes it."""


@dataclass(frozen=True, slots=True)
class FailedImage:
    """An image without a caption.

    Attributes:
        blob: where it is.
        page: which page, from 1; None where the pages could not be counted.
        error: why.
    """

    blob: Blob
    page: int | None
    error: FireLLaVAError

    def __str__(self) -> str:
        """In one line, without a byte of the image."""
        name = "An image in memory" if self.blob.source is None else repr(self.blob.source)
        page = "" if self.page in {None, 1} else f", page {self.page}"
        return f"{name}{page} has no caption. {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True)
class BlobPage:
    """A page of a blob.

    Attributes:
        blob: the blob.
        page: from 1.
        pages: how many the blob has.
    """

    blob: Blob
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class BlobPages:
    """Iterates over the images of blobs, and tells for each result whose it is.

    A blob is read when its first page is wanted. One that cannot be read gives no image; its failure waits
    for the turn it would have had.

    Attributes:
        blobs: the blobs.
        image_roots: folders files must lie in, or None.
        on_pages: is told how many pages a blob has.
    """

    blobs: Iterable[Blob]
    image_roots: Iterable[str] | None
    on_pages: Callable[[int], None]
    _taken: deque[BlobPage | FailedImage] = field(default_factory=deque)

    def __iter__(self) -> Iterator[ImageSource]:
        for blob in self.blobs:
            try:
                pages = ImageSource.pages(_image_of(blob), image_roots=self.image_roots)
            except FireLLaVAError as error:
                self._taken.append(FailedImage(blob, None, error))
                continue
            self.on_pages(len(pages))
            for page in pages:
                self._taken.append(BlobPage(blob, page.page, len(pages)))
                yield page

    def failures(self) -> Iterator[FailedImage]:
        """The blobs that could not be read, up to the next page."""
        while self._taken and isinstance(failed := self._taken[0], FailedImage):
            self._taken.popleft()
            yield failed

    def next_page(self) -> BlobPage:
        """The page whose result comes next; `failures` come before it."""
        page = self._taken.popleft()
        if isinstance(page, FailedImage):
            raise TypeError("A failure stands before the next page.")
        return page


def _image_of(blob: Blob) -> ImageSource:
    return _image_of_array(blob.as_bytes()) if blob.mimetype == _NPY else image_source(blob)


def _image_of_array(data: bytes) -> ImageSource:
    try:
        import numpy as np  # noqa: PLC0415 - only whoever has NumPy makes such blobs
    except ImportError:
        raise MissingExtra("ocr", "A blob with a NumPy array") from None
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UnreadableImage("The data is no array as numpy.save writes one.") from error
    return ImageSource.from_array(array)
