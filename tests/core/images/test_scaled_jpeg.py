import io

import pytest
from PIL import Image, ImageChops, ImageStat, features

from firellava.images.scaled_jpeg import ScaledJpegFile
from tests.core.images.photograph import camera_jpeg, procedural_photograph
from tests.core.images.samples import encoded

pytestmark = pytest.mark.skipif(
    not features.check_feature("libjpeg_turbo"), reason="another libjpeg knows halves only"
)

PICTURE = procedural_photograph((801, 601))


@pytest.mark.parametrize(
    ("wanted", "drafted"),
    [
        ((801, 601), (801, 601)),
        ((400, 300), (401, 301)),
        ((301, 225), (401, 301)),
        ((300, 226), (401, 301)),
        ((300, 225), (301, 226)),
        ((201, 150), (301, 226)),
        ((200, 150), (201, 151)),
        ((100, 75), (101, 76)),
    ],
)
def test_a_jpeg_is_decoded_to_the_least_size_that_covers_what_is_wanted(
    wanted: tuple[int, int], drafted: tuple[int, int]
) -> None:
    image = ScaledJpegFile(io.BytesIO(camera_jpeg(PICTURE)))
    image.draft(None, wanted)
    image.load()
    assert image.size == drafted


@pytest.mark.parametrize("kind", ["colour", "grey", "progressive", "whole chroma", "four inks"])
def test_three_eighths_show_the_picture_where_the_box_says_it_is(kind: str) -> None:
    picture = {"grey": PICTURE.convert("L"), "four inks": PICTURE.convert("CMYK")}.get(kind, PICTURE)
    subsampling = 0 if kind == "whole chroma" else 2
    data = encoded(picture, "JPEG", quality=95, progressive=kind == "progressive", subsampling=subsampling)
    image = ScaledJpegFile(io.BytesIO(data))
    drafted = image.draft(None, (300, 225))
    assert drafted is not None
    assert drafted[1] == (0, 0, 801 * 3 / 8, 601 * 3 / 8)
    small = image.resize((200, 150), Image.Resampling.LANCZOS, drafted[1]).convert("RGB")
    reference = Image.open(io.BytesIO(data)).resize((200, 150), Image.Resampling.LANCZOS).convert("RGB")
    assert max(ImageStat.Stat(ImageChops.difference(small, reference)).mean) < 1.5


def test_what_is_drafted_once_stays_so() -> None:
    image = ScaledJpegFile(io.BytesIO(camera_jpeg(PICTURE)))
    image.draft(None, (300, 225))
    assert image.draft(None, (100, 75)) is None
    assert image.size == (301, 226)
