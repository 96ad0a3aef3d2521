"""Documents drawn for the reader's tests, each with the text that stands on it."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

COOKBOOK = Path(__file__).parents[3] / "cookbook" / "images"

# A line is a text at the left edge, or cells: each a distance from the left edge and a text.
Line = str | Sequence[tuple[int, str]]


def drawn(lines: Sequence[Line], *, width: int = 900, size: int = 26, first: int = 40) -> Image.Image:
    """Black text on white, one line under the other; the first line is set in `first` pixels."""
    page = Image.new("RGB", (width, 90 + len(lines) * size * 2), "white")
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        font = ImageFont.load_default(first if row == 0 else size)
        for left, text in [(0, line)] if isinstance(line, str) else line:
            draw.text((40 + left, 60 + row * size * 2), text, "black", font, anchor="lm")
    return page


def squeezed(text: str) -> str:
    """Without spaces: the engine does not always see where a word ends."""
    return "".join(text.split())


def cookbook(name: str) -> Image.Image:
    with Image.open(COOKBOOK / name) as image:
        return image.convert("RGB")


def restaurant_bill() -> Image.Image:
    return drawn(
        [
            "Blue Heron Restaurant",
            "9 Lake Road, Geneva, NY 14456",
            [(0, "Table 12"), (500, "Server: Dana")],
            [(0, "Mushroom soup"), (600, "8.50")],
            [(0, "Grilled trout"), (600, "24.00")],
            [(0, "Apple pie"), (600, "7.50")],
            [(0, "Sub Total"), (600, "40.00")],
            [(0, "Tax"), (600, "3.20")],
            [(0, "Gratuity"), (600, "6.80")],
            [(0, "Amount Due"), (600, "50.00")],
            [(0, "Cash"), (600, "60.00")],
            [(0, "Change"), (600, "10.00")],
        ]
    )


def electricity_bill() -> Image.Image:
    return drawn(
        [
            "Valley Power Company",
            "Account number: 7781-20456",
            "Customer: Morgan Lee",
            "Bill date: 2026-01-28",
            "Due date: 2026-02-18",
            "Meter reading: 48213",
            "Amount due: $86.42",
            "Questions? Call 1-800-555-0199",
            "www.valleypower.example",
        ]
    )


def membership_form() -> Image.Image:
    return drawn(
        [
            "Riverside Sports Club",
            [(0, "Full name"), (420, "Date of birth")],
            [(0, "Alex Rivera"), (420, "9 May 1994")],
            [(0, "Member ID"), (420, "Valid until")],
            [(0, "RSC-40718"), (420, "31/12/2027")],
            "Email: alex.rivera@mail.example",
        ]
    )


def opening_hours() -> Image.Image:
    return drawn(
        ["CITY LIBRARY", [(0, "Hours"), (300, "9:00 - 18:30")], "Closed on Sundays and holidays"],
        size=34,
        first=60,
    )


def concert_poster() -> Image.Image:
    return drawn(
        [
            "The Paper Lanterns",
            "Live at Harbor Hall",
            "Saturday, August 22, 2026",
            "Doors 7:30 PM",
            "Tickets $35",
        ],
        size=36,
        first=72,
    )


def leaflet() -> Image.Image:
    """A heading over two columns of running text."""
    left = ["The garden was planted by", "the first head gardener in", "a dry and windy summer."]
    right = ["Visitors may rest on any of", "the benches, but please do", "not feed the ducks."]
    columns = [[(0, one), (460, other)] for one, other in zip(left, right, strict=True)]
    return drawn(["Walled garden", *columns])
