import base64
import io
import pickle
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firellava.errors import ImageTooLarge, UnreadableImage
from firellava.images import ImageSource
from tests.core.images.samples import corners, encoded, exif_with_gps

PNG = encoded(corners(), "PNG")
BASE64 = base64.b64encode(PNG).decode()


def as_path(folder: Path) -> Path:
    path = folder / "photo.png"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize(
    "value",
    [
        PNG,
        bytearray(PNG),
        memoryview(PNG),
        io.BytesIO(PNG),
        f"data:image/png;base64,{BASE64}",
        f"DATA:image/jpeg;name=a.jpg;BASE64,{BASE64}",
        "data:image/png;base64," + BASE64.replace("+", "%2B").replace("/", "%2F"),
        "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
    ],
    ids=["bytes", "bytearray", "memoryview", "file", "data URL", "upper case", "escaped base64", "percent"],
)
def test_every_way_to_hand_in_bytes_gives_the_same_image(value: Any) -> None:
    assert ImageSource.of(value) == ImageSource.from_bytes(PNG)


def test_a_file_becomes_the_same_image_once_it_is_loaded(tmp_path: Path) -> None:
    path = as_path(tmp_path)
    for value in (path, str(path)):
        source = ImageSource.of(value)
        assert source.kind == "path"
        assert source.sha256 is None
        assert source.load() == ImageSource.from_bytes(PNG)
    with path.open("rb") as file:
        assert ImageSource.of(file) == ImageSource.from_bytes(PNG)


def test_a_source_is_taken_as_it_is() -> None:
    source = ImageSource.from_bytes(PNG)
    assert ImageSource.of(source) is source
    assert source.load() is source


def test_a_buffer_that_stands_at_its_end_is_read_from_its_start() -> None:
    buffer = io.BytesIO()
    corners().save(buffer, "PNG")
    assert ImageSource.of(buffer).data == buffer.getvalue()


def test_a_stream_that_cannot_be_rewound_is_read_once() -> None:
    class Stream(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readall(self) -> bytes:
            return PNG

        def read(self, _: int = -1) -> bytes:
            return PNG

    source = ImageSource.of(Stream())  # type: ignore[arg-type]  # reads like a file
    assert source.load().data == PNG


@pytest.mark.parametrize("breaks", ["\n", "\r\n", " "])
def test_base64_may_be_broken_into_lines_and_lack_its_padding(breaks: str) -> None:
    lines = breaks.join(BASE64[start : start + 76] for start in range(0, len(BASE64), 76))
    assert ImageSource.from_base64(lines.rstrip("=")).data == PNG


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    path = as_path(tmp_path)
    digests = {ImageSource.from_bytes(PNG).sha256, ImageSource.of(path).load().sha256}
    assert len(digests) == 1
    assert ImageSource.from_bytes(PNG + b"!").sha256 not in digests
    first, second = ImageSource.from_pil(corners()), ImageSource.from_pil(corners().convert("P"))
    assert first.sha256 == ImageSource.from_pil(corners()).sha256
    assert first.sha256 != second.sha256
    assert first.sha256 != ImageSource.from_pil(corners((80, 120))).sha256


def test_sources_compare_and_hash_by_content() -> None:
    assert {ImageSource.from_bytes(PNG), ImageSource.from_base64(BASE64)} == {ImageSource.from_bytes(PNG)}
    assert ImageSource.from_url("https://a/x") == ImageSource.from_url("https://a/x")
    assert ImageSource.from_url("https://a/x") != ImageSource.from_url("https://a/y")
    assert ImageSource.from_path("https") != ImageSource.from_path("http")
    assert ImageSource.from_bytes(PNG) != PNG


def test_a_palette_is_part_of_the_content() -> None:
    first, second = Image.new("P", (4, 4)), Image.new("P", (4, 4))
    first.putpalette([255, 0, 0])
    second.putpalette([0, 0, 255])
    assert ImageSource.from_pil(first) != ImageSource.from_pil(second)


def test_every_kind_pickles(tmp_path: Path) -> None:
    for source in (
        ImageSource.from_bytes(PNG),
        ImageSource.of(as_path(tmp_path)),
        ImageSource.from_url("https://example.com/a.png"),
        ImageSource.from_pil(corners()),
    ):
        copy = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own pickle
        assert copy == source
        assert copy.load().sha256 == source.load().sha256


def test_later_changes_to_a_pillow_image_are_not_seen() -> None:
    picture = corners()
    source = ImageSource.from_pil(picture)
    picture.paste((0, 0, 0), (0, 0, *picture.size))
    assert source == ImageSource.from_pil(corners())


def test_a_pillow_image_is_turned_upright_and_loses_its_metadata() -> None:
    lying = Image.open(io.BytesIO(encoded(corners(), "JPEG", exif=exif_with_gps(6), quality=95)))
    pixels = ImageSource.from_pil(lying).pixels
    assert pixels is not None
    assert pixels.size == (80, 120)
    assert pixels.info == {}
    assert 0x010F not in pixels.getexif()


def test_a_pillow_image_that_does_not_decode_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="does not decode"):
        ImageSource.from_pil(Image.open(io.BytesIO(encoded(corners((400, 300)), "JPEG")[:1500])))


def test_a_pillow_image_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(ImageTooLarge, match="80,000,000"):
        ImageSource.from_pil(Image.new("1", (10_000, 8_001)))


@pytest.mark.parametrize(
    "url",
    ["https://example.com/a.png?token=abc#x", "HTTP://example.com:8080/a", " https://bücher.example/ä.png"],
)
def test_http_urls_are_kept_whole(url: str) -> None:
    source = ImageSource.of(url.strip())
    assert source.is_url
    assert source.url == url.strip()
    assert ImageSource.from_url(url).url == url.strip()
    assert source.load() is source
    assert source.sha256 is None


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://example.com/a.png",
        "gopher://example.com/",
        "javascript://x",
        "https://",
        "https:///a.png",
        "https://[::1/a.png",
        "https://example.com:port/a.png",
        "https://user:hunter2@example.com/a.png",
        "https://hunter2@example.com/a.png",
        "https://example.com/a b.png",
        "https://example.com/a\nHost: b",
        "https://example.com/\x00",
    ],
)
def test_other_addresses_are_refused_without_repeating_their_secrets(url: str) -> None:
    for make in (ImageSource.of, ImageSource.from_url):
        with pytest.raises(UnreadableImage) as caught:
            make(url)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["photo.png", "/etc/passwd", "example.com/a.png", "", "data:image/png;base64,AAAA"]
)
def test_only_web_addresses_are_taken_as_urls(text: str) -> None:
    with pytest.raises(UnreadableImage):
        ImageSource.from_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,@@@@",
        "data:image/png;base64,AAAAA",
        "data:,",
        "data:image/png;base64,ÄÄÄÄ",
    ],
)
def test_malformed_data_urls_are_refused(text: str) -> None:
    with pytest.raises(UnreadableImage):
        ImageSource.of(text)


@pytest.mark.parametrize("text", ["", "@@@@", "AAAAA", "iVBORw0KGgo\x00", "data:image/png;base64,AAAA"])
def test_malformed_base64_is_refused(text: str) -> None:
    with pytest.raises(UnreadableImage):
        ImageSource.from_base64(text)


@pytest.mark.parametrize("value", [None, 3, ["photo.png"], {"url": "https://example.com"}, object()])
def test_a_value_of_any_other_type_is_refused_by_name(value: Any) -> None:
    with pytest.raises(UnreadableImage, match=type(value).__name__):
        ImageSource.of(value)


def test_a_file_opened_as_text_is_refused() -> None:
    with tempfile.TemporaryFile("w+") as file, pytest.raises(UnreadableImage, match="binary mode"):
        ImageSource.of(file)  # type: ignore[arg-type]  # the mistake this is about


def test_more_than_a_hundred_megabytes_are_refused() -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            return bytes(size)

    with pytest.raises(ImageTooLarge, match="100,000,000"):
        ImageSource.of(Endless())
    with pytest.raises(ImageTooLarge, match="100,000,000"):
        ImageSource.from_base64("A" * 134_000_000)


def test_reprs_show_what_may_be_logged_and_no_more(tmp_path: Path) -> None:
    path = as_path(tmp_path)
    loaded = ImageSource.of(path).load()
    digest = (loaded.sha256 or "")[:12]
    assert repr(ImageSource.of(path)) == f"ImageSource(path {str(path)!r})"
    assert repr(loaded) == f"ImageSource(bytes {str(path)!r}, {len(PNG):,} bytes, sha256 {digest})"
    assert repr(ImageSource.from_base64(BASE64)) == f"ImageSource(bytes {len(PNG):,} bytes, sha256 {digest})"
    url = "https://example.com/a/b.png?signature=SECRET#SECRET"
    assert repr(ImageSource.from_url(url)) == "ImageSource(url https://example.com/a/b.png)"
    assert repr(ImageSource.from_pil(corners())).startswith("ImageSource(pixels RGB 120x80, sha256 ")


def test_base64_mistaken_for_a_path_is_not_repeated() -> None:
    for text in (BASE64, BASE64[:100]):
        with pytest.raises(UnreadableImage, match="from_base64") as caught:
            ImageSource.of(text).load()
        assert text[:20] not in str(caught.value)
        assert text[:20] not in repr(ImageSource.of(text))


def test_many_threads_find_one_hash() -> None:
    source = ImageSource.from_pil(corners((600, 400)))
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(source.sha256)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {ImageSource.from_pil(corners((600, 400))).sha256}
    assert len(found) == 16
