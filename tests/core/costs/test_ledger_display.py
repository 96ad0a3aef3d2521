"""How a ledger shows itself in a line and in a notebook."""

import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from firellava.costs.ledger import Ledger
from firellava.hooks import CallDetails
from tests.core.costs.calls import call


def ledger_of(*calls: CallDetails, keep: int | None = None) -> Ledger:
    ledger = Ledger(keep=keep)
    for each in calls:
        ledger(each)
    return ledger


class _Reader(HTMLParser):
    """Reads the rows of all tables, and the text outside of them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.outside = ""
        self.elements: set[str] = set()
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in {"th", "td"}

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data
        else:
            self.outside += data


def shown(ledger: Ledger) -> _Reader:
    reader = _Reader()
    reader.feed(ledger._repr_html_())
    return reader


class TestTheLine:
    def test_says_what_it_comes_to(self) -> None:
        assert repr(ledger_of(call(), call())) == "Ledger($0.0002488, 2 calls, 1,244 tokens)"

    def test_says_what_is_lacking(self) -> None:
        assert repr(ledger_of(call(usage=None, cost_usd=None, may_cost_more=True))) == (
            "Ledger($0.00, 1 call, 0 tokens, 1 of unknown cost, 1 may cost more, 1 without a token count)"
        )

    @pytest.mark.parametrize(
        ("cost", "dollars"),
        [("0", "$0.00"), ("12345.6", "$12,345.60"), ("0.0001152", "$0.0001152"), ("1E+3", "$1,000.00")],
    )
    def test_writes_dollars_as_people_do(self, cost: str, dollars: str) -> None:
        assert f"({dollars}," in repr(ledger_of(call(cost_usd=Decimal(cost))))


class TestTheTable:
    def test_shows_totals_by_model_backend_and_tag_and_the_newest_calls(self) -> None:
        page = shown(
            ledger_of(call(tags=("captions",)), call(cost_usd=None, outcome="broken", error="Oh: no"))
        )
        model, backend = "accounts/fireworks/models/firellava-13b", "fireworks:firellava-13b"
        figures = ["1,216", "1,152", "0", "28"]
        headings = ["calls", "prompt", "images", "cached", "completion", "cost", ""]
        assert "$0.0001244" in page.outside
        assert "2 calls · 1,244 tokens · 1 of unknown cost" in page.outside
        assert page.rows == [
            ["model", *headings],
            [model, "2", *figures, "$0.0001244", "1 of unknown cost"],
            ["backend", *headings],
            [backend, "2", *figures, "$0.0001244", "1 of unknown cost"],
            ["tag", *headings],
            ["captions", "1", "608", "576", "0", "14", "$0.0001244", ""],
            ["none", "1", "608", "576", "0", "14", "unknown", "1 of unknown cost"],
            ["newest calls (UTC)", "seconds", "prompt", "completion", "cost", "backend", "outcome", ""],
            ["2026-09-21 14:13:20", "1.50", "608", "14", "unknown", backend, "broken", "Oh: no"],
            ["2026-09-21 14:13:20", "1.50", "608", "14", "$0.0001244", backend, "answered", ""],
        ]

    def test_of_an_empty_ledger_is_a_line(self) -> None:
        page = shown(Ledger())
        assert "0 calls" in page.outside
        assert page.rows == []

    def test_leaves_tags_out_where_there_are_none(self) -> None:
        assert not [row for row in shown(ledger_of(call())).rows if row[0] in {"tag", "none"}]

    def test_shows_the_newest_five_calls_and_the_ten_costliest_of_many_tags(self) -> None:
        calls = [call(tags=(f"t{number}",), cost_usd=Decimal(number)) for number in range(25)]
        rows = shown(ledger_of(*calls, keep=7)).rows
        tags = rows.index(next(row for row in rows if row[0] == "tag"))
        assert [row[0] for row in rows[tags + 1 :][:11]] == [
            *(f"t{n}" for n in range(24, 14, -1)),
            "and 15 more",
        ]
        newest = next(row for row in rows if row[0].startswith("newest"))
        assert [row[4] for row in rows[rows.index(newest) + 1 :]] == [f"${n}.00" for n in range(24, 19, -1)]

    def test_escapes_every_text(self) -> None:
        evil = '<script>alert("1")</script>"\' onmouseover=x'
        ledger = ledger_of(call(model=evil, backend=evil, tags=(evil,), error=evil * 3))
        page = shown(ledger)
        assert page.elements == {"div", "b", "span", "table", "tr", "th", "td"}
        assert [evil, evil, evil] == [row[0] for row in page.rows if row[0] == evil]

    def test_shortens_a_long_text_and_shows_it_whole_when_pointed_at(self) -> None:
        ledger = ledger_of(call(error="x" * 300))
        assert f'title="{"x" * 300}"' in ledger._repr_html_()
        assert shown(ledger).rows[-1][-1] == "x" * 79 + "…"

    def test_sets_no_colour_of_its_own_but_translucent_lines(self) -> None:
        colours = re.findall(r"(?:color|background):([^;\"]+)", ledger_of(call())._repr_html_())
        assert set(colours) == {"inherit", "none"}
