import io
from collections.abc import Callable

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from firellava.images import ImageSource, PreparedImage, decode_image, inline_image, prepare_image
from tests.core.images.photograph import procedural_photograph, psnr
from tests.core.images.samples import SECRET, corners, decoded, described, encoded, exif_with_gps

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "GIF"]
LEAKS = (
    SECRET,
    b"Exif",
    b"eXIf",
    b"EXIF",
    b"GPS",
    b"xap/1.0",
    b"iCCP",
    b"ICC_PROFILE",
    b"acsp",
    b"tEXt",
    b"iTXt",
)
ORIENTATIONS = range(1, 9)

# What EXIF says a viewer must do is undone by these when a picture is stored lying.
STORED = {
    1: lambda picture: picture,
    2: lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    4: lambda picture: picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
    6: lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    7: lambda picture: picture.transpose(Image.Transpose.TRANSVERSE),
    8: lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
}


def letterboxed(data: bytes) -> PreparedImage:
    return prepare_image(data)


def contained(data: bytes) -> PreparedImage:
    return prepare_image(data, fit="contain")


def inlined(data: bytes) -> PreparedImage:
    return inline_image(data)


def inlined_small(data: bytes) -> PreparedImage:
    return inline_image(data, 50)


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("prepare", [letterboxed, contained, inlined, inlined_small])
@pytest.mark.parametrize("orientation", [1, 6])
def test_nothing_but_pixels_comes_out(
    prepare: Callable[[bytes], PreparedImage], image_format: str, orientation: int
) -> None:
    data = described(corners(), image_format, orientation)
    assert SECRET in data
    prepared = prepare(data)
    for leak in LEAKS:
        assert leak not in prepared.data
    assert not decoded(prepared.data).getexif()
    assert set(decoded(prepared.data).info) <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "transparency",
    }
    ends = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
    assert prepared.data.endswith(ends[prepared.format])
    assert "metadata removed" in prepared.adjustments


@pytest.mark.parametrize("image_format", FORMATS)
def test_pictures_for_local_backends_carry_nothing_either(image_format: str) -> None:
    picture = decode_image(ImageSource.from_bytes(described(corners(), image_format)))
    assert picture.info == {}
    assert not picture.getexif()
    assert SECRET not in encoded(picture, "PNG")


def test_a_clean_original_is_not_said_to_have_metadata() -> None:
    for image_format in [*FORMATS, "BMP", "PPM"]:
        assert "metadata removed" not in prepare_image(encoded(corners(), image_format)).adjustments


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_eight_orientations_come_out_alike(image_format: str) -> None:
    upright = procedural_photograph((450, 300))
    shown = []
    for orientation in ORIENTATIONS:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"quality": 95} if image_format in ("JPEG", "WEBP") else {}
        data = encoded(STORED[orientation](upright), image_format, exif=exif, **options)
        prepared = prepare_image(data)
        assert prepared.original_size == (450, 300)
        assert ("turned upright" in prepared.adjustments) == (orientation > 1 and image_format != "TIFF")
        shown.append(decoded(prepared.data).convert("RGB"))
        assert inline_image(data).original_size == (450, 300)
        assert psnr(decoded(inline_image(data).data).convert("RGB"), upright) > 28
    for other in shown[1:]:
        assert psnr(shown[0], other) > 33


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + bytes(50),
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00XX" + bytes(100),
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x63\x00\x00",
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x02\x00\x00\x00\x01\x00\x06\x00\x00",
        b"Exif\x00\x00" + exif_with_gps(1).tobytes()[6:60],
    ],
    ids=["empty", "too many entries", "far away", "no order", "orientation 99", "orientation as text", "cut"],
)
def test_damaged_exif_does_not_cost_the_picture(exif: bytes) -> None:
    for image_format in ("JPEG", "PNG", "WEBP"):
        prepared = prepare_image(encoded(corners(), image_format, exif=exif))
        assert decoded(prepared.data).getpixel((60, 100)) != (122, 116, 104)
        assert "turned upright" not in prepared.adjustments


def test_orientation_is_read_in_both_byte_orders() -> None:
    little = (
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
    )
    big = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    for block in (little, big):
        data = encoded(corners(), "JPEG", exif=b"Exif\x00\x00" + block)
        assert prepare_image(data).original_size == (80, 120)


def test_orientation_written_by_old_imagemagick_is_found() -> None:
    block = exif_with_gps(8).tobytes()
    texts = PngInfo()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    buffer = io.BytesIO()
    corners().save(buffer, "PNG", pnginfo=texts)
    assert prepare_image(buffer.getvalue()).original_size == (80, 120)
