"""Tickets and labels: little paper, much of it small, labels above their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (110, 112, 118)


def _train() -> Image.Image:
    page = Page((960, 460), paper=(248, 236, 214), font="dejavu")
    page.box((0, 0, 960, 64), (200, 84, 40))
    page.text((30, 32), "NORTHERN COAST RAILWAYS", 26, bold=True, ink=(255, 255, 255))
    page.text((930, 32), "SINGLE", 26, align="right", ink=(255, 255, 255))
    cells = (
        (30, 110, "From", "Harwick Central"),
        (480, 110, "To", "Saltmere"),
        (30, 210, "Date", "28-JUL-2026"),
        (290, 210, "Departs", "14:26"),
        (480, 210, "Platform", "4"),
        (700, 210, "Class", "Standard"),
        (30, 310, "Coach", "C"),
        (290, 310, "Seat", "47A"),
        (480, 310, "Ticket no.", "TK 90 338 215"),
        (800, 310, "Price", "£18.60"),
    )
    for x, y, label, value in cells:
        page.text((x, y), label, 18, ink=_GREY)
        page.text((x, y + 36), value, 27, bold=True)
    page.text((30, 420), "Valid on the booked train only. Not refundable.", 19)
    return page.finished()


def _boarding_pass() -> Image.Image:
    page = Page((1000, 460), paper=(255, 255, 255))
    page.box((0, 0, 1000, 70), (24, 40, 92))
    page.text((30, 35), "Aurora Air", 30, bold=True, ink=(255, 255, 255))
    page.text((970, 35), "Boarding pass", 26, align="right", ink=(255, 255, 255))
    cells = (
        (30, 110, "PASSENGER", "NAKAMURA / EMI MS"),
        (520, 110, "FLIGHT", "AU 482"),
        (740, 110, "DATE", "07 NOV 2026"),
        (30, 210, "FROM", "Oslo OSL"),
        (300, 210, "TO", "Lisbon LIS"),
        (520, 210, "GATE", "D14"),
        (740, 210, "BOARDING", "09:35"),
        (30, 310, "SEAT", "22F"),
        (300, 310, "GROUP", "3"),
        (520, 310, "DEPARTURE", "10:10"),
        (740, 310, "BOOKING REF", "Q7LM2X"),
    )
    for x, y, label, value in cells:
        page.text((x, y), label, 17, ink=_GREY)
        page.text((x, y + 38), value, 30)
    page.text((30, 424), "Gate closes 20 minutes before departure", 19, ink=_GREY)
    return page.finished()


def _cinema() -> Image.Image:
    page = Page((520, 820), paper=(244, 240, 232), font="mono")
    page.text((260, 60), "ODYSSEY CINEMA", 30, align="middle", bold=True)
    page.text((260, 130), "The Cartographer", 32, align="middle", bold=True)
    page.text((260, 174), "Rated PG-13   Runtime 118 min", 18, align="middle")
    page.rule(40, 480, 210, (60, 60, 60))
    rows = (
        ("Screen", "5"),
        ("Row", "H"),
        ("Seats", "11, 12"),
        ("Showing", "May 16, 2026"),
        ("Starts", "7:15 PM"),
        ("Adults", "2 x $13.50"),
        ("Booking fee", "$1.80"),
        ("Total paid", "$28.80"),
    )
    page.pairs((50, 252), 470, rows, 23, step=50)
    page.text((260, 690), "Order 7730-1946", 22, align="middle")
    page.bars((90, 720, 430, 790), seed=7)
    return page.finished()


def _shipping_label() -> Image.Image:
    page = Page((700, 980), font="dejavu")
    page.box((20, 20, 680, 960), outline=(20, 20, 20), line=2)
    page.text((50, 64), "SwiftParcel Express", 30, bold=True)
    page.text((650, 64), "2-DAY", 34, align="right", bold=True)
    page.rule(20, 680, 104, (20, 20, 20))
    page.text((50, 136), "FROM:", 18, bold=True)
    page.lines((140, 136), ("Copper Kettle Tea Co.", "220 Warehouse Rd, Denver CO 80216"), 20, step=32)
    page.rule(20, 680, 206, (20, 20, 20))
    page.text((50, 246), "SHIP TO:", 20, bold=True)
    page.lines((170, 246), ("Leo Marchetti", "715 Sycamore Ave Apt 9", "Madison WI 53703"), 26, step=44)
    page.rule(20, 680, 390, (20, 20, 20))
    page.text((50, 426), "TRACKING #: SP 4471 0093 8826", 25, bold=True)
    page.bars((90, 460, 610, 620), seed=3)
    page.rule(20, 680, 650, (20, 20, 20))
    page.lines((50, 696), ("Weight: 3.2 lb", "Ship date: 14 MAY 2026", "Order: CK-20917"), 23, step=46)
    page.lines((400, 696), ("Zone: 5", "Package: 1 of 2"), 23, step=46)
    page.text((350, 890), "FRAGILE - HANDLE WITH CARE", 28, align="middle", bold=True)
    return page.finished()


def _prescription() -> Image.Image:
    page = Page((800, 520), paper=(255, 255, 252))
    page.text((40, 56), "Birchwood Pharmacy", 32, bold=True, ink=(0, 84, 120))
    page.text((760, 56), "(414) 555-0139", 24, align="right")
    page.rule(40, 760, 86)
    page.text((40, 124), "Rx 6620174", 24)
    page.text((760, 124), "Dr. S. Iyer", 24, align="right")
    page.text((40, 180), "HELEN M. DRAKE", 30, bold=True)
    page.text((40, 236), "AMOXICILLIN 500 MG CAPSULES", 30, bold=True)
    page.text((40, 290), "Take one capsule by mouth three times a day", 27)
    page.text((40, 328), "until finished.", 27)
    page.pairs((40, 400), 330, (("Qty", "21"), ("Refills", "0")), 25, step=44)
    page.pairs((420, 400), 760, (("Filled", "01/22/2026"), ("Discard after", "01/22/2027")), 25, step=44)
    return page.finished()


def _jam() -> Image.Image:
    page = Page((720, 620), paper=(252, 240, 228), ink=(88, 24, 40), font="serif")
    page.text((360, 80), "Apricot & Vanilla Jam", 44, align="middle", bold=True)
    page.text((360, 140), "made by hand in small batches", 24, align="middle")
    page.text((50, 220), "Ingredients: apricots, cane sugar, lemon juice,", 23)
    page.text((50, 256), "pectin, vanilla.", 23)
    rows = (
        ("Net weight", "340 g"),
        ("Best before", "12/2027"),
        ("Batch", "L-0416"),
        ("Energy per 100 g", "1020 kJ / 241 kcal"),
        ("Sugars per 100 g", "58 g"),
    )
    page.pairs((50, 326), 670, rows, 24, step=44)
    page.text((360, 572), "Orchard House Preserves, Ludlow SY8 1AA", 22, align="middle")
    return page.finished()


DOCUMENTS = (
    Document(
        "train ticket",
        "tickets",
        _train,
        (
            asked("What is the seat number?", "47A"),
            asked("What time does the train leave?", "14:26"),
            asked("What is the destination?", "Saltmere"),
            asked("How much was the ticket?", "£18.60"),
            asked("What date is the ticket for?", "28-JUL-2026"),
            asked("Which platform does it leave from?", "4"),
            absent("What is the passenger's name?"),
            absent("What is the arrival time?"),
        ),
    ),
    Document(
        "boarding pass",
        "tickets",
        _boarding_pass,
        (
            asked("What is the flight number?", "AU 482"),
            asked("What gate does it leave from?", "D14"),
            asked("What is the boarding time?", "09:35"),
            asked("What is the passenger's name?", "NAKAMURA / EMI"),
            asked("What is the booking reference?", "Q7LM2X"),
            asked("Which seat is it?", "22F"),
            absent("What is the baggage allowance?"),
            absent("How much did the flight cost?"),
        ),
    ),
    Document(
        "cinema ticket",
        "tickets",
        _cinema,
        (
            asked("What time does the movie start?", "7:15 PM"),
            asked("How much was paid in total?", "$28.80"),
            asked("Which seats do we have?", "11, 12"),
            asked("What is the booking fee?", "$1.80"),
            asked("What is the order number?", "7730-1946"),
            asked("What day is the showing?", "May 16, 2026"),
            absent("What is the customer's name?"),
            absent("What is the address of the cinema?"),
        ),
    ),
    Document(
        "shipping label",
        "labels",
        _shipping_label,
        (
            asked("What is the tracking number?", "SP 4471 0093 8826"),
            asked("Who is the package for?", "Leo Marchetti"),
            asked("Who is the sender?", "Copper Kettle Tea Co."),
            asked("How much does the package weigh?", "3.2 lb"),
            asked("When was it shipped?", "14 MAY 2026"),
            asked("Does it say fragile?", "yes"),
            absent("What is the recipient's phone number?"),
            absent("What is the value of the contents?"),
        ),
    ),
    Document(
        "prescription label",
        "labels",
        _prescription,
        (
            asked("What is the name of the pharmacy?", "Birchwood Pharmacy"),
            asked("What is the prescription number?", "6620174"),
            asked("How many refills are left?", "0"),
            asked("When should it be discarded?", "01/22/2027"),
            asked("What is the phone number?", "(414) 555-0139"),
            asked("How often do I take it?", "three times a day"),
            absent("What is the price?"),
            absent("What is the patient's date of birth?"),
        ),
    ),
    Document(
        "jam label",
        "labels",
        _jam,
        (
            asked("What are the ingredients?", "apricots, cane sugar, lemon juice"),
            asked("What is the best before date?", "12/2027"),
            asked("What is the net weight?", "340 g"),
            asked("What is the batch number?", "L-0416"),
            asked("How much sugar is in 100 g?", "58 g"),
            absent("How much does it cost?"),
            absent("Is there a warning about nuts?"),
        ),
    ),
)
