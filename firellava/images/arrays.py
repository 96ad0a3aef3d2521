"""Numbers in an array, as NumPy and its relatives hold pictures, as a Pillow image.

Arrays are recognised by their ``__array_interface__`` and read through Python's buffer protocol: NumPy itself
is not imported.
"""

from __future__ import annotations

import math
from typing import Final, Protocol, runtime_checkable

from PIL import Image

from firellava.errors import UnreadableImage
from firellava.images.colour import to_averageable
from firellava.images.limits import check_pixel_count

__all__ = ["PixelArray", "image_of_array"]

_NAME: Final = "The array"
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PLANES, _CHANNELS = 2, 3
_BYTE_SCALE: Final = 255.0

# Type codes of NumPy's array interface, and what Pillow calls numbers stored like that: mode and raw mode.
_SIXTEEN_BITS: Final = {"<u2": ("I;16", "I;16"), ">u2": ("I;16", "I;16B")}
_FLOATS: Final = {
    "<f4": ("F", "F;32F"),
    ">f4": ("F", "F;32BF"),
    "<f8": ("F", "F;64F"),
    ">f8": ("F", "F;64BF"),
}

# How far numbers may lie outside their scale: above by this share of it, below by this share of the greatest.
# Scaling a picture smoothly overshoots a little; numbers a network was trained on spread to both sides of 0.
_OVERSHOOT: Final = 0.1


@runtime_checkable
class PixelArray(Protocol):
    """What describes itself as NumPy's arrays do, by its array interface, version 3."""

    @property
    def __array_interface__(self) -> dict[str, object]: ...


def image_of_array(array: PixelArray) -> Image.Image:
    """The picture an array holds.

    Args:
        array: of shape height x width or height x width x 1 (grey), 2 (grey and alpha), 3 (red, green, blue)
            or 4 (with alpha). OpenCV stores blue first: give ``array[..., ::-1]``. Numbers are

            - ``bool``: False is black, True white;
            - ``uint8``: 0 to 255;
            - ``uint16``: 0 to 65535;
            - ``float32`` and ``float64``: 0 to 1, or 0 to 255 where any number is greater than 2. About a
              tenth beyond these ends is clipped.

    Returns:
        Mode ``L``, ``LA``, ``RGB``, ``RGBA``, or ``I;16`` for grey ``uint16``.

    Raises:
        UnreadableImage: a shape or type of numbers that is no picture; the message says which.
        ImageTooLarge: more pixels than are decoded.
    """
    height, width, channels = _check_shape(array.__array_interface__.get("shape"))
    kind = str(array.__array_interface__.get("typestr"))
    check_pixel_count((width, height), _NAME)
    try:
        numbers = memoryview(array).tobytes()  # type: ignore[arg-type]  # the buffer behind the interface
    except (TypeError, ValueError, BufferError):
        raise UnreadableImage(f"{_NAME} does not give its numbers: pass numpy.asarray(array).") from None
    # A row of pixels with several numbers each is read as a longer row of single numbers.
    flat = (width * channels, height)
    if kind in ("|u1", "|b1"):
        data = numbers if kind == "|u1" else numbers.translate(bytes([0]) + bytes([255]) * 255)
    elif kind in _SIXTEEN_BITS:
        mode, raw = _SIXTEEN_BITS[kind]
        row = Image.frombytes(mode, flat, numbers, "raw", raw)
        if channels == 1:
            return row
        data = to_averageable(row).tobytes()
    elif kind in _FLOATS:
        mode, raw = _FLOATS[kind]
        data = _to_bytes(Image.frombytes(mode, flat, numbers, "raw", raw))
    else:
        raise UnreadableImage(
            f"{_NAME} holds numbers of type {kind}; pictures are uint8, uint16, bool, float32 or float64. "
            "Convert it, for instance with array.astype('uint8')."
        )
    return Image.frombytes(_MODES[channels], (width, height), data)


def _check_shape(shape: object) -> tuple[int, int, int]:
    if not isinstance(shape, tuple) or not all(isinstance(side, int) for side in shape):
        raise UnreadableImage(f"{_NAME} does not say what shape it has.")
    height, width, channels = (*shape, 1) if len(shape) == _PLANES else shape[:3] + (0,) * (3 - len(shape))
    if len(shape) in (_PLANES, _CHANNELS) and channels in _MODES and min(height, width) > 0:
        return height, width, channels
    advice = "a picture is height x width, or height x width x 1, 2, 3 or 4"
    if len(shape) == _CHANNELS and shape[0] in _MODES:
        advice += "; with the channels first, give array.transpose(1, 2, 0)"
    elif len(shape) > _CHANNELS:
        advice += "; of several pictures, give one at a time"
    shown = " x ".join(map(str, shape)) or "of one number"
    raise UnreadableImage(f"{_NAME} has the shape {shown}: {advice}.")


def _to_bytes(numbers: Image.Image) -> bytes:
    # Extremes pass over what is no number; a mean does not.
    mean = numbers.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    low, high = numbers.getextrema()
    if not (isinstance(mean, float) and isinstance(low, float) and isinstance(high, float)):
        raise TypeError(f"mode {numbers.mode} has no single numbers")
    if not math.isfinite(mean + low + high):
        raise UnreadableImage(f"{_NAME} holds numbers that are not finite.")
    scale = 1.0 if high <= 2 else _BYTE_SCALE  # noqa: PLR2004 - documented: nothing but black is that dark
    if low < -_OVERSHOOT * max(high, 1) or high > (1 + _OVERSHOOT) * scale:
        raise UnreadableImage(
            f"{_NAME} holds numbers from {low:.4g} to {high:.4g}; pictures run from 0 to 1 or from 0 to 255. "
            "Undo its normalisation first."
        )
    factor = _BYTE_SCALE / scale
    # Converting to bytes rounds down and clips.
    return numbers.point(lambda value: value * factor + 0.5).convert("L").tobytes()
