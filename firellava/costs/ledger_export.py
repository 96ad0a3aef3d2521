"""Ledger entries as rows, and the rows as JSON lines or CSV."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from firellava.hooks import CallDetails
from firellava.replies import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Destination", "as_rows", "write_csv", "write_json_lines"]

Destination: TypeAlias = "str | os.PathLike[str] | TextIO"
"""A path, whose file is written anew, or a text file that is open for writing."""

_USAGE = tuple(field.name for field in fields(Usage))
_UNKNOWN = dict.fromkeys(_USAGE)
# What comes first is what people look at first.
_FIRST = (
    "started_at",
    "seconds",
    "first_piece_seconds",
    "model",
    "backend",
    "outcome",
    "cost_usd",
    "may_cost_more",
)
_REST = tuple(field.name for field in fields(CallDetails) if field.name not in {*_FIRST, "usage"})
COLUMNS = (*_FIRST, *_USAGE, *_REST)

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the wide ones count as well


def as_rows(entries: Iterable[CallDetails]) -> list[dict[str, Any]]:
    """The entries as flat dictionaries, all with the keys of `COLUMNS`."""
    return [_row(entry) for entry in entries]


def _row(entry: CallDetails) -> dict[str, Any]:
    usage = entry.usage
    return {
        **{name: getattr(entry, name) for name in _FIRST},
        "started_at": datetime.fromtimestamp(entry.started_at, UTC),
        **(_UNKNOWN if usage is None else {name: getattr(usage, name) for name in _USAGE}),
        **{name: getattr(entry, name) for name in _REST},
    }


def write_json_lines(rows: Iterable[Mapping[str, Any]], destination: Destination) -> None:
    """One JSON object a line, times in ISO 8601, dollars as strings of exact digits."""
    with _opened(destination) as file:
        file.writelines(f"{_json(row)}\n" for row in rows)


def write_csv(rows: Iterable[Mapping[str, Any]], destination: Destination) -> None:
    """A header and a line for each row; several values in one cell stand apart by `` | ``."""
    with _opened(destination) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)


@contextmanager
def _opened(destination: Destination) -> Iterator[TextIO]:
    if isinstance(destination, str | os.PathLike):
        # Half of a surrogate pair, which UTF-8 has no bytes for, is written as JSON writes it: \ud83d.
        with Path(destination).open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
    else:
        yield destination


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return _timestamp(value)
        case Decimal():
            return f"{value:f}"
        case Mapping():
            return dict(value)
        case _:
            return str(value)


def _cell(value: object) -> object:
    match value:
        case str():
            return _harmless(value)
        case datetime():
            return _timestamp(value)
        case Decimal():
            return f"{value:f}"
        case tuple():
            return _harmless(" | ".join(str(item) for item in value))
        case Mapping():
            return _json(value) if value else ""
        case _:
            return value


def _harmless(text: str) -> str:
    """The text as a spreadsheet shows it and does not run it."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
