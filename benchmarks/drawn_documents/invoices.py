"""Invoices and bills: amounts with their labels to the left, above, and in boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]


def _consultant() -> Image.Image:
    page = Page((900, 1180), font="times")
    page.text((70, 90), "Larkspur & Webb Consulting", 38, bold=True)
    page.lines((70, 134), ("9 Chandler Mews, Bath BA1 2QX", "hello@larkspurwebb.example"), 21, step=28)
    page.text((830, 90), "Invoice", 40, align="right")
    page.table(
        240,
        ((70, "left"), (290, "left"), (500, "left"), (830, "right")),
        (
            ("Invoice #", "Issued", "Payment due", "Your reference"),
            ("LW-2031", "4 May 2026", "3 June 2026", "PO 77120"),
        ),
        22,
        step=36,
    )
    page.rule(70, 830, 320)
    page.text((70, 360), "Billed to", 20, ink=(110, 110, 116))
    page.lines((70, 394), ("Tamsin Achebe", "Harrow Lane Dental Practice", "Bristol BS6 5TT"), 23)
    rows = (
        ("Service", "Days", "Rate", "Amount"),
        ("Workflow review", "2", "540.00", "1,080.00"),
        ("Staff training", "1.5", "480.00", "720.00"),
        ("Written report", "1", "540.00", "540.00"),
    )
    page.table(540, ((70, "left"), (560, "right"), (690, "right"), (830, "right")), rows, 22, step=46)
    page.rule(70, 830, 564)
    page.rule(470, 830, 730)
    totals = (("Net", "£2,340.00"), ("Discount 5%", "-£117.00"), ("VAT 20%", "£444.60"))
    page.pairs((480, 764), 830, totals, 22, step=38)
    page.text((480, 890), "Balance due", 28, bold=True)
    page.text((830, 890), "£2,667.60", 28, align="right", bold=True)
    page.text((70, 1000), "Sort code 00-11-22   Account no. 31415926", 21)
    page.text((70, 1034), "Please quote the invoice number with your payment.", 21)
    return page.finished()


def _garage() -> Image.Image:
    page = Page((860, 1120), paper=(252, 252, 249), font="mono")
    page.text((430, 70), "RIVERSIDE AUTO REPAIR", 34, align="middle", bold=True)
    page.text((430, 112), "1140 Dock St, Tacoma WA 98402 - (253) 555-0126", 20, align="middle")
    page.rule(50, 810, 146, (40, 40, 40))
    left = ("Work order: 55821", "Date in: 02/09/2026", "Date out: 02/11/2026", "Technician: Ruiz")
    right = ("Customer: D. Okafor", "Vehicle: 2019 Subaru Outback", "Plate: BKR 4471", "Mileage: 68,204")
    page.lines((50, 184), left, 20, step=34)
    page.lines((430, 184), right, 20, step=34)
    page.rule(50, 810, 330, (40, 40, 40))
    rows = (
        ("QTY", "PART / LABOR", "PRICE"),
        ("1", "Timing belt kit", "214.50"),
        ("1", "Water pump", "89.95"),
        ("4", "Coolant, qt", "31.80"),
        ("3.5h", "Labor @ 120.00", "420.00"),
        ("1", "Shop supplies", "18.00"),
    )
    page.table(364, ((50, "left"), (150, "left"), (810, "right")), rows, 21, step=44)
    page.rule(50, 810, 620, (40, 40, 40))
    totals = (
        ("SUBTOTAL", "774.25"),
        ("SALES TAX 10.3%", "36.48"),
        ("TOTAL", "810.73"),
        ("PAID VISA", "810.73"),
    )
    page.pairs((430, 656), 810, totals, 22, step=44)
    notes = ("Next service due at 75,000 miles.", "Warranty: 12 months or 12,000 miles on parts and labor.")
    page.lines((50, 900), notes, 19, step=34)
    return page.finished()


def _electricity() -> Image.Image:
    page = Page((900, 1160), font="dejavu")
    page.box((0, 0, 900, 120), (0, 92, 83))
    page.text((60, 60), "Cobalt Valley Power", 34, bold=True, ink=(255, 255, 255))
    page.text((840, 60), "Electricity bill", 24, align="right", ink=(255, 255, 255))
    page.lines((60, 180), ("Jonas Lindqvist", "88 Orchard Road", "Eugene, OR 97401"), 21)
    account = (
        ("Account number", "4410 2297 08"),
        ("Statement date", "Mar 28, 2026"),
        ("Service period", "Feb 24 - Mar 25"),
        ("Meter number", "E-590331"),
    )
    page.pairs((480, 180), 840, account, 20, step=36, grey=(90, 94, 98))
    page.box((60, 350, 840, 480), (226, 240, 237), radius=10)
    page.text((100, 386), "Amount due", 22)
    page.text((100, 434), "$126.38", 38, bold=True)
    page.text((500, 386), "Please pay by", 22)
    page.text((500, 434), "April 17, 2026", 34, bold=True)
    page.text((60, 540), "How we worked out your bill", 26, bold=True)
    rows = (
        ("Previous balance", "$118.02"),
        ("Payment received Mar 12, thank you", "-$118.02"),
        ("Energy used: 742 kWh at $0.1310", "$97.20"),
        ("Basic service charge", "$16.50"),
        ("City utility tax", "$5.68"),
        ("Late fee", "$7.00"),
    )
    page.pairs((60, 596), 840, rows, 21, step=44)
    page.rule(60, 840, 858)
    page.pairs((60, 888), 840, (("Total amount due", "$126.38"),), 23)
    page.text((60, 1000), "Power out? Call 541-555-0163, day or night.", 21)
    page.text((60, 1038), "Manage your account at cobaltvalley.example", 21)
    return page.finished()


def _restaurant() -> Image.Image:
    page = Page((560, 980), paper=(250, 249, 244), font="mono")
    page.text((280, 64), "Trattoria Bellarosa", 28, align="middle", bold=True)
    page.lines((280, 104), ("Via Garibaldi 21, Torino", "P.IVA 01234567890"), 18, step=28, align="middle")
    page.pairs((50, 186), 510, (("Table 12", "Server: Chiara"), ("19.06.2026", "21:47")), 19, step=32)
    rows = (
        ("2 Acqua frizzante", "5,00"),
        ("1 Vino rosso 0,5 l", "9,00"),
        ("1 Tagliatelle al ragù", "13,50"),
        ("1 Risotto ai funghi", "15,00"),
        ("2 Tiramisù", "13,00"),
        ("2 Coperto", "5,00"),
    )
    page.pairs((50, 290), 510, rows, 20, step=42)
    page.rule(50, 510, 550, (40, 40, 40))
    page.pairs((50, 586), 510, (("TOTALE / TOTAL EUR", "60,50"),), 24)
    page.pairs(
        (50, 640), 510, (("IVA / VAT 10%", "5,50"), ("Cash", "80,00"), ("Change", "19,50")), 20, step=40
    )
    page.text((280, 830), "Grazie e arrivederci!", 20, align="middle")
    return page.finished()


DOCUMENTS = (
    Document(
        "consultant's invoice",
        "invoices and bills",
        _consultant,
        (
            asked("What is the invoice number?", "LW-2031"),
            asked("How much do we have to pay?", "£2,667.60"),
            asked("When is the payment due?", "3 June 2026"),
            asked("When was this invoice issued?", "4 May 2026"),
            asked("How much VAT is charged?", "£444.60"),
            asked("Who is the invoice billed to?", "Tamsin Achebe", "Harrow Lane Dental Practice"),
            asked("Which company sent this invoice?", "Larkspur & Webb Consulting"),
            asked("How much was the staff training?", "720.00"),
            asked("What is the sort code?", "00-11-22"),
            absent("What is the IBAN?"),
            absent("What is the delivery date?"),
            absent("How much is the shipping?"),
        ),
    ),
    Document(
        "garage invoice",
        "invoices and bills",
        _garage,
        (
            asked("What is the total?", "810.73"),
            asked("What is the work order number?", "55821"),
            asked("What is the license plate?", "BKR 4471"),
            asked("What is the mileage?", "68,204"),
            asked("How much did the water pump cost?", "89.95"),
            asked("What is the subtotal before tax?", "774.25"),
            asked("What is the name of the shop?", "RIVERSIDE AUTO REPAIR"),
            asked("Is there anything about a warranty?", "yes", "12 months or 12,000 miles"),
            absent("How much was the discount?"),
            absent("What is the insurance policy number?"),
        ),
    ),
    Document(
        "electricity bill",
        "invoices and bills",
        _electricity,
        (
            asked("How much do I owe?", "$126.38"),
            asked("When do I have to pay this?", "April 17, 2026"),
            asked("What is my account number?", "4410 2297 08"),
            asked("What is the meter number?", "E-590331"),
            asked("What was the previous balance?", "$118.02"),
            asked("How much is the late fee?", "$7.00"),
            asked("Which number do I call if the power is out?", "541-555-0163"),
            asked("What is the statement date?", "Mar 28, 2026"),
            absent("What is the price of gas?"),
            absent("What is the fax number?"),
        ),
    ),
    Document(
        "restaurant bill",
        "invoices and bills",
        _restaurant,
        (
            asked("What's the total?", "60,50"),
            asked("How much change was given?", "19,50"),
            asked("What is the date on the bill?", "19.06.2026"),
            asked("Who was our server?", "Chiara"),
            asked("How much was the risotto?", "15,00"),
            asked("What is the name of the restaurant?", "Trattoria Bellarosa"),
            absent("What is the phone number of the restaurant?"),
            absent("How much was the tip?"),
        ),
    ),
)
