"""Which image is described, and what its caption depends on: the key it is found again by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import orjson

from firellava.images.decode import open_image

if TYPE_CHECKING:
    from pathlib import Path

    from firellava.client import VisionClient
    from firellava.images import ImageSource
    from firellava.messages import Request

__all__ = ["CaptionedImage", "caption_key"]


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """An image that was read, and what a caption says of it.

    Attributes:
        source: the image, its bytes or pixels in memory.
        content_hash: see `Caption`, as for the others.
        mime_type: what the file is by its content.
        size: of the page, or of the part of it that is meant.
    """

    source: ImageSource
    content_hash: str
    mime_type: str | None
    size: tuple[int, int]

    @classmethod
    def read(cls, source: ImageSource, image_roots: tuple[Path, ...] | None) -> Self:
        """Read an image and look at its header.

        Raises:
            ImageError: there is no picture to be had from it.
            MissingExtra: HEIF or PDF, and what opens it is not installed.
        """
        loaded = source.load(image_roots)
        opened = open_image(loaded)
        assert loaded.content_hash is not None  # noqa: S101 - what was opened is in memory
        return cls(loaded, loaded.content_hash, opened.mime_type, opened.size)


def caption_key(client: VisionClient, request: Request, image: CaptionedImage) -> str:
    """A hash of everything that a caption depends on.

    Args:
        client: who is asked.
        request: what is asked of every image, without one.
        image: the image.
    """
    told = {
        "image": image.content_hash,
        "page": image.source.page,
        "region": image.source.region,
        "question": request.messages[-1].text,
        "fit": request.fit,
        "parameters": request.parameters.model_dump(mode="json", exclude_none=True),
        "client": client.answers_depend_on,
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
