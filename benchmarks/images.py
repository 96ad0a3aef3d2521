"""What a 12-megapixel JPEG and ten pages of a TIFF become, beside the naive ways, in one run.

    python -m benchmarks.images [PHOTOGRAPH ...]

Three pictures are made from seeds; photographs given as files are measured beside them, as they lie where
they are JPEGs of nine megapixels, and else enlarged to twelve and given grain. Above the figures stand their
targets; the run ends with 1 where one is missed. The other ways are

- decode: libjpeg-turbo's scaled decode alone, to the least size that covers the target: what cannot be saved;
- naive: the whole picture decoded and made RGB, reduced by LANCZOS, JPEG at quality 85, base64;
- thumbnail: Pillow's `thumbnail()` with its defaults, then the same;
- for ten grey pages of a TIFF (200 dpi, LZW): naive, page by page.

PSNR and SSIM are against the original reduced by LANCZOS and not encoded; shown is how far ours fall short
of the naive way's. KB are base64 on the wire. How each is measured stands in `benchmarks.image_measures`.
"""

from __future__ import annotations

import argparse
import base64
import io
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from benchmarks.image_measures import cpu_seconds, longest_hold, peak_bytes, ssim, two_thread_gain
from firellava.images import ImageSource, PreparedImage
from firellava.images.jpeg_segments import cut_jpeg_metadata
from firellava.images.prepare import prepare_uncached
from firellava.models import ImageTarget, model_card
from tests.core.images.photograph import TWELVE_MEGAPIXELS, camera_jpeg, procedural_photograph, psnr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REPEATS = 7
_NINE_MEGAPIXELS = 9_000_000
_CAMERA_QUALITY = 96  # makes 4.2 MB of the made pictures, as a phone's camera would
_MOST_LESS_DB, _MOST_LESS_SSIM = 0.3, 0.003
_LEAST_GAIN, _MOST_HOLD_MS, _MOST_OF_NAIVE_TIFF = 1.7, 5.0, 0.45
_PAGES, _PAGE = 10, (1654, 2339)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is prepared, and what it may cost at most."""

    name: str
    target: ImageTarget
    times_decode: float
    peak_mib: float
    wire_kb: float


_GOALS = (
    Goal("336 letterbox", model_card("firellava-13b").image_target, 1.25, 8, 35),
    Goal("672 contain", ImageTarget(side=672), 1.4, 8, 105),
    Goal("1024 contain", ImageTarget(side=1024), 1.7, 25, 210),
)


class _Report:
    """Prints rows and remembers whether every target was met."""

    def __init__(self) -> None:
        self.missed = 0

    def judged(self, value: float, target: float, digits: int = 2, *, at_least: bool = False) -> str:
        is_met = value >= target if at_least else value <= target
        self.missed += not is_met
        return f"{value:.{digits}f}{' ' if is_met else '!'}"


def main() -> int:
    """Print the tables; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", nargs="*", type=Path, help="photographs to measure as well")
    pictures = list(_pictures(parser.parse_args().photographs))
    report = _Report()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}. A figure with ! misses its target.")
    for goal in _GOALS:
        print(f"\n{goal.name}")
        _row(
            "", "decode", "ours", "naive", "thumb", "ratio", "MiB", "naive", "dB less", "SSIM", "KB", "naive"
        )
        _row(
            "target",
            "ms",
            "ms",
            "ms",
            "ms",
            goal.times_decode,
            goal.peak_mib,
            "",
            0.3,
            0.003,
            goal.wire_kb,
            "",
        )
        for name, jpeg in pictures:
            _row(name, *_measure(jpeg, goal, report))
    print("\nTwo threads and the GIL, first picture")
    _measure_threads(pictures[0][1], report)
    print(f"\n{_PAGES} grey pages, TIFF")
    _measure_tiff(report)
    print(f"\n{report.missed} of the figures miss their targets.")
    return 1 if report.missed else 0


def _row(name: str, *cells: object) -> None:
    print(f"{name:<20}" + "".join(f"{cell:>9}" for cell in cells))


def _pictures(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for seed in (1, 2, 3):
        buffer = io.BytesIO()
        procedural_photograph(seed=seed).save(buffer, "JPEG", quality=_CAMERA_QUALITY)
        yield f"made, seed {seed}", buffer.getvalue()
    for path in paths:
        with Image.open(path) as photograph:
            if photograph.format == "JPEG" and photograph.width * photograph.height >= _NINE_MEGAPIXELS:
                # Compared pixel by pixel, so nothing may ask for turning or for other colours.
                yield path.stem[:19], cut_jpeg_metadata(path.read_bytes()) or path.read_bytes()
                continue
            large = ImageOps.fit(photograph.convert("RGB"), TWELVE_MEGAPIXELS, Image.Resampling.BICUBIC)
        grain = np.random.default_rng(0).normal(0, 2.5, (*large.size[::-1], 1))
        grainy = np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8)
        yield path.stem[:19], camera_jpeg(Image.fromarray(grainy))


def _measure(jpeg: bytes, goal: Goal, report: _Report) -> list[str]:
    side = goal.target.side
    size = _fitted(jpeg, side)
    ways = (
        lambda: _decode(jpeg, size),
        lambda: _prepare(jpeg, goal.target),
        lambda: _naive(jpeg, side),
        lambda: _thumbnail(jpeg, side),
    )
    decode, ours, naive, thumbnail = cpu_seconds(ways, _REPEATS)
    peaks = [_peak_in_new_process(way, jpeg, side) for way in ("ours", "naive")]
    reference = _opened(jpeg).convert("RGB").resize(size, Image.Resampling.LANCZOS)
    slow, prepared = _naive(jpeg, side), _prepare(jpeg, goal.target)
    pictures = Image.open(io.BytesIO(base64.b64decode(slow))), _picture_in(prepared, size)
    decibels, likeness = ([rate(picture, reference) for picture in pictures] for rate in (psnr, ssim))
    return [
        *(f"{1000 * seconds:.0f}" for seconds in (decode, ours, naive, thumbnail)),
        report.judged(ours / decode, goal.times_decode),
        report.judged(peaks[0] / 2**20, goal.peak_mib, 1),
        f"{peaks[1] / 2**20:.0f}",
        report.judged(decibels[0] - decibels[1], _MOST_LESS_DB),
        report.judged(likeness[0] - likeness[1], _MOST_LESS_SSIM, 4),
        report.judged(prepared.bytes_on_wire / 1000, goal.wire_kb, 0),
        f"{len(slow) / 1000:.0f}",
    ]


def _measure_threads(jpeg: bytes, report: _Report) -> None:
    _row("", "gain", "naive", "held ms", "naive")
    _row("target", _LEAST_GAIN, "", _MOST_HOLD_MS, "")
    for goal in _GOALS:
        side, target = goal.target.side, goal.target
        ours, naive = _bound(_prepare, jpeg, target), _bound(_naive, jpeg, side)
        _row(
            goal.name,
            report.judged(two_thread_gain(ours, 16, _REPEATS), _LEAST_GAIN, at_least=True),
            f"{two_thread_gain(naive, 4, _REPEATS):.2f}",
            report.judged(1000 * longest_hold(ours, 3 * _REPEATS), _MOST_HOLD_MS, 1),
            f"{1000 * longest_hold(naive, _REPEATS):.1f}",
        )


def _measure_tiff(report: _Report) -> None:
    _row("", "ours", "naive", "ratio")
    _row("target", "ms", "ms", _MOST_OF_NAIVE_TIFF)
    tiff = _tiff()
    for goal in _GOALS:
        ways = _bound(_prepare_pages, tiff, goal.target), _bound(_naive_pages, tiff, goal.target.side)
        ours, naive = cpu_seconds(ways, 3)
        ratio = report.judged(ours / naive, _MOST_OF_NAIVE_TIFF)
        _row(goal.name, f"{1000 * ours:.0f}", f"{1000 * naive:.0f}", ratio)


def _bound(way: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: way(*arguments)


def _prepare(jpeg: bytes, target: ImageTarget) -> PreparedImage:
    return prepare_uncached(ImageSource.from_bytes(jpeg).load(), target, ("JPEG", "PNG"))


def _naive(jpeg: bytes, side: int) -> bytes:
    return _sent(_opened(jpeg).convert("RGB").resize(_fitted(jpeg, side), Image.Resampling.LANCZOS))


def _thumbnail(jpeg: bytes, side: int) -> bytes:
    image = _opened(jpeg)
    image.thumbnail((side, side))
    return _sent(image)


def _decode(jpeg: bytes, size: tuple[int, int]) -> None:
    image = _opened(jpeg)
    image.draft(None, size)
    image.load()


def _sent(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue())


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def _fitted(jpeg: bytes, side: int) -> tuple[int, int]:
    width, height = _opened(jpeg).size
    return round(width * side / max(width, height)), round(height * side / max(width, height))


def _picture_in(prepared: PreparedImage, size: tuple[int, int]) -> Image.Image:
    """The picture without its padding."""
    left, top = (prepared.width - size[0]) // 2, (prepared.height - size[1]) // 2
    box = (left, top, left + size[0], top + size[1])
    return _opened(prepared.data).convert("RGB").crop(box)


def _peak_in_new_process(way: str, jpeg: bytes, side: int) -> int:
    new_process = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, new_process) as pool:
        return pool.submit(_peak, way, jpeg, side).result()


def _peak(way: str, jpeg: bytes, side: int) -> int:
    target = next(goal.target for goal in _GOALS if goal.target.side == side)
    small = camera_jpeg(procedural_photograph((96, 72)))
    run = (lambda data: _prepare(data, target)) if way == "ours" else (lambda data: _naive(data, side))
    run(small)
    return peak_bytes(lambda: run(jpeg))


def _tiff() -> bytes:
    pages = [_scanned_page(seed) for seed in range(_PAGES)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    return buffer.getvalue()


def _scanned_page(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    page = Image.new("L", _PAGE, 245)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(28)
    for top in range(150, _PAGE[1] - 150, 42):
        words = ("".join(random.choice(list("etaoinshrdlu"), random.integers(2, 9))) for _ in range(16))
        draw.text((150, top), " ".join(words), 20, font)
    return page.filter(ImageFilter.GaussianBlur(0.7))


def _prepare_pages(tiff: bytes, target: ImageTarget) -> None:
    for page in ImageSource.pages(tiff):
        prepare_uncached(page, target, ("JPEG", "PNG"))


def _naive_pages(tiff: bytes, side: int) -> None:
    image = _opened(tiff)
    for page in range(_PAGES):
        image.seek(page)
        width, height = image.size
        size = round(width * side / max(width, height)), round(height * side / max(width, height))
        _sent(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    sys.exit(main())
