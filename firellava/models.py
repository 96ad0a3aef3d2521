"""Model cards: what is known about a model, as data.

A card says how large the context window is, how images are counted, which images are accepted, what the
model can do and what it costs. Code asks the card, never the model's name. `model_card` finds a card in
the catalogue; anything a card states can be changed with ``card.model_copy(update={…})``.

Sources: Fireworks' "Querying vision-language models" (limits, the 576-token rule, the template) and its
model library and price page as read in November 2026. What nobody published is None.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from firellava.costs.prices import Prices
from firellava.errors import ConfigurationError
from firellava.replies import Usage

__all__ = [
    "DEFAULT_MODEL",
    "Capabilities",
    "Fit",
    "ImageFormat",
    "ImageLimits",
    "ImageTarget",
    "ModelCard",
    "PromptTemplate",
    "ToolImages",
    "card_by_name",
    "catalogue",
    "expand_model_name",
    "model_card",
]

DEFAULT_MODEL = "firellava-13b"
"""The model of the API document; `FIRELLAVA_MODEL` or an argument choose another."""

_MODELS = "accounts/fireworks/models/"

Fit = Literal["letterbox", "contain", "tiles", "none"]
"""How an image is made to fit.

``letterbox`` pads it to the model's square. ``contain`` scales it down to a longest side. ``tiles`` shows a
large one as a whole and in overlapping parts, each a picture of its own, as many as the image count and the
context window leave room for: for text that one picture would make too small to read. ``none`` leaves the
pixels as they are; only metadata is cut out, and what is on its side, of other colours than sRGB, or of a
format that cannot be cleaned or is not accepted, is encoded anew.
"""

ImageFormat = Literal["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP"]
"""Formats by the names Pillow's decoders give them."""

ToolImages = Literal["native", "hoisted", "text"]
"""Where images in the results of tools go.

``native`` leaves them in the tool message. ``hoisted`` moves them into a user message after the tool messages
that answer the same message, with a text that names the call: any model that sees images takes that. ``text``
sends a text in their place, for models that see no images while they use tools.
"""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageTarget(_Data):
    """The picture a model wants.

    Attributes:
        fit: see `Fit`.
        side: pixels of the square, or of the longer side.
        background: red, green and blue of the padding and of what shines through transparency.
    """

    fit: Fit = "contain"
    side: int = Field(default=1568, gt=0)
    background: tuple[int, int, int] = (255, 255, 255)

    def of_each(self, fit: Fit | None = None) -> Self:
        """What each single picture is made for, where images are wanted as `fit`, or as the card says.

        The overview and the parts of a tiled image are made as the card says; where it says ``tiles``, they
        are padded to its square, which every server understands alike.
        """
        wanted = fit or self.fit
        if wanted == "tiles":
            wanted = "contain" if self.fit == "contain" else "letterbox"
        return self if wanted == self.fit else self.model_copy(update={"fit": wanted})


class ImageLimits(_Data):
    """What the server accepts. None means that no limit is documented.

    Attributes:
        count: images in one request.
        request_bytes: the whole request: its text, and its inlined images as base64.
        image_bytes: one image, as a file, inlined or given by URL.
        url_seconds: time the server allows itself for downloading the images given by URL.
        formats: formats the server decodes.
    """

    count: int | None = 30
    request_bytes: int | None = 10_000_000
    image_bytes: int | None = 5_000_000
    url_seconds: float | None = 1.5
    formats: tuple[ImageFormat, ...] = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM")

    @classmethod
    def unlimited(cls, *formats: ImageFormat) -> Self:
        """Nothing but the formats counts, as with a model on one's own machine; by default the usual ones."""
        counted = {"count": None, "request_bytes": None, "image_bytes": None, "url_seconds": None}
        return cls.model_validate(counted | ({"formats": formats} if formats else {}))


class Capabilities(_Data):
    """What a model and its server can do.

    Attributes:
        image_urls: the server downloads images from http(s) URLs.
        detail: the server takes the ``detail`` hint.
        several_images: the model was trained with more than one image in a conversation.
        tools: the model calls tools.
        json_schema: the server constrains output to a JSON schema.
        completions: the completions API takes images for this model, at its ``<image>`` tokens.
        tool_images: where images in tool messages go.
        tool_choice_objects: a tool may be chosen by an object that names it, not by a word alone.
        unsupported_fields: fields of requests and messages that the server does not know; they only steer,
            and are left out.
    """

    image_urls: bool = True
    detail: bool = True
    several_images: bool = True
    tools: bool = False
    json_schema: bool = True
    completions: bool = False
    tool_images: ToolImages = "hoisted"
    tool_choice_objects: bool = True
    unsupported_fields: frozenset[str] = frozenset()


class PromptTemplate(_Data):
    """How a completions prompt is written for a model, with ``{system}`` and ``{user}`` to fill in."""

    with_system: str
    without_system: str

    def render(self, user: str, system: str | None = None) -> str:
        """The prompt for one question.

        Args:
            user: the question, ``<image>`` tokens included.
            system: the system message; None leaves the line out.
        """
        if system is None:
            return self.without_system.format(user=user)
        return self.with_system.format(system=system, user=user)


class ModelCard(_Data):
    """What is known about one model.

    Attributes:
        name: the short name.
        context_window: tokens of prompt and answer together, or None.
        tokens_per_image: tokens each image costs whatever its size, or None where no rule is published.
        image_token_bound: tokens an image costs at most, where there is no rule but you know a bound: a
            budget in dollars or tokens needs one.
        image_target: how images are prepared.
        image_limits: what the server accepts.
        capabilities: what the model can do.
        template: its completions prompt, where documented.
        prices: dollars per million tokens, or None where unknown.
    """

    name: str
    context_window: int | None = None
    tokens_per_image: int | None = Field(default=None, ge=0)
    image_token_bound: int | None = Field(default=None, ge=0)
    image_target: ImageTarget = ImageTarget()
    image_limits: ImageLimits = ImageLimits()
    capabilities: Capabilities = Capabilities()
    template: PromptTemplate | None = None
    prices: Prices | None = None

    @property
    def cost_per_image(self) -> Decimal | None:
        """Dollars for an image by the rule and the price of this card, or None where one is unknown."""
        if self.tokens_per_image is None or self.prices is None:
            return None
        return self.prices.cost(Usage(self.tokens_per_image, 0, self.tokens_per_image))


_PRICES_READ = date(2026, 11, 1)
_PRICE_SOURCE = "Fireworks price page"

# CLIP's mean colour, 0.48145466, 0.4578275, 0.40821073 of 255: the padding FireLLaVA saw in training.
_CLIP_MEAN = (122, 116, 104)

_FIRELLAVA = ModelCard(
    name="firellava-13b",
    context_window=4096,
    tokens_per_image=576,
    image_target=ImageTarget(fit="letterbox", side=336, background=_CLIP_MEAN),
    capabilities=Capabilities(several_images=False, completions=True),
    template=PromptTemplate(
        with_system="SYSTEM: {system}\n\nUSER:\n{user}\n\nASSISTANT:",
        without_system="USER:\n{user}\n\nASSISTANT:",
    ),
    prices=Prices(input=Decimal("0.20"), output=Decimal("0.20"), date=_PRICES_READ, source=_PRICE_SOURCE),
)

# Serverless models with image input: name, context window, dollars per million tokens in, cached, out.
_SERVERLESS = (
    ("kimi-k3", 1_048_576, "3.00", "0.30", "15.00"),
    ("qwen3p8-max", 262_144, "2.00", "0.25", "6.00"),
    ("deepseek-v4p1-flash", 1_048_576, "0.30", "0.006", "1.20"),
    ("glm-5p3-flash", 1_048_576, "0.15", "0.03", "0.50"),
    ("inkling", 1_048_576, "1.00", "0.17", "4.05"),
    ("ember-1", 1_048_576, "3.00", "0.30", "15.00"),
    ("muse-glimmer-30b", 131_072, "0.35", "0.04", "1.50"),
    ("muse-spark-open", 1_048_576, "1.25", "0.15", "4.25"),
    ("minimax-m3p1-flash", 1_048_576, "0.15", "0.015", "0.60"),
    ("deepseek-v4-flash-vision-exp", 1_048_576, "0.22", "0.007", "0.66"),
    ("kimi-k2p6", 262_144, "0.95", "0.16", "4.00"),
)


def _serverless_card(name: str, context_window: int, given: str, cached: str, answered: str) -> ModelCard:
    return ModelCard(
        name=name,
        context_window=context_window,
        capabilities=Capabilities(tools=True),
        prices=Prices(
            input=Decimal(given),
            cached_input=Decimal(cached),
            output=Decimal(answered),
            date=_PRICES_READ,
            source=_PRICE_SOURCE,
        ),
    )


catalogue: MappingProxyType[str, ModelCard] = MappingProxyType(
    {card.name: card for card in (_FIRELLAVA, *(_serverless_card(*row) for row in _SERVERLESS))}
)
"""The known models by short name."""


def expand_model_name(model: str) -> str:
    """The API's full name for a model: ``firellava-13b`` becomes ``accounts/fireworks/models/firellava-13b``.

    Names with a slash (deployments, other accounts, routers) are complete already.

    Raises:
        ConfigurationError: the name is empty.
    """
    name = model.strip()
    if not name:
        raise ConfigurationError("The model name is empty: name one, such as model='firellava-13b'.")
    return name if "/" in name else _MODELS + name


def model_card(model: str | ModelCard) -> ModelCard:
    """The card of a model by short or full name.

    A model that is not in the catalogue gets a card that states nothing: no context window, no image rule,
    no price. Give ``card=`` to say what you know about a deployment or a local model.
    """
    if isinstance(model, ModelCard):
        return model
    name = expand_model_name(model).removeprefix(_MODELS)
    return catalogue.get(name) or ModelCard(name=name, capabilities=Capabilities(tools=True))


def card_by_name(name: str) -> ModelCard:
    """The card of a known model, by short or full name, for a ``card=`` setting.

    Raises:
        ConfigurationError: there is none of that name. Whoever names a card wants its rules.
    """
    card = catalogue.get(expand_model_name(name).removeprefix(_MODELS))
    if card is None:
        raise ConfigurationError(
            f"card= knows no model {name!r}: name one of {', '.join(catalogue)}, or give a ModelCard(…)."
        )
    return card
