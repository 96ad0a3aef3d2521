"""Engines that tests of costs open are closed after each module."""

from collections.abc import Iterator

import pytest

from firellava.backends import engines


@pytest.fixture(scope="module", autouse=True)
def _no_engine_stays_open() -> Iterator[None]:
    yield
    engines.close_all()
