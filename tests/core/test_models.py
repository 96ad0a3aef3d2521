"""What is known about models."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from firellava import FireworksBackend, ModelCard, OpenAICompatibleBackend, Usage, VisionClient, model_card
from firellava.errors import ConfigurationError
from firellava.models import catalogue, expand_model_name


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("firellava-13b", "accounts/fireworks/models/firellava-13b"),
        (" firellava-13b\n", "accounts/fireworks/models/firellava-13b"),
        ("accounts/acme/deployments/x", "accounts/acme/deployments/x"),
        ("accounts/fireworks/routers/kimi-latest", "accounts/fireworks/routers/kimi-latest"),
    ],
)
def test_short_names_expand_and_full_ones_stay(name: str, full: str) -> None:
    assert expand_model_name(name) == full


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        expand_model_name(" ")


def test_firellava_is_described_as_its_document_does() -> None:
    card = model_card("firellava-13b")
    assert (card.context_window, card.tokens_per_image) == (4096, 576)
    assert card.image_target.side == 336
    assert card.image_target.fit == "letterbox"
    limits = card.image_limits
    assert (limits.count, limits.request_bytes, limits.image_bytes, limits.url_seconds) == (
        30,
        10**7,
        5 * 10**6,
        1.5,
    )
    assert card.template is not None
    assert card.template.render("<image>\nHi {system}", "Be {user}") == (
        "SYSTEM: Be {user}\n\nUSER:\n<image>\nHi {system}\n\nASSISTANT:"
    )
    assert card.template.render("Hi") == "USER:\nHi\n\nASSISTANT:"


def test_an_image_costs_exactly_what_the_document_says() -> None:
    prices = model_card("firellava-13b").prices
    assert prices is not None
    assert prices.cost(Usage(576, 0, 576)) == Decimal("0.0001152")


def test_cached_tokens_have_their_own_price() -> None:
    prices = model_card("kimi-k3").prices
    assert prices is not None
    usage = Usage(1_000_000, 100_000, 1_100_000, cached_tokens=400_000)
    assert prices.cost(usage) == Decimal("0.6") * 3 + Decimal("0.4") * Decimal("0.30") + Decimal("1.5")


def test_every_card_is_found_by_either_name() -> None:
    for name, card in catalogue.items():
        assert model_card(name) is model_card(f"accounts/fireworks/models/{name}") is card


def test_of_an_unknown_model_nothing_is_claimed() -> None:
    card = model_card("accounts/acme/deployments/x")
    assert (card.context_window, card.tokens_per_image, card.prices) == (None, None, None)


@pytest.mark.parametrize("backend", [FireworksBackend, OpenAICompatibleBackend, VisionClient])
def test_a_card_that_is_named_is_one_of_the_catalogue(backend: Callable[..., object]) -> None:
    with pytest.raises(ConfigurationError, match="no model 'firelava-13b': name one of firellava-13b"):
        backend(card="firelava-13b", base_url="http://127.0.0.1:1/v1", model="eyes")


def test_a_card_is_data_that_can_be_changed_and_stored() -> None:
    card = model_card("firellava-13b").model_copy(update={"context_window": 2048})
    assert ModelCard.model_validate_json(card.model_dump_json()) == card
