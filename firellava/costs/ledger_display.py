"""How a ledger shows itself: in one line, and as a table in notebooks.

Colours are the notebook's own, so that the table can be read on a dark page too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from firellava.costs.ledger import Totals
    from firellava.hooks import CallDetails

__all__ = ["as_html", "one_line"]

_LINE = "border:0;border-bottom:1px solid rgba(128,128,128,.4)"
_PLAIN = "border:0"
_CELL = "padding:3px 16px 3px 0;background:none;color:inherit;vertical-align:top;white-space:nowrap"
_MUTED = "opacity:.65"
_NUMBERS = {"calls", "prompt", "images", "cached", "completion", "seconds", "cost"}
_LONGEST_TEXT = 60


def one_line(totals: Totals) -> str:
    """The totals in one line."""
    facts = (
        _count(totals.calls, "call"),
        _count(totals.total_tokens, "token"),
        _dollars(totals.cost_usd),
        *_caveats(totals),
    )
    return f"Ledger({', '.join(facts)})"


def as_html(totals: Totals, groups: Mapping[str, Mapping[str, Totals]], newest: Sequence[CallDetails]) -> str:
    """The totals, the same for each of some groups, and the newest entries.

    Args:
        totals: of all calls.
        groups: totals by name, for each heading such as ``model``.
        newest: the entries to show, newest first.
    """
    facts = (_count(totals.calls, "call"), _count(totals.total_tokens, "token"), *_caveats(totals))
    sum_line = f'<b style="font-size:1.3em">{_dollars(totals.cost_usd)}</b>'
    facts_line = f'<span style="{_MUTED}">{escape(" · ".join(facts))}</span>'
    parts = [f'<div style="margin:4px 0 8px">{sum_line}&ensp;{facts_line}</div>']
    for heading, group in groups.items():
        headings = (heading, "calls", "prompt", "images", "cached", "completion", "cost")
        parts.append(_table(headings, [_group_row(name, total) for name, total in group.items()]))
    if newest:
        headings = ("newest calls (UTC)", "prompt", "completion", "seconds", "cost", "backend", "outcome")
        parts.append(_table(headings, [_call_row(call) for call in newest]))
    return f'<div style="font-size:13px;line-height:1.4;overflow-x:auto">{"".join(parts)}</div>'


def _group_row(name: str, totals: Totals) -> tuple[str, ...]:
    return (
        name or "none",
        f"{totals.calls:,}",
        f"{totals.prompt_tokens:,}",
        f"{totals.image_tokens:,}",
        f"{totals.cached_tokens:,}",
        f"{totals.completion_tokens:,}",
        _cost(totals),
    )


def _call_row(call: CallDetails) -> tuple[str, ...]:
    usage = call.usage
    at_least = "at least " if call.may_cost_more and call.cost_usd is not None else ""
    return (
        f"{datetime.fromtimestamp(call.started_at, UTC):%Y-%m-%d %H:%M:%S}",
        "unknown" if usage is None else f"{usage.prompt_tokens:,}",
        "unknown" if usage is None else f"{usage.completion_tokens:,}",
        f"{call.seconds:.2f}",
        "unknown" if call.cost_usd is None else f"{at_least}{_dollars(call.cost_usd)}",
        call.backend,
        call.outcome if call.error is None else f"{call.outcome}: {call.error}",
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose texts stand to the left and whose numbers stand to the right."""
    numbers = [heading in _NUMBERS for heading in headings]
    lines = [
        "".join(_cell("th", text, number=number) for text, number in zip(headings, numbers, strict=True)),
        *(
            "".join(_cell("td", text, number=number) for text, number in zip(row, numbers, strict=True))
            for row in rows
        ),
    ]
    body = "".join(f'<tr style="background:none">{line}</tr>' for line in lines)
    return f'<table style="border-collapse:collapse;margin:0 0 12px;{_PLAIN}">{body}</table>'


def _cell(element: str, text: str, *, number: bool) -> str:
    align = "text-align:right;font-variant-numeric:tabular-nums" if number else "text-align:left"
    weight = f"font-weight:600;{_LINE}" if element == "th" else f"font-weight:400;{_PLAIN}"
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
    title = f' title="{escape(text)}"' if shown != text else ""
    return f'<{element} style="{_CELL};{align};{weight}"{title}>{escape(shown)}</{element}>'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _caveats(totals: Totals) -> list[str]:
    """What these totals lack, if anything."""
    lacking = {
        "of unknown cost": totals.unpriced,
        "that may cost more": totals.may_cost_more,
        "without a token count": totals.uncounted,
    }
    return [f"{number:,} {what}" for what, number in lacking.items() if number]


def _cost(totals: Totals) -> str:
    """Dollars, and how many calls are not in them; a group nobody has a price for has no sum to show."""
    if totals.unpriced == totals.calls:
        return "unknown"
    unknown = f" + {totals.unpriced:,} unknown" if totals.unpriced else ""
    return f"{'at least ' if totals.may_cost_more else ''}{_dollars(totals.cost_usd)}{unknown}"


def _dollars(cost: Decimal) -> str:
    """Dollars to the seventh decimal, below which no model's price per token goes; cents at least."""
    whole, _, decimals = f"{cost:,.7f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"
