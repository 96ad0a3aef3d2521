"""What the replies' own usage says about estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firellava.messages import Request
    from firellava.models import ModelCard
    from firellava.replies import Usage

__all__ = ["Calibration", "calibration_of"]


class Calibration:
    """What was learnt of one backend's replies."""

    def observe(self, request: Request, card: ModelCard, usage: Usage) -> None:
        """Learn from a whole reply that stated its usage."""


_known: dict[str, Calibration] = {}


def calibration_of(label: str) -> Calibration:
    """The one calibration of the backend with this label in this process."""
    return _known.setdefault(label, Calibration())
