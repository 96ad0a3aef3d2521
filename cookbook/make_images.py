"""Draws the documents in `images/`: a receipt, an invoice, a street sign and a bar chart.

Everything on them is invented (the telephone numbers come from the ranges reserved for fiction, the mail
addresses from `.example`), and the text is set in the font that Pillow carries, so that anyone who runs this
script gets the same pictures. The photograph in `images/` is not drawn: `images/README.md` names its source.

    python cookbook/make_images.py
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

IMAGES = Path(__file__).parent / "images"

# Shapes are drawn twice as large and reduced, which smooths circles and slanted edges too.
OVERSAMPLING = 2

Colour = tuple[int, int, int]
INK: Colour = (38, 38, 42)
GREY: Colour = (112, 116, 122)
RULE: Colour = (208, 211, 216)
WHITE: Colour = (255, 255, 255)


@lru_cache
def font(size: int) -> FreeTypeFont:
    """Pillow's own scalable font at `size` pixels of the finished picture."""
    loaded = ImageFont.load_default(size * OVERSAMPLING)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise TypeError("This Pillow was built without FreeType, so it has no scalable font.")
    return loaded


class Canvas:
    """A page to draw on, measured in pixels of the finished picture.

    Args:
        width: width of the page, in pixels.
        height: height of the page, in pixels.
        background: colour of the paper.
    """

    def __init__(self, width: int, height: int, background: Colour = WHITE) -> None:
        self.width = width
        self.image = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), background)
        self.draw = ImageDraw.Draw(self.image)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        *,
        fill: Colour = INK,
        align: Literal["left", "middle", "right"] = "left",
        bold: bool = False,
    ) -> None:
        """Write one line whose left end, middle or right end is at `at`, centred on that height."""
        position = (at[0] * OVERSAMPLING, at[1] * OVERSAMPLING)
        anchor = {"left": "lm", "middle": "mm", "right": "rm"}[align]
        # The font has one weight: a stroke of its own colour makes the bold one.
        stroke = size * OVERSAMPLING / 40 if bold else 0
        self.draw.text(position, text, fill, font(size), anchor=anchor, stroke_width=stroke, stroke_fill=fill)

    def box(
        self,
        corners: tuple[float, float, float, float],
        fill: Colour | None = None,
        *,
        outline: Colour | None = None,
        line: int = 0,
        radius: float = 0,
    ) -> None:
        """Draw a rectangle, with rounded corners where `radius` says so."""
        self.draw.rounded_rectangle(
            [value * OVERSAMPLING for value in corners],
            radius=radius * OVERSAMPLING,
            fill=fill,
            outline=outline,
            width=line * OVERSAMPLING,
        )

    def rule(self, left: float, right: float, height: float, *, fill: Colour = RULE, line: int = 2) -> None:
        """Draw a level line."""
        self.box((left, height - line / 2, right, height + line / 2), fill)

    def finished(self) -> Image.Image:
        """The page at its final size."""
        size = (self.image.width // OVERSAMPLING, self.image.height // OVERSAMPLING)
        return self.image.resize(size, Image.Resampling.LANCZOS)


def receipt() -> Image.Image:
    """A shop receipt lying on a wooden table, slightly turned, as a telephone would see it."""
    paper = Canvas(620, 1080, (253, 252, 248))
    middle, left, right = 310, 56, 564
    paper.text((middle, 78), "MAPLE & MAIN MARKET", 38, align="middle", bold=True)
    for y, line in ((132, "482 Main Street, Burlington, VT 05401"), (166, "Tel. (802) 555-0142")):
        paper.text((middle, y), line, 24, align="middle")
    for y, label, value in ((226, "Receipt No.", "004217"), (262, "Date", "03/14/2026 10:42 AM")):
        paper.text((left, y), label, 25)
        paper.text((right, y), value, 25, align="right")
    paper.rule(left, right, 300, fill=INK)
    items = (
        ("Ground coffee 12 oz", "11.50"),
        ("Sourdough loaf", "6.25"),
        ("Oat milk 2 x 3.95", "7.90"),
        ("Apples 1.2 lb", "2.76"),
        ("Dark chocolate", "4.30"),
        ("Ceramic mug", "14.00"),
    )
    for row, (name, price) in enumerate(items):
        paper.text((left, 342 + row * 44), name, 27)
        paper.text((right, 342 + row * 44), price, 27, align="right")
    paper.rule(left, right, 604, fill=INK)
    for y, label, value in ((644, "SUBTOTAL", "46.71"), (688, "SALES TAX 7%", "3.27")):
        paper.text((left, y), label, 27)
        paper.text((right, y), value, 27, align="right")
    paper.text((left, 748), "TOTAL", 42, bold=True)
    paper.text((right, 748), "$49.98", 42, align="right", bold=True)
    paper.rule(left, right, 794, fill=INK)
    for y, label, value in ((836, "VISA **** 4921", "49.98"), (880, "CHANGE", "0.00")):
        paper.text((left, y), label, 27)
        paper.text((right, y), value, 27, align="right")
    paper.text((middle, 968), "Thank you for shopping local!", 27, align="middle")
    paper.text((middle, 1006), "Returns within 30 days with this receipt", 21, fill=GREY, align="middle")
    return _on_a_table(paper.finished())


def _on_a_table(paper: Image.Image) -> Image.Image:
    width, height = 840, 1280
    table = Canvas(width, height, (146, 104, 68))
    for plank in range(0, width, 140):
        shade = 10 if plank % 280 else -6
        table.box((plank, 0, plank + 138, height), (146 + shade, 104 + shade, 68 + shade))
        for grain in range(9, 138, 17):
            tone = shade - 5 - grain % 4
            table.box((plank + grain, 0, plank + grain + 2, height), (146 + tone, 104 + tone, 68 + tone))
    scene = table.finished().filter(ImageFilter.GaussianBlur(1.2))
    sheet = Image.new("L", scene.size, 0)
    sheet.paste(255, (110, 96, 110 + paper.width, 96 + paper.height))
    upright = Image.new("RGB", scene.size, (253, 252, 248))
    upright.paste(paper, (110, 96))
    angle = -1.3
    mask = sheet.rotate(angle, Image.Resampling.BICUBIC)
    shadow = mask.filter(ImageFilter.GaussianBlur(14)).point(lambda value: value * 0.55)
    scene.paste((38, 24, 14), (9, 12), shadow.crop((0, 0, width - 9, height - 12)))
    scene.paste(upright.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(253, 252, 248)), (0, 0), mask)
    return scene


def invoice() -> Image.Image:
    """A designer's invoice: numbers and dates at the right, an item table, the amount due at the foot."""
    page = Canvas(1000, 1320)
    accent: Colour = (22, 92, 125)
    left, right = 80, 920
    page.box((0, 0, 1000, 14), accent)
    page.text((left, 92), "Northlight Studio", 44, fill=accent, bold=True)
    for y, line in ((140, "18 Gallery Row, Portland, OR 97209"), (170, "accounts@northlight.example")):
        page.text((left, y), line, 22, fill=GREY)
    page.text((right, 92), "INVOICE", 50, align="right", bold=True)
    rows = (
        ("Invoice number", "INV-2026-0147"),
        ("Invoice date", "February 12, 2026"),
        ("Due date", "March 14, 2026"),
        ("Purchase order", "PO-88213"),
    )
    for row, (label, value) in enumerate(rows):
        page.text((560, 250 + row * 38), label, 22, fill=GREY)
        page.text((right, 250 + row * 38), value, 22, align="right")
    page.text((left, 250), "Bill to", 22, fill=GREY)
    for row, line in enumerate(("Harbor Books Inc.", "27 Quay Street", "Seattle, WA 98101")):
        page.text((left, 288 + row * 34), line, 24, bold=row == 0)
    page.box((left, 440, right, 492), accent)
    for x, heading in ((560, "Qty"), (740, "Unit price"), (right - 16, "Amount")):
        page.text((x, 466), heading, 22, fill=WHITE, align="right")
    page.text((left + 16, 466), "Description", 22, fill=WHITE)
    items = (
        ("Brand identity design", "1", "1,800.00", "1,800.00"),
        ("Website design, page", "6", "320.00", "1,920.00"),
        ("Product photography, day", "2", "450.00", "900.00"),
        ("Hosting, month", "12", "15.00", "180.00"),
    )
    for row, (name, quantity, price, amount) in enumerate(items):
        y = 532 + row * 62
        page.text((left + 16, y), name, 23)
        for x, value in ((560, quantity), (740, price), (right - 16, amount)):
            page.text((x, y), value, 23, align="right")
        page.rule(left, right, y + 31)
    for y, label, value in ((816, "Subtotal", "$4,800.00"), (860, "Tax 10%", "$480.00")):
        page.text((740, y), label, 23, fill=GREY, align="right")
        page.text((right - 16, y), value, 23, align="right")
    page.box((500, 894, right, 958), (230, 240, 245), radius=6)
    page.text((740, 926), "Total due", 28, fill=accent, align="right", bold=True)
    page.text((right - 16, 926), "$5,280.00", 28, fill=accent, align="right", bold=True)
    page.text((left, 1050), "Payment details", 22, fill=GREY)
    for y, line in ((1088, "Northern Mutual Bank"), (1122, "Account 00481526   Routing 000012345")):
        page.text((left, y), line, 23)
    page.rule(left, right, 1212)
    page.text((500, 1250), "Questions? Call (503) 555-0187", 22, fill=GREY, align="middle")
    return page.finished()


def sign() -> Image.Image:
    """A parking sign on its post, in front of an evening sky."""
    view = Canvas(800, 1000)
    for y in range(1000):
        share = y / 1000
        sky = (int(92 + 148 * share), int(140 + 64 * share), int(190 - 14 * share))
        view.box((0, y, 800, y + 1), sky)
    for x, top, tone in ((-40, 760, 92), (150, 690, 78), (330, 800, 88), (470, 720, 74), (650, 780, 90)):
        view.box((x, top, x + 210, 1010), (tone, tone + 8, tone + 26))
    view.image = view.image.filter(ImageFilter.GaussianBlur(10))
    view.draw = ImageDraw.Draw(view.image)
    view.box((382, 0, 418, 1000), (126, 132, 138))
    view.box((392, 0, 400, 1000), (168, 173, 178))
    red: Colour = (178, 24, 36)
    view.box((170, 90, 630, 850), (250, 250, 248), radius=34)
    view.box((186, 106, 614, 834), outline=red, line=10, radius=24)
    for y in (124, 816):
        view.box((391, y - 9, 409, y + 9), (150, 154, 158), radius=9)
    view.text((400, 222), "NO", 104, fill=red, align="middle", bold=True)
    view.text((400, 332), "PARKING", 84, fill=red, align="middle", bold=True)
    view.rule(236, 564, 404, fill=red, line=6)
    view.text((400, 476), "8 AM - 6 PM", 64, fill=red, align="middle", bold=True)
    view.text((400, 562), "MONDAY TO FRIDAY", 39, fill=red, align="middle", bold=True)
    view.box((206, 630, 594, 724), red, radius=8)
    view.text((400, 677), "TOW-AWAY ZONE", 42, fill=WHITE, align="middle", bold=True)
    view.text((400, 770), "City permit 5 exempt", 30, fill=red, align="middle")
    return view.finished()


def chart() -> Image.Image:
    """A bar chart with a title, axis labels and the value above each bar."""
    page = Canvas(1100, 720)
    page.text((80, 60), "Museum visitors in 2025", 36, bold=True)
    page.text((80, 102), "Thousands of visitors per season", 23, fill=GREY)
    floor, height, highest = 600, 440, 80
    for tick in range(0, highest + 1, 20):
        y = floor - tick * height / highest
        page.rule(120, 1040, y, fill=INK if tick == 0 else RULE)
        page.text((104, y), str(tick), 22, fill=GREY, align="right")
    bars = (("Spring", 42), ("Summer", 71), ("Autumn", 31), ("Winter", 25))
    for place, (name, value) in enumerate(bars):
        middle, top = 235 + place * 230, floor - value * height / highest
        page.box((middle - 62, top, middle + 62, floor), (22, 92, 125) if place != 1 else (226, 122, 63))
        page.text((middle, top - 22), str(value), 26, align="middle", bold=True)
        page.text((middle, floor + 32), name, 25, align="middle")
    page.text((80, 682), "Source: City Museum annual report", 20, fill=GREY)
    return page.finished()


def main() -> None:
    """Write the four pictures into `images/` and tell their sizes."""
    IMAGES.mkdir(exist_ok=True)
    receipt().save(IMAGES / "receipt.jpg", quality=82, optimize=True)
    sign().save(IMAGES / "sign.jpg", quality=88, optimize=True)
    # Few colours and sharp edges: a palette keeps text crisper than JPEG and takes less room.
    for name, picture in (("invoice", invoice()), ("chart", chart())):
        picture.quantize(64, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)
    for path in sorted(IMAGES.glob("*.[jp][pn]g")):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
