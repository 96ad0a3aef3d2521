"""A caption as a value: the text, which image it is of, who gave it and what that took."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal  # noqa: TC003 - pydantic reads annotations at run time
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from firellava.errors import ConfigurationError
from firellava.replies import Usage  # noqa: TC001 - as above
from firellava.validation import explain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firellava.errors import FireLLaVAError
    from firellava.images import ImageInput

__all__ = ["Caption", "CaptionFailed"]


@dataclass(frozen=True, slots=True)
class Caption:
    """What is known of an image once it was described.

    Attributes:
        text: the caption.
        content_hash: ``sha256-`` and the SHA-256, in hexadecimal, of the file as it was given, all of its
            pages, or of the pixels where pixels were given. The same image has the same.
        mime_type: what the file is by its content, such as ``image/jpeg``; None where pixels were given.
        size: width and height in pixels of the upright page, or of the part of it that was described; a page
            of a PDF has the size it would have if scanned at 200 dots per inch.
        page: which page of the file it is, from 1.
        usage: tokens, or None where the backend did not say.
        cost_usd: dollars the caption took when it was made, or None where that is unknown.
        model: the model that the backend says described it.
        backend: the label of the backend.
        degraded: True where something other than a vision-language model described it; then it is, at best,
            the text in the image.
        from_cache: whether it was there already. Usage and cost are those of when it was made, and cost
            nothing this time.
    """

    text: str
    content_hash: str
    mime_type: str | None
    size: tuple[int, int]
    page: int
    usage: Usage | None
    cost_usd: Decimal | None
    model: str
    backend: str
    degraded: bool
    from_cache: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The caption as plain JSON values; ``cost_usd`` is a string, so that no digit is lost."""
        cost = None if self.cost_usd is None else f"{self.cost_usd:f}"
        return asdict(self) | {"size": list(self.size), "cost_usd": cost}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Caption:
        """The caption that `as_dict` wrote.

        Raises:
            ConfigurationError: these are not its values.
        """
        problem = ""
        try:
            return _stored().validate_python(dict(values))
        except ValidationError as error:
            problem = explain(error)
        raise ConfigurationError(f"What is stored as a caption is none: {problem}.")


@cache
def _stored() -> TypeAdapter[Caption]:
    return TypeAdapter(Caption)


@dataclass(frozen=True, slots=True)
class CaptionFailed:
    """An image that could not be described, while the others go on.

    Attributes:
        source: what was given as an image.
        error: why.
    """

    source: ImageInput = field(repr=False)
    error: FireLLaVAError
