"""What a difference between requests is, and the reason for one.

A difference is written as `request_bodies.differences` writes it, with ``*`` for anything.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

Peer = Literal["langchain-openai", "langchain-fireworks"]

REFUSED: Final = "answered instead of refused"
NOT_SENT: Final = "answered instead of not sent (*)"


@dataclass(frozen=True)
class Difference:
    """One reason for requests to differ.

    Attributes:
        reason: why ours is as it is.
        changes: in what the reason shows.
        both: the histories for which it makes ours differ from both of the others.
        openai: those for which it makes ours differ from langchain-openai's alone.
        fireworks: those for which it makes ours differ from langchain-fireworks's alone.
    """

    reason: str
    changes: tuple[str, ...]
    both: tuple[str, ...] = ()
    openai: tuple[str, ...] = ()
    fireworks: tuple[str, ...] = ()

    def histories(self, peer: Peer) -> tuple[str, ...]:
        """The histories for which the reason makes ours differ from a peer's."""
        return self.both + (self.openai if peer == "langchain-openai" else self.fireworks)

    def explains(self, change: str) -> bool:
        """Whether this is the reason for a change."""
        return any(is_of_kind(change, kind) for kind in self.changes)


def is_of_kind(change: str, kind: str) -> bool:
    """Whether a change is what a text with ``*`` for anything says."""
    return re.fullmatch(re.escape(kind).replace(r"\*", ".*"), change, re.DOTALL) is not None
