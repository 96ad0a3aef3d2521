"""One file standing for several pictures: its pages, and parts of them."""

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from firellava.errors import ForbiddenPath, ImageTooLarge, InvalidRequest, UnreadableImage, UnsupportedFormat
from firellava.images import ImageSource, decode_image, describe_metadata, inline_image, prepare_image
from firellava.images.decode import open_image
from firellava.images.pages import MAX_PAGES
from firellava.images.regions import pixel_box, stored_box
from firellava.models import ImageTarget, ModelCard
from tests.core.images.photograph import procedural_photograph, psnr
from tests.core.images.samples import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    corners,
    decoded,
    described,
    encoded,
    exif_with_gps,
)
from tests.core.images.test_clean_output import ORIENTATIONS, STORED

SIDE_100 = ModelCard(name="small", image_target=ImageTarget(fit="contain", side=100))
SIZES = [(120, 80), (60, 90), (30, 30)]


def tiff(*colours: tuple[int, int, int], sizes: Any = SIZES) -> bytes:
    frames = [Image.new("RGB", size, colour) for colour, size in zip(colours, sizes, strict=False)]
    return encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])


SCAN = tiff(RED, GREEN, BLUE)


def colour(source: ImageSource) -> Any:
    return decode_image(source).getpixel((5, 5))


def test_every_page_of_a_tiff_is_an_image_of_its_own() -> None:
    pages = ImageSource.pages(SCAN)
    assert [page.page for page in pages] == [1, 2, 3]
    assert [colour(page) for page in pages] == [RED, GREEN, BLUE]
    assert [prepare_image(page).original_size for page in pages] == SIZES
    assert all(page.data is pages[0].data for page in pages)


@pytest.mark.parametrize(
    "options", [{"big_tiff": True}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}]
)
def test_every_kind_of_tiff_has_its_pages_counted(options: dict[str, Any]) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:], **options)
    middles = [colour(page) for page in ImageSource.pages(data)]
    assert len(middles) == 3
    assert all(
        abs(a - b) < 4
        for seen, meant in zip(middles, (RED, GREEN, BLUE), strict=True)
        for a, b in zip(seen, meant, strict=True)
    )


def test_a_damaged_page_costs_no_other() -> None:
    data = bytearray(SCAN)
    at = data.find(struct.pack("<HHIH", 0x100, 4, 1, 60))  # the width of the second page
    assert at > 0
    data[at + 8 : at + 12] = bytes(4)
    pages = ImageSource.pages(bytes(data))
    assert [colour(pages[0]), colour(pages[2])] == [RED, BLUE]
    with pytest.raises(UnreadableImage):
        prepare_image(pages[1])


def test_directories_that_lead_back_are_counted_once() -> None:
    data = bytearray(SCAN)
    places = [struct.unpack_from("<I", data, 4)[0]]
    for _ in range(2):
        (entries,) = struct.unpack_from("<H", data, places[-1])
        places.append(struct.unpack_from("<I", data, places[-1] + 2 + 12 * entries)[0])
    (entries,) = struct.unpack_from("<H", data, places[2])
    struct.pack_into("<I", data, places[2] + 2 + 12 * entries, places[0])
    assert [colour(page) for page in ImageSource.pages(bytes(data))] == [RED, GREEN, BLUE]


def test_pages_count_from_one_and_come_in_the_order_wanted() -> None:
    assert [colour(page) for page in ImageSource.pages(SCAN, [3, 1, 3])] == [BLUE, RED, BLUE]
    assert [colour(page) for page in ImageSource.pages(SCAN, range(2, 4))] == [GREEN, BLUE]
    assert ImageSource.pages(SCAN, np.array([2])) == (ImageSource.of(SCAN).on_page(2),)
    assert ImageSource.pages(SCAN, []) == ()


@pytest.mark.parametrize("page", [0, -1, 1.5, "2", None])
def test_what_is_no_number_of_a_page_is_refused(page: Any) -> None:
    with pytest.raises(InvalidRequest, match="count from 1"):
        ImageSource.pages(SCAN, [1, page])
    with pytest.raises(InvalidRequest, match="count from 1"):
        ImageSource.of(SCAN).on_page(page)


def test_a_page_that_is_not_there_is_named() -> None:
    with pytest.raises(UnreadableImage, match=r"no page 4: it has 3 pages"):
        ImageSource.pages(SCAN, [4])
    with pytest.raises(UnreadableImage, match=r"no page 4: it has 3 pages"):
        prepare_image(ImageSource.of(SCAN).on_page(4))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP"])
def test_other_formats_have_one_page(image_format: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]
    options = (
        {"save_all": True, "append_images": frames[1:]} if image_format in ("PNG", "GIF", "WEBP") else {}
    )
    data = encoded(frames[0], image_format, **options)
    assert ImageSource.pages(data) == (ImageSource.of(data),)
    with pytest.raises(UnreadableImage, match="no page 2: it has 1 page"):
        prepare_image(ImageSource.of(data).on_page(2))


def test_pixels_have_one_page() -> None:
    for value in (corners(), np.asarray(corners())):
        assert ImageSource.pages(value) == (ImageSource.of(corners()),)
        with pytest.raises(UnreadableImage, match="no page 2: it has 1 page"):
            prepare_image(ImageSource.of(value).on_page(2))


def test_a_file_is_read_to_count_its_pages_and_only_inside_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "scan.tiff"
    path.write_bytes(SCAN)
    pages = ImageSource.pages(path, image_roots=[tmp_path])
    assert (len(pages), pages[1].kind, pages[1].name) == (3, "bytes", repr(str(path)))
    with pytest.raises(ForbiddenPath):
        ImageSource.pages(path, image_roots=[tmp_path / "elsewhere"])
    later = ImageSource.from_path(path).on_page(2)
    assert (later.kind, later.sha256) == ("path", None)
    assert later.load() == pages[1]


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"Dear Sir", UnsupportedFormat), (SCAN[:8], UnreadableImage), (b"II*\x00", UnreadableImage)],
)
def test_what_cannot_be_opened_has_no_pages(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        ImageSource.pages(data)


def test_a_file_of_endless_pages_is_refused() -> None:
    count = MAX_PAGES + 10
    entry = struct.pack("<HHII", 0x100, 3, 1, 8) + struct.pack("<HHII", 0x101, 3, 1, 8)
    directories = b"".join(
        struct.pack("<H", 2) + entry + struct.pack("<I", 8 + 30 * (number + 1)) for number in range(count)
    )
    with pytest.raises(ImageTooLarge, match="10,000 pages"):
        ImageSource.pages(b"II*\x00" + struct.pack("<I", 8) + directories)


def test_the_pages_of_a_url_are_not_downloaded() -> None:
    url = ImageSource.from_url("https://example.com/a.pdf?token=hunter2")
    for ask in (
        lambda: ImageSource.pages(url),
        lambda: url.on_page(2),
        lambda: url.cropped(0, 0, 0.5, 1),
    ):
        with pytest.raises(UnreadableImage, match=r"https://example\.com/a\.pdf is a URL") as caught:
            ask()
        assert "hunter2" not in str(caught.value)
    assert url.on_page(1) is url
    assert url.cropped(0, 0, 1, 1) is url


def test_a_page_of_a_tiff_is_told_about_with_its_own_tags() -> None:
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)]
    frames[1].encoderinfo = {"tiffinfo": {0x0110: "Model 2"}}
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:], tiffinfo={0x0110: "Model 1"})
    told = [describe_metadata(source, ["Model"]) for source in ImageSource.pages(data)]
    assert told == ["Image metadata: Model: Model 1", "Image metadata: Model: Model 2"]


def test_page_and_part_are_what_an_image_is() -> None:
    whole = ImageSource.of(SCAN)
    others = [whole.on_page(2), whole.cropped(0, 0, 0.5, 1), whole.on_page(2).cropped(0, 0, 0.5, 1)]
    assert len({whole, *others}) == len({source.sha256 for source in (whole, *others)}) == 4
    for source in others:
        assert source == pickle.loads(pickle.dumps(source))  # noqa: S301 - our own pickle
        assert prepare_image(source) is not prepare_image(whole)
        assert (
            prepare_image(source) is prepare_image(ImageSource.of(SCAN).on_page(source.page)) or source.region
        )
    assert whole.on_page(2).on_page(1) == whole
    digest = (others[2].sha256 or "")[:12]
    assert repr(others[2]) == (
        f"ImageSource(bytes {len(SCAN):,} bytes, sha256 {digest}, page 2, part 0 to 0.5 across, 0 to 1 down)"
    )
    assert repr(ImageSource.from_path("a.pdf").on_page(3)) == "ImageSource(path 'a.pdf', page 3)"


def test_many_pages_pickle_as_one_file() -> None:
    pages = ImageSource.pages(SCAN)
    assert len(pickle.dumps(pages)) < 1.5 * len(SCAN)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ((0, 0, 0.5, 0.5), RED),
        ((0.5, 0, 1, 0.5), GREEN),
        ((0, 0.5, 0.5, 1), BLUE),
        ((0.5, 0.5, 1, 1), YELLOW),
    ],
)
def test_a_part_is_cut_out(image_format: str, region: Any, expected: tuple[int, int, int]) -> None:
    source = ImageSource.of(encoded(corners((240, 160)), image_format)).cropped(*region)
    prepared = prepare_image(source, SIDE_100)
    assert (prepared.width, prepared.height) == (100, 67)
    assert prepared.original_size == (120, 80)
    assert prepared.adjustments[:2] == (
        "a part of 120x80 cut out of 240x160",
        "scaled from 120x80 to 100x67",
    )
    for picture in (decoded(prepared.data), decode_image(source), decoded(inline_image(source).data)):
        flat = picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
        assert all(abs(a - b) < 6 for a, b in zip(flat, expected, strict=True))  # type: ignore[arg-type]  # mode RGB


def test_a_part_of_a_part_is_a_fraction_of_that_part() -> None:
    source = ImageSource.of(corners((200, 200))).cropped(0.5, 0, 1, 1).cropped(0, 0.5, 0.5, 1)
    assert source.region == (0.5, 0.5, 0.75, 1.0)
    assert open_image(source).size == (50, 100)
    assert colour(source) == YELLOW


def test_the_parts_of_a_picture_without_loss_are_its_very_pixels() -> None:
    photograph = procedural_photograph((301, 199))
    for image_format in ("PNG", "TIFF", "BMP"):
        whole = Image.new("RGB", photograph.size)
        for column in range(3):
            for row in range(2):
                part = ImageSource.of(encoded(photograph, image_format)).cropped(
                    column / 3, row / 2, (column + 1) / 3, (row + 1) / 2
                )
                left, top, _, _ = pixel_box(part.region, photograph.size)
                inlined = decoded(inline_image(part).data).convert("RGB")
                assert ImageChops.difference(inlined, decode_image(part)).getbbox() is None
                whole.paste(inlined, (left, top))
        assert ImageChops.difference(whole, photograph).getbbox() is None


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_part_is_meant_of_the_upright_picture(orientation: int, image_format: str) -> None:
    upright = procedural_photograph((450, 300))
    lying = STORED[orientation](upright)
    data = encoded(lying, image_format, exif=exif_with_gps(orientation), quality=95)
    source = ImageSource.of(data).cropped(0.1, 0.2, 0.7, 0.5)
    expected = upright.crop((45, 60, 315, 150))
    assert open_image(source).size == expected.size
    assert psnr(decode_image(source), expected) > 35
    assert psnr(decode_image(source, max_side=90), expected.resize((90, 30), Image.Resampling.LANCZOS)) > 33
    assert psnr(decoded(inline_image(source).data).convert("RGB"), expected) > 33


def test_nothing_of_the_rest_stays_with_a_part() -> None:
    # Cutting metadata out of a JPEG without decoding it would keep the pixels around the part.
    data = described(procedural_photograph((640, 480)), "JPEG")
    inlined = inline_image(ImageSource.of(data).cropped(0, 0, 0.25, 0.25))
    assert decoded(inlined.data).size == (160, 120)


def test_scaled_decoding_of_a_part_is_as_good_as_of_the_whole() -> None:
    photograph = procedural_photograph((2001, 1499))
    source = ImageSource.of(encoded(photograph, "JPEG", quality=95))
    part = decode_image(source.cropped(0.25, 0.25, 0.75, 0.75), max_side=200)
    expected = photograph.crop((500, 375, 1501, 1124)).resize(part.size, Image.Resampling.LANCZOS)
    assert psnr(part, expected) > 36


@pytest.mark.parametrize(
    "region",
    [
        (0, 0, 0, 1),
        (0.5, 0, 0.5, 1),
        (0.6, 0, 0.5, 1),
        (-0.1, 0, 1, 1),
        (0, 0, 1, 1.1),
        (0, float("nan"), 1, 1),
    ],
)
def test_what_is_no_part_is_refused(region: Any) -> None:
    with pytest.raises(InvalidRequest, match="fractions from 0 to 1"):
        ImageSource.of(corners()).cropped(*region)


FRACTIONS = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[0] < pair[1])
SIDES = st.integers(1, 5000)


@given(across=FRACTIONS, down=FRACTIONS, width=SIDES, height=SIDES)
def test_a_part_has_at_least_a_pixel_and_lies_within_the_picture(
    across: list[float], down: list[float], width: int, height: int
) -> None:
    left, top, right, bottom = pixel_box((across[0], down[0], across[1], down[1]), (width, height))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert abs((right - left) - (across[1] - across[0]) * width) <= 1
    assert abs((bottom - top) - (down[1] - down[0]) * height) <= 1


@given(columns=st.integers(1, 9), width=SIDES.filter(lambda side: side >= 9))
def test_parts_side_by_side_leave_no_pixel_out_and_none_twice(columns: int, width: int) -> None:
    edges = [pixel_box((n / columns, 0, (n + 1) / columns, 1), (width, 1))[::2] for n in range(columns)]
    assert [edge[0] for edge in edges] == [0, *(edge[1] for edge in edges[:-1])]
    assert edges[-1][1] == width


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_where_a_part_is_stored_follows_the_orientation(orientation: int) -> None:
    upright = Image.new("L", (7, 5))
    upright.paste(255, (1, 2, 5, 3))
    lying = STORED[orientation](upright)
    assert stored_box((1, 2, 5, 3), upright.size, orientation) == lying.getbbox()


def test_an_open_file_gives_pages_as_bytes_do() -> None:
    assert ImageSource.pages(io.BytesIO(SCAN)) == ImageSource.pages(SCAN)
