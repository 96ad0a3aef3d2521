"""The other documents of the second set: tickets, labels, slides and screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (108, 110, 116)


def _ski_pass() -> Image.Image:
    page = Page((560, 820), paper=(232, 244, 252))
    page.box((0, 0, 560, 100), (10, 80, 160))
    page.text((280, 50), "MONTE LUPO SKI", 38, align="middle", bold=True, ink=(255, 255, 255))
    rows = (
        ("Pass", "Adult 3 days"),
        ("Valid from", "14.02.2027"),
        ("Valid to", "16.02.2027"),
        ("Holder", "Sven Aalto"),
        ("Pass no.", "0097 4418 2"),
        ("Price", "CHF 198.00"),
        ("Card deposit", "CHF 5.00"),
    )
    page.pairs((50, 170), 510, rows, 27, step=68)
    page.bars((60, 670, 500, 740), seed=11)
    page.text((280, 780), "Not transferable", 22, align="middle")
    return page.finished()


def _voucher() -> Image.Image:
    page = Page((940, 480), paper=(248, 228, 232), ink=(96, 20, 60), font="serif")
    page.text((470, 80), "Gift Voucher", 56, align="middle", bold=True)
    page.text((470, 150), "Rosewater Spa & Sauna", 32, align="middle")
    page.text((60, 240), "To: Claudette Moreau", 27)
    page.text((60, 290), "From: your colleagues", 27)
    page.text((880, 240), "Value: $150", 36, align="right", bold=True)
    page.text((60, 380), "Code RS-7Y4-0918", 27)
    page.text((880, 380), "Valid until December 31, 2027", 25, align="right")
    page.text((470, 440), "Book online or call 303-555-0110", 23, align="middle")
    return page.finished()


def _wine() -> Image.Image:
    page = Page((600, 780), paper=(246, 240, 226), ink=(70, 20, 30), font="times")
    page.text((300, 90), "Domaine des Aubépines", 42, align="middle", bold=True)
    page.text((300, 170), "Côtes de Valmont", 36, align="middle")
    page.text((300, 290), "2021", 70, align="middle", bold=True)
    page.text((300, 400), "Red wine", 32, align="middle")
    page.text((300, 470), "Grape varieties: Syrah, Grenache", 28, align="middle")
    page.pairs(
        (70, 560), 530, (("Alcohol", "13.5 % vol"), ("Volume", "750 ml"), ("Lot", "L21-307")), 27, step=46
    )
    page.text((300, 720), "Contains sulphites. Product of France", 24, align="middle")
    return page.finished()


def _status_slide() -> Image.Image:
    page = Page((1120, 630))
    page.text((60, 80), "Project Harbour: status in week 34", 42, bold=True)
    for column, (title, lines) in enumerate(
        (
            ("Done", ("Prototype tested", "Supplier chosen")),
            ("Next", ("Order parts by 4 September", "Train 12 operators")),
            ("Risks", ("Port permit is late", "Steel price up 8 %")),
        )
    ):
        x = 60 + column * 350
        page.box((x, 150, x + 330, 450), (240, 243, 248), radius=8)
        page.text((x + 24, 190), title, 28, bold=True)
        page.lines((x + 24, 250), lines, 22, step=48)
    page.text((60, 510), "Budget: $2.4 million    Spent so far: $1.1 million", 26)
    page.text((60, 580), "Project manager: Yara Haddad", 22, ink=_GREY)
    return page.finished()


def _bank_app() -> Image.Image:
    page = Page((620, 1100), paper=(246, 247, 250), font="dejavu")
    page.box((0, 0, 620, 260), (40, 30, 90))
    page.text((40, 60), "Everyday account", 24, ink=(220, 220, 240))
    page.text((40, 120), "$3,482.17", 48, bold=True, ink=(255, 255, 255))
    page.text((40, 180), "Available balance", 20, ink=(220, 220, 240))
    page.text((40, 224), "IBAN GB00 TEST 0000 1234 5678", 19, ink=(220, 220, 240))
    page.text((40, 310), "Recent transactions", 26, bold=True)
    rows = (
        ("Greenleaf Grocery", "Today", "-$64.20"),
        ("Salary Orbit Media", "30 Jun", "+$2,910.00"),
        ("City Transit", "29 Jun", "-$2.75"),
        ("Rent, Maple Court", "28 Jun", "-$1,240.00"),
        ("Pine Cinema", "27 Jun", "-$18.50"),
    )
    for row, (payee, date, amount) in enumerate(rows):
        y = 380 + row * 110
        page.text((40, y), payee, 23)
        page.text((40, y + 34), date, 18, ink=_GREY)
        page.text((580, y), amount, 23, align="right")
    page.text((310, 1020), "Send money", 26, align="middle", bold=True)
    return page.finished()


def _packing_slip() -> Image.Image:
    page = Page((900, 900), font="mono")
    page.text((60, 70), "PACKING SLIP", 34, bold=True)
    page.text((840, 70), "Hobbyhouse Supplies", 24, align="right")
    page.pairs((60, 140), 430, (("Order no:", "HH-12077"), ("Order date:", "2026-03-03")), 21, step=36)
    page.pairs((480, 140), 840, (("Carrier:", "GroundLine"), ("Boxes:", "2")), 21, step=36)
    page.text((60, 250), "Deliver to:", 21, bold=True)
    page.lines((60, 286), ("Nils Berglund", "Workshop 3, 40 Canal Street", "Utrecht"), 21, step=32)
    rows = (
        ("SKU", "Item", "Ordered", "Shipped"),
        ("A-104", "Wood glue 250 ml", "6", "6"),
        ("B-220", "Sandpaper P120", "10", "10"),
        ("C-019", "Brass hinge", "24", "20"),
    )
    page.table(430, ((60, "left"), (200, "left"), (660, "right"), (840, "right")), rows, 21, step=46)
    page.text((60, 680), "4 brass hinges are on back order, expected 20 March.", 20)
    page.text((60, 760), "Packed by: Femke", 21)
    return page.finished()


DOCUMENTS = (
    Document(
        "ski pass",
        "tickets",
        _ski_pass,
        (
            asked("Who is the holder?", "Sven Aalto"),
            asked("What is the pass number?", "0097 4418 2"),
            asked("How long is it valid?", "16.02.2027"),
            asked("What was the price?", "CHF 198.00"),
            asked("How much is the card deposit?", "CHF 5.00"),
            absent("What is the date of birth?"),
            absent("What is the seat number?"),
        ),
    ),
    Document(
        "gift voucher",
        "tickets",
        _voucher,
        (
            asked("How much is the voucher worth?", "$150"),
            asked("What is the code?", "RS-7Y4-0918"),
            asked("Until when is it valid?", "December 31, 2027"),
            asked("Who is the voucher for?", "Claudette Moreau"),
            asked("Which number can I call to book?", "303-555-0110"),
            absent("What is the address of the spa?"),
            absent("What are the opening hours?"),
        ),
    ),
    Document(
        "wine label",
        "labels",
        _wine,
        (
            asked("What is the alcohol content?", "13.5"),
            asked("What is the vintage?", "2021"),
            asked("What grapes is it made from?", "Syrah, Grenache"),
            asked("How much is in the bottle?", "750 ml"),
            asked("What is the lot number?", "L21-307"),
            absent("How much does the bottle cost?"),
            absent("What is the best before date?"),
        ),
    ),
    Document(
        "status slide",
        "slides",
        _status_slide,
        (
            asked("What is the title?", "Project Harbour: status in week 34"),
            asked("What is the budget?", "$2.4 million"),
            asked("Who is the project manager?", "Yara Haddad"),
            asked("What are the risks?", "Port permit is late", "Steel price up 8 %"),
            asked("When do the parts have to be ordered?", "4 September"),
            absent("Who is the customer?"),
            absent("What is the launch date?"),
        ),
    ),
    Document(
        "banking app",
        "screenshots",
        _bank_app,
        (
            asked("What is the available balance?", "$3,482.17"),
            asked("How much was the rent?", "$1,240.00"),
            asked("When was the salary paid?", "30 Jun"),
            asked("What is the IBAN?", "GB00 TEST 0000 1234 5678"),
            asked("How much was spent at Pine Cinema?", "$18.50"),
            absent("What is the credit limit?"),
            absent("What is the interest rate?"),
        ),
    ),
    Document(
        "packing slip",
        "forms and letters",
        _packing_slip,
        (
            asked("What is the order number?", "HH-12077"),
            asked("Who is the carrier?", "GroundLine"),
            asked("How many brass hinges were shipped?", "20"),
            asked("When was it ordered?", "2026-03-03"),
            asked("Who packed it?", "Femke"),
            asked("Who is it delivered to?", "Nils Berglund"),
            absent("What is the total price?"),
            absent("What is the tracking number?"),
        ),
    ),
)
