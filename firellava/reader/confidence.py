"""From how well a finding fits to how likely it is right.

The finders weigh labels, places and sums against one another; what comes out puts findings in order, but is
no probability. Here it becomes one: the steps are the shares of right answers at each fit that
`benchmarks.reader_receipts` and `benchmarks.reader_documents` measured, lowered a little, because documents
that nobody has seen are harder than those at hand.
"""

from __future__ import annotations

import itertools
from typing import Final

__all__ = ["FITS_ENOUGH", "SURE_ENOUGH", "confidence_of"]

FITS_ENOUGH: Final = 0.45
"""The fit from which a finding is given as an answer: below it, too many are wrong."""

_STEPS: Final = ((0.0, 0.0), (0.45, 0.62), (0.6, 0.8), (0.75, 0.88), (0.9, 0.94), (1.0, 0.97))


def confidence_of(fit: float) -> float:
    """The probability that a finding of some fit is right; a larger fit never gives a smaller one.

    Args:
        fit: from 0 to 1, as the finders weigh it.
    """
    for (low, least), (high, most) in itertools.pairwise(_STEPS):
        if fit <= high:
            return least + (most - least) * max(fit - low, 0.0) / (high - low)
    return _STEPS[-1][1]


SURE_ENOUGH: Final = confidence_of(FITS_ENOUGH)
"""The least confidence of an answer; what is less sure is declined."""
