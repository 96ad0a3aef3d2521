"""Why the OCR engine is set as it is: other settings beside the reader's own, on real receipts.

    git clone --no-checkout https://github.com/zzzDavid/ICDAR-2019-SROIE
    python -m benchmarks.reader_settings ICDAR-2019-SROIE [--receipts 40]

Each line changes one setting of `firellava.reader.engine`. "Read" is how many of the annotated totals, dates
and companies stand in the transcript, "right" how many of the three questions were answered rightly, and the
times are those of reading one image.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Final

from benchmarks.reader_receipts import ask_receipts
from firellava.reader import engine

SETTINGS: Final[tuple[tuple[str, dict[str, int]], ...]] = (
    ("as it is", {}),
    ("detection at 960 pixels", {"DETECTION_SIDE": 960}),
    ("detection at 1600 pixels", {"DETECTION_SIDE": 1600}),
    ("recognition at 1200 pixels", {"READING_SIDE": 1200, "DETECTION_SIDE": 1200}),
    ("recognition at 2048 pixels", {"READING_SIDE": 2048}),
    ("lines in batches at least 320 wide", {"LEAST_WIDTH": 320}),
    ("one thread", {"MOST_THREADS": 1}),
)

_COLUMNS: Final = "{:<36} {:>8} {:>8} {:>10} {:>14}"


def main() -> None:
    """Read the same receipts with each setting and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clone", type=Path, help="a clone of zzzDavid/ICDAR-2019-SROIE")
    parser.add_argument("--receipts", type=int, default=40, help="how many receipts, from the first (40)")
    arguments = parser.parse_args()
    print(_COLUMNS.format("", "read", "right", "seconds", "processor s"))
    own = {name: getattr(engine, name) for _, changes in SETTINGS for name in changes}
    for told, changes in SETTINGS:
        for name, value in (own | changes).items():
            setattr(engine, name, value)
        engine._loaded = engine._Loaded()  # noqa: SLF001 - another engine, which has read nothing
        outcomes = list(ask_receipts(arguments.clone, 0, arguments.receipts - 1))
        first_of_each = outcomes[3::3]  # the first receipt waits for the engine to load
        print(
            _COLUMNS.format(
                told,
                f"{sum(one.read for one in outcomes)}/{len(outcomes)}",
                f"{sum(one.right for one in outcomes)}/{len(outcomes)}",
                f"{statistics.median(one.seconds for one in first_of_each):.2f}",
                f"{statistics.median(one.processor_seconds for one in first_of_each):.2f}",
            )
        )


if __name__ == "__main__":
    main()
