"""What arrived at the server, kept for a test to look at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.api_server.images import HostedImage, ReceivedImage, read_image


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it arrived: header names in lower case, `arrived` in seconds of time.monotonic().

    `json` is None where the body is empty or no JSON.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    json: Any
    arrived: float
    hosted: Mapping[str, HostedImage] = field(default_factory=dict, repr=False)

    @property
    def images(self) -> tuple[ReceivedImage, ...]:
        """The images of the request in their order, decoded. Raises Refusal where one cannot be read."""
        return tuple(read_image(url, self.hosted) for url in _image_urls(self.json))


def _image_urls(body: Any) -> Iterator[str]:
    if not isinstance(body, dict):
        return
    for message in body.get("messages", []):
        content = message.get("content")
        if isinstance(content, list):
            yield from (part["image_url"]["url"] for part in content if part.get("type") == "image_url")
    yield from body.get("images") or []
