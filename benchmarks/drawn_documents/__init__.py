"""Documents made by code, with questions about each: the data of `benchmarks.reader_documents`."""

from __future__ import annotations

from typing import Final

from benchmarks.drawn_documents import forms, invoices, public_places, screens, tickets
from benchmarks.drawn_documents.page import Document, Question
from benchmarks.drawn_documents.verdicts import Verdict

__all__ = ["DOCUMENTS", "Document", "Question", "Verdict"]

DOCUMENTS: Final = (
    *invoices.DOCUMENTS,
    *forms.DOCUMENTS,
    *public_places.DOCUMENTS,
    *tickets.DOCUMENTS,
    *screens.DOCUMENTS,
)
"""All of them."""
