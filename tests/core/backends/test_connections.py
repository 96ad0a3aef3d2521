"""Connections are shared, used again, and belong to the event loop and the process they were opened in."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from firellava import Message, VisionClient
from firellava.backends import connections
from tests.api_server import ApiServer

Make = Callable[..., VisionClient]
HELLO = [Message("user", "Hello one two three")]


def open_connections(client: httpx.Client | httpx.AsyncClient) -> int:
    transport: Any = client._transport  # httpx shows no count of its own
    return len(transport._pool.connections)


@pytest.fixture
def fresh_client() -> httpx.Client:
    connections._close()
    connections._forget()
    return connections.shared_client()


def test_a_connection_is_used_again_after_whole_and_streamed_replies(
    client: VisionClient, fresh_client: httpx.Client
) -> None:
    for _ in range(3):
        client.chat(HELLO)
        assert list(client.stream(HELLO))[-1].reply is not None
    assert open_connections(fresh_client) == 1


def test_an_asynchronous_connection_is_used_again_within_a_loop(client: VisionClient) -> None:
    async def run() -> int:
        for _ in range(3):
            await client.achat(HELLO)
            assert [chunk async for chunk in client.astream(HELLO)][-1].reply is not None
        return open_connections(await connections.shared_async_client())

    assert asyncio.run(run()) == 1


def test_one_client_works_in_one_loop_after_another_and_leaves_nothing_open(client: VisionClient) -> None:
    held: list[httpx.AsyncClient] = []

    async def run() -> str:
        reply = await client.achat(HELLO)
        held.append(await connections.shared_async_client())
        return reply.text

    assert {asyncio.run(run()) for _ in range(3)} == {"question: Hello one two three"}
    assert len(set(map(id, held))) == 3
    assert all(http_client.is_closed for http_client in held)


def test_one_client_works_in_many_threads_and_tasks(client: VisionClient, api_server: ApiServer) -> None:
    async def many() -> list[str]:
        replies = await asyncio.gather(*(client.aask(f"number {n}") for n in range(40)))
        return [reply.text for reply in replies]

    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda n: client.ask(f"number {n}").text, range(40)))
    assert texts == asyncio.run(many()) == [f"question: number {n}" for n in range(40)]
    assert len(api_server.requests) == 80


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(client: VisionClient) -> None:
    client.chat(HELLO)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = client.chat(HELLO).text + "|" + asyncio.run(client.achat(HELLO)).text
            os.write(writer, text.encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"question: Hello one two three|question: Hello one two three"
    assert client.chat(HELLO).text == "question: Hello one two three"
