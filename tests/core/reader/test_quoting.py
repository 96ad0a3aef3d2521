"""Which part of a page answers, on pages that are given as text boxes."""

from hypothesis import given
from hypothesis import strategies as st

from firellava.reader import Answer
from firellava.reader.answers import quote
from firellava.reader.boxes import TextBox
from firellava.reader.layout import arrange
from firellava.reader.questions import understand
from tests.core.reader import documents


def quoted(question: str, *rows: tuple[str, ...], score: float = 0.99) -> Answer:
    """The answer from a page of rows, their cells 300 pixels apart."""
    boxes = []
    for at, row in enumerate(rows):
        for column, text in enumerate(row):
            left, top, right = 300.0 * column, 40.0 * at, 300.0 * column + 11.0 * len(text)
            corners = ((left, top), (right, top), (right, top + 20), (left, top + 20))
            boxes.append(TextBox(text, corners, score))
    return quote(understand(question), arrange(boxes))


def test_the_total_is_told_from_subtotal_tax_cash_and_change() -> None:
    parts = [("Total Sales (Excl. Tax)", "80.00"), ("Sub Total", "80.00"), ("Total Tax", "4.80")]
    paid = [("Total", "84.80"), ("Cash", "100.00"), ("Change", "15.20")]
    assert quoted("What is the total?", *parts, *paid).text == "84.80"


def test_a_total_that_the_other_amounts_confirm_is_surer() -> None:
    alone = quoted("What is the total?", ("Total", "84.80"))
    confirmed = quoted("What is the total?", ("Subtotal", "80.00"), ("Tax", "4.80"), ("Total", "84.80"))
    assert confirmed.confidence > alone.confidence


def test_totals_of_a_tax_table_at_the_foot_are_not_the_total() -> None:
    rows = (("Total", "18.00"), ("GST Summary", "Amount"), ("Total", "16.98"))
    assert quoted("What is the total?", *rows).text == "18.00"


def test_a_row_that_adds_up_several_columns_is_not_the_total() -> None:
    rows = (("Total", "18.00"), ("Total", "16.98", "1.02"))
    assert quoted("What is the total?", *rows).text == "18.00"


def test_what_could_hardly_be_read_is_not_quoted() -> None:
    assert quoted("What is the total?", ("Total", "84.80"), score=0.3).confidence == 0.0


def test_a_number_is_not_taken_from_the_date_beside_a_similar_label() -> None:
    rows = (("Invoice date", "February 12, 2026"), ("INVOICE",), ("18 Gallery Row",))
    assert quoted("What is the invoice number?", *rows).confidence == 0.0


def test_a_telephone_number_is_not_taken_from_an_account_number() -> None:
    assert quoted("What is the phone number?", ("Account 00481526",)).confidence == 0.0


def test_words_side_by_side_are_not_a_label_and_its_value() -> None:
    assert quoted("What is the value for Summer?", ("Spring", "Summer", "Autumn", "Winter")).confidence == 0.0


def test_a_phrase_is_found_over_two_rows_but_not_inside_a_word() -> None:
    assert quoted("Does it say 'no parking'?", ("NO",), ("PARKING",)).text == "Yes: “NO PARKING”"
    assert quoted("Does it say 'art'?", ("All parts included",)).text.startswith("No, I could not find “art”")
    assert quoted("Does it say '東京'?", ("新東京駅",)).text == "Yes: “新東京駅”"


def test_the_company_is_named_at_the_top_and_is_not_who_it_is_billed_to() -> None:
    rows = (
        ("NORTHWIND TRADING",),
        ("COMPANY LIMITED",),
        ("12 Quay Street",),
        ("Bill to",),
        ("Harbor Books Ltd",),
    )
    assert quoted("What is the name of the company?", *rows).text == "NORTHWIND TRADING COMPANY LIMITED"
    assert quoted("Who is it billed to?", *rows).text == "Harbor Books Ltd"


def test_of_opening_hours_those_of_the_day_are_quoted() -> None:
    rows = (("Monday", "closed"), ("Saturday", "10:00 - 16:00"), ("Sunday", "12:00 - 15:00"))
    assert quoted("What are the opening hours on Sunday?", *rows).text == "12:00 - 15:00"
    assert quoted("What are the opening hours on Christmas?", *rows).confidence == 0.0


def test_a_line_of_a_price_list_is_chosen_by_the_words_of_the_question() -> None:
    rows = (("Up to 1 hour", "£1.40"), ("Up to 2 hours", "£2.60"), ("All day", "£7.50"))
    assert quoted("What is the price for up to 2 hours?", *rows).text == "£2.60"
    assert quoted("How much does it cost for the whole week?", *rows).confidence == 0.0


def test_a_telephone_number_is_not_given_for_someone_the_page_does_not_name() -> None:
    rows = (("Copper Kettle Tea",), ("Tel: 555-0142-77",))
    assert quoted("What is the phone number?", *rows).confidence > 0.0
    assert quoted("What is the recipient's phone number?", *rows).confidence == 0.0


def test_how_many_is_answered_where_a_label_states_it_and_is_not_counted() -> None:
    assert quoted("How many refills are left?", ("Refills", "3")).text == "3"
    assert quoted("How many mugs were bought?", ("Ceramic mug", "14.00")).text.startswith(
        "That takes counting"
    )


def test_an_address_answers_where_only_if_the_page_speaks_of_the_thing() -> None:
    rows = (("Spring fair",), ("3 Harbour Walk, Galway",))
    assert quoted("Where is the fair?", *rows).text == "3 Harbour Walk, Galway"
    assert quoted("Where does the concert take place?", *rows).confidence == 0.0


_WORDS = [
    "Total",
    "Subtotal",
    "Date",
    "Name:",
    "No.",
    "Invoice",
    "12.50",
    "$3",
    "03/04/2026",
    "A-17",
    "Tea",
    "of",
]
_TEXTS = st.lists(
    st.sampled_from(_WORDS) | st.text("abcXYZ 019.:/-", min_size=1), min_size=1, max_size=4
).map(" ".join)
_ASKED = [
    "What is the total?", "What is the date?", "What is the invoice number?", "What is the name?",
    "Who issued this?", "How much is the tea?", "What is the title?", "What time is it open?",
    "What is the phone number?", "What does it say about tea?", "What is the address?", "What does it say?",
    "Who is the guest?", "Where is it?", "When is the tea?", "How many teas?", "List the prices",
    "What was bought?",    "What is the A-17?", "How much is the invoice fee?",
]  # fmt: skip


@given(
    st.sampled_from(_ASKED), st.lists(st.lists(_TEXTS.filter(str.strip), min_size=1, max_size=3), max_size=8)
)
def test_an_answer_is_part_of_what_is_written_or_declines(question: str, rows: list[list[str]]) -> None:
    found = quoted(question, *map(tuple, rows))
    assert 0.0 <= found.confidence <= 1.0
    if found.confidence == 0.0:
        assert found.text.startswith(("I could not find ", "I found no text", "That takes "))
        return
    transcript = quoted("Transcribe the text", *map(tuple, rows)).text
    lines = [found.text] if question.startswith("What does it say") else found.text.splitlines()
    assert all(documents.squeezed(line) in documents.squeezed(transcript) for line in lines)
    assert all(documents.squeezed(box.text) in documents.squeezed(transcript) for box in found.evidence)


def test_a_directory_answers_where_something_is() -> None:
    rows = (
        ("Level 3", "Cardiology, Intensive care"),
        ("Level 2", "Surgery"),
        ("Ground", "Reception, Pharmacy"),
    )
    assert quoted("Where is the pharmacy?", *rows).text == "Ground"
    assert quoted("On which level is cardiology?", *rows).text == "Level 3"
    assert quoted("What is on level 2?", *rows).text == "Surgery"
    assert quoted("Where is oncology?", *rows).confidence == 0.0


def test_a_heading_over_rows_names_what_they_number() -> None:
    rows = (("Floors",), ("2", "Wristwatches"), ("1", "Sundials"))
    assert quoted("What is on floor 2?", *rows).text == "Wristwatches"


def test_a_code_behind_its_label_needs_no_colon() -> None:
    rows = (("Platform 3",), ("Change at Voss",), ("Lot H26-114",))
    assert quoted("Which platform does the train leave from?", *rows).text == "3"
    assert quoted("What is the batch number?", *rows).text == "H26-114"


def test_a_code_in_groups_is_given_whole() -> None:
    assert quoted("What is the pass number?", ("Pass", "Adult 3 days"), ("Pass no.", "0097 4418 2")).text == (
        "0097 4418 2"
    )


def test_a_balance_is_what_is_left_to_pay() -> None:
    rows = (("Total charges", "£494.00"), ("Deposit paid", "-£100.00"), ("Balance to pay", "£394.00"))
    assert quoted("What is left to pay?", *rows).text == "£394.00"


def test_the_number_for_a_purpose_is_the_one_beside_it() -> None:
    rows = (("Moving home? Call us on 0330 555 0142.",), ("Water leak? Emergency line 0330 555 0199.",))
    assert quoted("What number do I call about a leak?", *rows).text == "0330 555 0199"
    assert quoted("What number do I call in an emergency?", ("In an emergency call 112",)).text == "112"


def test_reservations_are_booked_by_telephone_whatever_the_words() -> None:
    assert (
        quoted("What number do I call to book a table?", ("Reservations: 055 123 4567",)).text
        == "055 123 4567"
    )


def test_the_time_that_a_sentence_names_is_not_the_time_it_was_sent() -> None:
    rows = (("Yes, train arrives at 12:48", "17:05"), ("Great, lunch at 13:30.", "17:06"))
    assert quoted("When does the train arrive?", *rows).text == "12:48"
    assert quoted("Where do we have lunch?", *rows).confidence == 0.0


def test_the_kind_of_document_is_not_who_issued_it() -> None:
    assert quoted("Who issued the card?", ("LIBRARY CARD",), ("Westbrook Public Library",)).text == (
        "Westbrook Public Library"
    )
    assert quoted("Who issued the permit?", ("PARKING PERMIT",)).confidence == 0.0


def test_a_moment_has_its_day_and_its_time() -> None:
    assert quoted("When does the meeting start?", ("When", "Wed 9 December 2026,13:30-15:00")).text == (
        "Wed 9 December 2026,13:30-15:00"
    )


def test_a_labelled_number_in_groups_is_given_whole() -> None:
    assert quoted("What is the card number?", ("Card number", "2 9077 0031 4482")).text == "2 9077 0031 4482"
