"""Ways of storing pixels that are rarely met: what is seen is the colour that was meant."""

from typing import Any

import pytest
from PIL import Image

from firellava.images import ImageSource, decode_image, inline_image, prepare_image
from tests.core.images.samples import corners, decoded, encoded
from tests.core.images.test_colour import assert_near

BACKGROUND = (10, 20, 30)


def flat(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (60, 60), colour)


def transparent_palette() -> Image.Image:
    picture = flat("PA", (1, 128))
    picture.putpalette([0, 0, 0, 200, 100, 50])
    return picture


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (flat("1", 1), (255, 255, 255)),
        (flat("L", 200), (200, 200, 200)),
        (flat("LA", (210, 128)), (110, 115, 120)),
        (flat("La", (105, 128)), (110, 115, 120)),
        (transparent_palette(), (105, 60, 40)),
        (flat("RGBA", (200, 100, 50, 128)), (105, 60, 40)),
        (flat("RGBa", (100, 50, 25, 128)), (105, 60, 40)),
        (flat("RGBX", (200, 100, 50, 0)), (200, 100, 50)),
        (flat("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
        (flat("YCbCr", (76, 85, 255)), (254, 0, 0)),
        (flat("HSV", (0, 255, 255)), (255, 0, 0)),
        (flat("HSV", (85, 255, 255)), (0, 255, 0)),
        (flat("LAB", (138, 166, 174)), (200, 100, 50)),
        (flat("LAB", (255, 128, 128)), (255, 255, 255)),
        (flat("I", 32_768), (128, 128, 128)),
        (flat("I;16", 32_768), (128, 128, 128)),
        (flat("F", 0.5), (128, 128, 128)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_a_pillow_image_of_any_mode_means_its_colour(
    picture: Image.Image, expected: tuple[int, int, int]
) -> None:
    source = ImageSource.of(picture)
    for size in (None, 20):
        shown = decode_image(source, max_side=size, background=BACKGROUND)
        assert_near(shown.getpixel((10, 10)), expected, 4)
    prepare_image(picture)
    inlined = decode_image(ImageSource.of(inline_image(picture).data), background=BACKGROUND)
    assert_near(inlined.getpixel((10, 10)), expected, 4)


@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (0, 0, 0), (200, 30, 40), (30, 200, 40), (40, 30, 200), (90, 160, 220)]
)
def test_ycck_is_luma_and_chroma_of_inverted_ink(colour: tuple[int, int, int]) -> None:
    # Pillow writes no YCCK, but Adobe's segment says what the four numbers are (Technical Note 5116): so luma
    # and chroma of the inks, and no black, are stored as if they were four inks, and their name is changed.
    inks = Image.new("RGB", (64, 64), tuple(255 - part for part in colour)).convert("YCbCr")
    planes = [
        plane.point(lambda value: 255 - value) for plane in (*inks.split(), Image.new("L", (64, 64), 255))
    ]
    data = encoded(Image.merge("CMYK", planes), "JPEG", quality=100, subsampling=0)
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    pixel = decode_image(ImageSource.from_bytes(data[:at] + b"\x02" + data[at + 1 :])).getpixel((30, 30))
    assert_near(pixel, colour, 4)


def test_the_first_frame_of_an_animation_is_seen_and_not_its_hidden_picture() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ((220, 30, 30), (40, 60, 210))]
    for image_format in ("GIF", "PNG", "WEBP"):
        data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], duration=50)
        assert_near(decode_image(ImageSource.of(data)).getpixel((9, 9)), (220, 30, 30), 12)


def test_a_palette_with_several_clear_colours_keeps_them_apart() -> None:
    picture = corners().quantize(4)
    data = encoded(picture, "PNG", transparency=bytes([0, 255, 128, 255]))
    for source in (ImageSource.of(data), ImageSource.of(inline_image(data).data)):
        assert decode_image(source).tobytes() == _on_white(decoded(data)).tobytes()


def _on_white(picture: Image.Image) -> Image.Image:
    canvas = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(canvas, picture.convert("RGBA")).convert("RGB")
