"""Blobs with small pictures, and what the tests of image captions call things."""

from collections.abc import Callable
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from langchain_firellava import ChatFireLLaVA
from langchain_firellava.documents import ImageCaptionParser
from tests.core.captions.pictures import picture

Make = Callable[..., ChatFireLLaVA]
Parse = Callable[[ImageCaptionParser, list[Blob]], list[Document]]


def blob(number: int = 1) -> Blob:
    return Blob.from_data(picture(number), path=f"{number}.png")


def blobs_in(folder: Path) -> list[Blob]:
    return [Blob.from_path(path, metadata={"album": "summer"}) for path in sorted(folder.iterdir())]
