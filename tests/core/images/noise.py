"""Pictures that no encoder makes small."""

import random
from functools import cache

from PIL import Image

from tests.core.images.samples import encoded


@cache
def noise(width: int, height: int, seed: int = 0) -> bytes:
    """A PNG of noise: about three bytes for each pixel."""
    pixels = random.Random(f"{width} {height} {seed}").randbytes(3 * width * height)  # noqa: S311 - no secret
    return encoded(Image.frombytes("RGB", (width, height), pixels), "PNG")
