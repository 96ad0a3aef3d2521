import io
import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from firellava.errors import (
    ImageError,
    ImageTooLarge,
    InvalidRequest,
    UnreadableImage,
    UnsupportedFormat,
)
from firellava.images import ImageSource, PreparedImage, decode_image, prepare_image
from firellava.models import Fit, ImageFormat, ImageLimits, ImageTarget, ModelCard, model_card
from tests.core.images.photograph import procedural_photograph
from tests.core.images.samples import BLUE, GREEN, RED, YELLOW, corners, decoded, encoded

CLIP_MEAN = (122, 116, 104)
SIDE_100 = ModelCard(name="small", image_target=ImageTarget(fit="contain", side=100))


def is_near(pixel: Any, expected: tuple[int, int, int], tolerance: int = 12) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, expected, strict=True))


def picture_in(prepared: PreparedImage) -> Image.Image:
    return decoded(prepared.data).convert("RGB")


def test_firellava_gets_the_whole_picture_in_the_middle_of_its_square() -> None:
    prepared = prepare_image(encoded(corners((1200, 600)), "PNG"))
    picture = picture_in(prepared)
    assert picture.size == (prepared.width, prepared.height) == (336, 336)
    for point, colour in (((8, 92), RED), ((328, 92), GREEN), ((8, 244), BLUE), ((328, 244), YELLOW)):
        assert is_near(picture.getpixel(point), colour)
    for point in ((168, 40), (168, 300), (5, 75), (330, 262)):
        assert is_near(picture.getpixel(point), CLIP_MEAN)
    assert prepared.original_size == (1200, 600)
    assert prepared.adjustments == ("scaled from 1200x600 to 336x168 and padded to 336x336",)


def test_letterbox_enlarges_small_pictures_and_contain_does_not() -> None:
    small = encoded(corners((30, 60)), "PNG")
    enlarged, kept = prepare_image(small), prepare_image(small, fit="contain")
    assert is_near(picture_in(enlarged).getpixel((100, 10)), RED)
    assert (kept.width, kept.height) == (30, 60)
    assert kept.adjustments == ()


def test_a_square_picture_needs_no_padding() -> None:
    prepared = prepare_image(corners((500, 500)))
    assert prepared.adjustments == ("scaled from 500x500 to 336x336",)


def test_fit_overrides_the_way_of_the_card() -> None:
    data = encoded(corners((600, 300)), "PNG")
    assert (prepare_image(data, SIDE_100).width, prepare_image(data, SIDE_100).height) == (100, 50)
    padded = prepare_image(data, SIDE_100, fit="letterbox")
    assert (padded.width, padded.height) == (100, 100)
    assert (prepare_image(data, "kimi-k3").width, prepare_image(data, "kimi-k3").height) == (600, 300)


def test_a_grey_picture_stays_grey_where_the_padding_is() -> None:
    grey = corners((300, 100)).convert("L")
    assert decoded(prepare_image(grey, SIDE_100, fit="letterbox").data).mode == "L"
    assert decoded(prepare_image(grey, "firellava-13b").data).mode == "RGB"


MODES: dict[str, set[str]] = {
    "JPEG": {"1", "L", "RGB", "CMYK"},
    "PNG": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"},
    "GIF": {"1", "L", "P", "RGB"},
    "BMP": {"1", "L", "P", "RGB"},
    "TIFF": {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"},
    "PPM": {"1", "L", "RGB", "I;16"},
    "WEBP": {"RGB", "RGBA"},
}


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    mode=st.sampled_from(sorted(set().union(*MODES.values()))),
    image_format=st.sampled_from(get_args(ImageFormat)),
    fit=st.sampled_from(get_args(Fit)),
    side=st.integers(16, 400),
)
def test_any_picture_comes_out_decodable_within_its_target_and_in_proportion(
    width: int, height: int, mode: str, image_format: str, fit: Fit, side: int
) -> None:
    picture = Image.new(mode, (width, height), 1 if mode == "1" else None)
    data = encoded(picture if mode in MODES[image_format] else picture.convert("RGB"), image_format)
    card = ModelCard(name="any", image_target=ImageTarget(fit=fit, side=side, background=(1, 2, 3)))
    prepared = prepare_image(data, card)
    out = decoded(prepared.data)
    assert out.size == (prepared.width, prepared.height)
    assert out.format == prepared.format
    assert out.format in card.image_limits.formats
    assert prepared.original_size == (width, height)
    assert prepared.original_format == image_format
    if fit in ("letterbox", "tiles"):
        assert out.size == (side, side)
        return
    if fit == "none":
        assert out.size == (width, height)
        return
    scale = min(1, side / max(width, height))
    assert abs(out.width - width * scale) <= 1
    assert abs(out.height - height * scale) <= 1
    assert max(out.size) == min(side, max(width, height))


def test_photographs_become_jpeg_and_drawings_png() -> None:
    photograph = procedural_photograph((800, 600))
    chart = Image.new("RGB", (800, 600), "white")
    chart.paste((200, 30, 30), (100, 100, 300, 500))
    for card in ("firellava-13b", "kimi-k3"):
        assert prepare_image(photograph, card).format == "JPEG"
        assert prepare_image(photograph.convert("L"), card).format == "JPEG"
        assert prepare_image(chart, card).format == "PNG"


@pytest.mark.parametrize("accepted", ["JPEG", "PNG"])
def test_only_a_format_the_card_accepts_is_sent(accepted: ImageFormat) -> None:
    card = SIDE_100.model_copy(update={"image_limits": ImageLimits(formats=("GIF", accepted))})
    for picture in (procedural_photograph((200, 150)), Image.new("RGB", (50, 50), "white")):
        assert prepare_image(picture, card).format == accepted


def test_a_card_that_accepts_neither_is_an_error() -> None:
    card = SIDE_100.model_copy(update={"image_limits": ImageLimits(formats=("GIF",))})
    with pytest.raises(InvalidRequest, match=r"image_limits\.formats"):
        prepare_image(corners(), card)


def test_the_data_url_is_ready_json() -> None:
    prepared = prepare_image(corners())
    url = orjson.loads(prepared.data_url_json)
    assert url.startswith(f"data:{prepared.mime_type};base64,")
    assert prepared.mime_type in ("image/png", "image/jpeg")
    assert ImageSource.of(url).data == prepared.data
    assert prepared.bytes_on_wire == len(prepared.data_url_json)
    assert prepared.data_url_json is prepared.data_url_json


def test_a_prepared_image_pickles_compares_and_shows_no_bytes() -> None:
    prepared = prepare_image(encoded(corners(), "PNG"))
    copy = pickle.loads(pickle.dumps(prepared))  # noqa: S301 - our own pickle
    assert copy == prepared
    assert copy.data_url_json == prepared.data_url_json
    shown = repr(prepared)
    assert prepared.sha256 in shown
    assert "x89PNG" not in shown
    assert "base64" not in shown
    assert "iVBOR" not in shown


def test_the_same_picture_is_prepared_once() -> None:
    data = encoded(corners((90, 70)), "PNG")
    first = prepare_image(data)
    assert prepare_image(io.BytesIO(data)) is first
    assert prepare_image(data, model_card("firellava-13b")) is first
    assert prepare_image(data, fit="contain") is not first
    assert prepare_image(data + b"!") is not first


def test_a_url_is_not_downloaded() -> None:
    with pytest.raises(UnreadableImage, match=r"https://example\.com/a\.png.*URL") as caught:
        prepare_image("https://example.com/a.png?token=hunter2")
    assert "hunter2" not in str(caught.value)


def test_names_and_claimed_types_are_not_believed() -> None:
    data = encoded(corners(), "BMP")
    prepared = prepare_image("data:image/jpeg;base64," + orjson.loads(_base64_json(data)))
    assert prepared.original_format == "BMP"
    assert "converted from BMP" in prepared.adjustments


def _base64_json(data: bytes) -> bytes:
    url = PreparedImage(data, "BMP", 1, 1, "", "BMP", (1, 1)).data_url_json
    return b'"' + url.partition(b",")[2]


def animation(image_format: str) -> bytes:
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE, GREEN)]
    return encoded(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_of_several_frames_the_first_is_taken(image_format: str) -> None:
    prepared = prepare_image(animation(image_format), SIDE_100)
    assert is_near(picture_in(prepared).getpixel((20, 15)), RED)
    assert prepared.original_format == ("JPEG" if image_format == "MPO" else image_format)
    several = "first of several frames or pages taken" in prepared.adjustments
    assert several == (image_format != "MPO")


PNG, JPEG = encoded(corners((200, 200)), "PNG"), encoded(procedural_photograph((200, 200)), "JPEG")
GIF, BMP = encoded(corners((200, 200)), "GIF"), encoded(corners((200, 200)), "BMP")

BAD = {
    "text": (b"Dear Sir or Madam,\nplease find attached", UnsupportedFormat, "starts like text"),
    "text in UTF-8": ("Grüße aus Köln".encode(), UnsupportedFormat, "starts like text"),
    "web page": (b"<!DOCTYPE html><html></html>", UnsupportedFormat, "a web page"),
    "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="a"/>', UnsupportedFormat, "an SVG drawing"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0", UnsupportedFormat, "a PostScript document"),
    "video": (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00", UnsupportedFormat, "a video"),
    "JPEG 2000": (encoded(corners(), "JPEG2000"), UnsupportedFormat, "a JPEG 2000 image"),
    "icon": (encoded(corners(), "ICO"), UnsupportedFormat, "an icon"),
    "ZIP": (b"PK\x03\x04\x14\x00", UnsupportedFormat, "a ZIP archive"),
    "noise": (bytes(range(256)), UnsupportedFormat, "no image we can open. Opened are JPEG, PNG"),
    "empty": (b"", UnreadableImage, "empty"),
    "PNG cut short": (PNG[:-40], UnreadableImage, "PNG: the data is cut short"),
    "PNG header alone": (PNG[:8], UnreadableImage, "does not decode as PNG"),
    "PNG with a wrong checksum": (
        PNG[:45] + b"\x00\x00" + PNG[47:],
        UnreadableImage,
        "does not decode as PNG",
    ),
    "JPEG cut short": (JPEG[: len(JPEG) // 2], UnreadableImage, "JPEG: the data is cut short"),
    "JPEG header alone": (JPEG[:3], UnreadableImage, "does not decode as JPEG"),
    "JPEG of a million segments": (
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * 1_000_000,
        UnreadableImage,
        "5,000 segments",
    ),
    "GIF cut short": (GIF[:200], UnreadableImage, "does not decode as GIF"),
    "GIF without a picture": (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", UnreadableImage, "GIF"),
    "BMP cut short": (BMP[:-1000], UnreadableImage, "does not decode as BMP"),
    "BMP without height": (BMP[:22] + bytes(4) + BMP[26:], UnreadableImage, "does not decode as BMP"),
    "TIFF without a directory": (b"II*\x00\x00\x00\x00\x00", UnreadableImage, "TIFF"),
    "PPM with letters": (b"P3 2 2 255 a b c d", UnreadableImage, "PPM"),
    "WebP with a strange chunk": (b"RIFF\x20\x00\x00\x00WEBPJUNK" + bytes(30), UnreadableImage, "WEBP"),
}


@pytest.mark.parametrize(("data", "error", "says"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_an_error_that_says_why(data: bytes, error: type[ImageError], says: str) -> None:
    with pytest.raises(error, match=says.replace("(", r"\(")) as caught:
        prepare_image(data)
    assert type(caught.value) is error


@settings(max_examples=200, deadline=None)
@given(
    data=st.sampled_from([PNG, GIF, BMP, JPEG, encoded(corners(), "WEBP"), encoded(corners(), "PPM")]),
    cut=st.floats(0, 1),
    noise=st.binary(min_size=1, max_size=8),
    where=st.floats(0, 1),
)
def test_damage_gives_a_picture_or_an_error_of_ours(
    data: bytes, cut: float, noise: bytes, where: float
) -> None:
    position = int(where * len(data))
    damaged = (data[:position] + noise + data[position + len(noise) :])[
        : int(cut * len(data)) + len(data) // 4
    ]
    try:
        prepared = prepare_image(damaged)
    except ImageError:
        return
    assert decoded(prepared.data).size == (336, 336)


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims to be large."""
    data = bytearray(encoded(Image.new("1", (8, 8)), "PNG"))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(data)


def with_checksum(data: bytes) -> bytes:
    return data[:29] + zlib.crc32(data[12:29]).to_bytes(4, "big") + data[33:]


@pytest.mark.parametrize(
    ("width", "height"), [(10_000, 8_001), (9_500, 9_500), (30_000, 30_000), (2**31 - 1, 1)]
)
def test_too_many_pixels_are_refused_before_decoding_and_without_a_warning(width: int, height: int) -> None:
    with pytest.raises(ImageTooLarge, match=rf"{width:,} x {height:,} pixels.*80,000,000"):
        prepare_image(with_checksum(png_of(width, height)))


def test_a_large_canvas_of_webp_is_refused_before_the_decoder_is_made() -> None:
    canvas = bytes([0x10, 0, 0, 0]) + (16_382).to_bytes(3, "little") + (16_382).to_bytes(3, "little")
    data = b"RIFF" + (30).to_bytes(4, "little") + b"WEBPVP8X" + (10).to_bytes(4, "little") + canvas + bytes(8)
    with pytest.raises(ImageTooLarge, match="16,383 x 16,383"):
        prepare_image(data)


def test_a_tiff_of_huge_tiles_is_refused() -> None:
    tags = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 277: 1, 322: 9_600, 323: 9_600, 324: 8, 325: 4}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = struct.pack("<2sHIIH", b"II", 42, 12, 0, len(tags)) + entries + bytes(4)
    with pytest.raises(ImageTooLarge):
        prepare_image(data)


def jpeg_of(width: int, height: int, **options: Any) -> bytes:
    """A JPEG that claims to be large."""
    data = encoded(Image.new("RGB", (16, 16)), "JPEG", **options)
    frame = data.index(b"\xff\xc2" if options else b"\xff\xc0")
    return data[: frame + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[frame + 9 :]


def test_a_jpeg_may_have_more_pixels_where_it_is_scaled_while_it_decodes() -> None:
    with pytest.raises(ImageTooLarge, match="200,000,000"):
        prepare_image(jpeg_of(20_000, 10_001))
    assert prepare_image(jpeg_of(16_320, 12_240)).original_size == (16_320, 12_240)
    with pytest.raises(ImageTooLarge, match="80,000,000"):
        prepare_image(jpeg_of(16_320, 12_240, progressive=True))
    with pytest.raises(ImageTooLarge, match="80,000,000"):
        decode_image(ImageSource.from_bytes(jpeg_of(16_320, 12_240)))


def test_a_line_of_a_million_pixels_is_a_picture_too() -> None:
    prepared = prepare_image(encoded(Image.new("L", (1_000_000, 1), 200), "PNG"), "kimi-k3")
    assert (prepared.width, prepared.height) == (1568, 1)
    assert is_near(picture_in(prepared).getpixel((700, 0)), (200, 200, 200))


def test_a_line_of_many_million_pixels_needs_little_memory() -> None:
    program = """
import io, resource
from PIL import Image
from firellava.images import prepare_image
buffer = io.BytesIO()
Image.new("L", (40_000_000, 1), 200).save(buffer, "PNG")
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, resource.RLIM_INFINITY))
assert prepare_image(buffer.getvalue(), "kimi-k3").width == 1568
"""
    root = Path(__file__).parents[3]
    result = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_nothing_global_in_pillow_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    monkeypatch.setattr(Image, "open", None)  # which would warn, and try formats nobody asked for
    prepare_image(PNG)
    for data, _, _ in BAD.values():
        with pytest.raises(ImageError):
            prepare_image(data)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_decoded_pictures_for_local_backends_are_upright_rgb_and_bounded() -> None:
    source = ImageSource.from_pil(corners((300, 200)).convert("RGBA"))
    assert decode_image(source).size == (300, 200)
    small = decode_image(source, max_side=60)
    assert (small.size, small.mode, small.info) == ((60, 40), "RGB", {})
    assert is_near(small.getpixel((5, 5)), RED)
    assert decode_image(source, max_side=5000).size == (300, 200)


def test_transparency_shows_the_background_that_is_asked_for() -> None:
    clear = ImageSource.from_pil(Image.new("RGBA", (10, 10), (0, 0, 0, 0)))
    assert decode_image(clear).getpixel((5, 5)) == (255, 255, 255)
    assert decode_image(clear, background=(1, 2, 3)).getpixel((5, 5)) == (1, 2, 3)
    assert is_near(picture_in(prepare_image(clear)).getpixel((168, 168)), CLIP_MEAN)
