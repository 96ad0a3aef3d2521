"""Whatever size, mode and format a picture has: what comes out decodes, fits the card, is in proportion."""

import io
from importlib.util import find_spec
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from firellava.images import ImageSource, PreparedImage, decode_image, inline_image, prepare_image
from firellava.images.formats import SourceFormat
from firellava.models import ImageFormat, ImageLimits, ImageTarget, ModelCard
from tests.core.images.documents import pages
from tests.core.images.samples import decoded, encoded

MODES: dict[str, tuple[str, ...]] = {
    "JPEG": ("1", "L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "GIF": ("1", "L", "P", "RGB"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB"),
    "PPM": ("1", "L", "RGB", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("L", "RGB", "RGBA"),
    "HEIF": ("L", "RGB", "RGBA"),
    "PDF": ("RGB",),
    "pixels": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "F"),
}
MISSING = {
    *(["AVIF"] if not features.check("avif") else []),
    *(["HEIF"] if find_spec("pillow_heif") is None else []),
    *(["PDF"] if find_spec("pypdfium2") is None else []),
}
LONGEST = {"GIF": 9_000, "WEBP": 9_000, "AVIF": 3_000, "HEIF": 3_000}

# White is brought by every mode, and told from a black background to the pixel.
WHITE: dict[str, Any] = {
    "F": 1.0,
    "I;16": 65_535,
    "CMYK": 0,
    "LAB": (255, 128, 128),
    "YCbCr": (255, 128, 128),
    "HSV": (0, 0, 255),
}

Size = tuple[int, int]


def white(mode: str, size: Size) -> Image.Image:
    if mode in ("P", "PA"):
        return Image.new("LA" if mode == "PA" else "L", size, "white").convert(mode)
    return Image.new(mode, size, WHITE.get(mode, "white"))


def given_as(size: Size, mode: str, source_format: str) -> Any:
    if source_format == "pixels":
        return white(mode, size)
    if source_format == "PDF":
        points = tuple(round(side * 72 / 200, 4) for side in size)
        return pages(b"", box=b"0 0 %.4f %.4f" % points)
    if source_format == "HEIF":
        import pillow_heif  # noqa: PLC0415 - of an extra

        buffer = io.BytesIO()
        pillow_heif.from_pillow(white(mode, size)).save(buffer)
        return buffer.getvalue()
    return encoded(white(mode, size), source_format)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Size, str, str]:
    source_format = draw(st.sampled_from([name for name in MODES if name not in MISSING]))
    mode = draw(st.sampled_from(MODES[source_format]))
    long = draw(st.integers(1, LONGEST.get(source_format, 20_000)))
    # As many long thin pictures as ordinary ones.
    short = draw(st.integers(1, min(long, draw(st.sampled_from([3, 60, 800])))))
    size = (long, short) if draw(st.booleans()) else (short, long)
    if max(size) > 800:
        size = min(size[0], 20_000 if size[1] <= 60 else 800), min(size[1], 20_000 if size[0] <= 60 else 800)
    return size, mode, source_format


def original_size(size: Size, source_format: str, prepared: PreparedImage) -> Size:
    if source_format == "PDF":  # which is measured in points, and may be a pixel off
        assert all(abs(a - b) <= 1 for a, b in zip(prepared.original_size, size, strict=True))
        return prepared.original_size
    assert prepared.original_size == size
    return size


def in_proportion(shown: Size, original: Size, scale: float) -> bool:
    """Whether both sides are the original's times one factor, to a pixel, and none has vanished."""
    return all(
        side >= 1 and (side == 1 or abs(side - whole * scale) <= 0.5 + 1e-9)
        for side, whole in zip(shown, original, strict=True)
    )


@settings(max_examples=120, deadline=None)
@given(picture=pictures(), side=st.integers(1, 700))
@example(picture=((1, 1), "L", "PNG"), side=336)
@example(picture=((1, 1), "1", "TIFF"), side=1)
@example(picture=((20_000, 1), "RGB", "JPEG"), side=336)
@example(picture=((1, 20_000), "RGB", "PNG"), side=336)
@example(picture=((337, 336), "RGB", "JPEG"), side=336)
def test_letterbox_fills_one_side_and_centres_the_picture(picture: tuple[Size, str, str], side: int) -> None:
    size, mode, source_format = picture
    target = ImageTarget(fit="letterbox", side=side, background=(0, 0, 0))
    prepared = prepare_image(given_as(size, mode, source_format), ModelCard(name="any", image_target=target))
    original = original_size(size, source_format, prepared)
    out = decoded(prepared.data)
    assert out.size == (prepared.width, prepared.height) == (side, side)
    assert out.format == prepared.format
    found = out.convert("L").point(lambda value: 255 * (value > 127)).getbbox()
    assert found is not None
    left, top, right, bottom = found
    assert max(right - left, bottom - top) == side
    if prepared.format == "PNG":
        assert in_proportion((right - left, bottom - top), original, side / max(original))
    else:  # whose blocks of eight pixels blur an edge
        assert abs((right - left) - max(1, original[0] * side / max(original))) <= 1.5
        assert abs((bottom - top) - max(1, original[1] * side / max(original))) <= 1.5
    assert abs(left - (side - right)) <= 1
    assert abs(top - (side - bottom)) <= 1


@settings(max_examples=120, deadline=None)
@given(
    picture=pictures(),
    side=st.integers(1, 700),
    accepted=st.sampled_from([("JPEG",), ("PNG",), ("JPEG", "PNG"), get_args(ImageFormat)]),
)
def test_contain_keeps_the_proportions_and_never_enlarges(
    picture: tuple[Size, str, str], side: int, accepted: tuple[ImageFormat, ...]
) -> None:
    size, mode, source_format = picture
    card = ModelCard(
        name="any",
        image_target=ImageTarget(fit="contain", side=side),
        image_limits=ImageLimits(formats=accepted),
    )
    prepared = prepare_image(given_as(size, mode, source_format), card)
    original = original_size(size, source_format, prepared)
    out = decoded(prepared.data)
    assert out.size == (prepared.width, prepared.height)
    assert out.format == prepared.format
    assert prepared.format in accepted
    assert max(out.size) == min(side, max(original))
    assert in_proportion(out.size, original, min(1, side / max(original)))
    assert out.convert("L").point(lambda value: 255 * (value >= 250)).getextrema() == (255, 255)


@settings(max_examples=60, deadline=None)
@given(picture=pictures(), side=st.integers(1, 700))
def test_inside_a_message_and_for_a_local_backend_it_is_the_same(
    picture: tuple[Size, str, str], side: int
) -> None:
    data = given_as(*picture)
    inlined, shown = inline_image(data, side), decode_image(ImageSource.of(data), max_side=side)
    assert decoded(inlined.data).size == (inlined.width, inlined.height) == shown.size
    assert in_proportion(shown.size, inlined.original_size, min(1, side / max(inlined.original_size)))
    assert (shown.mode, shown.info) == ("RGB", {})


def test_every_format_that_is_read_takes_part() -> None:
    assert {*get_args(SourceFormat), "pixels"} == set(MODES)


@pytest.mark.engine("heic")
@pytest.mark.engine("pdf")
def test_no_format_is_left_out_where_everything_is_installed() -> None:
    assert not MISSING - {"AVIF"}
