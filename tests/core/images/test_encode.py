import pytest
from PIL import Image

from firellava.images import encode as module
from firellava.images.encode import encode, looks_drawn
from tests.core.images.photograph import procedural_photograph
from tests.core.images.samples import corners

PHOTOGRAPH = procedural_photograph((320, 240))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_png_is_not_even_tried_for_photographs(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, "encode_png")
    assert encode(PHOTOGRAPH.convert(mode), ("JPEG", "PNG"))[1] == "JPEG"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_small_drawing_becomes_png(mode: str) -> None:
    assert encode(corners().convert(mode), ("JPEG", "PNG"))[1] == "PNG"


@pytest.mark.parametrize(("rare", "drawn"), [(0, True), (930, True), (945, False), (9000, False)])
def test_a_picture_is_drawn_where_a_few_colours_cover_nine_tenths_of_it(rare: int, *, drawn: bool) -> None:
    picture = Image.new("RGB", (96, 96), "white")
    for place in range(rare):
        picture.putpixel((place % 96, place // 96), (place % 251, place // 251, 7))
    assert looks_drawn(picture) is drawn
