"""Captioners on the API server, and the two ways of using one."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from firellava import VisionClient
from firellava.captions import Caption, Captioner
from tests.core.captions.pictures import Describe, Results, wait_for_threads


def _describe(captioner: Captioner, sources: Iterable[Any], **settings: Any) -> Results:
    return list(captioner.captions(sources, **settings))


def _describe_async(captioner: Captioner, sources: Iterable[Any], **settings: Any) -> Results:
    async def run() -> Results:
        return [result async for result in captioner.acaptions(sources, **settings)]

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _no_calls_left_for_the_next_test() -> Iterator[None]:
    yield
    wait_for_threads()


@pytest.fixture(params=[_describe, _describe_async], ids=["captions", "acaptions"])
def describe(request: pytest.FixtureRequest) -> Describe:
    """`Captioner.captions` or `acaptions`, to the end."""
    way: Describe = request.param
    return way


@pytest.fixture(
    params=[
        lambda captioner, image: captioner.caption(image),
        lambda captioner, image: asyncio.run(captioner.acaption(image)),
    ],
    ids=["caption", "acaption"],
)
def describe_one(request: pytest.FixtureRequest) -> Callable[[Captioner, Any], Caption]:
    """`Captioner.caption` or `acaption`."""
    way: Callable[[Captioner, Any], Caption] = request.param
    return way


@pytest.fixture
def captioner(client: VisionClient) -> Captioner:
    return Captioner(client)
