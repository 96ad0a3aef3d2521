"""The fields that documents have: how people ask for each, and how documents label it.

This is data. To teach the reader another field, add a `Field`: the words a question uses, the labels a
document uses (the more specific first), and the shape of the value.
"""

from __future__ import annotations

from typing import Final

from firellava.reader.field_definition import field
from firellava.reader.people import PEOPLE
from firellava.reader.values import Shape

__all__ = ["FIELDS", "PRICE"]


# The order matters: the first field that a question asks for is the one, so "subtotal" stands before "total".
FIELDS: Final = (
    field(
        "subtotal",
        Shape.AMOUNT,
        "subtotal, sub total, net amount",
        r"\bsub-? ?total",
        r"\bbefore (?:the )?tax\b",
    ),
    field(
        "tax",
        Shape.AMOUNT,
        "total tax, tax amount, sales tax, vat, gst, hst, tax, mwst",
        r"\b(?:much|amount|what is|what was|what's)\b.*\b(?:tax|vat|gst|hst)\b(?! (?:id|no|num|reg|rate))",
        not_labels="tax invoice, taxable, tax id, vat no, vat id, gst no, gst id, tax reg, vat reg, gst reg",
    ),
    field(
        "discount", Shape.AMOUNT, "discount, you saved, savings, saved", r"\b(?:discount|savings?|saved)\b"
    ),
    field("tip", Shape.AMOUNT, "gratuity, tip", r"\b(?:tip|gratuity)\b"),
    field(
        "shipping cost",
        Shape.AMOUNT,
        "shipping, delivery, postage",
        r"\b(?:shipping|delivery|postage) (?:cost|fee|charge|price)",
        r"\bmuch\b.*\b(?:shipping|delivery|postage)\b",
    ),
    field("deposit", Shape.AMOUNT, "deposit", r"\bdeposit\b"),
    field(
        "change",
        Shape.AMOUNT,
        "change due, change, balance returned",
        r"\bmuch change\b",
        r"\bthe change\b",
        r"\bchange (?:was|is|did|given|due|returned)\b",
    ),
    field(
        "cash payment",
        Shape.AMOUNT,
        "cash tendered, amount tendered, tendered, cash",
        r"\b(?:cash|tendered|handed over)\b",
        not_labels="cash back, cashier",
    ),
    field(
        "balance",
        Shape.AMOUNT,
        "balance to pay, balance due, amount due, outstanding balance, amount outstanding,"
        "outstanding, left to pay,"
        "remaining balance, still to pay, balance",
        r"\bleft to (?:be )?pa(?:y|id)\b|\bstill (?:owed?|due|to pay|unpaid|have to pay)\b"
        r"|\boutstanding\b|\bremain\w* balance\b"
        r"|\bbalance (?:due|left|to pay)\b",
        not_labels="balance returned, opening balance, previous balance",
    ),
    field(
        "total",
        Shape.AMOUNT,
        "grand total, total sales inclusive, total inclusive, total includes, total amount due, total due,"
        "amount due, balance due, total payable, amount payable,"
        "total to pay, total amount, total sales, nett total, net total, invoice total, order total,"
        "total incl, total rounded, rounded total, outstanding, please pay, total, amount, to pay",
        r"\b(?:grand )?total\b(?! (?:number|items|quantity|tax|of items|weight))",
        r"\b(?:amount|balance) (?:due|owed|owing|payable|to pay|paid)\b",
        r"\b(?:final|full|whole|invoice|bill) (?:amount|price|sum)\b",
        r"\bmuch\b.*\b(?:pay|paid|spen[dt]|owed?|due|bill|invoice|receipt|it|all|altogether|purchase"
        r"|order)\s*\??$",
        r"^(?:what (?:is|was) )?(?:the )?(?:amount|sum)\s*\??$",
        not_labels="subtotal, sub total, total tax, total gst, total vat, tax total, total qty, total item,"
        "total quantity, total items, total discount, total saved, total savings, total points, total no,"
        "total cash, total excl, total excluding, total exclusive, total before, total sales excl,"
        "total sales excluding, total sales exclusive, unit amount, amount tendered, net amount, tax amount,"
        "gst amount",
    ),
    field(
        "due date",
        Shape.DATE,
        "payment due date, due date, date due, payment due, pay by, due by, due on, due, deadline,"
        "no later than,"
        "by, before",
        r"\bdue date\b|\bdeadline\b",
        r"\bdue (?:on|by)\b|^(?:by|until) when must\b",
        r"\bwhen\b.*\b(?:due|payable|pay|be paid)\b",
        not_labels="total due, amount due, balance due, best before",
    ),
    field(
        "expiry date",
        Shape.DATE,
        "expiry date, expiration date, expires, expiry, exp, best before, use by, valid until, valid to,"
        "valid through, valid",
        r"\b(?:expir\w*|best before|use by|valid (?:until|till|to|through))\b",
        r"\b(?:until when|how long)\b.*\b(?:valid|good|keeps?|be used|be eaten)\b",
        not_labels="valid from",
    ),
    field(
        "delivery date",
        Shape.DATE,
        "delivery date, estimated delivery, shipping date, ship date, deliver by, delivered,"
        "shipped, delivery",
        r"\b(?:delivery|shipping|ship|delivered|shipped)\b.*\bdate\b",
        r"\bwhen\b.*\b(?:delivered|shipped)\b",
    ),
    field(
        "date of birth",
        Shape.DATE,
        "date of birth, birth date, dob, born",
        r"^(?!where\b).*\b(?:date of birth|birth ?date|birthday|born|dob)\b",
    ),
    field(
        "time span",
        Shape.HOURS,
        "opening hours, business hours, hours, open, times",
        r"\b(?:opening|business|office|working|visiting|store|shop|trading|hours of|the|what|which) hours\b"
        r"|^hours\b|\bhours of\b|\bopening times\b|\bwhen (?:is|are|does)\b.*\bopen\b|\bbetween what times\b",
        without_label=True,
    ),
    field(
        "time",
        Shape.TIME,
        "time, doors, departure, start, open",
        r"\bwhat time\b|\bthe times?\b",
        without_label=True,
    ),
    field(
        "date",
        Shape.DATE,
        "invoice date, date of issue, issue date, issued on, issued, bill date, receipt date, order date,"
        "transaction date, date",
        r"\bdates?\b|\bwhat day\b",
        r"^when\b.*\b(?:issued|bought|purchased?|made|printed|dated|written|paid|sent|signed"
        r"|invoiced?|receipt"
        r"|bill|ticket|event|concert|show|order|ordered)\b",
        not_labels="due date, date due, delivery date, expiry date, birth date, date of birth, best before",
        without_label=True,
    ),
    field(
        "e-mail address", Shape.EMAIL, "email, e mail, mail", r"^(?!who\b).*\be-?mail\b", without_label=True
    ),
    field("fax number", Shape.PHONE, "fax", r"\bfax\b"),
    field(
        "telephone number",
        Shape.PHONE,
        "telephone, phone, tel, mobile, cell, call, customer service, hotline, helpline, enquiries,"
        "information",
        r"\b(?:tele)?phone\b|\bmobile\b",
        r"^(?!who\b).*(?:\b(?:to|i|we|can|could|should|you|number) call\b|\bcall (?:for|if|about|to)\b)",
        r"\bcontact (?:number|details|information)\b",
        not_labels="fax",
        without_label=True,
    ),
    field(
        "web address",
        Shape.WEBSITE,
        "website, web, url, visit",
        r"\b(?:web ?site|web ?page|web address|url|home ?page)\b",
        without_label=True,
    ),
    field(
        "invoice number",
        Shape.NUMBER,
        "invoice number, invoice no, invoice id, invoice nr, bill number, bill no, inv no, invoice",
        r"\b(?:invoice|bill)(?:'s)? (?:number|no\b|id\b|num\b|#|reference|code)",
    ),
    field(
        "receipt number",
        Shape.NUMBER,
        "receipt number, receipt no, receipt id, receipt, rcpt",
        r"\breceipt(?:'s)? (?:number|no\b|id\b|num\b|#|reference|code)",
    ),
    field(
        "purchase order number",
        Shape.NUMBER,
        "purchase order number, purchase order no, purchase order, po number, po no, your order,"
        "your reference, po",
        r"\bpurchase order\b|\bp\.?o\.? (?:number|no\b)",
    ),
    field(
        "order number",
        Shape.NUMBER,
        "order number, order no, order id, order reference, order",
        r"\border (?:number|no\b|id\b|num\b|#|reference|code)",
        not_labels="work order",
    ),
    field(
        "account number",
        Shape.NUMBER,
        "account number, account no, account, acct",
        r"\baccount (?:number|no\b|id\b|#)",
    ),
    field(
        "card number",
        Shape.NUMBER,
        "card number, card no, ending in, card, visa, mastercard, amex",
        r"\b(?:card|visa|mastercard) (?:number|no\b|digits)",
        r"\blast (?:four|4) digits\b",
    ),
    *PEOPLE,
)

PRICE: Final = field(
    "price",
    Shape.AMOUNT,
    "ticket price, price per ticket, admission, entry, fare, price, cost, fee, tickets, amount, total",
    without_label=True,
)
"""What a question that only asks how much wants of a page that has one price."""
