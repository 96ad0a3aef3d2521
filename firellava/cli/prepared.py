"""``firellava ask --show-prepared``: the pictures that the model asked first is shown, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firellava.errors import InvalidRequest
from firellava.images import PreparedImage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["save_prepared"]


def save_prepared(images: Sequence[Sequence[PreparedImage | str]], folder: Path) -> list[Path]:
    """Write ``prepared-1.png`` for the first image, ``prepared-1-part-1.png`` for a part of it, and so on.

    Args:
        images: the pictures of each image; see `VisionClient.preview`. What is passed on as a URL is not
            here to be written.
        folder: where to; files of these names are replaced.

    Returns:
        The files written.

    Raises:
        InvalidRequest: a file cannot be written.
    """
    written = []
    for number, pictures in enumerate(images, 1):
        for part, picture in enumerate(pictures):
            if isinstance(picture, PreparedImage):
                which = f"{number}-part-{part}" if part else f"{number}"
                path = folder / f"prepared-{which}.{picture.format.lower()}"
                try:
                    path.write_bytes(picture.data)
                except OSError as error:
                    raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from error
                written.append(path)
    return written
