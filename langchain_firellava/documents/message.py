"""`documents_to_message`: retrieved captions and the images they describe, as one message for a model.

A store for retrieval holds texts: of an image its caption, and in the metadata where the image is.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import HumanMessage

from firellava.errors import ConfigurationError, ImageError, InvalidRequest
from firellava.images.files import as_folders
from firellava.messages import Message, Parameters, Request
from firellava.tiling import room_for_pictures
from langchain_firellava.images import image_block, image_source

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from langchain_core.documents import Document

    from langchain_firellava.chat_models import ChatFireLLaVA

__all__ = ["ImageNotShownWarning", "documents_to_message"]

_IMAGE_SUFFIX: Final = re.compile(r"\.(?:avif|bmp|gif|hei[cf]|jpe?g|p[bgnp]m|png|tiff?|webp)", re.IGNORECASE)
_QUERY: Final = re.compile(r"[?#].*", re.DOTALL)
_WHOLE: Final = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_NO_ROOM: Final = "[Its image is not shown: there is no room for more images.]"
_UNREADABLE: Final = "[Its image is not shown: it cannot be read.]"


class ImageNotShownWarning(UserWarning):
    """The image of a retrieved document could not be read, so a model sees its caption only."""


def documents_to_message(
    question: str,
    documents: Iterable[Document],
    *,
    model: ChatFireLLaVA | None = None,
    max_images: int | None = None,
    image_roots: Iterable[str | os.PathLike[str]] | None = None,
) -> HumanMessage:
    """One message with what was retrieved and a question about it.

        chain = (
            {"question": RunnablePassthrough(), "documents": retriever}
            | RunnableLambda(lambda given: [documents_to_message(**given, model=llm)])
            | llm
        )

    Documents keep their order, the best first, and their text; beside it stands the image, once for each
    image, read from where it is now. Images are shown until the model's limits are reached; the text of each
    later one says that its image is not shown. So does the text of one that is missing or damaged, which
    raises an `ImageNotShownWarning` too: a moved file is no reason to answer nothing.

    A document has an image where its metadata name a ``content_hash`` (as captions of this package do) or a
    ``mime_type`` of an image, or a ``source`` that ends like an image file; any other is a text. ``source``
    is a path or a URL, and ``page``, counted from 1, the page of a PDF or TIFF file. URLs stay URLs.

    Args:
        question: what is asked.
        documents: what was retrieved, best first.
        model: who will be asked: its model card says how many images it takes, by count and by what its
            context window holds beside text and answer. Without it only `max_images` limits them.
        max_images: how many images are shown at most.
        image_roots: folders a file must lie in; by default those of the model, if it has any. Give them where
            others write to the store: its documents name the files that are read here and sent.

    Raises:
        InvalidRequest: the question is empty.
        ConfigurationError: `max_images` is no whole number from 0.
        MissingExtra: an image is a PDF or HEIF file, and what opens it is not installed.
    """
    if not question.strip():
        raise InvalidRequest("The question is empty.")
    if max_images is not None and not (type(max_images) is int and max_images >= 0):
        raise ConfigurationError("max_images= takes a whole number from 0, or None for all.")
    retrieved = [_Retrieved.of(number, document) for number, document in enumerate(documents, 1)]
    most = _most_images(question, retrieved, model, max_images)
    if image_roots is None and model is not None and model.image_roots:
        image_roots = model.image_roots
    shown = _ShownImages(most, None if image_roots is None else as_folders(image_roots))
    content: list[str | dict[Any, Any]] = []
    for one in retrieved:
        note, block = shown.show(one)
        content += [one.told(note)] if block is None else [one.told(note), block]
    return HumanMessage([*content, _text(question)])


@dataclass(frozen=True, slots=True)
class _Retrieved:
    """A retrieved document: its text, and what its image is known by, if it has one."""

    document: Document
    number: int
    image: tuple[str, int] | None

    @classmethod
    def of(cls, number: int, document: Document) -> _Retrieved:
        metadata = document.metadata
        source = metadata.get("source")
        if not _names_image(source, metadata):
            return cls(document, number, None)
        return cls(document, number, (str(metadata.get("content_hash") or source), _page(metadata)))

    def told(self, note: str = "") -> dict[str, Any]:
        return _text(" ".join(filter(None, [f"Document {self.number}:", self.document.page_content, note])))

    def block(self, roots: Sequence[str | os.PathLike[str]] | None) -> dict[str, Any]:
        page = self.image[1] if self.image else 1
        return image_block(image_source(self.document).on_page(page), image_roots=roots)


def _names_image(source: object, metadata: dict[Any, Any]) -> bool:
    if str(metadata.get("content_hash")).startswith("sha256-"):
        return True
    if not isinstance(source, str):
        return False
    if str(metadata.get("mime_type")).startswith("image/") or source.startswith("data:image/"):
        return True
    path = _QUERY.sub("", source) if source.startswith(("http://", "https://")) else source
    return _IMAGE_SUFFIX.fullmatch(PurePath(path).suffix) is not None


def _page(metadata: dict[Any, Any]) -> int:
    """The page, where there is one. Some stores keep every number as a fraction, others as a text."""
    number = _WHOLE.fullmatch(str(metadata.get("page")))
    return 1 if number is None else int(number[1])


class _ShownImages:
    """The images that the message shows so far, and for each retrieved one whether it is shown, too."""

    def __init__(self, most: int | None, roots: Sequence[str | os.PathLike[str]] | None) -> None:
        self._most = most
        self._roots = roots
        self._numbers: dict[tuple[str, int], int] = {}
        self._blocks: list[tuple[int, dict[str, Any]]] = []

    def show(self, one: _Retrieved) -> tuple[str, dict[str, Any] | None]:
        """What a document's text says of its image, and the image, where it is to be shown here."""
        if one.image is None:
            return "", None
        number, block = self._numbers.get(one.image), None
        if number is None:
            if self._most is not None and len(self._blocks) >= self._most:
                return _NO_ROOM, None
            try:
                block = one.block(self._roots)
            except (ImageError, InvalidRequest) as error:
                told = f"The image of document {one.number} is not shown: {error}"
                warnings.warn(told, ImageNotShownWarning, stacklevel=3)
                return _UNREADABLE, None
            # Copies of a file have different names and are one image.
            number = next((number for number, other in self._blocks if other == block), None)
        self._numbers[one.image] = number or one.number
        if number is not None or block is None:
            return f"[Its image is that of document {number}.]", None
        self._blocks.append((one.number, block))
        return "", block


def _most_images(
    question: str, retrieved: Sequence[_Retrieved], model: ChatFireLLaVA | None, most: int | None
) -> int | None:
    """How many images may be shown; None for all."""
    limits = [most]
    if model is not None:
        # What the model will be held to: it belongs to this package.
        card = model._client().model_card  # noqa: SLF001
        texts = [one.told(_NO_ROOM)["text"] for one in retrieved]
        message = Message("user", "\n".join([*texts, question]))
        asked = Request((message,), Parameters.of({"max_tokens": model.max_tokens}))
        limits += [card.image_limits.count, room_for_pictures(asked, card), model.keep_images]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
