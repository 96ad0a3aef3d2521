"""HEIF pictures, as phones store them, and AVIF: upright once, in sRGB, capped, nothing beside the pixels."""

import io
import struct
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, features

from firellava.errors import ImageError, ImageTooLarge, MissingExtra, UnreadableImage, UnsupportedFormat
from firellava.images import ImageSource, decode_image, describe_metadata, inline_image, prepare_image
from firellava.images.formats import detect_format
from firellava.images.primaries import find_primaries, profile_of_primaries
from tests.core.images.photograph import procedural_photograph, psnr
from tests.core.images.samples import (
    BLUE,
    GREEN,
    RED,
    SECRET,
    YELLOW,
    corners,
    decoded,
    encoded,
    exif_with_gps,
)
from tests.core.images.test_clean_output import LEAKS, ORIENTATIONS
from tests.core.images.test_colour import assert_near, wide_gamut

needs_heic = pytest.mark.engine("heic")
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow decodes no AVIF")
FORMATS = [pytest.param("HEIF", marks=needs_heic), pytest.param("AVIF", marks=needs_avif)]

DISPLAY_P3, BT_2020, SRGB = 12, 9, 1


def stored(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    """The picture as a file. Both encoders turn an EXIF orientation into boxes."""
    if image_format == "AVIF":
        return encoded(picture, "AVIF", quality=95, **options)
    import pillow_heif  # noqa: PLC0415 - of an extra

    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=95, **options)
    return buffer.getvalue()


def seen(data: bytes, **options: Any) -> Image.Image:
    return decode_image(ImageSource.from_bytes(data), **options)


def assert_corners(picture: Image.Image) -> None:
    for (across, down), colour in (((1, 1), RED), ((3, 1), GREEN), ((1, 3), BLUE), ((3, 3), YELLOW)):
        assert_near(picture.getpixel((picture.width * across // 4, picture.height * down // 4)), colour, 6)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_is_opened_by_its_content(image_format: str) -> None:
    prepared = prepare_image(stored(corners(), image_format))
    assert prepared.original_format == image_format
    assert prepared.original_size == (120, 80)
    assert prepared.adjustments == (
        "scaled from 120x80 to 336x224 and padded to 336x336",
        f"converted from {image_format}",
    )
    assert_corners(seen(stored(corners(), image_format)))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("image_format", FORMATS)
def test_it_is_turned_once_though_exif_says_so_too(image_format: str, orientation: int) -> None:
    exif = exif_with_gps(orientation).tobytes()
    photograph = procedural_photograph((240, 160))
    data = stored(photograph, image_format, exif=exif)
    upright = seen(data)
    expected = seen(encoded(photograph, "JPEG", quality=95, exif=exif))
    assert upright.size == expected.size
    assert psnr(upright, expected) > 33
    assert inline_image(data).original_size == expected.size


@pytest.mark.parametrize("image_format", FORMATS)
def test_what_exif_alone_says_about_turning_is_not_obeyed(image_format: str) -> None:
    # Written under another number, which the encoders do not take for the orientation and turn into boxes.
    exif = exif_with_gps()
    del exif[0x0112]
    exif[0x0113] = 6
    data = stored(corners(), image_format, exif=exif.tobytes())
    lying = data.replace(b"\x01\x13\x00\x03", b"\x01\x12\x00\x03")
    assert lying != data
    assert_corners(seen(lying))


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("prepare", [prepare_image, inline_image, lambda data: inline_image(data, 50)])
def test_nothing_but_pixels_comes_out(image_format: str, prepare: Any) -> None:
    data = stored(
        corners(),
        image_format,
        exif=exif_with_gps().tobytes(),
        xmp=b"<x>" + SECRET + b"</x>",
        icc_profile=wide_gamut() + SECRET,
    )
    assert SECRET in data
    prepared = prepare(data + SECRET)
    for leak in LEAKS:
        assert leak not in prepared.data
    assert "metadata removed" in prepared.adjustments
    assert decode_image(ImageSource.of(data)).info == {}


@pytest.mark.parametrize("image_format", FORMATS)
def test_chosen_tags_can_be_told(image_format: str) -> None:
    source = ImageSource.of(stored(corners(), image_format, exif=exif_with_gps().tobytes()))
    assert describe_metadata(source, ["Model"]) == "Image metadata: Model: Model X"
    assert describe_metadata(ImageSource.of(stored(corners(), image_format)), ["Model"]) is None


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize(
    "block", [b"II*\x00\xff\xff\xff\xff", b"MM\x00*\x00\x00\x00\x08\xff\xff" + bytes(50)]
)
def test_damaged_exif_does_not_cost_the_picture(image_format: str, block: bytes) -> None:
    data = stored(corners(), image_format, exif=exif_with_gps().tobytes())
    start = data.find(b"MM\x00*")
    damaged = data[:start] + block + data[start + len(block) :]
    assert_corners(seen(damaged))
    assert describe_metadata(ImageSource.of(damaged), ["Model"]) is None


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_comes_out_in_its_colours(image_format: str, mode: str) -> None:
    for grey in (0, 255):
        data = stored(Image.new("L", (64, 64), grey).convert(mode), image_format)
        assert_near(seen(data).getpixel((32, 32)), (grey,) * 3)


@pytest.mark.parametrize("image_format", FORMATS)
def test_transparency_shows_the_background(image_format: str) -> None:
    picture = Image.new("RGBA", (64, 64), (200, 30, 30, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 32, 64))
    shown = seen(stored(picture, image_format), background=(10, 20, 30))
    assert_near(shown.getpixel((8, 32)), (10, 20, 30))
    assert_near(shown.getpixel((56, 32)), (200, 30, 30), 6)
    assert decoded(inline_image(stored(picture, image_format)).data).mode == "RGBA"


@needs_heic
def test_ten_bits_become_eight() -> None:
    import pillow_heif  # noqa: PLC0415 - of an extra

    buffer = io.BytesIO()
    sixteen = struct.pack("<3H", 40_000, 20_000, 10_000) * (64 * 64)
    pillow_heif.from_bytes("RGB;16", (64, 64), sixteen).save(buffer, quality=-1)
    assert_near(seen(buffer.getvalue()).getpixel((30, 30)), (156, 78, 39), 4)


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_colours_of_a_profile_become_srgb(image_format: str) -> None:
    data = stored(Image.new("RGB", (64, 64), (120, 200, 120)), image_format, icc_profile=wide_gamut())
    red, green, _ = seen(data).getpixel((30, 30))  # type: ignore[misc]  # mode RGB
    assert red < 90
    assert abs(green - 200) <= 6


@needs_heic
@pytest.mark.parametrize(
    ("primaries", "expected"),
    [(SRGB, (120, 200, 120)), (DISPLAY_P3, (89, 203, 110)), (BT_2020, (0, 208, 108)), (6, (120, 200, 120))],
)
def test_the_colours_of_a_number_become_srgb(primaries: int, expected: tuple[int, int, int]) -> None:
    picture = Image.new("RGB", (64, 64), (120, 200, 120))
    numbers = {"transfer_characteristics": 13, "matrix_coefficients": 6, "full_range_flag": 1}
    data = stored(picture, "HEIF", color_primaries=primaries, **numbers)
    assert find_primaries(data) == primaries
    assert_near(seen(data).getpixel((30, 30)), expected, 4)


@needs_avif
def test_avif_tells_its_colours_by_number_too() -> None:
    data = stored(Image.new("RGB", (64, 64), (120, 200, 120)), "AVIF")
    at = data.find(b"colrnclx") + 8
    wide = data[:at] + bytes([0, DISPLAY_P3]) + data[at + 2 :]
    assert_near(seen(data).getpixel((30, 30)), (120, 200, 120), 4)
    assert_near(seen(wide).getpixel((30, 30)), (89, 203, 110), 4)


def test_grey_and_white_are_the_same_in_all_primaries() -> None:
    from firellava.images.colour import to_srgb  # noqa: PLC0415 - beside the one test that needs it

    for primaries in (DISPLAY_P3, BT_2020):
        for grey in (0, 77, 255):
            shown = to_srgb(Image.new("RGB", (1, 1), (grey,) * 3), profile_of_primaries(primaries))
            assert_near(shown.getpixel((0, 0)), (grey,) * 3, 1)


@needs_heic
def test_the_main_picture_of_several_is_taken() -> None:
    import pillow_heif  # noqa: PLC0415 - of an extra

    file = pillow_heif.from_pillow(Image.new("RGB", (64, 64), BLUE))
    file.add_from_pillow(corners())
    buffer = io.BytesIO()
    file.save(buffer, quality=95, primary_index=1)
    prepared = prepare_image(buffer.getvalue())
    assert prepared.original_size == (120, 80)
    assert prepared.adjustments[0] == "first of several frames or pages taken"


@needs_heic
def test_a_thumbnail_never_stands_in_for_the_picture() -> None:
    photograph = procedural_photograph((1200, 900))
    with_thumbnail = stored(photograph, "HEIF", thumbnails=[600])
    assert len(with_thumbnail) > len(stored(photograph, "HEIF"))
    shown = seen(with_thumbnail, max_side=280)
    assert shown.tobytes() == seen(stored(photograph, "HEIF"), max_side=280).tobytes()


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_inside_a_message_becomes_a_jpeg(image_format: str) -> None:
    inline = inline_image(stored(procedural_photograph((640, 480)), image_format))
    assert inline.format == "JPEG"
    assert (inline.width, inline.height) == (640, 480)


def with_size(data: bytes, width: int, height: int) -> bytes:
    at = data.find(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_that_claims_too_many_pixels_is_refused_before_it_is_decoded(image_format: str) -> None:
    data = with_size(stored(corners(), image_format), 10_000, 8_001)
    with pytest.raises(ImageTooLarge, match="80,000,000"):
        prepare_image(data)


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("size", [(8, 8), (4_000, 3_000), (0, 0), (2**32 - 1, 2**32 - 1)])
def test_a_picture_that_lies_about_its_size_does_no_harm(image_format: str, size: tuple[int, int]) -> None:
    try:
        prepared = prepare_image(with_size(stored(corners(), image_format), *size))
    except ImageError:
        return
    assert prepared.original_size == size


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_picture_cut_short_is_an_error_that_says_so(image_format: str) -> None:
    data = stored(corners(), image_format)
    for end in (40, 200, len(data) - 40):
        with pytest.raises(UnreadableImage, match=f"does not decode as {image_format}"):
            prepare_image(data[:end])


@pytest.mark.parametrize("image_format", FORMATS)
@settings(max_examples=80, deadline=None)
@given(noise=st.binary(min_size=1, max_size=6), where=st.floats(0, 1))
def test_damage_gives_a_picture_or_an_error_of_ours(image_format: str, noise: bytes, where: float) -> None:
    data = stored(corners(), image_format)
    position = int(where * len(data))
    try:
        prepared = prepare_image(data[:position] + noise + data[position + len(noise) :])
    except ImageError:
        return
    assert decoded(prepared.data).size == (336, 336)


def box(*brands: bytes) -> bytes:
    body = brands[0] + bytes(4) + b"".join(brands)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + bytes(40)


@pytest.mark.parametrize(
    ("head", "image_format"),
    [
        (box(b"heic", b"mif1"), "HEIF"),
        (box(b"heix", b"mif1", b"heix"), "HEIF"),
        (box(b"mif1", b"heic"), "HEIF"),
        (box(b"msf1", b"hevc"), "HEIF"),
        (box(b"isom", b"mp42"), None),
        (box(b"qt  "), None),
        (box(b"crx "), None),
        (box(b"avif", b"mif1", b"miaf"), "AVIF" if features.check("avif") else None),
        (box(b"mif1", b"avif", b"miaf"), "AVIF" if features.check("avif") else None),
        (b"\x00\x00\x00\x00ftyp", None),
        (b"\xff\xff\xff\xffftypheic", "HEIF"),
    ],
)
def test_what_is_in_the_boxes_is_told_by_their_brands(head: bytes, image_format: str | None) -> None:
    assert detect_format(head) == image_format


@needs_heic
def test_pillow_learns_nothing_of_heif() -> None:
    before = (dict(Image.OPEN), list(Image.ID), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    prepare_image(stored(corners(), "HEIF"))
    assert before == (
        dict(Image.OPEN),
        list(Image.ID),
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
    )


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtra, match=r'HEIC.*pip install "firellava\[heic\]"'):
        prepare_image(box(b"heic", b"mif1"))


def test_without_a_decoder_in_pillow_avif_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    for head in (box(b"avif", b"mif1"), box(b"mif1", b"avif")):
        with pytest.raises(UnsupportedFormat, match="an AVIF image, which this Pillow has no decoder for"):
            prepare_image(head)
