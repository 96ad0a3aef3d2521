"""What pydantic found wrong, in words that repeat nothing of what was set: it may be a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["explain"]


def explain(error: ValidationError) -> str:
    """What pydantic found wrong, in one line that names settings but echoes no value."""
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(step) for step in detail["loc"])
        if detail["type"] == "extra_forbidden":
            problems.append(f"there is no setting {name!r}")
        else:
            problems.append(f"{name}: {detail['msg']}")
    return "; ".join(problems)
