"""Faults on demand: what a network and an overloaded service do to a reply.

A `Fault` describes one reply gone wrong. `status`, `shape` and `body` replace the ordinary answer; the other
fields act on the bytes, whichever answer they belong to, and combine. Where bytes are cut, stalled or
dripped, the reply is written to the socket past the HTTP server: the client meets a real broken connection.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from tests.api_server.errors import error_body

Shape = Literal["documented", "string", "detail", "empty", "html"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One reply gone wrong; `Fault()` is an ordinary reply, to let a request through.

    status          answer this instead; without `body`, an error of the given `shape`
    shape           "documented" {"error": {...}}, "string" {"error": "..."}, "detail" {"detail": [...]},
                    "empty" (no bytes), "html" (a proxy's page)
    message         the text in that error
    headers         added to the reply, such as {"retry-after": "1"} or {"retry-after-ms": "20"}
    body            these exact bytes instead (status 200 unless given): garbage, half a JSON document
    delay           seconds before the first byte of the headers
    drop            close the connection without a reply
    cut_after       close the connection after this many bytes of the body (0: after the headers)
    truncate_after  end the body, correctly framed, after this many bytes
    stall           seconds of silence in mid-body, after `stall_after` bytes (0: after the headers)
    drip            seconds after each byte of the body (of the headers too with `drip_headers`)
    """

    status: int | None = None
    shape: Shape = "documented"
    message: str = "the service failed on demand"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0
    drop: bool = False
    cut_after: int | None = None
    truncate_after: int | None = None
    stall: float = 0.0
    stall_after: int = 1
    drip: float = 0.0
    drip_headers: bool = False

    @property
    def replaces_answer(self) -> bool:
        """Whether the request is not answered at all, but by the fault."""
        return self.status is not None or self.body is not None

    @property
    def breaks_transport(self) -> bool:
        """Whether the bytes must be written past the HTTP server."""
        return self.cut_after is not None or self.stall > 0 or self.drip > 0


@dataclass(frozen=True, slots=True)
class WholeReply:
    """A reply before it is sent. `chunks` are its body's pieces; without `length` they go out chunked."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    chunks: tuple[bytes, ...]

    @property
    def has_length(self) -> bool:
        """Whether the headers state the body's length."""
        return any(name == b"content-length" for name, _ in self.headers)


def reply_of(fault: Fault) -> WholeReply:
    """The reply that stands in for the ordinary answer."""
    status = 200 if fault.status is None else fault.status
    content_type, body = _error(fault, status) if fault.body is None else (b"application/json", fault.body)
    headers = ((b"content-type", content_type), (b"content-length", str(len(body)).encode()))
    return WholeReply(status, headers, (body,))


def _error(fault: Fault, status: int) -> tuple[bytes, bytes]:
    match fault.shape:
        case "documented":
            return b"application/json", orjson.dumps(error_body(status, fault.message))
        case "string":
            return b"application/json", orjson.dumps({"error": fault.message})
        case "detail":
            detail = [{"loc": ["body", "messages"], "msg": fault.message, "type": "value_error"}]
            return b"application/json", orjson.dumps({"detail": detail})
        case "html":
            page = f"<html><head><title>{status}</title></head><body><h1>{fault.message}</h1></body></html>"
            return b"text/html", page.encode()
        case "empty":
            return b"text/plain", b""


def damaged(reply: WholeReply, fault: Fault) -> WholeReply:
    """The reply with the fault's headers, ended early where the fault says so."""
    added = tuple((name.lower().encode(), value.encode()) for name, value in fault.headers.items())
    names = {name for name, _ in added}
    headers = tuple(header for header in reply.headers if header[0] not in names) + added
    if fault.truncate_after is None:
        return WholeReply(reply.status, headers, reply.chunks)
    body = b"".join(reply.chunks)[: fault.truncate_after]
    headers = tuple(
        (name, str(len(body)).encode() if name == b"content-length" else value) for name, value in headers
    )
    return WholeReply(reply.status, headers, (body,))


async def write_bytes(
    reply: WholeReply,
    fault: Fault,
    write: Callable[[bytes], None],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Write the reply as raw HTTP/1.1, with the fault's pauses, up to where it cuts.

    `pause` sleeps, and raises where the client has gone. The caller closes the connection afterwards.
    """
    async for piece in _with_pauses(_head(reply), fault.drip if fault.drip_headers else 0.0, pause):
        write(piece)
    sent = 0
    for piece in _pieces(reply.chunks, fault):
        if fault.stall and sent == fault.stall_after:
            await pause(fault.stall)
        write(piece if reply.has_length else b"%x\r\n%b\r\n" % (len(piece), piece))
        sent += len(piece)
        if fault.drip:
            await pause(fault.drip)
    if fault.cut_after is None and not reply.has_length:
        write(b"0\r\n\r\n")


def _head(reply: WholeReply) -> bytes:
    framing = () if reply.has_length else ((b"transfer-encoding", b"chunked"),)
    lines = [b"HTTP/1.1 %d Faulty" % reply.status]
    lines += [b"%b: %b" % header for header in (*reply.headers, *framing, (b"connection", b"close"))]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _with_pauses(
    data: bytes,
    seconds: float,
    pause: Callable[[float], Awaitable[None]],
) -> AsyncIterator[bytes]:
    if not seconds:
        yield data
        return
    for byte in data:
        yield bytes([byte])
        await pause(seconds)


def _pieces(chunks: tuple[bytes, ...], fault: Fault) -> Iterator[bytes]:
    """The body's pieces: single bytes where it drips, split where it stalls, ended where it is cut."""
    position = 0
    for chunk in chunks:
        end = len(chunk) if fault.cut_after is None else min(len(chunk), fault.cut_after - position)
        start = 0
        while start < end:
            stop = start + 1 if fault.drip else end
            stall_at = fault.stall_after - position
            if fault.stall and start < stall_at < stop:
                stop = stall_at
            yield chunk[start:stop]
            start = stop
        position += len(chunk)
