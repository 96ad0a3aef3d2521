"""What public collections of damaged images found wrong here once, made anew as small files."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from firellava.errors import ImageTooLarge, UnreadableImage
from firellava.images import ImageSource, PreparedImage, describe_metadata, inline_image, prepare_image
from tests.core.images.samples import BLUE, RED, SECRET, corners, decoded, encoded, exif_with_gps

WIDTH, HEIGHT, RESOLUTION_UNIT, PHOTOSHOP = 256, 257, 296, 34377


def tiff_with_entry(tag: int, kind: int, count: int, value: int) -> bytes:
    """A TIFF whose directory has one entry more, or another in the place of the one it had."""
    data = bytearray(encoded(corners(), "TIFF"))
    (directory,) = struct.unpack_from("<I", data, 4)
    (number,) = struct.unpack_from("<H", data, directory)
    start = directory + 2
    entries = {}
    for index in range(number):
        entry = bytes(data[start + 12 * index : start + 12 * index + 12])
        entries[struct.unpack_from("<H", entry)[0]] = entry
    entries[tag] = struct.pack("<HHII", tag, kind, count, value)
    struct.pack_into("<I", data, 4, len(data))
    packed = [entry for _, entry in sorted(entries.items())]
    return bytes(data) + struct.pack("<H", len(packed)) + b"".join(packed) + bytes(4)


def png_with_chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> bytes:
    """A PNG with one chunk more, in front of its pixels."""
    data = encoded(corners(), "PNG")
    place = data.index(b"IDAT") - 4
    check = zlib.crc32(kind + content) if checksum is None else checksum
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
    return data[:place] + chunk + data[place:]


def gif_with_picture_at(left: int, top: int, *, cleared: bool = False, pictures: int = 1) -> bytes:
    """A GIF of 4 x 4 pixels whose last picture lies elsewhere."""
    pixel = b"\x02\x02\x44\x01\x00"
    first = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + pixel
    control = b"!\xf9\x04\x08\x00\x00\x00\x00" if cleared else b""
    size = (60_000, 60_000) if cleared else (1, 1)
    last = control + b"," + struct.pack("<HHHHB", left, top, *size, 0) + pixel
    screen = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + bytes(3) + b"\xff\xff\xff"
    return screen + first * (pictures - 1) + last + b";"


@pytest.mark.parametrize("prepare", [prepare_image, inline_image])
@pytest.mark.parametrize(
    "content",
    [b"Adobe\x00d\x00\x00\x00\x00\x00" + SECRET, b"Adobe\x00d\x00\x00\x00\x00" + SECRET[:1], SECRET],
)
def test_nothing_comes_out_in_the_segment_that_tells_how_colours_are_coded(
    prepare: Callable[[bytes], PreparedImage], content: bytes
) -> None:
    data = encoded(corners(), "JPEG")
    segment = b"\xff\xee" + struct.pack(">H", len(content) + 2) + content
    prepared = prepare(data[:2] + segment + data[2:])
    assert SECRET not in prepared.data
    cleaned = "metadata removed" in prepared.adjustments
    assert cleaned == (len(content) != 12)


def test_inverted_cmyk_is_still_known_by_that_segment() -> None:
    picture = corners().convert("CMYK")
    data = encoded(picture, "JPEG", quality=95)
    assert b"Adobe" in data
    longer = data.replace(b"\xff\xee\x00\x0eAdobe", b"\xff\xee\x00\x18Adobe")
    place = longer.index(b"Adobe") + 12
    longer = longer[:place] + b"0123456789" + longer[place:]
    assert prepare_image(longer).data == prepare_image(data).data


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param((PHOTOSHOP, 7, 10_000_000, 8), id="a tag longer than the file"),
        pytest.param((PHOTOSHOP, 7, 100, 4_000_000_000), id="a tag behind the end of the file"),
        pytest.param((PHOTOSHOP, 99, 1, 0), id="a tag of an unknown type"),
        pytest.param((RESOLUTION_UNIT, 3, 1793, 8), id="many numbers where one is meant"),
        pytest.param((34853, 4, 1, 4_000_000_000), id="a place that is nowhere"),
    ],
)
def test_damaged_tags_beside_the_pixels_of_a_tiff_cost_neither_the_picture_nor_a_warning(
    entry: tuple[int, int, int, int],
) -> None:
    expected = prepare_image(encoded(corners(), "TIFF"))
    assert prepare_image(tiff_with_entry(*entry)).data == expected.data


@pytest.mark.parametrize("tag", [WIDTH, HEIGHT])
def test_a_tiff_with_many_widths_is_refused_without_a_warning(tag: int) -> None:
    with pytest.raises(UnreadableImage):
        prepare_image(tiff_with_entry(tag, 3, 513, 8))


@pytest.mark.parametrize("kept", range(8, 200, 7))
def test_a_tiff_cut_short_is_refused_without_a_warning(kept: int) -> None:
    with pytest.raises(UnreadableImage):
        prepare_image(encoded(corners(), "TIFF")[:kept])


def test_a_later_page_is_read_though_the_tags_of_an_earlier_one_are_damaged() -> None:
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)]
    data = bytearray(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    (directory,) = struct.unpack_from("<I", data, 4)
    struct.pack_into("<HHII", data, directory + 2, PHOTOSHOP, 7, 10_000_000, 8)
    second = ImageSource.pages(bytes(data))[1]
    assert decoded(prepare_image(second).data).convert("RGB").getpixel((168, 168)) == BLUE


def test_texts_of_a_png_that_are_too_long_for_the_decoder_cost_nothing() -> None:
    text = PngInfo()
    text.add_text("XML:com.adobe.xmp", "x" * 2_000_000, zip=True)
    prepared = prepare_image(encoded(corners(), "PNG", pnginfo=text))
    assert prepared.data == prepare_image(encoded(corners(), "PNG")).data
    assert "metadata removed" in prepared.adjustments


def test_a_text_of_a_png_with_a_wrong_checksum_costs_nothing() -> None:
    prepared = prepare_image(png_with_chunk(b"tEXt", b"Comment\x00hello", checksum=1))
    assert prepared.data == prepare_image(encoded(corners(), "PNG")).data


def test_a_png_that_promises_an_animation_of_no_frames_is_a_picture() -> None:
    for frames in (0, 2**31 - 1):
        prepared = prepare_image(png_with_chunk(b"acTL", struct.pack(">II", frames, 0)))
        assert prepared.data == prepare_image(encoded(corners(), "PNG")).data


def test_an_animated_png_still_shows_its_first_picture_and_says_so() -> None:
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)]
    prepared = prepare_image(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    assert decoded(prepared.data).convert("RGB").getpixel((168, 168)) == RED
    assert "first of several frames or pages taken" in prepared.adjustments


def test_exif_that_old_programs_wrote_into_a_text_of_a_png_still_turns_it() -> None:
    block = b"Exif\x00\x00" + exif_with_gps(6).tobytes().removeprefix(b"Exif\x00\x00")
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    assert prepare_image(encoded(corners(), "PNG", pnginfo=text)).original_size == (80, 120)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gif_with_picture_at(60_000, 2_000), id="the screen is enlarged"),
        pytest.param(gif_with_picture_at(60_000, 2_000, cleared=True), id="it is cleared afterwards"),
    ],
)
def test_a_gif_picture_far_outside_its_screen_is_too_large_before_anything_is_decoded(data: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="pixels"):
        prepare_image(data)


def test_a_later_picture_of_a_gif_may_lie_anywhere() -> None:
    prepared = prepare_image(gif_with_picture_at(60_000, 60_000, cleared=True, pictures=2))
    assert prepared.original_size == (4, 4)
    assert "first of several frames or pages taken" in prepared.adjustments


def test_metadata_of_a_page_is_still_told_when_the_decoder_never_saw_it() -> None:
    data = encoded(corners(), "TIFF", exif=exif_with_gps())
    told = describe_metadata(ImageSource.from_bytes(data), ["Model"])
    assert told == "Image metadata: Model: Model X"
    assert "metadata removed" in prepare_image(data).adjustments
    with Image.open(io.BytesIO(prepare_image(data).data)) as picture:
        assert not picture.getexif()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_wide_numbers_is_a_tiff_in_either_order_of_bytes(order: str) -> None:
    entries = {256: (3, 8), 257: (3, 8), 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: (16, 16), 277: (3, 1)}
    entries |= {278: (3, 8), 279: (16, 64)}
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HHHQ", 43, 8, 0, 80)
    directory = struct.pack(f"{order}Q", len(entries))
    for tag, (kind, value) in entries.items():
        packed = struct.pack(order + ("H" if kind == 3 else "Q"), value)
        directory += struct.pack(f"{order}HHQ", tag, kind, 1) + packed.ljust(8, b"\x00")
    prepared = prepare_image(head + bytes([200]) * 64 + directory + bytes(8))
    assert prepared.original_size == (8, 8)
    assert decoded(prepared.data).convert("L").getextrema() == (200, 200)


@pytest.mark.parametrize("tag", [b"\x01\x10", b"\x88\x25"], ids=["a text", "the place"])
def test_damaged_metadata_says_nothing_and_warns_of_nothing(tag: bytes) -> None:
    block = exif_with_gps().tobytes()
    place = block.index(tag if block[6:8] == b"MM" else tag[::-1])
    damaged = block[: place + 8] + b"\x7f" * 4 + block[place + 12 :]
    data = encoded(corners(), "JPEG", exif=damaged)
    told = describe_metadata(ImageSource.from_bytes(data), ["DateTime", "Model", "GPSLatitude"])
    assert told is not None
    assert "DateTime: 2024:05:01 10:00:00" in told
    assert ("Model X" in told, "GPSLatitude" in told) == (tag == b"\x88\x25", tag == b"\x01\x10")


def test_nothing_comes_out_behind_the_pixels_of_a_png_whose_bytes_are_kept() -> None:
    plain = encoded(corners(), "PNG")
    place = plain.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", plain, place)
    pixels, rest = plain[place + 8 : place + 8 + length], plain[place + 12 + length :]

    def png(*idats: bytes) -> bytes:
        chunks = [struct.pack(">I", len(idat)) + b"IDAT" + idat for idat in idats]
        checked = [chunk + struct.pack(">I", zlib.crc32(chunk[4:])) for chunk in chunks]
        return plain[:place] + b"".join(checked) + rest

    assert inline_image(plain).data == plain
    assert inline_image(png(pixels[:50], pixels[50:])).data == png(pixels[:50], pixels[50:])
    for hiding in (png(pixels + SECRET), png(pixels, SECRET), png(pixels[:50], pixels[50:] + SECRET)):
        prepared = inline_image(hiding)
        assert SECRET not in prepared.data
        assert decoded(prepared.data).tobytes() == corners().tobytes()


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA"])
def test_a_large_clean_png_keeps_its_bytes(mode: str) -> None:
    data = encoded(corners((1500, 1300)).convert(mode), "PNG", compress_level=1)
    assert inline_image(data).data == data
