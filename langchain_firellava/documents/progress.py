"""A progress bar, where one is wanted: images done, out of as many as are known of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from firellava.errors import MissingExtra

if TYPE_CHECKING:
    from types import TracebackType

    from tqdm import tqdm

__all__ = ["Progress"]


class Progress:
    """Counts images; on a bar where that is wanted.

    Args:
        files: how many there are, or None where that is not known. Each is one image until it is opened.
        shown: whether there is a bar.

    Raises:
        MissingExtra: one is wanted, and tqdm is not installed; when the ``with`` block begins.
    """

    def __init__(self, files: int | None, *, shown: bool) -> None:
        self._files = files
        self._shown = shown
        self._bar: tqdm | None = None

    def opened(self, pages: int) -> None:
        """A file has that many pages."""
        if self._bar is not None and self._bar.total is not None and pages > 1:
            self._bar.total += pages - 1
            self._bar.refresh()

    def done(self) -> None:
        """One more image is done."""
        if self._bar is not None:
            self._bar.update()

    def __enter__(self) -> Self:
        if self._shown:
            self._bar = _bar(self._files)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar(files: int | None) -> tqdm:
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - only whoever wants to see it needs it
    except ImportError:
        raise MissingExtra("langchain", "show_progress=True") from None
    return tqdm(total=files, desc="Captions", unit=" images")
