"""Pages of documents as image files of their own: a node can name a file, and not a page of one."""

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING, Final

from firellava.errors import ConfigurationError
from firellava.images.inline import inline_image

if TYPE_CHECKING:
    from pathlib import Path

    from firellava import ImageSource
    from firellava.models import ImageFormat

__all__ = ["is_page_file", "page_file"]

_EXTENSIONS: Final[dict[ImageFormat, str]] = {"PNG": ".png", "JPEG": ".jpg"}
_NAME: Final = re.compile(r".*-[0-9a-f]{12}-page-\d{4,}\.(png|jpg)", re.DOTALL)


def page_file(source: ImageSource, stem: str, folder: Path) -> Path:
    """The file that holds a page, drawn now if it was not before.

    A page of print stays readable: it has up to 2048 pixels on its longer side.

    Args:
        source: the page, its bytes in memory.
        stem: how the file's name begins; the content of the document and the page's number follow.
        folder: where the file belongs; made if it is not there.

    Raises:
        ImageError: the page is damaged, or too large.
        MissingExtra: a PDF, and what draws it is not installed.
        ConfigurationError: the folder cannot be written to.
    """
    whole = source.on_page(1).sha256 or ""
    name = f"{stem}-{whole[:12]}-page-{source.page:04}"
    for extension in _EXTENSIONS.values():
        drawn = folder / f"{name}{extension}"
        if drawn.exists():
            return drawn
    picture = inline_image(source)
    path = folder / f"{name}{_EXTENSIONS[picture.format]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, picture.data)
    except OSError as error:
        raise ConfigurationError(
            f"pages_folder={str(folder)!r} cannot be written to: {error.strerror}."
        ) from None
    return path


def is_page_file(path: Path, folder: Path) -> bool:
    """Whether a file in a folder is one that `page_file` drew there.

    Args:
        path: absolute, without ``..``.
        folder: where pages are drawn to.
    """
    return _NAME.fullmatch(path.name) is not None and os.fspath(path.parent) == os.path.abspath(folder)  # noqa: PTH100 - Path.absolute keeps ".."


def _write(path: Path, data: bytes) -> None:
    """Write a file that is either whole or not there, whoever else writes it at the same time."""
    part = path.with_name(f".{uuid.uuid4().hex}")  # not by tempfile, whose files only their owner can read
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
