"""The pictures a backend is sent: prepared once, counted, told of, and never a URL where none is taken."""

import threading
from collections.abc import Callable, Sequence

import pytest

from firellava import (
    FireworksBackend,
    ImagePart,
    ImageSource,
    Message,
    PreparedImage,
    ReplyChunk,
    Usage,
    VisionClient,
    model_card,
)
from firellava.backends.base import AttemptContext
from firellava.backends.pictures import pictures_of
from firellava.images import prepare
from firellava.images.cache import BoundedCache
from firellava.images.fetch import FetchedImage
from firellava.messages import Request
from firellava.replies import Attempt
from firellava.routing.events import Deliver
from firellava.routing.reply_builder import ReplyBuilder
from tests.api_server import QWEN_MAX
from tests.api_server.plain_requests import encoded
from tests.core.images.noise import noise

Make = Callable[..., VisionClient]

FIRELLAVA = model_card("firellava-13b")
URL = "https://example.com/cat.png"


def asking(*sources: ImageSource) -> Request:
    return Request((Message("user", [ImagePart(source) for source in sources]),))


class TestPreparing:
    @pytest.fixture
    def prepared(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The names of the images that were prepared, each time they were."""
        made: list[str] = []
        uncached = prepare.prepare_uncached

        def counting(source: ImageSource, *arguments: object) -> PreparedImage:
            made.append(source.sha256 or "")
            return uncached(source, *arguments)  # type: ignore[arg-type]  # as they came

        prepare._prepared.clear()
        monkeypatch.setattr(prepare, "prepare_uncached", counting)
        return made

    def test_happens_once_for_images_alike_in_a_request_a_conversation_and_among_clients(
        self, client_for: Make, prepared: list[str]
    ) -> None:
        image = encoded()
        question = Message("user", [ImagePart(ImageSource.from_bytes(image))] * 3)
        client = client_for(model=QWEN_MAX)
        answer = client.chat([question])
        client.chat([question, Message("assistant", answer.text), question])
        client_for(model=QWEN_MAX, limits="strict").ask("Again?", bytearray(image))
        assert len(prepared) == 1

    def test_happens_again_for_another_target(self, client_for: Make, prepared: list[str]) -> None:
        for model in ("firellava-13b", QWEN_MAX):
            client_for(model=model).ask("What is this?", encoded())
        assert len(prepared) == 2

    def test_happens_once_in_many_threads(self, client_for: Make, prepared: list[str]) -> None:
        client, image = client_for(), noise(300, 300)
        threads = [threading.Thread(target=client.ask, args=("What is this?", image)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(prepared) == 1

    def test_of_images_made_smaller_happens_once_too(self, client_for: Make, prepared: list[str]) -> None:
        limits = FIRELLAVA.image_limits.model_copy(update={"request_bytes": 150_000})
        card = model_card(QWEN_MAX).model_copy(update={"image_limits": limits})
        client = client_for(model=QWEN_MAX, card=card)
        client.ask("What is this?", noise(600, 400))
        count = len(prepared)
        assert count > 1
        client.ask("What else?", noise(600, 400))
        assert len(prepared) == count

    def test_is_remembered_within_a_number_of_bytes(
        self, client_for: Make, prepared: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        weights: list[int] = []

        def weigh(image: PreparedImage) -> int:
            weights.append(len(image.data) + image.bytes_on_wire)
            return weights[-1]

        cache = BoundedCache[PreparedImage](300_000, weigh)
        monkeypatch.setattr(prepare, "_prepared", cache)
        client = client_for(model=QWEN_MAX)
        for seed in range(8):
            client.ask("What is this?", noise(200, 200, seed))
        assert sum(weights[:8]) > 300_000
        assert cache._bytes <= 300_000
        client.ask("What is this?", noise(200, 200, 7))
        assert len(prepared) == 8
        client.ask("What is this?", noise(200, 200, 0))
        assert len(prepared) == 9


def test_a_backend_that_takes_no_urls_gets_none_whatever_its_card_says() -> None:
    picture = ImageSource.from_bytes(encoded())
    context = AttemptContext(fetched={URL: FetchedImage(picture, 0.1)})
    assert FIRELLAVA.capabilities.image_urls
    (image,) = pictures_of(asking(ImageSource.from_url(URL)), FIRELLAVA, context).images
    assert isinstance(image, PreparedImage)
    assert image.sha256 == picture.sha256


def test_the_fit_of_the_caller_stands_above_that_of_the_card() -> None:
    request = asking(ImageSource.from_bytes(noise(600, 300)))
    letterboxed = pictures_of(request, FIRELLAVA, AttemptContext()).images[0]
    contained = pictures_of(request, FIRELLAVA, AttemptContext(fit="contain")).images[0]
    assert isinstance(letterboxed, PreparedImage)
    assert isinstance(contained, PreparedImage)
    assert (letterboxed.height, contained.height) == (336, 168)


class TestTheReply:
    def reply_of(self, request: Request, chunks: Sequence[ReplyChunk]) -> ReplyChunk:
        backend = FireworksBackend(api_key="k")
        builder = ReplyBuilder(request, Deliver(backend, (Attempt(backend.label, 0.1),)))
        return [builder.add(chunk) for chunk in chunks][-1]

    @pytest.mark.parametrize(("sent", "tokens"), [(None, 576), (1, 576), (5, 2880), (0, 0)])
    def test_counts_the_images_that_were_sent(self, sent: int | None, tokens: int) -> None:
        chunks = [ReplyChunk("A cat.", usage=Usage(3000, 3, 3003)), ReplyChunk(images=sent, last=True)]
        last = self.reply_of(asking(ImageSource.from_bytes(encoded())), chunks)
        assert last.reply is not None
        assert last.usage == last.reply.usage == Usage(3000, 3, 3003, image_tokens=tokens)

    def test_is_told_how_many_were_sent_and_what_was_done_to_them(self) -> None:
        sources = [ImageSource.from_bytes(encoded("PNG", (size, size))) for size in (64, 336)]
        with pytest.warns(UserWarning, match="2 here"):
            found = pictures_of(asking(*sources), FIRELLAVA, AttemptContext())
        assert found.noted_on(ReplyChunk(request_id="r", last=True)) == ReplyChunk(
            request_id="r",
            images=2,
            adjustments=("image 1: scaled from 64x64 to 336x336",),
            last=True,
        )

    def test_without_usage_has_none_whatever_was_sent(self) -> None:
        last = self.reply_of(asking(), [ReplyChunk("A cat."), ReplyChunk(images=3, last=True)])
        assert last.usage is None

    def test_tells_what_was_done_to_the_conversation_before_what_was_done_to_images(self) -> None:
        request = Request((Message("user", "Hello"),), adjustments=("first",))
        last = self.reply_of(request, [ReplyChunk("A cat."), ReplyChunk(adjustments=("second",), last=True)])
        assert last.reply is not None
        assert last.reply.adjustments == ("first", "second")
