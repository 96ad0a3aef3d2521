"""Images written as text: base64, data URLs, and addresses on the web. Nothing is downloaded here."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from firellava.errors import UnreadableImage
from firellava.images.limits import check_byte_count

__all__ = ["check_web_url", "decode_base64", "decode_data_url", "public_url"]

_DATA_URL: Final = re.compile(r"data:([^,]*),", re.IGNORECASE)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")


def decode_base64(text: str) -> bytes:
    """The bytes of base64 (RFC 4648), line ends allowed, padding optional.

    Raises:
        UnreadableImage: it is not base64.
        ImageTooLarge: too many bytes.
    """
    check_byte_count(len(text) * 3 // 4, "The base64 image")
    compact = "".join(text.split())
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableImage("The image is not valid base64: it is damaged or cut short.") from None


def decode_data_url(text: str) -> bytes:
    """The bytes in a data URL (RFC 2397), whatever type it claims.

    Raises:
        UnreadableImage: it is no data URL, or its content is damaged.
        ImageTooLarge: too many bytes.
    """
    header = _DATA_URL.match(text)
    if header is None:
        raise UnreadableImage("This is no data URL: one looks like data:image/png;base64,iVBORw0KGgo…")
    content = text[header.end() :]
    if not header[1].lower().endswith(";base64"):
        check_byte_count(len(content) // 3, "The data URL")
        return unquote_to_bytes(content)
    if "%" in content:
        content = unquote_to_bytes(content).decode("latin-1")
    return decode_base64(content)


def check_web_url(text: str) -> str:
    """The address of an image on the web, without blanks around it.

    Raises:
        UnreadableImage: no http or https URL, or one with a user name or password in it.
    """
    url = text.strip()
    try:
        parts = urlsplit(url)
        has_credentials = parts.username is not None or parts.password is not None
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UnreadableImage("The image URL is malformed.") from None
    if parts.scheme not in ("http", "https"):
        raise UnreadableImage(
            f"An image URL starts with http:// or https://, not {parts.scheme[:20]!r}. "
            "For a file use ImageSource.from_path, for a data URL ImageSource.from_data_url."
        )
    if not host or _UNPRINTABLE.search(url):
        raise UnreadableImage("The image URL is malformed: it has no host, or blanks inside.")
    if has_credentials:
        raise UnreadableImage(
            f"The image URL for {host!r} has a user name or password in it, and would hand them to the "
            "model's server. Download the image and give its bytes."
        )
    return url


def public_url(url: str) -> str:
    """A URL without its query and fragment, which often hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
