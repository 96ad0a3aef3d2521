"""Photographs stored in all eight orientations, and how alike they are once they are prepared."""

from __future__ import annotations

import io
import itertools
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps

from benchmarks.corpora.measuring import WAYS
from firellava.images import ImageSource
from tests.core.images.photograph import psnr

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ORIENTATION_CORPUS", "orientation_table"]

ORIENTATION_CORPUS: Final = "recurser/exif-orientation-examples"
"""Its files are called after the way the picture should lie and the number in the EXIF block."""

_NAME: Final = re.compile(r"(\w+)_([1-8])\.jpg")


def orientation_table(files: Mapping[str, bytes]) -> str:
    """For each photograph and way: the PSNR of the two orientations that differ most.

    The files were compressed each on its own, so they differ as published.

    Args:
        files: the corpus, by path.
    """
    photographs: dict[str, dict[int, bytes]] = defaultdict(dict)
    for path, data in files.items():
        if match := _NAME.fullmatch(path.rpartition("/")[2]):
            photographs[match[1]][int(match[2])] = data
    lines = [
        "| photograph | orientations | way | least PSNR between two, dB |",
        "| --- | ---: | --- | ---: |",
    ]
    for name, stored in sorted(photographs.items()):
        published = [_upright(data) for _, data in sorted(stored.items())]
        lines.append(f"| {name} | {len(published)} | as published | {_least_psnr(published):.1f} |")
        for way, prepare in WAYS.items():
            shown = [
                _upright(prepare(ImageSource.from_bytes(data)).data) for _, data in sorted(stored.items())
            ]
            lines.append(f"| {name} | {len(shown)} | {way} | {_least_psnr(shown):.1f} |")
    return "\n".join(lines)


def _upright(data: bytes) -> Image.Image:
    """The picture in a file, turned as its EXIF block says, if it has one."""
    with Image.open(io.BytesIO(data)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def _least_psnr(pictures: list[Image.Image]) -> float:
    return min(psnr(first, second) for first, second in itertools.combinations(pictures, 2))
