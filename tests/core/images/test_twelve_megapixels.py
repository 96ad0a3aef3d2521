import io

import pytest
from PIL import Image

from firellava.images import prepare_image
from firellava.models import ImageTarget, ModelCard
from tests.core.images.photograph import camera_jpeg, procedural_photograph, psnr
from tests.core.images.samples import decoded, encoded


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    return camera_jpeg(procedural_photograph())


def test_twelve_megapixels_go_out_small_and_as_good_as_the_slow_way(jpeg: bytes) -> None:
    original = Image.open(io.BytesIO(jpeg))
    assert original.size == (4000, 3000)
    reference = original.convert("RGB").resize((336, 252), Image.Resampling.LANCZOS)
    slow_way = decoded(encoded(reference, "JPEG", quality=85))

    prepared = prepare_image(jpeg, "firellava-13b")

    assert prepared.bytes_on_wire <= 35_000
    picture = decoded(prepared.data).crop((0, 42, 336, 294))
    assert psnr(picture, reference) >= psnr(slow_way, reference) - 0.3
    assert prepared.adjustments == ("scaled from 4000x3000 to 336x252 and padded to 336x336",)


@pytest.mark.parametrize("size", [(1237, 903), (1501, 1999), (2401, 2399), (1000, 750)])
def test_pictures_of_any_size_are_as_good_as_the_slow_way(size: tuple[int, int]) -> None:
    jpeg = camera_jpeg(procedural_photograph(size))
    prepared = prepare_image(jpeg, ModelCard(name="small", image_target=ImageTarget(side=120)))
    reference = decoded(jpeg).resize((prepared.width, prepared.height), Image.Resampling.LANCZOS)
    slow_way = decoded(encoded(reference, "JPEG", quality=85))
    assert psnr(decoded(prepared.data), reference) >= psnr(slow_way, reference) - 0.4


def test_the_whole_picture_is_never_decoded(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = Image.Image.load

    def watched(self: Image.Image) -> object:
        loaded.append(self.size)
        return load(self)

    monkeypatch.setattr(Image.Image, "load", watched)
    prepare_image(jpeg + b" ", "firellava-13b")
    assert max(loaded) == (500, 375)
