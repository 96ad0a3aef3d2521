"""``firellava ask`` as it is typed: what is printed where, and the exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Fault
from tests.api_server.plain_requests import encoded
from tests.core.images.printed_pages import printed_page

Run = Callable[..., subprocess.CompletedProcess[str]]
PICTURES = Path(__file__).parents[2] / "cookbook" / "images"


@pytest.fixture
def run(api_server: ApiServer) -> Run:
    def run_command(
        *arguments: str | Path, key: str | None = api_server.key
    ) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ, FIREWORKS_API_BASE=api_server.base_url, COLUMNS="200")
        if key is not None:
            environment["FIREWORKS_API_KEY"] = key
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-W", "error", "-m", "firellava", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run_command


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    path.write_bytes(encoded("PNG", (500, 500), "#ff0000"))
    return path


def test_the_answer_is_on_stdout_and_what_is_known_about_it_on_stderr(run: Run, picture: Path) -> None:
    done = run("ask", picture, "What is this?")
    assert done.stdout == "question: What is this? | image 1: PNG 336x336 mean #ff0000\n"
    assert "fireworks:firellava-13b" in done.stderr
    assert "576 for images" in done.stderr
    assert "$0.000" in done.stderr
    assert done.returncode == 0


def test_a_question_needs_no_image(run: Run) -> None:
    assert run("ask", "Hello").stdout == "question: Hello\n"


def test_several_images_come_before_the_question_and_the_note_is_shown(run: Run, picture: Path) -> None:
    done = run("ask", picture, picture, "Which?")
    assert "image 2: PNG" in done.stdout
    assert "note: firellava-13b was not trained with several images" in done.stderr


def test_options_reach_the_api(run: Run, api_server: ApiServer) -> None:
    run("ask", "Hello", "--model", "qwen3p8-max", "--system", "", "--temperature", "0", "--max-tokens", "9")
    sent = api_server.requests[0].json
    assert sent["model"].endswith("qwen3p8-max")
    assert sent["messages"][0] == {"role": "system", "content": ""}
    assert (sent["temperature"], sent["max_tokens"]) == (0, 9)


def test_what_the_model_is_shown_is_saved_to_be_looked_at(
    run: Run, api_server: ApiServer, picture: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    done = run("ask", picture, "What is this?", "--show-prepared", folder)
    (sent,) = api_server.requests[0].images
    assert (folder / "prepared-1.png").read_bytes() == sent.data
    assert f"prepared: {folder / 'prepared-1.png'}" in done.stderr
    assert done.stdout.startswith("question: What is this?")


def test_the_parts_of_a_cut_image_are_saved_too(run: Run, api_server: ApiServer, tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    page.write_bytes(encoded("PNG", (1000, 1400), "#ff0000"))
    run("ask", page, "What is this?", "--fit", "tiles", "--show-prepared", tmp_path)
    written = sorted(path.name for path in tmp_path.glob("prepared-*"))
    assert written == [
        "prepared-1-part-1.png",
        *(f"prepared-1-part-{n}.png" for n in (2, 3, 4)),
        "prepared-1.png",
    ]
    assert len(api_server.requests[0].images) == 5


def test_without_a_key_it_is_saved_all_the_same(run: Run, picture: Path, tmp_path: Path) -> None:
    done = run("ask", picture, "What?", "--fallback", "none", "--show-prepared", tmp_path, key=None)
    assert done.returncode == 3
    assert (tmp_path / "prepared-1.png").is_file()


def test_where_nothing_can_be_written_nothing_is_asked(
    run: Run, api_server: ApiServer, picture: Path
) -> None:
    done = run("ask", picture, "What?", "--show-prepared", picture)
    assert done.returncode == 2
    assert "Nothing can be written into" in done.stderr
    assert api_server.requests == []


def test_text_too_small_to_read_is_noted(run: Run, tmp_path: Path) -> None:
    printed_page(30)[0].save(tmp_path / "page.png")
    done = run("ask", tmp_path / "page.png", "What is the total?", "--show-prepared", tmp_path)
    assert done.stderr.count("note: The text of a page is too small to read") == 1


def test_json_is_for_machines(run: Run, picture: Path) -> None:
    done = run("ask", "--json", picture, "What is this?")
    told = json.loads(done.stdout)
    assert told["text"].startswith("question: What is this?")
    assert told["backend"] == "fireworks:firellava-13b"
    assert told["usage"]["image_tokens"] == 576
    assert float(told["cost_usd"]) > 0
    assert told["degraded"] is False


@pytest.mark.engine("rapidocr")
def test_without_a_key_this_machine_answers_and_says_so(run: Run, api_server: ApiServer) -> None:
    done = run("ask", PICTURES / "receipt.jpg", "What is the total?", key=None)
    assert "49.98" in done.stdout
    assert "offline-reader" in done.stderr
    assert "no vision model" in done.stderr
    assert "instead of fireworks:firellava-13b: No API key" in done.stderr
    assert done.returncode == 0
    assert api_server.requests == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["ask", "missing.jpg", "What?"], 2, "missing.jpg"),
        (["ask", " "], 2, "empty"),
        (["ask", "Hello", "--temperature", "7"], 2, "temperature"),
        (["ask", "Hello", "--model", "nonesuch"], 1, "may be retired"),
        (["ask", "Hello", "--base-url", "http://example.com"], 3, "unencrypted"),
        (["ask"], 2, "QUESTION"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    run: Run, arguments: list[str], code: int, told: str
) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_no_key_and_no_fallback_is_a_matter_of_settings(run: Run) -> None:
    done = run("ask", "Hello", "--fallback", "none", key=None)
    assert done.returncode == 3
    assert done.stderr.strip().startswith("firellava: No API key")


def test_a_failing_server_is_exit_code_1_and_debug_shows_the_traceback(
    run: Run, api_server: ApiServer
) -> None:
    api_server.fail_next(Fault(status=500), times=2)
    assert run("ask", "Hello", "--fallback", "none").returncode == 1
    done = run("ask", "Hello", "--fallback", "none", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ServerFailed" in done.stderr


def test_the_version_is_shown(run: Run) -> None:
    assert run("--version").stdout.startswith("firellava 0.")
