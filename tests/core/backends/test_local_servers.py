"""What a server says is believed over what its port or name suggests, and whoever asks is safe."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firellava import VisionClient
from firellava.backends.local_servers import FoundServer, look_at
from tests.core.images.picture_server import PictureServer, answer, redirect
from tests.fixtures import tiny_model
from tests.local_servers import LocalServer, llama_server, lm_studio, ollama, sglang, vllm

LONG_ENOUGH = 10.0


async def look(server: LocalServer, **settings: Any) -> FoundServer:
    return await look_at(server.url, "a hint", **{"seconds": LONG_ENOUGH, **settings})


@pytest.mark.parametrize(
    ("server", "kind", "name"),
    [
        (lambda: ollama({"llama3": ["completion"], "llava:13b": ["vision"]}), "Ollama", "llava:13b"),
        (lambda: llama_server("/models/a.gguf", sees=True), "llama-server", "/models/a.gguf"),
        (lambda: llama_server("a", sees=True, tells_in_list=False), "llama-server", "a"),
        (lambda: lm_studio({"nomic": "embeddings", "a": "llm", "b": "vlm"}), "LM Studio", "b"),
        (lambda: lm_studio({"a": "vlm", "b": "vlm", "c": "vlm"}, loaded=["b"]), "LM Studio", "b"),
        (lambda: sglang("a", sees=True), "SGLang", "a"),
        (lambda: sglang("a", sees=True, path="/get_model_info"), "SGLang", "a"),
        (lambda: sglang("Qwen/Qwen2.5-VL-7B-Instruct", sees=None), "SGLang", "Qwen/Qwen2.5-VL-7B-Instruct"),
        (
            lambda: vllm("meta-llama/Llama-3.1-8B", "llava-hf/llava-1.5-7b-hf"),
            "vLLM",
            "llava-hf/llava-1.5-7b-hf",
        ),
    ],
)
async def test_a_model_that_sees_images_is_found(
    server: Callable[[], LocalServer], kind: str, name: str
) -> None:
    with server() as running:
        found = await look(running)
    assert (found.kind, found.is_reachable, found.problem) == (kind, True, None)
    assert found.backend is not None
    assert (found.backend.base_url, found.backend.model) == (running.url, name)
    assert found.backend.api_key is None


@pytest.mark.parametrize(
    "server",
    [
        lambda: ollama({"llava-in-name-only": ["completion"]}),
        lambda: llama_server("llava-without-mmproj.gguf", sees=False),
        lambda: llama_server("llava-without-mmproj.gguf", sees=False, tells_in_list=False),
        lambda: lm_studio({"llava-in-name-only": "llm"}),
        lambda: sglang("llava-in-name-only", sees=False),
    ],
)
async def test_a_name_is_not_believed_over_what_the_server_says(server: Callable[[], LocalServer]) -> None:
    with server() as running:
        found = await look(running)
        configured = await look(running, is_configured=True)
    assert found.backend is configured.backend is None
    assert found.is_reachable
    assert found.problem == "no model that sees images"


@pytest.mark.parametrize(
    ("name", "sees"),
    [
        ("llava-hf/llava-v1.6-mistral-7b-hf", True),
        ("fireworks-ai/FireLLaVA-13b", True),
        ("Qwen/Qwen3-VL-8B-Instruct", True),
        ("OpenGVLab/InternVL3-8B", True),
        ("mistralai/Pixtral-12B-2409", True),
        ("google/gemma-3-27b-it", True),
        ("google/gemma-3-1b-it", None),
        ("meta-llama/Llama-3.1-8B-Instruct", None),
        ("acme/provision-7b", None),
        ("Qwen/Qwen3-VL-Embedding-8B", False),
        ("meta-llama/Llama-Guard-3-11B-Vision", False),
    ],
)
async def test_where_the_server_does_not_say_the_name_decides(name: str, *, sees: bool | None) -> None:
    with vllm(name) as server:
        (model,) = (await look(server)).models
    assert (model.sees_images, model.according_to) == (sees, "its name")


async def test_a_server_the_user_named_is_trusted_where_nobody_says() -> None:
    with vllm("acme/embedder", "acme/eyes-7b") as server:
        found = await look(server)
        configured = await look(server, is_configured=True)
    assert (found.backend, found.problem) == (None, "no model that is known to see images")
    assert configured.backend is not None
    assert configured.backend.model == "acme/eyes-7b"


async def test_a_model_that_runs_elsewhere_is_not_of_this_machine() -> None:
    cloud = {"qwen3-vl:235b-cloud": "https://ollama.com:443"}
    with ollama({"qwen3-vl:235b-cloud": ["vision"]}, remote_hosts=cloud) as server:
        found = await look(server)
    assert found.backend is None
    assert found.problem == "qwen3-vl:235b-cloud runs at ollama.com, not on this machine"


async def test_a_server_without_models_says_so() -> None:
    with ollama({}) as server:
        found = await look(server)
    assert (found.kind, found.models, found.problem) == ("a hint", (), "it has no models")


async def test_a_backend_knows_what_its_model_can_do() -> None:
    with ollama({"qwen3-vl": ["vision", "tools"]}) as able, ollama({"llava": ["vision"]}) as unable:
        backends = [(await look(server)).backend for server in (able, unable)]
    assert [b.model_card.capabilities.tools for b in backends if b is not None] == [True, False]


async def test_a_copy_of_firellava_keeps_its_rules_and_what_a_local_server_takes() -> None:
    with ollama({"me/FireLLaVA-13b:q4": ["vision"]}) as server:
        backend = (await look(server)).backend
    assert backend is not None
    assert backend.model_card.tokens_per_image == 576
    assert not backend.model_card.capabilities.image_urls
    assert backend.model_card.prices is None


async def test_names_that_cannot_be_shown_are_left_out() -> None:
    with ollama(
        {"\x1b[31mred": ["vision"], "": ["vision"], "x" * 999: ["vision"], "llava": ["vision"]}
    ) as server:
        found = await look(server)
    assert [model.name for model in found.models] == ["llava"]


async def test_nothing_of_the_user_is_sent_and_no_proxy_is_asked(
    monkeypatch: pytest.MonkeyPatch, dead_url: str
) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", "fw_secret")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, dead_url.removesuffix("/v1"))
    with ollama({"llava": ["vision"]}) as server:
        assert (await look(server)).backend is not None
    assert len(server.asked) > 1
    for asked in server.asked:
        assert not {"authorization", "cookie"} & asked.headers.keys()
        assert "fw_secret" not in str(asked.headers)


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address on this machine where nobody listens."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unheard.getsockname()[1]}/v1"


def endless(connection: socket.socket) -> None:
    """A body that never ends: the asker has to hang up."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{"data": [')
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b'{"id": "llava"},' * 4096)


def silent(connection: socket.socket) -> None:
    """Accept, and say nothing until the asker hangs up."""
    with contextlib.suppress(OSError):
        connection.recv(1)


def dripping(connection: socket.socket) -> None:
    """A byte now and then, so that no wait for a byte is ever long."""
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
        connection.settimeout(0.02)
        while True:
            connection.sendall(b" ")
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    break


PAGE = b"<!doctype html><title>A web application</title>"


class TestSomethingElse:
    """Port 8080 may be anyone's."""

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            (answer(PAGE, "Content-Type: text/html"), "no model server"),
            (answer(b"{}"), "no model server"),
            (answer(b'{"data": {"id": "llava"}}'), "no model server"),
            (answer(b'["llava"]'), "no model server"),
            (answer(b"[" * 100_000), "no model server"),
            (answer(b'{"data": [7, null, {}, {"id": 7}]}'), "it has no models"),
            (answer(b'{"data": []}', status="500 Internal Server Error"), "no model server"),
            (answer(b'{"error": "Invalid API Key"}', status="401 Unauthorized"), "wants a key"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "speaks no HTTP"),
            (b"", "speaks no HTTP"),
            (endless, "longer than 4 MB"),
            (silent, "no answer within 0.3 s"),
            (dripping, "no answer within 0.3 s"),
        ],
    )
    async def test_is_left_alone_and_the_reason_told(self, said: Any, problem: str) -> None:
        seconds = 0.3 if said in (silent, dripping) else LONG_ENOUGH
        with PictureServer() as server:
            server.answers["/v1/models"] = said
            async with asyncio.timeout(LONG_ENOUGH):
                found = await look_at(f"http://127.0.0.1:{server.port}/v1", "vLLM", seconds=seconds)
        assert found.backend is None
        assert found.is_reachable
        assert problem in str(found.problem)

    async def test_that_points_elsewhere_is_not_followed(self) -> None:
        with PictureServer() as server, PictureServer() as elsewhere:
            server.answers["/v1/models"] = redirect(f"http://127.0.0.1:{elsewhere.port}/v1/models")
            found = await look_at(f"http://127.0.0.1:{server.port}/v1", "vLLM", seconds=LONG_ENOUGH)
        assert found.backend is None
        assert elsewhere.connections == 0

    async def test_is_nothing(self, dead_url: str) -> None:
        found = await look_at(dead_url, "vLLM", seconds=LONG_ENOUGH)
        assert (found.is_reachable, found.backend, found.problem) == (False, None, "no connection")

    async def test_that_answers_only_the_list_in_time_is_not_used(self) -> None:
        with PictureServer() as server:
            server.answers["/v1/models"] = answer(b'{"data": [{"id": "llava"}]}')
            server.answers["/api/show"] = silent
            found = await look_at(f"http://127.0.0.1:{server.port}/v1", "vLLM", seconds=0.3)
        assert found.backend is None


@pytest.mark.engine("llama_cpp")
async def test_a_real_llama_server_is_found_and_answers_where_the_api_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import xllamacpp  # noqa: PLC0415 - an optional extra

    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = str(tiny_model.MODEL), str(tiny_model.MMPROJ)
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 1024, 1, False, -1
    server = xllamacpp.Server(params)
    monkeypatch.setenv("FIRELLAVA_LOCAL_PORTS", server.listening_address.rpartition(":")[2])
    picture = tiny_model.picture("circle", "red", "blue")
    reply = await VisionClient(fallback="auto").aask("Describe the image.", picture)
    assert reply.text.strip() == "A red circle on a blue background."
    assert reply.backend == f"{server.listening_address.removeprefix('http://')}/model.gguf"
    assert not reply.degraded


@pytest.mark.engine("llama_cpp")
async def test_a_real_llama_server_with_a_key_says_that_it_wants_one(
    llama_server: tiny_model.LlamaServer,
) -> None:
    found = await look_at(llama_server.base_url, "llama-server", seconds=LONG_ENOUGH)
    assert found.backend is None
    assert "wants a key" in str(found.problem)
