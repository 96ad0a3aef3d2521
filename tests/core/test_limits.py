"""What is over a card's limits is made smaller, or refused before anything is sent, or left to the server."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firellava import ImagePart, ImageSource, Message, ModelCard, TextPart, VisionClient, model_card
from firellava.backends.base import AttemptContext
from firellava.backends.pictures import pictures_of
from firellava.errors import BadRequest, ContextOverflow, ImageTooLarge, LimitExceeded, RefusedByServer
from firellava.images import PreparedImage
from firellava.images.shrink import SMALLEST_SIDE
from firellava.limits import LimitsPolicy
from firellava.messages import Request
from firellava.models import Fit, ImageLimits, ImageTarget
from firellava.wire import chat
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded
from tests.core.images.noise import noise
from tests.core.images.samples import decoded
from tests.langchain.pictures import claiming_pixels

Make = Callable[..., VisionClient]

SMALL, LARGE = noise(240, 160), noise(600, 400)


def limited(target: ImageTarget | None = None, **limits: int | None) -> ModelCard:
    """Qwen's card with other limits."""
    changes: dict[str, Any] = {"image_limits": ImageLimits(**limits)}
    return model_card("qwen3p8-max").model_copy(update=changes | ({"image_target": target} if target else {}))


def bytes_of_image(data: bytes) -> int:
    """Bytes of its prepared form."""
    sent = pictures_of(asking(data), limited(), AttemptContext()).images[0]
    assert isinstance(sent, PreparedImage)
    return len(sent.data)


def asking(*images: bytes) -> Request:
    parts = [ImagePart(ImageSource.from_bytes(data)) for data in images]
    return Request((Message("user", [*parts, TextPart("Größe?")]),))


class TestAdjusting:
    def test_an_image_with_too_many_bytes_is_sent_smaller_and_the_reply_says_so(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        most = bytes_of_image(LARGE) // 2
        reply = client_for(model=QWEN_MAX, card=limited(image_bytes=most)).ask("What is this?", LARGE)
        (sent,) = api_server.requests[0].images
        assert 0.5 * most < len(sent.data) <= most
        width, height = sent.size
        assert width < 600
        assert width * 2 == pytest.approx(height * 3, abs=3)
        assert reply.adjustments == (
            f"image 1: scaled from 600x400 to {width}x{height}",
            *(line for line in reply.adjustments if "converted" in line),
            f"image 1: {width}x{height} instead of 600x400, so that one image stays under {most / 1e6:g} MB",
        )

    def test_the_largest_images_are_sent_smaller_until_the_whole_request_fits(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        images = [SMALL, LARGE, SMALL, noise(400, 600)]
        client_for(model=QWEN_MAX).ask("Which?", *images)
        most = len(api_server.requests[0].body) // 2
        reply = client_for(model=QWEN_MAX, card=limited(request_bytes=most)).ask("Which?", *images)
        assert 0.7 * most < len(api_server.requests[1].body) <= most
        first, second, third, fourth = api_server.requests[1].images
        assert first.size == third.size == (240, 160)
        assert first.data == api_server.requests[0].images[0].data
        assert len(second.data) == pytest.approx(len(fourth.data), rel=0.2)
        told = [line for line in reply.adjustments if "instead of" in line]
        assert [line[:8] for line in told] == ["image 2:", "image 4:"]
        assert told[0].endswith(f"so that the request stays under {most / 1e6:g} MB")

    def test_the_text_counts_too(self, client_for: Make, api_server: ApiServer) -> None:
        client_for(model=QWEN_MAX).ask("?", LARGE)
        most = len(api_server.requests[0].body)
        client = client_for(model=QWEN_MAX, card=limited(request_bytes=most))
        assert "600x400" in client.ask("?", LARGE).text
        assert "600x400" not in client.ask("?!", LARGE).text
        assert len(api_server.requests[2].body) <= most

    async def test_asynchronously_and_as_a_stream_too(self, client_for: Make, api_server: ApiServer) -> None:
        client = client_for(model=QWEN_MAX, card=limited(request_bytes=100_000))
        chunks = [chunk async for chunk in client.astream(asking(LARGE).messages)]
        assert len(api_server.requests[0].body) <= 100_000
        assert chunks[-1].reply is not None
        assert "instead of 600x400" in chunks[-1].reply.adjustments[-1]

    def test_a_raw_prompt_is_kept_under_the_limit_too(self, client_for: Make, api_server: ApiServer) -> None:
        card = model_card("firellava-13b").model_copy(
            update={"image_target": ImageTarget(side=600), "image_limits": ImageLimits(request_bytes=90_000)}
        )
        client_for(card=card).complete("USER:<image>\nWhat is this?\n\nASSISTANT:", [LARGE])
        assert 60_000 < len(api_server.requests[0].body) <= 90_000

    def test_a_letterboxed_picture_stays_a_square(self, client_for: Make, api_server: ApiServer) -> None:
        card = limited(ImageTarget(fit="letterbox", side=600), image_bytes=80_000)
        client_for(model=QWEN_MAX, card=card).ask("What is this?", LARGE)
        (sent,) = api_server.requests[0].images
        assert SMALLEST_SIDE < sent.size[0] == sent.size[1] < 600

    def test_nothing_is_said_of_images_that_fit(self, client_for: Make) -> None:
        assert client_for(model=QWEN_MAX).ask("What is this?", encoded("PNG")).adjustments == ()

    def test_an_image_as_url_counts_as_one_image_of_no_bytes(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        url = "https://example.com/large.png"
        api_server.host_image(url, LARGE)
        card = limited(count=2, image_bytes=10, request_bytes=1000)
        client_for(model=QWEN_MAX, card=card).ask("What is this?", url, url)
        assert api_server.requests[0].images[0].data == LARGE
        with pytest.raises(LimitExceeded, match="3 images in one request"):
            client_for(model=QWEN_MAX, card=card).ask("What is this?", url, url, url)

    @settings(max_examples=40, deadline=None)
    @given(
        sizes=st.lists(
            st.tuples(*[st.sampled_from([1, 40, 224, 225, 300, 420])] * 2), min_size=1, max_size=5
        ),
        image_bytes=st.none() | st.integers(1_000, 300_000),
        request_bytes=st.none() | st.integers(100, 900_000),
        fit=st.sampled_from(["letterbox", "contain"]),
        formats=st.sampled_from([("JPEG",), ("PNG",), ("JPEG", "PNG")]),
    )
    def test_a_request_is_within_the_limits_with_all_its_images_or_is_refused(
        self,
        sizes: Sequence[tuple[int, int]],
        image_bytes: int | None,
        request_bytes: int | None,
        fit: Fit,
        formats: tuple[Any, ...],
    ) -> None:
        limits = ImageLimits(image_bytes=image_bytes, request_bytes=request_bytes, formats=formats)
        target = ImageTarget(fit=fit, side=400)
        card = ModelCard(name="any", image_target=target, image_limits=limits)
        request = asking(*(noise(*size, seed) for seed, size in enumerate(sizes)))

        def write(asked: Request, images: Sequence[PreparedImage | str]) -> bytes:
            return chat.encode(asked, "any", card, images)

        try:
            pictures = pictures_of(request, card, AttemptContext(), write=write)
        except LimitExceeded:
            assert image_bytes or request_bytes
            return
        sent = [image for image in pictures.images if isinstance(image, PreparedImage)]
        assert [image.sha256 for image in sent] == [part.source.sha256 for part in request.images]
        assert [decoded(image.data).size for image in sent] == [(image.width, image.height) for image in sent]
        if image_bytes is not None:
            assert max(len(image.data) for image in sent) <= image_bytes
        if request_bytes is not None:
            assert len(write(pictures.request, pictures.images)) <= request_bytes
        for number, (image, size) in enumerate(zip(sent, sizes, strict=True), 1):
            usual = pictures_of(asking(noise(*size, number - 1)), card, AttemptContext(limits="off")).images[
                0
            ]
            told = any(
                line.startswith(f"image {number}:") and " instead of " in line
                for line in pictures.adjustments
            )
            assert told == (image.data != getattr(usual, "data", None))


class TestRefusing:
    """Too much is refused with nothing sent, and the message says what to do."""

    @pytest.mark.parametrize("policy", ["strict", "adjust"])
    @pytest.mark.parametrize(
        ("model", "images", "error", "told"),
        [
            ("firellava-13b", 8, ContextOverflow, r"Send at most 7, .* with keep_images="),
            ("qwen3p8-max", 31, LimitExceeded, r"takes at most 30\. Send fewer, .* with keep_images="),
        ],
    )
    def test_too_many_images(
        self,
        client_for: Make,
        api_server: ApiServer,
        policy: LimitsPolicy,
        model: str,
        images: int,
        error: type[Exception],
        told: str,
    ) -> None:
        with pytest.raises(error, match=told):
            client_for(model=model, limits=policy).ask("Which?", *[encoded()] * images)
        assert api_server.requests == []

    @pytest.mark.parametrize(
        ("limits", "told"),
        [
            ({"image_bytes": 50_000}, r"Image 2 has [\d,]+ bytes at 600x400.* 0\.05 MB.*limits='adjust'"),
            ({"request_bytes": 90_000}, r"The request has [\d,]+ bytes.* 0\.09 MB.*'adjust'.*keep_images="),
        ],
    )
    def test_too_many_bytes_where_nothing_may_be_adjusted(
        self, client_for: Make, api_server: ApiServer, limits: dict[str, Any], told: str
    ) -> None:
        client = client_for(model=QWEN_MAX, card=limited(**limits), limits="strict")
        with pytest.raises(LimitExceeded, match=told):
            client.ask("Which?", SMALL, LARGE)
        assert api_server.requests == []
        assert client.ask("Which?", encoded()).adjustments == ()

    def test_limits_are_checked_on_what_would_be_sent(self, client_for: Make, api_server: ApiServer) -> None:
        large = noise(1500, 1200)
        assert len(large) > 5_000_000
        client_for(limits="strict").ask("What is this?", large)
        assert api_server.requests[0].images[0].size == (336, 336)

    @pytest.mark.parametrize("limits", [{"image_bytes": 1000}, {"request_bytes": 5_000}])
    def test_images_that_would_be_too_small_to_be_seen(
        self, client_for: Make, api_server: ApiServer, limits: dict[str, Any]
    ) -> None:
        client = client_for(model=QWEN_MAX, card=limited(**limits))
        with pytest.raises(LimitExceeded, match=f"No image is made smaller than {SMALLEST_SIDE} pixels"):
            client.ask("Which?", LARGE, SMALL)
        assert api_server.requests == []

    @pytest.mark.parametrize("policy", ["strict", "adjust"])
    @pytest.mark.parametrize("images", [(), (SMALL,)])
    def test_too_much_text(
        self, client_for: Make, api_server: ApiServer, policy: LimitsPolicy, images: tuple[bytes, ...]
    ) -> None:
        client = client_for(model=QWEN_MAX, card=limited(request_bytes=90_000), limits=policy)
        with pytest.raises(LimitExceeded, match=r"without its images.*Shorten its text"):
            client.ask("x" * 90_000, *images)
        assert api_server.requests == []


class TestLeavingItToTheServer:
    def test_nothing_is_checked_or_made_smaller(self, client_for: Make, api_server: ApiServer) -> None:
        card = limited(count=1, image_bytes=10, request_bytes=10)
        reply = client_for(model=QWEN_MAX, card=card, limits="off").ask("Which?", LARGE, LARGE)
        assert [image.size for image in api_server.requests[0].images] == [(600, 400)] * 2
        assert not [line for line in reply.adjustments if "instead of" in line]

    def test_its_own_refusal_is_raised(self, client_for: Make, api_server: ApiServer) -> None:
        with pytest.raises(BadRequest, match="Too many images"):
            client_for(model=QWEN_MAX, limits="off").ask("Which?", *[encoded()] * 31)
        with pytest.warns(UserWarning, match="8 here"), pytest.raises(RefusedByServer):
            client_for(limits="off").ask("Which?", *[encoded()] * 8)
        assert len(api_server.requests) == 2

    def test_what_is_safe_to_decode_stays_limited(self, client_for: Make, api_server: ApiServer) -> None:
        with pytest.raises(ImageTooLarge):
            client_for(limits="off").ask("What is this?", claiming_pixels(100_000, 100_000))
        assert api_server.requests == []
