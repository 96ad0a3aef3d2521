"""Drawn last: signs, posters and tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_GREY = (112, 114, 120)
_WHITE = (255, 255, 255)


def _pool_sign() -> Image.Image:
    page = Page((900, 1000), paper=(16, 86, 120), ink=_WHITE, font="dejavu")
    page.text((450, 70), "Eastgate Swimming Pool", 40, align="middle", bold=True)
    page.text((60, 160), "Admission", 28, bold=True)
    page.pairs(
        (60, 210),
        840,
        (
            ("Adults", "€ 6.50"),
            ("Children under 14", "€ 3.00"),
            ("Seniors (65+)", "€ 4.50"),
            ("Family day pass", "€ 15.00"),
            ("Locker deposit", "€ 2.00"),
        ),
        24,
    )
    page.text((60, 440), "Hours", 28, bold=True)
    page.pairs(
        (60, 490),
        840,
        (("Mon to Fri", "06:30 - 21:00"), ("Saturday", "08:00 - 20:00"), ("Sunday", "09:00 - 18:00")),
        24,
    )
    page.lines(
        (60, 660),
        (
            "Last entry one hour before closing.",
            "Please shower before you swim.",
            "No running. No glass. No dogs.",
            "Water depth at the deep end: 3.8 m",
        ),
        24,
        step=44,
    )
    page.text((450, 930), "Lost property: ask at the front desk", 22, align="middle")
    return page.finished()


def _road_sign() -> Image.Image:
    page = Page((1000, 640), paper=(250, 202, 40), ink=(16, 16, 16), font="dejavu")
    page.box((16, 16, 984, 624), outline=(16, 16, 16), line=6, radius=20)
    page.text((500, 90), "ROAD CLOSED", 72, align="middle", bold=True)
    page.text((500, 180), "BRIDGE STREET", 44, align="middle", bold=True)
    page.text((500, 265), "from 6 July to 24 July 2026", 34, align="middle")
    page.text((500, 320), "7 am - 6 pm", 34, align="middle")
    page.text((500, 400), "Follow diversion via Mill Lane", 34, align="middle")
    page.text((500, 470), "Access for residents only", 30, align="middle")
    page.text((500, 560), "Works by Harlow & Finch · Enquiries 01632 960 774", 24, align="middle")
    return page.finished()


def _theatre_poster() -> Image.Image:
    page = Page((860, 1200), paper=(48, 20, 34), ink=(244, 226, 196), font="serif")
    page.text((430, 80), "The Lantern Players present", 26, align="middle")
    page.text((430, 230), "The Clockmaker's", 66, align="middle", bold=True)
    page.text((430, 315), "Daughter", 66, align="middle", bold=True)
    page.text((430, 410), "a comedy by Beatrix Vane", 30, align="middle")
    page.text((430, 460), "directed by Joon-ho Park", 26, align="middle")
    page.text((430, 600), "18 - 27 February 2027", 38, align="middle", bold=True)
    page.text((430, 660), "evenings 7.30 pm · Saturday matinee 2 pm", 24, align="middle")
    page.text((430, 760), "Old Granary Theatre", 34, align="middle", bold=True)
    page.text((430, 808), "16 Quay Street, Wexmouth", 24, align="middle")
    page.text((430, 920), "Tickets £14 · concessions £9", 28, align="middle")
    page.text((430, 970), "Box office 01632 960 318", 28, align="middle")
    page.text((430, 1020), "www.lanternplayers.example", 24, align="middle")
    page.text((430, 1130), "Running time 2 h 10 min including one interval", 20, align="middle")
    return page.finished()


def _parking_ticket() -> Image.Image:
    page = Page((520, 760), paper=(246, 246, 238), font="mono")
    page.text((260, 50), "CITY OF ALDERWICK", 26, align="middle", bold=True)
    page.text((260, 90), "PAY & DISPLAY", 24, align="middle")
    page.text((260, 150), "Victoria Square", 24, align="middle")
    page.text((260, 220), "EXPIRES AT", 22, align="middle")
    page.text((260, 280), "16:45", 64, align="middle", bold=True)
    page.text((260, 340), "Tue 20 Oct 2026", 26, align="middle")
    page.pairs(
        (40, 420),
        480,
        (
            ("Paid", "$4.75"),
            ("Card", "**** 9031"),
            ("Purchased", "14:20"),
            ("Machine", "0217"),
            ("Plate", "KDR 4182"),
            ("Zone", "B"),
        ),
        23,
    )
    page.text((260, 690), "Place face up on dashboard", 22, align="middle")
    return page.finished()


def _museum_ticket() -> Image.Image:
    page = Page((980, 420), paper=(255, 255, 255), font="aileron")
    page.box((0, 0, 260, 420), (150, 44, 54))
    page.text((130, 180), "MUSEUM", 34, align="middle", bold=True, ink=_WHITE)
    page.text((130, 224), "OF GLASS", 34, align="middle", bold=True, ink=_WHITE)
    page.text((300, 60), "Light and Sand: Murano 1500-1700", 28, bold=True)
    page.text((300, 100), "Special exhibition", 20, ink=_GREY)
    cells = (
        (300, 160, "Visitor", "Chiamaka Bello"),
        (640, 160, "Order", "MG-582 0047"),
        (300, 250, "Day", "Sat 11 Apr 2026"),
        (520, 250, "Entry", "11:15 - 11:45"),
        (760, 250, "Category", "Reduced"),
        (300, 340, "Price", "CHF 17.00"),
        (520, 340, "Audio guide", "included"),
        (760, 340, "Door", "North"),
    )
    for x, y, label, value in cells:
        page.text((x, y), label, 17, ink=_GREY)
        page.text((x, y + 32), value, 24)
    return page.finished()


DOCUMENTS = (
    Document(
        "pool sign",
        "signs",
        _pool_sign,
        (
            asked("How much is the entrance for children?", "3.00"),
            asked("What does a family day pass cost?", "15.00"),
            asked("When does the pool close on Saturday?", "20:00"),
            asked("How deep is the water?", "3.8 m"),
            asked("Are dogs allowed?", "No dogs"),
            absent("What is the phone number?"),
            absent("How much is a towel?"),
        ),
    ),
    Document(
        "road works sign",
        "signs",
        _road_sign,
        (
            asked("Which street is closed?", "Bridge Street"),
            asked("Until when is the road closed?", "24 July 2026"),
            asked("Which way does the diversion go?", "Mill Lane"),
            asked("What number can I call for enquiries?", "01632 960 774"),
            absent("What is the speed limit?"),
            absent("What is the website?"),
        ),
    ),
    Document(
        "theatre poster",
        "posters",
        _theatre_poster,
        (
            asked("What is the title of the play?", ("Clockmaker's", "Daughter")),
            asked("Who wrote the play?", "Beatrix Vane"),
            asked("Who is the director?", "Joon-ho Park"),
            asked("Where is it performed?", "Old Granary Theatre", "16 Quay Street"),
            asked("How much are concessions?", "£9"),
            asked("What is the phone number of the box office?", "01632 960 318"),
            asked("What time is the matinee?", "2 pm"),
            absent("What is the email address?"),
            absent("Who composed the music?"),
        ),
    ),
    Document(
        "parking ticket",
        "tickets",
        _parking_ticket,
        (
            asked("When does the ticket expire?", "16:45"),
            asked("How much was paid?", "$4.75"),
            asked("What is the licence plate?", "KDR 4182"),
            asked("What is the date?", "20 Oct 2026"),
            asked("Which zone is it for?", "B"),
            absent("What is the driver's name?"),
            absent("What is the phone number?"),
        ),
    ),
    Document(
        "museum ticket",
        "tickets",
        _museum_ticket,
        (
            asked("Which museum is the ticket for?", ("Museum", "Glass")),
            asked("What is the order number?", "MG-582 0047"),
            asked("Who is the visitor?", "Chiamaka Bello"),
            asked("At what time can I enter?", "11:15"),
            asked("How much did it cost?", "17.00"),
            asked("Which exhibition is it?", "Light and Sand"),
            absent("What is the seat number?"),
            absent("What is the address of the museum?"),
        ),
    ),
)
