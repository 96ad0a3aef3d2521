"""Pages of PDF documents, drawn at the size a model wants.

A page has no pixels of its own, so none are thrown away: it is drawn at exactly the size that was asked for,
and a part of it likewise. What its fonts, drawings, stamps and filled-in form fields show is drawn; scripts,
actions and embedded files are left alone.
"""

from __future__ import annotations

import math
import os
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from firellava.errors import ImageTooLarge, MissingExtra, UnreadableImage, UnsupportedFormat
from firellava.images.limits import MAX_PIXELS, check_pixel_count
from firellava.images.opened import OpenedImage, explained, missing_page
from firellava.images.regions import pixel_box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.images.source import ImageSource

__all__ = ["MAX_SECONDS", "PDF_DPI", "OpenedPage", "count_pdf_pages", "open_page"]

PDF_DPI: Final = 200
"""Dots per inch at which a page has its own size: what scanners use for text that is to be read."""

MAX_SECONDS: Final = 10
"""How long drawing one page may take. All others wait while it is drawn."""

_POINTS_PER_INCH: Final = 72
_PASSWORD_NEEDED: Final = 4

# A page of a thousand metres is a mistake or an attack; its size is taken as this many pixels at most.
_LONGEST_SIDE: Final = 30_000

# Beyond this the numbers of the renderer are too coarse to tell pixels apart: a tiny part is drawn smaller
# and enlarged.
_LARGEST_CANVAS: Final = 1_000_000


class _Renderer:
    """The right to use PDFium, which one thread may have at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            # A child process has none of the threads that may hold the lock.
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self.lock = threading.Lock()


_renderer: Final = _Renderer()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPage(OpenedImage):
    """A page whose size was read.

    Attributes:
        data: the document.
    """

    data: bytes

    def decode(self, size: tuple[int, int] | None = None) -> Image.Image:
        """The page on white paper, drawn at `size` or at `PDF_DPI`; see `OpenedImage.decode`."""
        wanted = size or self.size
        check_pixel_count(wanted, self.name)
        box = pixel_box(self.region, self.whole)
        scales = wanted[0] / (box[2] - box[0]), wanted[1] / (box[3] - box[1])
        reserve = min(1, _LARGEST_CANVAS / max(self.whole[0] * scales[0], self.whole[1] * scales[1]))
        drawn = max(1, round(wanted[0] * reserve)), max(1, round(wanted[1] * reserve))
        canvas = (
            round(self.whole[0] * scales[0] * reserve),
            round(self.whole[1] * scales[1] * reserve),
        )
        corner = round(box[0] * scales[0] * reserve), round(box[1] * scales[1] * reserve)
        with explained(self.name, self.format), _document(self.data, self.name) as document:
            pixels = _draw(document, self.name, self.page, drawn, canvas, corner)
        return pixels if drawn == wanted else pixels.resize(wanted, Image.Resampling.LANCZOS)

    def describe_scaling(self, size: tuple[int, int]) -> str | None:
        """At what resolution the page was drawn."""
        return f"drawn at {size[0]}x{size[1]} pixels, {PDF_DPI * size[0] / self.size[0]:.0f} dpi"


def open_page(source: ImageSource, data: bytes) -> OpenedPage:
    """Read the size of the page a source names.

    Raises:
        UnreadableImage: damaged, protected by a password, or without that page.
        MissingExtra: PDFium is not installed.
    """
    with explained(source.name, "PDF"), _document(data, source.name) as document:
        count = len(document)
        if source.page > count:
            raise missing_page(source.name, source.page, count)
        size = _size_in_pixels(*document.get_page_size(source.page - 1))
    return OpenedPage(
        name=source.name,
        format="PDF",
        whole=size,
        page=source.page,
        region=source.region,
        several=count > 1,
        data=data,
    )


def count_pdf_pages(data: bytes, name: str) -> int:
    """How many pages a document has.

    Raises:
        UnreadableImage: damaged, or protected by a password.
        MissingExtra: PDFium is not installed.
    """
    with explained(name, "PDF"), _document(data, name) as document:
        return len(document)


@contextmanager
def _document(data: bytes, name: str) -> Iterator[Any]:
    """The document, PDFium being this thread's until it is closed again.

    PDFium is not thread-safe. Who uses it elsewhere in the process as well must not do so at the same time.
    """
    try:
        import pypdfium2  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("pdf", needed_for="Opening a PDF document") from error
    with _renderer.lock:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code == _PASSWORD_NEEDED:
                raise UnsupportedFormat(
                    f"{name} is a PDF document protected by a password: save a copy without one."
                ) from None
            raise UnreadableImage(f"{name} does not open as PDF: it is damaged, or has no pages.") from None
        with document:
            yield document


def _draw(
    document: Any,  # noqa: ANN401 - of a package without types
    name: str,
    page_number: int,
    size: tuple[int, int],
    canvas: tuple[int, int],
    corner: tuple[int, int],
) -> Image.Image:
    """A window of `size` at `corner` of the page drawn on `canvas`, all in pixels."""
    import pypdfium2  # noqa: PLC0415 - an optional extra
    from pypdfium2 import raw  # noqa: PLC0415 - an optional extra

    # What was filled into a form is drawn by PDFium's form code. Without a platform to run them on, which is
    # what this leaves out, scripts do nothing.
    document.init_forms(raw.FPDF_FORMFILLINFO(version=2))
    page = document[page_number - 1]
    bitmap = pypdfium2.PdfBitmap.new_native(*size, raw.FPDFBitmap_BGR, rev_byteorder=True)
    # The document does not close the bitmap: left to itself it would be freed at any time, perhaps while
    # another thread draws.
    with closing(bitmap):
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        upright, flags = 0, raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
        arguments = (bitmap, page, -corner[0], -corner[1], *canvas, upright, flags)
        if not _drawn_in_time(raw, arguments):
            raise ImageTooLarge(
                f"{name} has a page that takes more than {MAX_SECONDS} seconds to draw: "
                "make a JPEG or PNG of it first."
            )
        if document.formenv is not None:
            raw.FPDF_FFLDraw(document.formenv, *arguments)
        pixels: Image.Image = bitmap.to_pil().copy()
    return pixels


def _drawn_in_time(
    raw: Any,  # noqa: ANN401 - of a package without types
    arguments: tuple[Any, ...],
) -> bool:
    """Draw, looking at the clock between one shape and another; whether all of it was done."""
    deadline = time.monotonic() + MAX_SECONDS
    pause = raw.IFSDK_PAUSE(version=1)
    kind_of_callback = dict(raw.IFSDK_PAUSE._fields_)["NeedToPauseNow"]
    pause.NeedToPauseNow = kind_of_callback(lambda _: time.monotonic() > deadline)
    state = raw.FPDF_RenderPageBitmap_Start(*arguments, pause)
    page = arguments[1]
    raw.FPDF_RenderPage_Close(page)
    return bool(state != raw.FPDF_RENDER_TOBECONTINUED)


def _size_in_pixels(width: float, height: float) -> tuple[int, int]:
    """Width and height in points as pixels, within what is drawn."""
    if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
        raise ValueError("a page without a size")
    scale = min(
        PDF_DPI / _POINTS_PER_INCH,
        _LONGEST_SIDE / max(width, height),
        math.sqrt(MAX_PIXELS / (width * height)),
    )
    return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
