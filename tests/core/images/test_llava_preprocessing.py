import importlib
import io
from typing import Any

import pytest
from PIL import Image

from firellava.images import prepare_image
from tests.core.images.samples import corners, encoded


@pytest.mark.engine("transformers")
@pytest.mark.parametrize("size", [(1200, 500), (300, 800), (640, 640), (50, 20)])
def test_padding_and_cropping_models_see_the_same_pixels(size: tuple[int, int]) -> None:
    crop, pad = preprocessings()
    prepared = Image.open(io.BytesIO(prepare_image(encoded(corners(size), "PNG"), "firellava-13b").data))
    cropped, padded = (pixels(process, prepared.convert("RGB")) for process in (crop, pad))
    assert cropped.shape == padded.shape == (1, 3, 336, 336)
    assert float(abs(cropped - padded).max()) == 0
    if size[0] != size[1]:
        original = corners(size)
        assert float(abs(pixels(crop, original) - pixels(pad, original)).max()) > 0.5


def preprocessings() -> tuple[Any, Any]:
    """The two ways a LLaVA server may look at a picture: shortest edge and centre crop, or padded square."""
    clip = importlib.import_module("transformers.models.clip.image_processing_pil_clip")
    llava = importlib.import_module("transformers.models.llava.image_processing_pil_llava")
    sizes = {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    return clip.CLIPImageProcessorPil(**sizes), llava.LlavaImageProcessorPil(**sizes, do_pad=True)


def pixels(process: Any, picture: Image.Image) -> Any:
    return process(picture, return_tensors="np")["pixel_values"]
