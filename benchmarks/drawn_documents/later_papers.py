"""Drawn last: bills, an invoice, a folio, a form and a letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (112, 114, 120)


def _water_bill() -> Image.Image:
    page = Page((900, 1120), font="dejavu")
    page.text((50, 60), "Millbrook Water", 34, bold=True, ink=(20, 92, 140))
    page.text((850, 60), "Statement of charges", 22, align="right")
    page.lines((50, 130), ("Ms Adaeze Okoro", "27 Orchard Terrace", "Millbrook MB4 7TR"), 20)
    page.pairs(
        (480, 130),
        850,
        (
            ("Customer reference", "6620 4418 09"),
            ("Statement date", "3 March 2026"),
            ("Billing period", "1 Dec 2025 - 28 Feb 2026"),
            ("Meter serial no.", "WM-77120"),
        ),
        18,
    )
    page.text((50, 320), "Meter readings (cubic metres)", 22, bold=True)
    page.table(
        360,
        ((50, "left"), (450, "right"), (650, "right"), (850, "right")),
        (
            ("Meter", "Previous", "Present", "Used"),
            ("Mains supply", "1,204", "1,231", "27"),
            ("Garden tap", "310", "314", "4"),
        ),
        19,
    )
    page.text((50, 500), "Your charges", 22, bold=True)
    page.pairs(
        (50, 545),
        850,
        (
            ("Water supplied, 31 m3 at £1.92", "£59.52"),
            ("Sewerage", "£41.85"),
            ("Standing charge", "£12.40"),
            ("Charges this quarter", "£113.77"),
            ("Brought forward from last statement", "£20.00"),
        ),
        20,
    )
    page.box((50, 740, 850, 830), (226, 238, 246))
    page.text((70, 785), "Please pay", 28, bold=True)
    page.text((830, 785), "£133.77", 32, align="right", bold=True)
    page.text((50, 880), "Payment must reach us by 24 March 2026.", 20)
    page.text((50, 920), "Moving home? Call us on 0330 555 0142, weekdays 8am to 6pm.", 20)
    page.text((50, 960), "Water leak? Emergency line 0330 555 0199, day and night.", 20)
    return page.finished()


def _designer_invoice() -> Image.Image:
    page = Page((860, 1100), font="aileron", paper=(253, 252, 248))
    page.text((60, 80), "studio pellegrino", 38)
    page.text((60, 124), "graphic design & lettering", 19, ink=_GREY)
    page.lines((60, 190), ("Invoice for", "Kestrel Coffee Roasters Ltd", "4 Wharf Road, Bristol BS1 6XN"), 19)
    for row, (label, value) in enumerate(
        (("Invoice", "SP/2026/031"), ("Issued", "12.05.2026"), ("Payable within", "30 days"))
    ):
        page.text((600, 190 + row * 30), label, 18, ink=_GREY)
        page.text((800, 190 + row * 30), value, 18, align="right")
    page.rule(60, 800, 320)
    page.table(
        350,
        ((60, "left"), (480, "right"), (640, "right"), (800, "right")),
        (
            ("Work", "Hours", "Rate", "Sum"),
            ("Logo drafts", "14", "65.00", "910.00"),
            ("Packaging artwork", "22", "65.00", "1,430.00"),
            ("Shop sign lettering", "6", "80.00", "480.00"),
        ),
        19,
    )
    page.rule(60, 800, 520)
    page.pairs(
        (480, 550),
        800,
        (("Net", "2,820.00"), ("VAT 20%", "564.00"), ("Less deposit received", "-500.00")),
        19,
    )
    page.text((480, 660), "Outstanding", 24, bold=True)
    page.text((800, 660), "GBP 2,884.00", 24, align="right", bold=True)
    page.lines(
        (60, 780),
        (
            "Bank: Avonside Bank   Sort code 20-41-77   Account 5518 0263",
            "VAT reg. GB 318 4402 77",
            "Thank you. Questions: hello@studiopellegrino.example",
        ),
        18,
        step=34,
    )
    return page.finished()


def _hotel_folio() -> Image.Image:
    page = Page((900, 1000), font="times")
    page.text((450, 70), "HOTEL LINDENHOF", 40, align="middle", bold=True)
    page.text((450, 115), "Seestrasse 18, 8002 Zurich · +41 44 555 01 60", 20, align="middle")
    left = (("Guest", "Mr. Oduya Samuel"), ("Room", "317"), ("Persons", "2"))
    right = (("Arrival", "14 Sept 2026"), ("Departure", "17 Sept 2026"), ("Folio", "88-10432"))
    for row, ((label, value), (other, second)) in enumerate(zip(left, right, strict=True)):
        page.text((60, 190 + row * 36), f"{label}:", 22, ink=_GREY)
        page.text((170, 190 + row * 36), value, 22)
        page.text((540, 190 + row * 36), f"{other}:", 22, ink=_GREY)
        page.text((680, 190 + row * 36), second, 22)
    page.table(
        340,
        ((60, "left"), (200, "left"), (840, "right")),
        (
            ("Date", "Description", "CHF"),
            ("14.09.", "Accommodation", "189.00"),
            ("15.09.", "Accommodation", "189.00"),
            ("15.09.", "Restaurant", "64.50"),
            ("16.09.", "Accommodation", "189.00"),
            ("16.09.", "Laundry", "22.00"),
            ("16.09.", "City tax", "10.50"),
        ),
        22,
    )
    page.rule(60, 840, 640)
    page.pairs(
        (420, 670),
        840,
        (
            ("Total", "664.00"),
            ("of which VAT 3.8%", "24.31"),
            ("Visa **** 4471", "-664.00"),
            ("Balance", "0.00"),
        ),
        22,
    )
    page.text((450, 900), "We hope to welcome you again.", 22, align="middle")
    return page.finished()


def _club_form() -> Image.Image:
    page = Page((900, 1120), font="aileron")
    page.text((50, 70), "Riverside Rowing Club", 34, bold=True)
    page.text((50, 115), "Application for membership", 26)
    fields = (
        (50, 190, 420, "First name", "Ingrid"),
        (480, 190, 370, "Family name", "Solheim"),
        (50, 300, 420, "Born on", "21/08/1994"),
        (480, 300, 370, "Nationality", "Norwegian"),
        (50, 410, 800, "Street and number", "112 Boathouse Lane"),
        (50, 520, 420, "Town", "Henley Bridge"),
        (480, 520, 370, "Postcode", "HB3 9QA"),
        (50, 630, 420, "Mobile", "07700 900 418"),
        (480, 630, 370, "E-mail", "ingrid.s@post.example"),
        (50, 740, 420, "In an emergency call", "Lars Solheim"),
        (480, 740, 370, "Their telephone", "07700 900 655"),
        (50, 850, 420, "Membership", "Adult, off-peak"),
        (480, 850, 370, "Years of experience", "3"),
    )
    for x, y, width, label, value in fields:
        page.text((x, y), label, 17, ink=_GREY)
        page.box((x, y + 16, x + width, y + 66), (250, 250, 246), outline=(160, 162, 168))
        page.text((x + 14, y + 42), value, 23, font="dejavu")
    page.text((50, 990), "Signed: I. Solheim", 22)
    page.text((480, 990), "Date: 5 April 2026", 22)
    return page.finished()


def _school_letter() -> Image.Image:
    page = Page((900, 1120), font="serif")
    page.text((70, 80), "Fairmead Primary School", 32, bold=True)
    page.lines((70, 130), ("Copse Hill, Fairmead FM2 8LL", "office@fairmead.example"), 19)
    page.text((830, 230), "9 June 2026", 20, align="right")
    page.text((70, 290), "Dear parents of Class 4B,", 21)
    page.text((70, 340), "Trip to the Maritime Museum", 22, bold=True)
    page.lines(
        (70, 390),
        (
            "On Thursday 2 July the whole class will visit the Maritime",
            "Museum in Port Ellery. The coach leaves the school gate at",
            "8.45 am sharp and we expect to be back by 4 pm.",
            "",
            "The trip costs £11.50 per child, which covers the coach and",
            "the entrance. Please bring a packed lunch and a raincoat.",
            "",
            "Return the slip below to the office no later than 19 June.",
            "If your child has an allergy, tell Mrs Whitlock.",
        ),
        20,
        step=36,
    )
    page.text((70, 790), "Yours sincerely,", 20)
    page.text((70, 870), "Gareth Pugh", 21)
    page.text((70, 902), "Head Teacher", 20)
    return page.finished()


_BILLS, _FORMS = "invoices and bills", "forms and letters"

DOCUMENTS = (
    Document(
        "quarterly water bill",
        _BILLS,
        _water_bill,
        (
            asked("How much do I have to pay?", "£133.77"),
            asked("When is the payment due?", "24 March 2026"),
            asked("What is my customer reference?", "6620 4418 09"),
            asked("How much is the standing charge?", "£12.40"),
            asked("What was the previous reading of the garden tap?", "310"),
            asked("Which company sent this bill?", "Millbrook Water"),
            asked("What number do I call about a leak?", "0330 555 0199"),
            absent("What is the IBAN?"),
            absent("What is the late payment fee?"),
        ),
    ),
    Document(
        "designer's invoice",
        _BILLS,
        _designer_invoice,
        (
            asked("What is the invoice number?", "SP/2026/031"),
            asked("What is the amount due?", "2,884.00"),
            asked("How much VAT was charged?", "564.00"),
            asked("Who is the customer?", "Kestrel Coffee Roasters"),
            asked("What is the sort code?", "20-41-77"),
            asked("How many hours were spent on the packaging artwork?", "22"),
            asked("When was the invoice issued?", "12.05.2026"),
            absent("What is the purchase order number?"),
            absent("What is the phone number?"),
        ),
    ),
    Document(
        "hotel folio",
        _BILLS,
        _hotel_folio,
        (
            asked("What is the room number?", "317"),
            asked("When did the guest leave?", "17 Sept 2026"),
            asked("What is the total?", "664.00"),
            asked("How much was the laundry?", "22.00"),
            asked("What is the name of the hotel?", "Hotel Lindenhof"),
            asked("What is the guest's name?", "Oduya Samuel"),
            absent("What is the Wi-Fi password?"),
            absent("How much was the minibar?"),
        ),
    ),
    Document(
        "club form",
        _FORMS,
        _club_form,
        (
            asked("What is the applicant's surname?", "Solheim"),
            asked("What is the date of birth?", "21/08/1994"),
            asked("What is the postcode?", "HB3 9QA"),
            asked("What is her mobile number?", "07700 900 418"),
            asked("Who is the emergency contact?", "Lars Solheim"),
            asked("What kind of membership is it?", "off-peak"),
            asked("Which club is this form for?", "Riverside Rowing Club"),
            absent("What is her occupation?"),
            absent("What is the passport number?"),
        ),
    ),
    Document(
        "school letter",
        _FORMS,
        _school_letter,
        (
            asked("When is the trip?", "2 July"),
            asked("What time does the coach leave?", "8.45"),
            asked("How much does the trip cost?", "£11.50"),
            asked("By when must the slip be returned?", "19 June"),
            asked("Who signed the letter?", "Gareth Pugh"),
            asked("Where are they going?", "Maritime"),
            absent("What is the telephone number of the school?"),
            absent("Who drives the coach?"),
        ),
    ),
)
