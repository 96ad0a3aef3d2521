"""Pictures with the statistics of photographs, made from a seed: light, detail of all sizes, edges, grain."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TWELVE_MEGAPIXELS = (4000, 3000)

Plane = NDArray[np.float32]


def procedural_photograph(size: tuple[int, int] = TWELVE_MEGAPIXELS, seed: int = 7) -> Image.Image:
    """A picture like a landscape with things in front of it, mode RGB."""
    width, height = size
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    light = 100 + 70 * x + 45 * (1 - y) + 30 * _detail_at_every_scale(random, size)
    disc = np.hypot((x - 0.35) * width / height, y - 0.55) < 0.22
    light = np.where(disc, light * 0.5 + 15, light)
    light = np.where(y > 0.75 + 0.1 * np.sin(9 * x), light * 0.6 + 70, light)
    light += random.normal(0, 2.5, light.shape).astype(np.float32)
    warmth = 12 * _detail_at_every_scale(random, size, octaves=4)
    planes = (light + warmth + 15 * x, light, light - warmth - 25 * y)
    return Image.fromarray(np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8))


def camera_jpeg(picture: Image.Image) -> bytes:
    """The picture as a camera would store it."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def psnr(first: Image.Image, second: Image.Image) -> float:
    """Peak signal to noise between two RGB pictures of one size, in decibels."""
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _detail_at_every_scale(random: np.random.Generator, size: tuple[int, int], octaves: int = 10) -> Plane:
    """Noise whose amplitude falls with frequency, as in natural pictures: octaves, each half as strong."""
    total = np.zeros((size[1], size[0]), np.float32)
    cell = max(size) // 4
    for _ in range(octaves):
        grid = random.standard_normal((size[1] // cell + 2, size[0] // cell + 2)).astype(np.float32)
        octave = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(octave) * (cell / max(size)) ** 0.35
        cell = max(2, cell // 2)
    return total / float(total.std())
