from hypothesis import given
from hypothesis import strategies as st

from firellava.errors import UnreadableImage
from firellava.images.jpeg_segments import cut_jpeg_metadata, read_jpeg_header
from tests.core.images.samples import SECRET, corners, encoded, exif_with_gps

PLAIN = encoded(corners(), "JPEG")


def with_segments(*segments: bytes) -> bytes:
    return PLAIN[:2] + b"".join(segments) + PLAIN[2:]


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def test_every_application_segment_and_comment_is_cut() -> None:
    markers = [*range(0xE0, 0xF0), 0xFE]
    data = with_segments(*(segment(marker, SECRET) for marker in markers if marker != 0xEE))
    cut = cut_jpeg_metadata(data + SECRET)
    assert cut == PLAIN


def test_what_tells_the_decoder_how_colours_are_coded_is_kept() -> None:
    for data in (encoded(corners(), "JPEG", keep_rgb=True), encoded(corners().convert("CMYK"), "JPEG")):
        assert b"Adobe" in data
        assert cut_jpeg_metadata(data) == data


def test_metadata_between_scans_is_cut() -> None:
    progressive = encoded(corners(), "JPEG", progressive=True)
    second_scan = progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    assert progressive.count(b"\xff\xda") > 1
    data = progressive[:second_scan] + segment(0xFE, SECRET) + progressive[second_scan:]
    assert cut_jpeg_metadata(data) == progressive


def test_the_thumbnail_of_a_jfif_header_is_cut() -> None:
    header = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x02\x01" + b"RGBrgb"
    cut = cut_jpeg_metadata(PLAIN[:2] + segment(0xE0, header) + PLAIN[20:])
    assert cut == PLAIN


def test_fill_bytes_between_segments_are_allowed() -> None:
    assert cut_jpeg_metadata(PLAIN[:2] + b"\xff" * 1000 + PLAIN[2:]) == PLAIN


def test_the_header_tells_exif_and_how_the_pixels_are_stored() -> None:
    exif = exif_with_gps(6).tobytes()
    header = read_jpeg_header(encoded(corners(), "JPEG", exif=exif))
    assert header is not None
    assert header.exif == exif.removeprefix(b"Exif\x00\x00")
    assert header.one_pass
    assert header.has_metadata
    plain, progressive = (
        read_jpeg_header(PLAIN),
        read_jpeg_header(encoded(corners(), "JPEG", progressive=True)),
    )
    assert plain is not None
    assert progressive is not None
    assert (plain.exif, plain.has_metadata) == (None, False)
    assert plain.head + PLAIN[plain.scan_start :] == PLAIN
    assert not progressive.one_pass


def test_a_file_without_an_end_is_left_to_the_caller() -> None:
    assert cut_jpeg_metadata(PLAIN[:-2]) is None
    assert cut_jpeg_metadata(b"") is None
    assert read_jpeg_header(PLAIN[:20]) is None


@given(data=st.binary(max_size=200), position=st.integers(0, len(PLAIN)))
def test_no_bytes_are_too_strange_to_be_read(data: bytes, position: int) -> None:
    strange = PLAIN[:position] + data + PLAIN[position:]
    for read in (cut_jpeg_metadata, read_jpeg_header):
        try:
            read(strange)
        except UnreadableImage:
            continue
