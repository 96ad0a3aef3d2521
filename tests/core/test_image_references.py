"""A text that a model writes names an image that it may look at, or nothing at all."""

import os
import pickle
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from firellava.errors import (
    ConfigurationError,
    ImageError,
    ImageTooLarge,
    InvalidRequest,
    MissingExtra,
    UnreadableImage,
    UnsafeURL,
    UnsupportedFormat,
)
from firellava.image_references import ImageReferences, ReferredImage
from firellava.images import ImageSource
from firellava.images.fetch_policy import FetchPolicy
from tests.core.images.documents import pages, text
from tests.core.images.samples import corners, encoded

PNG = encoded(corners(), "PNG")
OTHER = encoded(Image.new("RGB", (30, 20), "#336699"), "PNG")
HASH = "sha256-" + str(ImageSource.from_bytes(PNG).sha256)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that may be looked at, beside a secret that may not."""
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.png").write_bytes(PNG)
    (folder / "notes.txt").write_text("hunter2 is the password")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "up").symlink_to(tmp_path)
    (folder / "in.png").symlink_to(folder / "inner" / "a.png")
    os.mkfifo(folder / "pipe.png")
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "pictures-of-others").mkdir()
    (tmp_path / "pictures-of-others" / "a.png").write_bytes(PNG)
    return folder


@pytest.fixture
def everywhere(folder: Path) -> ImageReferences:
    """Every form of reference is allowed."""
    return ImageReferences(
        {"receipt": PNG}, image_roots=folder, allowed_hosts=["img.example.com", "*.pictures.test"]
    )


class TestRegisteredImages:
    @pytest.mark.parametrize("image", [PNG, ImageSource.from_bytes(PNG)])
    def test_are_found_by_their_id(self, image: Any) -> None:
        images = ImageReferences()
        assert images.add(image, "receipt") == "receipt"
        found = images.resolve(" receipt\n")
        assert found.source.data == PNG
        assert found.registered
        assert found.as_dict() == {
            "reference": "receipt",
            "content_hash": HASH,
            "mime_type": "image/png",
            "size": list(corners().size),
        }

    def test_get_an_id_from_their_content(self, folder: Path) -> None:
        images = ImageReferences()
        first = images.add(PNG)
        assert first == "image-" + HASH.removeprefix("sha256-")[:8]
        assert images.add(folder / "inner" / "a.png") == first
        assert images.add(OTHER) != first
        assert images.ids == (first, images.add(OTHER))

    def test_get_a_longer_id_where_another_image_has_the_short_one(self) -> None:
        images = ImageReferences()
        short = ImageReferences().add(PNG)
        images.add(OTHER, short)
        longer = images.add(PNG)
        assert longer.startswith(short)
        assert longer != short
        assert images.resolve(longer).source.data == PNG
        assert images.resolve(short).source.data == OTHER

    def test_keep_their_id_to_themselves(self) -> None:
        images = ImageReferences({"logo": PNG})
        assert images.add(PNG, "logo") == "logo"
        with pytest.raises(InvalidRequest, match="registered as 'logo'"):
            images.add(OTHER, "logo")
        assert images.resolve("logo").source.data == PNG

    @pytest.mark.parametrize("image_id", ["a", "_", "receipt.jpg", "Rechnung_März", "2026-01-31", "x" * 64])
    def test_may_be_called_many_things(self, image_id: str) -> None:
        assert ImageReferences({image_id: PNG}).resolve(image_id).source.data == PNG

    @pytest.mark.parametrize("image_id", ["", " a", "a b", "a/b", "../a", "-a", ".a", "a:b", "a\n", "x" * 65])
    def test_may_not_be_called_what_looks_like_something_else(self, image_id: str) -> None:
        with pytest.raises(InvalidRequest, match="no id for an image"):
            ImageReferences({image_id: PNG})

    @pytest.mark.parametrize(
        ("image", "error"),
        [("missing.png", UnreadableImage), (b"no image at all", UnsupportedFormat), (7, UnreadableImage)],
    )
    def test_must_be_images(self, image: Any, error: type[Exception]) -> None:
        images = ImageReferences()
        with pytest.raises(error):
            images.add(image)
        assert images.ids == ()

    def test_need_not_lie_where_other_images_do(self, tmp_path: Path, folder: Path) -> None:
        images = ImageReferences(image_roots=folder)
        images.add(tmp_path / "secret.png", "secret")
        assert images.resolve("secret").source.data == PNG

    def test_are_read_when_they_are_looked_at(self, tmp_path: Path) -> None:
        path = tmp_path / "screen.png"
        path.write_bytes(PNG)
        images = ImageReferences({"screen": path})
        path.write_bytes(OTHER)
        assert images.resolve("screen").source.data == OTHER
        path.unlink()
        with pytest.raises(UnreadableImage, match=r"The image 'screen' is no longer there\.") as caught:
            images.resolve("screen")
        assert str(tmp_path) not in str(caught.value)

    def test_may_be_a_page_of_a_document_or_a_part_of_a_picture(self) -> None:
        part = ImageSource.from_bytes(PNG).cropped(0, 0, 0.5, 1)
        found = ImageReferences({"left": part}).resolve("left")
        width, height = corners().size
        assert found.size == (width // 2, height)
        assert found.source == part
        assert found.content_hash == HASH

    @pytest.mark.parametrize(
        ("image_format", "mime_type"),
        [("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("PPM", "image/x-portable-anymap")],
    )
    def test_are_of_the_type_that_their_content_says(self, image_format: str, mime_type: str) -> None:
        images = ImageReferences({"photo.png": encoded(corners(), image_format)})
        assert images.resolve("photo.png").mime_type == mime_type

    @pytest.mark.engine("pdf")
    def test_may_be_documents(self) -> None:
        data = pages(text(b"One"), text(b"Two"))
        first, second = ImageSource.pages(data)
        images = ImageReferences({"cover": first, "terms": second})
        assert images.resolve("terms").mime_type == "application/pdf"
        assert images.resolve("terms").source.page == 2
        assert images.resolve("terms").content_hash == images.resolve("cover").content_hash
        assert images.add(second) != images.add(first)

    def test_may_be_pixels(self) -> None:
        found = ImageReferences({"chart": corners()}).resolve("chart")
        assert (found.mime_type, found.size) == (None, corners().size)
        assert found.content_hash is not None

    def test_may_be_on_the_web_at_any_host(self) -> None:
        url = "https://anywhere.test/a.png?signature=secret"
        images = ImageReferences({"cat": url})
        assert images.resolve("cat").source.url == url
        assert images.resolve("cat").as_dict() == {
            "reference": "cat",
            "content_hash": None,
            "mime_type": None,
            "size": None,
        }
        with pytest.raises(UnsafeURL):
            images.resolve(url)
        assert images.add(url) == ImageReferences().add(url)

    def test_come_before_files_of_the_same_name(self, folder: Path) -> None:
        (folder / "logo.png").write_bytes(OTHER)
        images = ImageReferences(image_roots=folder)
        assert images.resolve("logo.png").source.data == OTHER
        images.add(PNG, "logo.png")
        assert images.resolve("logo.png").source.data == PNG

    def test_can_be_registered_by_many_threads_at_once(self) -> None:
        images = ImageReferences()
        pictures = [encoded(Image.new("L", (3, 3), shade), "PNG") for shade in range(40)]
        ready = threading.Barrier(8)
        winners: list[bytes] = []

        def register(number: int) -> None:
            ready.wait()
            for picture in pictures:
                images.add(picture)
            try:
                images.add(pictures[number], "current")
                winners.append(pictures[number])
            except InvalidRequest:
                pass

        threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(images.ids) == 41
        assert [images.resolve("current").source.data] == winners

    def test_travel_in_a_pickle(self, everywhere: ImageReferences) -> None:
        copy = pickle.loads(pickle.dumps(everywhere))  # noqa: S301 - pickled on this line
        assert copy.resolve("receipt") == everywhere.resolve("receipt")
        assert copy.forms == everywhere.forms


class TestFiles:
    @pytest.mark.parametrize("path", ["inner/a.png", "./inner/a.png", "inner/../inner/a.png", "in.png"])
    def test_inside_a_root_are_found(self, everywhere: ImageReferences, path: str) -> None:
        found = everywhere.resolve(path)
        assert (found.reference, found.source.data, found.registered) == (path, PNG, False)

    def test_inside_a_root_are_found_by_their_whole_path(
        self, everywhere: ImageReferences, folder: Path
    ) -> None:
        assert everywhere.resolve(f"{folder}/inner/a.png").content_hash == HASH

    def test_are_looked_for_in_each_root(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "b.png").write_bytes(OTHER)
        images = ImageReferences(image_roots=[folder, tmp_path / "more"])
        assert images.resolve("b.png").source.data == OTHER
        assert images.resolve("inner/a.png").source.data == PNG

    @pytest.mark.parametrize(
        "path",
        [
            "../secret.png",
            "inner/../../secret.png",
            "../pictures-of-others/a.png",
            "up/secret.png",
            "up/pictures/../secret.png",
            "out.png",
            "missing.png",
            "pipe.png",
            "inner",
            "",
            ".",
            "/",
            "/etc/passwd",
            "/dev/zero",
            "~/secret.png",
            "~root/.ssh/id_rsa",
            "$HOME/a.png",
            "%2e%2e/secret.png",
            "file:inner/a.png",
            "file:///etc/passwd",
            "FILE://localhost/etc/passwd",
            "\\\\server\\share\\a.png",
            "..\\secret.png",
            "C:\\Windows\\a.png",
            "inner/a.png\x00.txt",
            "\ud800.png",
            "x" * 5000,
            "data:image/png;base64,iVBORw0KGgo=",
            "DATA:,x",
            "ftp://img.example.com/a.png",
            "javascript:alert(1)",
            "//img.example.com/a.png",
            "img.example.com/a.png",
        ],
    )
    def test_elsewhere_are_refused_like_those_that_do_not_exist(
        self, everywhere: ImageReferences, tmp_path: Path, path: str
    ) -> None:
        with pytest.raises(UnreadableImage, match=r"There is no image .*Name an image by its id") as caught:
            everywhere.resolve(path)
        assert str(tmp_path) not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    def test_elsewhere_are_refused_by_their_whole_path_too(
        self, everywhere: ImageReferences, tmp_path: Path
    ) -> None:
        for path in (tmp_path / "secret.png", tmp_path / "pictures-of-others" / "a.png"):
            with pytest.raises(UnreadableImage, match="There is no image"):
                everywhere.resolve(str(path))

    def test_are_refused_where_there_is_no_root(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)
        for path in ("inner/a.png", str(folder / "inner" / "a.png")):
            with pytest.raises(UnreadableImage, match="There is no image"):
                ImageReferences({"receipt": PNG}).resolve(path)

    def test_that_are_no_images_are_called_as_the_model_did(
        self, everywhere: ImageReferences, tmp_path: Path
    ) -> None:
        with pytest.raises(UnsupportedFormat, match=r"^'notes\.txt' is no image") as caught:
            everywhere.resolve("notes.txt")
        assert "hunter2" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)

    def test_that_are_too_large_are_called_as_the_model_did(
        self, everywhere: ImageReferences, folder: Path
    ) -> None:
        with (folder / "huge.png").open("wb") as file:
            file.truncate(300_000_000)
        with pytest.raises(ImageTooLarge, match=r"^The file 'huge\.png' has too many bytes\.$"):
            everywhere.resolve("huge.png")

    def test_of_a_format_that_an_extra_opens_are_refused_where_it_is_missing(
        self, everywhere: ImageReferences, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(*_: object) -> None:
            raise MissingExtra("pdf", "A PDF")

        monkeypatch.setattr("firellava.images.decode.open_page", missing)
        (folder / "report.pdf").write_bytes(b"%PDF-1.7")
        with pytest.raises(UnsupportedFormat, match=r"'report\.pdf' .*cannot be opened here"):
            everywhere.resolve("report.pdf")

    def test_called_like_base64_are_not_repeated(self, everywhere: ImageReferences) -> None:
        with pytest.raises(UnreadableImage, match=r"There is no image \(400 characters\)"):
            everywhere.resolve("iVBO" * 100)


class TestURLs:
    @pytest.mark.parametrize(
        ("written", "passed_on"),
        [
            ("https://img.example.com/a.png", "https://img.example.com/a.png"),
            ("http://img.example.com/a.png?w=1#x", "http://img.example.com/a.png?w=1#x"),
            ("HTTPS://IMG.Example.com/a.png", "https://img.example.com/a.png"),
            ("https://img.example.com./a.png", "https://img.example.com./a.png"),
            ("https://img.example.com:8443/a.png", "https://img.example.com:8443/a.png"),
            ("https://a.b.pictures.test/a%20b.png", "https://a.b.pictures.test/a%20b.png"),
        ],
    )
    def test_of_allowed_hosts_are_passed_on(
        self, everywhere: ImageReferences, written: str, passed_on: str
    ) -> None:
        found = everywhere.resolve(written)
        assert (found.reference, found.source.url, found.registered) == (written, passed_on, False)
        assert found.content_hash is None

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.test/a.png",
            "https://example.com/a.png",
            "https://x.img.example.com/a.png",
            "https://pictures.test/a.png",
            "https://notpictures.test/a.png",
            "https://img.example.com.evil.test/a.png",
            "https://evil.test/img.example.com",
            "https://evil.test#img.example.com",
            "https://evil.test?img.example.com",
            "https://img.example.com@evil.test/a.png",
            "https://evil.test\\@img.example.com/a.png",
            "https://img.example.com\\@evil.test/a.png",
            "https://evil.test\\.pictures.test/a.png",
            "https://user:word@img.example.com/a.png",
            "https://img.example.com:word/a.png",
            "https://img.example.com:0/a.png",
            "https://127.0.0.1/a.png",
            "https://2130706433/a.png",
            "https://[::1]/a.png",
            "https://img.example.com\t.evil.test/a.png",
            "https://img.example.com%2f.pictures.test@evil.test/",
            "https://\uff49mg\u3002example\u3002com.evil.test/a.png",
            "https:img.example.com/a.png",
            "https:/img.example.com/a.png",
            "https://",
            "http:",
        ],
    )
    def test_of_other_hosts_are_refused(self, everywhere: ImageReferences, url: str) -> None:
        with pytest.raises(UnsafeURL, match=r"may not be looked at\. Name an image by its id"):
            everywhere.resolve(url)

    def test_are_all_refused_by_default(self) -> None:
        with pytest.raises(UnsafeURL):
            ImageReferences({"receipt": PNG}).resolve("https://img.example.com/a.png")

    def test_are_refused_without_repeating_what_may_be_a_signature(self, everywhere: ImageReferences) -> None:
        with pytest.raises(UnsafeURL, match=r"https://evil\.test/a\.png") as caught:
            everywhere.resolve("https://evil.test/a.png?signature=secret#secret")
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("img.example.com", "img.example.com"),
            ("IMG.example.com.", "img.example.com"),
            ("*.Example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("localhost", "localhost"),
        ],
    )
    def test_are_allowed_by_hosts_however_they_are_written(self, given: str, kept: str) -> None:
        assert f"{kept!r}" in ImageReferences(allowed_hosts=given).forms

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "*",
            "*.",
            "https://img.example.com",
            "img.example.com/a",
            "img.example.com:443",
            "img.example.com:8443",
            "a@b.test",
            "a.*.test",
            "a b",
            "img.example.com?x",
            "img.example.com#x",
        ],
    )
    def test_are_not_allowed_by_what_is_no_host(self, host: str) -> None:
        with pytest.raises(ConfigurationError, match="allowed_hosts"):
            ImageReferences(allowed_hosts=[host])


class TestWhatMayBeDownloaded:
    POLICY = FetchPolicy(seconds=3)

    def policy_for(self, images: ImageReferences, *references: str, given: Any = POLICY) -> Any:
        return images.fetch_policy(given, [images.resolve(reference) for reference in references])

    def test_is_held_to_the_allowed_hosts_where_a_model_wrote_a_url(
        self, everywhere: ImageReferences
    ) -> None:
        hosts = {"img.example.com", "*.pictures.test"}
        url = "https://img.example.com./a.png"
        assert self.policy_for(everywhere, "receipt", url) == FetchPolicy(seconds=3, allowed_hosts=hosts)
        assert self.policy_for(everywhere, url, given=None) == FetchPolicy(allowed_hosts=hosts)
        narrow = FetchPolicy(allowed_hosts={"x.pictures.test", "other.test"})
        assert self.policy_for(everywhere, url, given=narrow).allowed_hosts == {"x.pictures.test"}

    def test_stays_as_it_was_for_what_the_developer_named(self, everywhere: ImageReferences) -> None:
        everywhere.add("https://anywhere.test/a.png", "cat")
        assert self.policy_for(everywhere, "cat", "receipt", "in.png") is self.POLICY
        assert self.policy_for(everywhere, "cat", given=None) is None

    def test_includes_the_hosts_of_registered_images_beside_a_url(self, everywhere: ImageReferences) -> None:
        everywhere.add("https://anywhere.test/a.png", "cat")
        policy = self.policy_for(everywhere, "cat", "https://img.example.com/a.png")
        assert policy.allowed_hosts == {"img.example.com", "*.pictures.test", "anywhere.test"}


class TestWhatAModelIsTold:
    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({}, "by its id (there is none yet)"),
            ({"registered": {"a": PNG, "b": OTHER}}, "by its id ('a', 'b')"),
            ({"image_roots": "pictures"}, "by its path inside the image folder, such as 'folder/photo.jpg'"),
            ({"allowed_hosts": "img.test"}, "by its URL at an allowed host ('img.test')"),
            (
                {"registered": {"a": PNG}, "allowed_hosts": {"img.test", "*.a.test"}},
                "by its id ('a'), or by its URL at an allowed host ('*.a.test', 'img.test')",
            ),
        ],
    )
    def test_names_what_is_allowed(self, settings: dict[str, Any], told: str) -> None:
        assert ImageReferences(**settings).forms == told

    def test_lists_no_more_ids_than_a_model_wants_to_read(self) -> None:
        images = ImageReferences({f"page-{number}": PNG for number in range(20)})
        assert "'page-19'" in images.forms
        images.add(PNG, "page-20")
        assert images.forms == "by its id (21 of them)"

    def test_changes_with_what_is_registered(self) -> None:
        images = ImageReferences({"a": PNG})
        with pytest.raises(UnreadableImage, match=r"Name an image by its id \('a'\)\.$"):
            images.resolve("b")
        images.add(OTHER, "b")
        with pytest.raises(UnreadableImage, match=r"Name an image by its id \('a', 'b'\)\.$"):
            images.resolve("c")

    def test_shows_in_the_repr_and_no_image_does(self, everywhere: ImageReferences, tmp_path: Path) -> None:
        assert repr(everywhere).startswith("ImageReferences(1 registered, by its id ('receipt')")
        assert str(tmp_path) not in repr(everywhere)


references = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            ["..", ".", "/", "inner", "a.png", "up", "secret.png", "out.png", "~", "\x00", "\\", "pictures"]
        )
    ).map("/".join),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["http://", "https://", "HTTP:", "file://", "data:", "//", "https:\\\\"]),
        st.sampled_from(["img.example.com", "evil.test", "img.example.com@evil.test", "x.pictures.test", ""]),
        st.text(),
    ),
)


@example("up/secret.png")
@example("https://img.example.com\\@evil.test/")
@given(reference=references)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_names_an_image_that_may_be_looked_at_or_is_refused_without_a_word_about_this_machine(
    everywhere: ImageReferences, tmp_path: Path, reference: str
) -> None:
    found = image_or_error(everywhere, reference)
    if isinstance(found, ImageError):
        assert str(tmp_path) not in str(found).replace(repr(reference.strip()), "")
    elif found.source.url is not None:
        host = str(urlsplit(found.source.url).hostname).removesuffix(".")
        assert host == "img.example.com" or host.endswith(".pictures.test")
    else:
        assert found.source.data == PNG
        assert "secret" not in reference


def image_or_error(images: ImageReferences, reference: str) -> ReferredImage | ImageError:
    try:
        return images.resolve(reference)
    except ImageError as error:
        return error
