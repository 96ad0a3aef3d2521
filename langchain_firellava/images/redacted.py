"""`redact_images`: what is told to traces and logs, with a few words in the place of every image.

LangChain hands whole messages to its callbacks, images included, and services that keep traces drop those
that are too large.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import unquote, unquote_to_bytes

from firellava.errors import ImageError
from firellava.images.content_hash import content_hash
from firellava.images.formats import detect_format
from firellava.images.urls import decode_base64
from langchain_firellava.images.places import is_image_block, map_nested
from langchain_firellava.images.stored import is_reference

__all__ = ["redact_images"]

_Value = TypeVar("_Value")

_DATA_KEYS: Final = frozenset({"base64", "bytes", "data", "file_data", "result"})
_TYPE_KEYS: Final = ("mime_type", "media_type", "format")
_DATA_TYPES: Final = frozenset({"audio", "base64", "document", "file", "media", "video"})

_LETTERS: Final = "A-Za-z0-9+/_-"
_LINE_END: Final = r"(?:[\r\n]|\\[rn])"


def _base64(letters: str) -> str:
    """Base64 on one line or several, whose ends may be written as in a repr or in JSON."""
    more = rf"{_LINE_END}+(?=[{letters}]{{20}}|[{letters}]+=)[{letters}]+"
    return rf"[{letters}]+(?:{more})*={{0,2}}"


_DATA_URL: Final = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;(?!base64)[\w.=+-]+)*"
    rf"(?:;base64,(?P<base64>{_base64('%' + _LETTERS)})|,(?P<plain>[^\s\"'<>]+))",
    re.IGNORECASE,
)
_SHORTEST: Final = 60
"""Characters: shorter ones stay where nothing but their letters says that they may be an image."""

_RUN: Final = re.compile(rf"(?<![{_LETTERS}])(?=[{_LETTERS}]{{{_SHORTEST}}}){_base64(_LETTERS)}")
_LINE_ENDS: Final = re.compile(_LINE_END)
_STANDARD: Final = str.maketrans("-_", "+/")


def redact_images(value: _Value) -> _Value:
    """The value with every inlined image replaced by its type, its number of bytes and its hash.

    It is a function of what it is given and changes nothing there, so it can stand wherever something is
    about to be written down:

        Client(hide_inputs=redact_images, hide_outputs=redact_images)  # of langsmith, for LangChainTracer

        def on_chat_model_start(self, serialized, messages, **kwargs):  # of a callback handler of your own
            log.info("asked: %s", redact_images(messages))

    Base64 and data URLs are found in content blocks of any provider, in dicts, lists, tuples, messages and
    other pydantic models and in dataclasses, nested in any way, serialised or not, and in the middle of a
    text (there, what is neither in a data URL nor an image stays). Other files that are inlined, such as
    recordings, are replaced as well. The hash is that of the image's bytes, and so the same as in the id of
    `image_block` and in the references of `ImageRedactionMiddleware`.
    """
    redacted: _Value = _Redaction().of(value)
    return redacted


class _Redaction:
    """One walk through a value. What holds itself, as the objects of a running program may, is told once."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def of(self, value: Any) -> Any:  # noqa: ANN401 - values of any type
        if isinstance(value, str):
            return _redacted_text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            data = bytes(value)
            return value if detect_format(data) is None else _described(data)
        if id(value) in self._open:
            return value
        self._open.add(id(value))
        try:
            return self._of_dict(value) if isinstance(value, dict) else map_nested(value, self.of)
        finally:
            self._open.discard(id(value))

    def _of_dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        keys = _keys_of_data(value)
        redacted = {key: self._of_data(held) if key in keys else self.of(held) for key, held in value.items()}
        return redacted if any(redacted[key] is not value[key] for key in value) else value

    def _of_data(self, value: Any) -> Any:  # noqa: ANN401 - values of any type
        if isinstance(value, bytes | bytearray | memoryview):
            return _described(bytes(value))
        return _redacted_data(value) if isinstance(value, str) else self.of(value)


def _keys_of_data(block: dict[Any, Any]) -> frozenset[str]:
    """Under which keys of a dict the whole value is a file."""
    has_type = any(isinstance(block.get(key), str) for key in _TYPE_KEYS)
    if has_type or is_image_block(block) or block.get("type") in _DATA_TYPES:
        return _DATA_KEYS
    return frozenset({"base64"})


def _redacted_data(value: str) -> str:
    if is_reference(value) or " " in value or value[:5].lower() == "data:":
        return _redacted_text(value)
    data = _decoded(value)
    if len(value) < _SHORTEST and (data is None or detect_format(data) is None):
        return value
    return _unreadable(value) if data is None else _described(data)


def _redacted_text(text: str) -> str:
    redacted = _DATA_URL.sub(_redacted_url, text) if "data:" in text.lower() else text
    if len(redacted) >= _SHORTEST:
        redacted = _RUN.sub(_redacted_run, redacted)
    return text if redacted == text else redacted


def _redacted_url(match: re.Match[str]) -> str:
    claimed = (match["type"] or "").lower()
    if match["base64"] is None:
        is_image = claimed.startswith("image/")
        return _described(unquote_to_bytes(match["plain"]), claimed) if is_image else match[0]
    data = _decoded(match["base64"])
    return _unreadable(match["base64"], claimed) if data is None else _described(data, claimed)


def _redacted_run(match: re.Match[str]) -> str:
    """What is to stand for letters that may be base64 of an image, a path, or a name."""
    run = match[0]
    head = _decoded(_LINE_ENDS.sub("", run)[:_SHORTEST])
    if head is None or detect_format(head) is None:
        return run
    data = _decoded(run)
    return _unreadable(run) if data is None else _described(data)


def _decoded(text: str) -> bytes | None:
    """The bytes of base64 of either alphabet; None for what is none, is cut short or is too much."""
    with suppress(ImageError):
        return decode_base64(text)
    with suppress(ImageError):
        return decode_base64(unquote(_LINE_ENDS.sub("", text)).translate(_STANDARD))
    return None


def _described(data: bytes, claimed: str = "") -> str:
    image_format = detect_format(data)
    kind = claimed or "data"
    if image_format is not None:
        kind = "application/pdf" if image_format == "PDF" else f"image/{image_format.lower()}"
    return f"[{kind}, {len(data):,} bytes, {content_hash(data)}]"


def _unreadable(text: str, claimed: str = "") -> str:
    return f"[{claimed or 'data'}, {len(text):,} characters that cannot be read]"
