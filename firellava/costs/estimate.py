"""How many tokens and dollars a question takes, before it is asked. Nothing is read, fetched or sent.

(The rest of this module is being written; these two signatures stay.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firellava.costs.text_tokens import text_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firellava.costs.calibration import Calibration
    from firellava.messages import Message
    from firellava.models import ModelCard

__all__ = ["count_prompt_tokens", "count_text_tokens"]


def count_prompt_tokens(
    messages: Sequence[Message],
    card: ModelCard,
    calibration: Calibration | None = None,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
) -> int:
    """About how many prompt tokens these messages take: images by the card's rule, text approximately.

    Args:
        messages: the conversation; its images are counted, not opened.
        card: the model that would be asked.
        calibration: what earlier replies taught (`calibration_of` the backend's label), or None.
        tools: schemas of the tools that go along.

    Raises:
        CostUnknown: there are images, and neither a rule, nor a bound, nor a reply seen says what one costs.
    """
    raise NotImplementedError


def count_text_tokens(text: str, card: ModelCard, calibration: Calibration | None = None) -> int:
    """About how many tokens a text has for this model, without the marks of a message around it."""
    return text_tokens(text)
