"""Answers are quoted, measured or declined; never made up."""

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageFilter

from firellava.reader import answer
from tests.core.reader import documents

needs_engine = pytest.mark.engine("rapidocr")

DOCUMENTS: dict[str, Callable[[], Image.Image]] = {
    "receipt": lambda: documents.cookbook("receipt.jpg"),
    "invoice": lambda: documents.cookbook("invoice.png"),
    "sign": lambda: documents.cookbook("sign.jpg"),
    "chart": lambda: documents.cookbook("chart.png"),
    "photograph": lambda: documents.cookbook("photograph.jpg"),
    "restaurant bill": documents.restaurant_bill,
    "electricity bill": documents.electricity_bill,
    "membership form": documents.membership_form,
    "opening hours": documents.opening_hours,
    "concert poster": documents.concert_poster,
}


@needs_engine
@pytest.mark.parametrize(
    ("document", "question", "expected"),
    [
        ("receipt", "What is the total?", "$49.98"),
        ("receipt", "How much was the subtotal?", "46.71"),
        ("receipt", "How much tax was charged?", "3.27"),
        ("receipt", "What is the date?", "03/14/2026"),
        ("receipt", "What time was it bought?", "10:42 AM"),
        ("receipt", "What is the receipt number?", "004217"),
        ("receipt", "What is the name of the shop?", "MAPLE & MAIN MARKET"),
        ("receipt", "What is the phone number?", "(802) 555-0142"),
        ("receipt", "How much did the coffee cost?", "11.50"),
        ("receipt", "What does it say about returns?", "Returns within 30 days with this receipt"),
        ("invoice", "What is the invoice number?", "INV-2026-0147"),
        ("invoice", "How much is the total due?", "$5,280.00"),
        ("invoice", "When is it due?", "March 14, 2026"),
        ("invoice", "What is the invoice date?", "February 12, 2026"),
        ("invoice", "Who is it billed to?", "Harbor Books Inc."),
        ("invoice", "Who issued the invoice?", "Northlight Studio"),
        ("invoice", "What is the e-mail address?", "accounts@northlight.example"),
        ("invoice", "What is the purchase order number?", "PO-88213"),
        ("invoice", "What is the routing number?", "000012345"),
        ("invoice", "How much is the hosting?", "180.00"),
        (
            "sign",
            "What does the sign say?",
            "NO PARKING 8 AM - 6 PM MONDAY TO FRIDAY TOW-AWAY ZONE City permit 5 exempt",
        ),
        ("sign", "What are the hours?", "8 AM - 6 PM"),
        ("sign", "Does it say 'no parking'?", "Yes: “NO PARKING”"),
        ("chart", "What is the title of the chart?", "Museum visitors in 2025"),
        ("chart", "What is the source?", "City Museum annual report"),
        ("restaurant bill", "What is the total?", "50.00"),
        ("restaurant bill", "How much change was given?", "10.00"),
        ("restaurant bill", "How much was the tip?", "6.80"),
        ("restaurant bill", "What is the address?", "9 Lake Road, Geneva, NY 14456"),
        ("restaurant bill", "Who was the server?", "Dana"),
        ("electricity bill", "What is the account number?", "7781-20456"),
        ("electricity bill", "When is the bill due?", "2026-02-18"),
        ("electricity bill", "What is the date of the bill?", "2026-01-28"),
        ("electricity bill", "What is the meter reading?", "48213"),
        ("electricity bill", "Who is the customer?", "Morgan Lee"),
        ("electricity bill", "Which number can I call?", "1-800-555-0199"),
        ("membership form", "What is the name?", "Alex Rivera"),
        ("membership form", "What is the date of birth?", "9 May 1994"),
        ("membership form", "What is the member ID?", "RSC-40718"),
        ("membership form", "Until when is it valid?", "31/12/2027"),
        ("opening hours", "What are the opening hours?", "9:00 - 18:30"),
        ("concert poster", "When is the concert?", "Saturday, August 22, 2026"),
        ("concert poster", "What time do the doors open?", "7:30 PM"),
        ("concert poster", "What is the title?", "The Paper Lanterns"),
        ("concert poster", "How much are the tickets?", "$35"),
    ],
)
def test_what_is_written_is_quoted(document: str, question: str, expected: str) -> None:
    found = answer(question, [DOCUMENTS[document]()])
    assert documents.squeezed(found.text) == documents.squeezed(expected)
    assert 0.35 <= found.confidence <= 1.0
    assert found.evidence


@needs_engine
@pytest.mark.parametrize(
    ("document", "question"),
    [
        ("receipt", "What is the invoice number?"),
        ("receipt", "What is the due date?"),
        ("receipt", "What is the e-mail address?"),
        ("receipt", "How much was the tip?"),
        ("receipt", "What is the price of the bananas?"),
        ("receipt", "Who was the cashier?"),
        ("invoice", "What is the discount?"),
        ("invoice", "What is the IBAN?"),
        ("invoice", "What is the fax number?"),
        ("invoice", "What is the delivery date?"),
        ("sign", "What is the total?"),
        ("sign", "What is the phone number?"),
        ("sign", "What is the fine?"),
        ("chart", "What is the total?"),
        ("chart", "What is the value for Summer?"),
        ("restaurant bill", "What is the invoice number?"),
        ("restaurant bill", "What is the date?"),
        ("electricity bill", "What is the date of birth?"),
        ("concert poster", "What is the order number?"),
        ("opening hours", "What is the address?"),
    ],
)
def test_what_is_not_written_is_not_made_up(document: str, question: str) -> None:
    found = answer(question, [DOCUMENTS[document]()])
    assert found.text.startswith("I could not find ")
    assert found.text.endswith("Ask me what it says, and I give all of its text.")
    assert (found.confidence, found.evidence) == (0.0, ())


@needs_engine
@pytest.mark.parametrize(
    ("question", "starts"),
    [
        ("Does the receipt mention dark chocolate?", "Yes: “Dark chocolate”"),
        ("Is there anything about returns?", "Yes: “Returns within 30 days"),
        ("Is there a phone number?", "Yes: “(802)"),
        ("Is there any text?", "Yes: “"),
        ("Does the receipt mention dragons?", "No, I could not find “dragons” in the text of the image."),
        ("Is there a fax number?", "No, I could not find a fax number in the text of the image."),
    ],
)
def test_presence_of_text_is_answered_with_yes_or_no(question: str, starts: str) -> None:
    found = answer(question, [DOCUMENTS["receipt"]()])
    assert found.text.startswith(starts)
    assert found.confidence > 0.6
    assert bool(found.evidence) == starts.startswith("Yes")


@needs_engine
@pytest.mark.parametrize(
    ("document", "question", "lines"),
    [
        (
            "receipt",
            "What items were bought?",
            ["Ground coffee", "Sourdough", "Oat milk", "Apples", "Dark", "Ceramic"],
        ),
        ("invoice", "List the dates", ["February 12, 2026", "March 14, 2026"]),
        ("invoice", "What are the phone numbers?", ["(503)"]),
    ],
)
def test_several_values_are_quoted_a_line_each(document: str, question: str, lines: list[str]) -> None:
    quoted = answer(question, [DOCUMENTS[document]()]).text.splitlines()
    assert len(quoted) == len(lines)
    assert all(line.startswith(start) for line, start in zip(quoted, lines, strict=True))


@needs_engine
def test_the_language_of_the_text_is_told() -> None:
    assert answer("What language is it in?", [DOCUMENTS["receipt"]()]).text == "The text is in English."


@needs_engine
def test_a_no_from_one_image_gives_way_to_a_yes_from_another() -> None:
    images = [DOCUMENTS["sign"](), DOCUMENTS["receipt"]()]
    found = answer("Does it mention coffee?", images)
    assert found.text == "Yes: “Ground coffee 12 oz” (image 2)"
    assert {quoted.image for quoted in found.evidence} == {1}
    assert (
        answer("Does it mention tea?", images).text == "No, I could not find “tea” in the text of the images."
    )


@needs_engine
def test_evidence_is_the_label_and_the_value_where_they_stand() -> None:
    receipt = DOCUMENTS["receipt"]()
    label, value = answer("What is the total?", [receipt]).evidence
    assert (label.text, value.text) == ("TOTAL", "$49.98")
    assert label.box.right < value.box.left
    assert 0 < value.polygon[0][1] < receipt.height


@needs_engine
@pytest.mark.parametrize("side", [2048, 640])
@pytest.mark.parametrize(
    ("document", "question", "expected"),
    [
        ("receipt", "What is the total?", "$49.98"),
        ("receipt", "What is the date?", "03/14/2026"),
        ("invoice", "What is the invoice number?", "INV-2026-0147"),
        ("sign", "Does the sign say tow-away zone?", "Yes: “TOW-AWAY ZONE”"),
    ],
)
def test_the_answer_is_the_same_at_other_sizes(
    side: int, document: str, question: str, expected: str
) -> None:
    image = DOCUMENTS[document]()
    scale = side / max(image.size)
    resized = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS
    )
    assert documents.squeezed(answer(question, [resized]).text) == documents.squeezed(expected)


@needs_engine
def test_a_crooked_blurred_and_grainy_photograph_of_a_receipt_is_read() -> None:
    paper = DOCUMENTS["receipt"]().rotate(1.5, Image.Resampling.BICUBIC, fillcolor="white")
    grain = Image.effect_noise(paper.size, 40).convert("RGB")
    photographed = Image.blend(paper.filter(ImageFilter.GaussianBlur(1)), grain, 0.12)
    with io.BytesIO() as file:
        photographed.save(file, "JPEG", quality=60)
        with Image.open(file) as image:
            assert answer("What is the total?", [image]).text == "$49.98"
            assert answer("What is the date?", [image]).text == "03/14/2026"


@pytest.mark.parametrize(
    ("question", "needs"),
    [
        ("What is the person doing?", "seeing scenes"),
        ("Describe the scene.", "seeing scenes"),
        ("What animal is this?", "seeing scenes"),
        ("What is the man holding?", "seeing scenes"),
        ("How many cats are there?", "counting"),
        ("Which one is the biggest?", "comparing"),
    ],
)
def test_the_photograph_is_declined_with_what_the_question_would_take(question: str, needs: str) -> None:
    declined = answer(question, [DOCUMENTS["photograph"]()])
    assert declined.text.startswith(f"That takes {needs}")
    assert declined.text.count(". ") == 0
    assert declined.confidence == 0.0


@needs_engine
@pytest.mark.parametrize("question", ["What does it say?", "What is the total?", "Is there any text?"])
def test_an_image_without_text_is_said_to_have_none(question: str) -> None:
    assert answer(question, [DOCUMENTS["photograph"]()]).text.startswith("I found no text in the image")


def test_a_question_without_an_image_is_declined_in_one_sentence() -> None:
    declined = answer("What is the total?", [])
    assert "no image" in declined.text
    assert declined.text.count(". ") == 0
    assert declined.confidence == 0.0


def test_the_size_is_measured() -> None:
    assert (
        answer("How big is the image?", [Image.new("RGB", (320, 200))]).text
        == "The image is 320 x 200 pixels."
    )


def test_colours_are_measured() -> None:
    image = Image.new("RGB", (100, 100), "white")
    image.paste((200, 20, 30), (0, 0, 100, 25))
    assert answer("What are the main colours?", [image]).text == (
        "The main colours of the image are white (75%) and red (25%)."
    )
    assert answer("What colour is the background?", [Image.new("RGB", (9, 9), "navy")]).text == (
        "The edges of the image are mostly blue (100%)."
    )


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("black", "black"), ("#808080", "grey"), ("#fdfcf8", "white"), ("#cc2222", "red"),
        ("#ff8800", "orange"), ("#8b5a2b", "brown"), ("#ffdd00", "yellow"), ("#118833", "green"),
        ("#ccf5cc", "green"), ("#1133aa", "blue"), ("#141446", "blue"), ("#99ccff", "blue"),
        ("#7722aa", "purple"), ("#503c78", "purple"), ("#ff99bb", "pink"),
    ],
)  # fmt: skip
def test_each_basic_colour_is_told(colour: str, name: str) -> None:
    assert answer("Which colour?", [Image.new("RGB", (8, 8), colour)]).text == f"The image is {name} (100%)."


def test_the_colour_of_a_thing_is_answered_for_the_whole_image_and_says_so() -> None:
    told = answer("What colour is the car?", [Image.new("RGB", (8, 8), "red")])
    assert told.text == "I cannot tell things apart; over the whole image the main colours are red (100%)."
    assert told.confidence < 0.5


@needs_engine
def test_of_several_images_the_best_is_quoted_and_named() -> None:
    images = [DOCUMENTS["sign"](), DOCUMENTS["receipt"](), DOCUMENTS["photograph"]()]
    assert answer("What is the total?", images).text == "$49.98 (image 2)"
    assert answer("What is the invoice number?", images).text == (
        "I could not find an invoice number in the text of the images. "
        "Ask me what it says, and I give all of its text."
    )
    assert answer("What is the title of the second image?", images).text == "MAPLE & MAIN MARKET"
    assert (
        answer("What is the total in image 7?", images).text
        == "There is no image 7: 3 came with the question."
    )


@needs_engine
def test_the_transcript_of_several_images_is_kept_apart() -> None:
    text = answer("What does it say?", [documents.opening_hours(), DOCUMENTS["chart"]()]).text
    assert text.startswith("Image 1:\nCITY LIBRARY\n")
    assert "\n\nImage 2:\nMuseum visitors in 2025\n" in text


@needs_engine
def test_the_question_is_answered_inside_a_prompt() -> None:
    prompt = "Context information is below.\n-----\nTotal: 1.00\n-----\nQuery: What is the total?\nAnswer: "
    assert answer(prompt, [DOCUMENTS["receipt"]()]).text == "$49.98"


@needs_engine
def test_columns_are_transcribed_one_after_the_other() -> None:
    lines = answer("Transcribe the text", [documents.leaflet()]).text.splitlines()
    assert lines[0] == "Walled garden"
    assert [line.split()[0] for line in lines[1:]] == ["The", "the", "a", "Visitors", "the", "not"]
