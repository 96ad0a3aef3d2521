"""Servers of one's own: their differences, their errors, and where a key may go."""

import asyncio
import hashlib
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from firellava import ImagePart, ImageSource, Message, ModelCard, Reply, TextPart, VisionClient, model_card
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import (
    AuthenticationFailed,
    BadRequest,
    ConfigurationError,
    ModelNotFound,
)
from firellava.models import Capabilities, ImageTarget
from tests.api_server.plain_requests import encoded
from tests.core.backends.server_flavours import FLAVOURS, KEY, MODEL, OwnServer

_NOISE = Image.frombytes("RGB", (64, 48), hashlib.shake_256(b"noise").digest(64 * 48 * 3))
"""Of this a JPEG is smaller than a PNG; of one colour it is larger."""


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, OwnServer]]:
    started = {name: OwnServer(flavour) for name, flavour in FLAVOURS.items()}
    for server in started.values():
        server.__enter__()
    yield started
    for server in started.values():
        server.__exit__(None, None, None)


@pytest.fixture(params=FLAVOURS)
def server(request: pytest.FixtureRequest, servers: dict[str, OwnServer]) -> OwnServer:
    """A server of each flavour, without a past."""
    chosen = servers[request.param]
    chosen.bodies.clear()
    chosen.headers.clear()
    return chosen


@pytest.fixture
def backend(server: OwnServer) -> OpenAICompatibleBackend:
    return OpenAICompatibleBackend(base_url=server.base_url, model=MODEL, api_key=KEY)


def whole(backend: OpenAICompatibleBackend, messages: list[Message], **parameters: Any) -> Reply:
    return VisionClient(backend=backend).chat(messages, **parameters)


def streamed(backend: OpenAICompatibleBackend, messages: list[Message], **parameters: Any) -> Reply:
    *_, last = VisionClient(backend=backend).stream(messages, **parameters)
    assert last.reply is not None
    return last.reply


def awhole(backend: OpenAICompatibleBackend, messages: list[Message], **parameters: Any) -> Reply:
    return asyncio.run(VisionClient(backend=backend).achat(messages, **parameters))


def astreamed(backend: OpenAICompatibleBackend, messages: list[Message], **parameters: Any) -> Reply:
    async def run() -> Reply:
        chunks = VisionClient(backend=backend).astream(messages, **parameters)
        reply = [chunk async for chunk in chunks][-1].reply
        assert reply is not None
        return reply

    return asyncio.run(run())


each_way = pytest.mark.parametrize("ask", [whole, streamed, awhole, astreamed])
Ask = Callable[..., Reply]


def about(*images: bytes | str, detail: Any = None) -> list[Message]:
    parts = [ImagePart(ImageSource.of(image), detail) for image in images]
    return [Message("user", [*parts, TextPart("What is this?")])]


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


class TestEveryServer:
    @each_way
    def test_answers_about_images(self, backend: OpenAICompatibleBackend, ask: Ask) -> None:
        reply = ask(backend, about(encoded("PNG", (64, 48)), encoded("JPEG", (32, 32))))
        assert reply.text == "What is this? | PNG 64x48 | PNG 32x32"
        assert reply.backend == backend.label
        assert reply.model == MODEL
        assert not reply.degraded

    @pytest.mark.parametrize("given", ["WEBP", "GIF", "BMP", "TIFF", "JPEG", "PNG"])
    def test_gets_images_in_a_format_it_reads(self, backend: OpenAICompatibleBackend, given: str) -> None:
        for pixels, sent in ((Image.new("RGB", (64, 48), "#336699"), "PNG"), (_NOISE, "JPEG")):
            data = io.BytesIO()
            pixels.save(data, given)
            assert whole(backend, about(data.getvalue())).text == f"What is this? | {sent} 64x48"

    @each_way
    def test_is_not_told_the_detail(
        self, backend: OpenAICompatibleBackend, server: OwnServer, ask: Ask
    ) -> None:
        assert ask(backend, about(encoded(), detail="high")).text == "What is this? | PNG 64x48"
        assert "detail" not in str(server.bodies)

    @each_way
    def test_calls_the_one_tool_that_was_chosen(
        self, backend: OpenAICompatibleBackend, server: OwnServer, ask: Ask
    ) -> None:
        chosen = {"type": "function", "function": {"name": "second"}}
        reply = ask(backend, about(), tools=[tool("first"), tool("second")], tool_choice=chosen)
        assert [call.name for call in reply.tool_calls] == ["second"]
        assert reply.finish_reason == ("tool_calls" if server.bodies[0].get("stream") else None)
        assert server.bodies[0]["tool_choice"] == "required"

    @pytest.mark.parametrize("choice", ["auto", "none", "required"])
    def test_gets_a_choice_by_word_with_all_tools(
        self, backend: OpenAICompatibleBackend, server: OwnServer, choice: str
    ) -> None:
        reply = whole(backend, about(), tools=[tool("first"), tool("second")], tool_choice=choice)
        assert [call.name for call in reply.tool_calls] == (["first"] if choice == "required" else [])
        assert (len(server.bodies[0]["tools"]), server.bodies[0]["tool_choice"]) == (2, choice)

    def test_is_spared_the_fields_that_only_fireworks_has(
        self, backend: OpenAICompatibleBackend, server: OwnServer
    ) -> None:
        earlier = Message("assistant", "A cat.", reasoning="It has whiskers.")
        whole(
            backend,
            [Message("user", "Who?"), earlier, *about()],
            context_length_exceeded_behavior="truncate",
            prompt_cache_key="k",
            service_tier="priority",
            perf_metrics_in_response=True,
            metadata={"a": "b"},
            temperature=0.5,
            max_tokens=9,
        )
        (sent,) = server.bodies
        assert sent.keys() == {"model", "messages", "temperature", "max_tokens"}
        assert all(message.keys() == {"role", "content"} for message in sent["messages"])

    def test_gets_what_extra_body_holds_untouched(
        self, backend: OpenAICompatibleBackend, server: OwnServer
    ) -> None:
        whole(backend, about(), extra_body={"user": "me"})
        assert server.bodies[0]["user"] == "me"

    @each_way
    def test_need_not_state_usage(
        self, backend: OpenAICompatibleBackend, server: OwnServer, ask: Ask
    ) -> None:
        usage = ask(backend, about()).usage
        stated = server._flavour.usage
        if stated == "always" or (stated == "whole" and ask in {whole, awhole}):
            assert usage is not None
            assert (usage.prompt_tokens, usage.total_tokens) == (10, 14)
        else:
            assert usage is None

    @each_way
    def test_costs_nothing_on_this_machine(self, backend: OpenAICompatibleBackend, ask: Ask) -> None:
        assert ask(backend, about()).cost_usd == 0

    @each_way
    def test_that_lacks_the_model_says_where_to_look(self, server: OwnServer, ask: Ask) -> None:
        backend = OpenAICompatibleBackend(base_url=server.base_url, model="bakllava", api_key=KEY)
        with pytest.raises(ModelNotFound, match=r'model "bakllava" not found') as raised:
            ask(backend, about())
        assert f"{server.base_url}/models" in str(raised.value)
        assert raised.value.backend == backend.label


class TestErrors:
    @each_way
    def test_that_are_texts_are_understood(self, servers: dict[str, OwnServer], ask: Ask) -> None:
        server = servers["lm-studio"]
        backend = OpenAICompatibleBackend(
            base_url=server.base_url,
            model=MODEL,
            card=ModelCard(name="m", capabilities=Capabilities(tools=True)),
        )
        with pytest.raises(BadRequest, match=r"HTTP 400: Invalid tool_choice type: 'object'"):
            ask(
                backend,
                about(),
                tools=[tool("f")],
                tool_choice={"type": "function", "function": {"name": "f"}},
            )

    @each_way
    def test_that_are_bare_are_understood(self, servers: dict[str, OwnServer], ask: Ask) -> None:
        backend = OpenAICompatibleBackend(base_url=servers["vllm"].base_url, model=MODEL, api_key=KEY)
        with pytest.raises(BadRequest, match=r"HTTP 400: At most 2 image\(s\) may be provided"):
            ask(backend, about(encoded(), encoded(), encoded()))


class TestTheKey:
    def test_is_sent_where_there_is_one(self, servers: dict[str, OwnServer]) -> None:
        server = servers["vllm"]
        server.headers.clear()
        with pytest.raises(AuthenticationFailed, match="Unauthorized"):
            whole(OpenAICompatibleBackend(base_url=server.base_url, model=MODEL), about())
        whole(OpenAICompatibleBackend(base_url=server.base_url, model=MODEL, api_key=KEY), about())
        assert [headers.get("authorization") for headers in server.headers] == [None, f"Bearer {KEY}"]

    def test_of_the_cloud_does_not_come_here(
        self, servers: dict[str, OwnServer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", "fw_of_the_cloud")
        server = servers["ollama"]
        server.headers.clear()
        whole(OpenAICompatibleBackend(base_url=server.base_url, model=MODEL), about())
        assert "fw_of_the_cloud" not in str(server.headers)

    @pytest.mark.parametrize(
        "url",
        [
            "http://192.168.1.5:8000/v1",
            "http://gpu.example.com",
            "http://0.0.0.0:8000",
            "http://[fe80::1]/v1",
            "http://127.0.0.1.example.com",
            "http://127.example.com",
        ],
    )
    def test_does_not_cross_a_network_unencrypted(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="unencrypted") as raised:
            OpenAICompatibleBackend(base_url=url, model=MODEL, api_key="s3cret")
        assert "s3cret" not in str(raised.value)
        assert OpenAICompatibleBackend(base_url=url, model=MODEL).api_key is None

    @pytest.mark.parametrize(
        "url",
        [
            "https://gpu.example.com/v1",
            "http://127.0.0.1:8000",
            "http://localhost:8000/v1",
            "http://[::1]:80",
        ],
    )
    def test_may_be_given_where_it_stays_private(self, url: str) -> None:
        assert OpenAICompatibleBackend(base_url=url, model=MODEL, api_key="s3cret").api_key is not None

    def test_shows_nowhere_and_stays_behind_when_pickled(self, servers: dict[str, OwnServer]) -> None:
        backend = OpenAICompatibleBackend(
            base_url=servers["ollama"].base_url, model=MODEL, api_key="s3cret_s3ntinel"
        )
        pickled = pickle.dumps(backend)
        shown = (repr(backend), str(backend), backend.model_dump_json(), repr(pickled), str(vars(backend)))
        assert all("s3cret_s3ntinel" not in text for text in shown)
        copies = (pickle.loads(pickled), OpenAICompatibleBackend(**backend.model_dump()))  # noqa: S301 - our own
        for copy in copies:
            with pytest.raises(ConfigurationError, match="stayed behind"):
                whole(copy, about())


class TestTheBackend:
    def test_is_a_value(self) -> None:
        backend = OpenAICompatibleBackend(
            base_url="http://127.0.0.1:11434", model="llava", card="firellava-13b"
        )
        assert pickle.loads(pickle.dumps(backend)) == backend  # noqa: S301 - our own
        assert OpenAICompatibleBackend(**backend.model_dump(mode="json")) == backend
        assert hash(backend) == hash(backend.model_copy())

    @pytest.mark.parametrize(
        ("url", "model", "label", "asked"),
        [
            ("http://127.0.0.1:11434", "llava:7b", "127.0.0.1:11434/llava:7b", "http://127.0.0.1:11434/v1"),
            ("http://localhost:1234/v1/", "a/b/llava", "localhost:1234/llava", "http://localhost:1234/v1"),
            ("https://example.com/my/api", "m", "example.com/m", "https://example.com/my/api"),
        ],
    )
    def test_has_a_label_and_a_path(self, url: str, model: str, label: str, asked: str) -> None:
        backend = OpenAICompatibleBackend(base_url=url, model=model)
        assert (backend.label, backend.base_url) == (label, asked)

    @pytest.mark.parametrize(
        ("url", "local"),
        [
            ("http://127.0.0.1:1", True),
            ("http://127.8.9.1:1", True),
            ("http://LOCALHOST:1", True),
            ("http://[::1]:1", True),
            ("http://192.168.1.5:1", False),
            ("https://example.com", False),
        ],
    )
    def test_is_local_where_its_server_is_on_this_machine(self, url: str, *, local: bool) -> None:
        backend = OpenAICompatibleBackend(base_url=url, model=MODEL)
        assert backend.is_local is local
        assert backend.cost(None) == (0 if local else None)

    @pytest.mark.parametrize("url", ["127.0.0.1:11434", "ftp://x", "http://", "http://me:secret@x"])
    def test_is_refused_a_url_that_is_none(self, url: str) -> None:
        with pytest.raises(ConfigurationError) as raised:
            OpenAICompatibleBackend(base_url=url, model=MODEL)
        assert "secret" not in str(raised.value)


class TestTheCard:
    def test_by_name_gives_the_models_rules_and_the_servers_ways(self, servers: dict[str, OwnServer]) -> None:
        server = servers["ollama"]
        server.bodies.clear()
        backend = OpenAICompatibleBackend(base_url=server.base_url, model=MODEL, card="firellava-13b")
        card, own = backend.model_card, model_card("firellava-13b")
        assert (card.image_target, card.tokens_per_image, card.context_window) == (
            own.image_target,
            576,
            4096,
        )
        assert card.prices is None
        assert whole(backend, about(encoded("PNG", (64, 48)), detail="low")).text == (
            "What is this? | PNG 336x336"
        )
        assert "detail" not in str(server.bodies)

    def test_is_taken_as_it_is_when_it_is_one(self, servers: dict[str, OwnServer]) -> None:
        own = ModelCard(name="mine", image_target=ImageTarget(side=32))
        backend = OpenAICompatibleBackend(base_url=servers["ollama"].base_url, model=MODEL, card=own)
        assert backend.model_card is own
        with pytest.raises(BadRequest, match="fields beside url"):
            whole(backend, about(encoded(), detail="low"))

    def test_that_nobody_gave_claims_nothing_about_the_model(self) -> None:
        card = OpenAICompatibleBackend(base_url="http://127.0.0.1:1", model=MODEL).model_card
        assert (card.context_window, card.tokens_per_image, card.prices) == (None, None, None)
        assert card.name == MODEL
