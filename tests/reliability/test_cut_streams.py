"""A stream cut at every byte: its text is never heard twice, and nobody is asked again once it has begun."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from firellava import FireworksBackend, Message, ReplyChunk, VisionClient
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import StreamBroken
from firellava.routing.breaker import breaker_of
from tests.api_server import ApiServer, Fault
from tests.api_server.plain_requests import ask

ANSWER = "question: Hello"
PIECES = ("question:", " Hello")
QUESTION = [Message("user", "Hello")]
EVENT_STREAM = {"content-type": "text/event-stream"}


@pytest.fixture
def recorded(api_server: ApiServer) -> bytes:
    """The body of a stream, as the API sends it."""
    body = ask(api_server, stream=True).content
    api_server.clear()
    return body


@pytest.fixture
def client(api_server: ApiServer, local: OpenAICompatibleBackend) -> VisionClient:
    cloud = FireworksBackend(api_key=api_server.key, base_url=api_server.base_url)
    return VisionClient(backend=cloud, fallback=local)


def hear(client: VisionClient) -> tuple[list[ReplyChunk], StreamBroken | None]:
    chunks: list[ReplyChunk] = []
    try:
        chunks.extend(client.stream(QUESTION))
    except StreamBroken as error:
        return chunks, error
    return chunks, None


async def ahear(client: VisionClient) -> tuple[list[ReplyChunk], StreamBroken | None]:
    chunks: list[ReplyChunk] = []
    try:
        async for chunk in client.astream(QUESTION):
            chunks.append(chunk)  # noqa: PERF401 - what came before an error counts
    except StreamBroken as error:
        return chunks, error
    return chunks, None


def connection_lost(body: bytes, cut: int) -> Fault:
    return Fault(body=body, headers=EVENT_STREAM, cut_after=cut)


def ended_early(body: bytes, cut: int) -> Fault:
    return Fault(body=body, headers=EVENT_STREAM, truncate_after=cut)


Make = Callable[[bytes, int], Fault]
each_cut = pytest.mark.parametrize("make", [connection_lost, ended_early])


def check(
    recorded: bytes,
    cut: int,
    heard: tuple[list[ReplyChunk], StreamBroken | None],
    requests: tuple[int, int],
    local: OpenAICompatibleBackend,
) -> None:
    """What must be heard of a stream of which `cut` bytes came; `requests` were sent to API and fallback."""
    chunks, broken = heard
    pieces = [chunk.text for chunk in chunks if chunk.text]
    last = chunks[-1].reply if chunks else None
    begun = cut >= _end_of(b"question:", recorded)
    complete = cut >= len(recorded)
    if not begun:
        assert (pieces, broken, requests) == ([*PIECES], None, (1, 1))
        assert last is not None
        assert last.backend == local.label
    elif complete:
        assert (pieces, broken, requests) == ([*PIECES], None, (1, 0))
        assert last is not None
        assert last.backend == "fireworks:firellava-13b"
    else:
        assert broken is not None
        assert (broken.partial_text, requests) == ("".join(pieces), (1, 0))
        assert pieces == [*PIECES[: len(pieces)]] != []
        assert last is None


def _end_of(piece: bytes, body: bytes) -> int:
    return body.index(b"\n\n", body.index(piece)) + 2


def cuts(body: bytes) -> Iterator[int]:
    for cut in range(len(body) + 1):
        breaker_of.cache_clear()
        yield cut


@each_cut
def test_a_synchronous_stream(
    client: VisionClient,
    api_server: ApiServer,
    local_server: ApiServer,
    local: OpenAICompatibleBackend,
    recorded: bytes,
    make: Make,
) -> None:
    for cut in cuts(recorded):
        api_server.clear()
        local_server.clear()
        api_server.fail_next(make(recorded, cut))
        heard = hear(client)
        check(recorded, cut, heard, (len(api_server.requests), len(local_server.requests)), local)


@each_cut
def test_an_asynchronous_stream(
    client: VisionClient,
    api_server: ApiServer,
    local_server: ApiServer,
    local: OpenAICompatibleBackend,
    recorded: bytes,
    make: Make,
) -> None:
    async def every_cut() -> None:
        for cut in cuts(recorded):
            api_server.clear()
            local_server.clear()
            api_server.fail_next(make(recorded, cut))
            heard = await ahear(client)
            check(recorded, cut, heard, (len(api_server.requests), len(local_server.requests)), local)

    asyncio.run(every_cut())
