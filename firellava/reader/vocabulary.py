"""The fields that documents have: how people ask for each, and how documents label it.

This is data. To teach the reader another field, add a `Field`: the words a question uses, the labels a
document uses (the more specific first), and the shape of the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from firellava.reader.values import Shape

__all__ = ["FIELDS", "PRICE", "Field", "is_label", "label_pattern"]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that documents state.

    Attributes:
        name: what the reader calls it when it speaks of it.
        shape: the form of its value.
        asked: regular expressions over the question in lower case; any of them asks for this field.
        labels: what documents write beside or above the value, the surest first.
        not_labels: labels that contain one of `labels` and mean something else.
        without_label: whether a value of this shape answers even where no label stands near it.
    """

    name: str
    shape: Shape
    asked: tuple[str, ...]
    labels: tuple[str, ...]
    not_labels: tuple[str, ...] = ()
    without_label: bool = False


def _field(
    name: str,
    shape: Shape,
    labels: str,
    *asked: str,
    not_labels: str = "",
    without_label: bool = False,
) -> Field:
    def phrases(text: str) -> tuple[str, ...]:
        return tuple(phrase.strip() for phrase in text.split(",") if phrase.strip())

    return Field(name, shape, asked, phrases(labels), phrases(not_labels), without_label)


# The order matters: the first field that a question asks for is the one, so "subtotal" stands before "total".
FIELDS: Final = (
    _field(
        "subtotal",
        Shape.AMOUNT,
        "subtotal, sub total, net amount",
        r"\bsub-? ?total",
        r"\bbefore (?:the )?tax\b",
    ),
    _field(
        "tax",
        Shape.AMOUNT,
        "total tax, tax amount, sales tax, vat, gst, hst, tax, mwst",
        r"\b(?:much|amount|what is|what was|what's)\b.*\b(?:tax|vat|gst|hst)\b(?! (?:id|no|num|reg|rate))",
        not_labels="tax invoice, taxable, tax id, vat no, vat id, gst no, gst id, tax reg, vat reg, gst reg",
    ),
    _field(
        "discount", Shape.AMOUNT, "discount, you saved, savings, saved", r"\b(?:discount|savings?|saved)\b"
    ),
    _field("tip", Shape.AMOUNT, "gratuity, tip", r"\b(?:tip|gratuity)\b"),
    _field(
        "shipping cost",
        Shape.AMOUNT,
        "shipping, delivery, postage",
        r"\b(?:shipping|delivery|postage) (?:cost|fee|charge|price)",
        r"\bmuch\b.*\b(?:shipping|delivery|postage)\b",
    ),
    _field("deposit", Shape.AMOUNT, "deposit", r"\bdeposit\b"),
    _field(
        "change",
        Shape.AMOUNT,
        "change due, change, balance returned",
        r"\bmuch change\b",
        r"\bthe change\b",
        r"\bchange (?:was|is|did|given|due|returned)\b",
    ),
    _field(
        "cash payment",
        Shape.AMOUNT,
        "cash tendered, amount tendered, tendered, cash",
        r"\b(?:cash|tendered|handed over)\b",
        not_labels="cash back, cashier",
    ),
    _field(
        "total",
        Shape.AMOUNT,
        "grand total, total sales inclusive, total inclusive, total includes, total amount due, total due,"
        "amount due, balance due, total payable, amount payable,"
        "total to pay, total amount, total sales, nett total, net total, invoice total, order total,"
        "total incl, total rounded, rounded total, total, amount, to pay",
        r"\b(?:grand )?total\b(?! (?:number|items|quantity|tax|of items|weight))",
        r"\b(?:amount|balance) (?:due|owed|owing|payable|to pay|paid)\b",
        r"\b(?:final|full|whole|invoice|bill) (?:amount|price|sum)\b",
        r"\bmuch\b.*\b(?:pay|paid|spen[dt]|owed?|due|bill|invoice|receipt|it|all|altogether|purchase|order)\s*\??$",
        r"^(?:what (?:is|was) )?(?:the )?(?:amount|sum)\s*\??$",
        not_labels="subtotal, sub total, total tax, total gst, total vat, tax total, total qty, total item,"
        "total quantity, total items, total discount, total saved, total savings, total points, total no,"
        "total cash, total excl, total excluding, total exclusive, total before, total sales excl,"
        "total sales excluding, total sales exclusive, unit amount, amount tendered, net amount, tax amount,"
        "gst amount",
    ),
    _field(
        "due date",
        Shape.DATE,
        "payment due date, due date, date due, payment due, pay by, due by, due on, due, deadline",
        r"\bdue date\b|\bdeadline\b",
        r"\bdue (?:on|by)\b",
        r"\bwhen\b.*\b(?:due|payable|pay|be paid)\b",
        not_labels="total due, amount due, balance due",
    ),
    _field(
        "expiry date",
        Shape.DATE,
        "expiry date, expiration date, expires, expiry, exp, best before, use by, valid until, valid to,"
        "valid through",
        r"\b(?:expir\w*|best before|use by|valid (?:until|till|to|through))\b",
        r"\b(?:until when|how long)\b.*\bvalid\b",
    ),
    _field(
        "delivery date",
        Shape.DATE,
        "delivery date, estimated delivery, shipping date, ship date, delivered, shipped, delivery",
        r"\b(?:delivery|shipping|ship|delivered|shipped)\b.*\bdate\b",
        r"\bwhen\b.*\b(?:delivered|shipped)\b",
    ),
    _field(
        "date of birth",
        Shape.DATE,
        "date of birth, birth date, dob, born",
        r"\b(?:date of birth|birth ?date|birthday|born|dob)\b",
    ),
    _field(
        "time span",
        Shape.HOURS,
        "opening hours, business hours, hours, open, times",
        r"\b(?:opening|business|office|working|visiting|store|shop|trading|hours of|the|what|which) hours\b"
        r"|^hours\b|\bhours of\b|\bopening times\b|\bwhen (?:is|are|does)\b.*\bopen\b|\bbetween what times\b",
        without_label=True,
    ),
    _field(
        "time",
        Shape.TIME,
        "time, doors, departure, start, open",
        r"\bwhat time\b|\bthe times?\b|\buntil when\b",
        without_label=True,
    ),
    _field(
        "date",
        Shape.DATE,
        "invoice date, date of issue, issue date, issued on, issued, bill date, receipt date, order date,"
        "transaction date, date",
        r"\bdates?\b|\bwhat day\b",
        r"^when\b.*\b(?:issued|bought|purchased?|made|printed|dated|written|paid|sent|signed|invoiced?|receipt"
        r"|bill|ticket|event|concert|show|order|ordered)\b",
        not_labels="due date, date due, delivery date, expiry date, birth date, date of birth, best before",
        without_label=True,
    ),
    _field(
        "e-mail address", Shape.EMAIL, "email, e mail, mail", r"^(?!who\b).*\be-?mail\b", without_label=True
    ),
    _field("fax number", Shape.PHONE, "fax", r"\bfax\b"),
    _field(
        "telephone number",
        Shape.PHONE,
        "telephone, phone, tel, mobile, cell, call",
        r"\b(?:tele)?phone\b|\bmobile\b",
        r"\b(?:to|i|we|can|could|should|you|number) call\b|\bcall (?:for|if|about|to)\b",
        r"\bcontact (?:number|details|information)\b",
        not_labels="fax",
        without_label=True,
    ),
    _field(
        "web address",
        Shape.WEBSITE,
        "website, web, url, visit",
        r"\b(?:web ?site|web ?page|web address|url|home ?page)\b",
        without_label=True,
    ),
    _field(
        "invoice number",
        Shape.NUMBER,
        "invoice number, invoice no, invoice id, invoice nr, bill number, bill no, inv no, invoice",
        r"\b(?:invoice|bill)(?:'s)? (?:number|no\b|id\b|num\b|#|reference|code)",
    ),
    _field(
        "receipt number",
        Shape.NUMBER,
        "receipt number, receipt no, receipt id, receipt, rcpt",
        r"\breceipt(?:'s)? (?:number|no\b|id\b|num\b|#|reference|code)",
    ),
    _field(
        "purchase order number",
        Shape.NUMBER,
        "purchase order number, purchase order no, purchase order, po number, po no, your order,"
        "your reference, po",
        r"\bpurchase order\b|\bp\.?o\.? (?:number|no\b)",
    ),
    _field(
        "order number",
        Shape.NUMBER,
        "order number, order no, order id, order reference, order",
        r"\border (?:number|no\b|id\b|num\b|#|reference|code)",
        not_labels="work order",
    ),
    _field(
        "account number",
        Shape.NUMBER,
        "account number, account no, account, acct",
        r"\baccount (?:number|no\b|id\b|#)",
    ),
    _field(
        "card number",
        Shape.NUMBER,
        "card number, card no, ending in, card, visa, mastercard, amex",
        r"\b(?:card|visa|mastercard) (?:number|no\b|digits)",
        r"\blast (?:four|4) digits\b",
    ),
    _field(
        "buyer",
        Shape.NAME,
        "bill to, billed to, invoice to, deliver to, delivered to, attention, attn, dear, sold to, ship to,"
        "customer name, customer, client, buyer, recipient",
        r"\b(?:bill(?:ed)?|sold|invoiced|addressed|issued|made out|ship(?:ped)?) to\b",
        r"^(?!where\b)(?!.*\b(?:address|phone|number|e-?mail|id|copy)\b).*\b(?:customer|client|buyer|recipient|payer)\b",
        r"\bwho (?:is|was)\b.*\b(?:invoice|bill|receipt|letter|package|parcel|order|message|e-?mail)\b"
        r".*\b(?:for|to)\b",
        not_labels="customer copy, customer service",
    ),
    _field(
        "cashier",
        Shape.NAME,
        "served by, cashier, server, waiter",
        r"\b(?:cashier|server|waiter|waitress|served (?:me|us|by))\b",
    ),
    _field(
        "address",
        Shape.ADDRESS,
        "address, location, venue",
        r"\baddress\b",
        r"\bwhere is (?:the|this) (?:shop|store|company|restaurant|market|business|office|hotel|venue)\b",
        r"\bwhat (?:street|city|town)\b",
        without_label=True,
    ),
    _field(
        "company",
        Shape.NAME,
        "company name, vendor, seller, supplier, sold by, merchant, company, from",
        r"\b(?:company|shop|store|business|merchant|vendor|seller|supplier|retailer|restaurant|cafe|hotel|firm"
        r"|issuer|organi[sz]ation|market|supermarket|brand|sender)\b(?!.*\b(?:number|id|no)\b)",
        r"\bname of (?:the|this) (?:\w+ )?(?:pharmacy|clinic|hospital|school|university|college|bank"
        r"|library|museum|airline|railway|garage|dealer|theat(?:re|er)|cinema|salon|bakery|bar|pub|practice|agency|studio|gym"
        r"|association|club|institution|employer|landlord|provider|utility|place|venue)\b",
        r"\b(?:which|what) (?:pharmacy|clinic|hospital|school|university|bank|airline|garage|cinema)\b",
        r"\bwho (?:issued|sent|sold|is the sender)\b",
        r"\bwho is (?:this|the|it) ?(?:invoice|receipt|bill|letter)? (?:from|by)\b",
        r"\bwhere (?:was|were|did)\b.*\b(?:bought|purchased?|buy|shop|issued)\b",
        not_labels="company no, company reg",
    ),
    _field(
        "name",
        Shape.NAME,
        "full name, name, guest, patient, passenger",
        r"\bnames?\b(?! (?:of|on) (?:the|this|that)\b)",
        not_labels="account name, company name, file name",
    ),
)

PRICE: Final = _field(
    "price",
    Shape.AMOUNT,
    "ticket price, price per ticket, admission, entry, fare, price, cost, fee, tickets, amount, total",
    without_label=True,
)
"""What a question that only asks how much wants of a page that has one price."""

_TABLE_HEADERS: Final = re.compile(
    r"(?:item|items|description|qty|quantity|unit|price|unit price|amount|total|tax|code|no|rate)\W*",
    re.IGNORECASE,
)


@lru_cache(maxsize=512)
def label_pattern(label: str) -> re.Pattern[str]:
    """A pattern that finds a label as a whole phrase, however it is spaced and punctuated.

    Args:
        label: words separated by one space, in lower case.
    """
    words = r"[\W_]{0,3}".join(re.escape(word) for word in label.split())
    end = r"s?(?![^\W\d_])" if label[-1].isalpha() else ""
    return re.compile(rf"(?<![^\W\d_]){words}{end}", re.IGNORECASE)


@lru_cache(maxsize=1024)
def is_label(text: str) -> bool:
    """Whether a text is nothing but a label, so that it cannot be the value of another one."""
    bare = text.strip()
    if bare.endswith(":") or _TABLE_HEADERS.fullmatch(bare):
        return True
    return any(
        label_pattern(label).fullmatch(bare.rstrip(" .#:")) for field in FIELDS for label in field.labels
    )
