"""Values that no label announces answer only where the page has one and speaks of what is asked."""

import pytest

from tests.core.reader.test_quoting import quoted

POSTER = (
    ("River run",),
    ("Sunday 24 May",),
    ("Kessler Park Hall",),
    ("Register by May 10 and bring your shoes, please.",),
)
BOTTLE = (("Red wine of Valmont",), ("750 ml",), ("Store in a cool place.",))


@pytest.mark.parametrize(
    ("question", "rows", "answer"),
    [
        ("When is the run?", POSTER, "Sunday 24 May"),
        ("Where is the run?", POSTER, "Kessler Park Hall"),
        ("How much is in the bottle?", BOTTLE, "750 ml"),
        ("How much is the voucher worth?", (("Gift voucher",), ("Value: $150",)), "$150"),
        ("Who is the speaker?", (("Soil sensors",), ("Dr. Mbali Khumalo",)), "Dr. Mbali Khumalo"),
        ("Who teaches the class?", (("Yoga class",), ("with Katarzyna Lis",)), "Katarzyna Lis"),
        ("Who wrote the play?", (("A play",), ("a comedy by Beatrix Vane",)), "Beatrix Vane"),
        ("Who signed the letter?", (("Yours sincerely,",), ("Gareth Pugh",), ("Head",)), "Gareth Pugh"),
        ("What days does it apply?", (("SPEED LIMIT",), ("MON - FRI",)), "MON - FRI"),
    ],
)
def test_the_only_one_of_its_kind_answers(
    question: str, rows: tuple[tuple[str, ...], ...], answer: str
) -> None:
    assert answer in quoted(question, *rows).text


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("When is the lecture?", POSTER),
        ("When does the sale end?", POSTER),
        ("Where does the wedding take place?", POSTER),
        ("Where is the run?", (("River run",), ("Kessler Park Hall",), ("Old Mill Studio",))),
        ("How much is in the bottle?", (*BOTTLE, ("330 ml",))),
        ("Who is the sponsor?", (("River run",), ("Dr. Mbali Khumalo",))),
        ("Who is the speaker?", (("Dr. Mbali Khumalo",), ("Prof. Ines Braga",))),
    ],
)
def test_several_of_a_kind_or_another_matter_do_not(question: str, rows: tuple[tuple[str, ...], ...]) -> None:
    assert quoted(question, *rows).confidence == 0.0
