"""``fit="tiles"``: a large image goes as an overview and parts, as many as fit, and is counted so."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from firellava import (
    Budget,
    CallDetails,
    ImagePart,
    ImageSource,
    Message,
    PreparedImage,
    TextPart,
    VisionClient,
    model_card,
)
from firellava.backends.base import AttemptContext
from firellava.backends.pictures import Pictures, pictures_of
from firellava.costs.bounds import upper_bound
from firellava.costs.calibration import calibration_of
from firellava.costs.estimate import estimate_request
from firellava.errors import BudgetExceeded, InvalidRequest
from firellava.images.tiles import MOST_PARTS
from firellava.messages import Parameters, Request
from firellava.models import ImageLimits, ImageTarget, ModelCard
from firellava.tiling import most_pictures
from tests.api_server import ApiServer
from tests.core.images.samples import BLUE, GREEN, RED, YELLOW, corners, decoded, encoded

Make = Callable[..., VisionClient]

FIRELLAVA = model_card("firellava-13b")
SEVERAL = FIRELLAVA.model_copy(
    update={"capabilities": FIRELLAVA.capabilities.model_copy(update={"several_images": True})}
)
"""FireLLaVA's card without the warning of several images."""

A4 = (1240, 1754)
TILES = AttemptContext(fit="tiles")
URL = "https://example.com/cat.png"


def page(size: tuple[int, int] = A4) -> ImageSource:
    return ImageSource.from_bytes(encoded(corners(size), "PNG"))


def asking(*sources: ImageSource, text: str = "What is the total?", **parameters: Any) -> Request:
    parts = [ImagePart(source) for source in sources]
    return Request((Message("user", [*parts, TextPart(text)]),), Parameters(**parameters))


def pictures(request: Request, card: ModelCard = FIRELLAVA, **options: Any) -> Pictures:
    return pictures_of(request, card, TILES, **options)


def pixel(picture: PreparedImage | str, at: tuple[int, int]) -> tuple[float, ...]:
    assert isinstance(picture, PreparedImage)
    colour = decoded(picture.data).convert("RGB").getpixel(at)
    assert isinstance(colour, tuple)
    return colour


class TestAPage:
    def test_is_shown_as_a_whole_and_then_in_parts_from_the_top_left(self) -> None:
        found = pictures(asking(page()))
        sizes = {(image.width, image.height) for image in found.images if isinstance(image, PreparedImage)}
        assert len(found.images) == 5
        assert sizes == {(336, 336)}
        (overview, *_), parts = found.images, found.images[1:]
        assert isinstance(overview, PreparedImage)
        assert overview.original_size == A4
        outer = ((5, 5), (330, 5), (5, 330), (330, 330))
        for part, at, colour in zip(parts, outer, (RED, GREEN, BLUE, YELLOW), strict=True):
            assert pixel(part, at) == pytest.approx(colour, abs=8)

    def test_has_a_text_before_it_that_says_what_follows(self) -> None:
        message = pictures(asking(page())).request.messages[0]
        kinds = [type(part) for part in message.parts]
        assert kinds == [TextPart, *[ImagePart] * 5, TextPart]
        assert message.text.startswith(
            "The next 5 images show one picture: all of it, then 4 overlapping parts"
        )

    def test_is_told_of_in_one_line(self) -> None:
        (line, *others) = pictures(asking(page())).adjustments
        assert line == "image 1: shown as an overview and 4 overlapping parts of 936x936"
        assert others == ["image 1: scaled from 1240x1754 to 238x336 and padded to 336x336"]

    def test_that_is_small_goes_as_one(self) -> None:
        request = asking(page((400, 300)))
        assert pictures(request).request == request
        assert len(pictures(request).images) == 1

    def test_goes_in_parts_of_the_longer_side_where_the_card_pads_nothing(self) -> None:
        card = ModelCard(name="any", image_target=ImageTarget(side=600))
        found = list(pictures(asking(page((1600, 700))), card).images)
        sizes = [(image.width, image.height) for image in found if isinstance(image, PreparedImage)]
        assert sizes == [(600, 262), *[(600, 600)] * 6]

    def test_goes_in_parts_where_the_card_itself_says_so(self) -> None:
        target = FIRELLAVA.image_target.model_copy(update={"fit": "tiles"})
        card = FIRELLAVA.model_copy(update={"image_target": target})
        assert len(pictures_of(asking(page()), card, AttemptContext()).images) == 5
        assert len(pictures_of(asking(page()), card, AttemptContext(fit="contain")).images) == 1

    def test_given_by_url_goes_whole(self) -> None:
        found = pictures(asking(ImageSource.from_url(URL), page()), SEVERAL, takes_urls=True)
        assert found.images[0] == URL
        assert len(found.images) == 6

    def test_of_a_raw_prompt_is_refused_or_goes_whole(self) -> None:
        prompt = Request((Message("user", [ImagePart(page()), TextPart("\nWhat?")]),), completion=True)
        with pytest.raises(InvalidRequest, match="<image> tokens"):
            pictures(prompt)
        target = FIRELLAVA.image_target.model_copy(update={"fit": "tiles"})
        card = FIRELLAVA.model_copy(update={"image_target": target})
        assert len(pictures_of(prompt, card, AttemptContext()).images) == 1


class TestTheRoom:
    def test_is_six_pictures_for_firellava_and_less_where_there_is_more_to_say(self) -> None:
        banner = page((4000, 400))
        assert len(pictures(asking(banner)).images) == 6
        assert len(pictures(asking(banner, text="Tell me all about it. " * 80)).images) == 5
        assert len(pictures(asking(banner, max_tokens=1000)).images) == 5
        assert len(pictures(asking(banner, text="Tell me all about it. " * 420)).images) == 1

    def test_is_shared_by_several_images(self) -> None:
        found = pictures(asking(page(), page((300, 300)), page()), SEVERAL)
        assert [len(each) for each in found.by_image] == [1, 1, 3]

    def test_is_left_to_what_is_passed_on_as_well(self) -> None:
        url = ImageSource.from_url(URL)
        found = pictures(asking(url, url, page((4000, 400))), SEVERAL, takes_urls=True)
        assert [len(each) for each in found.by_image] == [1, 1, 4]

    def test_is_told_before_anything_is_opened(self) -> None:
        missing = ImageSource.from_path("not-there.png")
        assert most_pictures(asking(missing), FIRELLAVA, "tiles") == 6
        assert most_pictures(asking(missing, text="Tell me. " * 1500), FIRELLAVA, "tiles") == 1
        assert most_pictures(asking(missing), FIRELLAVA, None) == 1
        assert most_pictures(asking(), FIRELLAVA, "tiles") == 0

    def test_is_what_the_server_takes_in_one_request(self) -> None:
        card = ModelCard(name="any", image_target=ImageTarget(side=336), image_limits=ImageLimits(count=3))
        assert len(pictures(asking(page()), card).images) == 3
        unlimited = card.model_copy(update={"image_limits": ImageLimits.unlimited()})
        assert len(pictures(asking(page((20_000, 400))), unlimited).images) == MOST_PARTS + 1

    @settings(max_examples=60, deadline=None)
    @given(
        sizes=st.lists(st.tuples(st.integers(2, 900), st.integers(2, 900)), min_size=1, max_size=5),
        count=st.none() | st.integers(5, 30),
        window=st.none() | st.integers(1000, 9000),
        words=st.integers(1, 400),
        max_tokens=st.none() | st.integers(1, 5000),
    )
    def test_never_holds_less_than_is_sent(
        self,
        sizes: list[tuple[int, int]],
        count: int | None,
        window: int | None,
        words: int,
        max_tokens: int | None,
    ) -> None:
        card = ModelCard(
            name="any",
            context_window=window,
            tokens_per_image=100,
            image_target=ImageTarget(fit="letterbox", side=60),
            image_limits=ImageLimits(count=count),
        )
        request = asking(*map(page, sizes), text="word " * words, max_tokens=max_tokens)
        sent = pictures(request, card).images
        assert len(sizes) <= len(sent) <= most_pictures(request, card, "tiles")
        assert len(sent) <= (count or len(sent))
        assert window is None or len(sent) * 100 < window or len(sent) == len(sizes)


class TestTheBooks:
    def test_count_the_pictures_that_were_sent(self, client_for: Make, api_server: ApiServer) -> None:
        reply = client_for(fit="tiles").ask("What is the total?", page())
        assert len(api_server.requests[0].images) == 5
        assert reply.usage is not None
        assert reply.usage.image_tokens == 5 * 576
        assert api_server.billed[0].image == 5 * 576

    def test_bound_what_is_billed(self, client_for: Make, api_server: ApiServer) -> None:
        request = asking(page((4000, 400)), max_tokens=50)
        client_for(fit="tiles").chat(request.messages, max_tokens=50)
        bound = upper_bound(request, FIRELLAVA, "tiles")
        assert bound.prompt is not None
        assert api_server.billed[0].prompt <= bound.prompt
        assert (
            upper_bound(request, FIRELLAVA).prompt == 576 + (upper_bound(asking(), FIRELLAVA).prompt or 0) + 4
        )

    def test_keep_a_budget_that_one_picture_would_fit(self, client_for: Make, api_server: ApiServer) -> None:
        one = client_for(budget=Budget(tokens=3000))
        cut = client_for(budget=Budget(tokens=3000), fit="tiles")
        one.ask("What?", page(), max_tokens=50)
        with pytest.raises(BudgetExceeded):
            cut.ask("What?", page(), max_tokens=50)
        assert len(api_server.requests) == 1
        spending = cut.spending_at_most(asking(page()).messages, Budget(tokens=9000), max_tokens=50)
        assert spending.tokens > 6 * 576

    def test_estimate_the_most_without_opening_anything(self, client_for: Make) -> None:
        messages = asking(ImageSource.from_path("not-there.png")).messages
        found = client_for(fit="tiles").estimate(messages)
        assert (found.image_count, found.picture_count) == (1, 6)
        assert (found.image_tokens, found.image_tokens_are) == (6 * 576, "at most")
        assert "1 as up to 6 pictures, at most 3,456 tokens" in str(found)
        assert found.prompt_cost_usd == Decimal(found.prompt_tokens or 0) / 5_000_000
        plain = client_for().estimate(messages)
        assert (plain.picture_count, plain.image_tokens_are) == (1, "exact")

    def test_learn_nothing_of_images_that_were_cut(self, client_for: Make) -> None:
        calibration_of.cache_clear()
        client = client_for(model="qwen3p8-max", fit="tiles")
        client.ask("What is the total?", page())
        assert estimate_request(asking(page()), client.backend).image_tokens_are == "unknown"
        client_for(model="qwen3p8-max").ask("What is the total?", page())
        assert estimate_request(asking(page()), client.backend).image_tokens_are == "observed"
        calibration_of.cache_clear()

    def test_tell_hooks_of_the_images_as_they_were_given(self, client_for: Make) -> None:
        told: list[CallDetails] = []
        client_for(fit="tiles", hooks=[told.append]).ask("What is the total?", page())
        assert told[0].images == (page().sha256,)


def test_parts_that_are_too_many_bytes_together_are_made_smaller_and_told_of() -> None:
    limits = FIRELLAVA.image_limits.model_copy(update={"image_bytes": 40_000})
    card = FIRELLAVA.model_copy(update={"image_limits": limits})
    noisy = ImageSource.from_pil(Image.effect_noise((600, 600), 90))
    found = pictures(asking(noisy), card)
    assert all(len(image.data) <= 40_000 for image in found.images if isinstance(image, PreparedImage))
    assert any(line.startswith("image 1, part 1: ") for line in found.adjustments)


def test_a_preview_is_what_is_sent(client_for: Make, api_server: ApiServer) -> None:
    client = client_for(fit="tiles", card=SEVERAL)
    messages = asking(page(), page((30, 30))).messages
    shown = [
        image.data for each in client.preview(messages) for image in each if isinstance(image, PreparedImage)
    ]
    assert api_server.requests == []
    client.chat(messages)
    assert [image.data for image in api_server.requests[0].images] == shown
    assert len(shown) == 6


def test_a_preview_downloads_nothing_that_is_passed_on(client_for: Make) -> None:
    assert client_for().preview(asking(ImageSource.from_url(URL)).messages) == ((URL,),)
