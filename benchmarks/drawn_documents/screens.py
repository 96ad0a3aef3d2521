"""Slides and screenshots: headings, bullets, tables and user interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (112, 116, 124)


def _results_slide() -> Image.Image:
    page = Page((1120, 630), font="dejavu")
    page.box((0, 0, 14, 630), (200, 60, 60))
    page.text((60, 70), "Q1 2026 results at a glance", 40, bold=True)
    rows = (
        ("EUR million", "Q1 2025", "Q1 2026", "Change"),
        ("Revenue", "41.2", "47.9", "+16%"),
        ("Gross margin", "18.3", "22.1", "+21%"),
        ("Operating profit", "5.6", "7.4", "+32%"),
        ("Employees", "312", "340", "+9%"),
    )
    page.table(180, ((60, "left"), (560, "right"), (780, "right"), (1000, "right")), rows, 25, step=58)
    page.rule(60, 1000, 208)
    page.text((60, 500), "Outlook: revenue of EUR 195-200 million in 2026", 25)
    page.text((60, 596), "Halden Instruments - Investor call, 29 April 2026", 18, ink=_GREY)
    page.text((1060, 596), "4", 18, align="right", ink=_GREY)
    return page.finished()


def _agenda_slide() -> Image.Image:
    page = Page((1120, 630), paper=(32, 36, 48), ink=(236, 238, 244))
    page.text((70, 90), "Team offsite: agenda", 48, bold=True)
    rows = (
        ("9:00", "Welcome and coffee"),
        ("9:30", "Product roadmap (Lena)"),
        ("11:00", "Customer interviews (Omar)"),
        ("12:30", "Lunch in the garden"),
        ("14:00", "Hiring plan (Sofia)"),
        ("16:00", "Wrap-up"),
    )
    for row, (time, topic) in enumerate(rows):
        page.text((70, 190 + row * 62), time, 29, ink=(120, 200, 255))
        page.text((220, 190 + row * 62), topic, 29)
    page.text((70, 590), "Room: Glasshouse, 2nd floor", 22)
    return page.finished()


def _about_dialog() -> Image.Image:
    page = Page((900, 640), paper=(240, 241, 244), font="dejavu")
    page.box((0, 0, 900, 54), (222, 224, 230))
    page.text((450, 27), "About this device", 20, align="middle", bold=True)
    rows = (
        ("Device name", "studio-laptop"),
        ("Model", "Meridian Book 14"),
        ("Processor", "Octa-core 2.8 GHz"),
        ("Memory", "16 GB"),
        ("Disk capacity", "512 GB"),
        ("OS version", "Pinecone 12.4"),
        ("Serial number", "MB14-77X-0925"),
        ("Last update", "2026-05-30"),
    )
    for row, (label, value) in enumerate(rows):
        y = 100 + row * 62
        page.box((50, y - 28, 850, y + 28), (255, 255, 255), outline=(214, 216, 222))
        page.text((74, y), label, 20)
        page.text((826, y), value, 20, align="right", ink=_GREY)
    page.box((690, 586, 850, 626), (40, 110, 220), radius=6)
    page.text((770, 606), "Check again", 18, align="middle", ink=(255, 255, 255))
    return page.finished()


def _order_page() -> Image.Image:
    page = Page((1100, 860))
    page.box((0, 0, 1100, 70), (18, 24, 38))
    page.text((40, 35), "fern & fable", 28, ink=(255, 255, 255))
    page.text((1060, 35), "Sign out", 18, align="right", ink=(210, 214, 224))
    page.text((40, 130), "Thanks for your order, Maya!", 38, bold=True)
    page.text((40, 180), "Order #FF-60341 was placed on June 8, 2026.", 22)
    page.box((40, 220, 690, 560), outline=(216, 218, 224), radius=8)
    items = (
        ("Terracotta planter, large", "Qty 2", "$58.00"),
        ("Potting soil, 10 l", "Qty 1", "$12.40"),
        ("Brass watering can", "Qty 1", "$44.90"),
    )
    for row, (name, quantity, price) in enumerate(items):
        y = 276 + row * 96
        page.text((70, y), name, 23)
        page.text((70, y + 34), quantity, 18, ink=_GREY)
        page.text((660, y), price, 23, align="right")
    page.box((730, 220, 1060, 560), (246, 247, 249), radius=8)
    page.text((760, 260), "Order summary", 23, bold=True)
    rows = (
        ("Items", "$115.30"),
        ("Shipping", "$9.95"),
        ("Promo SPRING10", "-$11.53"),
        ("Tax", "$8.62"),
    )
    page.pairs((760, 316), 1030, rows, 21, step=46)
    page.rule(760, 1030, 490)
    page.text((760, 522), "Order total", 22, bold=True)
    page.text((1030, 522), "$122.34", 22, align="right", bold=True)
    page.text((40, 620), "Shipping address", 22, bold=True)
    page.lines((40, 660), ("Maya Lindgren", "2204 Larch Street, Duluth, MN 55811"), 21, step=34)
    page.text((560, 620), "Estimated delivery", 22, bold=True)
    page.text((560, 660), "June 12 - June 15", 21)
    page.text((560, 720), "Paid with Mastercard ending in 7702", 21)
    return page.finished()


def _message() -> Image.Image:
    page = Page((980, 720), font="dejavu")
    page.box((0, 0, 980, 64), (66, 82, 110))
    page.text((30, 32), "Inbox", 24, ink=(255, 255, 255))
    page.text((40, 110), "Room change for Thursday's rehearsal", 30, bold=True)
    page.lines(
        (40, 166),
        (
            "From: Beatrix Nolan <beatrix@choir.example>",
            "To: All singers",
            "Sent: Tue, 6 Oct 2026 08:12",
        ),
        20,
        step=34,
        ink=_GREY,
    )
    page.rule(40, 940, 270)
    body = (
        "Hello everyone,",
        "",
        "the parish hall is booked, so on Thursday we meet in the school gym",
        "instead. We start at 19:15 and finish by 21:30.",
        "",
        "Please bring the Fauré scores and 5 euros for the coffee fund.",
        "",
        "Beatrix",
    )
    page.lines((40, 318), body, 22, step=42)
    return page.finished()


DOCUMENTS = (
    Document(
        "results slide",
        "slides",
        _results_slide,
        (
            asked("What is the title of the slide?", "Q1 2026 results at a glance"),
            asked("What was the revenue in Q1 2026?", "47.9"),
            asked("What was the operating profit in Q1 2025?", "5.6"),
            asked("When was the investor call?", "29 April 2026"),
            asked("What is the outlook?", "revenue of EUR 195-200 million"),
            absent("What is the net debt?"),
            absent("What is the dividend per share?"),
        ),
    ),
    Document(
        "agenda slide",
        "slides",
        _agenda_slide,
        (
            asked("What is at 14:00?", "Hiring plan"),
            asked("When is lunch?", "12:30"),
            asked("Who presents the product roadmap?", "Lena"),
            asked("Which room is it in?", "Glasshouse"),
            asked("What is the heading?", "Team offsite: agenda"),
            absent("What is the date of the offsite?"),
            absent("When is dinner?"),
        ),
    ),
    Document(
        "about dialog",
        "screenshots",
        _about_dialog,
        (
            asked("What is the serial number?", "MB14-77X-0925"),
            asked("How much memory does it have?", "16 GB"),
            asked("Which OS version is installed?", "Pinecone 12.4"),
            asked("What is the device called?", "studio-laptop"),
            asked("When was the last update?", "2026-05-30"),
            absent("What is the IP address?"),
            absent("What is the battery level?"),
        ),
    ),
    Document(
        "order page",
        "screenshots",
        _order_page,
        (
            asked("What is the order number?", "FF-60341"),
            asked("What is the order total?", "$122.34"),
            asked("How much is shipping?", "$9.95"),
            asked("When will it be delivered?", "June 12 - June 15"),
            asked("What are the last four digits of the card?", "7702"),
            asked("What is the shipping address?", "2204 Larch Street"),
            asked("How much does the watering can cost?", "$44.90"),
            absent("What is the tracking number?"),
            absent("What is the customer's phone number?"),
        ),
    ),
    Document(
        "e-mail",
        "screenshots",
        _message,
        (
            asked("Who sent the message?", "Beatrix Nolan"),
            asked("What is the subject?", "Room change for Thursday's rehearsal"),
            asked("When was it sent?", "6 Oct 2026"),
            asked("What time does the rehearsal start?", "19:15"),
            asked("What should I bring?", "Fauré scores"),
            absent("What is the phone number?"),
            absent("What is the due date?"),
        ),
    ),
)
