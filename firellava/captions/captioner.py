"""`Captioner`: asks for captions, one or any number at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from firellava.captions.run import Run
from firellava.captions.steps import acarry_out, carry_out
from firellava.errors import ConfigurationError, InvalidRequest
from firellava.in_order import in_order, in_order_async
from firellava.requests import chat_request, question_message
from firellava.settings import checked_count

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping

    from firellava.captions.cache import CaptionCache
    from firellava.captions.caption import Caption, CaptionFailed
    from firellava.client import VisionClient
    from firellava.images import ImageInput, ImageSource
    from firellava.messages import Request
    from firellava.replies import Reply

__all__ = ["DEFAULT_PROMPT", "Asker", "Captioner"]

_Sources = TypeVar("_Sources")

DEFAULT_PROMPT: Final = (
    "Describe this image for a search index, in plain sentences: what kind of picture it is, what it shows, "
    "and the names, numbers and places that someone may search for. Then transcribe the text in it, word for "
    "word."
)
"""Asks for what a search may be about. The offline reader understands it as a wish for the text."""


class Asker(Protocol):
    """Who puts the question: a `VisionClient`, or a framework's model, so that its callbacks see the call."""

    def ask(self, question: str, image: ImageSource, /, **parameters: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Ask one question about an image whose bytes or pixels are in memory.

        Raises:
            FireLLaVAError: there is no answer.
        """

    async def aask(self, question: str, image: ImageSource, /, **parameters: Any) -> Reply:  # noqa: ANN401
        """The asynchronous twin of `ask`."""


@dataclass(frozen=True, slots=True)
class Captioner:
    """Describes images, each once.

        captioner = Captioner(VisionClient(), cache=DiskCaptionCache("captions.db"))
        for caption in captioner.captions(Path("photos").glob("*.jpg")):
            print(caption.error if isinstance(caption, CaptionFailed) else caption.text)

    An image on the web is downloaded here, under the client's fetch policy: what is described is then what
    the caption's hash says, also when the URL shows something else one day.

    Attributes:
        client: who is asked.
        prompt: what is asked about each image.
        cache: where captions are kept beyond the run. A caption is found again by all that it depends on: the
            image's content, page and part, the prompt, the parameters, the model and how pictures are made
            for it.
        keep_degraded: keep what the offline reader says too. Otherwise it stands in for this once.
        parameters: what steers generation, such as ``max_tokens``; see `firellava.Parameters`.
        asker: who puts the question in the client's place, to the same model with the same settings.

    Raises:
        InvalidRequest: the prompt is empty, or a parameter is unknown or out of range.
    """

    client: VisionClient
    prompt: str = DEFAULT_PROMPT
    cache: CaptionCache | None = None
    keep_degraded: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    asker: Asker | None = None

    def __post_init__(self) -> None:
        _ = self.request  # what is wrong with it shows when the captioner is made

    @property
    def request(self) -> Request:
        """What is asked about every image, without one."""
        return chat_request([question_message(self.prompt, ())], dict(self.parameters), stream=False)

    def caption(self, source: ImageInput) -> Caption:
        """Describe one image.

        Raises:
            FireLLaVAError: it cannot be described; see `firellava.errors`.
        """
        return carry_out(Run(self).caption(source))

    async def acaption(self, source: ImageInput) -> Caption:
        """The asynchronous twin of `caption`."""
        return await acarry_out(Run(self).caption(source))

    def captions(
        self, sources: Iterable[ImageInput], *, concurrency: int = 8
    ) -> Generator[Caption | CaptionFailed, None, None]:
        """Describe any number of images, in order.

        An image that cannot be described takes its place as a `CaptionFailed`, and the others go on. What
        would befall every image (a key that is refused, an unknown model, a wrong setting, a budget that is
        spent) is raised. An image that comes again, among 10,000, is not asked about again: its caption says
        `from_cache`.

        Images are taken from `sources` when there is room for them. When the generator is left early, or
        raises, nothing more is asked; answers that are on their way still go to the cache.

        Args:
            sources: paths, bytes, Pillow images, arrays, URLs or `ImageSource` values; may be endless.
            concurrency: how many images are in memory, and asked about, at most.

        Raises:
            ConfigurationError: `concurrency` is no whole number from 1.
            InvalidRequest: `sources` is one image.
            FireLLaVAError: as said above.
        """
        run = Run(self)
        return run.until_left(in_order(run.attempt, _several(sources), _checked(concurrency)))

    def acaptions(
        self, sources: Iterable[ImageInput] | AsyncIterable[ImageInput], *, concurrency: int = 8
    ) -> AsyncGenerator[Caption | CaptionFailed, None]:
        """The asynchronous twin of `captions`. When the generator is closed early, open calls are cancelled.

        Args:
            sources: may be asynchronous too; an iterator that is not is read on a thread.
            concurrency: how many images are in memory, and asked about, at most.
        """
        return in_order_async(Run(self).aattempt, _several(sources), _checked(concurrency))


def _several(sources: _Sources) -> _Sources:
    if isinstance(sources, str | bytes | bytearray | memoryview):
        raise InvalidRequest("captions() takes several images; one goes into caption().")
    return sources


def _checked(concurrency: int) -> int:
    checked = checked_count("concurrency", concurrency)
    if checked is None:
        raise ConfigurationError("concurrency= takes a whole number from 1.")
    return checked
