"""Pages of PDF documents: drawn at the size that is wanted, one thread at a time, and nothing of them run."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

from firellava.errors import (
    ImageError,
    ImageTooLarge,
    InvalidRequest,
    MissingExtra,
    UnreadableImage,
    UnsupportedFormat,
)
from firellava.images import ImageSource, decode_image, describe_metadata, inline_image, pdf, prepare_image
from firellava.images.decode import open_image
from firellava.models import ImageTarget, ModelCard
from tests.core.images.documents import COLOURED, document, pages, stream, text
from tests.core.images.samples import decoded
from tests.core.images.test_cache import exit_status

pytestmark = pytest.mark.engine("pdf")

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
CLIP_MEAN = (122, 116, 104)


def contain(side: int) -> ModelCard:
    return ModelCard(name="any", image_target=ImageTarget(fit="contain", side=side))


def seen(data: bytes, page: int = 1, **options: Any) -> Image.Image:
    return decode_image(ImageSource.from_bytes(data).on_page(page), **options)


def test_a_page_is_drawn_with_exactly_the_pixels_the_model_wants() -> None:
    prepared = prepare_image(pages(COLOURED))
    picture = decoded(prepared.data).convert("RGB")
    assert picture.size == (336, 336)
    assert [picture.getpixel(point) for point in ((168, 100), (168, 250), (5, 168))] == [RED, BLUE, CLIP_MEAN]
    assert (prepared.original_format, prepared.original_size) == ("PDF", (1111, 2777))
    assert prepared.adjustments == (
        "drawn at 134x336 pixels, 24 dpi and padded to 336x336",
        "converted from PDF",
    )


def test_it_is_drawn_anew_for_every_size_and_not_scaled() -> None:
    # A hair line stays one sharp line; scaled down from the page's own size it would be a grey smear.
    data = pages(b"0 g 0 499 400 2 re f", box=b"0 0 400 1000")
    for side in (500, 1000):
        picture = decoded(prepare_image(data, contain(side)).data).convert("L")
        assert picture.height == side
        column = [picture.getpixel((10, y)) for y in range(side)]
        assert min(int(str(value)) for value in column) == 0
        assert sum(value != 255 for value in column) <= side // 250


def test_without_a_size_it_is_as_large_as_scanned_at_200_dpi() -> None:
    assert seen(pages(COLOURED, box=b"0 0 595.276 841.89")).size == (1653, 2338)
    assert prepare_image(pages(COLOURED, box=b"0 0 72 144"), contain(1000)).height == 400
    assert seen(pages(COLOURED), max_side=500).size == (200, 500)


def test_a_part_is_drawn_as_sharp_as_a_page() -> None:
    source = ImageSource.from_bytes(pages(COLOURED)).cropped(0, 0, 0.5, 0.2)
    prepared = prepare_image(source, contain(900))
    picture = decoded(prepared.data).convert("RGB")
    # 200 of 400 points across and down: a green square half as wide in the corner, red around it.
    assert picture.size == (556, 555)
    assert picture.getpixel((270, 270)) == GREEN
    assert [picture.getpixel(point) for point in ((285, 270), (270, 285), (550, 550))] == [RED] * 3
    tiny = ImageSource.from_bytes(pages(COLOURED)).cropped(0.2499, 0.1, 0.2501, 0.1001)
    assert decoded(prepare_image(tiny).data).size == (336, 336)


@pytest.mark.parametrize(
    ("region", "colour"),
    [((0, 0, 0.25, 0.1), GREEN), ((0.5, 0, 1, 0.4), RED), ((0, 0.5, 1, 1), BLUE), ((0.7, 0.9, 0.8, 1), BLUE)],
)
def test_a_part_is_the_part_that_is_meant(region: Any, colour: tuple[int, int, int]) -> None:
    source = ImageSource.from_bytes(pages(COLOURED)).cropped(*region)
    assert ImageStat.Stat(decode_image(source, max_side=60)).extrema == [(part, part) for part in colour]
    with_page_turned = ImageSource.from_bytes(pages(COLOURED, entries=b"/Rotate 180")).cropped(0, 0, 1, 0.5)
    assert decode_image(with_page_turned, max_side=60).getpixel((30, 30)) == BLUE


def test_turned_pages_and_cut_pages_are_as_a_viewer_shows_them() -> None:
    turned = seen(pages(COLOURED, entries=b"/Rotate 90"), max_side=100)
    assert turned.size == (100, 40)
    assert [turned.getpixel(point) for point in ((95, 5), (75, 20), (20, 20))] == [GREEN, RED, BLUE]
    cut = seen(pages(COLOURED, entries=b"/CropBox[0 0 400 400]"), max_side=100)
    assert cut.size == (100, 100)
    assert ImageStat.Stat(cut).extrema == [(0, 0), (0, 0), (255, 255)]


def test_every_page_is_an_image_of_its_own() -> None:
    data = pages(COLOURED, text(b"two"), b"0 1 0 rg 0 0 400 1000 re f")
    found = ImageSource.pages(data)
    assert [source.page for source in found] == [1, 2, 3]
    assert decode_image(found[2]).getpixel((5, 5)) == GREEN
    assert len({prepare_image(source).data for source in found}) == 3
    assert len({source.sha256 for source in found}) == 3
    assert prepare_image(found[0]).adjustments[0] == "first of several frames or pages taken"
    assert prepare_image(found[2]).adjustments[0] == "page 3 taken"


def test_a_page_that_is_not_there_is_named() -> None:
    data = pages(COLOURED, COLOURED)
    with pytest.raises(UnreadableImage, match=r"has no page 3: it has 2 pages"):
        ImageSource.pages(data, [1, 3])
    with pytest.raises(UnreadableImage, match=r"has no page 3: it has 2 pages"):
        prepare_image(ImageSource.of(data).on_page(3))
    with pytest.raises(InvalidRequest, match="count from 1"):
        ImageSource.pages(data, [0])


def test_a_page_inside_a_message_is_a_picture_of_it() -> None:
    inline = inline_image(pages(text(b"An invoice"), box=b"0 0 595 842"))
    assert (inline.format, inline.height) == ("PNG", 2048)
    assert decoded(inline.data).info == {}


def test_a_document_tells_nothing_about_itself() -> None:
    data = document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
            b"<</Author(SECRET-OF-THE-OWNER)>>",
        ],
        b"/Info 4 0 R",
    )
    assert describe_metadata(ImageSource.of(data), ["Artist", "DateTime"]) is None
    assert b"SECRET" not in prepare_image(data).data


WIDGET = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(x)/V(Paid)/Rect[0 0 400 300]/F 4%b>>"
SHOWN = stream(b"0 1 0 rg 0 0 400 300 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 400 300]")


def with_annotation(annotation: bytes, catalogue: bytes = b"/AcroForm<</Fields[4 0 R]>>") -> bytes:
    return pages(COLOURED, entries=b"/Annots[4 0 R]", catalogue=catalogue, more=[annotation, SHOWN])


def test_what_was_filled_into_a_form_is_seen() -> None:
    assert seen(with_annotation(WIDGET % b"/AP<</N 5 0 R>>"), max_side=100).getpixel((20, 85)) == GREEN
    typed = WIDGET % b"/DA(/F1 200 Tf 1 g)"
    form = b"/AcroForm<</Fields[4 0 R]/DR<</Font<</F1 3 0 R>>>>>>"
    colours = seen(with_annotation(typed, form), max_side=300).crop((0, 215, 120, 295)).getcolors(9999)
    assert colours is not None
    assert WHITE in {colour for _, colour in colours}


def test_stamps_are_seen_and_hidden_notes_are_not() -> None:
    stamp = b"<</Type/Annot/Subtype/Stamp/Rect[0 0 400 300]/F %d/AP<</N 5 0 R>>>>"
    assert seen(with_annotation(stamp % 4, b""), max_side=100).getpixel((20, 85)) == GREEN
    assert seen(with_annotation(stamp % 2, b""), max_side=100).getpixel((20, 85)) == BLUE


def test_scripts_do_not_run() -> None:
    script = b"/S/JavaScript/JS(this.getField('x').value = 'changed'; app.alert('x'); while (true) {})"
    data = with_annotation(
        WIDGET % (b"/AP<</N 5 0 R>>/AA<</C<<%b>>/F<<%b>>>>" % (script, script)),
        b"/AcroForm<</Fields[4 0 R]/CO[4 0 R]>>/OpenAction<<%b>>" % script,
    )
    assert seen(data, max_side=100).getpixel((20, 85)) == GREEN


ENCRYPTED = document(
    [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<%b>/U<%b>>>" % (b"ab" * 32, b"cd" * 32),
    ],
    b"/Encrypt 4 0 R/ID[<00><00>]",
)
KIDS = b"<</Type/Catalog/Pages 2 0 R>>"

BAD = {
    "header alone": (b"%PDF-1.7\n", UnreadableImage, "damaged, or has no pages"),
    "cut short": (pages(COLOURED)[:200], UnreadableImage, "damaged, or has no pages"),
    "noise": (b"%PDF-1.7\n" + bytes(range(256)) * 40, UnreadableImage, "damaged, or has no pages"),
    "no pages": (document([KIDS, b"<</Type/Pages/Kids[]/Count 0>>"]), UnreadableImage, "has no pages"),
    "a page that is missing": (
        document([KIDS, b"<</Type/Pages/Kids[9 0 R]/Count 1>>"]),
        UnreadableImage,
        "does not decode as PDF",
    ),
    "pages that contain themselves": (
        document([KIDS, b"<</Type/Pages/Kids[2 0 R]/Count 5>>"]),
        UnreadableImage,
        "does not decode as PDF",
    ),
    "a password": (ENCRYPTED, UnsupportedFormat, "protected by a password: save a copy"),
}


@pytest.mark.parametrize(("data", "error", "says"), BAD.values(), ids=BAD.keys())
def test_a_document_that_cannot_be_opened_is_an_error_that_says_why(
    data: bytes, error: type[ImageError], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        prepare_image(data)
    assert type(caught.value) is error


@pytest.mark.parametrize("end", range(0, len(pages(COLOURED)), 37))
def test_wherever_it_is_cut_it_is_a_page_or_an_error_of_ours(end: int) -> None:
    data = pages(COLOURED)
    try:
        assert decoded(prepare_image(b"%PDF-" + data[5:end]).data).size == (336, 336)
    except ImageError:
        return


@pytest.mark.parametrize(
    "box",
    [
        b"0 0 1000000 1000000",
        b"0 0 1000000000 1",
        b"0 0 1 1000000000",
        b"0 0 0.001 0.001",
        b"0 0 0 0",
        b"10 10 -500 -700",
        b"-100000 -100000 100000 100000",
        b"nan 0 1 1",
        b"0 0 99999999999999999999999 1",
    ],
)
def test_no_size_of_a_page_does_harm(box: bytes) -> None:
    data = pages(COLOURED, box=box)
    assert decoded(prepare_image(data).data).size == (336, 336)
    width, height = open_image(ImageSource.of(data)).size
    assert 1 <= width <= 30_000
    assert 1 <= height <= 30_000
    assert width * height <= 80_000_000


def test_a_page_that_would_be_drawn_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pages(b"0 0 m 10 900 200 30 400 7 c S " * 5_000)
    assert seen(data, max_side=50).size == (20, 50)
    monkeypatch.setattr(pdf, "MAX_SECONDS", 0)
    with pytest.raises(ImageTooLarge, match="more than 0 seconds to draw"):
        prepare_image(data)
    monkeypatch.undo()
    assert seen(data, max_side=50).size == (20, 50)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_does_not_wait_for_a_page_its_parent_draws() -> None:
    data = pages(COLOURED)
    with pdf._renderer.lock:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if seen(data, max_side=50).size == (20, 50) else 1)
            finally:
                os._exit(1)
    assert exit_status(child) == 0


def test_many_threads_draw_the_same() -> None:
    data = pages(*(text(b"page %d" % number) for number in range(6)))
    sources = ImageSource.pages(data)
    expected = [decode_image(source, max_side=200).tobytes() for source in sources]
    wrong: list[int] = []

    def work(offset: int) -> None:
        for step in range(12):
            number = (step + offset) % 6
            if decode_image(sources[number], max_side=200).tobytes() != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_nothing_is_left_open() -> None:
    program = """
import pypdfium2, threading
from pypdfium2.internal import bases
from firellava.images import ImageSource, prepare_image
from tests.core.images.documents import COLOURED, pages
from tests.core.images.test_pdf import BAD, WIDGET, with_annotation
for data in (pages(COLOURED, COLOURED), with_annotation(WIDGET % b""), *(row[0] for row in BAD.values())):
    try:
        for source in ImageSource.pages(data):
            prepare_image(source)
    except ValueError:
        pass
assert not [wref for wrefs in bases.ObjectTracker.values() for wref in wrefs]
"""
    root = Path(__file__).parents[3]
    result = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    for ask in (prepare_image, ImageSource.pages):
        with pytest.raises(MissingExtra, match=r'PDF.*pip install "firellava\[pdf\]"'):
            ask(pages(b"0 g"))
