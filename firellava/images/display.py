"""How a prepared image shows itself in a notebook: the picture, and what was done to the one it came from."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firellava.images.prepare import PreparedImage

__all__ = ["as_html"]


def as_html(image: PreparedImage) -> str:
    """The picture a model will see beside a table of its facts. Nothing of the original is in it."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in _facts(image)
    )
    source = image.data_url_json.decode().strip('"')
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">'
        f'<img src="{source}" width="{image.width}" height="{image.height}" '
        'alt="the picture a model will see" style="max-width:100%;height:auto;border:1px solid #bbb">'
        f"<table>{rows}</table></div>"
    )


def _facts(image: PreparedImage) -> list[tuple[str, str]]:
    width, height = image.original_size
    facts = [
        ("Given", f"{width}x{height}, {image.original_format}"),
        ("Sent", f"{image.width}x{image.height}, {image.format}, {len(image.data):,} bytes"),
    ]
    if image.tokens is not None:
        cost = "" if image.cost_usd is None else f", ${image.cost_usd:f}"
        facts.append(("Counts", f"{image.tokens:,} tokens{cost}"))
    facts += [("" if place else "Changes", line) for place, line in enumerate(image.adjustments)]
    if image.note_on_text is not None:
        facts.append(("Note", image.note_on_text))
    return facts
