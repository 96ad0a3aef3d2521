"""The backend of last resort: it reads the text in the image, on this machine, with nothing to download.

It quotes what it finds and measures colours and size. It is no vision-language model, so everything it says
is marked ``degraded``, and what it cannot know it declines to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from firellava.backends.base import AttemptContext, InProcessBackend
from firellava.backends.pictures import downloaded
from firellava.errors import UnsupportedCapability
from firellava.evidence import Evidence
from firellava.images import decode_image
from firellava.models import Capabilities, ImageLimits, ModelCard
from firellava.reader import answer
from firellava.replies import ReplyChunk

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from PIL import Image

    from firellava.evidence import Corners
    from firellava.messages import Request
    from firellava.reader import Answer, TextBox

__all__ = ["OfflineReader"]

_CARD = ModelCard(
    name="offline-reader",
    image_limits=ImageLimits.unlimited(),
    capabilities=Capabilities(image_urls=False, detail=False, json_schema=False),
)


class OfflineReader(InProcessBackend):
    """Reads and quotes the text in images, and reports their colours and size. It is not FireLLaVA.

    Attributes:
        max_side: pixels to which the long side of an image is scaled down before it is read.
    """

    kind: Literal["offline_reader"] = "offline_reader"
    max_side: int = 2048
    degraded: ClassVar[bool] = True

    @property
    def label(self) -> str:
        """``offline-reader``."""
        return "offline-reader"

    @property
    def model_card(self) -> ModelCard:
        """No tools, no schema, no image URLs."""
        return self.card or _CARD

    def replies(self, request: Request, context: AttemptContext) -> Generator[ReplyChunk, None, None]:
        """Read the images and answer the last question, in one piece; see `Backend.replies`."""
        parameters = request.parameters
        if parameters.tools or parameters.response_format:
            raise UnsupportedCapability("The offline reader calls no tools and fills in no schema.")
        sources = downloaded([part.source for part in request.images], context)
        images = [decode_image(source, max_side=self.max_side) for source in sources]
        users = [message.text for message in request.messages if message.role == "user" and message.text]
        found = answer(users[-1] if users else "", images)
        yield ReplyChunk(text=found.text, finish_reason="stop")
        yield ReplyChunk(
            model="offline-reader",
            confidence=found.confidence,
            evidence=_evidence(found, images),
            last=True,
        )


def _evidence(found: Answer, images: Sequence[Image.Image]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(quoted.box.text, _fractions(quoted.box, images[quoted.image]), quoted.image)
        for quoted in found.evidence
    )


def _fractions(box: TextBox, picture: Image.Image) -> Corners:
    first, second, third, fourth = ((x / picture.width, y / picture.height) for x, y in box.polygon)
    return first, second, third, fourth
