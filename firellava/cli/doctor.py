"""``firellava doctor``: what could answer a question now, and what to do so that more can."""

from __future__ import annotations

import sys
from dataclasses import asdict
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from firellava.cli.errors import readable_errors
from firellava.diagnosis import diagnose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firellava.backends.discovery import ConfiguredModel, Installation
    from firellava.backends.local_servers import FoundServer
    from firellava.diagnosis import ApiFinding, Diagnosis

__all__ = ["doctor"]

_NOTHING_ANSWERS = 3

_Mark = Literal["yes", "no", "absent"]
_Row = tuple[_Mark, str, str]
_MARKS: dict[_Mark, str] = {"yes": "[green]✓[/green]", "no": "[red]✗[/red]", "absent": "[dim]·[/dim]"}
_PLAIN_MARKS: dict[_Mark, str] = {"yes": "[green]+[/green]", "no": "[red]x[/red]", "absent": "[dim]-[/dim]"}


def doctor(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the API alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """Show what could answer a question now: the API, servers and models on this machine, the offline reader.

    Nothing is spent and no key is shown. Exit code 0: something could answer; 3: nothing could.
    """
    with readable_errors(debug=debug):
        with Console(stderr=True).status("Looking around"):
            diagnosis = diagnose(offline=offline)
        if as_json:
            typer.echo(orjson.dumps(_as_json(diagnosis), option=orjson.OPT_INDENT_2).decode())
        else:
            if isinstance(sys.stdout, TextIOWrapper):
                sys.stdout.reconfigure(errors="replace")  # a model may be named in any script
            _show(diagnosis, Console(highlight=False))
        if not diagnosis.can_answer:
            raise typer.Exit(_NOTHING_ANSWERS)


def _show(diagnosis: Diagnosis, console: Console) -> None:
    marks = _MARKS if console.encoding.startswith("utf") else _PLAIN_MARKS
    sections = {"The API": [*_api_rows(diagnosis.api)], "This machine": [*_local_rows(diagnosis)]}
    width = max(len(name) for rows in sections.values() for _, name, _ in rows)
    for heading, rows in sections.items():
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column()
        table.add_column(min_width=width, overflow="fold")
        table.add_column(overflow="fold")
        for mark, name, finding in rows:
            table.add_row(f" {marks[mark]}", escape(name), escape(finding))
        console.print(f"[bold]{heading}[/bold]")
        console.print(table)
        console.print()
    console.print("[bold]With fallback='auto' a question goes to[/bold]")
    for number, (label, note) in enumerate(_order(diagnosis), 1):
        console.print(f"  {number}. {escape(label)}[dim]{escape(note)}[/dim]", soft_wrap=True)
    if not diagnosis.can_answer:
        console.print("  [red]Nothing could answer.[/red]")
    if diagnosis.advice:
        console.print("\n[bold]To get further[/bold]")
    for line in diagnosis.advice:
        console.print(f"  - {escape(line)}", soft_wrap=True)


def _api_rows(api: ApiFinding) -> Iterator[_Row]:
    key_is: dict[str, tuple[_Mark, str]] = {
        "set": ("yes", "FIREWORKS_API_KEY is set"),
        "not set": ("absent", "FIREWORKS_API_KEY is not set"),
        "malformed": ("no", "FIREWORKS_API_KEY has characters that no key has: was it copied whole?"),
    }
    mark, told = key_is[api.key]
    yield mark, "key", told
    if api.service is not None:
        good = api.is_reachable and api.prospect != "refuses"
        yield "yes" if good else "no", urlsplit(api.backend.base_url).netloc, api.service


def _local_rows(diagnosis: Diagnosis) -> Iterator[_Row]:
    local = diagnosis.local
    silent = []
    for server in local.servers:
        if server.is_reachable or server.is_configured:
            yield _server_row(server)
        else:
            silent.append(str(urlsplit(server.base_url).port))
    if silent:
        yield "absent", "servers", f"nothing listens on {', '.join(silent)}"
    yield _engine_row(local.llama_cpp, local.models, "llama_cpp")
    yield _engine_row(local.transformers, local.models, "transformers")
    packages = _packages(local.offline_reader)
    problem = diagnosis.reader_problem
    yield "no" if problem else "yes", "offline reader", problem or f"{packages}; it reads a test picture"


def _server_row(server: FoundServer) -> _Row:
    place = urlsplit(server.base_url).netloc
    if server.model is None:
        return "no", place, f"{server.kind}: {server.problem}"
    others = f", one of {len(server.models)} models" if len(server.models) > 1 else ""
    name, according_to = server.model.name.rpartition("/")[2], server.model.according_to
    sees = f"it sees images (according to {according_to})"
    if not server.model.sees_images:
        sees = "nobody says whether it sees images"
    return "yes", place, f"{server.kind}: {name}{others}; {sees}"


def _engine_row(engine: Installation, models: tuple[ConfiguredModel, ...], kind: str) -> _Row:
    configured = next((model for model in models if model.backend.kind == kind), None)
    if configured is None:
        return (
            "absent",
            engine.engine,
            "not installed" if engine.missing else f"{_packages(engine)}; no model set",
        )
    if configured.problem:
        return "no", engine.engine, f"{configured.setting}: {configured.problem}"
    return "yes", engine.engine, f"{_packages(engine)}; {configured.backend.label}"


def _packages(engine: Installation) -> str:
    return ", ".join(f"{package} {version}" for package, version in engine.versions.items())


def _order(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Who is asked, one after the other, with what is to be said about it."""
    api = diagnosis.api
    passed_over = "no key" if api.key == "not set" else api.service
    note = {
        "answers": "",
        "not tried": " (not tried)",
        "passed over": f" (passed over: {passed_over})",
        "refuses": " (an error: its key is refused, and nobody else is asked)",
    }[api.prospect]
    notes = {True: " (reads and quotes text, understands no scenes)", False: ""}
    local = () if api.prospect == "refuses" else diagnosis.local_backends
    return [(api.backend.label, note), *((backend.label, notes[backend.degraded]) for backend in local)]


def _as_json(diagnosis: Diagnosis) -> dict[str, object]:
    api, local = diagnosis.api, diagnosis.local
    return {
        "can_answer": diagnosis.can_answer,
        "order": [label for label, _ in _order(diagnosis)],
        "api": {
            "backend": api.backend.label,
            "base_url": api.backend.base_url,
            "key": api.key,
            "is_reachable": api.is_reachable,
            "service": api.service,
            "prospect": api.prospect,
        },
        "servers": [
            {**asdict(server), "model": server.model.name if server.model else None}
            for server in local.servers
        ],
        "models": [
            {"setting": model.setting, "backend": model.backend.label, "problem": model.problem}
            for model in local.models
        ],
        "engines": [
            {
                "engine": engine.engine,
                "extra": engine.extra,
                "versions": engine.versions,
                "missing": engine.missing,
            }
            for engine in (local.llama_cpp, local.transformers, local.offline_reader)
        ],
        "reader_problem": diagnosis.reader_problem,
        "advice": diagnosis.advice,
    }
