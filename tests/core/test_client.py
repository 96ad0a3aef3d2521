"""`VisionClient` against the API's contract: what arrives there, and what comes back."""

import asyncio
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firellava import (
    FireLLaVAError,
    FireworksBackend,
    ImagePart,
    ImageSource,
    Message,
    OfflineReader,
    ReplyChunk,
    SeveralImagesWarning,
    TextPart,
    Usage,
    VisionClient,
    model_card,
)
from firellava.errors import (
    ConfigurationError,
    ContextOverflow,
    ForbiddenPath,
    ImageTooLarge,
    InvalidRequest,
    LimitExceeded,
    MissingKey,
    ModelNotFound,
    UnreadableImage,
    UnsupportedCapability,
    UnsupportedFormat,
)
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

Make = Callable[..., VisionClient]


def two_images(blue_picture: Path) -> list[Message]:
    red = ImageSource.from_bytes(encoded("BMP", (200, 400), "#ff0000"))
    blue = ImagePart(ImageSource.of(blue_picture))
    return [Message("system", "Be brief."), Message("user", [TextPart("Same colour?"), blue, ImagePart(red)])]


class TestAnAnswer:
    def test_tells_what_arrived_and_what_it_cost(self, client: VisionClient, blue_picture: Path) -> None:
        reply = client.ask("What is this?", blue_picture)
        # 672x336 is letterboxed to the square of FireLLaVA: half of it is padding.
        assert reply.text == "question: What is this? | image 1: PNG 336x336 mean #3d3ab3"
        assert reply.backend == "fireworks:firellava-13b"
        assert reply.model == FIRELLAVA_13B
        assert reply.finish_reason == "stop"
        assert reply.request_id is not None
        assert not reply.degraded
        assert reply.fallback_from == ()
        usage = reply.usage
        assert isinstance(usage, Usage)
        assert usage.image_tokens == 576
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        assert reply.cost_usd == Decimal(usage.total_tokens) * Decimal("0.20") / 1_000_000

    def test_is_the_same_in_all_four_ways(
        self, client: VisionClient, api_server: ApiServer, blue_picture: Path
    ) -> None:
        messages = two_images(blue_picture)

        async def asynchronously() -> tuple[Any, list[ReplyChunk]]:
            reply = await client.achat(messages, temperature=0)
            return reply, [chunk async for chunk in client.astream(messages, temperature=0)]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SeveralImagesWarning)
            whole = client.chat(messages, temperature=0)
            streamed = list(client.stream(messages, temperature=0))
            awhole, astreamed = asyncio.run(asynchronously())

        for chunks in (streamed, astreamed):
            assert "".join(chunk.text for chunk in chunks) == whole.text
            assert [chunk.reply for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
            last = chunks[-1].reply
            assert last is not None
            assert (last.text, last.usage, last.cost_usd) == (whole.text, whole.usage, whole.cost_usd)
        assert awhole.text == whole.text
        chat, stream, achat, astream = api_server.requests
        assert chat.body == achat.body
        assert stream.body == astream.body
        assert chat.json == {
            key: value for key, value in stream.json.items() if key not in {"stream", "stream_options"}
        }

    def test_continues_a_raw_prompt(self, client: VisionClient, api_server: ApiServer) -> None:
        template = model_card("firellava-13b").template
        assert template is not None
        prompt = template.render("<image>\ntell me about the image", system="Hello")
        reply = client.complete(prompt, [encoded()])
        streamed = "".join(chunk.text for chunk in client.stream_complete(prompt, [encoded()]))
        assert "tell me about the image" in reply.text
        assert "image 1: PNG 336x336" in reply.text
        assert streamed == reply.text
        assert api_server.requests[0].json["prompt"] == (
            "SYSTEM: Hello\n\nUSER:\n<image>\ntell me about the image\n\nASSISTANT:"
        )

    def test_can_have_several_choices(self, client: VisionClient) -> None:
        assert len(client.ask("Say something.", n=3).choices) == 3

    def test_holds_log_probabilities_where_asked(self, client: VisionClient) -> None:
        messages = [Message("user", "one two three")]
        whole = client.chat(messages, logprobs=True, top_logprobs=1).logprobs
        *_, last = client.stream(messages, logprobs=True, top_logprobs=1)
        assert whole
        assert last.reply is not None
        assert last.reply.logprobs == whole

    def test_can_be_tool_calls_of_a_model_that_has_them(self, client_for: Make) -> None:
        client = client_for(model="qwen3p8-max")
        tools = [
            {
                "type": "function",
                "function": {
                    "name": "add",
                    "description": "Adds.",
                    "parameters": {
                        "type": "object",
                        "properties": {"a": {"type": "integer"}},
                        "required": ["a"],
                    },
                },
            }
        ]
        messages = [Message("user", "add 3")]
        whole = client.chat(messages, tools=tools)
        *_, last = client.stream(messages, tools=tools)
        assert [(call.name, call.arguments) for call in whole.tool_calls] == [("add", '{"a":3}')]
        assert last.reply is not None
        assert [(c.name, c.arguments) for c in last.reply.tool_calls] == [("add", '{"a":3}')]
        assert whole.finish_reason == last.reply.finish_reason == "tool_calls"


class TestARequest:
    def test_of_text_alone_has_plain_string_content(
        self, client: VisionClient, api_server: ApiServer
    ) -> None:
        client.chat([Message("system", ""), Message("user", [TextPart("Hello")])])
        assert api_server.requests[0].json == {
            "model": FIRELLAVA_13B,
            "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "Hello"}],
        }

    def test_passes_urls_on_and_does_not_fetch_them(
        self, client: VisionClient, api_server: ApiServer
    ) -> None:
        url = "https://example.com/cat.jpg?size=large"
        api_server.host_image(url, encoded("JPEG", (50, 40), "#00ff00"))
        assert "JPEG 50x40 mean #00f" in client.ask("What is this?", url).text
        assert url in str(api_server.requests[0].json)

    def test_keeps_the_detail_hint(self, client: VisionClient, api_server: ApiServer) -> None:
        part = ImagePart(ImageSource.from_bytes(encoded()), detail="low")
        client.chat([Message("user", [part])])
        assert api_server.requests[0].json["messages"][0]["content"][0]["image_url"]["detail"] == "low"

    def test_carries_what_extra_body_adds(self, client: VisionClient, api_server: ApiServer) -> None:
        client.ask("Hello", max_tokens=5, stop="x", extra_body={"top_k": 3})
        sent = api_server.requests[0].json
        assert (sent["max_tokens"], sent["stop"], sent["top_k"]) == (5, ["x"], 3)

    def test_tells_chosen_metadata_as_text_only_when_asked(
        self, client_for: Make, api_server: ApiServer, tmp_path: Path
    ) -> None:
        exif = Image.Exif()
        exif[0x0132] = "2024:05:01 10:00:00"
        photo = tmp_path / "photo.jpg"
        Image.new("RGB", (80, 60), "#808080").save(photo, exif=exif)
        client_for().ask("When?", photo)
        client_for(describe_metadata=["DateTime"]).ask("When?", photo)
        silent, told = (str(request.json) for request in api_server.requests)
        assert "2024:05:01" not in silent
        assert "DateTime: 2024:05:01 10:00:00" in told

    def test_with_a_deployment_keeps_the_rules_of_its_card(
        self, client_for: Make, api_server: ApiServer
    ) -> None:
        api_server.deploy("accounts/acme/deployments/seven")
        client = client_for(model="accounts/acme/deployments/seven", card="firellava-13b")
        reply = client.ask("What is this?", encoded("PNG", (800, 600)))
        assert "336x336" in reply.text
        assert reply.usage is not None
        assert reply.usage.image_tokens == 576

    def test_to_another_model_keeps_more_pixels(self, client_for: Make) -> None:
        reply = client_for(model="qwen3p8-max").ask("What is this?", encoded("PNG", (3000, 1500)))
        assert "1568x784" in reply.text
        assert reply.adjustments == ("image 1: scaled from 3000x1500 to 1568x784",)
        assert reply.usage is not None
        assert reply.usage.image_tokens is None

    def test_with_several_images_warns_where_the_model_was_not_trained_for_it(
        self, client_for: Make, blue_picture: Path
    ) -> None:
        with pytest.warns(SeveralImagesWarning, match="not trained with several images"):
            client_for().ask("Which?", blue_picture, blue_picture)
        client_for(model=QWEN_MAX).ask("Which?", blue_picture, blue_picture)

    def test_goes_through_the_callers_own_client(self, client_for: Make, api_server: ApiServer) -> None:
        import httpx  # noqa: PLC0415 - only the caller of this test knows httpx

        with httpx.Client(headers={"x-team": "ours"}) as http_client:
            client_for(http_client=http_client).ask("Hello")
        assert api_server.requests[0].headers["x-team"] == "ours"


def renamed_text(folder: Path) -> Path:
    path = folder / "notes.png"
    path.write_text("these are notes, not a picture")
    return path


def bomb(folder: Path) -> Path:
    path = folder / "bomb.png"
    Image.new("1", (30_000, 20_000)).save(path)
    return path


BAD_IMAGES: dict[str, tuple[Callable[[Path], Any], type[FireLLaVAError], str]] = {
    "a missing file": (lambda folder: folder / "none.jpg", UnreadableImage, "none.jpg"),
    "a folder": (lambda folder: folder, UnreadableImage, "folder|directory|regular file"),
    "a text file called .png": (renamed_text, UnsupportedFormat, "notes.png"),
    "too many pixels": (bomb, ImageTooLarge, "30,?000"),
    "a local URL": (lambda _: "file:///etc/passwd", UnreadableImage, "file"),
    "garbage": (lambda _: b"\x00\x01\x02", UnsupportedFormat, "image"),
    "a number": (lambda _: 7, UnreadableImage, "int"),
}


class TestBadInputIsRefusedAndNothingIsSent:
    @pytest.mark.parametrize("case", BAD_IMAGES)
    def test_images(self, client: VisionClient, api_server: ApiServer, tmp_path: Path, case: str) -> None:
        make, kind, told = BAD_IMAGES[case]
        with pytest.raises(kind, match=told):
            client.ask("What is this?", make(tmp_path))
        assert api_server.requests == []

    @pytest.mark.parametrize(
        ("messages", "parameters", "kind", "told"),
        [
            ([], {}, InvalidRequest, "no message"),
            ([Message("user", "  ")], {}, InvalidRequest, "empty"),
            ([Message("user", "Hi")], {"temperature": 9}, InvalidRequest, "temperature"),
            ([Message("user", "Hi")], {"temprature": 1}, InvalidRequest, "temprature"),
            ([Message("user", "Hi")], {"stop": list("abcde")}, InvalidRequest, "stop"),
            ([Message("user", "Hi \ud800")], {}, InvalidRequest, "surrogates"),
            ([Message("user", "Hi")], {"tools": [{"type": "function"}]}, UnsupportedCapability, "tools"),
        ],
    )
    def test_messages_and_parameters(
        self,
        client: VisionClient,
        api_server: ApiServer,
        messages: list[Message],
        parameters: dict[str, Any],
        kind: type[FireLLaVAError],
        told: str,
    ) -> None:
        with pytest.raises(kind, match=told):
            client.chat(messages, **parameters)
        assert api_server.requests == []

    def test_questions_and_prompts(self, client: VisionClient, api_server: ApiServer) -> None:
        with pytest.raises(InvalidRequest, match="empty"):
            client.ask(" ", encoded())
        with pytest.raises(InvalidRequest, match="1 <image> tokens for 2 images"):
            client.complete("<image>", [encoded(), encoded()])
        with pytest.raises(InvalidRequest, match="streamed"):
            list(client.stream([Message("user", "Hi")], n=2))
        assert api_server.requests == []

    def test_more_images_than_fit(self, client_for: Make, api_server: ApiServer) -> None:
        with pytest.raises(ContextOverflow, match="Send at most 7"):
            client_for().ask("Which?", *[encoded()] * 8)
        with pytest.raises(LimitExceeded, match="at most 30"):
            client_for(model=QWEN_MAX).ask("Which?", *[encoded()] * 31)
        assert api_server.requests == []

    def test_files_outside_the_image_roots(
        self, client_for: Make, api_server: ApiServer, blue_picture: Path, tmp_path: Path
    ) -> None:
        client_for(image_roots=[tmp_path]).ask("What is this?", blue_picture)
        (tmp_path / "inside").mkdir()
        for roots in ([tmp_path / "inside"], tmp_path / "inside", str(tmp_path / "inside"), []):
            with pytest.raises(ForbiddenPath):
                client_for(image_roots=roots).ask("What is this?", blue_picture)
        assert len(api_server.requests) == 1

    def test_settings(self) -> None:
        for settings, told in (
            ({"base_url": "http://example.com/v1"}, "unencrypted"),
            ({"base_url": "http://127.0.0.1.example.com/v1"}, "unencrypted"),
            ({"base_url": "http://localhost.example.com/v1"}, "unencrypted"),
            ({"base_url": "https://127.0.0.1:99999/v1"}, "http"),
            ({"base_url": "ftp://example.com"}, "http"),
            ({"base_url": "https://me:secret@example.com"}, "user name"),
            ({"api_key": ""}, "empty"),
            ({"api_key": "two words"}, "copied whole"),
            ({"fallback": "ollama"}, "fallback="),
            ({"backend": OfflineReader(), "model": "x"}, "already decides model"),
            ({"model": " "}, "empty"),
            ({"fit": "square"}, "fit= takes one of 'letterbox', "),
            ({"limits": "lax"}, "limits= takes one of 'strict', 'adjust', 'off', not 'lax'"),
            ({"limits": None}, "limits= takes one of .*, not NoneType"),
            ({"limits": ["off"]}, "limits= takes one of .*, not list"),
            ({"image_urls": True}, "image_urls= takes one of 'pass', 'check', 'inline', not bool"),
            ({"fetch_policy": "allow_http"}, "fetch_policy= takes a FetchPolicy"),
            ({"fetch_policy": {"allowed_host": ["example.com"]}}, "fetch_policy= takes a FetchPolicy"),
            ({"fetch_policy": {"seconds": "10"}}, "fetch_policy= takes a FetchPolicy"),
            ({"fetch_policy": {"seconds": 0}}, "seconds must be more than 0"),
        ):
            with pytest.raises(ConfigurationError, match=told):
                VisionClient(**settings)

    def test_no_key(self, api_server: ApiServer) -> None:
        client = VisionClient(base_url=api_server.base_url)
        with pytest.raises(MissingKey, match=r"FIREWORKS_API_KEY.*fallback="):
            client.ask("Hello")
        assert api_server.requests == []


def test_an_unknown_model_is_explained(client_for: Make) -> None:
    with pytest.raises(ModelNotFound, match=r"may be retired.*kimi-k3.*deployment.*fallback="):
        client_for(model="firellava-99b").ask("Hello")


def test_settings_come_from_the_environment(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", f" {api_server.key}\n")
    monkeypatch.setenv("FIREWORKS_API_BASE", api_server.base_url + "/")
    monkeypatch.setenv("FIRELLAVA_MODEL", "qwen3p8-max")
    assert VisionClient().ask("Hello").model == QWEN_MAX


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"timeout": 0}, "timeout= takes a number of seconds above 0"),
        ({"timeout": "60"}, "timeout= takes a number"),
        ({"deadline": -1}, "deadline= takes a number of seconds above 0"),
        ({"max_retries": -1}, "max_retries= takes a whole number from 0"),
        ({"max_retries": 1.5}, "max_retries= takes a whole number"),
        ({"max_retries": None}, "max_retries= takes a whole number"),
    ],
)
def test_times_and_numbers_of_attempts_that_make_no_sense_are_refused(
    settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        VisionClient(**settings)


def test_a_card_overrides_that_of_any_backend() -> None:
    backend = FireworksBackend(model="accounts/acme/deployments/seven", api_key="k")
    client = VisionClient(backend=backend, card="firellava-13b")
    assert client.model_card.tokens_per_image == 576
    assert client.backends[0].label == "fireworks:seven"
