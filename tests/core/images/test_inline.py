import pytest
from PIL import Image, ImageChops

from firellava.errors import UnreadableImage
from firellava.images import ImageSource, inline_image
from tests.core.images.photograph import procedural_photograph, psnr
from tests.core.images.samples import corners, decoded, described, encoded, exif_with_gps
from tests.core.images.test_colour import wide_gamut

PHOTOGRAPH = procedural_photograph((640, 480))


def same_pixels(first: Image.Image, second: Image.Image) -> bool:
    return first.mode == second.mode and ImageChops.difference(first, second).getbbox() is None


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"restart_marker_rows": 1}, {"keep_rgb": True}],
)
def test_an_upright_jpeg_keeps_its_very_pixels(options: dict[str, object]) -> None:
    data = encoded(PHOTOGRAPH, "JPEG", exif=exif_with_gps(), comment=b"x", **options)
    inline = inline_image(data)
    assert inline.format == "JPEG"
    assert len(inline.data) < len(data)
    assert same_pixels(decoded(inline.data), decoded(data))


def test_a_clean_jpeg_stays_the_same_file() -> None:
    data = encoded(PHOTOGRAPH, "JPEG")
    assert inline_image(data).data == data
    assert inline_image(data).adjustments == ()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_png_keeps_its_pixels_and_its_mode(mode: str) -> None:
    data = encoded(
        corners().convert("L").convert("I;16") if mode == "I;16" else corners().convert(mode), "PNG"
    )
    inline = inline_image(data)
    assert inline.format == "PNG"
    assert decoded(inline.data).mode == decoded(data).mode
    assert decoded(inline.data).tobytes() == decoded(data).tobytes()
    assert decoded(inline.data).convert("RGB").tobytes() == decoded(data).convert("RGB").tobytes()


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM", "WEBP"])
def test_other_formats_without_loss_become_png_pixel_for_pixel(image_format: str) -> None:
    data = encoded(corners(), image_format, **({"lossless": True} if image_format == "WEBP" else {}))
    inline = inline_image(data)
    assert inline.format == "PNG"
    assert same_pixels(decoded(inline.data).convert("RGB"), corners())
    assert inline.adjustments == (f"converted from {image_format}",)


def test_transparency_is_kept() -> None:
    picture = Image.new("RGBA", (50, 40), (200, 30, 30, 77))
    keyed = corners().quantize(8)
    for data in (encoded(picture, "PNG"), encoded(picture, "WEBP", lossless=True), encoded(picture, "TIFF")):
        inline = inline_image(data)
        assert inline.format == "PNG"
        assert decoded(inline.data).convert("RGBA").getpixel((20, 20)) == (200, 30, 30, 77)
    inline = inline_image(encoded(keyed, "GIF", transparency=keyed.getpixel((0, 0))))
    assert decoded(inline.data).convert("RGBA").getchannel("A").getpixel((0, 0)) == 0
    assert decoded(inline_image(picture, 10).data).mode == "RGBA"


def test_a_lossy_webp_becomes_a_jpeg_of_high_quality() -> None:
    data = encoded(PHOTOGRAPH, "WEBP", quality=90)
    inline = inline_image(data)
    assert inline.format == "JPEG"
    assert psnr(decoded(inline.data).convert("RGB"), decoded(data).convert("RGB")) > 36


def test_a_large_picture_is_scaled_to_the_longer_side() -> None:
    for image_format in ("JPEG", "PNG", "WEBP"):
        inline = inline_image(encoded(PHOTOGRAPH, image_format), 200)
        assert (inline.width, inline.height) == decoded(inline.data).size == (200, 150)
        assert inline.format == "JPEG"
        assert inline.adjustments[0] == "scaled from 640x480 to 200x150"
    drawing = inline_image(encoded(corners((3000, 1000)), "PNG"))
    assert (drawing.width, drawing.height, drawing.format) == (2048, 683, "PNG")


def test_colours_that_are_not_srgb_are_converted() -> None:
    cmyk = inline_image(encoded(Image.new("CMYK", (60, 60), (255, 0, 0, 0)), "JPEG"))
    assert decoded(cmyk.data).convert("RGB").getpixel((30, 30)) == (0, 255, 255)
    for image_format in ("JPEG", "PNG"):
        wide = encoded(Image.new("RGB", (60, 60), (120, 200, 120)), image_format, icc_profile=wide_gamut())
        pixel = decoded(inline_image(wide).data).convert("RGB").getpixel((30, 30))
        assert isinstance(pixel, tuple)
        assert pixel[0] < 90


def test_a_lying_png_is_turned_without_loss() -> None:
    inline = inline_image(described(corners(), "PNG", orientation=6))
    assert same_pixels(decoded(inline.data), corners().transpose(Image.Transpose.ROTATE_270))


def test_a_pillow_image_becomes_png_pixel_for_pixel() -> None:
    inline = inline_image(ImageSource.from_pil(PHOTOGRAPH))
    assert inline.format == "PNG"
    assert same_pixels(decoded(inline.data), PHOTOGRAPH)


def test_a_damaged_image_does_not_get_into_a_message() -> None:
    for image_format in ("JPEG", "PNG"):
        data = encoded(PHOTOGRAPH, image_format)
        with pytest.raises(UnreadableImage):
            inline_image(data[: len(data) // 2])


def test_a_jpeg_in_a_jpeg_does_not_end_it_early() -> None:
    thumbnail = encoded(corners((40, 30)), "JPEG")
    exif = exif_with_gps().tobytes() + thumbnail
    data = encoded(PHOTOGRAPH, "JPEG", exif=exif) + thumbnail
    inline = inline_image(data)
    assert same_pixels(decoded(inline.data), decoded(data))
    assert inline.data.count(b"\xff\xd8\xff") == 1
