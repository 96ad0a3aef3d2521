"""The README's Python runs as it stands, and its first screen shows what the commands print."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import ApiServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_runs(snippet: str, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    monkeypatch.setenv("FIREWORKS_API_BASE", api_server.base_url)
    monkeypatch.chdir(ROOT / "cookbook" / "images")
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - the README is ours
    told = repr(names.get("answer") or names["reply"])
    assert "question: What is the total?" in told
    assert "336x336" in told
    assert "0.000126" in told


def test_the_snippets_were_found() -> None:
    assert len(SNIPPETS) == 5


def test_relative_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
