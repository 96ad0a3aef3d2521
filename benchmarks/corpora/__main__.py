"""Thousands of images that others published, most to break decoders: what becomes of each of them.

    pip install 'firellava[dev]'
    for name in $(python -m benchmarks.corpora --list)   # owner/repository, as on GitHub
    do git clone --no-checkout "https://github.com/$name" "corpora/$(echo $name | tr / +)"
    done
    python -m benchmarks.corpora corpora/*

Every file is prepared in every way in a process of its own: for FireLLaVA, for a model with a longest side,
with its own pixels, to stay inside a message, and as a document with pages; then its metadata is read. It
must be prepared or refused with an ImageError, within 5 seconds of processor time and 1 GiB, with no process
spawned, no socket, no file written, no warning, and Pillow's globals as they were; and what was prepared must
decode, have the right size, and consist of nothing but pixels. It ends with 1 where anything else happened,
and says to which file. Linux only.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from benchmarks.corpora.orientations import ORIENTATION_CORPUS, orientation_table
from benchmarks.corpora.reading import Corpus, File, find_corpora, repositories, without_repetitions
from benchmarks.corpora.report import Result, failures, markdown_table
from benchmarks.corpora.workers import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable


def main() -> int:
    """Prepare everything and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="clones, bare repositories or folders of images")
    parser.add_argument("--list", action="store_true", help="print the repositories the figures are for")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes at once")
    arguments = parser.parse_args()
    if arguments.list:
        print(*repositories(), sep="\n")
        return 0
    corpora = find_corpora(arguments.paths)
    files = without_repetitions(corpora)
    if not files:
        parser.error("there is no image file in what was given")
    results = _try_all(files, arguments.workers)
    print(markdown_table(results))
    print(f"{sum(corpus.lacking for corpus in corpora)} files are listed but missing in these copies.")
    for corpus in corpora:
        if corpus.name == ORIENTATION_CORPUS:
            print("\n" + orientation_table({file.path: corpus.read(file) for file in corpus.files()}))
    wrong = failures(results)
    print(f"\nfailures: {len(wrong)}", *wrong, sep="\n")
    return int(bool(wrong))


def _try_all(files: list[tuple[Corpus, File]], workers: int) -> list[Result]:
    idle: SimpleQueue[Worker] = SimpleQueue()
    started = [Worker() for _ in range(workers)]
    for worker in started:
        idle.put(worker)

    def attempt(entry: tuple[Corpus, File]) -> Result:
        corpus, file = entry
        data = corpus.read(file)
        worker = idle.get()
        try:
            trials, has_gps = worker.try_image(data)
        finally:
            idle.put(worker)
        return Result(corpus.name, file.path, tuple(trials), has_gps)

    try:
        with ThreadPoolExecutor(workers) as threads:
            return list(_with_progress(threads.map(attempt, files), len(files)))
    finally:
        for worker in started:
            worker.close()


def _with_progress(results: Iterable[Result], total: int) -> Iterable[Result]:
    wrong = 0
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("images", total=total)
        for result in results:
            wrong += any(trial.problems for trial in result.trials)
            progress.update(task, advance=1, description=f"{result.corpus}, failures: {wrong}")
            yield result


if __name__ == "__main__":
    sys.exit(main())
