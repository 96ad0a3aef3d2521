"""Tables: rows that name columns, and cells that a row and a column name together."""

from tests.core.reader.test_quoting import quoted

DEPARTURES = (
    ("Time", "Flight", "Destination", "Gate"),
    ("11:55", "LX 318", "London", "B22"),
    ("12:10", "AF 1115", "Paris", "A07"),
)
TIMETABLE = (
    ("Stop", "Mon-Fri", "Sat", "Sun"),
    ("Harbour", "06:10", "07:00", "08:00"),
    ("City Hall", "06:22", "07:11", "08:11"),
)
DOSES = (
    ("Water", "Lightly soiled", "Heavily soiled"),
    ("Soft", "35 ml", "60 ml"),
    ("Hard", "65 ml", "105 ml"),
)


def test_a_cell_is_named_by_its_row_and_its_column() -> None:
    assert quoted("When does the bus leave City Hall on Saturday?", *TIMETABLE).text == "07:11"
    assert quoted("How much do I need for heavily soiled laundry in hard water?", *DOSES).text == "105 ml"


def test_a_day_stands_under_the_days_between_which_it_is() -> None:
    assert quoted("When does the bus leave Harbour on Wednesday?", *TIMETABLE).text == "06:10"
    assert quoted("When does the bus leave Harbour on weekdays?", *TIMETABLE).text == "06:10"


def test_any_cell_of_a_row_may_name_the_others() -> None:
    assert quoted("What gate does the flight to Paris leave from?", *DEPARTURES).text == "A07"
    assert quoted("When does the flight to London leave?", *DEPARTURES).text == "11:55"


def test_what_no_row_has_is_declined() -> None:
    assert quoted("What gate does the flight to Rome leave from?", *DEPARTURES).confidence == 0.0


def test_a_row_of_two_after_the_table_is_no_row_of_it() -> None:
    rows = (("Previous", "Water used", "Current"), ("1,284", "47 m³", "1,331"), ("Water to pay", "$161.46"))
    assert quoted("How much water was used?", *rows).text == "47 m³"


def test_numbered_labels_stand_over_their_values() -> None:
    form = (
        ("3. Date of birth", "4. Place of birth"),
        ("17-06-1990", "Gdansk"),
        ("5. Sex", "6. Occupation"),
        ("F", "Vet"),
    )
    assert quoted("What is her occupation?", *form).text == "Vet"
    assert quoted("What is the date of birth?", *form).text == "17-06-1990"
