"""`VisionClient`: the whole core behind one object, for those who use no framework and for both adapters."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from firellava.backends import engines
from firellava.backends.base import AttemptContext, Backend
from firellava.backends.http import HTTPBackend
from firellava.backends.pictures import ImageURLs, pictures_of
from firellava.costs.budget import Spending
from firellava.costs.estimate import estimate_request
from firellava.costs.needs import needed
from firellava.errors import BudgetExceeded
from firellava.images.fetch_policy import FetchPolicy
from firellava.images.files import as_folders
from firellava.limits import LimitsPolicy
from firellava.models import Fit
from firellava.offload import in_thread
from firellava.pipeline import Pipeline
from firellava.requests import (
    chat_request,
    completion_request,
    question_message,
)
from firellava.routing.events import Automatic
from firellava.routing.policy import FALLBACK_REASONS, Timing
from firellava.settings import (
    checked_budget,
    checked_choice,
    checked_count,
    checked_fetch_policy,
    checked_hooks,
    checked_retries,
    checked_seconds,
    error_classes,
    fallbacks,
    first_backend,
    tag_names,
)

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    import httpx
    from pydantic import SecretStr

    from firellava.costs.budget import Budget
    from firellava.costs.estimate import Estimate
    from firellava.costs.prices import Prices
    from firellava.errors import FireLLaVAError
    from firellava.hooks import CallHook
    from firellava.images import ImageInput, PreparedImage
    from firellava.messages import Message
    from firellava.models import ModelCard
    from firellava.replies import Reply, ReplyChunk
    from firellava.settings import Fallback

__all__ = ["VisionClient"]


class VisionClient:
    """Asks questions about images, of the API first and of this machine where that is wanted.

    Clients are cheap: they hold no connection, can be shared between threads and event loops, and need no
    closing. Only a model in this process (`LlamaCppBackend`, `TransformersBackend`) takes memory that
    `close`, or a ``with`` block, gives back before the process ends; it stays while another client wants it.

    Long conversations: the API keeps no state, so every image is sent again with every turn. Its makers
    advise URLs instead of inlined images there; URLs are passed through and not downloaded here.

    Args:
        model: a model of the API, short or full; default ``FIRELLAVA_MODEL``, else FireLLaVA-13b.
        api_key: default ``FIREWORKS_API_KEY``. Constructing without one is fine; calling raises `MissingKey`
            unless there is a fallback.
        base_url: default ``FIREWORKS_API_BASE``, else the public service.
        backend: what to ask first, in the place of the three above.
        card: what is known about the model, as a card or the name of one. A deployment of your own keeps
            FireLLaVA's rules with ``card="firellava-13b"``.
        fallback: what answers when the first backend cannot: a backend, several in order, ``"auto"`` for what
            this machine has, or None to raise the error.
        timeout: seconds for one attempt, until its reply or the first piece of a stream is there, and
            between pieces.
        deadline: seconds for all attempts of all backends together.
        max_retries: further attempts of the same backend, where another one makes sense.
        local_only: ask nothing but this machine, ever. Backends elsewhere are left out; where none is left,
            what ``fallback="auto"`` finds is asked.
        fallback_on: the errors, as classes or by name, for which the next backend is asked; every other one
            is raised. By default `firellava.routing.policy.FALLBACK_REASONS`.
        prices: dollars per million tokens, where you know better than the price list (`Prices`).
        budget: what may be spent; share one between clients.
        hooks: who is told of each call when it is over, such as a `Ledger`; see `firellava.hooks`.
        fit: how images are made to fit, where the model card is not to decide (`firellava.models.Fit`).
            ``"tiles"`` shows a page in parts too, so that a model reads small text; each counts as an image.
        limits: what is done about the limits of the model card (images, bytes, context window): ``"adjust"``
            makes images smaller where that helps, tells so in `Reply.adjustments`, and raises where it does
            not; ``"strict"`` raises; ``"off"`` leaves it to the server.
        image_urls: what is done with images given by URL where the backend takes URLs: ``"pass"`` them on;
            ``"check"`` each by downloading it here too, and inline it where the server would drop it;
            ``"inline"`` all of them.
        fetch_policy: what may be downloaded here, for checking, inlining and backends that take no URLs.
        keep_images: how many images of a conversation are sent, the newest; a text stands where an older one
            was. By default all. A raw prompt with more of them is refused.
        image_roots: a folder or folders from which images may be read; anywhere by default. Set it wherever
            paths come from others.
        describe_metadata: names of EXIF tags (``["DateTime"]``) to tell the model as text. Images themselves
            are always sent without metadata.
        http_client: your own `httpx.Client` for synchronous calls; it stays yours to close.
        http_async_client: your own `httpx.AsyncClient` for asynchronous calls.
        key_withheld: an `api_key` was given before, and stayed behind when these settings were pickled or
            stored: calling raises `ConfigurationError`, and is no reason to fall back.

    Raises:
        ConfigurationError: a setting is wrong or contradicts another.
    """

    def __init__(  # noqa: PLR0913 - each argument is a setting
        self,
        model: str | None = None,
        *,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        backend: Backend | None = None,
        card: ModelCard | str | None = None,
        fallback: Fallback = None,
        timeout: float | None = 60.0,
        deadline: float | None = None,
        max_retries: int = 2,
        local_only: bool = False,
        fallback_on: Sequence[type[FireLLaVAError] | str] | None = None,
        prices: Prices | Mapping[str, Any] | None = None,
        budget: Budget | None = None,
        hooks: Sequence[CallHook] = (),
        fit: Fit | None = None,
        limits: LimitsPolicy = "adjust",
        image_urls: ImageURLs = "pass",
        fetch_policy: FetchPolicy | None = None,
        keep_images: int | None = None,
        image_roots: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        describe_metadata: str | Sequence[str] = (),
        http_client: httpx.Client | None = None,
        http_async_client: httpx.AsyncClient | None = None,
        key_withheld: bool = False,
    ) -> None:
        asked = {"model": model, "api_key": api_key, "base_url": base_url}
        self._first = first_backend(backend, card, prices, key_withheld=key_withheld, **asked)
        self._fallbacks = fallbacks(fallback)
        reasons = FALLBACK_REASONS if fallback_on is None else error_classes(fallback_on)
        budget = checked_budget(budget)
        if budget is not None and budget.when_exhausted == "fallback":
            reasons += (BudgetExceeded,)
        self._context = AttemptContext(
            fit=None if fit is None else checked_choice("fit", fit, Fit),
            limits=checked_choice("limits", limits, LimitsPolicy),
            image_urls=checked_choice("image_urls", image_urls, ImageURLs),
            fetch_policy=checked_fetch_policy(fetch_policy) or FetchPolicy(),
            idle_seconds=timeout,
            http_client=http_client,
            http_async_client=http_async_client,
        )
        self._pipeline = Pipeline(
            backends=(self._first, *self._fallbacks),
            local_only=local_only,
            timing=Timing(
                timeout=checked_seconds("timeout", timeout),
                deadline=checked_seconds("deadline", deadline),
                max_retries=checked_retries(max_retries),
            ),
            fallback_on=reasons,
            context=self._context,
            budget=budget,
            hooks=checked_hooks(hooks),
            keep_images=checked_count("keep_images", keep_images),
            image_roots=None if image_roots is None else as_folders(image_roots),
            describe_metadata=tag_names(describe_metadata),
        )

    def __repr__(self) -> str:
        """The backends by their labels; nothing secret."""
        labels = [other.label for other in self._fallbacks if not isinstance(other, Automatic)]
        fallback = labels or ("auto" if self._fallbacks else None)
        return f"VisionClient({self._first.label!r}, fallback={fallback!r})"

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close it, on a thread, since an engine may have to finish its last token."""
        await in_thread(self.close)

    def close(self) -> None:
        """Give back the models that only this client had open. A later call opens them again."""
        engines.release(self._pipeline)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The backends in the order in which they are asked; for ``"auto"`` this machine is searched now."""
        found: list[Backend] = []
        for backend in self._pipeline.order:
            if not isinstance(backend, Automatic):
                found.append(backend)
            else:
                found += [other for other in self._pipeline.discover(None) if other not in found]
        return tuple(found)

    @property
    def backend(self) -> Backend:
        """What is asked first."""
        return self._first

    @property
    def model_card(self) -> ModelCard:
        """What is known about the model that is asked first."""
        return self._first.model_card

    @property
    def image_roots(self) -> tuple[Path, ...] | None:
        """The folders from which images may be read, or None for any."""
        return self._pipeline.image_roots

    @property
    def fetch_policy(self) -> FetchPolicy:
        """What may be downloaded here."""
        return self._context.fetch_policy

    @property
    def answers_depend_on(self) -> dict[str, Any]:
        """What tells the answers of the model that is asked first from another's, as plain JSON values.

        Settings left at their defaults are not in it, nor is what does not change an answer (prices, times),
        so that what is kept under them is found again with the next version of this package.
        """
        told = self._first.model_dump(
            mode="json", exclude={"card", "prices", "key_withheld"}, exclude_defaults=True
        )
        card, context = self.model_card, self._context
        return {
            "backend": {"label": self._first.label, **told},
            "card": card.name,
            "target": card.image_target.model_dump(mode="json"),
            "fit": context.fit,
            "limits": context.limits,
            "described_metadata": self._pipeline.describe_metadata,
        }

    def may_be_answered_by(self, label: str) -> bool:
        """Whether a reply may carry this label of a backend: it is asked, or whatever is found here is."""
        return any(isinstance(other, Automatic) or other.label == label for other in self._pipeline.order)

    def estimate(self, messages: Sequence[Message], **parameters: Any) -> Estimate:  # noqa: ANN401 - see Parameters
        """What `chat` would take, in tokens and dollars, of the model that is asked first.

        Nothing is read, downloaded or sent: an image costs no more to count than its place in the message.
        The more replies of the model this process has seen, the closer it gets; how close is in the estimate.

        Raises:
            InvalidRequest: there is nothing to answer, or a parameter is unknown or out of range.
        """
        request = self._pipeline.bounded(chat_request(messages, parameters, stream=False))
        return estimate_request(request, self._first, request.fit or self._context.fit)

    def preview(self, messages: Sequence[Message]) -> tuple[tuple[PreparedImage | str, ...], ...]:
        """What the model that is asked first would be shown, without asking it.

        Returns:
            For each image of the conversation its pictures: the whole, then the parts where it is cut
            (``fit="tiles"``). A URL stands for a picture that its server would download.

        Raises:
            ImageError: there is no picture to be had from an image.
            InvalidRequest: there is nothing to answer, or more than the model takes.
        """
        request = self._pipeline.load(self._pipeline.bounded(chat_request(messages, {}, stream=False)))
        card, context = self.model_card, replace(self._context, fetched={})
        takes_urls = card.capabilities.image_urls and isinstance(self._first, HTTPBackend)
        return pictures_of(request, card, context, takes_urls=takes_urls).by_image

    def spending_at_most(
        self,
        messages: Sequence[Message],
        budget: Budget,
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Spending:
        """What `chat` may take of a budget at most, by the costliest backend that may be asked.

        It is counted as far as the budget's limits ask for it, and nothing is sent or set aside.

        Raises:
            CostUnknown: that cannot be known, and the budget refuses what is unknown.
            InvalidRequest: there is nothing to answer, or a parameter is unknown or out of range.
        """
        request = budget.bounded(self._pipeline.bounded(chat_request(messages, parameters, stream=False)))
        if self._pipeline.describe_metadata:  # which adds to the text
            request = self._pipeline.load(request)
        known = [backend for backend in self._pipeline.order if not isinstance(backend, Automatic)]
        fit = request.fit or self._context.fit
        each = [needed(budget, request, backend, fit) for backend in known if not backend.is_free]
        return Spending(
            usd=max((spending.usd for spending in each), default=Decimal(0)),
            tokens=max((spending.tokens for spending in each), default=0),
            calls=1,
        )

    def ask(self, question: str, *images: ImageInput, **parameters: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Ask one question about any number of images.

        Args:
            question: the question.
            images: paths, bytes, PIL images, URLs, data URLs or `ImageSource` values.
            parameters: see `Parameters`; ``fit=`` says how these images are made to fit.

        Raises:
            FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
        """
        return self.chat([question_message(question, images)], **parameters)

    async def aask(self, question: str, *images: ImageInput, **parameters: Any) -> Reply:  # noqa: ANN401
        """The asynchronous twin of `ask`."""
        return await self.achat([question_message(question, images)], **parameters)

    def chat(self, messages: Sequence[Message], **parameters: Any) -> Reply:  # noqa: ANN401 - see Parameters
        """Answer a conversation.

        Raises:
            FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
        """
        return _whole(self._pipeline.replies(chat_request(messages, parameters, stream=False)))

    async def achat(self, messages: Sequence[Message], **parameters: Any) -> Reply:  # noqa: ANN401
        """The asynchronous twin of `chat`."""
        return await _awhole(self._pipeline.areplies(chat_request(messages, parameters, stream=False)))

    def stream(
        self,
        messages: Sequence[Message],
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Generator[ReplyChunk, None, None]:
        """Answer a conversation piece by piece; the last piece carries the whole reply.

        Nothing is retried or switched after the first piece. Closing the generator closes the connection.

        Raises:
            StreamBroken: the reply broke off; what had come is in ``partial_text``.
            FireLLaVAError: see `firellava.errors`.
        """
        return self._pipeline.replies(chat_request(messages, parameters, stream=True))

    def astream(
        self,
        messages: Sequence[Message],
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> AsyncGenerator[ReplyChunk, None]:
        """The asynchronous twin of `stream`."""
        return self._pipeline.areplies(chat_request(messages, parameters, stream=True))

    def complete(self, prompt: str, images: Sequence[ImageInput] = (), **parameters: Any) -> Reply:  # noqa: ANN401
        """Continue a raw prompt through the completions API.

        Args:
            prompt: the prompt in the model's own template (`ModelCard.template` renders FireLLaVA's), with
                ``<image>`` where each image belongs.
            images: one for each ``<image>``.
            parameters: see `Parameters`.

        Raises:
            FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
        """
        return _whole(self._pipeline.replies(completion_request(prompt, images, parameters, stream=False)))

    async def acomplete(
        self,
        prompt: str,
        images: Sequence[ImageInput] = (),
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Reply:
        """The asynchronous twin of `complete`."""
        return await _awhole(
            self._pipeline.areplies(completion_request(prompt, images, parameters, stream=False))
        )

    def stream_complete(
        self,
        prompt: str,
        images: Sequence[ImageInput] = (),
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> Generator[ReplyChunk, None, None]:
        """`complete`, piece by piece."""
        return self._pipeline.replies(completion_request(prompt, images, parameters, stream=True))

    def astream_complete(
        self,
        prompt: str,
        images: Sequence[ImageInput] = (),
        **parameters: Any,  # noqa: ANN401 - see Parameters
    ) -> AsyncGenerator[ReplyChunk, None]:
        """The asynchronous twin of `stream_complete`."""
        return self._pipeline.areplies(completion_request(prompt, images, parameters, stream=True))


def _whole(chunks: Generator[ReplyChunk, None, None]) -> Reply:
    for chunk in chunks:
        last = chunk
    return _reply(last)


async def _awhole(chunks: AsyncGenerator[ReplyChunk, None]) -> Reply:
    async for chunk in chunks:
        last = chunk
    return _reply(last)


def _reply(last: ReplyChunk) -> Reply:
    if last.reply is None:
        raise RuntimeError("A driver ended without an error and without a reply.")
    return last.reply
