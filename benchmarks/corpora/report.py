"""What came of every file, as a Markdown table of counts and a list of failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.corpora.measuring import PREPARED
from firellava.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.corpora.measuring import Trial

__all__ = ["Result", "failures", "markdown_table"]

_OUTCOMES: Final = (
    PREPARED,
    *(kind.__name__ for kind in (UnreadableImage, UnsupportedFormat, ImageTooLarge)),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one file.

    Attributes:
        corpus: its name.
        path: of the file, in the corpus.
        trials: one for every way.
        has_gps: whether its EXIF block tells a place.
    """

    corpus: str
    path: str
    trials: tuple[Trial, ...]
    has_gps: bool

    @property
    def outcome(self) -> str:
        """`PREPARED` where every way succeeded, else the first error, or ``failure``."""
        if any(trial.problems for trial in self.trials):
            return "failure"
        return next((trial.outcome for trial in self.trials if trial.outcome != PREPARED), PREPARED)

    @property
    def seconds(self) -> float:
        """Of the slowest way."""
        return max(trial.seconds for trial in self.trials)

    @property
    def peak_bytes(self) -> int:
        """Of the most costly way."""
        return max(trial.peak_bytes for trial in self.trials)


def failures(results: Iterable[Result]) -> list[str]:
    """One line for everything that must not have happened."""
    return [
        f"{result.corpus} {result.path} ({trial.way}): {problem}"
        for result in results
        for trial in result.trials
        for problem in trial.problems
    ]


def markdown_table(results: list[Result]) -> str:
    """Counts by outcome, a row for each corpus and one for all."""
    header = ["corpus", "files", *_OUTCOMES, "failures", "with a place", "slowest, s", "largest, MiB"]
    names = list(dict.fromkeys(result.corpus for result in results))
    rows = [_row(name, [result for result in results if result.corpus == name]) for name in names]
    rows.append(_row("**all**", results))
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n" + _extremes(results)


def _row(name: str, results: list[Result]) -> list[str]:
    counts = Counter(result.outcome for result in results)
    unknown = counts.total() - sum(counts[outcome] for outcome in _OUTCOMES)
    return [
        name,
        f"{len(results):,}",
        *(f"{counts[outcome]:,}" for outcome in _OUTCOMES),
        f"{unknown:,}",
        f"{sum(result.has_gps for result in results):,}",
        f"{max(result.seconds for result in results):.2f}",
        f"{max(result.peak_bytes for result in results) / 2**20:.0f}",
    ]


def _extremes(results: list[Result]) -> str:
    slowest, largest = max(results, key=lambda r: r.seconds), max(results, key=lambda r: r.peak_bytes)
    outputs = sum(trial.outputs for result in results for trial in result.trials)
    placed = [result for result in results if result.has_gps]
    printing = sum(any(trial.printed for trial in result.trials) for result in results)
    clean = sum(result.outcome == PREPARED for result in placed)
    return "\n".join(
        (
            f"Slowest: {slowest.corpus} {slowest.path}, {_slowest_way(slowest)}.",
            f"Largest: {largest.corpus} {largest.path}, {largest.peak_bytes / 2**20:.0f} MiB.",
            f"{outputs:,} prepared images were looked through.",
            f"{len(placed):,} files tell a place; {clean:,} of them were prepared, nothing of it came out.",
            f"{printing:,} times a C library told standard error what is wrong with a file.",
        )
    )


def _slowest_way(result: Result) -> str:
    trial = max(result.trials, key=lambda trial: trial.seconds)
    return f"{trial.way}, {trial.seconds:.2f} s"
