"""Token counts of a reply, and the places in a stream where they may stand."""

from dataclasses import dataclass
from enum import StrEnum


class UsagePlacement(StrEnum):
    """Where usage stands. It differs between the API's models, so clients must read all of these.

    Plain (unstreamed) replies carry usage except under NEVER.
    """

    FINISH_CHUNK = "on the chunk with the finish reason"
    TRAILING_CHUNK = "on a later chunk without choices, if stream_options.include_usage asked for it"
    FINISH_AND_TRAILING = "on the chunk with the finish reason and again on a later one without choices"
    EVERY_CHUNK = "on every chunk, as a growing snapshot"
    NEVER = "nowhere"


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; reasoning tokens are inside the completion's, cached ones and images inside the prompt's.

    Replies do not tell those of images apart, as the API does not.
    """

    prompt: int
    completion: int
    cached: int
    reasoning: int = 0
    image: int = 0

    def body(self) -> dict[str, object]:
        """The counts as the reply's `usage` object."""
        counts: dict[str, object] = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }
        if self.reasoning:
            counts["completion_tokens_details"] = {"reasoning_tokens": self.reasoning}
        return counts
