"""How time, memory, threads and fidelity are measured for `benchmarks.images`, and how far to trust it."""

from __future__ import annotations

import gc
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL import Image

__all__ = ["cpu_seconds", "longest_hold", "peak_bytes", "ssim", "two_thread_gain"]

_Plane = NDArray[np.float64]

_SWITCH_SECONDS = 1e-4
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def cpu_seconds(ways: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """The least CPU time, user and system, of each of several ways, which take turns.

    Other programs on the machine can only make a run slower, so the least is nearest to the truth, and taking
    turns lets a slow minute fall on all ways alike.
    """
    least = [float("inf")] * len(ways)
    for _ in range(repeats):
        for place, way in enumerate(ways):
            start = time.process_time()
            way()
            least[place] = min(least[place], time.process_time() - start)
    return least


def peak_bytes(work: Callable[[], object]) -> int:
    """Resident memory at its highest during `work`, above what was resident before; Linux only.

    The kernel counts it, so the memory of C libraries is in it. To be called in a fresh process: one that has
    worked before may hold memory it need not ask for again. Exact to about half a MiB, since the kernel
    gathers its counts in batches.
    """
    gc.collect()
    _CLEAR.write_text("5")  # resets VmHWM to what is resident now
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def longest_hold(work: Callable[[], object], repeats: int) -> float:
    """Seconds for which `work` keeps other threads from running Python, at its longest.

    A second thread asks for the GIL all the time, and each time it gets it reads the CPU clock of the thread
    that works: between two readings, that thread had the GIL and did not hand it over. Its CPU time, unlike
    wall time, does not grow when other programs take the processor away from it. It does grow when they take
    it from the thread that asks, so the least of several runs counts. Handing over takes up to 0.1 ms (set
    here), which is the method's error: a little too much, never too little.
    """
    with _switching_every(_SWITCH_SECONDS):
        return min(_watch_holds(work) for _ in range(repeats))


def two_thread_gain(work: Callable[[], object], count: int, repeats: int) -> float:
    """How many times as much two threads get done as one, in wall time, the best of several runs.

    Wall time is all there is to measure here, so this is only right on a machine with two idle cores, and too
    low on a busy one.
    """
    return max(_wall(work, count, 1) / _wall(work, count, 2) for _ in range(repeats))


def ssim(first: Image.Image, second: Image.Image) -> float:
    """Structural similarity of the grey of two pictures, 1 where they are alike.

    As its authors define it (Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, 2004): a Gaussian
    window of 11 pixels and a deviation of 1.5, K1 of 0.01 and K2 of 0.03, the mean over all whole windows.
    """
    x, y = (np.asarray(picture.convert("L"), np.float64) for picture in (first, second))
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x = _blurred(x * x) - mean_x**2
    variance_y = _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    size = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(np.mean(likeness / size))


def _blurred(plane: _Plane) -> _Plane:
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    for axis in (0, 1):
        views = np.lib.stride_tricks.sliding_window_view(plane, len(window), axis)
        plane = views @ window
    return plane


def _resident(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def _watch_holds(work: Callable[[], object]) -> float:
    clock = time.pthread_getcpuclockid(threading.get_ident())
    longest = 0.0
    watching, done = threading.Event(), threading.Event()

    def watch() -> None:
        nonlocal longest
        last = time.clock_gettime(clock)
        watching.set()
        while not done.is_set():
            time.sleep(0)
            now = time.clock_gettime(clock)
            longest = max(longest, now - last)
            last = now

    watcher = threading.Thread(target=watch)
    watcher.start()
    watching.wait()
    work()
    done.set()
    watcher.join()
    return longest


def _wall(work: Callable[[], object], count: int, threads: int) -> float:
    def several() -> None:
        for _ in range(count // threads):
            work()

    workers = [threading.Thread(target=several) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


@contextmanager
def _switching_every(seconds: float) -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
