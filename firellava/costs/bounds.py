"""How many tokens a request can be billed for at most.

A budget is only as good as its bound, so nothing here is an estimate: every rule errs upwards. A token of a
byte-level tokenizer stands for at least one byte of UTF-8, so a text has no more tokens than bytes; a model
card says what an image costs; ``max_tokens`` ends an answer. What servers add on their own, such as role
marks and a default system prompt, is covered by allowances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.messages import Message, Request
    from firellava.models import ModelCard

__all__ = ["TokenBound", "upper_bound"]

# Allowances. The longest default system prompt and preamble seen in a public chat template of an open model
# has fewer than 200 tokens, a turn's role marks fewer than 12, the marks around an image 4.
_TOKENS_PER_REQUEST: Final = 256
_TOKENS_PER_MESSAGE: Final = 16
_TOKENS_PER_IMAGE_MARK: Final = 4
# What introduces tools in a chat template, and how much longer than compact JSON a template may write them
# (indented, with characters beyond ASCII as \uXXXX).
_TOKENS_PER_TOOL_PREAMBLE: Final = 1024
_JSON_GROWTH: Final = 4

_REPLACES_CONTENT: Final = frozenset({"messages", "prompt", "images", "tools"})


@dataclass(frozen=True, slots=True)
class TokenBound:
    """The most tokens a call can be billed for; None where nothing bounds them.

    Attributes:
        prompt: of the prompt, images included.
        completion: of all answers together.
    """

    prompt: int | None
    completion: int | None

    @property
    def total(self) -> int | None:
        """Prompt and answers together."""
        return None if self.prompt is None or self.completion is None else self.prompt + self.completion


def upper_bound(request: Request, card: ModelCard) -> TokenBound:
    """The most tokens `request` can be billed for by the model of this card; no input or output is done.

    The prompt is unbounded where images have neither a rule nor an ``image_token_bound``, or where
    ``extra_body`` replaces the content; the answer is, without ``max_tokens``.
    """
    return TokenBound(_prompt(request, card), _completion(request, card))


def _prompt(request: Request, card: ModelCard) -> int | None:
    beyond = dict(request.parameters.extra_body or {})
    per_image = card.image_token_bound if card.tokens_per_image is None else card.tokens_per_image
    images = len(request.images)
    if beyond.keys() & _REPLACES_CONTENT or (images and per_image is None):
        return None
    texts = sum(_bytes(text) for message in request.messages for text in _texts(message))
    tokens = texts + _TOKENS_PER_REQUEST + _TOKENS_PER_MESSAGE * len(request.messages)
    tokens += images * ((per_image or 0) + _TOKENS_PER_IMAGE_MARK)
    tokens += _JSON_GROWTH * sum(
        _json_bytes(value) for value in (request.parameters.response_format, beyond) if value
    )
    if tools := request.parameters.tools:
        tokens += _JSON_GROWTH * _json_bytes(tools) + _TOKENS_PER_TOOL_PREAMBLE
    return tokens if card.context_window is None else min(tokens, card.context_window)


def _completion(request: Request, card: ModelCard) -> int | None:
    steering = request.parameters.given() | dict(request.parameters.extra_body or {})
    limits = [steering.get("max_tokens"), steering.get("max_completion_tokens")]
    stated = [limit for limit in limits if isinstance(limit, int)]
    if not stated:
        return None
    longest = max(stated) if card.context_window is None else min(max(stated), card.context_window)
    return longest * max(_count(steering.get("n")), _count(steering.get("best_of")))


def _texts(message: Message) -> Iterator[str]:
    yield message.text
    yield message.reasoning or ""
    yield message.tool_call_id or ""
    for call in message.tool_calls:
        yield from (call.id, call.name, call.arguments)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _json_bytes(value: Any) -> int:  # noqa: ANN401 - JSON values
    return len(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1
