"""Images kept beside messages: in their place stands a reference, a short text that names them by hash.

Pure functions over messages and whatever holds them. The pixels are the caller's to keep, as bytes by name.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from firellava.errors import ImageError, UnreadableImage
from firellava.images.content_hash import content_hash
from firellava.images.urls import decode_base64, decode_data_url
from langchain_firellava.images.places import map_data, map_images

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["image_names", "is_reference", "put_back", "refuse_reference", "take_out", "with_stand_ins"]

_Value = TypeVar("_Value")

_REFERENCE: Final = re.compile(r"stored-image:(?P<form>.+),(?P<name>sha256-[0-9a-f]{64})")
_GONE: Final = {"type": "text", "text": "[An image that was here is no longer stored.]"}


def take_out(value: _Value) -> tuple[_Value, dict[str, bytes]]:
    """The value with a reference in the place of every inlined image, and the images by name.

    A block keeps its shape and everything else that stands in it. Images given by URL stay, and so does what
    is damaged: whoever reads it will say so.
    """
    images: dict[str, bytes] = {}

    def refer(data: str | bytes) -> str | bytes:
        read = _read(data)
        if read is None:
            return data
        form, image = read
        name = content_hash(image)
        images[name] = image
        return f"stored-image:{form},{name}"

    return map_images(value, lambda block: map_data(block, refer)), images


def image_names(value: object) -> list[str]:
    """The names of the images that are referred to, each once."""
    names: dict[str, None] = {}

    def note(data: str | bytes) -> str | bytes:
        if reference := _reference(data):
            names[reference["name"]] = None
        return data

    map_images(value, lambda block: map_data(block, note))
    return list(names)


def put_back(value: _Value, images: Mapping[str, bytes | None]) -> _Value:
    """The value with its images in their places again.

    Args:
        value: what `take_out` gave.
        images: by name. One that is missing, or is not what its name says, is told as a text.
    """

    def fetch(data: str | bytes) -> str | bytes:
        reference = _reference(data)
        if reference is None:
            return data
        image = images.get(reference["name"])
        if image is None or content_hash(image) != reference["name"]:
            raise _GoneError
        return _written(reference["form"], image)

    def whole(block: dict[str, Any]) -> dict[str, Any]:
        try:
            return map_data(block, fetch)
        except _GoneError:
            return dict(_GONE)

    return map_images(value, whole)


def with_stand_ins(value: _Value) -> _Value:
    """The value with a byte in the place of each image that is referred to, for who only counts images."""

    def stand_in(data: str | bytes) -> str | bytes:
        reference = _reference(data)
        return data if reference is None else _written(reference["form"], b"\0")

    return map_images(value, lambda block: map_data(block, stand_in))


def is_reference(data: str) -> bool:
    """Whether this stands in the place of an image."""
    return _REFERENCE.fullmatch(data) is not None


def refuse_reference(data: str) -> None:
    """See to it that a model is not asked about an image that was not put back.

    Raises:
        UnreadableImage: this stands in the place of an image.
    """
    if is_reference(data):
        raise UnreadableImage(
            "ImageRedactionMiddleware moved an image out of this message, and nobody put it back: give the "
            "middleware to this agent too, before any that looks at what is sent, or use its restored()."
        )


class _GoneError(Exception):
    """An image that is referred to is not there."""


def _reference(data: str | bytes) -> re.Match[str] | None:
    return _REFERENCE.fullmatch(data) if isinstance(data, str) else None


def _read(data: str | bytes) -> tuple[str, bytes] | None:
    """What is inlined here, and how it was written; None where nothing is, or it is damaged."""
    if isinstance(data, bytes):
        return ("bytes", data) if data else None
    try:
        if data[:5].lower() == "data:":
            header = data.partition(",")[0]
            form = header if header.lower().endswith(";base64") else f"{header};base64"
            image = decode_data_url(data)
        else:
            form, image = "base64", decode_base64(data)
    except ImageError:
        return None
    return (form, image) if image else None


def _written(form: str, image: bytes) -> str | bytes:
    if form == "bytes":
        return image
    text = base64.b64encode(image).decode("ascii")
    return text if form == "base64" else f"{form},{text}"
