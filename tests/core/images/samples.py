"""Small pictures and files that several tests look at."""

import io
from typing import Any

from PIL import Image, ImageCms, ImageDraw
from PIL.PngImagePlugin import PngInfo

SECRET = b"SECRET-OF-THE-OWNER"
"""Stands in every kind of metadata; must never come out."""

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 60), (40, 60, 210), (230, 210, 40)


def corners(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """A picture whose four quarters tell which way it lies: red, green above blue, yellow."""
    width, height = size
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    for colour, left, top in ((RED, 0, 0), (GREEN, 1, 0), (BLUE, 0, 1), (YELLOW, 1, 1)):
        box = (left * width // 2, top * height // 2, (left + 1) * width // 2 - 1, (top + 1) * height // 2 - 1)
        draw.rectangle(box, colour)
    return picture


def encoded(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> Image.Image:
    """The picture in a file, loaded."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def exif_with_gps(orientation: int = 1) -> Image.Exif:
    """What a phone writes: maker, date, place and which way is up."""
    exif = Image.Exif()
    exif[0x010F] = "Maker " + SECRET.decode()
    exif[0x0110] = "Model X"
    exif[0x0112] = orientation
    exif[0x0132] = "2024:05:01 10:00:00"
    exif.get_ifd(0x8769)[0x829A] = 0.004
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 36.0), 3: "E", 4: (13.0, 22.0, 12.5)})
    return exif


def described(picture: Image.Image, image_format: str, orientation: int = 1) -> bytes:
    """The picture with all the metadata its format can hold, and bytes after its end."""
    exif = exif_with_gps(orientation)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"exif": exif, "icc_profile": profile, "comment": SECRET, "xmp": b"<x>" + SECRET + b"</x>"},
        "PNG": {"exif": exif, "icc_profile": profile, "pnginfo": _png_texts()},
        "WEBP": {"exif": exif, "icc_profile": profile, "xmp": b"<x>" + SECRET + b"</x>"},
        "TIFF": {"exif": exif, "icc_profile": profile},
        "GIF": {"comment": SECRET},
    }
    return encoded(picture, image_format, **options[image_format]) + SECRET


def _png_texts() -> PngInfo:

    texts = PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return texts
