"""Print that became too small to read is noticed by the distance of its lines; nothing else looks like it."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from firellava.images import prepare_image
from firellava.images.legibility import LEGIBLE_PITCH, unreadable_lines
from tests.core.images.photograph import procedural_photograph
from tests.core.images.printed_pages import A4_AT_200_DPI, Layout, printed_page

COOKBOOK = Path(__file__).parents[3] / "cookbook" / "images"
TO_336 = A4_AT_200_DPI[1] / 336


def bricks(size: tuple[int, int] = (1600, 1200)) -> Image.Image:
    wall = Image.new("RGB", size, (205, 200, 190))
    draw = ImageDraw.Draw(wall)
    for row, top in enumerate(range(0, size[1], 40)):
        for left in range(-60 * (row % 2), size[0], 120):
            draw.rectangle((left + 3, top + 3, left + 116, top + 36), (150, 70 + row % 3 * 9, 55))
    return wall


def blinds() -> Image.Image:
    picture = procedural_photograph((1600, 1200), seed=3)
    draw = ImageDraw.Draw(picture)
    for top in range(0, 1200, 22):
        draw.rectangle((0, top, 1600, top + 11), (235, 232, 225))
    return picture


def noise() -> Image.Image:
    return Image.frombytes("L", (1200, 1200), random.Random(0).randbytes(1_440_000))  # noqa: S311 - no secret


def foliage() -> Image.Image:
    return noise().filter(ImageFilter.GaussianBlur(5)).point(lambda value: 255 * (value > 127))


@pytest.mark.parametrize("layout", ["full", "two columns", "half"])
@pytest.mark.parametrize("pitch", [3, 4, 5, 6])
def test_the_distance_of_lines_too_small_to_read_is_measured(layout: Layout, pitch: float) -> None:
    page, _ = printed_page(pitch * TO_336, layout)
    found = prepare_image(page).unreadable_lines
    assert found == pytest.approx(pitch, rel=0.06)


@pytest.mark.parametrize("pitch", [7.5, 9, 12, 20])
def test_print_that_is_large_enough_is_no_matter(pitch: float) -> None:
    page, _ = printed_page(pitch * TO_336)
    assert prepare_image(page).unreadable_lines is None


@pytest.mark.parametrize("seed", range(4))
def test_rows_at_uneven_distances_are_no_text(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    picture = Image.new("L", (336, 336), 255)
    detail = noise().resize((336, 336))
    top = 0
    while top < 336:
        rows = chance.randint(1, 4)
        picture.paste(detail.crop((0, top, 336, top + rows)), (0, top))
        top += rows + chance.randint(1, 4)
    assert unreadable_lines(picture) is None


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_it_does_not_depend_on_how_the_page_is_stored(tmp_path: Path, image_format: str) -> None:
    page, _ = printed_page(5 * TO_336)
    path = tmp_path / "page"
    page.convert("RGB").save(path, image_format)
    assert prepare_image(path).note_on_text == "lines of text are about 5 pixels apart, too small to read"


def test_a_page_that_keeps_its_size_was_made_no_worse() -> None:
    page, _ = printed_page(6, size=(500, 700))
    assert unreadable_lines(page) is not None
    for fit in ("contain", "none"):
        assert prepare_image(page, "kimi-k3", fit=fit).unreadable_lines is None


@pytest.mark.parametrize("picture", [bricks, blinds, noise, foliage], ids=lambda draw: draw.__name__)
def test_textures_are_no_text(picture: Callable[[], Image.Image]) -> None:
    for side in (336, 500):
        small = picture().copy()
        small.thumbnail((side, side))
        assert unreadable_lines(small) is None


@pytest.mark.parametrize("seed", range(6))
def test_photographs_are_no_text(seed: int) -> None:
    assert prepare_image(procedural_photograph((1600, 1200), seed=seed)).unreadable_lines is None


@pytest.mark.parametrize("name", ["photograph.jpg", "sign.jpg", "chart.png"])
def test_pictures_with_little_or_large_text_are_no_matter(name: str) -> None:
    assert prepare_image(COOKBOOK / name).unreadable_lines is None


@pytest.mark.parametrize("size", [(1, 1), (336, 1), (1, 336), (30, 20), (336, 23), (55, 47)])
def test_small_pictures_hold_no_lines(size: tuple[int, int]) -> None:
    assert unreadable_lines(Image.new("RGB", size)) is None


def test_the_distance_that_can_be_read_is_stated_for_print() -> None:
    assert 6 < LEGIBLE_PITCH < 7
