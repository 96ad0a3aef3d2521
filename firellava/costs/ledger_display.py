"""How a ledger shows itself: in one line, and as tables in notebooks.

Colours are the notebook's own, so that the tables can be read on a dark page too.
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

_GROUP_HEADINGS = ("calls", "prompt", "images", "cached", "completion", "cost")
_CALL_HEADINGS = ("newest calls (UTC)", "seconds", "prompt", "completion", "cost", "backend", "outcome", "")
_NUMBERS = {*_GROUP_HEADINGS, "seconds"}

# Notebooks style tables themselves: whatever they set is set here as well.
_CELL = "padding:3px 16px 3px 0;border:0;background:none;color:inherit;vertical-align:top;white-space:nowrap"
_HEADING = f"{_CELL};font-weight:600;border-bottom:1px solid rgba(128,128,128,.4);padding-top:10px"
_RIGHT = "text-align:right;font-variant-numeric:tabular-nums"
_MUTED = "opacity:.65"
_LONGEST_TEXT = 80
_MOST_ROWS = 10


def one_line(totals: Totals) -> str:
    """The totals in one line."""
    return f"Ledger({', '.join((_dollars(totals.cost_usd), *_counts(totals), *_lacking(totals)))})"


def as_html(totals: Totals, groups: Mapping[str, Mapping[str, Totals]], newest: Sequence[CallDetails]) -> str:
    """The totals, the same for each of some groups, and the newest entries.

    Args:
        totals: of all calls.
        groups: totals by name, for each heading such as ``model``.
        newest: the entries to show, newest first.
    """
    facts = " · ".join((*_counts(totals), *_lacking(totals)))
    parts = [
        f'<div><b style="font-size:1.4em">{_dollars(totals.cost_usd)}</b>&ensp;',
        f'<span style="{_MUTED}">{facts}</span></div>',
    ]
    if groups:
        sections = (
            _section((heading, *_GROUP_HEADINGS, ""), _group_rows(group)) for heading, group in groups.items()
        )
        parts.append(_table(sections))
    if newest:
        parts.append(_table([_section(_CALL_HEADINGS, [_call_row(call) for call in newest])]))
    return f'<div style="font-size:13px;line-height:1.4;overflow-x:auto">{"".join(parts)}</div>'


def _group_rows(group: Mapping[str, Totals]) -> list[tuple[str, ...]]:
    """The costliest first, and how many there are beyond those that are shown."""
    dearest = sorted(group.items(), key=lambda named: (named[1].cost_usd, named[1].calls), reverse=True)
    rows = [_group_row(name or "none", total) for name, total in dearest[:_MOST_ROWS]]
    if len(dearest) > _MOST_ROWS:
        rows.append((f"and {len(dearest) - _MOST_ROWS:,} more", *("" for _ in rows[0][1:])))
    return rows


def _group_row(name: str, totals: Totals) -> tuple[str, ...]:
    return (
        name,
        f"{totals.calls:,}",
        f"{totals.prompt_tokens:,}",
        f"{totals.image_tokens:,}",
        f"{totals.cached_tokens:,}",
        f"{totals.completion_tokens:,}",
        # Of a group nobody has a price for there is no sum to show.
        "unknown" if totals.unpriced == totals.calls else _dollars(totals.cost_usd),
        " · ".join(_lacking(totals)),
    )


def _call_row(call: CallDetails) -> tuple[str, ...]:
    usage = call.usage
    more = "may cost more" if call.may_cost_more else ""
    return (
        f"{datetime.fromtimestamp(call.started_at, UTC):%Y-%m-%d %H:%M:%S}",
        f"{call.seconds:.2f}",
        "–" if usage is None else f"{usage.prompt_tokens:,}",  # noqa: RUF001 - a dash stands for no number
        "–" if usage is None else f"{usage.completion_tokens:,}",  # noqa: RUF001 - as above
        "unknown" if call.cost_usd is None else _dollars(call.cost_usd),
        call.backend,
        call.outcome,
        " · ".join(note for note in (more, call.error) if note),
    )


def _table(sections: Iterable[str]) -> str:
    style = "border-collapse:collapse;border:0;margin:0;font-size:inherit;color:inherit;table-layout:auto"
    return f'<table style="{style}">{"".join(sections)}</table>'


def _section(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A line of headings and the lines below: texts to the left, numbers to the right, notes muted."""
    aligned = [_RIGHT if heading in _NUMBERS else "text-align:left" for heading in headings]
    styles = [
        f"{style};{_MUTED}" if not heading else style
        for heading, style in zip(headings, aligned, strict=True)
    ]
    lines = [_line("th", _HEADING, headings, aligned), *(_line("td", _CELL, row, styles) for row in rows)]
    return "".join(lines)


def _line(element: str, base: str, texts: Sequence[str], styles: Sequence[str]) -> str:
    cells = (
        f'<{element} style="{base};{style}"{_whole_text(text)}>{escape(_shortened(text))}</{element}>'
        for text, style in zip(texts, styles, strict=True)
    )
    return f'<tr style="background:none">{"".join(cells)}</tr>'


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _whole_text(text: str) -> str:
    """What a shortened text says when it is pointed at."""
    return f' title="{escape(text)}"' if len(text) > _LONGEST_TEXT else ""


def _counts(totals: Totals) -> tuple[str, ...]:
    counts = {"call": totals.calls, "token": totals.total_tokens}
    return tuple(f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items())


def _lacking(totals: Totals) -> tuple[str, ...]:
    """What these totals lack, if anything."""
    lacking = {
        "of unknown cost": totals.unpriced,
        "may cost more": totals.may_cost_more,
        "without a token count": totals.uncounted,
    }
    return tuple(f"{count:,} {what}" for what, count in lacking.items() if count)


def _dollars(cost: Decimal) -> str:
    """Dollars to the seventh decimal, which is one token at ten cents a million, and cents at least."""
    whole, _, decimals = f"{cost:,.7f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"
