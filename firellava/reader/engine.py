"""The OCR engine: an image goes in, the text boxes on it come out.

The engine is rapidocr on onnxruntime with the PP-OCR weights that travel inside the rapidocr wheel; nothing
is ever downloaded. It is loaded once per process, when the first image is read, and read from any number of
threads after that. The images read last are remembered by their content, so that a second question about a
picture costs nothing.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from firellava.errors import ConfigurationError, MissingExtra
from firellava.reader.boxes import TextBox

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rapidocr import RapidOCR

__all__ = ["READING_SIDE", "REMEMBERED_BOXES", "REMEMBERED_IMAGES", "read"]

READING_SIDE: Final = 1600
"""Longest side, in pixels, at which letters are recognised: an A4 page then has about 137 pixels per inch."""

DETECTION_SIDE: Final = 1280
"""Longest side, in pixels, at which text is located. Time and memory grow with its square."""

SMALL_SIDE: Final = 640
"""Images whose longest side is below this are read at twice their size, so that letters have some pixels."""

LEAST_WIDTH: Final = 64
"""Pixels to which a very short text is widened, where 48 are its height."""

MOST_THREADS: Final = 4
"""Threads one recognition may use; several images are read side by side by the caller's own threads."""

SURE_ENOUGH: Final = 0.6
SURE_ENOUGH_ALONE: Final = 0.9
"""Lowest score at which a text counts, and at which a single character does: in photographs, eyes and wheels
are taken for an O or a zero with scores up to about 0.8."""

REMEMBERED_IMAGES: Final = 32
REMEMBERED_BOXES: Final = 20_000
"""What is kept of the images read last: at most so many text boxes (about 600 bytes each, 12 MB), no pixels.

The rest of the memory is the engine's: about 120 MB once loaded, 600 MB at most while a page of a thousand
pixels is read. The C library keeps some of what the engine has freed, more where images of many sizes are
read: up to 1.2 GB were seen over 300 receipts; of what six left behind, less than 200 MB were in use.
"""


class _Loaded:
    """What this process has loaded and read so far; `lock` guards all of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.engine: RapidOCR | None = None
        self.read: OrderedDict[bytes, tuple[TextBox, ...]] = OrderedDict()


_loaded = _Loaded()
_left_to_parent: list[_Loaded] = []


def _start_afresh_in_child() -> None:
    # The engine's worker threads do not survive a fork, and its destructor would wait for them: the child
    # keeps the parent's engine unused and loads its own.
    global _loaded  # noqa: PLW0603 - a fork hook has no other way to replace the process's state
    _left_to_parent.append(_loaded)
    _loaded = _Loaded()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)


def read(image: Image.Image) -> tuple[TextBox, ...]:
    """Find the text in an image.

    Args:
        image: an upright picture in any mode that Pillow converts to RGB.

    Returns:
        The boxes in the order the engine found them, in pixels of `image`; none where there is no text.

    Raises:
        MissingExtra: rapidocr or onnxruntime is not installed.
        ConfigurationError: they are installed but cannot be loaded.
    """
    pixels = image if image.mode == "RGB" else image.convert("RGB")
    loaded = _loaded
    key = _content_hash(pixels)
    with loaded.lock:
        if key in loaded.read:
            loaded.read.move_to_end(key)
            return loaded.read[key]
        if loaded.engine is None:
            loaded.engine = _load()
        engine = loaded.engine
    boxes = _recognise(engine, pixels)
    with loaded.lock:
        loaded.read[key] = boxes
        while len(loaded.read) > REMEMBERED_IMAGES or sum(map(len, loaded.read.values())) > REMEMBERED_BOXES:
            loaded.read.popitem(last=False)
    return boxes


def _content_hash(pixels: Image.Image) -> bytes:
    digest = hashlib.sha256(f"{pixels.width}x{pixels.height}:".encode())
    digest.update(pixels.tobytes())
    return digest.digest()


def _load() -> RapidOCR:
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingExtra("ocr", needed_for="the offline reader")
    try:
        from rapidocr import RapidOCR  # noqa: PLC0415 - heavy, and an optional extra
    except ModuleNotFoundError as error:
        raise MissingExtra("ocr", needed_for="the offline reader") from error
    except ImportError as error:
        raise ConfigurationError(f"The offline reader's OCR engine cannot be loaded: {error}") from error
    return RapidOCR(params=_settings())


def _settings() -> dict[str, Any]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "Global.log_level": "critical",
        # Images arrive upright, and telling upside-down text apart costs time and a few letters.
        "Global.use_cls": False,
        "Global.max_side_len": READING_SIDE,
        # Otherwise a strip one pixel high is blown up to thirty, and its length with it.
        "Global.min_side_len": 1,
        "Det.limit_type": "max",
        "Det.limit_side_len": DETECTION_SIDE,
        # A path keeps the engine from looking anything up in the network.
        "Det.model_path": str(_weights("_det_")),
        "Rec.model_path": str(_weights("_rec_")),
        # Lines are read in batches as wide as their widest. The engine's own least width, 320, is mostly
        # padding for the numbers of a receipt: without it reading takes less than half the time.
        "Rec.rec_img_shape": [3, 48, LEAST_WIDTH],
        "EngineConfig.onnxruntime.intra_op_num_threads": min(usable, MOST_THREADS),
    }


def _weights(part: str) -> Path:
    # The wheel's own list of files, not the folder: rapidocr puts models that others downloaded there too.
    for file in importlib.metadata.files("rapidocr") or ():
        if file.suffix == ".onnx" and part in file.name:
            return file.locate()  # type: ignore[return-value]  # a SimplePath in typeshed, a Path in fact
    raise ConfigurationError(
        "The installed rapidocr carries no weights for the offline reader; "
        "install its wheel again: pip install --force-reinstall rapidocr"
    )


def _recognise(engine: RapidOCR, pixels: Image.Image) -> tuple[TextBox, ...]:
    import numpy as np  # noqa: PLC0415 - comes with the optional extra

    scale = min(READING_SIDE / max(pixels.size), 1.0)
    if max(pixels.size) < SMALL_SIDE:
        scale = 2.0
    size = (max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale)))
    resized = pixels if size == pixels.size else pixels.resize(size, Image.Resampling.BICUBIC, reducing_gap=2)
    # The engine takes channels as OpenCV has them: blue, green, red.
    found: Any = engine(np.ascontiguousarray(np.asarray(resized)[:, :, ::-1]))
    if not len(found):
        return ()
    x_scale, y_scale = pixels.width / size[0], pixels.height / size[1]
    return tuple(
        TextBox(text.strip(), _corners(corners, x_scale, y_scale), float(score))
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        if score >= (SURE_ENOUGH if len(text.strip()) > 1 else SURE_ENOUGH_ALONE)
    )


def _corners(
    corners: Iterable[Iterable[float]], x_scale: float, y_scale: float
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]:
    first, second, third, fourth = ((float(x) * x_scale, float(y) * y_scale) for x, y in corners)
    return first, second, third, fourth
