from typing import Any

import pytest
from PIL import Image, ImageCms

from firellava.images import ImageSource, decode_image
from tests.core.images.samples import corners, encoded

Colour = tuple[int, int, int]


def seen(
    picture: Image.Image, image_format: str, background: Colour = (10, 20, 30), **options: Any
) -> Colour:
    """The middle colour of the picture once it went through a file and was scaled down."""
    source = ImageSource.from_bytes(encoded(picture, image_format, **options))
    pixel = decode_image(source, max_side=20, background=background).getpixel((10, 10))
    assert isinstance(pixel, tuple)
    return pixel[0], pixel[1], pixel[2]


def assert_near(pixel: Any, expected: Colour, tolerance: int = 3) -> None:
    assert all(abs(a - b) <= tolerance for a, b in zip(pixel, expected, strict=True)), (pixel, expected)


def flat(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (60, 60), colour)


def palette() -> Image.Image:
    picture = flat("P", 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    return picture


def transparent_palette() -> Image.Image:
    picture = palette()
    picture.info["transparency"] = 1
    return picture


@pytest.mark.parametrize(
    ("picture", "image_format", "expected"),
    [
        (flat("1", 1), "PNG", (255, 255, 255)),
        (flat("1", 0), "TIFF", (0, 0, 0)),
        (flat("1", 1), "PPM", (255, 255, 255)),
        (flat("L", 90), "JPEG", (90, 90, 90)),
        (flat("L", 90), "PPM", (90, 90, 90)),
        (flat("LA", (200, 255)), "PNG", (200, 200, 200)),
        (flat("LA", (200, 0)), "PNG", (10, 20, 30)),
        (flat("LA", (210, 128)), "TIFF", (110, 115, 120)),
        (palette(), "PNG", (200, 100, 50)),
        (palette(), "GIF", (200, 100, 50)),
        (palette(), "BMP", (200, 100, 50)),
        (transparent_palette(), "PNG", (10, 20, 30)),
        (transparent_palette(), "GIF", (10, 20, 30)),
        (flat("RGB", (200, 100, 50)), "JPEG", (200, 100, 50)),
        (flat("RGB", (200, 100, 50)), "TIFF", (200, 100, 50)),
        (flat("RGB", (200, 100, 50)), "WEBP", (200, 100, 50)),
        (flat("RGBA", (200, 100, 50, 0)), "PNG", (10, 20, 30)),
        (flat("RGBA", (200, 100, 50, 128)), "PNG", (105, 60, 40)),
        (flat("RGBA", (200, 100, 50, 255)), "WEBP", (200, 100, 50)),
        (flat("CMYK", (0, 0, 0, 0)), "JPEG", (255, 255, 255)),
        (flat("CMYK", (255, 0, 0, 0)), "JPEG", (0, 255, 255)),
        (flat("CMYK", (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (flat("LAB", (138, 166, 174)), "TIFF", (200, 100, 50)),
        (flat("I;16", 0), "PNG", (0, 0, 0)),
        (flat("I;16", 32_768), "PNG", (128, 128, 128)),
        (flat("I;16", 65_535), "TIFF", (255, 255, 255)),
        (flat("I;16", 257), "PPM", (1, 1, 1)),
        (flat("I", 128), "TIFF", (128, 128, 128)),
        (flat("I", 32_768), "TIFF", (128, 128, 128)),
        (flat("F", 0.5), "TIFF", (128, 128, 128)),
        (flat("F", 128.0), "TIFF", (128, 128, 128)),
        (flat("F", 32_768.0), "TIFF", (128, 128, 128)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value).replace(" ", ""),
)
def test_every_kind_of_pixel_means_its_colour(
    picture: Image.Image, image_format: str, expected: Colour
) -> None:
    assert_near(seen(picture, image_format), expected)


@pytest.mark.parametrize(
    "colour", [(255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255), (0, 0, 0, 0)]
)
def test_inverted_cmyk_of_adobe_is_no_negative(colour: tuple[int, int, int, int]) -> None:
    cyan, magenta, yellow, black = (1 - part / 255 for part in colour)
    expected = tuple(round(255 * part * black) for part in (cyan, magenta, yellow))
    data = encoded(flat("CMYK", colour), "JPEG", quality=95)
    assert b"Adobe" in data
    pixel = decode_image(ImageSource.from_bytes(data)).getpixel((30, 30))
    assert_near(pixel, (expected[0], expected[1], expected[2]))


@pytest.mark.parametrize(
    ("mode", "values"),
    [("F", (-4.0, 12.0)), ("F", (0.0, 1e6)), ("I", (-1000, 1000)), ("I", (0, 2**30))],
)
def test_numbers_of_unknown_scale_run_from_black_to_white(mode: str, values: tuple[float, float]) -> None:
    picture = Image.new(mode, (40, 20), values[0])
    picture.paste(values[1], (20, 0, 40, 20))
    upright = decode_image(ImageSource.from_bytes(encoded(picture, "TIFF")))
    assert upright.getpixel((5, 10)) == (0, 0, 0)
    assert upright.getpixel((35, 10)) == (255, 255, 255)


def test_sixteen_bits_keep_their_scale_however_dark_they_are() -> None:
    assert seen(flat("I;16", 200), "PNG") == (1, 1, 1)
    assert seen(flat("I;16", 200), "PPM") == (1, 1, 1)


def test_a_transparent_colour_without_a_palette_is_transparent() -> None:
    picture = flat("RGB", (9, 9, 9))
    assert_near(seen(picture, "PNG", transparency=(9, 9, 9)), (10, 20, 30))
    assert_near(seen(flat("L", 9), "PNG", transparency=9), (10, 20, 30))
    assert_near(seen(flat("L", 9), "PNG", transparency=8), (9, 9, 9))


def test_the_hidden_colour_of_clear_pixels_does_not_bleed() -> None:
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (20, 0, 40, 40))
    small = decode_image(ImageSource.from_pil(picture), max_side=10, background=(255, 255, 255))
    for x in range(10):
        pixel = small.getpixel((x, 5))
        assert isinstance(pixel, tuple)
        assert pixel[0] <= pixel[2]


@pytest.mark.parametrize("mode", ["La", "RGBa", "RGBX", "PA", "HSV"])
def test_modes_only_pillow_knows_are_taken_too(mode: str) -> None:
    source = ImageSource.from_pil(Image.new(mode, (8, 8)))
    assert decode_image(source, background=(0, 0, 0)).getpixel((4, 4)) == (0, 0, 0)


def wide_gamut() -> bytes:
    """A profile with the primaries of Adobe RGB, made by swapping those of sRGB in its tags."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }
    for index in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * index
        name, offset = bytes(data[entry : entry + 4]), int.from_bytes(data[entry + 4 : entry + 8], "big")
        if name in primaries:
            for part, value in enumerate(primaries[name]):
                data[offset + 8 + 4 * part : offset + 12 + 4 * part] = round(value * 65_536).to_bytes(
                    4, "big"
                )
        if name == b"desc":
            size = int.from_bytes(data[entry + 8 : entry + 12], "big")
            text = bytes(data[offset : offset + size]).replace(
                "sRGB".encode("utf-16-be"), "wide".encode("utf-16-be")
            )
            data[offset : offset + size] = text
    return bytes(data)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_wide_gamut_colours_become_srgb(image_format: str) -> None:
    green = flat("RGB", (120, 200, 120))
    assert_near(seen(green, image_format), (120, 200, 120))
    red, shown_green, blue = seen(green, image_format, icc_profile=wide_gamut())
    assert red < 90
    assert abs(shown_green - 200) <= 6
    assert abs(blue - 117) <= 6


def test_a_profile_leaves_transparency_alone() -> None:
    picture = flat("RGBA", (120, 200, 120, 0))
    assert_near(seen(picture, "PNG", icc_profile=wide_gamut()), (10, 20, 30))


@pytest.mark.parametrize("profile", [b"", b"damaged", wide_gamut()[:400], bytes(2000)], ids=len)
def test_a_damaged_profile_does_not_cost_the_picture(profile: bytes) -> None:
    for image_format in ("JPEG", "PNG"):
        assert_near(seen(flat("RGB", (120, 200, 120)), image_format, icc_profile=profile), (120, 200, 120))


def test_a_profile_for_other_pixels_is_left_out() -> None:
    assert_near(seen(flat("L", 90), "JPEG", icc_profile=wide_gamut()), (90, 90, 90))


def test_a_pillow_image_keeps_the_meaning_of_its_colours() -> None:
    picture = flat("RGB", (120, 200, 120))
    picture.info["icc_profile"] = wide_gamut()
    pixel = decode_image(ImageSource.from_pil(picture)).getpixel((5, 5))
    assert isinstance(pixel, tuple)
    assert pixel[0] < 90


def test_luma_and_chroma_become_colours() -> None:
    for source in (
        ImageSource.from_pil(flat("YCbCr", (76, 85, 255))),
        ImageSource.from_pil(flat("RGB", (254, 0, 0))),
    ):
        assert_near(decode_image(source).getpixel((5, 5)), (254, 0, 0))


def test_pixels_keep_their_places() -> None:
    for picture in (corners().quantize(8), corners().convert("RGBA"), corners().convert("CMYK")):
        upright = decode_image(ImageSource.from_pil(picture))
        assert_near(upright.getpixel((10, 10)), (220, 30, 30))
        assert_near(upright.getpixel((110, 70)), (230, 210, 40))
