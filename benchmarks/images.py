"""What a 12-megapixel JPEG becomes, beside the naive way, in one run.

    python -m benchmarks.images [PHOTOGRAPH ...]

For each picture and target it prints the bytes on the wire, the PSNR against the original reduced by LANCZOS
and not encoded (the yardstick being LANCZOS plus JPEG at quality 85), and the CPU time beside opening the
whole picture, and beside libjpeg-turbo's scaled decode alone. Pictures are made from seeds; photographs given
as files are enlarged to 12 megapixels and get grain first.
"""

from __future__ import annotations

import argparse
import io
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps

from firellava.images import ImageSource, PreparedImage
from firellava.images.prepare import prepare_uncached
from firellava.models import ImageTarget, ModelCard, model_card
from tests.core.images.photograph import TWELVE_MEGAPIXELS, camera_jpeg, procedural_photograph, psnr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Result = TypeVar("_Result")

_REPEATS = 5
_CARDS = (
    ("FireLLaVA 336", model_card("firellava-13b")),
    ("contain 672", ModelCard(name="a", image_target=ImageTarget(side=672))),
    ("contain 1024", ModelCard(name="b", image_target=ImageTarget(side=1024))),
)
_COLUMNS = "{:<18} {:<14} {:>9} {:>9} {:>8} {:>8} {:>7} {:>8} {:>8} {:>8}"


class Reference(NamedTuple):
    """The naive way: the whole picture, LANCZOS, JPEG at quality 85."""

    pixels: Image.Image
    data: bytes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", nargs="*", help="photographs to measure beside the made pictures")
    arguments = parser.parse_args()
    print(
        _COLUMNS.format(
            "picture", "target", "bytes", "naive", "dB", "naive", "less", "CPU ms", "naive", "decode"
        )
    )
    for name, jpeg in _pictures(arguments.photographs):
        for target, card in _CARDS:
            print(_row(name, target, jpeg, card))


def _pictures(paths: list[str]) -> Iterator[tuple[str, bytes]]:
    for seed in (1, 2, 3):
        yield f"made, seed {seed}", camera_jpeg(procedural_photograph(seed=seed))
    for path in paths:
        with Image.open(path) as photograph:
            large = ImageOps.fit(photograph.convert("RGB"), TWELVE_MEGAPIXELS, Image.Resampling.BICUBIC)
        grain = np.random.default_rng(0).normal(0, 2.5, (*large.size[::-1], 1))
        grainy = np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8)
        yield path.rpartition("/")[2][:18], camera_jpeg(Image.fromarray(grainy))


def _row(name: str, target: str, jpeg: bytes, card: ModelCard) -> str:
    source = ImageSource.from_bytes(jpeg)
    side = card.image_target.side
    prepared, seconds = _timed(lambda: prepare_uncached(source, card.image_target, ("JPEG", "PNG")))
    reference, naive_seconds = _timed(lambda: _naive(jpeg, side))
    _, decode_seconds = _timed(lambda: _decode(jpeg, reference.pixels.size))
    ours = psnr(_picture_in(prepared, reference.pixels.size), reference.pixels)
    naive = psnr(Image.open(io.BytesIO(reference.data)), reference.pixels)
    return _COLUMNS.format(
        name,
        target,
        prepared.bytes_on_wire,
        len(reference.data) * 4 // 3 + 25,
        f"{ours:.2f}",
        f"{naive:.2f}",
        f"{naive - ours:.2f}",
        f"{seconds * 1000:.0f}",
        f"{naive_seconds * 1000:.0f}",
        f"{decode_seconds * 1000:.0f}",
    )


def _naive(jpeg: bytes, side: int) -> Reference:
    whole = Image.open(io.BytesIO(jpeg)).convert("RGB")
    size = (side, round(whole.height * side / whole.width))
    pixels = whole.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=85)
    return Reference(pixels, buffer.getvalue())


def _decode(jpeg: bytes, size: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(jpeg))
    image.draft(None, size)
    image.load()


def _picture_in(prepared: PreparedImage, size: tuple[int, int]) -> Image.Image:
    """The picture without its padding."""
    left, top = (prepared.width - size[0]) // 2, (prepared.height - size[1]) // 2
    box = (left, top, left + size[0], top + size[1])
    return Image.open(io.BytesIO(prepared.data)).convert("RGB").crop(box)


def _timed(work: Callable[[], _Result]) -> tuple[_Result, float]:
    """The result and the least CPU time of several runs."""
    times = []
    for _ in range(_REPEATS):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return result, min(times)


if __name__ == "__main__":
    main()
