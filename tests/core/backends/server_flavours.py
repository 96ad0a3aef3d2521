"""Servers that people run themselves, as small HTTP servers with the differences that matter to a client.

Each refuses what its original refuses, in its original's form of error, and otherwise answers with what it
understood: the question, each image's format, the tools it was offered. No model runs here.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.api_server.images import read_image
from tests.asgi_server import AsgiServer

MODEL = "llava:7b"
KEY = "local-key"

_COMMON = {"model", "messages", "max_tokens", "temperature", "top_p", "stop", "seed", "n", "stream"}
_COMMON |= {"stream_options", "tools", "tool_choice", "response_format", "user", "logprobs", "top_logprobs"}


class Refused(Exception):
    """The server does not take the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Flavour:
    """How one kind of server differs.

    formats          the image formats it decodes
    most_images      in one request
    tool_choice      what it does with an object: follows it, overlooks it, or refuses the request
    error            the form of its errors: {"error": {"message": …}}, {"error": "…"}, {"message": …}
    usage            whether replies state it; "whole" leaves it out of streams
    wants_key        answers 401 to requests without its key
    strict           refuses fields it does not know
    """

    formats: tuple[str, ...]
    most_images: int = 100
    tool_choice: Literal["followed", "overlooked", "refused"] = "followed"
    error: Literal["object", "text", "bare"] = "object"
    usage: Literal["always", "whole", "never"] = "always"
    wants_key: bool = False
    strict: bool = False


FLAVOURS = {
    "ollama": Flavour(formats=("JPEG", "PNG", "WEBP"), usage="whole"),
    "llama-server": Flavour(formats=("JPEG", "PNG", "BMP", "GIF"), tool_choice="overlooked"),
    "vllm": Flavour(
        formats=("JPEG", "PNG", "GIF", "WEBP"), most_images=2, error="bare", wants_key=True, strict=True
    ),
    "lm-studio": Flavour(formats=("JPEG", "PNG"), tool_choice="refused", error="text", usage="never"),
}


class OwnServer(AsgiServer):
    """A server of one flavour on 127.0.0.1. `with OwnServer(flavour) as server:` runs it in a thread.

    bodies     the JSON of the requests so far
    headers    their headers, with lower-case names
    """

    def __init__(self, flavour: Flavour) -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self._flavour = flavour
        super().__init__(Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])]))
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    async def _chat(self, request: Request) -> Response:
        body = orjson.loads(await request.body())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        try:
            text, call = self._answer(body, request.headers.get("authorization"))
        except Refused as refused:
            return JSONResponse(self._error(refused), refused.status)
        usage = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
        if not body.get("stream"):
            message = {"role": "assistant", "content": text, "tool_calls": call}
            reply: dict[str, Any] = {"model": MODEL, "choices": [{"index": 0, "message": message}]}
            return JSONResponse(reply if self._flavour.usage == "never" else {**reply, "usage": usage})
        counted = usage if self._flavour.usage == "always" else None
        return StreamingResponse(_events(text, call, counted), media_type="text/event-stream")

    def _answer(self, body: Any, authorization: str | None) -> tuple[str | None, list[Any] | None]:
        flavour = self._flavour
        if flavour.wants_key and authorization != f"Bearer {KEY}":
            raise Refused(401, "Unauthorized")
        if body["model"] != MODEL:
            raise Refused(404, f'model "{body["model"]}" not found')
        if flavour.strict and (unknown := body.keys() - _COMMON):
            raise Refused(400, f"unexpected fields {sorted(unknown)}")
        content = body["messages"][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        question = " ".join(part["text"] for part in parts if part["type"] == "text")
        formats = [self._format(part["image_url"]) for part in parts if part["type"] == "image_url"]
        if len(formats) > flavour.most_images:
            raise Refused(400, f"At most {flavour.most_images} image(s) may be provided in one prompt.")
        if tool := self._chosen(body):
            return None, [{"id": "call-1", "type": "function", "function": {"name": tool, "arguments": "{}"}}]
        return " | ".join([question, *formats]), None

    def _format(self, image_url: Any) -> str:
        if image_url.keys() != {"url"}:
            raise Refused(400, "image_url has fields beside url")
        if not image_url["url"].startswith("data:"):
            raise Refused(400, "invalid image input")
        image = read_image(image_url["url"], {})
        if image.format not in self._flavour.formats:
            raise Refused(400, f"cannot decode {image.format}")
        if not image_url["url"].startswith(f"data:image/{image.format.lower()};"):
            raise Refused(400, f"the data URL does not say {image.format}")
        return f"{image.format} {image.size[0]}x{image.size[1]}"

    def _chosen(self, body: Any) -> str | None:
        """The tool that is called: the one named, or the first where some tool is required."""
        choice = body.get("tool_choice")
        if isinstance(choice, dict):
            if self._flavour.tool_choice == "refused":
                raise Refused(
                    400, "Invalid tool_choice type: 'object'. Supported string values: none, auto, …"
                )
            if self._flavour.tool_choice == "followed":
                return str(choice["function"]["name"])
        return str(body["tools"][0]["function"]["name"]) if choice == "required" else None

    def _error(self, refused: Refused) -> dict[str, Any]:
        match self._flavour.error:
            case "object":
                return {"error": {"message": refused.message, "type": "invalid_request_error"}}
            case "text":
                return {"error": refused.message}
            case "bare":
                return {"object": "error", "message": refused.message, "code": refused.status}


async def _events(
    text: str | None, call: list[Any] | None, usage: dict[str, int] | None
) -> AsyncIterator[bytes]:
    """A stream with the oddities of local servers: `content: null` first and last, no role event."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"content": piece} for piece in re.findall(r"\s*\S+", text or "")]
    deltas += [{"tool_calls": [{"index": index, **one}]} for index, one in enumerate(call or [])]
    for delta in deltas:
        yield _event({"model": MODEL, "choices": [{"index": 0, "delta": delta}]})
        await asyncio.sleep(0)
    finish = {"index": 0, "delta": {"content": None}, "finish_reason": "tool_calls" if call else "stop"}
    yield _event({"model": MODEL, "choices": [finish], **({"usage": usage} if usage else {})})
    yield b"data: [DONE]\n\n"


def _event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
