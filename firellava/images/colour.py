"""From every way of storing a pixel to red, green and blue that mean the same: sRGB, on a background.

The order matters for speed and truth: `to_averageable` before an image is scaled, `to_srgb` on the scaled
one, `on_background` last.
"""

from __future__ import annotations

import io
import math
from typing import Final

from PIL import Image, ImageCms

__all__ = ["is_srgb", "on_background", "to_averageable", "to_srgb"]

# In all other modes the mean of two pixels is no mean of their colours: palettes, bits, angles of hue.
_AVERAGEABLE: Final = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})
_GREY_NUMBERS: Final = frozenset({"I", "F"})
_SIXTEEN_BITS: Final = 65_535
_PLAIN_FORMS: Final = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}
_PROFILE_SPACES: Final = {"RGB": ("RGB", "RGBA"), "GRAY": ("L", "LA"), "CMYK": ("CMYK",)}
_OPAQUE: Final = 255


def to_averageable(image: Image.Image, full_scale: int | None = None) -> Image.Image:
    """The image in a mode in which pixels can be averaged, nothing else changed.

    Args:
        image: decoded pixels in any mode.
        full_scale: for mode ``I``, the number that is white, where the format says so. Numbers of unknown
            scale are taken as 0 to 1 (mode ``F``), 0 to 255 or 0 to 65535, whichever holds them all, and
            else as running from their least to their greatest.

    Returns:
        Mode ``L``, ``LA``, ``RGB``, ``RGBA``, ``CMYK`` or ``YCbCr``.

    Raises:
        ValueError: numbers that are not finite.
    """
    if image.mode in _GREY_NUMBERS:
        return _numbers_to_grey(image, full_scale)
    if image.mode.startswith("I;16"):
        return _numbers_to_grey(image.convert("I"), _SIXTEEN_BITS)
    if image.has_transparency_data and image.mode in ("1", "L", "RGB", "P", "PA"):
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in _AVERAGEABLE:
        return image
    return image.convert(_PLAIN_FORMS.get(image.mode, "RGB"))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours of an ICC profile, or of mode ``CMYK`` or ``YCbCr``, as sRGB.

    A profile that is damaged, or made for another kind of colours than the image has, is left out.

    Returns:
        Mode ``L``, ``LA``, ``RGB`` or ``RGBA``; what is in sRGB already comes back as it is.
    """
    converted = _apply_profile(image, profile) if profile else image
    return converted.convert("RGB") if converted.mode in ("CMYK", "YCbCr") else converted


def is_srgb(mode: str, profile: bytes | None) -> bool:
    """Whether pixels of a mode mean the same without their profile."""
    return mode not in ("CMYK", "YCbCr") and (not profile or _read_profile(mode, profile) is None)


def on_background(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """The image without transparency, `background` shining through: mode ``L`` or ``RGB``."""
    if image.mode not in ("LA", "RGBA"):
        return image
    alpha = image.getchannel("A")
    opaque = image.convert("L" if image.mode == "LA" else "RGB")
    if alpha.getextrema() == (_OPAQUE, _OPAQUE):
        return opaque
    canvas = Image.new("RGB", image.size, background)
    canvas.paste(opaque.convert("RGB"), mask=alpha)
    return canvas


def _numbers_to_grey(image: Image.Image, full_scale: int | None) -> Image.Image:
    low, high = _numbers_range(image, full_scale)
    scale = 255 / (high - low) if high > low else 1.0
    offset = -low * scale + (0.5 if image.mode == "I" else 0.0)
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _numbers_range(image: Image.Image, full_scale: int | None) -> tuple[float, float]:
    if full_scale is not None:
        return 0, full_scale
    low, high = image.getextrema()
    if not (isinstance(low, int | float) and isinstance(high, int | float)):
        raise TypeError(f"mode {image.mode} has no single range")
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("pixels that are not finite numbers")
    scales = (1, 255, _SIXTEEN_BITS) if image.mode == "F" else (255, _SIXTEEN_BITS)
    return next(((0, scale) for scale in scales if low >= 0 and high <= scale), (low, high))


def _apply_profile(image: Image.Image, profile_bytes: bytes) -> Image.Image:
    profile = _read_profile(image.mode, profile_bytes)
    if profile is None:
        return image
    colours = image.convert({"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode))
    try:
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            colours.mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        converted = transform.apply(colours)
    except Exception:  # noqa: BLE001 - a profile nobody can use must not cost the picture
        return image
    if image.mode in ("LA", "RGBA"):
        converted.putalpha(image.getchannel("A"))
    return converted


def _read_profile(mode: str, profile_bytes: bytes) -> ImageCms.ImageCmsProfile | None:
    """The profile, or None where it cannot be read, fits no image of this mode, or says sRGB."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
        space = profile.profile.xcolor_space.strip()
        description = profile.profile.profile_description or ""
    except Exception:  # noqa: BLE001 - a profile nobody can read must not cost the picture
        return None
    if mode not in _PROFILE_SPACES.get(space, ()) or description.startswith("sRGB"):
        return None
    return profile
