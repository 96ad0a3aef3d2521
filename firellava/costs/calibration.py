"""What the replies' own usage says about estimates, so that later estimates are better.

A server states how many tokens it counted for a prompt. Compared with what `prompt_tokens` makes of the same
text this tells what the server adds on its own, such as a default system prompt, and how its tokenizer
compares. For a model without an image rule it also tells what images take. Nothing of a text is kept, only
pairs of numbers, and only the last few.

The state is the process's, one `Calibration` for each backend's label. Counting a text again costs time, so
it is done on credit: every reply earns the time of a short text, and a long one waits until it is earned.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from firellava.costs.prompts import CONTENT_FIELDS, prompt_text, prompt_tokens
from firellava.costs.text_tokens import vocabulary_of
from firellava.tool_images import with_tool_images_placed

if TYPE_CHECKING:
    from firellava.costs.text_tokens import TextTokens
    from firellava.messages import Request
    from firellava.models import ModelCard
    from firellava.replies import Usage

__all__ = ["Calibration", "ObservedImages", "calibration_of"]

# Characters: what a reply earns, what is there to begin with, what an observation costs besides its text,
# and the longest text that is counted again (about 0.2 ms).
_EARNED: Final = 300
_CREDIT: Final = 40_000
_FIXED_COST: Final = 400
_LONGEST: Final = 20_000

_REMEMBERED: Final = 64
_ENOUGH: Final = 8


@dataclass(frozen=True, slots=True)
class ObservedImages:
    """What images took in the last replies of a model that has no rule for them. The next one may differ.

    Attributes:
        mean: tokens for each image.
        lowest: the fewest, less what the estimate of the text around it may have been off.
        highest: the most, and as much more.
        replies: how many replies this is from.
    """

    mean: int
    lowest: int
    highest: int
    replies: int


class Calibration:
    """What was learnt from the replies of one backend. Safe to share between threads and event loops."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may end a stream at any allocation, and that reports here.
        self._lock = threading.RLock()
        self._credit = _CREDIT
        # Apart, since a tokenizer that is good at English need not be good at Chinese.
        self._ascii, self._others = _Line(), _Line()
        self._images: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def observe(self, request: Request, card: ModelCard, usage: Usage) -> None:
        """Learn from a whole reply that stated its usage. Cheap: the time for long texts is rationed."""
        beyond = request.parameters.extra_body
        if not self._affordable() or (beyond and not CONTENT_FIELDS.isdisjoint(beyond)):
            return
        request = with_tool_images_placed(request, card)
        text = prompt_text(request.messages, request.parameters.tools or ())
        if len(text) > _LONGEST:
            self._pay(len(text) // 10)  # for putting it together
            return
        self._pay(len(text))
        measured = prompt_tokens(
            text, vocabulary_of(card), messages=len(request.messages), completion=request.completion
        )
        images = len(request.images)
        if not images or card.tokens_per_image is not None:
            self._observe_text(measured, usage.prompt_tokens - images * (card.tokens_per_image or 0))
        else:
            self._observe_images(measured, usage.prompt_tokens, images)

    def prompt(self, measured: TextTokens) -> TextTokens:
        """A better estimate of what `prompt_tokens` measured, and its error.

        The error is the measure's own until prompts of enough different sizes were seen; then, for prompts of
        about those sizes, the largest by which one of them was off when it came.
        """
        line = self._line(measured)
        with self._lock:
            count = round(line.at(measured.count))
            error = line.error(measured.count)
        return replace(measured, count=max(count, 1), error=measured.error if error is None else error)

    def text(self, measured: TextTokens) -> TextTokens:
        """A better estimate of what `text_tokens` measured, without what the server adds to a prompt."""
        line = self._line(measured)
        with self._lock:
            return replace(measured, count=round(line.fit()[1] * measured.count))

    @property
    def images(self) -> ObservedImages | None:
        """What images took; None where no reply told, or the model has a rule."""
        with self._lock:
            seen = tuple(self._images)
        if not seen:
            return None
        return ObservedImages(
            mean=round(sum(tokens for tokens, _ in seen) / len(seen)),
            lowest=max(0, round(min(tokens - doubt for tokens, doubt in seen))),
            highest=round(max(tokens + doubt for tokens, doubt in seen)),
            replies=len(seen),
        )

    def _observe_text(self, measured: TextTokens, true: int) -> None:
        if true > 0:
            line = self._line(measured)
            with self._lock:
                line.learn(measured.count, true)

    def _observe_images(self, measured: TextTokens, prompt: int, images: int) -> None:
        text = self.prompt(measured)
        tokens, doubt = (prompt - text.count) / images, text.count * text.error / images
        if tokens > 2 * doubt:  # else the text hides what the images took
            with self._lock:
                self._images.append((tokens, doubt))

    def _line(self, measured: TextTokens) -> _Line:
        return self._ascii if measured.mostly_ascii else self._others

    def _affordable(self) -> bool:
        with self._lock:
            self._credit = min(_CREDIT, self._credit + _EARNED)
            return self._credit > 0

    def _pay(self, characters: int) -> None:
        with self._lock:
            self._credit -= _FIXED_COST + characters


class _Line:
    """The straight line from measured to true tokens: what is added to every prompt, and a ratio.

    It is a least-squares fit that begins with an opinion (nothing is added, one for one) and forgets slowly.
    """

    # How far the opinion may be off, in tokens and as a share, and a single prompt: 2 tokens and a tenth.
    _ADDED, _RATIO, _NOISE, _NOISE_SHARE = 30.0, 0.25, 2.0, 0.1
    _KEPT = 0.98

    def __init__(self) -> None:
        self._weight = self._x = self._y = self._xx = self._xy = 0.0
        self._seen: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
        self._off: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def learn(self, measured: int, true: int) -> None:
        if (measured, true) in self._seen:  # the same prompt again teaches nothing, and would look like proof
            return
        self._seen.append((measured, true))
        expected = max(self.at(measured), 1.0)
        if len(self._seen) > _ENOUGH // 2:  # until then it has hardly learnt what the server adds
            self._off.append((measured, abs(true - expected) / expected))
        weight = 1 / (self._NOISE + self._NOISE_SHARE * measured) ** 2
        self._weight = self._KEPT * self._weight + weight
        self._x = self._KEPT * self._x + weight * measured
        self._y = self._KEPT * self._y + weight * true
        self._xx = self._KEPT * self._xx + weight * measured * measured
        self._xy = self._KEPT * self._xy + weight * measured * true

    def fit(self) -> tuple[float, float]:
        """What is added, and the ratio. Normal equations of two unknowns; the opinion is two observations."""
        if not self._weight:
            return 0.0, 1.0
        weight = self._weight + self._ADDED**-2
        xx, xy = self._xx + self._RATIO**-2, self._xy + self._RATIO**-2
        ratio = max(0.0, (weight * xy - self._x * self._y) / (weight * xx - self._x * self._x))
        return (self._y - ratio * self._x) / weight, ratio

    def at(self, measured: int) -> float:
        """True tokens, as far as is known."""
        added, ratio = self.fit()
        return added + ratio * measured

    def error(self, measured: int) -> float | None:
        """The largest relative error seen, or None where too little was, or nothing of about this size."""
        sizes = {size for size, _ in self._off}
        if len(sizes) < _ENOUGH or not min(sizes) / 2 <= measured <= 2 * max(sizes):
            return None
        return max(off for _, off in self._off)


@lru_cache(maxsize=1024)
def calibration_of(label: str) -> Calibration:
    """The one calibration of the backend with this label in this process."""
    del label  # it is the key of the cache
    return Calibration()


if hasattr(os, "register_at_fork"):
    # A lock may have been held when the process forked.
    os.register_at_fork(after_in_child=calibration_of.cache_clear)
