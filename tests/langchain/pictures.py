"""Pictures that more than one test needs."""

import struct
import zlib

from tests.api_server.plain_requests import encoded


def claiming_pixels(width: int, height: int) -> bytes:
    """A small PNG whose header claims other dimensions."""
    data = bytearray(encoded("PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)
