"""Engines on the tiny LLaVA, in this process and behind HTTP."""

from collections.abc import Iterator

import pytest

from firellava.backends import engines
from firellava.backends.inference import EngineBackend
from tests.fixtures import tiny_model

KINDS = ("llama_cpp", "transformers")


@pytest.fixture(scope="session")
def llama_server() -> Iterator[tiny_model.LlamaServer]:
    """A real llama-server with the tiny LLaVA; only for tests marked ``engine("llama_cpp")``."""
    with tiny_model.llama_server() as server:
        yield server


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.engine(kind)) for kind in KINDS])
def engine_backend(request: pytest.FixtureRequest) -> EngineBackend:
    """Each of the two in turn."""
    return tiny_model.engine_backend(request.param)


@pytest.fixture(scope="module", autouse=True)
def _no_engine_stays_open() -> Iterator[None]:
    yield
    engines.close_all()
