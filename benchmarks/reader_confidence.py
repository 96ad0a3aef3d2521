"""How far the offline reader's confidence can be believed: of the answers with 0.9, are nine in ten right?

    git clone --no-checkout https://github.com/zzzDavid/ICDAR-2019-SROIE
    python -m benchmarks.reader_confidence ICDAR-2019-SROIE

Asks about the receipts 300 to 625 of `benchmarks.reader_receipts` and the documents of
`benchmarks.reader_documents` that were drawn last: the confidence was told from others. Puts the answers into
bins by their confidence, prints how many of each bin are right, and draws that as the reliability diagram of
the documentation, docs/images/reader_confidence.png. Answers below the threshold are declined, with a
confidence of zero, and are counted apart.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from matplotlib.figure import Figure

from benchmarks.drawn_documents import LAST_DRAWN
from benchmarks.reader_documents import ask_everything
from benchmarks.reader_receipts import ask_receipts
from firellava.reader.confidence import SURE_ENOUGH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

DIAGRAM: Final = Path(__file__).parents[1] / "docs" / "images" / "reader_confidence.png"

_BINS: Final = 10
_COLOURS: Final = ("#1f6f8b", "#d1495b")
_PAPER, _INK, _GREY = "#fbfbf8", "#2a2a2e", "#8a8d93"


class Graded(NamedTuple):
    """An answer that was given: how sure the reader was, and whether it is right."""

    confidence: float
    right: bool


class Bin(NamedTuple):
    """The answers of one range of confidence: its middle, and what they are on average."""

    middle: float
    confidence: float
    right: int
    answers: int

    @property
    def accuracy(self) -> float:
        """The part that is right."""
        return self.right / self.answers

    @property
    def interval(self) -> tuple[float, float]:
        """Between what the true accuracy lies with 95 % probability (Wilson's score interval)."""
        z = 1.96
        centre = (self.right + z * z / 2) / (self.answers + z * z)
        spread = z * (self.accuracy * (1 - self.accuracy) / self.answers + z * z / 4 / self.answers**2) ** 0.5
        return centre - spread / (1 + z * z / self.answers), centre + spread / (1 + z * z / self.answers)


def main() -> None:
    """Print the bins and write the diagram."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("receipts", type=Path, help="a clone of zzzDavid/ICDAR-2019-SROIE")
    arguments = parser.parse_args()
    graded = {"receipts": _receipts(arguments.receipts), "documents": _documents()}
    binned = {}
    for name, answers in graded.items():
        given = [answer for answer in answers if answer.confidence > 0]
        binned[name] = bins(given)
        print(f"{name}: {len(given)} answers, {len(answers) - len(given)} declined")
        for one in binned[name]:
            print(
                f"  confidence {one.confidence:.2f}: {one.right} of {one.answers} right, {one.accuracy:.0%}"
            )
        print(f"  expected calibration error {calibration_error(binned[name]):.3f}")
    DIAGRAM.parent.mkdir(exist_ok=True)
    diagram(binned, SURE_ENOUGH).savefig(DIAGRAM, dpi=140)


def _receipts(clone: Path) -> list[Graded]:
    return [Graded(one.answer.confidence, one.right) for one in ask_receipts(clone, 300, 625)]


def _documents() -> list[Graded]:
    return [
        Graded(one.answer.confidence, one.verdict in {"right", "declined"})
        for one in ask_everything(LAST_DRAWN)
    ]


def bins(answers: Iterable[Graded]) -> list[Bin]:
    """The answers in ten bins of equal width, by confidence; bins without answers are left out."""
    sorted_in: defaultdict[int, list[Graded]] = defaultdict(list)
    for answer in answers:
        sorted_in[min(int(answer.confidence * _BINS), _BINS - 1)].append(answer)
    return [
        Bin(
            (number + 0.5) / _BINS,
            sum(answer.confidence for answer in members) / len(members),
            sum(answer.right for answer in members),
            len(members),
        )
        for number, members in sorted(sorted_in.items())
    ]


def calibration_error(binned: Sequence[Bin]) -> float:
    """The mean distance between confidence and accuracy, each bin by its number of answers."""
    total = sum(one.answers for one in binned)
    return sum(one.answers * abs(one.accuracy - one.confidence) for one in binned) / total


def diagram(binned: Mapping[str, Sequence[Bin]], threshold: float) -> Figure:
    """Accuracy over confidence, and below it how many answers each point stands for.

    On light paper of its own, so that it can be read on a dark page too.

    Args:
        binned: the bins of each set, by its name.
        threshold: the confidence below which the reader declines.
    """
    figure = Figure(figsize=(7, 6.2), facecolor=_PAPER, layout="constrained")
    accuracy, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    accuracy.plot((0, 1), (0, 1), color=_GREY, linestyle=":", label="as sure as right")
    for place, (name, set_bins) in enumerate(binned.items()):
        colour, x = _COLOURS[place], [one.confidence for one in set_bins]
        y = [one.accuracy for one in set_bins]
        low = [one.accuracy - one.interval[0] for one in set_bins]
        high = [one.interval[1] - one.accuracy for one in set_bins]
        accuracy.errorbar(x, y, (low, high), color=colour, marker="os"[place], capsize=3, label=name)
        bars = counts.bar(
            [one.middle + (place - 0.5) * 0.04 for one in set_bins],
            [one.answers for one in set_bins],
            width=0.036,
            color=colour,
        )
        counts.bar_label(bars, fontsize=8, color=_INK)
    for axes in (accuracy, counts):
        axes.axvline(threshold, color=_INK, linestyle="--", linewidth=1)
        _plain(axes)
    accuracy.text(threshold - 0.01, 0.97, "declined below", ha="right", va="top", color=_INK, fontsize=9)
    accuracy.set(ylabel="part of the answers that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    accuracy.legend(loc="lower right", facecolor=_PAPER, labelcolor=_INK)
    counts.set(xlabel="confidence", ylabel="answers")
    counts.margins(y=0.3)
    return figure


def _plain(axes: Axes) -> None:
    axes.set_facecolor(_PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(colors=_INK)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)


if __name__ == "__main__":
    main()
