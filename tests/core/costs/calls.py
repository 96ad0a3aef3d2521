"""Calls of backends to be entered in ledgers."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from firellava.hooks import CallDetails
from firellava.replies import Usage

_ANSWERED: Final = CallDetails(
    question="q1",
    attempt=0,
    backend="fireworks:firellava-13b",
    kind="fireworks",
    local=False,
    server="api.fireworks.ai",
    model="accounts/fireworks/models/firellava-13b",
    answered_by="accounts/fireworks/models/firellava-13b",
    operation="chat",
    streamed=False,
    started_at=1_790_000_000.25,
    seconds=1.5,
    first_piece_seconds=None,
    outcome="answered",
    usage=Usage(608, 14, 622, image_tokens=576),
    cost_usd=Decimal("0.0001244"),
    finish_reasons=("stop",),
)


def call(**changes: Any) -> CallDetails:
    """A call with one image that FireLLaVA answered, but for these changes."""
    return replace(_ANSWERED, **changes)


_counts = st.integers(0, 10**7)
_optional_counts = st.none() | _counts
_usages = st.builds(Usage, _counts, _counts, _counts, _optional_counts, _optional_counts, _optional_counts)
_tags = st.lists(st.sampled_from(["captions", "totals", "night"]), max_size=3).map(tuple)

any_call: Final = st.builds(
    call,
    backend=st.sampled_from(["fireworks:firellava-13b", "ollama:llava", "offline_reader"]),
    model=st.sampled_from(["firellava-13b", "llava"]),
    outcome=st.sampled_from(["answered", "broken", "abandoned", "failed"]),
    usage=st.none() | _usages,
    cost_usd=st.none() | st.decimals(0, 10**12, places=12),
    may_cost_more=st.booleans(),
    degraded=st.booleans(),
    tags=_tags,
)
"""Calls of every outcome, with and without tokens, prices and tags."""
