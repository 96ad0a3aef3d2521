"""Signs and posters: large letters, few labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.drawn_documents.page import Document, Page, absent, asked

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DOCUMENTS"]

_WHITE = (250, 250, 248)


def _opening_hours() -> Image.Image:
    page = Page((760, 880), paper=(28, 52, 68), ink=(244, 238, 222), font="serif")
    page.text((380, 110), "The Paper Crane", 50, align="middle", bold=True)
    page.text((380, 176), "Books & Stationery", 30, align="middle")
    page.rule(120, 640, 230, (200, 170, 110))
    page.text((380, 286), "Opening hours", 34, align="middle", bold=True)
    hours = (
        ("Monday", "closed"),
        ("Tuesday - Friday", "9:30 - 18:00"),
        ("Saturday", "10:00 - 16:00"),
        ("Sunday", "12:00 - 15:00"),
    )
    page.pairs((110, 366), 650, hours, 28, step=64)
    page.text((380, 680), "Deliveries: please ring the bell", 24, align="middle")
    page.text((380, 760), "Tel. 0113 496 0822", 28, align="middle")
    return page.finished()


def _trail() -> Image.Image:
    page = Page((860, 700), paper=(86, 58, 38), ink=(255, 226, 150), font="dejavu")
    page.text((430, 90), "EAGLE RIDGE TRAILHEAD", 42, align="middle", bold=True)
    page.text((430, 150), "Elevation 4,380 ft", 28, align="middle")
    distances = (("Mirror Lake", "1.8 mi"), ("Fire Lookout", "4.6 mi"), ("Bear Pass", "7.3 mi"))
    page.pairs((120, 250), 740, distances, 34, step=78)
    page.rule(100, 760, 488, (255, 226, 150))
    page.text((430, 540), "Dogs must be kept on a leash", 29, align="middle")
    page.text((430, 600), "No campfires July 1 to October 15", 29, align="middle")
    return page.finished()


def _parking() -> Image.Image:
    page = Page((700, 940), paper=(20, 78, 150), ink=_WHITE, font="dejavu")
    page.text((350, 120), "P", 130, align="middle", bold=True)
    page.text((350, 240), "Castle Street Car Park", 38, align="middle", bold=True)
    page.box((60, 300, 640, 640), _WHITE, radius=12)
    tariff = (
        ("Up to 1 hour", "£1.40"),
        ("Up to 2 hours", "£2.60"),
        ("Up to 4 hours", "£4.20"),
        ("All day", "£7.50"),
    )
    for row, (label, value) in enumerate(tariff):
        page.text((100, 350 + row * 80), label, 30, ink=(20, 40, 80))
        page.text((600, 350 + row * 80), value, 30, align="right", ink=(20, 40, 80))
    page.text((350, 700), "Maximum height 2.1 m", 30, align="middle")
    page.text((350, 760), "Pay at machine or by phone: 0330 555 0199", 24, align="middle")
    page.text((350, 810), "Location code 6123", 30, align="middle", bold=True)
    page.text((350, 880), "Operated by Wexford District Council", 22, align="middle")
    return page.finished()


def _concert() -> Image.Image:
    page = Page((800, 1120), paper=(250, 206, 70), ink=(40, 24, 60), font="dejavu")
    page.text((400, 100), "LIVE AT THE GRANARY", 34, align="middle", bold=True)
    page.text((400, 300), "Midnight", 110, align="middle", bold=True)
    page.text((400, 430), "Ferries", 110, align="middle", bold=True)
    page.text((400, 540), "with special guests Paper Lanterns", 29, align="middle")
    page.box((0, 610, 800, 830), (40, 24, 60))
    page.text((400, 668), "Friday, 18 September 2026", 44, align="middle", bold=True, ink=(250, 206, 70))
    page.text((400, 730), "Doors 19:00   Show 20:00", 34, align="middle", ink=_WHITE)
    page.text((400, 786), "Tickets €24 in advance, €28 at the door", 29, align="middle", ink=_WHITE)
    page.text((400, 900), "The Granary, 3 Harbour Walk, Galway", 30, align="middle")
    page.text((400, 960), "www.granarylive.example", 30, align="middle")
    page.text((400, 1040), "Over 18s only", 26, align="middle")
    return page.finished()


def _lost_cat() -> Image.Image:
    page = Page((760, 1060), font="aileron")
    page.text((380, 90), "LOST CAT", 96, align="middle", bold=True, ink=(190, 20, 30))
    page.box((170, 170, 590, 520), (226, 200, 170))
    page.box((330, 270, 430, 370), (140, 100, 60), radius=50)
    page.box((300, 360, 460, 500), (140, 100, 60), radius=60)
    page.text((380, 580), "“Biscuit”", 50, align="middle", bold=True)
    lines = (
        "Grey tabby, white paws, blue collar",
        "Missing since Tuesday 3 March",
        "Last seen near Elm Park playground",
    )
    page.lines((380, 650), lines, 29, step=52, align="middle")
    page.text((380, 830), "REWARD $200", 52, align="middle", bold=True)
    page.text((380, 920), "Please call Dana: 617-555-0158", 36, align="middle")
    page.text((380, 990), "Thank you!", 28, align="middle")
    return page.finished()


def _workshop() -> Image.Image:
    page = Page((780, 1000), paper=(238, 246, 240), ink=(26, 60, 48), font="dejavu")
    page.text((60, 110), "Sourdough for beginners", 44, bold=True)
    page.text((60, 170), "A hands-on workshop with baker Tomás Reyes", 25)
    rows = (
        ("When", "Sat 11 April, 10 am - 2 pm"),
        ("Where", "Community kitchen, 12 Weir Lane"),
        ("Cost", "£35 including lunch"),
        ("Places", "10"),
    )
    for row, (label, value) in enumerate(rows):
        page.text((60, 270 + row * 74), label, 27, bold=True)
        page.text((220, 270 + row * 74), value, 27)
    page.text((60, 600), "You will take home", 30, bold=True)
    page.lines(
        (80, 656), ("• a loaf you baked yourself", "• a jar of starter", "• a recipe booklet"), 26, step=48
    )
    page.text((60, 850), "Book your place: bookings@weirlane.example", 25)
    page.text((60, 910), "Bring an apron.", 27)
    return page.finished()


DOCUMENTS = (
    Document(
        "opening hours",
        "signs",
        _opening_hours,
        (
            asked("What are the opening hours on Saturday?", "10:00 - 16:00"),
            asked("When is it open on Sunday?", "12:00 - 15:00"),
            asked("What is the telephone number?", "0113 496 0822"),
            asked("What is the name of the shop?", "The Paper Crane"),
            absent("What is the address of the shop?"),
            absent("What is the website?"),
        ),
    ),
    Document(
        "trailhead sign",
        "signs",
        _trail,
        (
            asked("How far is it to Mirror Lake?", "1.8 mi"),
            asked("How far is Bear Pass?", "7.3 mi"),
            asked("What is the elevation?", "4,380 ft"),
            asked("What does the sign say about dogs?", "Dogs must be kept on a leash"),
            asked("When are campfires not allowed?", "July 1 to October 15"),
            absent("How much is the entrance fee?"),
            absent("What is the phone number of the ranger station?"),
        ),
    ),
    Document(
        "car park sign",
        "signs",
        _parking,
        (
            asked("How much does it cost to park all day?", "£7.50"),
            asked("What is the price for up to 2 hours?", "£2.60"),
            asked("What is the location code?", "6123"),
            asked("What is the maximum height?", "2.1 m"),
            asked("Who operates the car park?", "Wexford District Council"),
            absent("What are the opening hours?"),
            absent("How much is the fine?"),
        ),
    ),
    Document(
        "concert poster",
        "posters",
        _concert,
        (
            asked("When is the concert?", "18 September 2026"),
            asked("What time do the doors open?", "19:00"),
            asked("How much are the tickets in advance?", "€24"),
            asked("What is the website?", "www.granarylive.example"),
            asked("Where does the concert take place?", "Granary, 3 Harbour Walk", "3 Harbour Walk, Galway"),
            asked("Who is playing?", ("Midnight", "Ferries")),
            absent("What is the phone number for bookings?"),
            absent("Who are the sponsors?"),
        ),
    ),
    Document(
        "lost cat poster",
        "posters",
        _lost_cat,
        (
            asked("What number should I call?", "617-555-0158"),
            asked("How much is the reward?", "$200"),
            asked("Where was the cat last seen?", "near Elm Park playground"),
            asked("Since when is the cat missing?", "Tuesday 3 March"),
            asked("Does it mention a collar?", "yes"),
            absent("What is the owner's email address?"),
            absent("How old is the cat?"),
        ),
    ),
    Document(
        "workshop flyer",
        "posters",
        _workshop,
        (
            asked("What is the title of the workshop?", "Sourdough for beginners"),
            asked("How much does the workshop cost?", "£35"),
            asked("When is the workshop?", "Sat 11 April"),
            asked("Where is the workshop?", "12 Weir Lane", "Community kitchen"),
            asked("How do I book a place?", "bookings@weirlane.example"),
            asked("What will you take home?", ("loaf", "starter", "booklet")),
            absent("What is the phone number?"),
            absent("Is there anything about parking?"),
        ),
    ),
)
