"""Waits that are short."""

from functools import partial

import pytest

from firellava.routing.policy import Timing


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait milliseconds instead of seconds; how often there are any is left as it is."""
    monkeypatch.setattr("firellava.client.Timing", partial(Timing, first_pause=0.01))
