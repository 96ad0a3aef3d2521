"""How a page's labels and values are told apart, wherever the two stand."""

import pytest

from firellava.reader.boxes import TextBox
from firellava.reader.entries import Entry, entries, label_and_value
from firellava.reader.layout import arrange
from firellava.reader.passages import passages

Cell = tuple[str, float, float]


def page_of(*cells: Cell, height: float = 20) -> tuple[Entry, ...]:
    """The entries of a page of texts, each with its left edge and its top."""
    boxes = []
    for text, left, top in cells:
        right, bottom = left + 10 * len(text), top + height
        boxes.append(TextBox(text, ((left, top), (right, top), (right, bottom), (left, bottom)), 1.0))
    return entries(arrange(boxes))


def value_of(label: str, found: tuple[Entry, ...]) -> str:
    """The likeliest value of a label."""
    return max((entry for entry in found if entry.label == label), key=lambda entry: entry.strength).value


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Seat: 47A", ("Seat", "47A")),
        ("Tracking #: SP 4471 0093", ("Tracking #", "SP 4471 0093")),
        ("Invoice no. 12", ("Invoice no.", "12")),
        ("Weight: 3.2 kg Zone: 5", ("Weight", "3.2 kg")),
        ("氏名\uff1a山田", ("氏名", "山田")),
    ],
)
def test_a_label_and_its_value_in_one_text_are_split(text: str, pair: tuple[str, str]) -> None:
    assert label_and_value(text) == pair


@pytest.mark.parametrize("text", ["10:30", "at 9:00", "https://example.org", "Total", "12: 30"])
def test_what_is_no_label_and_value_is_left_alone(text: str) -> None:
    assert label_and_value(text) is None


def test_two_pairs_in_one_text_are_both_found() -> None:
    found = page_of(("Weight: 3.2 kg Zone: 5", 0, 0))
    assert (value_of("Weight", found), value_of("Zone", found)) == ("3.2 kg", "5")


def test_labels_printed_over_their_values_go_with_what_is_below() -> None:
    found = page_of(
        ("Coach", 0, 0), ("Seat", 200, 0), ("Price", 400, 0),
        ("C", 0, 30), ("47A", 200, 30), ("18.60", 400, 30),
    )  # fmt: skip
    assert [value_of(label, found) for label in ("Coach", "Seat", "Price")] == ["C", "47A", "18.60"]


def test_labels_and_values_in_two_columns_go_with_what_is_beside() -> None:
    found = page_of(
        ("Device name", 0, 0), ("studio-laptop", 300, 0),
        ("Memory", 0, 40), ("16 GB", 300, 40),
        ("Model", 0, 80), ("Book 14", 300, 80),
    )  # fmt: skip
    assert [value_of(label, found) for label in ("Device name", "Memory", "Model")] == [
        "studio-laptop",
        "16 GB",
        "Book 14",
    ]


def test_a_block_of_pairs_stands_beside_another_text() -> None:
    found = page_of(
        ("Harbor Books", 0, 0), ("Invoice number", 300, 0), ("INV-7", 600, 0),
        ("27 Quay Street", 0, 30), ("Due date", 300, 30), ("March 14, 2026", 600, 30),
    )  # fmt: skip
    assert (value_of("Invoice number", found), value_of("Due date", found)) == ("INV-7", "March 14, 2026")


def test_a_cell_is_named_by_its_row_and_its_column() -> None:
    found = page_of(
        ("EUR million", 0, 0), ("Q1 2025", 300, 0), ("Q1 2026", 500, 0),
        ("Revenue", 0, 40), ("41.2", 300, 40), ("47.9", 500, 40),
        ("Profit", 0, 80), ("5.6", 300, 80), ("7.4", 500, 80),
    )  # fmt: skip
    assert value_of("Revenue Q1 2026", found) == "47.9"
    assert value_of("Profit Q1 2025", found) == "5.6"


def test_a_line_of_a_timetable_answers_both_ways() -> None:
    found = page_of(("12:30", 0, 0), ("Lunch in the garden", 200, 0))
    assert value_of("12:30", found) == "Lunch in the garden"
    assert value_of("Lunch in the garden", found) == "12:30"


def test_the_items_under_a_line_are_its_value() -> None:
    found = page_of(("You will take home", 0, 0), ("• a loaf", 0, 30), ("• a jar", 0, 60), ("Bye", 0, 120))
    assert value_of("You will take home", found) == "a loaf\na jar"


def test_a_value_runs_on_over_several_lines() -> None:
    found = page_of(
        ("Ingredients: apricots, sugar,", 0, 0), ("pectin, vanilla.", 0, 30), ("Net weight 340 g", 0, 60)
    )
    assert value_of("Ingredients", found) == "apricots, sugar, pectin, vanilla."


def test_sentences_are_put_together_and_lines_of_a_sign_are_not() -> None:
    lines = ["the lift will be out of service from", "Monday until Friday. The work is", "done by Hallam."]
    boxes = [
        TextBox(text, ((0, top), (10 * len(text), top), (10 * len(text), top + 20), (0, top + 20)), 1.0)
        for top, text in zip((0, 30, 60, 120, 150), [*lines, "Dogs on a leash", "No campfires"], strict=True)
    ]
    assert [passage.text for passage in passages(arrange(boxes))] == [
        "the lift will be out of service from Monday until Friday.",
        "The work is done by Hallam.",
        "Dogs on a leash",
        "No campfires",
    ]
