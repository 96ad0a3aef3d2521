"""Papers, signs and posters of the second set, drawn by somebody who had not seen the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (108, 110, 116)


def _hotel() -> Image.Image:
    page = Page((880, 1100), font="times")
    page.text((440, 80), "Seabreeze Lodge", 42, align="middle", bold=True)
    page.text((440, 126), "14 Promenade, Whitby - Tel 01947 555 021", 21, align="middle")
    stay = (
        ("Guest", "Mr. Adebayo Ekundayo"),
        ("Room", "214"),
        ("Arrival", "22 August 2026"),
        ("Departure", "25 August 2026"),
        ("Folio no.", "F-88031"),
    )
    page.pairs((80, 200), 420, stay, 22, step=38)
    rows = (
        ("Date", "Description", "Charge"),
        ("22 Aug", "Double room, sea view", "£142.00"),
        ("23 Aug", "Double room, sea view", "£142.00"),
        ("23 Aug", "Dinner, Lighthouse Restaurant", "£58.40"),
        ("24 Aug", "Double room, sea view", "£142.00"),
        ("24 Aug", "Minibar", "£9.60"),
    )
    page.table(450, ((80, "left"), (220, "left"), (800, "right")), rows, 22, step=44)
    page.rule(80, 800, 474)
    totals = (("Total charges", "£494.00"), ("Deposit paid", "-£100.00"), ("Balance to pay", "£394.00"))
    page.pairs((460, 760), 800, totals, 24, step=44)
    page.text((80, 980), "Check-out is at 11:00. Thank you for staying with us.", 21)
    return page.finished()


def _water() -> Image.Image:
    page = Page((860, 1000), paper=(253, 254, 255))
    page.text((60, 80), "Lakeside Water District", 36, bold=True, ink=(20, 80, 140))
    page.text((60, 124), "Your bill for the second quarter of 2026", 22)
    cells = (
        (60, 200, "Customer number", "7719-0042"),
        (320, 200, "Bill date", "07/02/2026"),
        (560, 200, "Due date", "07/28/2026"),
        (60, 300, "Previous reading", "1,284 m³"),
        (320, 300, "Current reading", "1,331 m³"),
        (560, 300, "Water used", "47 m³"),
    )
    for x, y, label, value in cells:
        page.text((x, y), label, 19, ink=_GREY)
        page.text((x, y + 36), value, 27, font="dejavu")
    rows = (("Water", "$88.36"), ("Sewer", "$61.10"), ("Stormwater fee", "$12.00"))
    page.pairs((60, 440), 780, rows, 23, step=46)
    page.rule(60, 780, 570)
    page.text((60, 606), "Pay this amount", 28, bold=True)
    page.text((780, 606), "$161.46", 32, align="right", bold=True)
    page.lines(
        (60, 720), ("Service address: 61 Heron Way", "Questions? billing@lakesidewater.example"), 22, step=40
    )
    return page.finished()


def _job() -> Image.Image:
    page = Page((900, 1000), font="dejavu")
    page.text((60, 70), "EMPLOYMENT APPLICATION", 30, bold=True)
    rows = (
        ("Position applied for", "Night shift baker"),
        ("Name of applicant", "Rosalind Mbeki"),
        ("Present address", "19 Tanner Row, Leeds"),
        ("Telephone", "0113 496 0557"),
        ("Available from", "1 October 2026"),
        ("Expected salary", "£27,500 per year"),
        ("Languages", "English, Xhosa, French"),
        ("Previous employer", "Crumb & Crust Ltd"),
        ("Reason for leaving", "Bakery closed"),
    )
    for row, (label, value) in enumerate(rows):
        y = 160 + row * 76
        page.box((60, y - 32, 840, y + 32), outline=(120, 122, 128))
        page.text((76, y), label, 20)
        page.text((400, y), value, 22, ink=(20, 50, 130))
    page.text((60, 900), "Signature  R. Mbeki", 22)
    page.text((600, 900), "Date  12.08.2026", 22)
    return page.finished()


def _beach() -> Image.Image:
    page = Page((760, 900), paper=(252, 220, 60), ink=(20, 20, 20), font="dejavu")
    page.text((380, 100), "DANGER", 80, align="middle", bold=True)
    page.text((380, 200), "Strong currents", 46, align="middle")
    page.text((380, 290), "NO SWIMMING", 60, align="middle", bold=True, ink=(180, 20, 20))
    page.text((380, 370), "beyond the buoys", 36, align="middle")
    page.rule(80, 680, 430, (20, 20, 20))
    page.text((380, 490), "Lifeguard on duty", 34, align="middle", bold=True)
    page.text((380, 545), "June - September, 10:00 to 18:30", 30, align="middle")
    page.text((380, 640), "In an emergency call 112", 40, align="middle", bold=True)
    page.text((380, 760), "Water temperature today: 17 °C", 30, align="middle")
    page.text((380, 830), "Municipality of Porto Alvor", 26, align="middle")
    return page.finished()


def _museum() -> Image.Image:
    page = Page((820, 980), paper=(36, 36, 40), ink=(240, 240, 236), font="dejavu")
    page.text((60, 90), "City Museum of Clocks", 40, bold=True)
    page.text((60, 180), "Admission", 30, bold=True, ink=(230, 180, 90))
    rows = (("Adults", "€12"), ("Students", "€8"), ("Children under 12", "free"), ("Family ticket", "€29"))
    page.pairs((60, 240), 760, rows, 29, step=56)
    page.text((60, 510), "Floors", 30, bold=True, ink=(230, 180, 90))
    rows = (("3", "Tower clocks"), ("2", "Wristwatches"), ("1", "Sundials"), ("0", "Café and shop"))
    for row, (floor, what) in enumerate(rows):
        page.text((60, 570 + row * 56), floor, 29)
        page.text((140, 570 + row * 56), what, 29)
    page.text((60, 850), "Last entry 45 minutes before closing at 17:30", 25)
    page.text((60, 910), "Closed on Mondays", 25)
    return page.finished()


def _charity_run() -> Image.Image:
    page = Page((800, 1080), paper=(20, 110, 120), ink=(255, 255, 255), font="dejavu")
    page.text((400, 130), "RIVER RUN", 96, align="middle", bold=True)
    page.text((400, 230), "for the Children's Hospital", 36, align="middle")
    page.text((400, 350), "Sunday, May 24", 60, align="middle", bold=True)
    rows = (
        ("5 km", "starts 9:00", "$20"),
        ("10 km", "starts 9:45", "$30"),
        ("Half marathon", "starts 8:00", "$45"),
    )
    page.table(
        460, ((80, "left"), (400, "left"), (720, "right")), (("Race", "Time", "Fee"), *rows), 30, step=62
    )
    page.text((400, 760), "Start and finish: Kessler Park", 34, align="middle")
    page.text((400, 830), "Register by May 10 at riverrun.example", 32, align="middle")
    page.text((400, 960), "Sponsored by Bluestone Bank", 28, align="middle")
    return page.finished()


DOCUMENTS = (
    Document(
        "hotel bill",
        "invoices and bills",
        _hotel,
        (
            asked("What is left to pay?", "£394.00"),
            asked("How much deposit was paid?", "£100.00"),
            asked("What is the room number?", "214"),
            asked("When did the guest arrive?", "22 August 2026"),
            asked("What is the name of the guest?", "Adebayo Ekundayo"),
            asked("How much was the minibar?", "£9.60"),
            absent("What is the VAT number?"),
            absent("What is the guest's email address?"),
        ),
    ),
    Document(
        "water bill",
        "invoices and bills",
        _water,
        (
            asked("How much is the bill?", "$161.46"),
            asked("When is the bill due?", "07/28/2026"),
            asked("What is the customer number?", "7719-0042"),
            asked("What is the current reading?", "1,331"),
            asked("How much water was used?", "47"),
            asked("What is the service address?", "61 Heron Way"),
            absent("What is the phone number?"),
            absent("What is the late fee?"),
        ),
    ),
    Document(
        "job application",
        "forms and letters",
        _job,
        (
            asked("What position did she apply for?", "Night shift baker"),
            asked("What is the name of the applicant?", "Rosalind Mbeki"),
            asked("What is the expected salary?", "£27,500"),
            asked("When is she available?", "1 October 2026"),
            asked("Who was the previous employer?", "Crumb & Crust"),
            asked("Which languages does she speak?", "English, Xhosa, French"),
            absent("What is the date of birth?"),
            absent("What is the email address?"),
        ),
    ),
    Document(
        "beach sign",
        "signs",
        _beach,
        (
            asked("What number do I call in an emergency?", "112"),
            asked("What is the water temperature?", "17"),
            asked("When is the lifeguard on duty?", "June - September", "10:00 to 18:30"),
            asked("Does the sign say no swimming?", "yes"),
            absent("How much does parking cost?"),
            absent("What is the website?"),
        ),
    ),
    Document(
        "museum sign",
        "signs",
        _museum,
        (
            asked("How much is a family ticket?", "€29"),
            asked("What do students pay?", "€8"),
            asked("What is on floor 2?", "Wristwatches"),
            asked("What time does the museum close?", "17:30"),
            asked("What is the name of the museum?", "City Museum of Clocks"),
            absent("What is the telephone number?"),
            absent("How much is an audio guide?"),
        ),
    ),
    Document(
        "run poster",
        "posters",
        _charity_run,
        (
            asked("When is the run?", "May 24"),
            asked("What is the fee for the half marathon?", "$45"),
            asked("What time does the 10 km race start?", "9:45"),
            asked("Where does it start?", "Kessler Park"),
            asked("Who is the sponsor?", "Bluestone Bank"),
            asked("What is the deadline for registration?", "May 10"),
            absent("What is the prize money?"),
            absent("What is the contact email?"),
        ),
    ),
)
