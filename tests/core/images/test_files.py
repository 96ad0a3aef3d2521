import os
import socket
from pathlib import Path

import pytest

from firellava.errors import ForbiddenPath, ImageError, ImageTooLarge, UnreadableImage
from firellava.images import ImageSource, decode_image, describe_metadata, inline_image, prepare_image
from tests.core.images.samples import corners, encoded

PNG = encoded(corners(), "PNG")


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """A folder to read from, beside a secret that is out of bounds."""
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "pictures-of-others").mkdir()
    (tmp_path / "pictures-of-others" / "a.png").write_bytes(PNG)
    return folder


@pytest.mark.parametrize("inside", ["inner/a.png", "inner/../inner/a.png", "./inner/a.png"])
def test_files_inside_the_roots_are_read(roots: Path, inside: str) -> None:
    assert ImageSource.of(roots / inside).load([roots]).data == PNG
    assert ImageSource.of(f"{roots}/{inside}").load([Path("/nowhere"), roots]).data == PNG


@pytest.mark.parametrize(
    "outside",
    [
        "../secret.png",
        "inner/../../secret.png",
        "../pictures-of-others/a.png",
        "../missing.png",
        "/etc/passwd",
    ],
)
def test_files_outside_the_roots_are_forbidden_whether_or_not_they_exist(roots: Path, outside: str) -> None:
    with pytest.raises(ForbiddenPath, match="image_roots"):
        ImageSource.of(roots / outside).load([roots])


def test_no_roots_allow_no_file(roots: Path) -> None:
    with pytest.raises(ForbiddenPath):
        ImageSource.of(roots / "inner" / "a.png").load([])


def test_a_link_counts_as_what_it_points_to(roots: Path) -> None:
    (roots / "out.png").symlink_to(roots.parent / "secret.png")
    (roots / "folder").symlink_to(roots.parent)
    (roots / "in.png").symlink_to(roots / "inner" / "a.png")
    for name in ("out.png", "folder/secret.png"):
        with pytest.raises(ForbiddenPath):
            ImageSource.of(roots / name).load([roots])
    assert ImageSource.of(roots / "in.png").load([roots]).data == PNG


def test_the_roots_may_be_links_themselves(roots: Path) -> None:
    link = roots.parent / "link"
    link.symlink_to(roots)
    assert ImageSource.of(roots / "inner" / "a.png").load([link]).data == PNG
    assert ImageSource.of(link / "inner" / "a.png").load([roots]).data == PNG


def test_every_function_that_reads_files_keeps_to_the_roots(roots: Path) -> None:
    source = ImageSource.of(roots.parent / "secret.png")
    with pytest.raises(ForbiddenPath):
        prepare_image(source, image_roots=[roots])
    with pytest.raises(ForbiddenPath):
        inline_image(source, image_roots=[roots])
    with pytest.raises(ForbiddenPath):
        decode_image(source, image_roots=[roots])
    with pytest.raises(ForbiddenPath):
        describe_metadata(source, ["Model"], image_roots=[roots])


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableImage, match="regular"):
        ImageSource.of(tmp_path / "pipe.png").load()


def test_sockets_devices_and_folders_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        for path in (tmp_path / "s", Path("/dev/zero"), Path("/dev/tty"), tmp_path):
            with pytest.raises(UnreadableImage):
                ImageSource.of(path).load()


def test_what_is_no_regular_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.setattr(os, "open", pytest.fail)  # opening a device may do something
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(UnreadableImage, match="regular"):
            ImageSource.of(path).load()


def test_a_file_swapped_for_a_link_after_it_was_judged_is_not_followed(
    roots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = roots / "inner" / "a.png"
    open_file = os.open

    def swap_and_open(name: Path, flags: int) -> int:
        path.unlink()
        path.symlink_to(roots.parent / "secret.png")
        return open_file(name, flags)

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises(UnreadableImage):
        ImageSource.of(path).load([roots])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"no file '.*missing\.png'"):
        ImageSource.of(tmp_path / "missing.png").load()


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> int:
        raise PermissionError(13, "Permission denied")  # as for anyone but root, who may run the tests

    path = tmp_path / "closed.png"
    path.write_bytes(PNG)
    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(UnreadableImage, match=r"closed\.png.*permission"):
        ImageSource.of(path).load()


@pytest.mark.parametrize("path", ["a\x00.png", "loop", "x" * 300, "a.png/b.png", ""])
def test_paths_that_cannot_be_are_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "a.png").write_bytes(PNG)
    with pytest.raises(ImageError):
        ImageSource.of(f"{tmp_path}/{path}").load()


def test_a_file_over_the_cap_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(300_000_000)
    with pytest.raises(ImageTooLarge, match=r"huge\.png.*300,000,000"):
        ImageSource.of(path).load()


def test_a_file_that_is_no_image_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("hunter2 is the password")
    with pytest.raises(ImageError, match=r"notes\.png.*starts like text") as caught:
        prepare_image(path)
    assert "hunter2" not in str(caught.value)
