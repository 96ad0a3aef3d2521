"""Small PDF documents, written out by hand."""

from collections.abc import Sequence

# Red above, blue below; a mark of another colour in the upper left corner tells which way it lies.
COLOURED = b"1 0 0 rg 0 500 400 500 re f 0 0 1 rg 0 0 400 500 re f 0 1 0 rg 0 900 100 100 re f"

HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<</Length %d%s>>stream\n%b\nendstream" % (len(content), entries, content)


def document(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A file of these objects, numbered from 1; the first is the catalogue."""
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<</Size %d/Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF\n"
    return data + end % (len(objects) + 1, trailer, table)


def pages(
    *contents: bytes,
    box: bytes = b"0 0 400 1000",
    entries: bytes = b"",
    catalogue: bytes = b"",
    more: Sequence[bytes] = (),
) -> bytes:
    """A document with one page for each content.

    Args:
        contents: what is drawn, in PDF's operators; ``/F1`` is Helvetica.
        box: the corners of every page in points.
        entries: more entries of every page.
        catalogue: more entries of the catalogue.
        more: objects numbered from 4, to be referred to.
    """
    first = 4 + len(more)
    numbers = range(first, first + 2 * len(contents), 2)
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%b>>" % catalogue,
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, len(contents)),
        HELVETICA,
        *more,
    ]
    for number, content in zip(numbers, contents, strict=True):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>%b>>"
        objects += [page % (box, number + 1, entries), stream(content)]
    return document(objects)


def text(line: bytes, size: int = 40) -> bytes:
    """A line of black text near the top of a page, in PDF's operators."""
    return b"BT 0 g /F1 %d Tf 20 900 Td (%b) Tj ET" % (size, line)
