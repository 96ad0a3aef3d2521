"""From the content of a LangChain message to the core's parts: text and images, in every shape they come in.

A string inside a message is never the path of a file: it may have come from anywhere. Images are http(s)
URLs, data URLs or base64.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from firellava.errors import InvalidRequest, UnreadableImage
from firellava.images import ImageSource
from firellava.images.files import quote_path
from firellava.messages import ImagePart, TextPart
from langchain_firellava.images.stored import refuse_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from firellava.messages import Detail, Part

__all__ = ["to_parts"]

_ADVICE = {
    "audio": "transcribe it first",
    "input_audio": "transcribe it first",
    "video": "send some of its frames as images",
    "file": "send its pages as images, or its text",
    "document": "send its pages as images, or its text",
    "text-plain": "send its text in a text block",
}
_DETAILS: dict[str, Detail] = {"auto": "auto", "low": "low", "high": "high"}


def to_parts(content: str | Sequence[Any], *, said_by_model: bool = False) -> str | list[Part]:
    """The parts of a message's content; plain text stays plain text.

    Args:
        content: a text, or texts and content blocks.
        said_by_model: whether a model wrote it. Its reasoning, tool calls, citations and the like are no
            input for the API and are left out; its text and images stay.

    Raises:
        InvalidRequest: a block is of a kind that the API does not take.
        ImageError: an image is damaged, or no http(s) URL, data URL or base64.
    """
    if isinstance(content, str):
        return content
    parts = (_to_part(block, said_by_model=said_by_model) for block in content)
    return [part for part in parts if part is not None]


def _to_part(block: Any, *, said_by_model: bool) -> Part | None:  # noqa: ANN401 - LangChain allows any dict
    if isinstance(block, str):
        return TextPart(block)
    kind = _kind(block)
    if kind in _TEXTS and (text := _TEXTS[kind](block)) is not None:
        return TextPart(text)
    if kind in _IMAGES and (image := _IMAGES[kind](block)) is not None:
        return ImagePart(image, _detail(block))
    if kind in _FOR_CACHES:
        return None
    name = block.get("mime_type", kind) if kind == "media" else kind
    advice = _ADVICE.get(str(name).partition("/")[0])
    if advice is None and said_by_model:
        return None
    raise InvalidRequest(
        f"A content block of type {quote_path(str(name))} is no input for the API: "
        f"{advice or 'it takes text and images'}."
    )


def _text(block: Mapping[str, Any]) -> str:
    if not isinstance(block.get("text"), str):
        raise InvalidRequest("A text block holds no text under 'text'.")
    return str(block["text"])


def _refusal(block: Mapping[str, Any]) -> str | None:
    """Type ``refusal``: OpenAI's block, with what a model said in the place of an answer."""
    return block["refusal"] if isinstance(block.get("refusal"), str) else None


def _plain_text(block: Mapping[str, Any]) -> str | None:
    """Type ``text-plain``: a text file, whose text may be in the block."""
    return block["text"] if isinstance(block.get("text"), str) else None


def _json(block: Mapping[str, Any]) -> str:
    """Type ``json``: what a tool gave, in Converse's and Anthropic's blocks."""
    try:
        return json.dumps(block.get("json"), ensure_ascii=False)
    except (TypeError, ValueError):
        raise InvalidRequest("A json block holds what cannot be written as JSON.") from None


def _document(block: Mapping[str, Any]) -> str | None:
    """Type ``document``: Anthropic's block, where it holds text, under its title."""
    source = block.get("source")
    if (
        not isinstance(source, dict)
        or source.get("type") != "text"
        or not isinstance(source.get("data"), str)
    ):
        return None
    return "\n".join(text for text in (block.get("title"), source["data"]) if text)


def _search_result(block: Mapping[str, Any]) -> str:
    """Type ``search_result``: Anthropic's block, with its title and source above its texts."""
    texts = [part.get("text") for part in block.get("content") or () if isinstance(part, dict)]
    lines = (block.get("title"), block.get("source"), *texts)
    return "\n".join(line for line in lines if isinstance(line, str))


def _kind(block: Any) -> str:  # noqa: ANN401 - as above
    """The block's type; blocks of the Bedrock Converse API have none and are named by their only key."""
    if not isinstance(block, dict):
        raise InvalidRequest(f"A content block is a text or a dict, not {type(block).__name__}.")
    return str(block.get("type") or next(iter(block), "empty"))


def _detail(block: Mapping[str, Any]) -> Detail | None:
    """The hint about resolution, wherever a block carries it; None where there is none the API knows."""
    for place in (block.get("image_url"), block, block.get("extras")):
        if isinstance(place, dict) and place.get("detail") is not None:
            return _DETAILS.get(str(place["detail"]))
    return None


def _image(block: Mapping[str, Any]) -> ImageSource:
    """Type ``image``: LangChain's standard block, its first version, Anthropic's block, or Converse's."""
    source = block.get("source", block)
    if "image" in block and isinstance(block["image"], dict):
        source = block["image"].get("source", {})
    if not isinstance(source, dict):
        raise _unknown_image(block)
    for key in ("base64", "data", "bytes"):
        if source.get(key):
            return _inlined(source[key])
    if isinstance(source.get("url"), str):
        return _linked(source["url"])
    if source.get("file_id") or source.get("id"):
        raise InvalidRequest(
            "An image block names a file uploaded to another service: send a URL or the image itself."
        )
    raise _unknown_image(block)


def _image_url(block: Mapping[str, Any]) -> ImageSource:
    """Types ``image_url`` and ``input_image``: OpenAI's blocks, with an object or a plain string."""
    given = block.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str):
        raise _unknown_image(block)
    return _linked(url)


def _media(block: Mapping[str, Any]) -> ImageSource | None:
    """Type ``media``: Google's block."""
    if not _is_image(block.get("mime_type")):
        return None
    if block.get("data"):
        return _inlined(block["data"])
    if isinstance(block.get("file_uri"), str):
        return _linked(block["file_uri"])
    raise _unknown_image(block)


def _file(block: Mapping[str, Any]) -> ImageSource | None:
    """Type ``file``: LangChain's block for any file, where it says that it is an image."""
    return _image(block) if _is_image(block.get("mime_type")) else None


def _is_image(mime_type: object) -> bool:
    return isinstance(mime_type, str) and mime_type.lower().startswith("image/")


_TEXTS: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "text-plain": _plain_text,
    "json": _json,
    "document": _document,
    "search_result": _search_result,
}
_IMAGES: dict[str, Callable[[Mapping[str, Any]], ImageSource | None]] = {
    "image": _image,
    "image_url": _image_url,
    "input_image": _image_url,
    "media": _media,
    "file": _file,
}
_FOR_CACHES = frozenset({"cachePoint", "cache_point"})
"""Blocks that say where another service is to cache a prompt."""


def _linked(url: str) -> ImageSource:
    url = url.strip()
    refuse_reference(url)
    scheme = url.partition(":")[0].lower()
    if scheme == "data":
        return ImageSource.from_data_url(url)
    if scheme in ("http", "https"):
        return ImageSource.from_url(url)
    raise UnreadableImage(
        "An image in a message is an http(s) URL, a data URL or base64; this looks like a path or another "
        "kind of URL. A message cannot open a file: read it with langchain_firellava.image_block(path)."
    )


def _inlined(data: Any) -> ImageSource:  # noqa: ANN401 - blocks hold what their makers put there
    if isinstance(data, bytes | bytearray):
        return ImageSource.from_bytes(data)
    if isinstance(data, str):
        refuse_reference(data)
        is_data_url = data[:5].lower() == "data:"
        return ImageSource.from_data_url(data) if is_data_url else ImageSource.from_base64(data)
    raise UnreadableImage(f"The data of an image block is {type(data).__name__}: it takes base64 or bytes.")


def _unknown_image(block: Mapping[str, Any]) -> UnreadableImage:
    keys = ", ".join(sorted(quote_path(str(key)) for key in block))
    return UnreadableImage(
        f"An image block with the keys {keys} holds no image that is understood here. "
        "Make one with langchain_firellava.image_block(…)."
    )
