"""``fit="none"``: the pixels as they were given, and nothing besides."""

import io
from typing import Any

import pytest
from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from firellava.errors import UnreadableImage
from firellava.images import ImageSource, PreparedImage, prepare_image
from firellava.images.png_chunks import cut_png_metadata
from firellava.models import ImageLimits, ImageTarget, ModelCard
from tests.core.images.documents import COLOURED, pages
from tests.core.images.photograph import procedural_photograph, psnr
from tests.core.images.samples import SECRET, corners, decoded, described, encoded, exif_with_gps
from tests.core.images.test_clean_output import FORMATS, LEAKS, STORED
from tests.core.images.test_colour import wide_gamut

PHOTOGRAPH = procedural_photograph((640, 480))


def as_given(value: Any, *formats: Any) -> PreparedImage:
    limits = ImageLimits(formats=formats) if formats else ImageLimits()
    card = ModelCard(name="any", image_limits=limits, image_target=ImageTarget(side=50, background=(9, 9, 9)))
    return prepare_image(value, card, fit="none")


def same_pixels(first: Image.Image, second: Image.Image) -> bool:
    return first.mode == second.mode and ImageChops.difference(first, second).getbbox() is None


def png_chunks(data: bytes) -> list[bytes]:
    names, position = [], 8
    while position < len(data):
        names.append(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return names


class TestAJpeg:
    def test_keeps_its_compressed_data_and_loses_its_metadata(self) -> None:
        clean = encoded(PHOTOGRAPH, "JPEG")
        data = encoded(PHOTOGRAPH, "JPEG", exif=exif_with_gps(), comment=SECRET) + SECRET
        prepared = as_given(data)
        assert prepared.data == clean
        assert prepared.adjustments == ("metadata removed",)
        assert as_given(clean).data == clean
        assert as_given(clean).adjustments == ()

    @pytest.mark.parametrize("orientation", range(2, 9))
    def test_that_lies_on_its_side_is_turned_and_encoded_anew(self, orientation: int) -> None:
        stored = STORED[orientation](PHOTOGRAPH)
        prepared = as_given(encoded(stored, "JPEG", quality=95, exif=exif_with_gps(orientation)))
        out = decoded(prepared.data)
        assert out.size == PHOTOGRAPH.size
        assert psnr(out, PHOTOGRAPH) > 36
        assert "turned upright" in prepared.adjustments

    def test_of_other_colours_is_converted(self) -> None:
        plain = encoded(corners(), "JPEG", quality=95)
        out = decoded(as_given(encoded(corners(), "JPEG", quality=95, icc_profile=wide_gamut())).data)
        assert "icc_profile" not in out.info
        assert psnr(out, decoded(plain)) < 40

    def test_in_cmyk_is_converted(self) -> None:
        assert decoded(as_given(encoded(corners().convert("CMYK"), "JPEG")).data).mode == "RGB"

    def test_that_is_cut_short_does_not_get_through(self) -> None:
        data = encoded(PHOTOGRAPH, "JPEG")
        with pytest.raises(UnreadableImage, match="cut short"):
            as_given(data[: len(data) // 2])


class TestAPng:
    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    def test_keeps_its_compressed_data_in_every_mode(self, mode: str) -> None:
        picture = corners().convert("L").convert("I;16") if mode == "I;16" else corners().convert(mode)
        clean = encoded(picture, "PNG", compress_level=1)
        texts = PngInfo()
        texts.add_text("Comment", SECRET.decode())
        prepared = as_given(encoded(picture, "PNG", compress_level=1, pnginfo=texts) + SECRET)
        assert prepared.data == clean
        assert (prepared.width, prepared.height) == picture.size

    def test_holds_nothing_but_pixels_afterwards(self) -> None:
        data = encoded(corners().convert("P"), "PNG", transparency=0, dpi=(300, 300), gamma=0.5)
        assert set(png_chunks(as_given(data).data)) == {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}

    def test_that_is_animated_is_its_first_picture(self) -> None:
        frames = [corners(), Image.new("RGB", corners().size, "white")]
        buffer = io.BytesIO()
        frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
        out = decoded(as_given(buffer.getvalue()).data)
        assert getattr(out, "n_frames", 1) == 1
        assert same_pixels(out, corners())

    def test_that_lies_on_its_side_is_turned_without_loss(self) -> None:
        stored = STORED[6](corners())
        out = decoded(as_given(encoded(stored, "PNG", exif=exif_with_gps(6))).data)
        assert same_pixels(out, corners())

    def test_without_an_end_is_written_anew(self) -> None:
        data = encoded(corners(), "PNG")
        assert cut_png_metadata(data[:-12]) is None
        assert same_pixels(decoded(as_given(data[:-12]).data), corners())

    def test_that_is_cut_short_does_not_get_through(self) -> None:
        data = encoded(PHOTOGRAPH, "PNG")
        with pytest.raises(UnreadableImage):
            as_given(data[: len(data) // 2])


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM"])
def test_what_has_places_for_metadata_becomes_png_pixel_for_pixel(image_format: str) -> None:
    prepared = as_given(encoded(corners(), image_format))
    assert prepared.format == "PNG"
    assert same_pixels(decoded(prepared.data).convert("RGB"), corners())
    assert prepared.adjustments == (f"converted from {image_format}",)


def test_a_lossy_webp_becomes_a_jpeg_of_high_quality() -> None:
    data = encoded(PHOTOGRAPH, "WEBP", quality=90)
    prepared = as_given(data)
    assert prepared.format == "JPEG"
    assert psnr(decoded(prepared.data), decoded(data)) > 38


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_nothing_but_pixels_comes_out(image_format: str, orientation: int) -> None:
    data = as_given(described(corners(), image_format, orientation)).data
    assert not [leak for leak in LEAKS if leak in data]


@pytest.mark.parametrize(("given", "accepted"), [("PNG", "JPEG"), ("JPEG", "PNG")])
def test_what_is_not_accepted_is_converted(given: str, accepted: str) -> None:
    prepared = as_given(encoded(PHOTOGRAPH, given), accepted)
    assert (prepared.format, decoded(prepared.data).format) == (accepted, accepted)
    assert (prepared.width, prepared.height) == PHOTOGRAPH.size


def test_transparency_stays_unless_the_format_has_none() -> None:
    clear = Image.new("RGBA", (40, 30), (200, 30, 30, 0))
    assert decoded(as_given(encoded(clear, "PNG")).data).getpixel((3, 3)) == (200, 30, 30, 0)
    shown = decoded(as_given(encoded(clear, "PNG"), "JPEG").data).getpixel((3, 3))
    assert isinstance(shown, tuple)
    assert max(abs(value - 9) for value in shown) <= 2


def test_a_part_of_a_picture_is_cut_out_of_it_pixel_for_pixel() -> None:
    source = ImageSource.from_bytes(encoded(corners(), "PNG")).cropped(0.5, 0, 1, 1)
    assert same_pixels(decoded(as_given(source).data), corners().crop((60, 0, 120, 80)))


def test_given_pixels_go_without_loss() -> None:
    assert same_pixels(decoded(as_given(corners()).data), corners())


@pytest.mark.engine("pdf")
def test_a_page_of_a_pdf_is_drawn_as_if_scanned() -> None:
    prepared = as_given(pages(COLOURED, box=b"0 0 400 1000"))
    assert (prepared.width, prepared.height) == (400 * 200 // 72, 1000 * 200 // 72)
