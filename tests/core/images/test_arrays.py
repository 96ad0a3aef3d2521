"""NumPy arrays as images: shapes, types of numbers, scales, and what is refused."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from firellava.errors import ImageTooLarge, UnreadableImage
from firellava.images import ImageSource, decode_image, prepare_image
from tests.core.images.samples import corners, encoded

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 60), (40, 60, 210), (230, 210, 40)
PICTURE = np.asarray(corners((12, 8)))


def seen(array: Any) -> Image.Image:
    return decode_image(ImageSource.of(array), background=(0, 0, 0))


@pytest.mark.parametrize(
    "array",
    [
        PICTURE,
        np.dstack([PICTURE, np.full((8, 12), 255, np.uint8)]),
        PICTURE.astype(np.uint16) * 257,
        (PICTURE.astype(np.uint16) * 257).astype(">u2"),
        PICTURE / 255,
        (PICTURE / 255).astype(np.float32),
        (PICTURE / 255).astype(">f4"),
        PICTURE.astype(np.float64),
        PICTURE.astype(np.float32),
        np.asfortranarray(PICTURE),
        np.ascontiguousarray(PICTURE[::-1])[::-1],
        PICTURE[..., ::-1].copy()[..., ::-1],
        np.ma.masked_array(PICTURE),
    ],
    ids=lambda array: f"{array.dtype.str} {array.shape} {array.flags.c_contiguous}",
)
def test_the_same_picture_is_seen_however_its_numbers_are_stored(array: Any) -> None:
    assert seen(array).tobytes() == PICTURE.tobytes()


@pytest.mark.parametrize("shape", [(8, 12), (8, 12, 1)])
@pytest.mark.parametrize(
    ("dtype", "black", "middle", "white"),
    [
        ("uint8", 0, 128, 255),
        ("uint16", 0, 32_896, 65_535),
        ("float32", 0.0, 0.5, 1.0),
        ("float64", 0.0, 128.0, 255.0),
    ],
)
def test_grey_runs_from_black_to_white(
    shape: tuple[int, ...], dtype: str, black: float, middle: float, white: float
) -> None:
    array = np.full(shape, black, dtype)
    array[2:4], array[4:] = middle, white
    picture = seen(array)
    assert [picture.getpixel((0, row)) for row in (0, 2, 5)] == [(0,) * 3, (128,) * 3, (255,) * 3]


def test_true_is_white() -> None:
    array = np.zeros((4, 6), bool)
    array[:, 3:] = True
    assert (seen(array).getpixel((0, 0)), seen(array).getpixel((5, 0))) == ((0, 0, 0), (255, 255, 255))


def test_two_channels_are_grey_and_alpha() -> None:
    array = np.zeros((4, 6, 2), np.uint8)
    array[..., 0], array[:, 3:, 1] = 200, 255
    assert (seen(array).getpixel((0, 0)), seen(array).getpixel((5, 0))) == ((0, 0, 0), (200, 200, 200))


def test_a_dark_picture_of_bytes_in_floats_is_not_taken_for_a_bright_one() -> None:
    assert seen(np.full((4, 4), 3.0)).getpixel((0, 0)) == (3, 3, 3)


def test_a_little_overshoot_is_clipped() -> None:
    array = np.array([[-0.04, 1.05], [0.5, 1.0]])
    assert [seen(array).getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]
    assert seen(array * 255).getpixel((1, 0)) == (255, 255, 255)


def test_later_changes_to_an_array_are_not_seen() -> None:
    array = PICTURE.copy()
    source = ImageSource.of(array)
    array[:] = 0
    assert source == ImageSource.from_array(PICTURE)


def test_equal_arrays_are_the_same_image_and_are_prepared_once() -> None:
    assert ImageSource.of(PICTURE) == ImageSource.of(PICTURE.copy())
    assert ImageSource.of(PICTURE) != ImageSource.of(PICTURE[::-1])
    assert prepare_image(PICTURE) is prepare_image(PICTURE.copy())
    assert prepare_image(PICTURE).original_format == "pixels"
    assert repr(ImageSource.of(PICTURE)).startswith("ImageSource(pixels RGB 12x8, sha256 ")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((3, 9, 9), np.uint8), r"shape 3 x 9 x 9.*channels first.*transpose\(1, 2, 0\)"),
        (np.zeros((1, 9, 9, 3), np.uint8), "shape 1 x 9 x 9 x 3.*one at a time"),
        (np.zeros((9, 9, 5), np.uint8), "shape 9 x 9 x 5"),
        (np.zeros(9, np.uint8), "shape 9:"),
        (np.zeros((), np.uint8), "one number"),
        (np.zeros((0, 9), np.uint8), "shape 0 x 9"),
        (np.zeros((9, 9, 0), np.uint8), "shape 9 x 9 x 0"),
        (np.zeros((9, 9), np.int64), r"<i8.*astype\('uint8'\)"),
        (np.zeros((9, 9), np.float16), "<f2"),
        (np.zeros((9, 9), complex), "<c16"),
        (np.zeros((9, 9), object), r"\|O"),
        (np.zeros((9, 9), [("a", "u1")]), r"\|V1"),
        (np.array([[0.0, 1.0], [0.5, np.nan]]), "not finite"),
        (np.array([[0.0, np.inf]]), "not finite"),
        (np.array([[-2.1, 2.6]]), r"-2\.1 to 2\.6.*normalisation"),
        (np.array([[0.0, 300.0]]), "0 to 300"),
        (np.array([[0.0, 1.5]]), r"0 to 1\.5"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(array: Any, says: str) -> None:
    with pytest.raises(UnreadableImage, match=says):
        ImageSource.of(array)


def test_too_many_pixels_are_refused_before_they_are_copied() -> None:
    with pytest.raises(ImageTooLarge, match="80,000,000"):
        ImageSource.of(np.broadcast_to(np.uint8(7), (10_000, 8_001)))


def test_an_interface_without_numbers_behind_it_is_refused() -> None:
    class Described:
        __array_interface__ = {"shape": (2, 2), "typestr": "|u1", "version": 3}  # noqa: RUF012 - as libraries do

    with pytest.raises(UnreadableImage, match=r"numpy\.asarray"):
        ImageSource.of(Described())


def test_a_pillow_image_and_a_file_are_still_what_they_are() -> None:
    png = encoded(corners(), "PNG")
    assert ImageSource.of(io.BytesIO(png)).data == png
    assert ImageSource.of(corners()) == ImageSource.of(np.asarray(corners()))


@given(
    arrays.arrays(
        st.sampled_from(["uint8", "uint16", "bool", "float32", "float64"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
    )
)
def test_any_array_is_a_picture_of_its_size_or_refused(array: Any) -> None:
    try:
        source = ImageSource.of(array)
    except UnreadableImage:
        return
    assert seen(array).size == (array.shape[1], array.shape[0])
    assert source.sha256 == ImageSource.of(array.copy()).sha256
