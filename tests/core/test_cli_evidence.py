"""``firellava ask --show-evidence`` as it is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from tests.api_server import ApiServer

PICTURES = Path(__file__).parents[2] / "cookbook" / "images"
RECEIPT = PICTURES / "receipt.jpg"


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("FIREWORKS_", "FIRELLAVA_"))
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-m", "firellava", "ask", *map(str, arguments)],
        env={**clean, "FIRELLAVA_LOCAL_PORTS": "", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def differing(before: Path, after: Path) -> tuple[int, int, int, int]:
    with Image.open(before) as original, Image.open(after) as drawn:
        box = ImageChops.difference(original.convert("RGB"), drawn.convert("RGB")).getbbox()
    assert box is not None
    return box


@pytest.mark.engine("rapidocr")
def test_what_the_answer_quotes_is_framed_in_a_copy_of_the_image(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    done = run(RECEIPT, "What is the total?", "--show-evidence", folder)
    assert done.returncode == 0
    assert done.stdout == "$49.98\n"
    assert f"evidence: {folder / 'evidence-1.png'}" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["evidence-1.png"]
    left, top, right, bottom = differing(RECEIPT, folder / "evidence-1.png")
    assert 790 < top < 840  # the line of the total
    assert 860 < bottom < 900
    assert right > 660  # its amount
    assert left > 130


@pytest.mark.engine("rapidocr")
def test_only_images_that_are_quoted_are_saved(tmp_path: Path) -> None:
    done = run(
        PICTURES / "photograph.jpg", RECEIPT, "What is the receipt number?", "--show-evidence", tmp_path
    )
    assert "004217" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["evidence-2.png"]
    differing(RECEIPT, tmp_path / "evidence-2.png")


@pytest.mark.engine("rapidocr")
def test_in_json_it_is_among_the_rest_and_the_image_is_saved_as_well(tmp_path: Path) -> None:
    done = run("--json", RECEIPT, "What is the total?", "--show-evidence", tmp_path)
    evidence = json.loads(done.stdout)["evidence"]
    assert {quoted["image"] for quoted in evidence} == {0}
    assert "$49.98" in [quoted["text"] for quoted in evidence]
    assert (tmp_path / "evidence-1.png").exists()


def test_a_model_that_quotes_nothing_is_said_to(tmp_path: Path, api_server: ApiServer) -> None:
    api = {"FIREWORKS_API_BASE": api_server.base_url, "FIREWORKS_API_KEY": api_server.key}
    done = run(RECEIPT, "What is the total?", "--show-evidence", tmp_path, **api)
    assert done.returncode == 0
    assert "evidence: none, the answer quotes nothing" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_costs_no_question(tmp_path: Path, api_server: ApiServer) -> None:
    (tmp_path / "file").write_text("no folder")
    api = {"FIREWORKS_API_BASE": api_server.base_url, "FIREWORKS_API_KEY": api_server.key}
    done = run(RECEIPT, "What?", "--show-evidence", tmp_path / "file" / "folder", **api)
    assert done.returncode == 2
    assert "Nothing can be written into" in done.stderr
    assert api_server.requests == []
