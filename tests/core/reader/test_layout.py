"""How boxes become rows, columns, labels and values."""

import math

from hypothesis import given
from hypothesis import strategies as st

from firellava.reader.boxes import TextBox
from firellava.reader.layout import arrange


def box(
    text: str, left: float, top: float, *, width: float = 0, height: float = 20, lean: float = 0
) -> TextBox:
    """A box turned about the page's origin by `lean` degrees."""
    width = width or 10 * len(text)
    turn, x_turn = math.cos(math.radians(lean)), math.sin(math.radians(lean))
    corners = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
    first, second, third, fourth = ((x * turn - y * x_turn, x * x_turn + y * turn) for x, y in corners)
    return TextBox(text, (first, second, third, fourth), 1.0)


def rows(*boxes: TextBox) -> list[list[str]]:
    return [[each.text for each in row.boxes] for row in arrange(boxes).rows]


def test_boxes_at_one_height_make_a_row_from_left_to_right() -> None:
    assert rows(box("3.00", 400, 42), box("Tea", 0, 40), box("Milk", 0, 80), box("1.20", 400, 79)) == [
        ["Tea", "3.00"],
        ["Milk", "1.20"],
    ]


def test_a_leaning_page_keeps_each_price_on_its_own_row() -> None:
    # Two degrees over 700 pixels are 24 pixels: a row and a half of this page.
    items = [("Sourdough bread", "6.25"), ("Ground coffee", "11.50"), ("Dark chocolate", "4.30")]
    leaning = [
        each
        for row, (name, price) in enumerate(items)
        for each in (box(name, 0, row * 26, lean=2), box(price, 700, row * 26, lean=2))
    ]
    assert rows(*leaning) == [list(item) for item in items]


def test_a_large_text_shares_the_row_of_a_small_one_beside_it() -> None:
    assert rows(box("TOTAL", 0, 100, height=40), box("9.99", 400, 112, height=18)) == [["TOTAL", "9.99"]]


def test_lines_set_close_under_each_other_stay_apart() -> None:
    assert rows(box("first line", 0, 0), box("second line", 0, 11)) == [["first line"], ["second line"]]


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    left, right = (
        ["the cat sat on", "the mat and it", "slept for long"],
        ["a dog ran by", "and it did not", "stop to look"],
    )
    boxes = [box("News", 0, 0), *(box(line, 0, 40 + 30 * n) for n, line in enumerate(left))]
    boxes += [box(line, 300, 40 + 30 * n) for n, line in enumerate(right)]
    assert arrange(boxes).transcript == "\n".join(["News", *left, *right])


def test_labels_and_their_values_are_not_taken_for_columns() -> None:
    boxes = [box(f"Item number {n}", 0, 30 * n) for n in range(4)] + [
        box(f"{n}.00", 400, 30 * n) for n in range(4)
    ]
    assert arrange(boxes).transcript.splitlines()[0] == "Item number 0  0.00"


def test_cells_stand_further_apart_in_the_transcript_than_words() -> None:
    assert (
        arrange([box("No", 0, 0), box("parking", 25, 0), box("5.00", 300, 0)]).transcript
        == "No parking  5.00"
    )


def test_what_stands_below_a_label_shares_an_edge_or_its_middle() -> None:
    label, value = box("Due date", 100, 0), box("May 4", 100, 30)
    page = arrange([label, value, box("unrelated", 400, 30), box("far below", 100, 300)])
    assert page.below(label) == value
    assert page.below(value) is None


def test_what_stands_to_the_right_comes_nearest_first() -> None:
    label, near, far = box("Total", 0, 0), box("2", 200, 0), box("8.00", 400, 0)
    assert arrange([far, label, near]).right_of(label) == (near, far)


def test_a_page_without_text_has_no_rows() -> None:
    assert arrange([]).rows == ()


_BOXES = st.lists(
    st.builds(
        box,
        st.text("abc 0123.", min_size=1, max_size=30),
        st.floats(0, 2000),
        st.floats(0, 2000),
        height=st.floats(4, 90),
        lean=st.floats(-4, 4),
    ),
    max_size=25,
)


@given(_BOXES)
def test_every_box_is_on_the_page_once_and_in_the_transcript_once(boxes: list[TextBox]) -> None:
    page = arrange(boxes)
    assert sorted(map(id, page.boxes)) == sorted(map(id, boxes))
    read = [each for row in page.reading_order for each in row.boxes]
    assert sorted(map(id, read)) == sorted(map(id, boxes))
