"""Drawn last: labels, slides and screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (112, 114, 120)
_WHITE = (255, 255, 255)


def _honey_label() -> Image.Image:
    page = Page((760, 900), paper=(250, 240, 206), ink=(74, 46, 12), font="times")
    page.text((380, 70), "Hollowbrook Farm", 30, align="middle")
    page.text((380, 140), "HEATHER HONEY", 54, align="middle", bold=True)
    page.text((380, 200), "raw and unfiltered", 26, align="middle")
    page.text((380, 270), "340 g", 36, align="middle", bold=True)
    page.table(
        340,
        ((120, "left"), (640, "right")),
        (
            ("Nutrition", "per 100 g"),
            ("Energy", "1380 kJ / 325 kcal"),
            ("Fat", "0 g"),
            ("Carbohydrate", "81 g"),
            ("of which sugars", "78 g"),
            ("Protein", "0.4 g"),
        ),
        24,
    )
    page.lines(
        (120, 640),
        (
            "Best before end: 08 2028      Lot: H26-114",
            "Store at room temperature. Do not refrigerate.",
            "Not suitable for infants under 12 months.",
            "Packed by A. & J. Dunmore, Hollowbrook, Devon EX5 1ZZ",
        ),
        22,
        step=40,
    )
    return page.finished()


def _detergent_label() -> Image.Image:
    page = Page((800, 760), paper=(238, 248, 242), ink=(18, 60, 44), font="dejavu")
    page.text((400, 70), "BrightLeaf Laundry Liquid", 38, align="middle", bold=True)
    page.text((400, 125), "Colour & Wool · 1.5 litres · 42 washes", 24, align="middle")
    page.table(
        200,
        ((60, "left"), (460, "right"), (720, "right")),
        (
            ("Water", "Lightly soiled", "Heavily soiled"),
            ("Soft", "35 ml", "60 ml"),
            ("Medium", "50 ml", "80 ml"),
            ("Hard", "65 ml", "105 ml"),
        ),
        24,
    )
    page.lines(
        (60, 430),
        (
            "Wash at 20 to 40 °C. Do not use on silk.",
            "Contains: 5-15% anionic surfactants, enzymes, perfume.",
            "Causes serious eye irritation. Keep out of reach of children.",
            "Poison information: 0800 555 0170",
            "Made in Denmark by Nordvask A/S, Odense",
        ),
        22,
        step=46,
    )
    return page.finished()


def _project_slide() -> Image.Image:
    page = Page((1200, 675), font="dejavu")
    page.box((0, 0, 1200, 110), (38, 70, 83))
    page.text((50, 55), "Harbour Tunnel: status in week 34", 40, bold=True, ink=_WHITE)
    page.table(
        170,
        ((60, "left"), (520, "left"), (800, "right"), (1120, "right")),
        (
            ("Section", "Lead", "Progress", "Finish"),
            ("North portal", "M. Castellanos", "88%", "Oct 2026"),
            ("Main bore", "H. Lindqvist", "61%", "Mar 2027"),
            ("Ventilation", "P. Ramanathan", "24%", "Aug 2027"),
        ),
        28,
        step=58,
    )
    page.lines(
        (60, 440),
        (
            "•  Budget used: $214 million of $340 million",
            "•  Main risk: groundwater at chainage 2+400",
            "•  Next review: 15 September, Room Atlas",
        ),
        28,
        step=54,
    )
    page.text((60, 640), "Prepared by the Programme Office", 20, ink=_GREY)
    page.text((1140, 640), "7", 20, align="right", ink=_GREY)
    return page.finished()


def _bank_screen() -> Image.Image:
    page = Page((640, 1140), paper=(245, 246, 250), font="dejavu")
    page.text((30, 40), "9:41", 22, bold=True)
    page.text((320, 100), "Everyday account", 28, align="middle", bold=True)
    page.text((320, 150), "Available balance", 20, align="middle", ink=_GREY)
    page.text((320, 200), "£1,846.22", 46, align="middle", bold=True)
    page.text((30, 280), "Sort code 04-00-75", 20)
    page.text((610, 280), "Account 31926819", 20, align="right")
    rows = (
        ("Today", None),
        ("Greenway Grocers", "-£38.15"),
        ("Citybike", "-£2.50"),
        ("Yesterday", None),
        ("Salary Northlight Ltd", "+£2,310.00"),
        ("Rent", "-£865.00"),
        ("Mon 23 Nov", None),
        ("Vet clinic Paws & Co", "-£74.00"),
    )
    for row, (label, value) in enumerate(rows):
        y = 360 + row * 76
        page.text((30, y), label, 24 if value else 20, ink=None if value else _GREY)
        if value:
            page.text((610, y), value, 24, align="right")
    page.text((320, 1080), "Transfer        Cards        Savings", 24, align="middle")
    return page.finished()


def _event_screen() -> Image.Image:
    page = Page((1000, 640), paper=_WHITE, font="dejavu")
    page.box((0, 0, 1000, 50), (236, 238, 242))
    page.text((500, 25), "Calendar", 20, align="middle")
    page.text((60, 110), "Budget review Q4", 34, bold=True)
    cells = (
        (60, 180, "When", "Wed 9 December 2026, 13:30 - 15:00"),
        (60, 250, "Where", "Meeting room Juniper, 3rd floor"),
        (60, 320, "Organiser", "Leila Haddad"),
        (60, 390, "Guests", "Tom Weir, Aiko Mori, Paul Stein"),
        (60, 460, "Reminder", "15 minutes before"),
        (60, 530, "Notes", "Bring last year's figures. Dial-in code 448 120#"),
    )
    for x, y, label, value in cells:
        page.text((x, y), label, 20, ink=_GREY)
        page.text((x + 180, y), value, 22)
    page.text((60, 605), "Edit     Delete     Share", 20, ink=(30, 90, 200))
    return page.finished()


DOCUMENTS = (
    Document(
        "honey label",
        "labels",
        _honey_label,
        (
            asked("What is the product?", "Heather Honey"),
            asked("How much honey is in the jar?", "340 g"),
            asked("How much protein does it contain?", "0.4 g"),
            asked("What is the best before date?", "08 2028"),
            asked("What is the lot number?", "H26-114"),
            asked("How should it be stored?", "room temperature"),
            absent("What is the price?"),
            absent("What is the barcode number?"),
        ),
    ),
    Document(
        "detergent label",
        "labels",
        _detergent_label,
        (
            asked("How much do I need for heavily soiled laundry in hard water?", "105 ml"),
            asked("Who makes it?", "Nordvask"),
            asked("Which fabric should it not be used on?", "silk"),
            asked("What is the poison information number?", "0800 555 0170"),
            asked("What is the name of the product?", "BrightLeaf"),
            absent("What is the expiry date?"),
            absent("What is the email address?"),
        ),
    ),
    Document(
        "project slide",
        "slides",
        _project_slide,
        (
            asked("What is the title of the slide?", "Harbour Tunnel"),
            asked("Who leads the main bore?", "Lindqvist"),
            asked("What is the progress of the ventilation?", "24%"),
            asked("When will the north portal be finished?", "Oct 2026"),
            asked("When is the next review?", "15 September"),
            asked("How much of the budget has been used?", "$214 million"),
            absent("Who is the client?"),
            absent("What is the phone number?"),
        ),
    ),
    Document(
        "bank screen",
        "screenshots",
        _bank_screen,
        (
            asked("What is the available balance?", "£1,846.22"),
            asked("What is the account number?", "31926819"),
            asked("How much was the rent?", "865.00"),
            asked("How much did I spend at the vet?", "74.00"),
            asked("What is the sort code?", "04-00-75"),
            absent("What is the overdraft limit?"),
            absent("Who is the account holder?"),
        ),
    ),
    Document(
        "calendar event",
        "screenshots",
        _event_screen,
        (
            asked("What is the meeting about?", "Budget review"),
            asked("When does the meeting start?", "13:30"),
            asked("Where does it take place?", "Juniper"),
            asked("Who organises it?", "Leila Haddad"),
            asked("What is the dial-in code?", "448 120"),
            absent("What is the e-mail address of the organiser?"),
            absent("What is the meeting link?"),
        ),
    ),
)
