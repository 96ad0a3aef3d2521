"""Pillow's JPEG decoder with one more size to decode to.

A JPEG is stored as blocks of 8x8 frequencies, and a decoder that leaves the high ones out gives a smaller
picture for less work. Pillow asks libjpeg-turbo for 8, 4, 2 or 1 of every 8 pixels; it can do 3 too. For
4000x3000 pixels on their way to 1024 that is 1500x1125 instead of 2000x1500: decoding takes two milliseconds
more, LANCZOS ten less, and the result is as good (docs/IMAGES.md).
"""

from __future__ import annotations

from typing import Final

from PIL import features
from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["ScaledJpegFile"]

# libjpeg takes the scale as one over this number, and gives the next eighth that is not smaller.
_THREE_EIGHTHS: Final = 3
_HALF: Final = 2


class ScaledJpegFile(JpegImageFile):
    """A JPEG that can be drafted to an eighth, a quarter, three eighths or a half of its size."""

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Have the decoder scale down to no less than `size`; Pillow's documentation has the rest."""
        whole = self.size
        drafted = super().draft(mode, size)
        if drafted is None or size is None or self.decoderconfig != (_HALF, 0):
            return drafted
        extent = whole[0] * 3 / 8, whole[1] * 3 / 8
        # Older libraries know no such scale.
        if extent[0] < size[0] or extent[1] < size[1] or not features.check_feature("libjpeg_turbo"):
            return drafted
        self._size = -(-whole[0] * 3 // 8), -(-whole[1] * 3 // 8)
        self.tile = [self.tile[0]._replace(extents=(0, 0, *self._size))]
        self.decoderconfig = (_THREE_EIGHTHS, 0)
        return drafted[0], (0, 0, *extent)
