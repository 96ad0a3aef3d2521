"""Which file is what: refused by name where it is not opened."""

import io
import struct

import pytest
from PIL import Image

from firellava.errors import UnsupportedFormat
from firellava.images import prepare_image
from firellava.images.formats import detect_format
from tests.core.images.documents import pages
from tests.core.images.samples import corners, encoded


def ppm(kind: bytes) -> bytes:
    return kind + b"\n2 2\n255\n" + bytes(12)


@pytest.mark.parametrize(
    ("data", "image_format"),
    [
        (encoded(corners(), "JPEG"), "JPEG"),
        (encoded(corners(), "MPO", save_all=True, append_images=[corners()]), "JPEG"),
        (encoded(corners(), "PNG"), "PNG"),
        (encoded(corners(), "PNG", save_all=True, append_images=[corners()]), "PNG"),
        (encoded(corners(), "GIF"), "GIF"),
        (encoded(corners(), "BMP"), "BMP"),
        (encoded(corners(), "TIFF"), "TIFF"),
        (encoded(corners(), "TIFF", big_tiff=True), "TIFF"),
        (encoded(corners(), "PPM"), "PPM"),
        (encoded(corners().convert("L"), "PPM"), "PPM"),
        (encoded(corners().convert("1"), "PPM"), "PPM"),
        (encoded(corners(), "WEBP"), "WEBP"),
        (encoded(corners(), "WEBP", lossless=True), "WEBP"),
        (pages(b""), "PDF"),
        (b"", None),
        (b"\x89PN", None),
    ],
)
def test_the_content_says_what_a_file_is(data: bytes, image_format: str | None) -> None:
    assert detect_format(data) == image_format
    assert detect_format(data[:64]) == image_format


REFUSED = {
    "a JPEG 2000 image": encoded(corners(), "JPEG2000"),
    "a JPEG XL image": b"\xff\x0a" + bytes(40),
    "a BPG image": b"BPG\xfb" + bytes(40),
    "an MNG animation": b"\x8aMNG\r\n\x1a\n" + bytes(40),
    "an OpenEXR image": b"v/1\x01\x02\x00\x00\x00" + bytes(40),
    "a Radiance HDR image": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
    "a portable float map": b"PF\n2 2\n-1.0\n" + bytes(48),
    "a PAM image": b"P7\nWIDTH 2\n",
    "a DDS texture": encoded(corners(), "DDS"),
    "a QOI image": b"qoif" + struct.pack(">IIBB", 2, 2, 3, 0),
    "a FITS image": b"SIMPLE  =                    T".ljust(80),
    "a DICOM image": bytes(128) + b"DICM" + bytes(100),
    "an SGI image": encoded(corners(), "SGI"),
    "a Sun raster image": b"\x59\xa6\x6a\x95" + bytes(28),
    "a PCX image": encoded(corners(), "PCX"),
    "an X bitmap": encoded(corners().convert("1"), "XBM"),
    "a Windows metafile": b"\xd7\xcd\xc6\x9a" + bytes(40),
    "a DjVu document": b"AT&TFORM\x00\x00\x00\x00DJVU",
    "a PostScript document": encoded(corners(), "EPS"),
    "a Photoshop document": b"8BPS\x00\x01" + bytes(40),
    "a GIMP document": b"gimp xcf v011\x00",
    "an icon": encoded(corners(), "ICO"),
    "a camera's raw picture": struct.pack(">I", 24) + b"ftypcrx \x00\x00\x00\x01crx isom",
    "a video": struct.pack(">I", 24) + b"ftypisom\x00\x00\x02\x00isommp42",
    "a ZIP archive or office document": b"PK\x03\x04\x14\x00",
    "an SVG drawing": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "a web page": b"<!DOCTYPE html><html></html>",
    "starts like text": b"Dear Sir or Madam,",
    "no image we can open. Opened are JPEG, PNG": bytes(range(256)),
}


@pytest.mark.parametrize(("name", "data"), REFUSED.items(), ids=REFUSED.keys())
def test_every_other_file_is_refused_by_name(name: str, data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match=name):
        prepare_image(io.BytesIO(data))


def test_an_icon_of_apple_is_an_icon() -> None:
    with pytest.raises(UnsupportedFormat, match="an icon"):
        prepare_image(encoded(Image.new("RGBA", (16, 16)), "ICNS"))
