"""Ledger entries as rows, JSON lines and CSV: exact, and harmless to whoever opens them."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from firellava import VisionClient
from firellava.costs.ledger import Ledger
from firellava.hooks import CallDetails
from firellava.replies import Usage
from tests.api_server import ApiServer
from tests.api_server.faults import Fault
from tests.core.costs.calls import call


def ledger_of(*calls: CallDetails) -> Ledger:
    ledger = Ledger()
    for each in calls:
        ledger(each)
    return ledger


def json_lines(ledger: Ledger) -> list[dict[str, Any]]:
    file = io.StringIO()
    ledger.to_json_lines(file)
    return [json.loads(line) for line in file.getvalue().splitlines()]


def csv_rows(ledger: Ledger) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    ledger.to_csv(file)
    file.seek(0)
    return list(csv.DictReader(file))


class TestRows:
    def test_are_flat_and_exact(self) -> None:
        row = ledger_of(call()).rows()[0]
        assert row["started_at"] == datetime(2026, 9, 21, 14, 13, 20, 250_000, UTC)
        assert row["cost_usd"] == Decimal("0.0001244")
        assert (row["prompt_tokens"], row["image_tokens"], row["total_tokens"]) == (608, 576, 622)
        assert (row["seconds"], row["outcome"], row["images"]) == (1.5, "answered", ())

    def test_hold_everything_that_is_known_of_a_call(self) -> None:
        details = {name for name in CallDetails.__dataclass_fields__ if name != "usage"}
        assert set(ledger_of(call()).rows()[0]) == details | set(Usage.__dataclass_fields__)

    def test_have_the_same_columns_and_none_where_nothing_is_known(self) -> None:
        known, unknown = ledger_of(call(), call(usage=None, cost_usd=None)).rows()
        assert list(known) == list(unknown)
        assert {unknown[name] for name in ("prompt_tokens", "total_tokens", "cost_usd")} == {None}


class TestJsonLines:
    def test_keep_every_digit_and_the_time_in_utc(self) -> None:
        line = json_lines(ledger_of(call(cost_usd=Decimal("1E-7"), started_at=1_790_000_000.0)))[0]
        assert line["cost_usd"] == "0.0000001"
        assert line["started_at"] == "2026-09-21T14:13:20.000000+00:00"

    def test_keep_texts_as_they_are(self) -> None:
        parameters = MappingProxyType({"max_tokens": 20, "stop": ("\n", "–")})  # noqa: RUF001 - any text
        changes = {"error": "=1+1", "tags": ("Bélgica", "a | b"), "parameters": parameters}
        line = json_lines(ledger_of(call(**changes)))[0]
        assert line["error"] == "=1+1"
        assert line["tags"] == ["Bélgica", "a | b"]
        assert line["parameters"] == {"max_tokens": 20, "stop": ["\n", "–"]}  # noqa: RUF001

    def test_say_null_for_what_is_unknown(self) -> None:
        line = json_lines(ledger_of(call(cost_usd=None, usage=None)))[0]
        assert (line["cost_usd"], line["prompt_tokens"]) == (None, None)

    def test_survive_half_a_surrogate_pair(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.jsonl"
        ledger_of(call(tags=("\ud83d",))).to_json_lines(path)
        assert json.loads(path.read_text(encoding="utf-8"))["tags"] == ["\ud83d"]


class TestCsv:
    def test_reads_back_as_a_table(self) -> None:
        changes = {"images": ("ab12", "url"), "tags": ("captions", "night, late"), "parameters": {"n": 2}}
        answered, unknown = csv_rows(ledger_of(call(**changes), call(cost_usd=None, usage=None)))
        assert answered["cost_usd"] == "0.0001244"
        assert answered["started_at"] == "2026-09-21T14:13:20.250000+00:00"
        assert answered["images"] == "ab12 | url"
        assert answered["tags"] == "captions | night, late"
        assert answered["parameters"] == '{"n": 2}'
        assert (unknown["cost_usd"], unknown["prompt_tokens"], unknown["parameters"]) == ("", "", "")

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1+1", "＝1＋1"])  # noqa: RUF001 - wide
    @pytest.mark.parametrize("column", ["backend", "model", "error", "request_id", "tags"])
    def test_holds_no_text_that_a_spreadsheet_would_run(self, column: str, text: str) -> None:
        value = (text, "other") if column == "tags" else text
        assert csv_rows(ledger_of(call(**{column: value})))[0][column].startswith(f"'{text}")

    def test_leaves_harmless_texts_alone(self) -> None:
        assert csv_rows(ledger_of(call(error="ServerFailed: 1 = 2")))[0]["error"] == "ServerFailed: 1 = 2"


@pytest.mark.parametrize("export", ["to_csv", "to_json_lines"])
def test_a_path_and_an_open_file_get_the_same(export: str, tmp_path: Path) -> None:
    ledger = ledger_of(call(error="Überlast"), call())
    path, file = tmp_path / "calls", io.StringIO(newline="")
    path.write_text("what was there before", encoding="utf-8")
    getattr(ledger, export)(str(path))
    getattr(ledger, export)(file)
    assert path.read_bytes().decode() == file.getvalue() != ""
    assert not file.closed


def test_no_export_holds_a_key_or_the_bytes_of_an_image(api_server: ApiServer, blue_picture: Path) -> None:
    ledger = Ledger()
    client = VisionClient(api_key=api_server.key, base_url=api_server.base_url, hooks=[ledger], max_retries=0)
    client.ask("What is this?", blue_picture)
    sent = api_server.requests[-1].body
    image = sent[sent.index(b";base64,") + 8 :][:400].decode()
    # A server that repeats what it was sent, as some do.
    repeated = f"cannot read data:image/png;base64,{image} with the key {api_server.key}"
    api_server.fail_next(Fault(status=400, message=repeated))
    with pytest.raises(Exception, match="cannot read"):
        client.ask("What is this?", blue_picture)
    assert [entry.outcome for entry in ledger.entries] == ["answered", "failed"]
    text = io.StringIO()
    ledger.to_csv(text)
    ledger.to_json_lines(text)
    everything = f"{text.getvalue()}{ledger._repr_html_()}{ledger.entries}{ledger!r}"
    assert "cannot read" in everything
    assert api_server.key not in everything
    assert image[:40] not in everything
