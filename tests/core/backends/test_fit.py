"""What ``fit=`` does to a whole request: formats under each policy, and the note on text that was lost."""

import warnings
from collections.abc import Callable

import pytest
from PIL import Image

from firellava import ImagePart, ImageSource, Message, PreparedImage, VisionClient, model_card
from firellava.backends.base import AttemptContext
from firellava.backends.pictures import Pictures, pictures_of
from firellava.errors import InvalidRequest, LimitExceeded
from firellava.limits import LimitsPolicy, TextTooSmallWarning
from firellava.messages import Request
from firellava.models import Fit, ImageLimits, ModelCard
from tests.api_server import ApiServer
from tests.core.images.printed_pages import A4_AT_200_DPI, printed_page
from tests.core.images.samples import SECRET, corners, described, encoded

Make = Callable[..., VisionClient]

FIRELLAVA = model_card("firellava-13b")
TO_336 = A4_AT_200_DPI[1] / 336


def pictures(
    data: bytes, fit: Fit | None, limits: LimitsPolicy = "adjust", card: ModelCard = FIRELLAVA
) -> Pictures:
    request = Request((Message("user", [ImagePart(ImageSource.from_bytes(data))]),))
    return pictures_of(request, card, AttemptContext(fit=fit, limits=limits))


def only(found: Pictures) -> PreparedImage:
    (image,) = found.images
    assert isinstance(image, PreparedImage)
    return image


def print_of(pitch: float) -> bytes:
    """A page whose lines are so many pixels apart when its longer side has 336."""
    return encoded(printed_page(pitch * TO_336)[0], "PNG")


class TestNone:
    def test_sends_the_pixels_as_they_are(self, client_for: Make, api_server: ApiServer) -> None:
        reply = client_for(fit="none").ask("What is this?", described(corners(), "JPEG"))
        (sent,) = api_server.requests[0].images
        assert sent.data == encoded(corners(), "JPEG")
        assert reply.adjustments == ("image 1: metadata removed",)

    def test_converts_what_the_server_does_not_take(self) -> None:
        data = encoded(corners(), "WEBP", lossless=True)
        assert only(pictures(data, "none")).format == "PNG"

    def test_strictly_refuses_what_the_server_does_not_take(self) -> None:
        data = encoded(corners(), "WEBP", lossless=True)
        with pytest.raises(LimitExceeded, match="Image 1 is WEBP; firellava-13b takes JPEG, PNG"):
            pictures(data, "none", "strict")
        assert only(pictures(data, None, "strict")).format == "PNG"
        assert only(pictures(encoded(corners(), "GIF"), "none", "strict")).format == "PNG"

    def test_without_limits_keeps_jpeg_and_png_and_never_sends_metadata(self) -> None:
        card = FIRELLAVA.model_copy(update={"image_limits": ImageLimits(formats=("JPEG",))})
        assert only(pictures(encoded(corners(), "PNG"), "none", "off", card)).format == "PNG"
        assert only(pictures(encoded(corners(), "PNG"), "none", "adjust", card)).format == "JPEG"
        sent = only(pictures(described(corners(), "WEBP"), "none", "off", card))
        assert SECRET not in sent.data


class TestTextTooSmall:
    def test_is_warned_of_with_the_remedy_and_told_in_the_reply(self, client_for: Make) -> None:
        with pytest.warns(TextTooSmallWarning, match="336 pixels that firellava-13b sees.* fit='tiles'"):
            reply = client_for().ask("What is the total?", print_of(4))
        assert reply.adjustments[-1] == ("image 1: lines of text are about 4 pixels apart, too small to read")

    def test_is_shown_once_for_a_model_however_many_pages_there_are(self) -> None:
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("default")
            for pitch in (4, 5, 4):
                pictures(print_of(pitch), None)
        assert [note.category for note in shown] == [TextTooSmallWarning]

    def test_is_no_matter_where_the_parts_can_be_read(self) -> None:
        found = pictures(print_of(5), "tiles")
        assert len(found.images) == 5
        assert not [line for line in found.adjustments if "too small" in line]

    def test_is_warned_of_where_the_parts_cannot_be_read_either(self) -> None:
        with pytest.warns(TextTooSmallWarning, match="Ask a model that sees more pixels"):
            found = pictures(print_of(2.6), "tiles")
        assert found.adjustments[-1].endswith("too small to read")

    @pytest.mark.parametrize("fit", [None, "contain", "none"])
    def test_is_not_claimed_of_a_page_that_can_be_read(self, fit: Fit | None) -> None:
        assert only(pictures(print_of(8), fit)).note_on_text is None


class TestForOneCall:
    @pytest.fixture
    def client(self, api_server: ApiServer) -> VisionClient:
        return VisionClient(api_key=api_server.key, base_url=api_server.base_url)

    def test_a_call_decides_for_itself(self, client: VisionClient, api_server: ApiServer) -> None:
        wide = Image.new("RGB", (400, 100), "red")
        assert "336x336" in client.ask("What is this?", wide).text
        assert "400x100" in client.ask("What is this?", wide, fit="none").text
        assert all("fit" not in request.json for request in api_server.requests)

    def test_a_way_that_is_none_is_refused(self, client: VisionClient, api_server: ApiServer) -> None:
        with pytest.raises(InvalidRequest, match="letterbox, contain, tiles, none"):
            client.ask("What is this?", Image.new("RGB", (9, 9)), fit="stretch")
        assert api_server.requests == []
