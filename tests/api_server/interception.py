"""Between the HTTP server and the application: every request is recorded here, and meets its fault."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import MappingProxyType

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.api_server.faults import Fault, WholeReply, damaged, reply_of, write_bytes
from tests.api_server.records import RecordedRequest
from tests.api_server.state import ServerState


class ClientGone(Exception):
    """The client closed the connection while the server was waiting."""


class Interception:
    """ASGI middleware: records requests, and delays, replaces or damages replies as told.

    `transport_of` finds the socket of a request, for replies that are written past the HTTP server.
    """

    def __init__(
        self,
        app: ASGIApp,
        state: ServerState,
        transport_of: Callable[[Scope], asyncio.Transport],
    ) -> None:
        self._app = app
        self._state = state
        self._transport_of = transport_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        fault = self._state.arrive(_record(scope, body, self._state))

        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await receive()

        async def pause(seconds: float) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await _gone(receive)
                    raise ClientGone

        if fault == Fault():
            await self._app(scope, receive_again, send)
            return
        with contextlib.suppress(ClientGone):
            await pause(fault.delay)
            reply = (
                reply_of(fault) if fault.replaces_answer else await _answer(self._app, scope, receive_again)
            )
            reply = damaged(reply, fault)
            if not fault.drop and not fault.breaks_transport:
                await _send_whole(reply, send)
                return
            transport = self._transport_of(scope)
            if not fault.drop:
                await write_bytes(reply, fault, transport.write, pause)
            transport.close()
            await _gone(receive)


def _record(scope: Scope, body: bytes, state: ServerState) -> RecordedRequest:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return RecordedRequest(
        method=scope["method"],
        path=scope["path"],
        headers=MappingProxyType(headers),
        body=body,
        json=parsed,
        arrived=time.monotonic(),
        hosted=MappingProxyType(dict(state.hosted)),
    )


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _gone(receive: Receive) -> None:
    """Wait until the connection is closed, by whichever side."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> WholeReply:
    """What the application answers, kept back."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start, *bodies = messages
    chunks = tuple(message.get("body", b"") for message in bodies)
    return WholeReply(start["status"], tuple(start["headers"]), tuple(filter(None, chunks)))


async def _send_whole(reply: WholeReply, send: Send) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
    for chunk in reply.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
