"""`documents_to_message`: retrieved captions back to one message with their images, within limits."""

import base64
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from PIL import Image

from firellava.errors import ConfigurationError, InvalidRequest
from langchain_firellava import ChatFireLLaVA
from langchain_firellava.documents import ImageNotShownWarning, documents_to_message
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

NO_ROOM = "[Its image is not shown: there is no room for more images.]"
UNREADABLE = "[Its image is not shown: it cannot be read.]"
COLOURS = [f"#{level:02x}0000" for level in range(0, 250, 5)]
MANY_IMAGES = pytest.mark.filterwarnings("ignore::firellava.limits.SeveralImagesWarning")


@pytest.fixture
def cards(tmp_path: Path) -> list[Document]:
    """Fifty cards, each of another red, with captions."""
    documents = []
    for number, colour in enumerate(COLOURS, 1):
        path = tmp_path / f"card {number}.png"
        path.write_bytes(encoded("PNG", (20, 20), colour))
        documents.append(Document(f"Card {number}.", metadata={"source": str(path)}))
    return documents


def told(message: HumanMessage) -> list[str]:
    """The texts of a message, with a mark where an image stands."""
    blocks: list[Any] = list(message.content)
    return [block["text"] if block["type"] == "text" else "<image>" for block in blocks]


def image_at(message: HumanMessage, place: int) -> Image.Image:
    block: Any = message.content[place]
    return Image.open(io.BytesIO(base64.b64decode(block["base64"]))).convert("RGB")


def count(message: HumanMessage) -> int:
    return told(message).count("<image>")


def test_each_caption_stands_beside_its_image_and_the_question_last(cards: list[Document]) -> None:
    message = documents_to_message("Which is darker?", cards[:2])
    assert told(message) == [
        "Document 1: Card 1.",
        "<image>",
        "Document 2: Card 2.",
        "<image>",
        "Which is darker?",
    ]
    assert [image_at(message, place).getpixel((0, 0)) for place in (1, 3)] == [(0, 0, 0), (5, 0, 0)]


class TestTheImagesThatAreShown:
    @MANY_IMAGES
    def test_are_as_many_as_the_context_window_of_firellava_holds(
        self, llm: ChatFireLLaVA, api_server: ApiServer, cards: list[Document]
    ) -> None:
        message = documents_to_message("Which is the darkest?", cards[:9], model=llm)
        assert count(message) == 6
        assert told(message)[-4:-1] == [
            f"Document {number}: Card {number}. {NO_ROOM}" for number in (7, 8, 9)
        ]
        llm.invoke([message])
        assert [image.mean for image in api_server.requests[0].images] == COLOURS[:6]

    def test_are_fewer_beside_long_captions(self, llm: ChatFireLLaVA, cards: list[Document]) -> None:
        for document in cards[:9]:
            document.page_content = "A red card lies on a table. " * 20
        assert 1 <= count(documents_to_message("Which?", cards[:9], model=llm)) < 6

    def test_are_fewer_where_a_long_answer_is_wanted(self, llm_for: Make, cards: list[Document]) -> None:
        message = documents_to_message("Which?", cards[:9], model=llm_for(max_tokens=1000))
        assert count(message) == 4

    def test_are_as_many_as_the_server_takes(
        self, llm_for: Make, api_server: ApiServer, cards: list[Document]
    ) -> None:
        qwen = llm_for(model=QWEN_MAX)
        message = documents_to_message("Which is the darkest?", cards, model=qwen)
        assert count(message) == 30
        assert len(message.content) == 30 + len(cards) + 1
        qwen.invoke([message])
        assert len(api_server.requests[0].images) == 30

    @pytest.mark.parametrize(("settings", "most", "shown"), [({"keep_images": 2}, None, 2), ({}, 3, 3)])
    def test_are_as_many_as_the_settings_say(
        self, llm_for: Make, cards: list[Document], settings: dict[str, Any], most: int | None, shown: int
    ) -> None:
        model = llm_for(model=QWEN_MAX, **settings)
        assert count(documents_to_message("Which?", cards, model=model, max_images=most)) == shown

    def test_may_be_none(self, cards: list[Document]) -> None:
        message = documents_to_message("Which?", cards[:1], max_images=0)
        assert told(message) == [f"Document 1: Card 1. {NO_ROOM}", "Which?"]

    @given(numbers=st.lists(st.integers(1, 50), max_size=20), most=st.none() | st.integers(0, 8))
    def test_are_the_first_ones_each_once_and_no_caption_is_lost(
        self, tmp_path_factory: pytest.TempPathFactory, numbers: list[int], most: int | None
    ) -> None:
        folder = tmp_path_factory.getbasetemp() / "cards"
        folder.mkdir(exist_ok=True)
        for number in set(numbers):
            (folder / f"{number}.png").write_bytes(encoded("PNG", (4, 4), COLOURS[number - 1]))
        documents = [
            Document(f"Card {number}.", metadata={"source": str(folder / f"{number}.png")})
            for number in numbers
        ]
        message = documents_to_message("Which?", documents, max_images=most)
        places = [place for place, text in enumerate(told(message)) if text == "<image>"]
        shown = list(dict.fromkeys(numbers))[:most]
        assert [image_at(message, place).getpixel((0, 0)) for place in places] == [
            (5 * (number - 1), 0, 0) for number in shown
        ]
        captions = [text for text in told(message)[:-1] if text != "<image>"]
        assert [text.split(" [")[0] for text in captions] == [
            f"Document {place}: Card {number}." for place, number in enumerate(numbers, 1)
        ]
        for text, number in zip(captions, numbers, strict=True):
            assert (NO_ROOM in text) == (number not in shown)


class TestTheSameImage:
    def test_is_shown_once(self, cards: list[Document]) -> None:
        again = Document("The first one.", metadata=cards[0].metadata)
        message = documents_to_message("Which?", [cards[0], again, cards[1]])
        assert told(message)[2] == "Document 2: The first one. [Its image is that of document 1.]"
        assert count(message) == 2

    def test_is_told_from_its_copies_in_other_files(self, cards: list[Document], tmp_path: Path) -> None:
        (tmp_path / "copy.png").write_bytes((tmp_path / "card 1.png").read_bytes())
        copy = Document("A copy.", metadata={"source": str(tmp_path / "copy.png")})
        message = documents_to_message("Which?", [cards[0], copy], max_images=2)
        assert told(message)[2] == "Document 2: A copy. [Its image is that of document 1.]"

    def test_is_known_by_its_hash_although_there_is_no_room(self, cards: list[Document]) -> None:
        hashed = {"content_hash": "sha256-" + "0" * 64}
        documents = [
            Document(text, metadata=cards[place].metadata | hashed)
            for place, text in enumerate(["One.", "Two."])
        ]
        message = documents_to_message("Which?", documents, max_images=1)
        assert told(message)[2] == "Document 2: Two. [Its image is that of document 1.]"


class TestAnImageThatCannotBeRead:
    def test_is_told_to_the_model_and_the_developer(self, cards: list[Document]) -> None:
        gone = Document("A lost card.", metadata={"source": "/nowhere/lost.png"})
        with pytest.warns(
            ImageNotShownWarning, match=r"image of document 1 is not shown: .*lost\.png"
        ) as seen:
            message = documents_to_message("Which?", [gone, *cards[:2]], max_images=1)
        assert told(message)[:3] == [
            f"Document 1: A lost card. {UNREADABLE}",
            "Document 2: Card 1.",
            "<image>",
        ]
        assert seen[0].filename == __file__

    @pytest.mark.parametrize("whose", ["of the model", "given"])
    def test_because_it_lies_outside_the_folders_is_not_read(
        self, llm_for: Make, cards: list[Document], tmp_path: Path, whose: str
    ) -> None:
        inside = tmp_path / "inside"
        inside.mkdir()
        given: dict[str, Any] = (
            {"model": llm_for(image_roots=[inside])}
            if whose == "of the model"
            else {"image_roots": str(inside)}
        )
        with pytest.warns(ImageNotShownWarning, match="image_roots"):
            assert count(documents_to_message("Which?", cards[:1], **given)) == 0

    def test_because_nobody_says_where_it_is_is_told(self) -> None:
        caption = Document("A card.", metadata={"source": None, "content_hash": "sha256-" + "0" * 64})
        with pytest.warns(ImageNotShownWarning, match="does not say where its image is"):
            message = documents_to_message("Which?", [caption])
        assert told(message)[0] == f"Document 1: A card. {UNREADABLE}"

    @pytest.mark.parametrize("metadata", [{"page": 0}, {"page": 7}])
    def test_because_it_has_no_such_page_is_told(
        self, cards: list[Document], metadata: dict[str, Any]
    ) -> None:
        document = Document("Page.", metadata=cards[0].metadata | metadata)
        with pytest.warns(ImageNotShownWarning, match=rf"page {metadata['page']}"):
            assert count(documents_to_message("Which?", [document])) == 0


class TestADocument:
    @pytest.mark.parametrize(
        "metadata",
        [
            {},
            {"source": "notes.txt"},
            {"source": "https://example.com/page.html"},
            {"source": "report.pdf", "page": 0},
            {"source": 7},
            {"source": "http://[.png.html"},
        ],
    )
    def test_without_an_image_is_a_text(self, metadata: dict[str, Any]) -> None:
        message = documents_to_message("Why?", [Document("Cats sleep.", metadata=metadata)])
        assert told(message) == ["Document 1: Cats sleep.", "Why?"]

    @pytest.mark.parametrize("mark", [{"content_hash": "sha256-" + "0" * 64}, {"mime_type": "image/png"}])
    def test_may_say_by_its_metadata_that_it_is_of_an_image(
        self, tmp_path: Path, mark: dict[str, str]
    ) -> None:
        (tmp_path / "0042").write_bytes(encoded())
        document = Document("Blue.", metadata={"source": str(tmp_path / "0042"), **mark})
        assert count(documents_to_message("Which?", [document])) == 1

    @pytest.mark.parametrize("url", ["https://example.com/a.JPG?signature=1", "http://example.com/b.webp"])
    def test_of_an_image_on_the_web_keeps_its_url(self, url: str) -> None:
        message = documents_to_message("Which?", [Document("A cat.", metadata={"source": url})])
        assert message.content[1] == {"type": "image", "url": url}

    def test_may_be_a_page_of_a_tiff(self, tmp_path: Path) -> None:
        pages = [Image.new("RGB", (10, 10), colour) for colour in ("#ff0000", "#00ff00")]
        pages[0].save(tmp_path / "scan.tiff", save_all=True, append_images=pages[1:])
        documents = [
            Document(f"Page {page}.", metadata={"source": str(tmp_path / "scan.tiff"), "page": page})
            for page in ("2", 1.0)  # as some stores give numbers back
        ]
        message = documents_to_message("Which?", documents)
        assert image_at(message, 1).getpixel((0, 0)) == (0, 255, 0)
        assert image_at(message, 3).getpixel((0, 0)) == (255, 0, 0)

    @pytest.mark.engine("pdf")
    def test_may_be_a_page_of_a_pdf(self, tmp_path: Path) -> None:
        pages = [Image.new("RGB", (100, 100), colour) for colour in ("#ff0000", "#00ff00")]
        pages[0].save(tmp_path / "report.pdf", save_all=True, append_images=pages[1:])
        metadata = {"source": str(tmp_path / "report.pdf"), "page": 2, "content_hash": "sha256-" + "0" * 64}
        message = documents_to_message("Which?", [Document("Green.", metadata=metadata)])
        red, green, _ = image_at(message, 1).resize((1, 1)).getpixel((0, 0))  # type: ignore[misc] # of three bands
        assert red < 60
        assert green > 200


class TestAChain:
    """A store of captions, a retriever, the message, the model: as one runnable."""

    @pytest.fixture
    def chain(self, llm: ChatFireLLaVA, cards: list[Document]) -> Any:
        store = InMemoryVectorStore(DeterministicFakeEmbedding(size=64))
        store.add_documents(cards)
        return (
            {"question": RunnablePassthrough(), "documents": store.as_retriever(search_kwargs={"k": 8})}
            | RunnableLambda(lambda given: [documents_to_message(**given, model=llm)])
            | llm
        )

    @MANY_IMAGES
    async def test_answers_with_the_images_that_were_retrieved(
        self, chain: Any, api_server: ApiServer
    ) -> None:
        # The embedding is a hash of the text: a question that is a caption finds that caption first.
        answers = [chain.invoke("Card 7."), await chain.ainvoke("Card 7.")]
        assert all("question: " in answer.text for answer in answers)
        for request in api_server.requests:
            parts = request.json["messages"][0]["content"]
            assert parts[0]["text"] == "Document 1: Card 7."
            assert parts[-1]["text"] == "Card 7."
            assert len(request.images) == 6
            assert request.images[0].mean == COLOURS[6]


class TestWhatMakesNoSense:
    def test_an_empty_question_is_refused(self, cards: list[Document]) -> None:
        with pytest.raises(InvalidRequest, match="question is empty"):
            documents_to_message(" ", cards)

    @pytest.mark.parametrize("most", [-1, "2", 1.5, True])
    def test_what_is_no_number_of_images_is_refused(self, cards: list[Document], most: Any) -> None:
        with pytest.raises(ConfigurationError, match="max_images= takes a whole number from 0"):
            documents_to_message("Which?", cards, max_images=most)

    def test_no_documents_leave_the_question(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert told(documents_to_message("Which?", [])) == ["Which?"]
