"""The fields that name somebody: who issued a page, who it is for, and where they are."""

from __future__ import annotations

from typing import Final

from firellava.reader.field_definition import field
from firellava.reader.values import Shape

__all__ = ["PEOPLE"]

PEOPLE: Final = (
    field(
        "buyer",
        Shape.NAME,
        "bill to, billed to, invoice to, invoice for, deliver to, delivered to, attention, attn,"
        "dear, sold to, ship to,"
        "issued to, prepared for, quote for, quotation for, customer name, customer, client, buyer,"
        "recipient,"
        "addressee, to, for",
        r"\b(?:bill(?:ed)?|sold|invoiced|addressed|issued|made out|ship(?:ped)?) to\b",
        r"^(?!where\b)(?!.*\b(?:address|phone|number|e-?mail|id|copy|ref|reference|code)\b).*\b(?:customer|client|buyer"
        r"|recipient|payer)\b",
        r"\bwho (?:is|was)\b.*\b(?:invoice|bill|receipt|letter|package|parcel|order|message|e-?mail"
        r"|quote|quotation"
        r"|memo|voucher|gift|card|report|note|estimate|statement|document)\b.*\b(?:for|to)\b",
        not_labels="customer copy, customer service",
    ),
    field(
        "cashier",
        Shape.NAME,
        "served by, cashier, server, waiter",
        r"\b(?:cashier|server|waiter|waitress|served (?:me|us|by))\b",
    ),
    field(
        "address",
        Shape.ADDRESS,
        "address, location, venue",
        r"\baddress\b",
        r"\bwhere is (?:the|this) (?:shop|store|company|restaurant|market|business|office|hotel|venue)\b",
        r"\bwhat (?:street|city|town)\b",
        without_label=True,
    ),
    field(
        "company",
        Shape.NAME,
        "company name, vendor, seller, supplier, sold by, merchant, company, from",
        r"\b(?:company|shop|store|business|merchant|vendor|seller|supplier|retailer|restaurant|cafe"
        r"|hotel|firm"
        r"|issuer|organi[sz]ation|market|supermarket|brand|sender)\b(?!.*\b(?:number|id|no)\b)",
        r"\bname of (?:the|this) (?:\w+ )?(?:pharmacy|clinic|hospital|school|university|college|bank"
        r"|library|museum|airline|railway|garage|dealer|theat(?:re|er)|cinema|salon|bakery|bar|pub"
        r"|practice|agency|studio|gym"
        r"|association|club|institution|employer|landlord|provider|utility|place|venue)\b",
        r"\b(?:which|what) (?:pharmacy|clinic|hospital|school|university|bank|airline|garage|cinema"
        r"|laborator(?:y|ies)"
        r"|insurance|insurer|club|library|museum|agency|authority|council)\b",
        r"\bwho (?:issued|sent|sold|is the sender)\b",
        r"\bwho (?:is|was) (?:this|the|it)\b[^?]*\b(?:from|by)\s*\??$",
        r"\bwhere (?:was|were|did)\b.*\b(?:bought|purchased?|buy|shop|issued)\b",
        not_labels="company no, company reg",
    ),
    field(
        "name",
        Shape.NAME,
        "full name, name, guest, patient, passenger, holder, owner",
        r"\bnames?\b(?! (?:of|on) (?:the|this|that)\b)|\bnames? of (?:the|this) (?:person|owner"
        r"|holder|guest|patient|passenger"
        r"|member|employee|student|applicant|customer|visitor|traveller)\b|^whose\b|\bwho (?:is"
        r"|was) the (?:patient|guest"
        r"|passenger|holder|owner|member|employee|student|applicant|visitor|renter|tenant|subscriber"
        r"|insured|cardholder)\b",
        not_labels="account name, company name, file name",
    ),
)
