"""`image_block`: from whatever image a developer has to a content block for any LangChain message."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.documents.base import Blob, Document

from firellava.errors import UnreadableImage
from firellava.images import ImageInput, ImageSource, inline_image
from firellava.images.content_hash import content_hash
from firellava.images.inline import INLINE_SIDE

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from firellava.messages import Detail

__all__ = ["BlockInput", "image_block", "image_source"]

BlockInput: TypeAlias = ImageInput | Blob | Document
"""A path, bytes, a binary file, a Pillow image, a NumPy array, a `Blob`, a `Document`, an http(s) URL, a data
URL or an `ImageSource`."""


def image_block(
    source: BlockInput,
    *,
    max_side: int = INLINE_SIDE,
    detail: Detail | None = None,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> dict[str, Any]:
    """An image as a content block for a message.

    A local image is read now and kept inside the block: upright, without metadata, at most `max_side` pixels
    on its long side, so that traces and checkpoints stay small. Its id is a hash of its content, so the same
    image gives the same block, and LangChain's caches recognise it. An http(s) URL stays a URL and is not
    fetched here; in long conversations, where every image is sent again with every turn, prefer URLs.

    The block is LangChain's standard ``image`` block, which every current chat model reads. That block has no
    place for `detail`, and LangChain's conversion for OpenAI drops extras; so with `detail` it is an
    ``image_url`` block, which the same models read too, and which keeps it.

    Of a PDF or TIFF file this is the first page; all of them are
    ``[image_block(page) for page in ImageSource.pages("report.pdf")]``.

    With the metadata gone, a model's ``describe_metadata=`` finds none in it. What the model is to know goes
    into a text block beside it: ``firellava.images.describe_metadata(ImageSource.of(path), ["DateTime"])``.

    Args:
        source: a path, bytes, a binary file, a Pillow image, a NumPy array, a `Blob`, a URL, a data URL or an
            `ImageSource`; or a `Document` whose metadata names its image as ``source``. A string is a path
            unless it looks like a URL: do not pass strings here that come from others.
        max_side: pixels; a smaller image keeps its size.
        detail: the API's hint for models that look at images in several resolutions.
        image_roots: folders a file must lie in; None allows any folder. Give them for documents from a store
            that others write to.

    Raises:
        ImageError: the image is missing, unreadable, too large or of a format that is not opened.
    """
    image = image_source(source)
    if image.url is not None:
        if detail is not None:
            return {"type": "image_url", "image_url": {"url": image.url, "detail": detail}}
        return {"type": "image", "url": image.url}
    inlined = inline_image(image, max_side, image_roots=image_roots)
    encoded = base64.b64encode(inlined.data).decode("ascii")
    if detail is not None:
        url = f"data:{inlined.mime_type};base64,{encoded}"
        return {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    return {
        "type": "image",
        "base64": encoded,
        "mime_type": inlined.mime_type,
        "id": content_hash(inlined.data),
    }


def image_source(source: BlockInput) -> ImageSource:
    """What a developer gave, as the core's value; a file is not read yet.

    Raises:
        ImageError: it is nothing that can hold an image.
    """
    if isinstance(source, Document):
        place = source.metadata.get("source")
        if not isinstance(place, str):
            raise UnreadableImage(
                "The Document does not say where its image is: metadata['source'] is missing."
            )
        return ImageSource.of(place)
    if not isinstance(source, Blob):
        return ImageSource.of(source)
    if source.data is None and source.path is not None:
        return ImageSource.from_path(source.path)
    return ImageSource.from_bytes(source.as_bytes())
