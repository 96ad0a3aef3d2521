"""The LLM on the API server, and pictures to ask about."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.memory import Memory
from llama_index.core.schema import ImageDocument

from firellava.costs.calibration import calibration_of
from llama_index_firellava import FireLLaVA
from llama_index_firellava.captions.captioner import ImageCaptioner
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer
from tests.llama_index.asking import PICTURE, RECEIPT
from tests.llama_index.captioning import Caption, write_pictures


@pytest.fixture
def llm_for(api_server: ApiServer) -> Callable[..., FireLLaVA]:
    """Makes an LLM that asks the API server."""

    def make(**settings: Any) -> FireLLaVA:
        return FireLLaVA(**{"api_key": api_server.key, "base_url": api_server.base_url, **settings})

    return make


@pytest.fixture
def llm(llm_for: Callable[..., FireLLaVA]) -> FireLLaVA:
    return llm_for()


@pytest.fixture
def receipt() -> Path:
    return RECEIPT


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file that shows one plain colour, `asking.COLOUR`."""
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for image files, not made yet."""
    return tmp_path / "pictures"


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Writes a file into `folder`: a picture, or the bytes given."""

    def write(name: str, data: bytes = PICTURE) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(autouse=True)
def _nothing_learned() -> None:
    """What replies taught about a model's tokens is kept in the process; it is nothing to the next test."""
    calibration_of.cache_clear()


@pytest.fixture(autouse=True)
def _event_loop_to_close(request: pytest.FixtureRequest) -> Iterator[None]:
    """LlamaIndex's synchronous methods take the thread's event loop, or make one and leave it open."""
    if inspect.iscoroutinefunction(request.function):
        yield
        return
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def kept() -> Iterator[Callable[[Memory], Memory]]:
    """Closes the database of a memory, which LlamaIndex opens and leaves to the garbage collector."""
    memories: list[Memory] = []

    def keep(memory: Memory) -> Memory:
        memories.append(memory)
        return memory

    yield keep
    for memory in memories:
        engine = getattr(memory.sql_store, "_async_engine", None)
        if engine is not None:
            asyncio.run(engine.dispose())


@pytest.fixture(params=["called", "awaited"])
def caption(request: pytest.FixtureRequest) -> Caption:
    """Calls a captioner, in one way and in the other."""
    if request.param == "called":
        return lambda captioner, nodes: captioner(nodes)
    return lambda captioner, nodes: asyncio.run(captioner.acall(nodes))


@pytest.fixture
def captioner(llm: FireLLaVA) -> ImageCaptioner:
    return ImageCaptioner(llm=llm)


@pytest.fixture
def documents(tmp_path: Path) -> list[ImageDocument]:
    """A red, a green and a blue picture, loaded."""
    return load_images(write_pictures(tmp_path / "pictures", ["#ff0000", "#00ff00", "#0000ff"]))
