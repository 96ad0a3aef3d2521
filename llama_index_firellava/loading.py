"""Image files as LlamaIndex documents: `load_images`.

What a file is, its content says: names and extensions are not believed, and no picture is decoded here. A
document points to its file and holds no image data, so that it is small wherever it is stored or sent to, and
it says in its metadata what the content is, so that whoever caches by it sees a changed picture.
"""

from __future__ import annotations

import glob
import logging
import mimetypes
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from llama_index.core.schema import ImageDocument, MediaResource

from firellava import ImageSource
from firellava.captions.identity import CaptionedImage
from firellava.errors import FireLLaVAError, InvalidRequest, UnreadableImage, UnsupportedFormat
from firellava.images.files import as_folders, quote_path
from firellava.images.formats import detect_format, refuse_format
from firellava.images.pages import count_pages
from llama_index_firellava.page_files import is_page_file, page_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["load_images"]

_logger = logging.getLogger("llama_index_firellava")

PathText: TypeAlias = "str | os.PathLike[str]"

# Nothing that says what is in the picture.
_KEPT_FROM_MODELS: Final = [
    "file_path",
    "file_type",
    "file_size",
    "content_hash",
    "image_width",
    "image_height",
]

_ENOUGH_TO_TELL: Final = 512
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)
_DIGITS: Final = re.compile(r"(\d+)")


def load_images(
    images: PathText | Iterable[PathText],
    *,
    recursive: bool = True,
    pages_folder: PathText | None = None,
    image_roots: PathText | Iterable[PathText] | None = None,
) -> list[ImageDocument]:
    """Image files as documents, for an IngestionPipeline with an ``ImageCaptioner``.

        documents = load_images("photographs")                # a folder with all below it
        documents = load_images("photographs/2024-*/*.jpg")   # a pattern, as for `glob`
        documents = load_images(["receipt.jpg", "invoice"])   # files, folders, patterns

    They come in the order people count in (``page2`` before ``page10``), the files of a folder before those
    of its subfolders, and a file only once. Hidden files and folders are left out.

    A file that is named must be an image. Of those found in a folder or by a pattern, what is no image is
    left out, with a line in the log, and a warning there where it should be one (damaged, too large, of a
    format that is not opened). Damage that shows only in the pixels shows when they are needed.

    A document's id is the absolute path of its file, so that a docstore recognises it in the next run. It has
    no text of its own. Its metadata are ``file_path``, ``file_name``, ``file_type`` (by content),
    ``file_size``, ``page_label``, ``content_hash`` (``sha256-`` and 64 hexadecimal digits), ``image_width``
    and ``image_height`` (upright). No dates: touching a file does not change the picture. Models and
    embeddings are told ``file_name`` and ``page_label``.

    Args:
        images: a file, a folder, a pattern, or several of these.
        recursive: look into the subfolders of folders.
        pages_folder: where to draw the pages of PDF and TIFF files to, each as a PNG or JPEG file, once; each
            gets a document of its own, with ``#page=2`` at the end of its id. Keep the folder as long as the
            documents, which point into it, and name it in the ``image_roots`` of an LLM that has any. It may
            lie among the images: drawn pages are not found again as files of their own. Without it a PDF is
            refused, and a TIFF counts as its first page.
        image_roots: folders the files must lie in, all links followed; anywhere by default.

    Raises:
        UnreadableImage: a named file or folder is missing or damaged, or a pattern matches nothing.
        UnsupportedFormat: a named file is no image, or none of a format that is opened.
        ImageTooLarge: a named file has more bytes, pixels or pages than are read.
        ForbiddenPath: a named file is outside `image_roots`.
        MissingExtra: a named file is HEIF or PDF, and what opens it is not installed.
        InvalidRequest: `images` holds something other than paths.
    """
    loading = _Loading(
        None if image_roots is None else as_folders(image_roots),
        None if pages_folder is None else Path(pages_folder).absolute(),
    )
    documents: list[ImageDocument] = []
    seen: set[Path] = set()
    for path, named in _files(images, recursive=recursive):
        if path not in seen and (named or not loading.drew(path)):
            seen.add(path)
            documents += loading.documents(path, named=named)
    return documents


@dataclass(frozen=True, slots=True)
class _Loading:
    """What holds for all files of one call."""

    image_roots: tuple[Path, ...] | None
    pages_folder: Path | None

    def drew(self, path: Path) -> bool:
        """Whether a file is a page of another one, drawn by an earlier call or by this one."""
        return self.pages_folder is not None and is_page_file(path, self.pages_folder)

    def documents(self, path: Path, *, named: bool) -> Iterator[ImageDocument]:
        """The documents of a file. One that was only found, and is none, is reported and left out."""
        try:
            if not named:
                _require_image(path)
            file = CaptionedImage.read(ImageSource.from_path(_storable(path)), self.image_roots)
            pages = self._pages(file.source)
        except FireLLaVAError as error:
            if named:
                raise
            _report(path, error)
            return
        for page in pages:
            try:
                yield self._document(path, file, page)
            except FireLLaVAError as error:
                if named:
                    raise
                _report(path, error)

    def _pages(self, source: ImageSource) -> Sequence[int | None]:
        """The pages to draw; None stands for the file as it is."""
        data = source.data or b""
        is_pdf = detect_format(data) == "PDF"
        if is_pdf and self.pages_folder is None:
            raise UnsupportedFormat(
                f"{source.name} is a PDF: name a pages_folder=, where its pages are drawn to."
            )
        count = count_pages(data, source.name)
        if count == 1 and not is_pdf:
            return [None]
        if self.pages_folder is None:
            _logger.warning(
                "%s has %d pages, of which the first is taken: name a pages_folder= to take all.",
                source.name,
                count,
            )
            return [None]
        return range(1, count + 1)

    def _document(self, path: Path, file: CaptionedImage, page: int | None) -> ImageDocument:
        picture, picture_path = file, path
        if page is not None and self.pages_folder is not None:
            picture_path = page_file(file.source.on_page(page), path.stem, self.pages_folder)
            picture = CaptionedImage.read(ImageSource.from_path(picture_path), None)
        metadata = {
            "file_path": str(path),
            "file_name": path.name,
            "file_type": file.mime_type,
            "file_size": len(file.source.data or b""),
            "page_label": str(page or 1),
            "content_hash": picture.content_hash,
            "image_width": picture.size[0],
            "image_height": picture.size[1],
        }
        return ImageDocument(
            id_=str(path) if page is None else f"{path}#page={page}",
            # Not image_path=, which lets Pillow open the file and refuses what it does not know.
            image_resource=MediaResource(path=picture_path, mimetype=picture.mime_type),
            # Without a text LlamaIndex leaves the metadata out of what its caches tell documents apart by.
            text_resource=MediaResource(text="", mimetype="text/plain"),
            metadata=metadata,
            excluded_embed_metadata_keys=list(_KEPT_FROM_MODELS),
            excluded_llm_metadata_keys=list(_KEPT_FROM_MODELS),
        )


def _files(images: PathText | Iterable[PathText], *, recursive: bool) -> Iterator[tuple[Path, bool]]:
    """The files meant, as absolute paths, and whether each was named itself."""
    given = [images] if isinstance(images, str | os.PathLike) else images
    if isinstance(given, bytes | bytearray | memoryview) or not isinstance(given, Iterable):
        raise _no_path(given)
    for one in given:
        if not isinstance(one, str | os.PathLike):
            raise _no_path(one)
        if not os.fspath(one):
            raise InvalidRequest("An empty text is no path: name a file, a folder or a pattern.")
        path = Path(os.path.abspath(one))  # noqa: PTH100 - Path.absolute keeps "..", and one file two names
        if path.is_dir():
            yield from ((file, False) for file in _files_below(path, recursive=recursive))
        elif glob.has_magic(os.fspath(one)) and not path.exists():
            yield from ((file, False) for file in _files_matching(os.fspath(one)))
        elif isinstance(one, str) and _URL.match(one):
            raise InvalidRequest(
                "load_images takes paths, and nothing is downloaded here: an image on the web is an "
                "ImageNode(image_url=…)."
            )
        else:
            yield path, True


def _files_below(folder: Path, *, recursive: bool) -> Iterator[Path]:
    def warn(error: OSError) -> None:
        _logger.warning("The folder %s cannot be listed: %s.", quote_path(error.filename), error.strerror)

    for parent, folders, names in os.walk(folder, onerror=warn):
        folders[:] = sorted(filter(_is_visible, folders), key=_as_counted) if recursive else []
        yield from (Path(parent, name) for name in sorted(filter(_is_visible, names), key=_as_counted))


def _files_matching(pattern: str) -> list[Path]:
    # Patterns do not match hidden files and folders, unless they name them.
    paths = [Path(os.path.abspath(match)) for match in glob.iglob(pattern, recursive=True)]  # noqa: PTH100, PTH207 - as above; Path.glob takes no absolute pattern
    files = [path for path in paths if not path.is_dir()]
    if not files:
        raise UnreadableImage(f"No file matches {quote_path(pattern)}.")
    return sorted(files, key=lambda path: [_as_counted(part) for part in path.parts])


def _is_visible(name: str) -> bool:
    return not name.startswith(".")


def _as_counted(name: str) -> tuple[list[str | int], str]:
    """What to sort by so that 2 stands before 10."""
    pieces = _DIGITS.split(name.casefold())
    return [int(piece) if index % 2 else piece for index, piece in enumerate(pieces)], name


def _require_image(path: Path) -> None:
    """Look at the beginning only: what stands beside pictures may be large.

    Raises:
        UnsupportedFormat: it does not begin like an image.
        UnreadableImage: it cannot be read, or is empty.
    """
    if not path.is_file():  # a link to nowhere, a pipe or a device, which would wait for whoever writes to it
        raise UnreadableImage(f"{quote_path(path)} is not a regular file.")
    try:
        with path.open("rb") as file:
            head = file.read(_ENOUGH_TO_TELL)
    except OSError as error:
        raise UnreadableImage(f"The file {quote_path(path)} cannot be read: {error.strerror}.") from None
    if detect_format(head) is None:
        raise refuse_format(head, quote_path(path))


def _storable(path: Path) -> Path:
    """The path, where it is a text that can be stored.

    Raises:
        UnreadableImage: it holds bytes that are no text.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UnreadableImage(
            f"The name of {quote_path(path)} is not valid UTF-8, and no store could keep it: rename the file."
        ) from None
    return path


def _report(path: Path, error: FireLLaVAError) -> None:
    claimed = mimetypes.guess_type(path.name)[0] or ""
    claims_more = claimed.startswith("image/") or claimed == "application/pdf"
    is_other_file = isinstance(error, UnsupportedFormat) and not claims_more
    _logger.log(logging.INFO if is_other_file else logging.WARNING, "Left out: %s", error)


def _no_path(value: object) -> InvalidRequest:
    return InvalidRequest(
        f"load_images takes paths, not a value of type {type(value).__name__}: an image without a file is an "
        "ImageDocument(image=…)."
    )
