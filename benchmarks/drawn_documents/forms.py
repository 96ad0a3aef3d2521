"""Forms and letters: labels before, above and below what somebody filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_PEN = (24, 46, 120)
_GREY = (104, 106, 112)


def _library() -> Image.Image:
    page = Page((860, 1000), font="dejavu")
    page.text((430, 70), "Fernbridge Public Library", 32, align="middle", bold=True)
    page.text((430, 116), "Application for a library card", 24, align="middle")
    rows = (
        ("Last name", "Kowalczyk"),
        ("First name", "Agnieszka"),
        ("Date of birth", "17 August 1994"),
        ("Street address", "5 Mill Pond Close"),
        ("City", "Fernbridge"),
        ("Phone", "020 7946 0318"),
        ("E-mail", "a.kowalczyk@post.example"),
        ("Occupation", "Beekeeper"),
        ("Card type", "Adult"),
    )
    for row, (label, value) in enumerate(rows):
        y = 200 + row * 66
        page.text((70, y), f"{label}:", 22)
        page.text((300, y), value, 24, ink=_PEN, font="times")
        page.rule(290, 790, y + 18)
    page.text((70, 850), "Office use only", 20, ink=_GREY)
    page.text((70, 890), "Card no. 300418", 22)
    page.text((480, 890), "Issued by: M. Hale", 22)
    return page.finished()


def _patient() -> Image.Image:
    page = Page((1000, 820), paper=(251, 252, 253))
    page.text((60, 66), "New patient registration", 36, bold=True)
    page.text((60, 112), "Westgate Family Clinic", 24, ink=_GREY)

    def cell(x: float, y: float, width: float, label: str, value: str) -> None:
        page.box((x, y, x + width, y + 88), outline=(150, 154, 160))
        page.text((x + 14, y + 22), label, 17, ink=_GREY)
        page.text((x + 14, y + 58), value, 24, ink=_PEN)

    cell(60, 160, 440, "Full name", "Marcus T. Ellery")
    cell(500, 160, 220, "Date of birth", "11/02/1978")
    cell(720, 160, 220, "Sex", "Male")
    cell(60, 248, 440, "Home address", "301 Juniper Ct, Boulder, CO")
    cell(500, 248, 440, "Mobile phone", "303-555-0177")
    cell(60, 336, 440, "Emergency contact", "Priya Ellery (wife)")
    cell(500, 336, 440, "Insurance provider", "Summit Mutual Health")
    cell(60, 424, 440, "Member ID", "SMH-80452-B")
    cell(500, 424, 440, "Primary physician", "Dr. Hannah Voss")
    cell(60, 512, 880, "Allergies", "Penicillin, peanuts")
    cell(60, 600, 880, "Current medication", "Lisinopril 10 mg once a day")
    page.text((60, 744), "Signed: M. Ellery", 22, ink=_PEN)
    page.text((500, 744), "Date: 03/30/2026", 22, ink=_PEN)
    return page.finished()


def _letter() -> Image.Image:
    page = Page((880, 1120), font="serif")
    page.lines((70, 90), ("Dunmore Tenants' Association", "PO Box 418, Dunmore"), 20, step=32)
    page.text((810, 170), "9 January 2026", 20, align="right")
    page.lines((70, 240), ("Ms Olga Petrenko", "Flat 6, Alder House", "Dunmore"), 20, step=32)
    page.text((70, 390), "Subject: Lift maintenance", 21, bold=True)
    body = (
        "Dear Ms Petrenko,",
        "",
        "the lift in Alder House will be out of service from",
        "Monday 19 January until Wednesday 21 January.",
        "The work is done by Hallam Elevators and costs",
        "£3,150, which is covered by the service charge.",
        "",
        "If you need help with the stairs, please call the",
        "caretaker, Mr Burrows, on 01632 960 417.",
        "",
        "Yours sincerely,",
        "",
        "Fiona Garrick",
        "Chair",
    )
    page.lines((70, 450), body, 20, step=36)
    return page.finished()


def _business_card() -> Image.Image:
    page = Page((760, 440), paper=(246, 243, 236), ink=(50, 44, 40))
    page.box((0, 0, 20, 440), (176, 84, 52))
    page.text((70, 100), "Ines Carvalho", 44, bold=True)
    page.text((70, 152), "Landscape architect", 25)
    page.text((70, 236), "Atelier Verde", 27, ink=(176, 84, 52))
    page.lines((70, 286), ("Rua das Flores 40, 4050-262 Porto", "ines@atelierverde.example"), 21, step=34)
    page.text((70, 354), "Mobile 912 555 034", 21)
    page.text((690, 354), "www.atelierverde.example", 21, align="right")
    return page.finished()


DOCUMENTS = (
    Document(
        "library form",
        "forms and letters",
        _library,
        (
            asked("What is the applicant's last name?", "Kowalczyk"),
            asked("What is the date of birth?", "17 August 1994"),
            asked("What is the email address?", "a.kowalczyk@post.example"),
            asked("What is the applicant's occupation?", "Beekeeper"),
            asked("What is the phone number?", "020 7946 0318"),
            asked("What is the card number?", "300418"),
            asked("What is this form for?", "Application for a library card"),
            absent("What is the applicant's nationality?"),
            absent("What is the expiry date of the card?"),
        ),
    ),
    Document(
        "patient form",
        "forms and letters",
        _patient,
        (
            asked("What is the patient's name?", "Marcus T. Ellery"),
            asked("What allergies does the patient have?", "Penicillin, peanuts"),
            asked("Who is the emergency contact?", "Priya Ellery"),
            asked("What is the member ID?", "SMH-80452-B"),
            asked("When was the patient born?", "11/02/1978"),
            asked("Who is the primary physician?", "Dr. Hannah Voss"),
            asked("What medication is the patient taking?", "Lisinopril 10 mg"),
            absent("What is the patient's blood type?"),
            absent("What is the patient's email?"),
        ),
    ),
    Document(
        "letter",
        "forms and letters",
        _letter,
        (
            asked("What is the date of the letter?", "9 January 2026"),
            asked("What is the subject of the letter?", "Lift maintenance"),
            asked("What is the caretaker's phone number?", "01632 960 417"),
            asked("How much does the work cost?", "£3,150"),
            asked("Who is the letter addressed to?", "Olga Petrenko"),
            absent("What is the invoice number?"),
            absent("What is the web address?"),
        ),
    ),
    Document(
        "business card",
        "forms and letters",
        _business_card,
        (
            asked("What is the mobile number?", "912 555 034"),
            asked("What is her email address?", "ines@atelierverde.example"),
            asked("What is the address?", "Rua das Flores 40"),
            asked("What is the website?", "www.atelierverde.example"),
            absent("What is the fax number?"),
        ),
    ),
)
