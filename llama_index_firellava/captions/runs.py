"""One pass of an `ImageCaptioner` over its nodes: which hold an image, and what became of each."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from llama_index.core.schema import BaseNode, MetadataMode

from firellava.captions import CaptionFailed
from firellava.errors import FireLLaVAError, InvalidRequest
from llama_index_firellava.captions.nodes import caption_node, holds_image
from llama_index_firellava.images import to_image_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from firellava import ImageSource
    from firellava.captions import Caption

__all__ = ["CaptionRun", "OnFailure"]

_logger = logging.getLogger("llama_index_firellava")

OnFailure: TypeAlias = Callable[[BaseNode, FireLLaVAError], None]
"""Is told of a node whose image has no caption, and why."""

_SHOWN: Final = 5


class CaptionRun:
    """What becomes of the nodes of one call.

    Args:
        nodes: documents and nodes of any kind.
        skipped: the errors for which an image is left out.
        on_failure: is told of each that is.

    Attributes:
        images: the places of the nodes that hold an image.

    Raises:
        InvalidRequest: `nodes` is a single one.
    """

    def __init__(
        self,
        nodes: Sequence[BaseNode],
        skipped: tuple[type[FireLLaVAError], ...],
        on_failure: OnFailure | None,
    ) -> None:
        given: object = nodes
        if isinstance(given, BaseNode):
            raise InvalidRequest(f"An ImageCaptioner takes a list of nodes, not one {type(given).__name__}.")
        self._nodes = nodes
        self._skipped = skipped
        self._on_failure = on_failure
        self.images = [place for place, node in enumerate(nodes) if holds_image(node)]
        self._asked: deque[int] = deque()
        self._unreadable: deque[tuple[int, FireLLaVAError]] = deque()
        self._captions: dict[int, Caption] = {}
        self._errors: dict[int, FireLLaVAError] = {}
        self._warn_of_look_alikes()

    def sources(self) -> Iterator[ImageSource]:
        """The images, each made when it is wanted. `take` gets a result for each, in this order."""
        for place in self.images:
            try:
                (source,) = to_image_sources([self._nodes[place]])
            except FireLLaVAError as error:
                # This may be on another thread: `take` and `result` tell of it.
                self._unreadable.append((place, error))
            else:
                self._asked.append(place)
                yield source

    def take(self, caption: Caption | CaptionFailed) -> None:
        """Take the next caption in, or why there is none."""
        place = self._asked.popleft()
        if isinstance(caption, CaptionFailed):
            self._fail(place, caption.error)
        else:
            self._captions[place] = caption

    def result(self) -> list[BaseNode]:
        """The nodes, those with images captioned and those that failed left out.

        Raises:
            FireLLaVAError: one failed for a reason that leaves none out.
        """
        while self._unreadable:
            self._fail(*self._unreadable.popleft())
        raised = [place for place, error in self._errors.items() if not isinstance(error, self._skipped)]
        if raised:
            raise self._noted(raised)
        self._warn_of_degraded()
        return [
            caption_node(node, self._captions[place]) if place in self._captions else node
            for place, node in enumerate(self._nodes)
            if place not in self._errors
        ]

    def _fail(self, place: int, error: FireLLaVAError) -> None:
        self._errors[place] = error
        node = self._nodes[place]
        _logger.warning("No caption for %s: %s", node.node_id, error)
        if self._on_failure is not None and isinstance(error, self._skipped):
            self._on_failure(node, error)

    def _noted(self, places: list[int]) -> FireLLaVAError:
        shown = ", ".join(self._nodes[place].node_id for place in places[:_SHOWN])
        more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        error = self._errors[places[0]]
        error.add_note(
            f"{len(places):,} of {len(self.images):,} images have no caption: {shown}{more}. Run it again: "
            "the cache keeps those of the others."
        )
        return error

    def _warn_of_degraded(self) -> None:
        degraded = sum(caption.degraded for caption in self._captions.values())
        if degraded:
            _logger.warning(
                "%d of %d captions are not a vision model's, but the text in the image: their nodes say so "
                "(degraded).",
                degraded,
                len(self.images),
            )

    def _warn_of_look_alikes(self) -> None:
        alike = sum(not self._nodes[place].get_content(MetadataMode.ALL).strip() for place in self.images)
        if alike:
            _logger.warning(
                "%d of %d images come without text or metadata, and the cache of an IngestionPipeline takes "
                "one for another: load them with load_images, or set disable_cache=True.",
                alike,
                len(self.images),
            )
