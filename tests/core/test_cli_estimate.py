"""``firellava estimate`` as it is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PICTURE = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"
# Nobody listens there: a command that asked anything would not answer.
NOWHERE = "http://127.0.0.1:9/v1"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FIREWORKS_", "FIRELLAVA_"))
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-m", "firellava", "estimate", *map(str, arguments)],
        env={**environment, "FIREWORKS_API_BASE": NOWHERE, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_table_tells_tokens_and_dollars_without_a_key_or_a_server() -> None:
    done = run(PICTURE, "What is the total?", "--max-tokens", "200")
    assert done.returncode == 0
    for told in ("firellava-13b", "1, 576 tokens", "at most 200 tokens", "it fits", "about $0.0001"):
        assert told in done.stdout
    assert done.stderr == ""


def test_an_image_by_url_is_counted_and_not_fetched() -> None:
    assert "2, 1,152 tokens" in run(PICTURE, f"{NOWHERE}/a.png", "What?").stdout


def test_json_has_exact_numbers_and_null_for_what_is_unknown() -> None:
    known = json.loads(run(PICTURE, "What?", "--json", "--max-tokens", "10").stdout)
    assert (known["image_tokens"], known["image_tokens_are"], known["fits"]) == (576, "exact", True)
    assert float(known["prompt_cost_usd"]) == pytest.approx(known["prompt_tokens"] * 0.2e-6)
    unknown = json.loads(run(PICTURE, "What?", "--json", "--model", "kimi-k3").stdout)
    assert (unknown["model"], unknown["image_tokens"], unknown["cost_usd_at_most"]) == ("kimi-k3", None, None)


def test_a_system_prompt_and_a_borrowed_card_count() -> None:
    plain = json.loads(run("What?", "--json").stdout)
    longer = json.loads(run("What?", "--json", "--system", "Answer in one word. " * 9).stdout)
    assert longer["text_tokens"] > plain["text_tokens"] + 30
    mine = json.loads(
        run(
            PICTURE, "What?", "--json", "--model", "accounts/me/deployments/d", "--card", "firellava-13b"
        ).stdout
    )
    assert mine["image_tokens"] == 576


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.jpg", "What?"], "There is no file 'missing.jpg'"),
        ([str(PICTURE.parent), "What?"], "There is no file"),
        ([" "], "The question is empty"),
        (["What?", "--max-tokens", "-1"], "max_tokens"),
        ([], "QUESTION"),
    ],
)
def test_what_would_fail_when_asked_fails_now(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
