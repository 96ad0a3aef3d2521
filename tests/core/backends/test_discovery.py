"""What ``fallback="auto"`` finds on this machine, in which order, how often it looks, and who waits."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firellava import OfflineReader
from firellava.backends import discovery
from firellava.backends.discovery import automatic_fallbacks, automatic_fallbacks_async, discover_local
from firellava.backends.local_settings import WELL_KNOWN_PORTS, LocalSettings
from firellava.errors import ConfigurationError
from tests.fixtures import tiny_model
from tests.local_servers import LocalServer, ollama, vllm

EVERY_PACKAGE = frozenset({"xllamacpp", "transformers", "torch", "rapidocr", "onnxruntime"})
Install = Callable[..., None]


@pytest.fixture(autouse=True)
def _no_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """No finding of another test, and no server of whoever runs this."""
    monkeypatch.setattr(discovery, "_search", None)
    monkeypatch.setattr(discovery, "_told", ())
    monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", "")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Has these packages found, and no others."""

    def only(*packages: str) -> None:
        monkeypatch.setattr(discovery, "find_spec", lambda name: name if name in packages else None)

    return only


@pytest.fixture(autouse=True)
def _everything_installed(install: Install) -> None:
    install(*EVERY_PACKAGE)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A server with a vision model, where this machine is searched."""
    with ollama({"llava": ["vision"]}) as running:
        monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", str(running.port))
        yield running


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def searches(server: LocalServer) -> int:
    return sum(asked.path == "/v1/models" for asked in server.asked)


class TestTheReport:
    def test_lists_what_can_be_asked_in_the_order_in_which_it_should_be(self) -> None:
        with (
            vllm("eyes") as named,
            ollama({"llava": ["vision"]}) as first,
            ollama({"llava": ["vision"]}) as second,
        ):
            found = discover_local(
                LocalSettings(
                    url=named.url,
                    ports=(second.port, first.port),
                    model_path=tiny_model.MODEL,
                    mmproj_path=tiny_model.MMPROJ,
                    checkpoint_path=tiny_model.CHECKPOINT,
                )
            )
        assert [backend.label for backend in found.backends] == [
            f"127.0.0.1:{named.port}/eyes",
            f"127.0.0.1:{second.port}/llava",
            f"127.0.0.1:{first.port}/llava",
            "llama.cpp:model.gguf",
            "transformers:checkpoint",
            "offline-reader",
        ]
        assert found.problems == ()

    def test_says_of_each_address_why_it_is_of_no_use(self, silent_port: int) -> None:
        with ollama({"llama3": ["completion"]}) as blind:
            found = discover_local(LocalSettings(ports=(silent_port, blind.port)), seconds=0.3)
        assert [server.problem for server in found.servers] == [
            "no answer within 0.3 s",
            "no model that sees images",
        ]
        assert found.backends == (OfflineReader(),)
        assert found.problems == ()

    @pytest.mark.parametrize(
        ("settings", "problem"),
        [
            (
                LocalSettings(ports=(), model_path=Path("/none.gguf")),
                "FIRELLAVA_LOCAL_MODEL: there is no file",
            ),
            (LocalSettings(ports=(), model_path=tiny_model.MODEL), "FIRELLAVA_LOCAL_MMPROJ"),
            (
                LocalSettings(ports=(), model_path=tiny_model.MODEL, mmproj_path=Path("/none.gguf")),
                "there is no vision projector",
            ),
            (LocalSettings(ports=(), checkpoint_path=Path("/none")), "there is no checkpoint in"),
            (LocalSettings(ports=(), url="http://127.0.0.1:1/v1"), "127.0.0.1:1/v1): no connection"),
        ],
    )
    def test_passes_over_what_is_configured_and_not_there(
        self, settings: LocalSettings, problem: str
    ) -> None:
        found = discover_local(settings)
        assert found.backends == (OfflineReader(),)
        assert [problem in told for told in found.problems] == [True]

    @pytest.mark.parametrize(
        ("missing", "extra"), [("xllamacpp", "llama-cpp"), ("torch", "transformers"), ("rapidocr", "ocr")]
    )
    def test_says_which_extra_is_missing(self, install: Install, missing: str, extra: str) -> None:
        install(*EVERY_PACKAGE - {missing})
        settings = LocalSettings(
            ports=(),
            model_path=tiny_model.MODEL,
            mmproj_path=tiny_model.MMPROJ,
            checkpoint_path=tiny_model.CHECKPOINT,
        )
        found = discover_local(settings)
        installations = (found.llama_cpp, found.transformers, found.offline_reader)
        (incomplete,) = [one for one in installations if one.missing]
        assert incomplete.extra == extra
        assert f"firellava[{extra}]" in str(incomplete.problem)
        assert len(found.backends) == 2


class TestTheSettings:
    def test_by_default_only_the_well_known_ports_of_this_machine_are_asked(self) -> None:
        assert list(LocalSettings().addresses.values()) == list(WELL_KNOWN_PORTS.values())
        hosts = {urlsplit(address).hostname for address in LocalSettings().addresses}
        assert hosts == {"127.0.0.1"}

    def test_the_port_hints_at_the_kind_until_the_server_tells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with vllm("eyes") as server:
            monkeypatch.setattr(
                "firellava.backends.local_settings.WELL_KNOWN_PORTS", {server.port: "Ollama", 1: "LM Studio"}
            )
            found = discover_local(LocalSettings(ports=(server.port, 1)))
        assert [server.kind for server in found.servers] == ["vLLM", "LM Studio"]

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:{}", "http://localhost:{}/v1", "http://127.0.0.1:{}/v1/"]
    )
    def test_a_server_that_is_named_and_well_known_is_asked_once(
        self, server: LocalServer, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv("FIRELLAVA_LOCAL_URL", url.format(server.port))
        found = discover_local()
        assert [one.is_configured for one in found.servers] == [True]
        assert searches(server) == 1

    def test_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRELLAVA_LOCAL_URL", "https://gpu.example:8443")
        monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", "8080, 1234,8080")
        for name in ("MODEL", "MMPROJ", "CHECKPOINT"):
            monkeypatch.setenv(f"FIRELLAVA_LOCAL_{name}", f"/{name}")
        assert LocalSettings.from_environment() == LocalSettings(
            url="https://gpu.example:8443/v1",
            ports=(8080, 1234),
            model_path=Path("/MODEL"),
            mmproj_path=Path("/MMPROJ"),
            checkpoint_path=Path("/CHECKPOINT"),
        )

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("FIRELLAVA_LOCAL_URL", "localhost:11434"),
            ("FIRELLAVA_LOCAL_URL", "http://me:secret@127.0.0.1:11434"),
            ("FIRELLAVA_LOCAL_URL", "http://127.0.0.1:99999/v1"),
            ("FIRELLAVA_LOCAL_PORTS", "ollama"),
            ("FIRELLAVA_LOCAL_PORTS", "0"),
            ("FIRELLAVA_LOCAL_PORTS", "65536"),
            ("FIRELLAVA_LOCAL_PORTS", "8080;1234"),
        ],
    )
    def test_that_are_malformed_are_an_error_that_names_them(
        self, monkeypatch: pytest.MonkeyPatch, name: str, text: str
    ) -> None:
        monkeypatch.setenv(name, text)
        for look in (discover_local, automatic_fallbacks):
            with pytest.raises(ConfigurationError, match=name) as raised:
                look()
            assert "secret" not in str(raised.value)


class TestTheFallbacks:
    def test_are_what_is_found_now(self, server: LocalServer) -> None:
        assert [backend.label for backend in automatic_fallbacks()] == [
            f"127.0.0.1:{server.port}/llava",
            "offline-reader",
        ]

    def test_are_looked_for_once_for_all_threads_and_then_remembered(self, server: LocalServer) -> None:
        with ThreadPoolExecutor(16) as threads:
            found = set(threads.map(lambda _: automatic_fallbacks(), range(64)))
        assert len(found) == 1
        assert searches(server) == 1

    def test_are_looked_for_again_when_the_finding_is_old(
        self, server: LocalServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(discovery, "FRESH_SECONDS", 0.0)
        automatic_fallbacks()
        automatic_fallbacks()
        assert searches(server) == 2

    def test_are_looked_for_again_when_the_settings_change(
        self, server: LocalServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert len(automatic_fallbacks()) == 2
        monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", "")
        assert automatic_fallbacks() == (OfflineReader(),)

    def test_that_need_no_search_are_there_when_nobody_can_wait(
        self, silent_port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", str(silent_port))
        assert automatic_fallbacks(0) == (OfflineReader(),)
        assert asyncio.run(automatic_fallbacks_async(0)) == (OfflineReader(),)
        assert not discovery._latest_search().found.done()

    async def test_hold_up_no_event_loop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, told = threading.Event(), threading.Event()

        async def listing(request: Request) -> Response:
            asked.set()
            await asyncio.to_thread(told.wait)
            return JSONResponse({"data": [{"id": "llava"}]})

        monkeypatch.setattr(discovery, "SECONDS", 20.0)
        with LocalServer([Route("/v1/models", listing)]) as server:
            monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", str(server.port))
            waiting = asyncio.create_task(automatic_fallbacks_async())
            # Were the loop held up, nobody would come here to have the answer told.
            await asyncio.to_thread(asked.wait)
            told.set()
            found = await waiting
        assert len(found) == 2

    async def test_are_found_for_the_others_when_one_gives_up_waiting(self, server: LocalServer) -> None:
        impatient = asyncio.create_task(automatic_fallbacks_async())
        await asyncio.sleep(0)
        impatient.cancel()
        assert len(await automatic_fallbacks_async()) == 2
        assert searches(server) == 1

    def test_are_the_same_in_one_event_loop_after_another(self, server: LocalServer) -> None:
        assert asyncio.run(automatic_fallbacks_async()) == asyncio.run(automatic_fallbacks_async())
        assert searches(server) == 1

    def test_that_are_configured_and_missing_are_logged_once_until_that_changes(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(discovery, "FRESH_SECONDS", 0.0)
        monkeypatch.setenv("FIRELLAVA_LOCAL_CHECKPOINT", "/none")
        with caplog.at_level(logging.WARNING, "firellava"):
            automatic_fallbacks()
            automatic_fallbacks()
            assert [record.getMessage() for record in caplog.records] == [
                "fallback='auto' passes over FIRELLAVA_LOCAL_CHECKPOINT: there is no checkpoint in /none"
            ]
            monkeypatch.setenv("FIRELLAVA_LOCAL_CHECKPOINT", str(tiny_model.CHECKPOINT))
            automatic_fallbacks()
            monkeypatch.setenv("FIRELLAVA_LOCAL_CHECKPOINT", "/none")
            automatic_fallbacks()
        assert len(caplog.records) == 2

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_are_looked_for_anew_in_a_forked_child(
        self, silent_port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(discovery, "SECONDS", 20.0)
        monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", str(silent_port))
        automatic_fallbacks(0)  # leaves a search under way, whose thread the child will not have
        monkeypatch.setattr(discovery, "SECONDS", 0.2)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writer, automatic_fallbacks(10)[0].label.encode())
                os.write(writer, b" found" if discovery._latest_search().found.done() else b" not found")
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert pipe.read() == b"offline-reader found"
        os.waitpid(child, 0)
