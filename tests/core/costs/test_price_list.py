import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices import types
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

from firellava import (
    Backend,
    FireworksBackend,
    Message,
    ModelCard,
    OfflineReader,
    OpenAICompatibleBackend,
    Parameters,
    Usage,
    model_card,
)
from firellava.backends.kinds import revive_backends
from firellava.costs import price_list
from firellava.costs.prices import FREE, Prices
from firellava.errors import ConfigurationError
from firellava.messages import Request

FULL = "accounts/fireworks/models/"
USAGE = Usage(1_000_000, 100_000, 1_100_000)
OURS = Prices(input=1, output=10)
OF_THE_FILE = """
["firellava-13b"]
input = 2
output = 20
["accounts/acme/deployments/vision"]
input = 0.1
output = 0.1
cached_input = 0.05
date = 2026-11-01
source = "our contract"
["llava:7b"]
input = "0.3"
output = 0.30
"""

Write = Callable[[str | bytes], Path]


@pytest.fixture
def price_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the file that FIRELLAVA_PRICES names."""
    path = tmp_path / "prices.toml"
    monkeypatch.setenv("FIRELLAVA_PRICES", str(path))

    def write(content: str | bytes) -> Path:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def genai_list() -> Iterator[Callable[..., None]]:
    """Puts models into the place of genai-prices' own list; each is a matching rule and prices."""

    def put(rule: Any, prices: Any) -> None:
        models = [types.ModelInfo(id="x", match=rule, prices=prices)]
        provider = types.Provider(id="fireworks", name="Fireworks", api_pattern="https://x", models=models)
        set_custom_snapshot(DataSnapshot([provider], from_auto_update=False))
        price_list._on_day.cache_clear()

    yield put
    set_custom_snapshot(None)
    price_list._on_day.cache_clear()


def asked(**parameters: Any) -> Request:
    return Request((Message("user", "What is this?"),), Parameters(**parameters))


class TestThePriceFile:
    @pytest.mark.parametrize(
        ("backend", "cost"),
        [
            (FireworksBackend(), "4"),
            (FireworksBackend(model=FULL + "firellava-13b"), "4"),
            (FireworksBackend(model="accounts/acme/deployments/vision", card="firellava-13b"), "0.11"),
            (OpenAICompatibleBackend(base_url="https://example.com", model="llava:7b"), "0.33"),
            (OpenAICompatibleBackend(base_url="https://example.com", model="llava"), None),
            (
                OpenAICompatibleBackend(base_url="https://a.example", model="llava:7b", card="firellava-13b"),
                "0.33",
            ),
        ],
    )
    def test_names_models_by_short_and_by_full_name(
        self, price_file: Write, backend: Backend, cost: str | None
    ) -> None:
        price_file(OF_THE_FILE)
        assert backend.cost(USAGE) == (None if cost is None else Decimal(cost))

    def test_says_when_and_where_a_price_was_read(self, price_file: Write) -> None:
        price_file(OF_THE_FILE)
        stated = price_list.prices_in_file("accounts/acme/deployments/vision")
        assert stated == Prices(
            input="0.1", output="0.1", cached_input="0.05", date=date(2026, 11, 1), source="our contract"
        )
        unstated = price_list.prices_in_file("firellava-13b")
        assert unstated is not None
        assert (unstated.date, unstated.source) == (None, "FIRELLAVA_PRICES (prices.toml)")

    def test_is_read_to_the_last_digit(self, price_file: Write) -> None:
        price_file('["firellava-13b"]\ninput = 0.12345678901234567891\noutput = 1_0.2e-1\n')
        stated = FireworksBackend().prices_for()
        assert stated is not None
        assert (str(stated.input), stated.output) == ("0.12345678901234567891", Decimal("1.02"))

    def test_prefers_the_full_name(self, price_file: Write) -> None:
        price_file(f'["firellava-13b"]\ninput=1\noutput=1\n["{FULL}firellava-13b"]\ninput=5\noutput=5\n')
        assert FireworksBackend().cost(USAGE) == Decimal("5.5")

    def test_does_not_take_a_deployment_for_the_model_its_name_ends_with(self, price_file: Write) -> None:
        price_file('["vision"]\ninput=1\noutput=1\n')
        assert FireworksBackend(model="accounts/acme/deployments/vision").prices_for() is None

    def test_is_read_again_when_it_was_changed(self, price_file: Write) -> None:
        path = price_file('["firellava-13b"]\ninput=1\noutput=1\n')
        assert FireworksBackend().cost(USAGE) == Decimal("1.1")
        before = path.stat()
        price_file('["firellava-13b"]\ninput=3\noutput=3\n')
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
        assert FireworksBackend().cost(USAGE) == Decimal("3.3")

    def test_is_read_once_while_it_stays_as_it_is(
        self, price_file: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        price_file(OF_THE_FILE)
        first = FireworksBackend().prices_for()
        monkeypatch.setattr(Path, "read_bytes", pytest.fail)
        assert FireworksBackend().prices_for() is first

    def test_may_come_from_windows(self, price_file: Write) -> None:
        price_file(b"\xef\xbb\xbf" + OF_THE_FILE.replace("\n", "\r\n").encode())
        assert FireworksBackend().cost(USAGE) == 4

    @pytest.mark.parametrize("named", [False, True])
    def test_changes_nothing_for_models_that_it_does_not_have(
        self, price_file: Write, monkeypatch: pytest.MonkeyPatch, *, named: bool
    ) -> None:
        price_file(OF_THE_FILE)
        if not named:
            monkeypatch.setenv("FIRELLAVA_PRICES", "")
        assert FireworksBackend(model="kimi-k3").prices_for() == model_card("kimi-k3").prices


class TestAMalformedPriceFile:
    @pytest.mark.parametrize(
        ("content", "line", "problem"),
        [
            ("[firellava-13b\ninput = 1", 1, "Expected"),
            ('["a"]\ninput = 1\noutput =\n', 3, "Invalid value"),
            ('["a"]\ninput = 1\noutput = """', 3, "Unterminated"),
            ('["a"]\ninput = 1\noutput = 1\n["a"]\ninput = 2', 4, "twice"),
            (b'["a"]\n# caf\xe9\ninput = 1', 2, "not UTF-8"),
            ("# all in one\ninput = 0.2\noutput = 0.2", 2, "'input' is no table"),
            ('["a"]\ninput = 1\noutput = 1\n\n["b"]\noutput = 1\n', 5, '["b"] input: Field required'),
            ('["a"]\ninput = 1\noutput = -0.1\n', 3, '["a"] output: Input should be greater than'),
            ('["a"]\ninput = inf\noutput = 1\n', 2, "finite"),
            ('["a"]\ninput = 1\noutput = nan\n', 3, "finite"),
            ('["a"]\ninput = 1e9999999999999999999999\noutput = 1\n', 2, "input: "),
            ('["a"]\ninput = true\noutput = 1\n', 2, "input: "),
            ('["a"]\ninput = 1\noutput = 1\noutputs = 1\n', 4, "there is no setting 'outputs'"),
            ('["a"]\noutput = 1\ninput = 1\ncached_input = 2\n', 1, "cached_input is a discount"),
            ('["a"]\ninput = 1\noutput = 1\ndate = "soon"\n', 4, "date: "),
            ("[kimi.k3]\ninput = 1\noutput = 1\n", 1, "there is no setting 'k3'"),
            (
                '# output = -1\n["a"]\nsource = """\noutput = -1\n"""\ninput = 1\noutput = -1',
                7,
                "output: Input should be greater",
            ),
            ('["a"]\nsource = """\n""" \ninput = [\n1,\n]\noutput = 1\n', 4, "input: "),
            ('a = {input = 1,\t"output" = -1}\r\nb = 2\r\n', 1, "output: "),
        ],
    )
    def test_is_refused_with_its_name_and_the_line(
        self, price_file: Write, content: str | bytes, line: int, problem: str
    ) -> None:
        path = price_file(content)
        with pytest.raises(ConfigurationError) as raised:
            FireworksBackend().prices_for()
        assert str(raised.value).startswith(f"{path}, line {line}: ")
        assert problem in str(raised.value)

    def test_says_what_to_quote_where_a_name_has_a_dot(self, price_file: Write) -> None:
        price_file("firellava-13b = 0.2")
        with pytest.raises(ConfigurationError, match=r'write \["firellava-13b"\] on a line of its own'):
            FireworksBackend().prices_for()

    def test_is_refused_where_there_is_none(self, price_file: Write, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"FIRELLAVA_PRICES names .*prices\.toml.*No such file"):
            FireworksBackend().prices_for()
        (tmp_path / "prices.toml").mkdir()
        with pytest.raises(ConfigurationError, match="which is no file"):
            FireworksBackend().prices_for()

    def test_does_not_lose_what_was_paid_for(
        self, price_file: Write, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = price_file('["firellava-13b"]\ninput = -1\noutput = 1\n')
        with caplog.at_level(logging.WARNING, "firellava"):
            assert FireworksBackend().cost(USAGE) is None
        assert f"{path}, line 2" in caplog.text

    def test_is_no_matter_where_it_is_not_needed(self, price_file: Write) -> None:
        price_file("nonsense")
        assert FireworksBackend(prices=OURS).prices_for() == OURS
        assert OfflineReader().prices_for() == FREE


class TestTheOrder:
    def test_begins_with_what_the_backend_was_given(self, price_file: Write) -> None:
        price_file(OF_THE_FILE)
        assert FireworksBackend(prices=OURS).cost(USAGE) == 2
        assert FireworksBackend().cost(USAGE) == 4

    def test_goes_on_to_the_model_card(self) -> None:
        assert FireworksBackend().cost(USAGE) == Decimal("0.22")
        assert FireworksBackend(model="new", card=ModelCard(name="new", prices=OURS)).cost(USAGE) == 2

    def test_ends_with_unknown(self) -> None:
        backend = FireworksBackend(model="nobody-knows")
        assert (backend.prices_for(), backend.cost(USAGE)) == (None, None)

    def test_does_not_matter_where_the_tokens_are_unknown(self) -> None:
        assert FireworksBackend(prices=OURS).cost(None) is None
        assert FireworksBackend(prices=Prices(input=0, output=0)).cost(None) == 0

    @pytest.mark.parametrize(
        "backend",
        [
            OfflineReader(),
            OpenAICompatibleBackend(
                base_url="http://[::1]:1", model="m", card=ModelCard(name="m", prices=OURS)
            ),
        ],
    )
    def test_is_of_no_interest_on_this_machine(self, backend: Backend) -> None:
        assert backend.prices_for() == FREE
        assert backend.cost(None) == backend.cost(USAGE) == 0

    def test_is_what_was_given_for_a_gateway_on_this_machine(self) -> None:
        gateway = OpenAICompatibleBackend(base_url="http://127.0.0.1:1", model="m", prices=OURS)
        assert not gateway.is_free
        assert gateway.prices_for() == OURS

    def test_ends_early_for_servers_of_others(self) -> None:
        settings: dict[str, Any] = {"base_url": "https://example.com", "model": FULL + "kimi-k2p5"}
        assert OpenAICompatibleBackend(**settings).prices_for() is None
        assert OpenAICompatibleBackend(**settings, card="kimi-k2p6").prices_for() is None
        card = ModelCard(name="mine", prices=OURS)
        assert OpenAICompatibleBackend(**settings, card=card).prices_for() == OURS
        assert OpenAICompatibleBackend(**settings, prices=OURS).prices_for() == OURS


class TestPublishedPrices:
    @pytest.mark.parametrize(
        "model",
        [
            "accounts/acme/deployments/x",
            FULL + "firellava-13b#accounts/acme/deployments/x",
            "acme/firellava-13b#acme/x",
            "accounts/acme/models/firellava-13b",
            "accounts/fireworks/routers/kimi-latest",
            "firellava-14b",
        ],
    )
    def test_do_not_travel_with_a_card_to_what_is_billed_otherwise(self, model: str) -> None:
        card = model_card("firellava-13b").model_copy(update={"context_window": 2048})
        for lent in ("firellava-13b", card):
            backend = FireworksBackend(model=model, card=lent)
            assert backend.model_card.tokens_per_image == 576
            assert backend.cost(USAGE) is None
        assert FireworksBackend(model=model, card="firellava-13b", prices=OURS).cost(USAGE) == 2

    def test_stay_with_a_card_of_the_model_itself(self) -> None:
        card = model_card("firellava-13b").model_copy(update={"context_window": 2048})
        assert FireworksBackend(card=card).cost(USAGE) == Decimal("0.22")

    @pytest.mark.parametrize("tier", [{}, {"service_tier": "default"}, {"service_tier": "auto"}])
    def test_hold_in_the_standard_tier(self, tier: dict[str, Any]) -> None:
        assert FireworksBackend().cost(USAGE, asked(**tier)) == Decimal("0.22")

    @pytest.mark.parametrize("model", ["firellava-13b", "kimi-k2p5"])
    @pytest.mark.parametrize(
        "tier", [{"service_tier": "priority"}, {"extra_body": {"service_tier": ["priority"]}}]
    )
    def test_do_not_hold_in_the_priority_tier(self, model: str, tier: dict[str, Any]) -> None:
        assert FireworksBackend(model=model).cost(USAGE, asked(**tier)) is None
        assert FireworksBackend(model=model, prices=OURS).cost(USAGE, asked(**tier)) == 2


class TestGenaiPrices:
    def test_are_asked_for_a_model_that_no_card_prices(self) -> None:
        known = FireworksBackend(model="kimi-k2p5").prices_for()
        assert known is not None
        assert known.cached_input is not None
        assert 0 < known.cached_input < known.input < known.output
        assert known.source == f"genai-prices {genai_prices.__version__}"
        assert FireworksBackend(model="accounts/fireworks/routers/kimi-k3-fast").prices_for() is not None

    def test_are_not_asked_where_a_card_says_it(self, genai_list: Callable[..., None]) -> None:
        price = types.ModelPrice(input_mtok=Decimal(7), output_mtok=Decimal(7))
        genai_list(types.ClauseEquals(FULL + "firellava-13b"), price)
        assert FireworksBackend().cost(USAGE) == Decimal("0.22")

    @pytest.mark.parametrize(
        ("model", "known"),
        [("new", True), ("other", True), ("new-fast", False), ("NEW", False), ("new#acme/x", False)],
    )
    def test_know_exact_names(self, genai_list: Callable[..., None], model: str, *, known: bool) -> None:
        rule = types.ClauseOr([types.ClauseEquals(FULL + name) for name in ("new", "other")])
        genai_list(rule, types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(2)))
        assert (FireworksBackend(model=model).prices_for() is not None) is known

    def test_that_hold_for_all_names_of_a_kind_are_left_alone(self, genai_list: Callable[..., None]) -> None:
        price = types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(2))
        genai_list(types.ClauseStartsWith(FULL + "new"), price)
        assert FireworksBackend(model="new").prices_for() is None

    @pytest.mark.parametrize(
        "beside",
        [{"input_audio_mtok": Decimal(1)}, {"output_mtok": None}, {"input_mtok": "tiers"}],
    )
    def test_that_three_numbers_cannot_say_are_left_alone(
        self, genai_list: Callable[..., None], beside: dict[str, Any]
    ) -> None:
        if "tiers" in beside.values():
            beside = {"input_mtok": types.TieredPrices(Decimal(1), [types.Tier(200_000, Decimal(2))])}
        price = types.ModelPrice(**{"input_mtok": Decimal(1), "output_mtok": Decimal(2)} | beside)
        genai_list(types.ClauseEquals(FULL + "new"), price)
        assert FireworksBackend(model="new").prices_for() is None

    def test_begin_on_their_day(self, genai_list: Callable[..., None]) -> None:
        day = date(2026, 11, 3)
        before, after = (types.ModelPrice(input_mtok=Decimal(n), output_mtok=Decimal(n)) for n in (1, 2))
        begun = types.ConditionalPrice(types.StartDateConstraint(day), prices=after)
        genai_list(types.ClauseEquals(FULL + "new"), [types.ConditionalPrice(prices=before), begun])
        on = {one: price_list._on_day(FULL + "new", one) for one in (day - timedelta(days=1), day)}
        assert [known and known.input for known in on.values()] == [1, 2]

    def test_need_not_be_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "genai_prices", None)
        price_list._on_day.cache_clear()
        try:
            assert FireworksBackend(model="kimi-k2p5").cost(USAGE) is None
        finally:
            price_list._on_day.cache_clear()

    def test_are_not_even_imported_without_need(self) -> None:
        code = (
            "import sys; from firellava import FireworksBackend, Usage; "
            "assert FireworksBackend().cost(Usage(1, 1, 2)) is not None; "
            "assert 'genai_prices' not in sys.modules; "
            "assert FireworksBackend(model='kimi-k2p5').cost(Usage(1, 1, 2)) is not None; "
            "assert 'genai_prices' in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own interpreter


@pytest.mark.parametrize(
    "backend",
    [
        FireworksBackend(prices=OURS, api_key="secret"),
        OpenAICompatibleBackend(base_url="https://example.com", model="m", prices=OURS),
        FireworksBackend.model_validate({"prices": {"input": "0.1", "output": 0.2, "date": "2026-11-01"}}),
    ],
)
def test_a_backend_with_prices_is_stored_and_revived(backend: Backend) -> None:
    stored = backend.model_dump(mode="json")
    revived = revive_backends(stored)
    assert revived.prices == backend.prices
    assert revived.prices_for() == backend.prices_for()
    assert pickle.loads(pickle.dumps(backend)).prices == backend.prices  # noqa: S301 - our own
    assert hash(backend) == hash(backend.model_copy())
    assert "secret" not in f"{stored}{backend!r}"
