"""What a question takes before it is asked: tokens, dollars, and whether it fits. Nothing is read or sent.

Images are counted, not opened: a model card with a rule makes their tokens exact, whatever their size and
wherever they are. Text is measured by a rule of thumb with a stated error (`firellava.costs.text_tokens`),
which the model's own replies improve (`firellava.costs.calibration`). What nobody knows is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from firellava.backends.fireworks import FireworksBackend
from firellava.costs.bounds import upper_bound
from firellava.costs.calibration import Calibration, calibration_of
from firellava.costs.prompts import CONTENT_FIELDS, prompt_text, prompt_tokens
from firellava.costs.text_tokens import text_tokens, vocabulary_of
from firellava.errors import CostUnknown
from firellava.messages import Request
from firellava.models import ModelCard
from firellava.replies import Usage
from firellava.requests import chat_request
from firellava.tiling import most_pictures
from firellava.tool_images import with_tool_images_placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firellava.backends.base import Backend
    from firellava.costs.bounds import TokenBound
    from firellava.costs.calibration import ObservedImages
    from firellava.costs.prices import Prices
    from firellava.costs.text_tokens import TextTokens
    from firellava.messages import Message
    from firellava.models import Fit

__all__ = [
    "Estimate",
    "ImageCount",
    "count_prompt_tokens",
    "count_text_tokens",
    "estimate",
    "estimate_request",
]

ImageCount: TypeAlias = Literal["exact", "at most", "observed", "unknown"]
"""How the tokens of images are known; see `Estimate`."""

_MICRODOLLAR: Final = Decimal("0.000001")
_CENT: Final = Decimal("0.01")
_VERDICTS: Final = {True: "it fits", False: "it does not fit", None: "whether it fits cannot be told"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request takes, as far as it is known before it is sent. Prints as a line.

    Attributes:
        model: the short name of the model.
        image_count: images in the conversation.
        picture_count: pictures they become at most: more than there are images where they may be cut
            (``fit="tiles"``), which depends on their sizes, and those are not looked at.
        image_tokens: what the pictures take together, or None where that is unknown.
        image_tokens_are: ``exact`` by the model card's rule, ``at most`` by that rule where images may be
            cut, ``observed`` as the mean of earlier replies' images, which these may differ from, or
            ``unknown``.
        images_observed: what those replies were like, where it is ``observed``.
        text_tokens: all that is written, tools and role marks included, about.
        text_error: how far off `text_tokens` may be, as a share of it: 0.2 is a fifth more or less. It holds
            for 19 in 20 texts; `TextTokens` says which have more. What a server adds on its own is part of
            it only once replies were seen.
        prompt_tokens: text and images, about; None where the images are unknown or ``extra_body`` replaces
            the content.
        prompt_tokens_at_most: what the prompt can be billed for at most, or None where nothing bounds it. It
            is never more than the context window, since longer prompts are refused.
        completion_tokens_at_most: all answers together at most, or None without ``max_tokens``.
        context_window: tokens of prompt and one answer together, or None.
        fits: whether the prompt and a whole answer, or one token of it where ``max_tokens`` is not given, fit
            the context window. True only if they do with all of `text_error` added or at the upper bound,
            with images by a rule or bound of the card; False only if they do not with it taken off; None in
            between, and where images that were merely observed or an unknown window decide. Where
            ``context_length_exceeded_behavior`` is ``truncate``, the API's default, a prompt whose answer
            does not fit is answered more briefly.
        prompt_cost_usd: dollars before the answer, about; None where tokens or price are unknown.
        cost_usd_at_most: dollars at most, or None where tokens are unbounded or the price is unknown.
    """

    model: str
    image_count: int
    picture_count: int
    image_tokens: int | None
    image_tokens_are: ImageCount
    images_observed: ObservedImages | None
    text_tokens: int
    text_error: float
    prompt_tokens: int | None
    prompt_tokens_at_most: int | None
    completion_tokens_at_most: int | None
    context_window: int | None
    fits: bool | None
    prompt_cost_usd: Decimal | None
    cost_usd_at_most: Decimal | None

    def rows(self) -> list[tuple[str, str]]:
        """What a person wants to read: names and values."""
        return [
            ("Model", self.model),
            ("Images", self._images()),
            ("Text", f"about {self.text_tokens:,} tokens, ±{self.text_error:.0%}"),
            ("Prompt", self._prompt()),
            ("Answer", _at_most(self.completion_tokens_at_most) or "no max_tokens was given"),
            ("Context window", self._window()),
            ("Cost before the answer", _dollars(self.prompt_cost_usd, "about ")),
            ("Cost at most", _dollars(self.cost_usd_at_most, rounding=ROUND_CEILING)),
        ]

    def __str__(self) -> str:
        (_, model), *rows = self.rows()
        return f"{model}: " + "; ".join(f"{name.lower()} {value}" for name, value in rows)

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.rows()
        )
        return f"<table>{rows}</table>"

    def _images(self) -> str:
        if not self.image_count:
            return "none"
        if self.image_tokens is None:
            return f"{self._count()}, of unknown tokens until replies of this model were seen"
        if self.image_tokens_are == "at most":
            return f"{self._count()}, at most {self.image_tokens:,} tokens"
        if (seen := self.images_observed) is None:
            return f"{self._count()}, {self.image_tokens:,} tokens"
        return (
            f"{self._count()}, about {self.image_tokens:,} tokens, if each takes what images did before: "
            f"{seen.lowest:,} to {seen.highest:,} in {seen.replies} replies"
        )

    def _count(self) -> str:
        if self.picture_count == self.image_count:
            return f"{self.image_count}"
        return f"{self.image_count} as up to {self.picture_count} pictures"

    def _prompt(self) -> str:
        about, most = self.prompt_tokens, self.prompt_tokens_at_most
        parts = ["unknown" if about is None else f"about {about:,} tokens"]
        if most is not None and most >= (about or 0):
            parts.append(_at_most(most))
        return ", ".join(parts)

    def _window(self) -> str:
        if self.context_window is None:
            return "unknown"
        return f"{self.context_window:,} tokens, {_VERDICTS[self.fits]}"


def count_prompt_tokens(
    messages: Sequence[Message],
    card: ModelCard,
    calibration: Calibration | None = None,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
) -> int:
    """About how many prompt tokens these messages take: images by the card's rule, text approximately.

    Where the card has no rule, an image takes what images took in earlier replies, or else the card's
    ``image_token_bound``.

    Args:
        messages: the conversation; its images are counted, not opened.
        card: the model that would be asked.
        calibration: what earlier replies taught (`calibration_of` the backend's label), or None.
        tools: schemas of the tools that go along.

    Raises:
        CostUnknown: there are images, and neither a rule, nor a reply seen, nor a bound says what one takes.
    """
    known = calibration or Calibration()
    messages = with_tool_images_placed(Request(tuple(messages)), card).messages
    text = prompt_tokens(prompt_text(messages, tools), vocabulary_of(card), messages=len(messages))
    count = sum(len(message.images) for message in messages)
    return known.prompt(text).count + (count * _tokens_per_image(card, known.images) if count else 0)


def count_text_tokens(text: str, card: ModelCard, calibration: Calibration | None = None) -> int:
    """About how many tokens a text has for this model, without the marks of a message around it."""
    measured = text_tokens(text, vocabulary_of(card))
    return (measured if calibration is None else calibration.text(measured)).count


def estimate(
    messages: Sequence[Message],
    model: str | ModelCard | None = None,
    **parameters: Any,  # noqa: ANN401 - see Parameters
) -> Estimate:
    """What the API would take for this conversation. Nothing is read, fetched or sent.

    Args:
        messages: the conversation; its images may be files, URLs or anything else, and are not opened.
        model: a model of the API or its card; default ``FIRELLAVA_MODEL``, else FireLLaVA-13b.
        parameters: see `Parameters`; ``max_tokens`` bounds the cost of the answer.

    Raises:
        InvalidRequest: there is no message, or a parameter is unknown, out of range or no JSON.
        ConfigurationError: the price file is missing or malformed.
    """
    settings: dict[str, Any] = {}
    if isinstance(model, ModelCard):
        settings = {"model": model.name, "card": model}
    elif model is not None:
        settings = {"model": model}
    return estimate_request(chat_request(messages, parameters, stream=False), FireworksBackend(**settings))


def estimate_request(request: Request, backend: Backend, fit: Fit | None = None) -> Estimate:
    """What a request takes if this backend answers it. Nothing of it is read, fetched or sent.

    `fit` is how images are wanted, or None for the model card's way.

    Raises:
        InvalidRequest: the tools are no JSON.
        ConfigurationError: the price file is missing or malformed.
    """
    card, calibration = backend.model_card, calibration_of(backend.label)
    request = with_tool_images_placed(request, card)
    prices, bound = backend.prices_for(request), upper_bound(request, card, fit)
    images, pictures = len(request.images), most_pictures(request, card, fit)
    observed = calibration.images if images and card.tokens_per_image is None else None
    text = _text(request, card, calibration)
    image_tokens = _image_tokens(pictures, card, observed)
    certainty: ImageCount = "exact" if pictures == images else "at most"
    prompt = None if image_tokens is None or _is_replaced(request) else text.count + image_tokens
    if prompt is not None and bound.prompt is not None and bound.prompt != card.context_window:
        prompt = min(prompt, bound.prompt)
    return Estimate(
        model=card.name,
        image_count=images,
        image_tokens=image_tokens,
        picture_count=pictures,
        image_tokens_are="unknown" if image_tokens is None else "observed" if observed else certainty,
        images_observed=observed,
        text_tokens=text.count,
        text_error=text.error,
        prompt_tokens=prompt,
        prompt_tokens_at_most=bound.prompt,
        completion_tokens_at_most=bound.completion,
        context_window=card.context_window,
        fits=_fits(request, card, text, bound, pictures),
        prompt_cost_usd=_cost(prices, prompt, 0),
        cost_usd_at_most=_cost(prices, bound.prompt, bound.completion),
    )


def _text(request: Request, card: ModelCard, calibration: Calibration) -> TextTokens:
    written = prompt_text(request.messages, request.parameters.tools or ())
    return calibration.prompt(
        prompt_tokens(
            written, vocabulary_of(card), messages=len(request.messages), completion=request.completion
        )
    )


def _tokens_per_image(card: ModelCard, observed: ObservedImages | None) -> int:
    if card.tokens_per_image is not None:
        return card.tokens_per_image
    if observed is not None:
        return observed.mean
    if card.image_token_bound is not None:
        return card.image_token_bound
    raise CostUnknown(
        f"Nobody says how many tokens {card.name} counts for an image. Ask it once, and its reply tells; or "
        "say what you know: card=model_card(…).model_copy(update={'tokens_per_image': …}), or "
        "'image_token_bound' for the most an image can take."
    )


def _image_tokens(pictures: int, card: ModelCard, observed: ObservedImages | None) -> int | None:
    if not pictures:
        return 0
    if card.tokens_per_image is not None:
        return pictures * card.tokens_per_image
    return None if observed is None else pictures * observed.mean


def _is_replaced(request: Request) -> bool:
    return not CONTENT_FIELDS.isdisjoint(request.parameters.extra_body or ())


def _fits(
    request: Request, card: ModelCard, text: TextTokens, bound: TokenBound, pictures: int
) -> bool | None:
    window, images = card.context_window, len(request.images)
    if window is None or _is_replaced(request):
        return None
    answers = request.parameters.n or 1
    room = window - max(1, -(-(bound.completion or 0) // answers))
    if text.count * (1 - text.error) + images * (card.tokens_per_image or 0) > room:
        return False
    most = card.image_token_bound if card.tokens_per_image is None else card.tokens_per_image
    if images and most is None:
        return None
    # The bound stops at the window, so that only what lies below says something.
    surely = bound.prompt is not None and bound.prompt <= min(room, window - 1)
    likely = text.count * (1 + text.error) + pictures * (most or 0) <= room
    return True if surely or likely else None


def _cost(prices: Prices | None, prompt: int | None, completion: int | None) -> Decimal | None:
    if prices is None:
        return None
    if prices.free:
        return Decimal(0)
    if prompt is None or completion is None:
        return None
    return prices.cost(Usage(prompt, completion, prompt + completion))


def _at_most(tokens: int | None) -> str:
    return "" if tokens is None else f"at most {tokens:,} tokens"


def _dollars(amount: Decimal | None, prefix: str = "", *, rounding: str = ROUND_HALF_EVEN) -> str:
    if amount is None:
        return "unknown"
    rounded = amount.quantize(_MICRODOLLAR, rounding=rounding).normalize()
    return f"{prefix}${max(rounded, rounded.quantize(_CENT), key=_places):f}"


def _places(amount: Decimal) -> int:
    return -int(amount.as_tuple().exponent)
