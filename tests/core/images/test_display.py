"""A prepared image in a notebook: the picture itself, and its facts."""

import base64
import re
from decimal import Decimal

from firellava.images import PreparedImage, prepare_image
from firellava.models import ModelCard
from tests.core.images.printed_pages import printed_page
from tests.core.images.samples import SECRET, corners, described


def shown(image: PreparedImage) -> str:
    return image._repr_html_()


def test_it_shows_the_very_picture_that_is_sent_and_nothing_of_the_original() -> None:
    image = prepare_image(described(corners(), "PNG", orientation=6))
    html = shown(image)
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(data) == image.data
    assert SECRET not in image.data
    assert 'width="336" height="336"' in html


def test_it_tells_sizes_tokens_cost_and_changes() -> None:
    html = shown(prepare_image(described(corners(), "PNG", orientation=6)))
    for fact in (
        "80x120, PNG",
        "336x336, PNG, ",
        "576 tokens, $0.0001152",
        "turned upright",
        "metadata removed",
    ):
        assert fact in html


def test_it_tells_what_cannot_be_read() -> None:
    page, _ = printed_page(30)
    assert "too small to read" in shown(prepare_image(page))


def test_it_claims_no_tokens_and_no_cost_where_nobody_says() -> None:
    for card in ("qwen3p8-max", ModelCard(name="any", tokens_per_image=9)):
        image = prepare_image(corners(), card)
        assert image.cost_usd is None
        assert "$" not in shown(image)
    assert (image.tokens, prepare_image(corners(), "qwen3p8-max").tokens) == (9, None)


def test_cards_alike_in_pixels_keep_their_own_prices() -> None:
    own = prepare_image(corners()).cost_usd
    other = ModelCard(name="any", image_target=ModelCard(name="x").image_target, tokens_per_image=100)
    assert own == Decimal("0.0001152")
    assert prepare_image(corners(), other).tokens == 100
    assert prepare_image(corners(), other.model_copy(update={"tokens_per_image": 7})).tokens == 7


def test_what_is_not_ours_is_escaped() -> None:
    image = PreparedImage(b"x", "PNG", 1, 1, "", "<script>", (1, 1), ("<b>bold</b>",))
    assert "<script>" not in shown(image)
    assert "&lt;b&gt;" in shown(image)
