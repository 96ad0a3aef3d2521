"""``firellava ask --show-evidence``: the images with a frame around what the answer quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firellava.errors import InvalidRequest
from firellava.evidence import draw_evidence
from firellava.images.fetch import fetch_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from firellava.images import ImageSource
    from firellava.replies import Reply

__all__ = ["make_folder", "save_evidence"]


def make_folder(folder: Path) -> None:
    """Make a folder to write into, before a question is asked for nothing.

    Raises:
        InvalidRequest: there can be none.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"Nothing can be written into {folder}: {error.strerror}.") from error


def save_evidence(reply: Reply, images: Sequence[ImageSource], folder: Path) -> list[Path]:
    """Write ``evidence-1.png`` for the first image, and so on, of those that the answer quotes.

    Args:
        reply: the answer.
        images: the images that were asked about, in order; one given by URL is downloaded.
        folder: where to; files of these names are replaced.

    Returns:
        The files written; none where the answer quotes nothing.

    Raises:
        ImageError: an image can no longer be had.
        InvalidRequest: a file cannot be written.
    """
    written = []
    for number in sorted({quoted.image for quoted in reply.evidence}):
        source = images[number]
        shown = source if source.url is None else fetch_image(source.url)
        path = folder / f"evidence-{number + 1}.png"
        try:
            draw_evidence(shown, reply.evidence, number).save(path)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from error
        written.append(path)
    return written
