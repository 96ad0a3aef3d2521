"""The Python of the frameworks' pages runs as it stands, from top to bottom, and links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api_server import ApiServer

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("page", ["LANGCHAIN.md", "LLAMA_INDEX.md"])
def test_a_page_runs(page: str, api_server: ApiServer, tmp_path: Path) -> None:
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) > 5
    # In a process of its own: LlamaIndex's synchronous engines leave an event loop open.
    run = subprocess.run(  # noqa: S603 - the pages are ours
        [sys.executable, "-c", "\n".join(snippets)],
        cwd=shutil.copytree(ROOT / "cookbook" / "images", tmp_path / "images"),
        env=os.environ
        | {
            "FIREWORKS_API_KEY": api_server.key,
            "FIREWORKS_API_BASE": api_server.base_url,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
