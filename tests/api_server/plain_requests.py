"""Requests written by hand, with pictures of one colour: for tests that look at the wire itself."""

import base64
import io
from typing import Any

import httpx
from PIL import Image

from tests.api_server.served_models import FIRELLAVA_13B
from tests.api_server.server import ApiServer


def encoded(image_format: str = "PNG", size: tuple[int, int] = (64, 48), colour: str = "#336699") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, image_format)
    return buffer.getvalue()


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def user(*parts: str | dict[str, Any]) -> dict[str, Any]:
    """A user message of texts and ready parts."""
    return {
        "role": "user",
        "content": [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts],
    }


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def ask(server: ApiServer, **body: Any) -> httpx.Response:
    """A chat request as plain JSON."""
    body = {"model": FIRELLAVA_13B, "messages": [{"role": "user", "content": "Hello"}], **body}
    return httpx.post(
        f"{server.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {server.key}"},
        json=body,
    )


def message_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["message"])
