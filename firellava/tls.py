"""The one TLS context of this process: making one takes tens of milliseconds."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl

__all__ = ["tls_context"]


@cache
def tls_context() -> ssl.SSLContext:
    """The context, made at first use; certificates are verified as httpx does it."""
    return httpx.create_ssl_context()
