"""The table in docs/RELIABILITY.md: rendered from what a test run observed, read, and rewritten."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "RELIABILITY.md"
REWRITE = bool(os.environ.get("FIRELLAVA_WRITE_RELIABILITY"))
"""Whether the committed table is replaced. Read at import: tests see a clean environment."""

_BEGIN, _END = "<!-- failure matrix: begin -->\n", "<!-- failure matrix: end -->\n"


@dataclass(frozen=True, slots=True)
class Cell:
    """What was observed for one failure and one way to ask.

    outcome         "fallback", or the name of the error that was raised
    attempts        how often the API was tried
    requests        how many requests reached it
    repeated        pieces of text that were delivered twice, and answers that were asked for twice
    wrong_labels    backends named that were not the ones
    """

    outcome: str
    attempts: int
    requests: int
    repeated: int
    wrong_labels: int


def render(failures: Sequence[str], ways: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> str:
    """The table in Markdown, and its sums."""
    header = ["", "tried", "requests", *(f"`{way}`" for way in ways)]
    rows = [header, ["---"] * len(header)]
    for failure in failures:
        row = [cells[failure, way] for way in ways]
        tried, requests = {cell.attempts for cell in row}, {cell.requests for cell in row}
        rows.append([failure, _together(tried), _together(requests), *(cell.outcome for cell in row)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    repeated = sum(cell.repeated for cell in cells.values())
    wrong = sum(cell.wrong_labels for cell in cells.values())
    sums = f"{len(cells)} cells; duplicates: {repeated}; wrong backend labels: {wrong}."
    return f"{table}\n\n{sums}\n"


def _together(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def committed() -> str:
    """The table as it stands in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text[text.index(_BEGIN) + len(_BEGIN) : text.index(_END)]


def rewrite(table: str) -> None:
    """Put the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    DOCUMENT.write_text(f"{before}{_BEGIN}{table}{_END}{after}", encoding="utf-8")
