"""The images of a request: from data URL or hosted URL to pixels, within the documented limits."""

import base64
import binascii
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from PIL import Image, UnidentifiedImageError

from tests.api_server.errors import Refusal

MAX_IMAGES = 30
# The document says "10MB" and "5MB"; the stricter reading of MB keeps clients on the safe side.
MAX_BASE64_BYTES = 10_000_000
MAX_HOSTED_BYTES = 5_000_000
MAX_DOWNLOAD_SECONDS = 1.5
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM")

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,(?P<payload>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class HostedImage:
    """What a URL holds, and how many seconds its download takes (stated, not slept)."""

    data: bytes
    delay: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class ReceivedImage:
    """A decoded image: `data` as it was encoded, `pixels` as Pillow decoded it, untouched."""

    data: bytes
    pixels: Image.Image

    @property
    def format(self) -> str:
        """The format that the decoder found, whatever the data URL called it.

        A phone's multi-picture JPEG comes through the JPEG decoder and calls itself MPO.
        """
        return "JPEG" if self.pixels.format == "MPO" else str(self.pixels.format)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.size

    @property
    def mean(self) -> str:
        """The mean colour as #rrggbb; transparent pixels count with the colour they carry."""
        single = self.pixels.convert("RGB").resize((1, 1), Image.Resampling.BOX)
        return f"#{single.tobytes().hex()}"

    def __repr__(self) -> str:
        width, height = self.size
        return f"{self.format} {width}x{height} mean {self.mean}"


def read_images(urls: Sequence[str], hosted: Mapping[str, HostedImage]) -> tuple[ReceivedImage, ...]:
    """All images of one request, in order. Raises Refusal (400, 413) where one breaks a limit."""
    if len(urls) > MAX_IMAGES:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"Too many images in the request: {len(urls)}, maximum: {MAX_IMAGES}",
        )
    total = sum(len(match["payload"]) for match in map(_DATA_URL.fullmatch, urls) if match)
    if total > MAX_BASE64_BYTES:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"Base64 encoded images are too large: {total} bytes, maximum: {MAX_BASE64_BYTES}",
        )
    return tuple(read_image(url, hosted) for url in urls)


def read_image(url: str, hosted: Mapping[str, HostedImage]) -> ReceivedImage:
    """One image, decoded. Raises Refusal (400) where it is no allowed image."""
    data = _download(url, hosted) if url.startswith(("http://", "https://")) else _inline(url)
    try:
        pixels = Image.open(io.BytesIO(data), formats=FORMATS)
        pixels.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            "Failed to decode image: supported formats are png, jpg/jpeg, gif, bmp, tiff and ppm",
        ) from error
    return ReceivedImage(data, pixels)


def _inline(url: str) -> bytes:
    match = _DATA_URL.fullmatch(url)
    if match is None:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            "Invalid image URL: expected http(s):// or data:image/<type>;base64,<data>",
        )
    try:
        return base64.b64decode(match["payload"], validate=True)
    except binascii.Error as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid base64 in image data URL") from error


def _download(url: str, hosted: Mapping[str, HostedImage]) -> bytes:
    image = hosted.get(url)
    if image is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"Failed to download image from {url}")
    if image.delay > MAX_DOWNLOAD_SECONDS:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"Timed out after {MAX_DOWNLOAD_SECONDS} s downloading image from {url}",
        )
    if len(image.data) > MAX_HOSTED_BYTES:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"Image is too large: {len(image.data)} bytes from {url}, maximum: {MAX_HOSTED_BYTES}",
        )
    return image.data
