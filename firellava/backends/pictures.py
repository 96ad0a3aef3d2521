"""The images of a request, made ready for the backend that gets them.

A request holds images as they were given. What a backend gets depends on its model card and on what the
caller wants: web images are passed on or downloaded, everything else becomes the picture the model sees, and
all of them together are kept within what the server takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from firellava.errors import InvalidRequest
from firellava.images import PreparedImage, prepare_image
from firellava.images.fetch import afetch_images, fetch_images
from firellava.images.formats import detect_format
from firellava.limits import (
    check_formats,
    check_request,
    warn_of_several_images,
    warn_of_small_text,
    within_limits,
)
from firellava.tiling import cut_images
from firellava.tool_images import with_tool_images_placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from firellava.backends.base import AttemptContext
    from firellava.images import ImageSource
    from firellava.images.fetch import FetchedImage
    from firellava.images.tiles import TileGrid
    from firellava.messages import Request
    from firellava.models import ImageLimits, ModelCard
    from firellava.replies import ReplyChunk

    Write: TypeAlias = Callable[[Request, Sequence[PreparedImage | str]], bytes]

__all__ = ["ImageURLs", "Pictures", "download_ahead", "downloaded", "pictures_of"]

# Those whose files are cleaned without being written anew; see `firellava.images.as_given`.
_KEPT_FORMATS: Final = ("JPEG", "PNG")

ImageURLs: TypeAlias = Literal["pass", "check", "inline"]
"""What is done with an image that is given by URL, where the backend takes URLs.

``pass`` leaves the download to the server. ``check`` downloads it here too, and inlines it where the server
would drop it: too slow, too large, or of another format. ``inline`` downloads and inlines it.
"""


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a backend is sent.

    Attributes:
        request: the request with an image part for each of `images`.
        images: in order, the prepared image or the URL to pass on.
        adjustments: what was done to the images, a line each.
        by_image: for each image that is sent, its pictures: the whole, then parts where it was cut.
    """

    request: Request
    images: tuple[PreparedImage | str, ...]
    adjustments: tuple[str, ...]
    by_image: tuple[tuple[PreparedImage | str, ...], ...]

    def noted_on(self, last: ReplyChunk) -> ReplyChunk:
        """The last piece of the reply with what it says of the images."""
        return replace(last, adjustments=self.adjustments, images=len(self.images))


def pictures_of(
    request: Request,
    card: ModelCard,
    context: AttemptContext,
    *,
    takes_urls: bool = False,
    write: Write | None = None,
) -> Pictures:
    """The pictures for a model, within the limits of its card.

    Args:
        request: what is asked, its images loaded.
        card: what the model sees and what its server takes.
        context: what the caller wants.
        takes_urls: images may go as URLs; without it all of them are downloaded.
        write: makes the body that is sent, whose bytes count too where it is given.

    Raises:
        ImageError: there is no picture to be had from an image.
        LimitExceeded: more than the server takes, where nothing may or can be done about it.
        InvalidRequest: a raw prompt whose images are wanted in parts, for which it has no ``<image>`` tokens.
        UnsupportedCapability: something else the model does not do.
    """
    left_out = len(request.images)
    request = with_tool_images_placed(request, card)
    left_out -= len(request.images)
    check_request(request, card, context.limits)
    warn_of_several_images(request, card)
    if request.completion and request.images and context.fit == "tiles":
        raise InvalidRequest(
            "fit='tiles' shows an image as several, and this prompt says with its <image> tokens how many "
            "there are: ask in a chat, or give another fit."
        )
    given = [part.source for part in request.images]
    resolved, reasons = _resolved(given, card, context, takes_urls=takes_urls)
    cut = cut_images(request, resolved, card, context.fit)
    fitting = _fitting(card, cut.sources, context)
    images = [source.url or prepare_image(source, fitting) for source in cut.sources]
    rest = 0 if write is None or context.limits == "off" else _rest(write, cut.request, images)
    sent = within_limits(images, cut.sources, fitting, context.limits, rest)
    _warn_of_small_text(sent, cut.grids, fitting)
    return Pictures(
        request=cut.request,
        images=tuple(sent),
        adjustments=(*_left_out(left_out, card), *_adjustments(images, sent, cut.grids, reasons)),
        by_image=tuple(map(tuple, _by_image(sent, cut.grids))),
    )


def downloaded(sources: Sequence[ImageSource], context: AttemptContext) -> list[ImageSource]:
    """The images themselves, for whoever takes no URLs: all that are URLs are downloaded, at once.

    Raises:
        ImageError: a URL that is not safe to open, or that leads to no image.
    """
    if urls := _missing(sources, context):
        context.fetched.update(fetch_images(urls, context.fetch_policy, seconds=context.seconds))
    return [source if source.url is None else context.fetched[source.url].source for source in sources]


async def download_ahead(
    request: Request, card: ModelCard, context: AttemptContext, *, takes_urls: bool
) -> None:
    """Download on the event loop what `pictures_of` will need, so that no thread waits for it.

    Raises:
        ImageError: a URL that is not safe to open, or that leads to no image.
        LimitExceeded: more images than the server takes.
        UnsupportedCapability: something else the model does not do.
    """
    request = with_tool_images_placed(request, card)
    check_request(request, card, context.limits)
    sources = [part.source for part in request.images]
    if not _passes_all(context, takes_urls=takes_urls) and (urls := _missing(sources, context)):
        context.fetched.update(await afetch_images(urls, context.fetch_policy, seconds=context.seconds))


def _missing(sources: Sequence[ImageSource], context: AttemptContext) -> list[str]:
    """The URLs of images that are still to be downloaded, each once."""
    urls = dict.fromkeys(source.url for source in sources if source.url is not None)
    return [url for url in urls if url not in context.fetched]


def _passes_all(context: AttemptContext, *, takes_urls: bool) -> bool:
    return takes_urls and context.image_urls == "pass"


def _resolved(
    given: Sequence[ImageSource], card: ModelCard, context: AttemptContext, *, takes_urls: bool
) -> tuple[list[ImageSource], list[str | None]]:
    """The images, those that may go as URLs still as such; and why the others that were URLs may not."""
    if _passes_all(context, takes_urls=takes_urls):
        return list(given), [None] * len(given)
    resolved: list[ImageSource] = []
    reasons: list[str | None] = []
    for source, local in zip(given, downloaded(given, context), strict=True):
        reason: str | None = None
        if source.url is not None:
            fetched = context.fetched[source.url]
            checks = takes_urls and context.image_urls == "check"
            reason = _why_dropped(fetched, card.image_limits) if checks else "downloaded here"
        resolved.append(source if reason is None else local)
        reasons.append(reason)
    return resolved, reasons


def _why_dropped(fetched: FetchedImage, limits: ImageLimits) -> str | None:
    """Why the server would drop an image given by URL; None where it would not."""
    data = fetched.source.data or b""
    image_format = detect_format(data)
    if limits.url_seconds is not None and fetched.seconds > limits.url_seconds:
        why = f"its server took {fetched.seconds:.2f} s and the API waits {limits.url_seconds:g} s"
    elif limits.image_bytes is not None and len(data) > limits.image_bytes:
        why = f"it has {len(data):,} bytes and the API takes {limits.image_bytes / 1e6:g} MB"
    elif image_format not in limits.formats:
        why = f"the API does not take {image_format}"
    else:
        return None
    return f"downloaded here, since {why}"


def _fitting(card: ModelCard, sources: Sequence[ImageSource], context: AttemptContext) -> ModelCard:
    """The card as each picture is prepared for it.

    Raises:
        LimitExceeded: an image is to keep its format, and the server does not take it.
    """
    target, limits = card.image_target.of_each(context.fit), card.image_limits
    if target.fit == "none" and context.limits == "strict":
        check_formats(sources, card)
    if target.fit == "none" and context.limits == "off":
        limits = limits.model_copy(update={"formats": (*limits.formats, *_KEPT_FORMATS)})
    return card.model_copy(update={"image_target": target, "image_limits": limits})


def _rest(write: Write, request: Request, images: Sequence[PreparedImage | str]) -> int:
    """Bytes of the body without its prepared images, each of which replaces an empty text in quotes."""
    body = write(request, [image if isinstance(image, str) else "" for image in images])
    return len(body) - len('""') * sum(isinstance(image, PreparedImage) for image in images)


def _warn_of_small_text(
    images: Sequence[PreparedImage | str], grids: Sequence[TileGrid | None], card: ModelCard
) -> None:
    """Warn where text can be read in no picture of an image."""
    for pictures, grid in zip(_by_image(images, grids), grids, strict=True):
        shown = pictures if grid is None else pictures[1:]
        if _note_on_text(shown) is not None:
            warn_of_small_text(card, in_parts=grid is not None)


def _left_out(count: int, card: ModelCard) -> Iterator[str]:
    if count:
        told = f"{count} images" if count > 1 else "1 image"
        yield f"{told} in results of tools left out, since {card.name} sees none there; the rest count from 1"


def _adjustments(
    prepared: Sequence[PreparedImage | str],
    sent: Sequence[PreparedImage | str],
    grids: Sequence[TileGrid | None],
    reasons: Sequence[str | None],
) -> Iterator[str]:
    """What was done to each image as it was given, a line each."""
    images = zip(_by_image(prepared, grids), _by_image(sent, grids), grids, reasons, strict=True)
    for number, (made, (whole, *parts), grid, reason) in enumerate(images, 1):
        lines = [reason, _describe_cutting(grid)]
        lines += whole.adjustments if isinstance(whole, PreparedImage) else ()
        lines.append(_note_on_text(parts or [whole]))
        yield from (f"image {number}: {line}" for line in lines if line is not None)
        for part_number, (before, part) in enumerate(zip(made[1:], parts, strict=True), 1):
            if part is not before and isinstance(part, PreparedImage):  # the last line says why
                yield f"image {number}, part {part_number}: {part.adjustments[-1]}"


def _by_image(
    pictures: Sequence[PreparedImage | str], grids: Sequence[TileGrid | None]
) -> Iterator[list[PreparedImage | str]]:
    """The pictures of each image: the whole, then its parts."""
    following = iter(pictures)
    for grid in grids:
        yield list(islice(following, 1 + (0 if grid is None else len(grid.regions))))


def _describe_cutting(grid: TileGrid | None) -> str | None:
    if grid is None:
        return None
    width, height = grid.part
    return f"shown as an overview and {len(grid.regions)} overlapping parts of {width}x{height}"


def _note_on_text(pictures: Sequence[PreparedImage | str]) -> str | None:
    notes = (picture.note_on_text for picture in pictures if isinstance(picture, PreparedImage))
    return next((note for note in notes if note is not None), None)
