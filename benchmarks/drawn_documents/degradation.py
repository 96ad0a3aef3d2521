"""What happens to a document before it is read: paper is turned, cameras blur, files are squeezed.

Each takes a picture and a seed, and gives the same result for the same two.
"""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEGRADATIONS"]

_TABLE = (122, 104, 88)


def _clean(picture: Image.Image, seed: int) -> Image.Image:  # noqa: ARG001 - as all of them
    return picture


def _rotated(picture: Image.Image, seed: int) -> Image.Image:
    """Turned by one to three degrees, either way, on a table."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    angle = chance.choice((-1, 1)) * chance.uniform(1.0, 3.0)
    return picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=_TABLE)


def _blurred(picture: Image.Image, seed: int) -> Image.Image:
    """Out of focus by a Gaussian of 1.0 to 1.5 pixels."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    return picture.filter(ImageFilter.GaussianBlur(chance.uniform(1.0, 1.5)))


def _noisy(picture: Image.Image, seed: int) -> Image.Image:
    """With the grain of a dark room: a standard deviation of 20 of 255 in each channel."""
    grain = np.random.default_rng(seed).normal(0, 20, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))


def _squeezed(picture: Image.Image, seed: int) -> Image.Image:  # noqa: ARG001 - as all of them
    """Saved as JPEG at quality 60, after shrinking to three quarters."""
    small = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def _slanted(picture: Image.Image, seed: int) -> Image.Image:
    """Photographed at an angle: two corners are up to five per cent of the side further away."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    width, height = picture.size
    border = max(width, height) // 20
    room = Image.new("RGB", (width + 2 * border, height + 2 * border), _TABLE)
    room.paste(picture, (border, border))
    far, side = chance.uniform(0.03, 0.05), chance.choice("lrtb")
    x, y = far * room.width, far * room.height
    corners = {
        "l": ((0, -y), (0, y), (0, 0), (0, 0)),
        "r": ((0, 0), (0, 0), (0, y), (0, -y)),
        "t": ((-x, 0), (0, 0), (0, 0), (x, 0)),
        "b": ((0, 0), (-x, 0), (x, 0), (0, 0)),
    }[side]
    whole = ((0, 0), (0, room.height), (room.width, room.height), (room.width, 0))
    quad = [
        value + move
        for place, by in zip(whole, corners, strict=True)
        for value, move in zip(place, by, strict=True)
    ]
    source, target = np.array(whole, float), np.array(quad).reshape(4, 2)
    # The eight coefficients of the projection that takes each corner of the result to its place in the room.
    rows = [
        row
        for (u, v), (a, b) in zip(source, target, strict=True)
        for row in ((u, v, 1, 0, 0, 0, -a * u, -a * v), (0, 0, 0, u, v, 1, -b * u, -b * v))
    ]
    coefficients = np.linalg.solve(np.array(rows), target.reshape(8))
    return room.transform(
        room.size,
        Image.Transform.PERSPECTIVE,
        coefficients.tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=_TABLE,
    )


DEGRADATIONS: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    "clean": _clean,
    "rotated": _rotated,
    "blurred": _blurred,
    "noisy": _noisy,
    "JPEG 60": _squeezed,
    "perspective": _slanted,
}
"""By the name in the table's head."""
