"""Where images stand in LangChain's values: in the content of messages, wherever these are nested.

Pure functions. They give back the value they were given where nothing changes, and copies otherwise.
"""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["is_image_block", "map_data", "map_images", "map_nested"]

_Value = TypeVar("_Value")

_IMAGE_TYPES: Final = frozenset({"image", "image_url", "input_image", "image_generation_call"})
_FILE_TYPES: Final = frozenset({"media", "file"})
_TOOL_CALL_TYPES: Final = frozenset({"tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use"})

_DATA_KEYS: Final = frozenset(
    {"base64", "data", "bytes", "url", "image_url", "file_uri", "file_data", "result"}
)
"""Under which keys of an image block, or of what it holds, the image itself or its URL may stand."""


def is_image_block(value: object) -> bool:
    """Whether this is a content block with an image, of any provider, inlined or by reference."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind is None:
        # A block of the Bedrock Converse API is named by its only key.
        held = value.get("image")
        return isinstance(held, dict) and "source" in held
    return kind in _IMAGE_TYPES or (
        kind in _FILE_TYPES and str(value.get("mime_type")).lower().startswith("image/")
    )


def map_images(value: _Value, change: Callable[[dict[str, Any]], Any]) -> _Value:
    """The value with every image block in it changed.

    What a model wrote as the arguments of a tool call is no content and stays as it is.

    Args:
        value: messages, or anything that holds some.
        change: gives for a block what is to stand in its place, or the block itself.
    """

    def visit(inner: Any) -> Any:  # noqa: ANN401 - values of any type
        if is_image_block(inner):
            return change(inner)
        if isinstance(inner, dict) and inner.get("type") in _TOOL_CALL_TYPES:
            return inner
        return map_nested(inner, visit)

    changed: _Value = visit(value)
    return changed


def map_data(block: _Value, change: Callable[[str | bytes], str | bytes]) -> _Value:
    """An image block with its data, or its URL, changed; everything else in it stays as it is.

    Args:
        block: an image block.
        change: gives for a text or bytes where an image may stand what is to stand there.
    """
    if not isinstance(block, dict):
        return block

    def visit(key: object, inner: Any) -> Any:  # noqa: ANN401 - values of any type
        if isinstance(inner, dict):
            return map_data(inner, change)
        return change(inner) if key in _DATA_KEYS and isinstance(inner, str | bytes) else inner

    changed: _Value = _with_changes(block, {key: visit(key, inner) for key, inner in block.items()})
    return changed


def map_nested(value: Any, change: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - values of any type
    """A dict, list, tuple, pydantic model (such as a message) or dataclass with what it holds changed.

    Anything else is given back.
    """
    if isinstance(value, dict):
        return _with_changes(value, {key: change(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return _with_items(value, [change(inner) for inner in value])
    if isinstance(value, BaseModel):
        held = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        changed = _changes(held, {name: change(inner) for name, inner in held.items()})
        return value.model_copy(update=changed) if changed else value
    if is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in fields(value))
        held = {name: getattr(value, name) for name in names if hasattr(value, name)}
        changed = _changes(held, {name: change(inner) for name, inner in held.items()})
        return _with_attributes(value, changed)
    return value


def _with_items(value: Any, items: list[Any]) -> Any:  # noqa: ANN401 - a list or tuple of any class
    if all(new is old for new, old in zip(items, value, strict=True)):
        return value
    if isinstance(value, list):
        return items
    return type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def _with_changes(value: Any, mapped: dict[Any, Any]) -> Any:  # noqa: ANN401 - a dict of any class
    return mapped if _changes(value, mapped) else value


def _changes(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: new for key, new in after.items() if new is not before[key]}


def _with_attributes(value: Any, changed: dict[str, Any]) -> Any:  # noqa: ANN401 - any dataclass
    if not changed:
        return value
    # Not dataclasses.replace: it would run what the class does when one is made, and cannot set all fields.
    copied = copy.copy(value)
    for name, new in changed.items():
        object.__setattr__(copied, name, new)
    return copied
