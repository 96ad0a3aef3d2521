"""What an answer quotes, framed on the picture."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops

from firellava.errors import UnreadableImage
from firellava.evidence import Corners, Evidence, draw_evidence

PAPER = (240, 240, 240)
QUOTED = Evidence("$49.98", ((0.25, 0.4), (0.75, 0.4), (0.75, 0.6), (0.25, 0.6)))


def changed(before: Image.Image, after: Image.Image) -> tuple[int, int, int, int] | None:
    """The smallest rectangle that holds every pixel that differs."""
    return ImageChops.difference(before, after).getbbox()


def test_the_frame_goes_around_the_quoted_text_and_leaves_it_as_it_is() -> None:
    paper = Image.new("RGB", (400, 200), PAPER)
    drawn = draw_evidence(paper, [QUOTED])
    left, top, right, bottom = changed(paper, drawn) or (0, 0, 0, 0)
    assert 80 < left < 100
    assert 60 < top < 80
    assert 300 < right < 320
    assert 120 < bottom < 140
    inside = (102, 82, 298, 118)
    assert changed(paper.crop(inside), drawn.crop(inside)) is None


@pytest.mark.parametrize(
    "colour", [(224, 0, 140), (255, 255, 255), (0, 0, 0)], ids=["its own", "white", "black"]
)
def test_the_frame_shows_on_any_paper(colour: tuple[int, int, int]) -> None:
    paper = Image.new("RGB", (400, 200), colour)
    assert changed(paper, draw_evidence(paper, [QUOTED])) is not None


def test_frames_side_by_side_are_both_whole() -> None:
    paper = Image.new("RGB", (400, 200), PAPER)
    below: Corners = ((0.25, 0.6), (0.75, 0.6), (0.75, 0.8), (0.25, 0.8))
    alone = draw_evidence(paper, [QUOTED])
    both = draw_evidence(paper, [QUOTED, Evidence("", below)])
    line = {place for place in ((x, 121) for x in range(400)) if alone.getpixel(place) == (224, 0, 140)}
    assert line
    assert all(both.getpixel(place) == (224, 0, 140) for place in line)


def test_the_picture_given_is_not_drawn_on() -> None:
    paper = Image.new("RGB", (400, 200), PAPER)
    draw_evidence(paper, [QUOTED])
    assert paper.getcolors() == [(400 * 200, PAPER)]


def test_only_what_is_quoted_from_this_image_is_framed() -> None:
    paper = Image.new("RGB", (400, 200), PAPER)
    assert changed(paper, draw_evidence(paper, [QUOTED], image=1)) is None
    second = Evidence(QUOTED.text, QUOTED.corners, image=1)
    assert changed(paper, draw_evidence(paper, [second], image=1)) is not None


def test_the_frame_stands_on_the_upright_picture_in_its_own_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: the pixels are to be turned by a quarter
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (3000, 2400), PAPER).save(path, exif=exif)
    drawn = draw_evidence(path, [QUOTED])
    assert drawn.size == (2400, 3000)
    left, top, right, bottom = changed(Image.new("RGB", drawn.size, PAPER), drawn) or (0, 0, 0, 0)
    assert 550 < left < 600
    assert 1800 < right < 1850
    assert 1150 < top < 1200
    assert 1800 < bottom < 1850


def test_slanted_text_gets_a_slanted_frame() -> None:
    slanted: Corners = ((0.2, 0.3), (0.8, 0.5), (0.77, 0.6), (0.17, 0.4))
    drawn = draw_evidence(Image.new("RGB", (400, 400), PAPER), [Evidence("up", slanted)])
    assert drawn.getpixel((315, 130)) == PAPER  # right above the text's end, which has gone down
    assert drawn.getpixel((85, 235)) == PAPER  # below its start


fraction = st.floats(0, 1)
point = st.tuples(fraction, fraction)


@given(st.tuples(point, point, point, point))
def test_any_corners_can_be_drawn(corners: Corners) -> None:
    assert draw_evidence(Image.new("RGB", (60, 40)), [Evidence("", corners)]).size == (60, 40)


def test_its_metadata_is_plain_json() -> None:
    told = json.loads(json.dumps(Evidence("Tot", ((1 / 3, 0), (1, 0), (1, 1), (0, 1)), image=2).metadata()))
    assert told == {"image": 2, "text": "Tot", "corners": [[0.3333, 0], [1, 0], [1, 1], [0, 1]]}


def test_a_url_is_not_downloaded() -> None:
    with pytest.raises(UnreadableImage, match="nothing is downloaded here"):
        draw_evidence("https://example.com/receipt.jpg", [QUOTED])


def test_encoded_bytes_are_taken_as_everywhere() -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 20)).save(file, "PNG")
    assert draw_evidence(file.getvalue(), [QUOTED]).size == (40, 20)
