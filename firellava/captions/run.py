"""One run over some images: each is read, looked up, described and kept, several at the same time."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import CancelledError, Future, wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from firellava.captions.cache import MemoryCaptionCache
from firellava.captions.caption import Caption, CaptionFailed
from firellava.captions.identity import CaptionedImage, caption_key
from firellava.captions.steps import Step, acarry_out, blocking, carry_out
from firellava.errors import FireLLaVAError, UnreadableReply, UnsupportedCapability
from firellava.failures import concerns_every_question
from firellava.images import ImageSource
from firellava.images.fetch import afetch_image, fetch_image

if TYPE_CHECKING:
    from collections.abc import Generator

    from firellava.captions.captioner import Captioner
    from firellava.captions.steps import Steps
    from firellava.images import ImageInput
    from firellava.replies import Reply

__all__ = ["Run", "concerns_every_image"]

_logger = logging.getLogger("firellava")


def concerns_every_image(error: FireLLaVAError) -> bool:
    """Whether asking about the next image would fail in the same way."""
    return concerns_every_question(error, UnsupportedCapability)


class Run:
    """What was described in a run over images, and what is being described now.

    Args:
        captioner: says who is asked what.
    """

    def __init__(self, captioner: Captioner) -> None:
        self._captioner = captioner
        self._request = captioner.request
        self._described = MemoryCaptionCache()
        self._underway: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._left = False

    def until_left(
        self, results: Generator[Caption | CaptionFailed, None, None]
    ) -> Generator[Caption | CaptionFailed, None, None]:
        """The results; once they are left, nobody is asked any more."""
        try:
            yield from results
        finally:
            self._left = True

    def attempt(self, given: ImageInput) -> Caption | CaptionFailed:
        """The caption of an image, or why there is none.

        Raises:
            FireLLaVAError: it concerns every image.
        """
        return carry_out(self._attempt(given))

    async def aattempt(self, given: ImageInput) -> Caption | CaptionFailed:
        """The asynchronous twin of `attempt`."""
        return await acarry_out(self._attempt(given))

    def _attempt(self, given: ImageInput) -> Steps[Caption | CaptionFailed]:
        try:
            image = yield from self._read(given)
        except FireLLaVAError as error:  # also that an extra is missing: only some images are PDFs
            return CaptionFailed(given, error)
        try:
            return (yield from self._describe(image))
        except FireLLaVAError as error:
            if concerns_every_image(error):
                raise
            return CaptionFailed(given, error)

    def caption(self, given: ImageInput) -> Steps[Caption]:
        """The caption of an image.

        Raises:
            FireLLaVAError: there is none.
        """
        image = yield from self._read(given)
        return (yield from self._describe(image))

    def _read(self, given: ImageInput) -> Steps[CaptionedImage]:
        source, client = ImageSource.of(given), self._captioner.client
        if source.url is not None:
            download = (source.url, client.fetch_policy)
            source = yield Step(partial(fetch_image, *download), partial(afetch_image, *download))
        image: CaptionedImage = yield blocking(CaptionedImage.read, source, client.image_roots)
        return image

    def _describe(self, image: CaptionedImage) -> Steps[Caption]:
        key = caption_key(self._captioner.client, self._request, image)
        while (other := self._claim(key)) is not None:
            yield Step(partial(wait, [other]), partial(_wait, other))
        try:
            known: Caption | None = yield blocking(self._find, key)
            if known is not None:
                return replace(known, from_cache=True)
            caption = _caption(image, (yield self._question(image)))
            yield blocking(self._keep, key, caption)
            return caption
        finally:
            self._release(key)

    def _question(self, image: CaptionedImage) -> Step:
        if self._left:
            raise CancelledError
        captioner = self._captioner
        asker = captioner.asker or captioner.client
        return Step(
            partial(asker.ask, captioner.prompt, image.source, **captioner.parameters),
            partial(asker.aask, captioner.prompt, image.source, **captioner.parameters),
        )

    def _claim(self, key: str) -> Future[None] | None:
        """Take on an image; or, where someone else has, what tells when that is over."""
        with self._lock:
            other = self._underway.get(key)
            if other is None:
                self._underway[key] = Future()
            return other

    def _release(self, key: str) -> None:
        with self._lock:
            claim = self._underway.pop(key)
        claim.set_result(None)

    def _find(self, key: str) -> Caption | None:
        captioner = self._captioner
        known = self._described.get(key)
        if known is not None or captioner.cache is None:
            return known
        known = captioner.cache.get(key)
        if known is None or (known.degraded and not captioner.keep_degraded):
            return None
        # A fallback's caption is none of a client that would not have asked the fallback.
        return known if captioner.client.may_be_answered_by(known.backend) else None

    def _keep(self, key: str, caption: Caption) -> None:
        captioner = self._captioner
        self._described.put(key, caption)
        if captioner.cache is None or (caption.degraded and not captioner.keep_degraded):
            return
        try:
            captioner.cache.put(key, caption)
        except Exception as error:  # noqa: BLE001 - a caption that was paid for is handed over all the same
            # Nobody knows what a cache of others writes into its messages.
            told = error if isinstance(error, FireLLaVAError) else type(error).__name__
            _logger.warning("A caption could not be kept. %s", told)


async def _wait(other: Future[None]) -> None:
    await asyncio.wait([asyncio.wrap_future(other)])


def _outage(reply: Reply) -> FireLLaVAError | None:
    """Why a vision model did not answer, where it may answer the next time: the image is not to blame."""
    errors = (attempt.error for attempt in reversed(reply.fallback_from))
    return next((error for error in errors if error is not None and not concerns_every_image(error)), None)


def _caption(image: CaptionedImage, reply: Reply) -> Caption:
    """The caption that a reply holds.

    Raises:
        UnreadableReply: it holds none: no word, or the offline reader's refusal.
        FireLLaVAError: the offline reader refused, and was asked only because of this, which may pass.
    """
    text = reply.text.strip()
    refused = reply.degraded and reply.confidence == 0
    if refused and (outage := _outage(reply)) is not None:
        raise outage
    if refused or not text:
        said = "found nothing to tell" if refused else "answered without a word"
        error = UnreadableReply(f"{reply.backend} {said} about {image.source.name}: there is no caption.")
        error.backend, error.may_be_billed = reply.backend, reply.cost_usd != 0
        raise error
    return Caption(
        text=text,
        content_hash=image.content_hash,
        mime_type=image.mime_type,
        size=image.size,
        page=image.source.page,
        usage=reply.usage,
        cost_usd=reply.cost_usd,
        model=reply.model,
        backend=reply.backend,
        degraded=reply.degraded,
    )
