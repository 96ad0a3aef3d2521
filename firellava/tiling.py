"""Images shown in parts: how many pictures a request has room for, and the request in which they stand.

A text before each image that is cut says what follows. Without it a model would take the parts for pictures
of different things, and count twice what two of them show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from firellava.costs.prompts import prompt_text, prompt_tokens
from firellava.costs.text_tokens import vocabulary_of
from firellava.images.decode import open_image
from firellava.images.tiles import MOST_PARTS, share_pictures
from firellava.messages import ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firellava.images import ImageSource
    from firellava.images.tiles import TileGrid
    from firellava.messages import Part, Request
    from firellava.models import Fit, ModelCard

__all__ = ["LONGEST_MARK", "CutRequest", "cut_images", "in_tiles", "most_pictures", "room_for_pictures"]

_MARK: Final = (
    "The next {count} images show one picture: all of it, then {parts} overlapping parts of it, "
    "row by row from the top left."
)

LONGEST_MARK: Final = len(_MARK.format(count=MOST_PARTS + 1, parts=MOST_PARTS))
"""Bytes of the text before an image that is cut."""

# Of FireLLaVA's 4096 tokens this leaves six pictures of 576 for a question of up to 300 tokens.
_TOKENS_PER_MARK: Final = 40
_TOKENS_TO_ANSWER: Final = 256
# Servers lower max_tokens to what is left, so a generous one is no reason to show nothing.
_MOST_TO_ANSWER: Final = 0.25


@dataclass(frozen=True, slots=True)
class CutRequest:
    """A request with some of its images cut.

    Attributes:
        request: with an image part for each picture.
        sources: the pictures in order.
        grids: for each image as it was given, how it was cut, or None where it was not.
    """

    request: Request
    sources: tuple[ImageSource, ...]
    grids: tuple[TileGrid | None, ...]


def in_tiles(request: Request, card: ModelCard, fit: Fit | None) -> bool:
    """Whether images of this request may be cut.

    Those of a raw prompt stay whole: its ``<image>`` tokens are the caller's own, one for each image.
    """
    return (fit or card.image_target.fit) == "tiles" and not request.completion


def most_pictures(request: Request, card: ModelCard, fit: Fit | None) -> int:
    """How many pictures are sent for the images of a request at most. Nothing is opened.

    Args:
        request: what is asked.
        card: how many images its server takes, and how many tokens.
        fit: how images are wanted, or None for the card's way.
    """
    images = len(request.images)
    if not images or not in_tiles(request, card, fit):
        return images
    limits = [images * (MOST_PARTS + 1), card.image_limits.count, room_for_pictures(request, card)]
    return max(images, min(limit for limit in limits if limit is not None))


def cut_images(
    request: Request, sources: Sequence[ImageSource], card: ModelCard, fit: Fit | None
) -> CutRequest:
    """The request with its large images as an overview and parts, where that is wanted.

    Args:
        request: what is asked.
        sources: its images, loaded or downloaded; URLs that are passed on stay whole.
        card: what the model sees, and how much its server takes.
        fit: how images are wanted, or None for the card's way.

    Raises:
        ImageError: an image cannot be opened.
    """
    grids: list[TileGrid | None] = [None] * len(sources)
    most = most_pictures(request, card, fit)
    places = [place for place, source in enumerate(sources) if not source.is_url]
    if places and in_tiles(request, card, fit):
        sizes = [open_image(sources[place]).size for place in places]
        room = most - (len(sources) - len(places))
        shared = share_pictures(sizes, card.image_target.side, room)
        for place, grid in zip(places, shared, strict=True):
            grids[place] = grid
    if not any(grids):
        return CutRequest(request, tuple(sources), tuple(grids))
    images = zip(sources, grids, strict=True)
    messages = tuple(
        replace(message, content=[one for part in message.parts for one in _cut(part, images)])
        if message.images
        else message
        for message in request.messages
    )
    cut = replace(request, messages=messages)
    return CutRequest(cut, tuple(part.source for part in cut.images), tuple(grids))


def _cut(part: Part, images: Iterator[tuple[ImageSource, TileGrid | None]]) -> Iterator[Part]:
    if not isinstance(part, ImagePart):
        yield part
        return
    source, grid = next(images)
    if grid is None:
        yield replace(part, source=source)
        return
    parts = len(grid.regions)
    yield TextPart(_MARK.format(count=parts + 1, parts=parts))
    yield replace(part, source=source)
    for region in grid.regions:
        yield replace(part, source=source.cropped(*region))


def room_for_pictures(request: Request, card: ModelCard) -> int | None:
    """How many pictures the context window holds beside text and answer, or None where nobody knows."""
    each = card.image_token_bound if card.tokens_per_image is None else card.tokens_per_image
    if card.context_window is None or not each:
        return None
    text = prompt_tokens(
        prompt_text(request.messages, request.parameters.tools or ()),
        vocabulary_of(card),
        messages=len(request.messages),
    )
    written = text.count * (1 + text.error) + len(request.images) * _TOKENS_PER_MARK
    wanted = request.parameters.max_tokens or _TOKENS_TO_ANSWER
    answer = min(wanted, _MOST_TO_ANSWER * card.context_window)
    return max(0, int((card.context_window - written - answer) // each))
