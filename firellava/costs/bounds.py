"""How many tokens a request can be billed for at most.

A budget is only as good as its bound, so nothing here is an estimate: every rule errs upwards. A token of a
byte-level tokenizer stands for at least one byte of UTF-8, so a text has no more tokens than bytes, as it is
or in the Unicode normal form that the tokenizer brings it to first; a model card says what an image costs;
``max_tokens`` ends an answer. What servers add on their own, such as role marks and a default system prompt,
is covered by allowances.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from firellava.tiling import LONGEST_MARK, most_pictures
from firellava.tool_images import with_tool_images_placed

if TYPE_CHECKING:
    from firellava.messages import Message, Request
    from firellava.models import Fit, ModelCard

__all__ = ["TokenBound", "upper_bound"]

# Allowances, each above the most that was seen in public chat templates of open models with vision. Kimi K3:
# about 150 tokens around a conversation (effort, format of the answer), 29 around an assistant's turn, 23
# around a tool call. Mistral Small 4: a default system prompt of 2,424 characters. 4 around an image.
_TOKENS_PER_REQUEST: Final = 256
_TOKENS_OF_DEFAULT_SYSTEM_PROMPT: Final = 1024
_TOKENS_PER_MESSAGE: Final = 32
_TOKENS_PER_TOOL_CALL: Final = 32
_TOKENS_PER_IMAGE_MARK: Final = 4
# What introduces tools (DeepSeek V3.2: about 400 tokens), and how much longer than compact JSON a template
# writes a value: indented, as XML, with characters beyond ASCII as \uXXXX.
_TOKENS_PER_TOOL_PREAMBLE: Final = 1024
_JSON_GROWTH: Final = 4
# Qwen's tokenizers apply the first, SentencePiece by default the second; both can make a text longer.
_NORMAL_FORMS: Final[tuple[Literal["NFC", "NFKC"], ...]] = ("NFC", "NFKC")

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


def upper_bound(request: Request, card: ModelCard, fit: Fit | None = None) -> TokenBound:
    """The most tokens `request` can be billed for by the model of this card; no input or output is done.

    Images that may be shown in parts count as the most pictures they can become. `fit` is how images are
    wanted, or None for the card's way.

    The prompt is unbounded where images have neither a rule nor an ``image_token_bound``, or where
    ``extra_body`` replaces the content; the answer is, without ``max_tokens``.
    """
    request = with_tool_images_placed(request, card)
    return TokenBound(_prompt(request, card, fit), _completion(request, card))


def _prompt(request: Request, card: ModelCard, fit: Fit | None) -> int | None:
    beyond = dict(request.parameters.extra_body or {})
    per_image = card.image_token_bound if card.tokens_per_image is None else card.tokens_per_image
    images = len(request.images)
    if beyond.keys() & _REPLACES_CONTENT or (images and per_image is None):
        return None
    tokens = _TOKENS_PER_REQUEST + sum(_of_message(message) for message in request.messages)
    if not request.completion and all(message.role != "system" for message in request.messages[:1]):
        tokens += _TOKENS_OF_DEFAULT_SYSTEM_PROMPT
    pictures = most_pictures(request, card, fit)
    tokens += pictures * ((per_image or 0) + _TOKENS_PER_IMAGE_MARK)
    if pictures > images:
        tokens += images * LONGEST_MARK
    tokens += _JSON_GROWTH * sum(
        _json_bytes(value) for value in (request.parameters.response_format, beyond) if value
    )
    if tools := request.parameters.tools:
        tokens += _JSON_GROWTH * _json_bytes(tools) + _TOKENS_PER_TOOL_PREAMBLE
    return tokens if card.context_window is None else min(tokens, card.context_window)


def _completion(request: Request, card: ModelCard) -> int | None:
    steering = request.parameters.given() | dict(request.parameters.extra_body or {})
    limits = _stated(steering, "max_tokens", "max_completion_tokens")
    counts = _stated(steering, "n", "best_of")
    # Nobody knows what a server makes of another value, such as -1 or "all".
    if not limits or not all(isinstance(value, int) and value >= 0 for value in limits + counts):
        return None
    longest: int = max(limits) if card.context_window is None else min(max(limits), card.context_window)
    answers: int = max(counts, default=1)
    return longest * max(answers, 1)


def _stated(steering: dict[str, Any], *names: str) -> list[Any]:
    return [steering[name] for name in names if steering.get(name) is not None]


def _of_message(message: Message) -> int:
    texts = (message.text, message.reasoning, message.tool_call_id)
    tokens = _TOKENS_PER_MESSAGE + sum(_bytes(text) for text in texts if text)
    for call in message.tool_calls:
        # Templates name the tool once more with its result.
        tokens += _TOKENS_PER_TOOL_CALL + _bytes(call.id) + 2 * _bytes(call.name)
        tokens += _JSON_GROWTH * _bytes(call.arguments)
    return tokens


def _bytes(text: str) -> int:
    if text.isascii():
        return len(text)
    forms = (text, *(unicodedata.normalize(form, text) for form in _NORMAL_FORMS))
    return max(len(form.encode("utf-8", "surrogatepass")) for form in forms)


def _json_bytes(value: Any) -> int:  # noqa: ANN401 - JSON values
    try:
        return len(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:
        # It cannot be sent either: the request is refused when it is written.
        return 0
