"""How well print that became too small to read is told from print that can be read, and from photographs.

    python -m benchmarks.legibility [PHOTOGRAPH ...]

Pages are drawn in several fonts and layouts, with the lines so many pixels apart when the page has
336 on its longer side, and reduced to that. The judge of what can be read is the offline reader (extra
``ocr``): a page can be read where it finds at least two thirds of the words. For each distance of lines the
table gives the share of words it finds, the pages that can be read, and those that are warned of. Below it:
hits (of the pages that cannot be read), false alarms (of those that can), and the CPU time.

Then pictures without text: such as are made from seeds, and photographs given as files. It takes minutes.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Final, NamedTuple

import matplotlib as mpl
from PIL import Image

from firellava.images import ImageSource, decode_image
from firellava.images.decode import filling_size
from firellava.images.legibility import unreadable_lines
from firellava.reader.engine import read
from tests.core.images.photograph import procedural_photograph
from tests.core.images.printed_pages import A4_AT_200_DPI, Layout, printed_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SIDE: Final = 336
_PITCHES: Final = (4.0, 5.0, 6.0, 6.5, 7.0, 8.0, 10.0, 14.0)
_LAYOUTS: Final[tuple[Layout, ...]] = ("full", "two columns", "half")
_FONTS: Final = (None, "DejaVuSans", "DejaVuSerif", "STIXGeneral", "DejaVuSansMono")
_READABLE: Final = 2 / 3


class Page(NamedTuple):
    """What came of one page."""

    found: float
    warned: bool

    @property
    def readable(self) -> bool:
        """Whether the reader can read it."""
        return self.found >= _READABLE


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photographs", nargs="*", help="photographs without text")
    arguments = parser.parse_args()
    times: list[float] = []
    every: list[Page] = []
    print("lines apart   words found   pages   readable   warned of")
    for pitch in _PITCHES:
        pages = [_page(pitch, *kind, times) for kind in _kinds()]
        every += pages
        readable, warned = sum(page.readable for page in pages), sum(page.warned for page in pages)
        found = mean(page.found for page in pages)
        print(f"{pitch:8.1f} px {found:12.0%} {len(pages):9} {readable:9} {warned:10}")
    lost, kept = [page for page in every if not page.readable], [page for page in every if page.readable]
    print(f"hits {_share(lost)}, false alarms {_share(kept)}, CPU {1000 * median(times):.1f} ms a page")
    warned = sum(_warned(procedural_photograph((1600, 1200), seed=seed)) for seed in range(20))
    print(f"false alarms among 20 pictures made from seeds: {warned}")
    if arguments.photographs:
        pictures = [decode_image(ImageSource.of(path)) for path in arguments.photographs]
        print(f"false alarms among {len(pictures)} photographs: {sum(map(_warned, pictures))}")


def _kinds() -> Iterator[tuple[str | None, Layout]]:
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in _FONTS:
        for layout in _LAYOUTS:
            yield None if name is None else str(folder / f"{name}.ttf"), layout


def _page(pitch: float, font: str | None, layout: Layout, times: list[float]) -> Page:
    scale = max(A4_AT_200_DPI) / _SIDE
    page, words = printed_page(pitch * scale, layout, font=font)
    small = _reduced(page)
    start = time.process_time()
    warned = unreadable_lines(small) is not None
    times.append(time.process_time() - start)
    return Page(_found(small, words), warned)


def _reduced(picture: Image.Image) -> Image.Image:
    return picture.resize(filling_size(picture.size, _SIDE), Image.Resampling.LANCZOS)


def _found(page: Image.Image, words: Sequence[str]) -> float:
    """The share of the words that the reader finds, wherever on the page."""
    read_words = Counter(word for box in read(page) for word in box.text.lower().split())
    return sum((read_words & Counter(words)).values()) / len(words)


def _warned(picture: Image.Image) -> bool:
    return unreadable_lines(_reduced(picture)) is not None


def _share(pages: Sequence[Page]) -> str:
    return f"{sum(page.warned for page in pages)} of {len(pages)}"


if __name__ == "__main__":
    main()
