"""What values look like when they are written."""

from decimal import Decimal

import pytest

from firellava.reader.values import Shape, amount_of, find


@pytest.mark.parametrize(
    "date",
    [
        "03/14/2026", "14.03.2026", "14-03-26", "2026-03-14", "2026/3/14",
        "14 / 03 / 2026", "14032026", "20260314",
        "March 14, 2026", "14 March 2026", "14th of March 2026", "Mar 14", "14-MAR-2026",
        "Sat, 14 Mar 2026", "Saturday 14 March", "March 2026", "03/2026", "June 12 - June 15", "9January2026",
        "2026年3月14日", "14 - 16 August 2026", "May 9 - 10", "14 0ct 2026", "08 2028",
    ],
)  # fmt: skip
def test_dates_are_found_as_they_stand(date: str) -> None:
    assert [value.text for value in find(Shape.DATE, f"on: {date} ,")] == [date]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2018-03-1813:18:48", "2018-03-18"),
        ("DATE19/10/2018", "19/10/2018"),
        ("REG #19-18/03/201823:02", "18/03/2018"),
    ],
)
def test_a_date_is_found_where_a_space_was_lost(text: str, date: str) -> None:
    assert [value.text for value in find(Shape.DATE, text)] == [date]


@pytest.mark.parametrize(
    "text",
    ["HD03-04-06 - 5/40", "WA03-7 - 15", "40/160/12", "32/01/2026", "1851-A", "12.34.56.78", "99990314"],
)
def test_what_only_resembles_a_date_is_none(text: str) -> None:
    assert find(Shape.DATE, text) == ()


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        (Shape.NUMBER, "Account no. 4410 2297 08", ["4410 2297 08"]),
        (Shape.NUMBER, "TK 90 338 215", ["TK 90 338 215"]),
        (Shape.QUANTITY, "Elevation 4,380 ft", ["4,380 ft"]),
        (Shape.QUANTITY, "16 GB", ["16 GB"]),
        (Shape.MEASURE, "Bear Pass 7.3 mi, 2 tents", ["7.3 mi"]),
        (Shape.COUNT, "2 x 13.50, total 27.00", ["2"]),
        (Shape.TIME, "Doors 19:00 Show 8 pm", ["19:00", "8 pm"]),
        (Shape.HOURS, "9:30 - 18:00", ["9:30 - 18:00"]),
        (Shape.MOMENT, "at 12:30", ["12:30"]),
        (Shape.MOMENT, "3 May at 12:30", ["3 May"]),
        (Shape.AMOUNT, "RM9.00 and .05 and 5%", ["RM9.00", ".05"]),
        (Shape.AMOUNT, "1.299,00 € 12:30 4.56.7", ["1.299,00 €"]),
    ],
)
def test_values_are_found_by_their_shape(shape: Shape, text: str, expected: list[str]) -> None:
    assert [value.text for value in find(shape, text)] == expected


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$1,299.00", "1299.00"),
        ("1.299,00 €", "1299.00"),
        ("-.05", "-0.05"),
        ("RM 12", "12"),
        ("60,50", "60.50"),
        (".02", "0.02"),
    ],
)
def test_an_amount_stands_for_a_number(text: str, amount: str) -> None:
    assert amount_of(text) == Decimal(amount)
