"""What the package says it needs, and what it is tested with."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_oldest_frameworks_tested_are_the_oldest_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [line for extra in ("langchain", "agents", "llama-index") for line in extras_of(project, extra)]
    allowed = dict(re.findall(r"^([a-z-]+)>=([\d.]+)", "\n".join(needed), re.MULTILINE))
    tested = dict(re.findall(r"^([a-z-]+)==([\d.]+)$", (ROOT / "tests/floors.txt").read_text(), re.MULTILINE))
    assert tested == {name: floor for name, floor in allowed.items() if name != "tqdm"}


def extras_of(project: dict[str, dict[str, list[str]]], extra: str) -> list[str]:
    return project["optional-dependencies"][extra]
