"""One image file prepared in every way, in a process of its own: what came of it, and what it took.

Linux: memory is read from ``/proc``, where its peak can be reset between two images.
"""

from __future__ import annotations

import ctypes
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from benchmarks.corpora.encoded import superfluous_parts
from firellava.errors import ImageError
from firellava.images import ImageSource, describe_metadata, inline_image, prepare_image
from firellava.images.inline import INLINE_SIDE
from firellava.models import DEFAULT_MODEL, ModelCard, model_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.corpora.watch import Watch
    from firellava.images import PreparedImage

__all__ = ["MOST_BYTES", "MOST_SECONDS", "PREPARED", "WAYS", "Trial", "try_image"]

MOST_SECONDS: Final = 5.0
MOST_BYTES: Final = 2**30

PREPARED: Final = "prepared"
"""The outcome of an image that a model can be shown."""

_FIRELLAVA: Final = model_card(DEFAULT_MODEL)
_CONTAIN: Final = ModelCard(name="contain")
_LATER_PAGES: Final = 4
_TAGS: Final = ("DateTime", "Model", "ExposureTime", "UserComment", "XPTitle", "GPSLatitude", "GPSAltitude")


@dataclass(frozen=True, slots=True)
class Trial:
    """One image, prepared in one way.

    Attributes:
        way: which; one of `WAYS`, or ``later pages``, or ``metadata``.
        outcome: `PREPARED`, or the class of the error.
        seconds: of processor time, in all threads together. Nothing here waits for anything.
        peak_bytes: the most memory the whole process held.
        problems: what must not have happened, one phrase each.
        printed: whether a library wrote to standard error.
        outputs: how many prepared images were looked through.
    """

    way: str
    outcome: str
    seconds: float
    peak_bytes: int
    problems: tuple[str, ...] = ()
    printed: bool = False
    outputs: int = 0


def _firellava(source: ImageSource) -> PreparedImage:
    return prepare_image(source, _FIRELLAVA)


def _contain(source: ImageSource) -> PreparedImage:
    return prepare_image(source, _CONTAIN)


def _as_given(source: ImageSource) -> PreparedImage:
    return prepare_image(source, _CONTAIN, fit="none")


WAYS: Final[dict[str, Callable[[ImageSource], PreparedImage]]] = {
    "letterbox": _firellava,
    "contain": _contain,
    "none": _as_given,
    "inline": inline_image,
}


def try_image(data: bytes, watch: Watch) -> list[Trial]:
    """Prepare one file in all ways; of a document also some later pages; and read its metadata."""
    trials = [_try(way, data, _alone(prepare), watch) for way, prepare in WAYS.items()]
    if trials[0].outcome == PREPARED:
        trials.append(_try("later pages", data, _prepare_later_pages, watch))
        trials.append(_try("metadata", data, _tell_metadata, watch))
    return trials


def _alone(
    prepare: Callable[[ImageSource], PreparedImage],
) -> Callable[[ImageSource], tuple[PreparedImage, ...]]:
    return lambda source: (prepare(source),)


def _prepare_later_pages(source: ImageSource) -> tuple[PreparedImage, ...]:
    pages = ImageSource.pages(source)
    return tuple(_contain(page) for page in pages[1 : 1 + _LATER_PAGES])


def _tell_metadata(source: ImageSource) -> tuple[PreparedImage, ...]:
    describe_metadata(source, _TAGS)
    return ()


def _try(
    way: str, data: bytes, prepare: Callable[[ImageSource], tuple[PreparedImage, ...]], watch: Watch
) -> Trial:
    problems: list[str] = []
    prepared: tuple[PreparedImage, ...] = ()
    outcome = PREPARED
    _reset_peak()
    began = time.process_time()
    with watch.over(problems):
        try:
            prepared = prepare(ImageSource.from_bytes(data))
        except ImageError as error:
            outcome = type(error).__name__
            if isinstance(error.__cause__, MemoryError):
                problems.append(f"out of memory: {error.__cause__!r}")
        except BaseException as error:  # noqa: BLE001 - every other error is what is looked for
            outcome = type(error).__name__
            problems.append(f"raised {error!r}"[:300])
    seconds, peak = time.process_time() - began, _peak()
    if seconds > MOST_SECONDS * max(1, len(prepared)):
        problems.append(f"took {seconds:.1f} s")
    if peak > MOST_BYTES:
        problems.append(f"took {peak / 2**20:.0f} MiB")
    for image in prepared:
        problems += _faults(image, way)
    return Trial(way, outcome, seconds, peak, tuple(problems), watch.printed, len(prepared))


def _faults(image: PreparedImage, way: str) -> list[str]:
    """What is wrong with a prepared image."""
    faults = [f"output has {part}" for part in superfluous_parts(image.data)]
    try:
        with Image.open(io.BytesIO(image.data), formats=("JPEG", "PNG")) as decoded:
            decoded.load()
            if (decoded.format, decoded.size) != (image.format, (image.width, image.height)):
                faults.append(f"output is {decoded.format} {decoded.size}, and is said to be {image!r}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it does not decode
        faults.append(f"output does not decode: {error!r}")
    expected = _expected_size(image.original_size, way)
    if max(abs(image.width - expected[0]), abs(image.height - expected[1])) > 1:
        faults.append(f"{image.original_size} became {image.width}x{image.height}, not {expected}")
    if image.format not in _CONTAIN.image_limits.formats:
        faults.append(f"output is {image.format}")
    return faults


def _expected_size(original: tuple[int, int], way: str) -> tuple[int, int]:
    if way == "letterbox":
        return _FIRELLAVA.image_target.side, _FIRELLAVA.image_target.side
    if way == "none":
        return original
    side = INLINE_SIDE if way == "inline" else _CONTAIN.image_target.side
    scale = min(1.0, side / max(original))
    return max(1, round(original[0] * scale)), max(1, round(original[1] * scale))


def _reset_peak() -> None:
    _give_back()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _give_back() -> None:
    """Have the C library return what earlier images took, so that it does not count for this one."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
