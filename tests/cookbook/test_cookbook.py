"""Notebooks and the demonstration run as a newcomer would run them: without a key, without a network."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.engine("rapidocr")

ROOT = Path(__file__).parents[2]
COOKBOOK = ROOT / "cookbook"


@pytest.mark.parametrize("path", sorted(COOKBOOK.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_and_says_what_it_says_in_the_repository(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    kept = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    run = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    NotebookClient(run, timeout=300, resources={"metadata": {"path": str(COOKBOOK)}}).execute()
    assert printed(run) == printed(kept)


def printed(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert "stderr" not in {output.get("name") for output in outputs}
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_demonstration_answers_in_all_three_ways() -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(COOKBOOK / "demo.py")],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    for answer in ("$49.98", "INV-2026-0147", "NO / PARKING", "I only read text"):
        assert done.stdout.count(answer) == 3
    assert done.stderr == ""
