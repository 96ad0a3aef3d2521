"""``firellava doctor`` as it is typed: what it says could answer, what it advises, and what it never does."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from firellava.backends import discovery
from firellava.cli.app import app
from tests.api_server import ApiServer, Fault
from tests.fixtures import tiny_model
from tests.local_servers import ollama, vllm

Doctor = Callable[..., Result]


@pytest.fixture
def doctor(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Runs the command on a machine with a key for the API, and without a server."""
    monkeypatch.setenv("FIREWORKS_API_BASE", api_server.base_url)
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", "")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, **settings: str | None) -> Result:
        return CliRunner().invoke(app, ["doctor", *arguments], env=settings)

    return run


def reported(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(result.stdout)
    return told


class TestTheApi:
    def test_that_takes_the_key_answers(self, doctor: Doctor, api_server: ApiServer) -> None:
        done = doctor()
        assert "FIREWORKS_API_KEY is set" in done.stdout
        assert "answers, and lists firellava-13b" in done.stdout
        assert "1. fireworks:firellava-13b\n" in done.stdout
        assert done.exit_code == 0
        assert [request.path for request in api_server.requests] == ["/inference/v1/models"]

    def test_may_not_list_the_model(self, doctor: Doctor) -> None:
        assert "does not list no-such-model" in doctor(FIRELLAVA_MODEL="no-such-model").stdout

    def test_that_refuses_the_key_is_an_error_and_nobody_else_is_asked(self, doctor: Doctor) -> None:
        done = doctor(FIREWORKS_API_KEY="fw_wrong")
        assert "refuses the key (status 401)" in done.stdout
        assert "Nothing could answer" in done.stdout
        assert "Correct or unset FIREWORKS_API_KEY" in done.stdout
        assert done.exit_code == 3

    def test_is_not_asked_with_something_that_cannot_be_a_key(
        self, doctor: Doctor, api_server: ApiServer
    ) -> None:
        done = doctor("--json", FIREWORKS_API_KEY="fw_half of a\nkey")
        assert reported(done)["api"]["key"] == "malformed"
        assert reported(done)["order"] == ["fireworks:firellava-13b"]
        assert done.exit_code == 3
        assert api_server.requests == []

    @pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=500), Fault(drop=True)])
    def test_in_trouble_is_passed_over(self, doctor: Doctor, api_server: ApiServer, fault: Fault) -> None:
        api_server.fail_next(fault)
        assert reported(doctor("--json"))["api"]["prospect"] == "passed over"

    def test_behind_something_that_lists_no_models_may_answer_all_the_same(
        self, doctor: Doctor, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(status=404, shape="html"))
        done = doctor()
        assert "answers GET /models with status 404" in done.stdout
        assert "1. fireworks:firellava-13b (not tried)" in done.stdout
        assert done.exit_code == 0

    def test_that_hangs_is_given_up_on(
        self, doctor: Doctor, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("firellava.diagnosis._API_SECONDS", 0.3)
        api_server.fail_next(Fault(drip=0.05, drip_headers=True))
        told = reported(doctor("--json"))["api"]
        assert (told["is_reachable"], told["service"]) == (False, "no answer within 0.3 s")

    def test_that_cannot_be_reached_is_passed_over(self, doctor: Doctor) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            base_url = f"http://127.0.0.1:{unheard.getsockname()[1]}/v1"
            told = reported(doctor("--json", FIREWORKS_API_BASE=base_url))["api"]
        assert (told["is_reachable"], told["prospect"]) == (False, "passed over")

    def test_can_be_reached_without_a_key(self, doctor: Doctor) -> None:
        done = doctor(FIREWORKS_API_KEY=None)
        assert "FIREWORKS_API_KEY is not set" in done.stdout
        assert "can be reached" in done.stdout
        assert "To ask the API, set FIREWORKS_API_KEY." in done.stdout

    def test_is_left_alone_when_asked_to(self, doctor: Doctor, api_server: ApiServer) -> None:
        done = doctor("--offline")
        assert "fireworks:firellava-13b (not tried)" in done.stdout
        assert done.exit_code == 0
        assert api_server.requests == []

    @pytest.mark.parametrize("arguments", [[], ["--json"], ["--debug"]])
    def test_key_is_never_shown(self, doctor: Doctor, api_server: ApiServer, arguments: list[str]) -> None:
        for key in (api_server.key, "fw_wrong_key", "fw_half of_a_key"):
            done = doctor(*arguments, FIREWORKS_API_KEY=key)
            assert key not in done.output
            assert "of_a_key" not in done.output


class TestThisMachine:
    def test_each_server_that_answers_is_shown_with_the_model_that_would_be_asked(
        self, doctor: Doctor
    ) -> None:
        with (
            ollama({"llama3": ["completion"], "llava:13b": ["vision"]}) as seeing,
            ollama({"llama3": ["completion"]}) as blind,
            vllm("me/eyes") as named,
        ):
            done = doctor(
                FIREWORKS_API_KEY=None,
                FIRELLAVA_LOCAL_URL=named.url,
                FIRELLAVA_LOCAL_PORTS=f"{blind.port},{seeing.port},1",
            )
        lines = " ".join(done.stdout.split())
        assert f"✓ 127.0.0.1:{named.port} vLLM: eyes; nobody says whether it sees images" in lines
        assert f"✗ 127.0.0.1:{blind.port} Ollama: no model that sees images" in lines
        assert f"✓ 127.0.0.1:{seeing.port} Ollama: llava:13b, one of 2 models; it sees images" in lines
        assert "· servers nothing listens on 1 " in lines
        assert f"2. 127.0.0.1:{named.port}/eyes 3. 127.0.0.1:{seeing.port}/llava:13b" in lines
        assert done.exit_code == 0

    def test_a_configured_model_that_cannot_run_is_shown_with_the_reason(self, doctor: Doctor) -> None:
        done = doctor(FIRELLAVA_LOCAL_MODEL=str(tiny_model.MODEL), FIRELLAVA_LOCAL_CHECKPOINT="/none")
        lines = " ".join(done.stdout.split())
        assert "✗ llama.cpp FIRELLAVA_LOCAL_MODEL: the model sees no images" in lines
        assert "✗ transformers FIRELLAVA_LOCAL_CHECKPOINT: there is no checkpoint in /none" in lines

    @pytest.mark.engine("llama_cpp")
    def test_a_configured_model_that_can_run_is_asked_before_the_reader(self, doctor: Doctor) -> None:
        told = reported(
            doctor(
                "--json",
                FIREWORKS_API_KEY=None,
                FIRELLAVA_LOCAL_MODEL=str(tiny_model.MODEL),
                FIRELLAVA_LOCAL_MMPROJ=str(tiny_model.MMPROJ),
            )
        )
        assert told["order"][:2] == ["fireworks:firellava-13b", "llama.cpp:model.gguf"]
        assert not any("vision model" in line for line in told["advice"])

    @pytest.mark.engine("rapidocr")
    def test_the_offline_reader_reads_a_picture(self, doctor: Doctor) -> None:
        done = doctor(FIREWORKS_API_KEY=None)
        assert "it reads a test picture" in done.stdout
        assert "2. offline-reader (reads and quotes text" in done.stdout
        assert done.exit_code == 0

    @pytest.mark.engine("rapidocr")
    def test_a_reader_that_reads_nothing_is_not_counted_on(
        self, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("firellava.diagnosis.engine.read", lambda picture: ())
        told = doctor("--json", FIREWORKS_API_KEY=None)
        assert "it read ''" in reported(told)["reader_problem"]
        assert reported(told)["order"] == ["fireworks:firellava-13b"]
        assert told.exit_code == 3

    def test_where_nothing_is_installed_it_says_what_to_install(
        self, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(discovery, "find_spec", lambda name: None)
        done = doctor(FIREWORKS_API_KEY=None)
        for extra in ("llama-cpp", "ocr"):
            assert f'pip install "firellava[{extra}]"' in done.stdout
        assert "Nothing could answer" in done.stdout
        assert done.exit_code == 3

    def test_a_malformed_setting_is_one_line_and_exit_code_3(self, doctor: Doctor) -> None:
        done = doctor(FIRELLAVA_LOCAL_PORTS="ollama")
        assert done.exit_code == 3
        assert done.stderr.strip().startswith("firellava: FIRELLAVA_LOCAL_PORTS")
        assert done.stdout == ""


def test_a_terminal_that_knows_only_ascii_is_no_problem() -> None:
    with ollama({"目": ["vision"]}) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "firellava", "doctor", "--offline"],
            env=dict(os.environ, FIRELLAVA_LOCAL_PORTS=str(server.port), PYTHONIOENCODING="ascii"),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stderr == ""
    assert f"+  127.0.0.1:{server.port}" in done.stdout
    assert done.returncode == 0
