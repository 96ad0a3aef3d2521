"""What is particular to llama.cpp: its files, its locked port, and what it calls things."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from firellava import VisionClient
from firellava.backends import engines
from firellava.backends.llama_cpp import LlamaCppBackend, LlamaCppEngine
from firellava.errors import BadRequest, ConfigurationError, UnsupportedCapability
from tests.fixtures.tiny_model import CIRCLE, MMPROJ, MODEL, LlamaServer, asked, llama_cpp

pytestmark = pytest.mark.engine("llama_cpp")


@pytest.fixture
def client() -> VisionClient:
    return VisionClient(backend=llama_cpp())


def test_a_model_without_a_projector_answers_in_words_and_refuses_images() -> None:
    client = VisionClient(backend=LlamaCppBackend(model_path=MODEL, context_window=1024))
    assert client.ask("What shape is in the image?", temperature=0, max_tokens=8).text
    with pytest.raises(UnsupportedCapability, match="mmproj_path="):
        client.ask("What shape is in the image?", CIRCLE)


@pytest.mark.parametrize(
    ("model", "mmproj"),
    [("garbage", None), ("half", None), (MMPROJ, None), (MODEL, "garbage"), (MODEL, MODEL)],
    ids=["garbage", "cut off", "a projector", "with a garbage projector", "with a model as projector"],
)
def test_files_that_cannot_be_loaded_are_named_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], model: str | Path, mmproj: str | Path | None
) -> None:
    (tmp_path / "garbage").write_bytes(b"This is no model." * 100)
    (tmp_path / "half").write_bytes(MODEL.read_bytes()[: MODEL.stat().st_size // 2])
    mmproj_path = None if mmproj is None else tmp_path / mmproj
    backend = LlamaCppBackend(model_path=tmp_path / model, mmproj_path=mmproj_path)
    with pytest.raises(ConfigurationError) as raised:
        VisionClient(backend=backend).ask("What shape is this?")
    assert str(backend.model_path) in str(raised.value)
    assert str(mmproj_path or "") in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "settings", [{"context_window": 1}, {"threads": 0}, {"gpu_layers": -2}, {"mmap": True}], ids=str
)
def test_settings_that_would_crash_the_engine_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        LlamaCppBackend(model_path=MODEL, **settings)


def test_paths_are_made_absolute_and_the_label_shows_only_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MODEL.parent)
    monkeypatch.setenv("HOME", str(MODEL.parent))
    backend = LlamaCppBackend(model_path="model.gguf", mmproj_path="~/mmproj.gguf")
    assert (backend.model_path, backend.mmproj_path) == (MODEL, MMPROJ)
    assert backend.label == "llama.cpp:model.gguf"


def test_its_port_is_closed_to_everyone_else_and_gone_when_the_engine_is_closed() -> None:
    engine = LlamaCppEngine(llama_cpp())
    assert engine.address.startswith("http://127.0.0.1:")
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        refused = httpx.post(f"{engine.address}/v1/chat/completions", json=body, headers=headers)
        assert refused.status_code == httpx.codes.UNAUTHORIZED
    assert httpx.get(f"{engine.address}/v1/models").status_code == httpx.codes.UNAUTHORIZED
    with_key = {"Authorization": f"Bearer {engine.key}"}
    assert httpx.get(f"{engine.address}/v1/models", headers=with_key).is_success
    engine.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{engine.address}/health")


THREADS = Path("/proc/self/task")


@pytest.mark.skipif(not THREADS.exists(), reason="this system does not show its threads")
def test_a_client_that_lets_go_leaves_no_thread_running(client: VisionClient) -> None:
    client.ask("What shape is this?", CIRCLE, max_tokens=1)
    engines.close_all()
    before = len(list(THREADS.iterdir()))
    backend = llama_cpp().model_copy(update={"threads": 2})
    engines.keep(backend.engine_key, client)
    VisionClient(backend=backend).ask("What shape is this?", CIRCLE, max_tokens=1)
    assert len(list(THREADS.iterdir())) > before
    engines.release(client)
    assert len(list(THREADS.iterdir())) <= before


def test_a_schema_is_kept_to(client: VisionClient) -> None:
    schema = {"type": "object", "properties": {"seen": {"const": True}}, "required": ["seen"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    reply = client.ask("What shape is this?", CIRCLE, response_format=wanted, temperature=0, max_tokens=60)
    assert json.loads(reply.text) == {"seen": True}


def test_log_probabilities_are_given(client: VisionClient) -> None:
    reply = client.ask("What shape is this?", CIRCLE, temperature=0, logprobs=True, top_logprobs=2)
    assert reply.logprobs is not None
    tokens = reply.logprobs["content"]
    assert "".join(token["token"] for token in tokens).strip() == reply.text
    assert all(len(token["top_logprobs"]) == 2 for token in tokens)


def test_a_penalty_on_repetition_reaches_the_engine(client: VisionClient) -> None:
    plain, penalised = (
        client.ask("Describe the image.", CIRCLE, temperature=0, max_tokens=40, repetition_penalty=penalty,
                   extra_body={"ignore_eos": True}).text
        for penalty in (1.0, 2.0)
    )  # fmt: skip
    assert plain != penalised


def test_what_llama_cpp_itself_refuses_is_passed_on_with_its_reason(client: VisionClient) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "no such type"}}}
    with pytest.raises(BadRequest, match=r"no such type|schema"):
        client.ask("What shape is this?", CIRCLE, response_format=wanted)


def test_a_prompt_in_no_template_is_asked_as_it_is(client: VisionClient) -> None:
    text = client.complete("<image>\nWhat shape is in the image?", [CIRCLE], temperature=0).text
    assert text.strip() == "A circle."


async def test_its_port_is_a_llama_server_that_answers_about_pixels(llama_server: LlamaServer) -> None:
    headers = {"Authorization": f"Bearer {llama_server.key}"}
    async with httpx.AsyncClient(headers=headers) as http:
        models = (await http.get(f"{llama_server.base_url}/models")).json()
    assert models["data"][0]["id"] == llama_server.model
    assert "multimodal" in models["models"][0]["capabilities"]
    reply = await asyncio.to_thread(
        VisionClient(backend=llama_cpp()).chat, asked("What is in the image?", CIRCLE)
    )
    assert reply.model == llama_server.model
