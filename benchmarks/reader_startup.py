"""What the offline reader takes of time and memory in a process that starts with nothing.

    python -m benchmarks.reader_startup

Three processes are started one after the other, and the median of each figure is printed: importing the
reader, the first answer (the engine is loaded, the image is read), a second question about the same image, a
question about another image, and the most memory the process had. Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PICTURES = Path(__file__).parents[1] / "cookbook" / "images"
_PROCESSES = 3


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure in this process, and print JSON")
    if parser.parse_args().measure:
        print(json.dumps(_measured()))
        return
    command = [sys.executable, "-m", "benchmarks.reader_startup", "--measure"]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - ours
        for _ in range(_PROCESSES)
    ]
    print(f"{os.cpu_count()} cores; medians of {_PROCESSES} fresh processes")
    for name in runs[0]:
        unit = "MB" if "memory" in name else "s"
        print(f"  {name:<42} {statistics.median(run[name] for run in runs):8.3f} {unit}")


def _measured() -> dict[str, float]:
    before = _peak_megabytes()
    taken = {"importing firellava.reader": _seconds(_import)}
    from firellava.images import ImageSource, decode_image  # noqa: PLC0415 - importing is measured
    from firellava.reader import answer  # noqa: PLC0415 - importing is measured

    receipt, invoice = (
        decode_image(ImageSource.of(_PICTURES / name)) for name in ("receipt.jpg", "invoice.png")
    )
    taken["the first answer, engine loaded"] = _seconds(lambda: answer("What is the total?", [receipt]))
    taken["a second question about the same image"] = _seconds(lambda: answer("When was it?", [receipt]))
    taken["a question about another image"] = _seconds(lambda: answer("What is the total?", [invoice]))
    taken["memory at most"] = _peak_megabytes()
    taken["memory at most, of bare Python"] = before
    return taken


def _import() -> None:
    import firellava.reader  # noqa: F401, PLC0415 - importing is measured


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes there, kibibytes elsewhere


if __name__ == "__main__":
    main()
