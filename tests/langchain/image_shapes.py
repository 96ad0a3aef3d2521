"""An image in every shape that LangChain messages have had, inlined; and whether it stands somewhere."""

import base64
from typing import Any

from tests.api_server.plain_requests import data_url, encoded

RED = encoded("PNG", (40, 20), "#ff0000")
BASE64 = base64.b64encode(RED).decode()

INLINED: dict[str, dict[str, Any]] = {
    "standard": {"type": "image", "base64": BASE64, "mime_type": "image/png", "id": "a"},
    "standard with a data URL": {"type": "image", "url": data_url(RED)},
    "first version": {"type": "image", "source_type": "base64", "data": BASE64, "mime_type": "image/png"},
    "OpenAI": {"type": "image_url", "image_url": {"url": data_url(RED), "detail": "high"}},
    "a plain string": {"type": "image_url", "image_url": data_url(RED)},
    "OpenAI Responses": {"type": "input_image", "image_url": data_url(RED)},
    "Anthropic": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": BASE64},
        "cache_control": {"type": "ephemeral"},
    },
    "Bedrock Converse": {"image": {"format": "png", "source": {"bytes": RED}}},
    "Google": {"type": "media", "mime_type": "image/png", "data": BASE64},
    "Google with bytes": {"type": "media", "mime_type": "image/png", "data": RED},
    "a file block": {"type": "file", "mime_type": "image/png", "base64": BASE64},
    "a drawn one": {"type": "image_generation_call", "id": "ig_1", "result": BASE64},
}


def holds_pixels(value: object, *pictures: bytes) -> bool:
    """Whether one of the pictures stands anywhere in this, as bytes or as base64; by default the red one."""
    if isinstance(value, dict):
        return any(holds_pixels(inner, *pictures) for inner in [*value.keys(), *value.values()])
    if isinstance(value, list | tuple):
        return any(holds_pixels(inner, *pictures) for inner in value)
    written = value if isinstance(value, bytes) else str(value).encode()
    return any(
        mark in written
        for picture in pictures or (RED,)
        for mark in (picture[20:], base64.b64encode(picture)[30:60])
    )
