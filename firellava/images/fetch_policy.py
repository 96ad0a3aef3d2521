"""Which image URLs may be downloaded, as far as their text tells. Nothing is looked up or sent here.

What the text cannot tell, where the name leads, is judged in `addresses` when it is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection  # noqa: TC003 - pydantic reads it where a policy is a setting
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import httpx

from firellava.errors import ConfigurationError, ImageDownloadFailed, UnsafeURL
from firellava.images.addresses import literal_address
from firellava.images.limits import MAX_BYTES

__all__ = ["FetchPolicy", "check_url", "join_url", "matches_host", "port_of", "shown_url"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LARGEST_PORT: Final = 65535
# Letters, digits and hyphens, and the underscore that some names have although RFC 952 gives them none.
_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_.])?")
_LONGEST_URL_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What may be downloaded.

    Attributes:
        seconds: for one image, from looking its name up to its last byte, redirects included.
        max_bytes: of one image, after unpacking.
        max_redirects: how often a server may point elsewhere.
        allowed_hosts: host names as URLs have them (ASCII, lower case), redirects included; None allows any.
            ``*.example.com`` stands for every name that ends in ``.example.com``, and not for that one
            itself. Any collection of them is accepted and kept as a frozenset.
        allow_http: also without encryption, where anyone on the way can put in another image.
        allow_private: also from this machine and private networks. Only where no URL comes from others.

    Raises:
        ConfigurationError: a number out of range, one host in the place of several, or a flag that is none.
    """

    seconds: float = 10.0
    max_bytes: int = 20_000_000
    max_redirects: int = 5
    allowed_hosts: Collection[str] | None = None
    allow_http: bool = False
    allow_private: bool = False

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigurationError("FetchPolicy: seconds must be more than 0.")
        if not 0 < self.max_bytes <= MAX_BYTES:
            raise ConfigurationError(f"FetchPolicy: max_bytes must be from 1 to {MAX_BYTES:,}.")
        if self.max_redirects < 0:
            raise ConfigurationError("FetchPolicy: max_redirects must not be negative.")
        if (hosts := self.allowed_hosts) is not None:
            if isinstance(hosts, str) or not all(isinstance(host, str) for host in hosts):
                raise ConfigurationError(
                    "FetchPolicy: allowed_hosts is a set of names, such as {'example.com'}."
                )
            object.__setattr__(self, "allowed_hosts", frozenset(hosts))
        for name in ("allow_http", "allow_private"):
            # Any text would count as yes.
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"FetchPolicy: {name} is True or False.")

    def narrowed_to(self, hosts: Collection[str]) -> FetchPolicy:
        """This policy for hosts that are allowed by both, itself and `hosts`."""
        own = frozenset(hosts) if self.allowed_hosts is None else frozenset(self.allowed_hosts)
        # Of two names of which one stands for the other, the narrower is what both allow.
        both = {host for host in own if matches_host(host, hosts)}
        both |= {host for host in hosts if matches_host(host, own)}
        return replace(self, allowed_hosts=both)

    def as_dict(self) -> dict[str, Any]:
        """Every field as a plain JSON value; ``FetchPolicy(**values)`` makes the same policy of them."""
        hosts = None if self.allowed_hosts is None else sorted(self.allowed_hosts)
        return asdict(self) | {"allowed_hosts": hosts}


def check_url(url: str | httpx.URL, policy: FetchPolicy) -> httpx.URL:
    """The URL, parsed, where its text allows a download.

    Raises:
        UnsafeURL: malformed, not http(s), not encrypted, with a user or password, with a host written as a
            number, or not among the allowed hosts.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise UnsafeURL("An image URL is malformed, so it is not downloaded.") from None
    shown, host = shown_url(parsed), parsed.raw_host.decode("ascii")
    if parsed.scheme not in _DEFAULT_PORTS:
        raise UnsafeURL(f"Images are downloaded from https URLs, not from {parsed.scheme[:20]!r} ones.")
    if parsed.scheme == "http" and not policy.allow_http:
        raise UnsafeURL(f"{shown} is not encrypted: use its https address, or FetchPolicy(allow_http=True).")
    if parsed.userinfo:
        raise UnsafeURL(f"{shown} comes with a user name or password, which is never sent.")
    if not (_is_host(host) and 0 < port_of(parsed) <= _LARGEST_PORT):
        raise UnsafeURL(
            f"{shown} has no valid host and port: a host is a name or an address in the usual notation."
        )
    if policy.allowed_hosts is not None and not matches_host(host.removesuffix("."), policy.allowed_hosts):
        raise UnsafeURL(f"{shown}: the host is not among the allowed_hosts of the FetchPolicy.")
    return parsed


def matches_host(host: str, allowed: Collection[str]) -> bool:
    """Whether a host is among those allowed, by its own name or by ``*.`` and what its name ends in."""
    return host in allowed or any(
        pattern.startswith("*.") and host.endswith(pattern[1:]) for pattern in allowed
    )


def join_url(url: httpx.URL, location: bytes) -> httpx.URL:
    """Where a redirect from `url` leads; not checked yet.

    Raises:
        ImageDownloadFailed: the server does not say where, or nothing that is a URL.
    """
    try:
        if location:
            return url.join(location.decode())
    except (httpx.InvalidURL, UnicodeDecodeError):
        pass
    raise ImageDownloadFailed(f"{shown_url(url)} leads to another URL that is missing or malformed.")


def port_of(url: httpx.URL) -> int:
    """The port of an http(s) URL, where it names none too."""
    return _DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def shown_url(url: httpx.URL) -> str:
    """A URL for messages: without user, query and fragment, which often hold a password or a signature."""
    path = url.raw_path.partition(b"?")[0]
    return f"{url.scheme}://{(url.netloc + path).decode('ascii')}"[:_LONGEST_URL_SHOWN]


def _is_host(host: str) -> bool:
    try:
        return literal_address(host) is not None or _NAME.fullmatch(host) is not None
    except ValueError:
        return False
