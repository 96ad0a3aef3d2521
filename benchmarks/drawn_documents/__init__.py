"""Documents made by code, with questions about each: the data of `benchmarks.reader_documents`."""

from __future__ import annotations

from typing import Final

from benchmarks.drawn_documents import (
    forms,
    invoices,
    later_papers,
    later_places,
    later_screens,
    public_places,
    screens,
    second_papers,
    second_tickets,
    tickets,
)
from benchmarks.drawn_documents.page import Document, Question
from benchmarks.drawn_documents.verdicts import Verdict

__all__ = ["DOCUMENTS", "LAST_DRAWN", "Document", "Question", "Verdict"]

DOCUMENTS: Final = (
    *invoices.DOCUMENTS,
    *forms.DOCUMENTS,
    *public_places.DOCUMENTS,
    *tickets.DOCUMENTS,
    *screens.DOCUMENTS,
    *second_papers.DOCUMENTS,
    *second_tickets.DOCUMENTS,
)
"""Those that the reader was improved on."""

LAST_DRAWN: Final = (*later_papers.DOCUMENTS, *later_places.DOCUMENTS, *later_screens.DOCUMENTS)
"""Those that were drawn before the reader was last improved, and first asked about after it."""
