"""The engine reads in silence, offline, from any thread, and remembers what it read."""

import importlib.metadata
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image, ImageDraw, ImageFont

from firellava.errors import ConfigurationError, MissingExtra
from firellava.reader import engine
from firellava.reader.engine import REMEMBERED_IMAGES, read
from tests.core.reader import documents

needs_engine = pytest.mark.engine("rapidocr")


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter, where the engine is not loaded yet."""
    return subprocess.run(  # noqa: S603 - the programs are this file's own
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )


@needs_engine
def test_text_is_found_where_it_stands() -> None:
    (box,) = read(documents.drawn(["Harbor Books"], width=700, first=48))
    assert box.text == "Harbor Books"
    assert box.score > 0.9
    assert (round(box.left / 20), round(box.middle[1] / 20)) == (2, 3)
    assert 30 < box.height < 80


@needs_engine
def test_boxes_are_in_pixels_of_the_image_however_large_it_is() -> None:
    small = documents.drawn(["Harbor Books"], width=700, first=48)
    (box,), (large,) = read(small), read(small.resize((small.width * 4, small.height * 4)))
    for one, four in ((box.left, large.left), (box.right, large.right), (box.top, large.top)):
        assert four / 4 == pytest.approx(one, abs=6)


@needs_engine
@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_every_mode_is_read(mode: str) -> None:
    assert [box.text for box in read(documents.drawn(["Harbor Books"], first=48).convert(mode))] == [
        "Harbor Books"
    ]


@needs_engine
@pytest.mark.parametrize("text", ["Crème brûlée 7,50", "Straße der Königin", "São João, Århus"])
def test_accents_are_kept(text: str) -> None:
    picture = Image.new("RGB", (900, 140), "white")
    font = ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 44)
    ImageDraw.Draw(picture).text((40, 40), text, "black", font)
    assert [box.text for box in read(picture)] == [text]


@needs_engine
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3000, 2), (64, 64)])
def test_an_image_without_room_for_text_has_none(size: tuple[int, int]) -> None:
    assert read(Image.new("RGB", size, "white")) == ()


@needs_engine
def test_a_picture_is_read_once() -> None:
    first = documents.drawn(["Read me once"])
    assert read(first) is read(first.copy())
    assert read(first) != read(documents.drawn(["Another text"]))


@needs_engine
def test_only_the_last_pictures_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = engine._Loaded()
    monkeypatch.setattr(engine, "_loaded", fresh)
    for shade in range(REMEMBERED_IMAGES + 3):
        read(Image.new("RGB", (40, 40), (shade, shade, shade)))
    assert len(fresh.read) == REMEMBERED_IMAGES


@needs_engine
def test_pictures_full_of_text_are_forgotten_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = engine._Loaded()
    monkeypatch.setattr(engine, "_loaded", fresh)
    monkeypatch.setattr(engine, "REMEMBERED_BOXES", 5)
    for number in range(4):
        read(documents.drawn([f"Page {number}", f"Total {number}.50"]))
    assert [len(boxes) for boxes in fresh.read.values()] == [2, 2]


@needs_engine
def test_what_is_remembered_holds_no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = engine._Loaded()
    monkeypatch.setattr(engine, "_loaded", fresh)
    read(documents.drawn(["Harbor Books"], width=700, first=48))
    assert len(pickle.dumps(fresh.read)) < 1000


@needs_engine
def test_threads_read_side_by_side_what_one_thread_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [documents.drawn([f"Page {number}", f"Total {number}.50"]) for number in range(8)]
    alone = [read(image) for image in images]
    monkeypatch.setattr(engine, "_loaded", engine._Loaded())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, images)) == alone


@needs_engine
def test_loading_and_reading_say_nothing_and_open_no_connection() -> None:
    program = (
        "import logging, socket; logging.basicConfig(level=logging.DEBUG)\n"
        "def refuse(*args, **kwargs): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from PIL import Image\n"
        "from firellava.reader import answer\n"
        "assert 'no text' in answer('What does it say?', [Image.new('RGB', (200, 80), 'white')]).text\n"
    )
    done = run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_engine
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_reads_too() -> None:
    program = (
        "import os, signal\n"
        "from tests.core.reader import documents\n"
        "from firellava.reader import engine\n"
        "engine.read(documents.drawn(['Read before']))\n"
        "with engine._loaded.lock:\n"  # as if another thread were asking for a picture
        "    child = os.fork()\n"
        "    if not child:\n"
        "        signal.alarm(60)\n"
        "        os._exit(0 if engine.read(documents.drawn(['Read after'])) else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_importing_the_reader_loads_no_engine() -> None:
    program = (
        "import sys, firellava.reader\n"
        "assert not {'rapidocr', 'onnxruntime', 'cv2', 'numpy'} & sys.modules.keys()\n"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_a_missing_package_names_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_loaded", engine._Loaded())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r'offline reader needs an extra: pip install "firellava\[ocr\]"'):
        read(Image.new("RGB", (40, 40)))


@needs_engine
def test_a_wheel_without_weights_is_named_and_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_loaded", engine._Loaded())
    monkeypatch.setattr(importlib.metadata, "files", lambda _: [])
    with pytest.raises(ConfigurationError, match="no weights"):
        read(Image.new("RGB", (40, 40)))
