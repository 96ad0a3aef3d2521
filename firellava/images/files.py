"""Reading a file that a developer named, and nothing that only looks like a file.

A path may come from a stored node or a message, so a read is narrow: a regular file, of a bounded size,
inside ``image_roots`` where those are given, and without waiting for a pipe that nobody writes to.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from firellava.errors import ForbiddenPath, ImageError, UnreadableImage
from firellava.images.limits import MAX_BYTES, check_byte_count

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["as_folders", "quote_path", "read_image_file"]

_LONGEST_PATH_SHOWN: Final = 200
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=\s]{64,}")

# Missing on Windows, where none of them is needed: there are no FIFOs in the file system.
_OPEN_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def quote_path(path: str | os.PathLike[str]) -> str:
    """The path for a message: escaped, and left out where it looks like base64.

    That is image data handed in as a path by mistake, and image data is never shown.
    """
    text = os.fsdecode(path)
    if _looks_like_base64(text):
        return f"({len(text):,} characters)"
    return repr(text)


def read_image_file(
    path: str | os.PathLike[str], image_roots: Iterable[str | os.PathLike[str]] | None = None
) -> bytes:
    """The whole content of a file.

    Args:
        path: as the developer wrote it; links are followed before anything is checked.
        image_roots: folders the file must lie in once all links are followed. None allows any folder, an
            empty sequence none.

    Raises:
        ForbiddenPath: outside `image_roots`; whether the file exists is not told.
        UnreadableImage: missing, a folder, a pipe or a device, or not permitted.
        ImageTooLarge: more than `MAX_BYTES` bytes.
    """
    shown = quote_path(path)
    try:
        resolved = Path(path).resolve()
        if image_roots is not None and not _is_inside(resolved, image_roots):
            raise ForbiddenPath(f"{shown} lies outside the folders in image_roots.")
        return _read_regular_file(resolved, shown)
    except ImageError:  # ours are ValueErrors too
        raise
    except FileNotFoundError:
        raise UnreadableImage(f"There is no file {shown}.{_hint(path)}") from None
    except PermissionError:
        raise UnreadableImage(f"The file {shown} may not be read: permission denied.") from None
    except (OSError, RuntimeError, ValueError) as error:  # loops of links, NUL bytes, names that are too long
        reason = getattr(error, "strerror", None) or "it is no valid path"
        raise UnreadableImage(f"The file {shown} cannot be read: {reason}.{_hint(path)}") from None


def as_folders(image_roots: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """The folders of an ``image_roots`` setting. A text is one folder, never the letters it is made of."""
    roots = [image_roots] if isinstance(image_roots, str | os.PathLike) else image_roots
    return tuple(Path(root) for root in roots)


def _is_inside(resolved: Path, image_roots: Iterable[str | os.PathLike[str]]) -> bool:
    return any(resolved.is_relative_to(root.resolve()) for root in as_folders(image_roots))


def _read_regular_file(resolved: Path, shown: str) -> bytes:
    # Opening some devices has effects, so the kind is looked at before the file is opened, and again after:
    # another process may have put something else there in between.
    _require_regular(resolved.stat(), shown)
    descriptor = os.open(resolved, _OPEN_FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        _require_regular(status, shown)
        check_byte_count(status.st_size, f"The file {shown}")
        data = file.read(MAX_BYTES + 1)
    check_byte_count(len(data), f"The file {shown}")
    return data


def _require_regular(status: os.stat_result, shown: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImage(f"{shown} is a folder, not an image file.")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage(f"{shown} is not a regular file, and only regular files are read.")


def _looks_like_base64(text: str) -> bool:
    return len(text) > _LONGEST_PATH_SHOWN or _BASE64.fullmatch(text) is not None


def _hint(path: str | os.PathLike[str]) -> str:
    if _looks_like_base64(os.fsdecode(path)):
        return " If this text is an image, use ImageSource.from_base64."
    return ""
