"""Which amount is the total, on pages that are given as rows of text."""

import pytest

from firellava.reader.boxes import TextBox
from firellava.reader.layout import Page, arrange
from firellava.reader.totals import Role, roles, totals


def page_of(*rows: str) -> Page:
    """A page of rows; two spaces part the cells of a row."""
    boxes = []
    for at, row in enumerate(rows):
        for column, text in enumerate(row.split("  ")):
            left, top, right = 400.0 * column, 40.0 * at, 400.0 * column + 11 * len(text)
            boxes.append(TextBox(text, ((left, top), (right, top), (right, top + 20), (left, top + 20)), 1.0))
    return arrange(boxes)


def total(*rows: str) -> str | None:
    found = max(totals(page_of(*rows)), key=lambda finding: finding.fit, default=None)
    return found.text if found else None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("Sub Total  40.00", "Tax  3.20", "Total  43.20", "Cash  50.00", "Change  6.80"), "43.20"),
        (("Total  43.20", "Total Qty  4.00", "Total Savings  9.00"), "43.20"),
        (("Total Excl. Tax  40.00", "Total Incl. Tax  43.20"), "43.20"),
        (("Grand Total  43.20", "Total  40.00"), "43.20"),
        (("Total  43.22", "Rounding  -0.02", "43.20", "Cash  50.00", "Change  6.80"), "43.20"),
        (("Total  43.22", "Rounding  -0.02", "Net Total  43.20"), "43.20"),
        (("Totai Amount  43.20", "Cash  50.00"), "43.20"),
        (("Subtotal  60.00", "Voucher  -16.80", "To pay  43.20"), "43.20"),
        (("Gesamtbetrag  43,20", "MwSt  6,90"), "43,20"),
        (("Tea  40.00", "Cake  3.20", "Amount  43.20"), "43.20"),
        (("TOTAL", "43.20", "Thank you"), "43.20"),
        (
            ("Total (Incl GST)  43.18", "Rounding  .02", "Rounding RM  43.20", "CASH  50.00", "CHANGE  6.80"),
            "43.20",
        ),
        (("Total (Incl GST)  RM43.18", "Grand TotalRM43.20", "Total Paid  RM50.00"), "RM43.20"),
        (
            (
                "Total 6% supplies (excl. GST)  12.96",
                "GST  0.78",
                "Total 6% supplies (Inc. GST)  13.74",
                "Total 0% supplies  29.46",
                "Total Payable  43.20",
            ),
            "43.20",
        ),
        (("Total  43.20", "GST Summary  Amount  Tax", "Total  40.00  3.20"), "43.20"),
    ],
)
def test_the_total_is_told_from_the_other_amounts(rows: tuple[str, ...], expected: str) -> None:
    assert total(*rows) == expected


@pytest.mark.parametrize(
    "rows",
    [
        ("Tea  40.00", "Cash  50.00", "43.20", "Change  6.80"),
        ("Sub Total  40.00", "Tax  3.20", "T0T  4-3", "Cash  43.20", "Change  0.00"),
        ("Subtotal  43.20",),
        ("Cash  43.20",),
    ],
)
def test_a_total_whose_line_is_lost_is_told_from_what_leads_to_it(rows: tuple[str, ...]) -> None:
    assert total(*rows) == "43.20"


def test_a_price_list_has_no_total() -> None:
    assert total("Up to 1 hour  1.40", "All day  7.50") is None


def test_sums_that_agree_make_a_total_surer() -> None:
    (alone,) = totals(page_of("Total  43.20"))
    agreeing = totals(page_of("Sub Total  40.00", "Tax  3.20", "Total  43.20"))
    assert max(finding.fit for finding in agreeing) > alone.fit


def test_every_line_with_an_amount_has_a_role() -> None:
    rows = (
        "Tea  4.00",
        "Qty  4.00",
        "Disc.  1.00",
        "Subtotal  3.00",
        "VAT  1.00",
        "Round. Adj  0.01",
        "Total  4.00",
    )
    page = page_of(*rows, "Visa  4.00", "Change  0.00", "Hello")
    assert list(roles(page).values()) == [
        Role.OTHER, Role.QUANTITY, Role.DISCOUNT, Role.SUBTOTAL, Role.TAX, Role.ROUNDING, Role.TOTAL,
        Role.PAID, Role.CHANGE,
    ]  # fmt: skip
