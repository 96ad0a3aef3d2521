"""The benchmark's documents and the rules by which answers are judged."""

from collections import Counter

import pytest

from benchmarks.drawn_documents import DOCUMENTS, LAST_DRAWN, Document
from benchmarks.drawn_documents.degradation import DEGRADATIONS
from benchmarks.drawn_documents.page import Question, absent, asked
from benchmarks.drawn_documents.verdicts import Verdict, judge
from firellava.reader import Answer

TOTAL = asked("What is the total?", "£2,667.60")
PLATFORM = asked("Which platform?", "4")
BAND = asked("Who is playing?", ("Midnight", "Ferries"), "the Ferries")
WARRANTY = asked("Is there a warranty?", "yes", "12 months")


@pytest.mark.parametrize(
    ("question", "text", "confidence", "verdict"),
    [
        (TOTAL, "£2,667.60", 0.9, "right"),
        (TOTAL, "Balance due: £ 2667.60", 0.9, "right"),
        (TOTAL, "£444.60", 0.9, "wrong"),
        (TOTAL, "I could not find a total.", 0.0, "missed"),
        (TOTAL, "£2,667.60 and all that else stands on the whole of a page of an invoice", 0.9, "wrong"),
        (PLATFORM, "Platform 4", 0.9, "right"),
        (PLATFORM, "14:26", 0.9, "wrong"),
        (BAND, "Midnight\nFerries", 0.9, "right"),
        (BAND, "Midnight", 0.9, "wrong"),
        (BAND, "THE FERRIES", 0.9, "right"),
        (
            WARRANTY,
            "Yes: “Warranty: 12 months or 12,000 miles on parts and labor, whichever is first”",
            0.9,
            "right",
        ),
        (WARRANTY, "No.", 0.9, "wrong"),
        (absent("What is the fax number?"), "I could not find a fax number.", 0.0, "declined"),
        (absent("What is the fax number?"), "020 7946 0318", 0.9, "invented"),
        (absent("Is there a warranty?"), "No, nothing is written about a warranty.", 0.9, "declined"),
        (absent("What is the name?"), "No 5", 0.9, "invented"),
    ],
)
def test_an_answer_is_judged_by_what_the_document_says(
    question: Question, text: str, confidence: float, verdict: Verdict
) -> None:
    assert judge(question, Answer(text, confidence)) == verdict


def test_there_are_documents_of_many_kinds_with_many_questions_some_without_an_answer() -> None:
    questions = [question for document in DOCUMENTS for question in document.questions]
    assert len(DOCUMENTS) >= 15
    assert len({document.kind for document in DOCUMENTS}) >= 8
    assert len(questions) >= 60
    assert sum(not question.answerable for question in questions) >= 20
    assert max(Counter(document.name for document in (*DOCUMENTS, *LAST_DRAWN)).values()) == 1


@pytest.mark.parametrize("document", [*DOCUMENTS, *LAST_DRAWN], ids=lambda document: document.name)
def test_each_has_questions_of_both_sorts_and_none_twice(document: Document) -> None:
    assert {question.answerable for question in document.questions} == {True, False}
    assert max(Counter(question.text for question in document.questions).values()) == 1


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_degradation_gives_the_same_picture_every_time(name: str) -> None:
    picture = DOCUMENTS[0].draw()
    first, second = (DEGRADATIONS[name](picture, 5) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert first.mode == "RGB"
    assert (name == "clean") == (first.tobytes() == picture.tobytes())
