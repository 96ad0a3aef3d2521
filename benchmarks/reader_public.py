"""The offline reader on real documents that others published with annotations: forms and invoices.

    git clone --no-checkout https://github.com/Doc-LD/funsd-bench
    git clone --no-checkout https://github.com/invoice-x/invoice2data
    python -m benchmarks.reader_public --forms funsd-bench --invoices invoice2data

Forms: the 50 test images of FUNSD (Jaume et al., 2019; noisy scans of forms from the 1980s and 1990s, for
research use), each label linked to exactly one answer that fits on a line. "Date:" is asked for as "What is
the date?". Each form is also asked for things of which its annotations have no word.

Invoices: those that invoice2data (MIT) tests itself with, the first page of each PDF as it would be if
scanned, in English, French, German and Dutch; asked in English for number, date, due date, totals, company.

The rules are those of `benchmarks.reader_documents`. Nothing in the reader was made for these pictures, and
no rule was changed after they were measured.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.drawn_documents.page import Question, absent, asked
from benchmarks.drawn_documents.verdicts import judge, normalised
from firellava.images import ImageSource, decode_image
from firellava.reader import answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.drawn_documents.verdicts import Verdict
    from firellava.reader import Answer

__all__ = ["PublicOutcome", "ask_forms", "ask_invoices"]

FORMS_COMMIT: Final = "388964efaccfb2acfe7f170dad5746852ab62e97"
INVOICES_COMMIT: Final = "bd2fcceb867882047173dbd66a9500f47634a0cd"

_READING_SIDE: Final = 2048
"""The longer side that `OfflineReader` reads at by default, in pixels."""

_LONGEST_VALUE: Final = 60
_SHORTEST_VALUE: Final = 3
_LONGEST_LABEL: Final = 5

_MONTHS: Final = (
    "january janvier januar januari jan",
    "february février februar februari feb",
    "march mars märz maart mar",
    "april avril apr",
    "may mai mei",
    "june juin juni jun",
    "july juillet juli jul",
    "august août augustus aug",
    "september septembre sep",
    "october octobre oktober oct",
    "november novembre nov",
    "december décembre dezember dec",
)

_FIELDS: Final = {
    "amount": "What is the total?",
    "amount_untaxed": "What is the total without tax?",
    "amount_tax": "How much is the tax?",
    "date": "What is the date of the invoice?",
    "date_due": "When is the payment due?",
    "invoice_number": "What is the invoice number?",
    "issuer": "Which company is this invoice from?",
    "iban": "What is the IBAN?",
    "partner_email": "What is the email address?",
}

# What is asked of a form where none of the words stands in it.
_ELSEWHERE: Final = (
    ("What is the email address?", ("@", "mail")),
    ("What is the invoice number?", ("invoice",)),
    ("What is the date of birth?", ("birth", "born", "dob")),
    ("How much is the tax?", ("tax",)),
    ("What is the expiry date?", ("expir", "valid")),
)


@dataclass(frozen=True, slots=True)
class PublicOutcome:
    """One question, asked of one published document."""

    document: str
    question: Question
    answer: Answer
    verdict: Verdict


def main() -> None:
    """Print what came of the sets that are there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--forms", type=Path, help="a clone of Doc-LD/funsd-bench")
    parser.add_argument("--invoices", type=Path, help="a clone of invoice-x/invoice2data")
    parser.add_argument("--list", action="store_true", help="list what was not right")
    arguments = parser.parse_args()
    if arguments.forms:
        _print("FUNSD forms", list(ask_forms(arguments.forms)), arguments.list)
    if arguments.invoices:
        _print("invoice2data invoices", list(ask_invoices(arguments.invoices)), arguments.list)


def ask_forms(clone: Path) -> Iterator[PublicOutcome]:
    """Ask the forms for what their labels name, and for what they do not have."""
    repository = _Repository(clone, FORMS_COMMIT)
    for path in repository.paths("testing_data/annotations/"):
        name = Path(path).stem
        entities = json.loads(repository.read(path))["form"]
        picture = repository.read(f"testing_data/images/{name}.png")
        yield from _ask(name, picture, _form_questions(entities))


def ask_invoices(clone: Path) -> Iterator[PublicOutcome]:
    """Ask the invoices for the fields that their annotations have."""
    repository = _Repository(clone, INVOICES_COMMIT)
    paths = repository.paths("tests/compare/")
    for path in paths:
        if path.endswith(".pdf"):
            (fields,) = json.loads(repository.read(path.replace(".pdf", ".json")))
            questions = [
                asked(question, *_written(str(fields[field]).partition(" - ")[0]))
                for field, question in _FIELDS.items()
                if field in fields
            ]
            yield from _ask(Path(path).stem, repository.read(path), questions)


class _Repository:
    def __init__(self, clone: Path, commit: str) -> None:
        self._clone = clone
        self._commit = commit

    def paths(self, folder: str) -> list[str]:
        return self._git("ls-tree", "-r", "--name-only", self._commit, "--", folder).decode().splitlines()

    def read(self, path: str) -> bytes:
        return self._git("show", f"{self._commit}:{path}")

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self._clone), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - no shell


def _ask(name: str, data: bytes, questions: Iterable[Question]) -> Iterator[PublicOutcome]:
    picture = decode_image(ImageSource.from_bytes(data), max_side=_READING_SIDE)
    for question in questions:
        given = answer(question.text, [picture])
        yield PublicOutcome(name, question, given, judge(question, given))


def _form_questions(entities: list[dict[str, Any]]) -> Iterator[Question]:
    by_id = {entity["id"]: entity for entity in entities}
    labels = [entity for entity in entities if entity["label"] == "question"]
    times = Counter(normalised(label["text"]) for label in labels)
    for label in labels:
        ends = [by_id[end]["text"] for start, end in label["linking"] if start == label["id"]]
        named = " ".join(re.sub(r"[^\w\s/'&-]", " ", label["text"]).lower().split())
        fits = len(ends) == 1 and _SHORTEST_VALUE <= len(normalised(ends[0])) <= _LONGEST_VALUE
        # "(a) Institution" is called neither "a institution" nor "institution".
        is_name = len(named.split()) <= _LONGEST_LABEL and len(named.split(" ")[0]) > 1
        if fits and is_name and times[normalised(label["text"])] == 1:
            yield asked(f"What is the {named}?", ends[0])
    written = " ".join(entity["text"] for entity in entities).lower()
    for question, words in _ELSEWHERE:
        if not any(word in written for word in words):
            yield absent(question)


def _written(value: str) -> list[str]:
    """How a value of the annotations may stand on the page: amounts without cents, dates in words."""
    if re.fullmatch(r"\d+\.\d", value):
        return [f"{value}0", value.removesuffix(".0")]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return [value]
    date = dt.date.fromisoformat(value)
    days = {str(date.day), f"{date.day:02}"}
    months = {str(date.month), f"{date.month:02}", *_MONTHS[date.month - 1].split()}
    years = {str(date.year), f"{date.year % 100:02}"}
    return [
        " ".join(order)
        for day in sorted(days)
        for month in sorted(months)
        for year in sorted(years, reverse=True)
        for order in ((day, month, year), (month, day, year), (year, month, day))
    ]


def _print(title: str, outcomes: list[PublicOutcome], listing: bool) -> None:  # noqa: FBT001 - a private line
    counts = Counter(outcome.verdict for outcome in outcomes)
    answerable = sum(outcome.question.answerable for outcome in outcomes)
    documents = len({outcome.document for outcome in outcomes})
    print(
        f"{title}: {documents} documents; of {answerable} questions right {counts['right']} "
        f"({counts['right'] / answerable:.1%}), wrong {counts['wrong']}, declined {counts['missed']}; "
        f"of {len(outcomes) - answerable} about what is not there invented {counts['invented']}"
    )
    if listing:
        for one in outcomes:
            if one.verdict not in {"right", "declined"}:
                told = f" → {one.answer.text!r:.80}" if one.verdict != "missed" else ""
                wanted = one.question.answers[0] if one.question.answers else None
                print(f"  {one.verdict:<9}{one.document}: {one.question.text} {wanted!r}{told}")


if __name__ == "__main__":
    main()
