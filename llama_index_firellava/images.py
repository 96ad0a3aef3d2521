"""The images in LlamaIndex's blocks, documents and nodes, as the core's `ImageSource`.

LlamaIndex's own resolvers read any path and fetch any URL, so they are never called; the fields are taken as
they are. Paths that merely stand in metadata are ignored. Nothing is fetched here, and no file is read but
that of a DocumentBlock, whose pages have to be counted.
"""

from __future__ import annotations

import base64
import binascii
from typing import IO, TYPE_CHECKING, Final, cast

from llama_index.core.base.llms.types import DocumentBlock, ImageBlock
from llama_index.core.schema import ImageNode, MediaResource, Node, NodeWithScore
from pydantic import BaseModel

from firellava import ImageSource
from firellava.errors import InvalidRequest, UnreadableImage
from firellava.images.formats import detect_format
from firellava.offload import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from io import IOBase
    from pathlib import Path

    from llama_index.core.schema import BaseNode
    from pydantic import AnyUrl

    ImageDocumentLike = BaseNode | ImageBlock | DocumentBlock | MediaResource | NodeWithScore

__all__ = ["block_source", "document_pages", "to_image_sources", "to_image_sources_async"]

_IMAGE: Final = "image/"


def to_image_sources(
    images: Iterable[ImageDocumentLike] | None, image_roots: Iterable[str] | None = None
) -> list[ImageSource]:
    """The images in what code written for ``MultiModalLLM`` hands in as ``image_documents=``.

    Args:
        images: ImageNode, ImageDocument, any node with an ``image_resource``, such a MediaResource itself,
            ImageBlock, DocumentBlock, or NodeWithScore.
        image_roots: folders in which the file of a DocumentBlock must lie; None allows any folder.

    Raises:
        InvalidRequest: one of them is something else, or `images` is no list.
        ImageError: one of them holds no image.
    """
    if isinstance(images, str | bytes | BaseModel):
        raise InvalidRequest(
            f"image_documents= takes a list, not one {type(images).__name__}: write image_documents=[…]."
        )
    sources: list[ImageSource] = []
    for image in images or ():
        held = image.node if isinstance(image, NodeWithScore) else image
        if isinstance(held, DocumentBlock):
            sources += document_pages(held, image_roots)
        else:
            sources.append(_document_source(held))
    return sources


async def to_image_sources_async(
    images: Iterable[ImageDocumentLike] | None, image_roots: Iterable[str] | None = None
) -> list[ImageSource]:
    """The asynchronous twin of `to_image_sources`: megabytes of base64 are decoded off the event loop."""
    return await in_thread(to_image_sources, images, image_roots) if images else []


def block_source(block: ImageBlock) -> ImageSource:
    """The image of an ImageBlock.

    Raises:
        ImageError: it holds none.
    """
    return _source("ImageBlock", _bytes(block.image), block.path, block.url)


def document_pages(block: DocumentBlock, image_roots: Iterable[str] | None = None) -> Sequence[ImageSource]:
    """The pages of a DocumentBlock that holds a PDF or TIFF file, or the one image it holds.

    Its type is told by its content, whatever it claims. A file is read now, to count its pages. An address on
    the web is passed on as that of an image, since nothing is downloaded here.

    Raises:
        InvalidRequest: neither an image nor a PDF, or on the web and no image.
        ImageError: it holds nothing, or its file cannot be read.
        ForbiddenPath: its file is outside `image_roots`.
        MissingExtra: a PDF, and what draws it is not installed.
    """
    source = _source("DocumentBlock", _bytes(block.data), block.path, block.url).load(image_roots)
    if source.is_url:
        if not (block.document_mimetype or _IMAGE).startswith(_IMAGE):
            raise InvalidRequest(
                f"The DocumentBlock names a document on the web ({block.document_mimetype}), and models "
                "fetch nothing but images: download it and give its bytes."
            )
        return (source,)
    if source.data is not None and detect_format(source.data) is None:
        raise InvalidRequest(
            "A DocumentBlock that is neither an image nor a PDF cannot be sent to a vision model: send its "
            "text as TextBlock, or its pages as ImageBlock."
        )
    return ImageSource.pages(source)


def _document_source(document: BaseNode | ImageBlock | MediaResource) -> ImageSource:
    kind = type(document).__name__
    if isinstance(document, ImageBlock):
        return block_source(document)
    if isinstance(document, MediaResource):
        return _source(kind, document.data, document.path, document.url)
    if isinstance(document, ImageNode):
        image = document.image.encode() if document.image else None
        return _source(kind, image, document.image_path, document.image_url)
    if isinstance(document, Node):
        resource = document.image_resource or MediaResource()
        return _source(kind, resource.data, resource.path, resource.url)
    raise InvalidRequest(
        f"A value of type {kind} holds no image: image_documents= takes ImageDocument, ImageNode and "
        "ImageBlock."
    )


def _bytes(held: bytes | IOBase | None) -> bytes | None:
    if held is None or isinstance(held, bytes):
        return held
    return ImageSource.of(cast("IO[bytes]", held)).data


def _source(kind: str, image: bytes | None, path: str | Path | None, url: str | AnyUrl | None) -> ImageSource:
    """The image a block or document holds; where it says so more than once, in LlamaIndex's own order."""
    if image:
        return ImageSource.from_bytes(_decoded(image))
    if path:
        return ImageSource.from_path(path)
    if url:
        text = str(url)
        is_data_url = text[:5].lower() == "data:"
        return ImageSource.from_data_url(text) if is_data_url else ImageSource.from_url(text)
    raise UnreadableImage(f"{kind} holds no image: give it image bytes, a path or a URL.")


def _decoded(image: bytes) -> bytes:
    """The encoded image in a field that holds base64 or the image itself.

    LlamaIndex takes whatever decodes as base64 for base64, so one field may hold either, or base64 twice
    over. What is an image decides.
    """
    candidate = image
    for _ in range(2):
        if detect_format(candidate) is not None:
            break
        try:
            candidate = base64.b64decode(b"".join(candidate.split()), validate=True)
        except binascii.Error:
            break
    return candidate
