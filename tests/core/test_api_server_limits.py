"""The API server refuses what the documentation refuses, and counts as it says it counts."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, tokens
from tests.api_server.plain_requests import ask, data_url, encoded, image, message_of, user


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=api_server.base_url, api_key=api_server.key, max_retries=0) as opened:
        yield opened


class TestRefusals:
    def test_a_wrong_key_is_a_401_in_the_documented_shape(self, api_server: ApiServer) -> None:
        with (
            openai.OpenAI(base_url=api_server.base_url, api_key="wrong") as stranger,
            pytest.raises(openai.AuthenticationError) as caught,
        ):
            stranger.models.list()
        assert caught.value.body == {
            "object": "error",
            "type": "invalid_request_error",
            "code": "UNAUTHORIZED",
            "message": "The API key you provided is invalid.",
        }

    def test_an_unknown_model_is_a_404(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError, match="Model not found, inaccessible, and/or not deployed"):
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])

    def test_a_wrong_path_and_method_have_the_documented_shape_too(self, api_server: ApiServer) -> None:
        assert httpx.get(f"{api_server.base_url}/nothing").json()["error"]["code"] == "NOT_FOUND"
        assert httpx.get(f"{api_server.base_url}/completions").json()["error"]["code"] == "METHOD_NOT_ALLOWED"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"foo": 1}, "foo"),
            ({"messages": [{"role": "user", "content": "a", "name": "x"}]}, "messages[0].name"),
            (
                {"messages": [user("a", {"type": "text", "text": "b", "id": "x"})]},
                "messages[0].content[1].id",
            ),
            (
                {"messages": [user({"type": "image_url", "image_url": {"url": "x", "id": 1}})]},
                "messages[0].content[0].image_url.id",
            ),
            (
                {"tools": [{"type": "function", "function": {"name": "f", "extras": {}}}]},
                "tools[0].function.extras",
            ),
            ({"stream_options": {"more": True}}, "stream_options.more"),
            ({"response_format": {"type": "text", "x": 1}}, "response_format.x"),
        ],
    )
    def test_unknown_keys_are_refused_at_every_level(
        self,
        api_server: ApiServer,
        body: dict[str, Any],
        field: str,
    ) -> None:
        response = ask(api_server, **body)
        assert response.status_code == 400
        assert message_of(response).startswith(f"Extra inputs are not permitted, field: '{field}', value: ")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"temperature": 2.1}, "temperature"),
            ({"temperature": "0.5"}, "temperature"),
            ({"top_p": 1.1}, "top_p"),
            ({"top_k": -1}, "top_k"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"n": 0}, "n"),
            ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
            ({"logprobs": 6}, "logprobs"),
            ({"presence_penalty": -3}, "presence_penalty"),
            ({"tools": []}, "tools"),
            ({"tool_choice": "sometimes"}, "tool_choice"),
            ({"response_format": {"type": "json_schema"}}, "response_format"),
            ({"service_tier": "free"}, "service_tier"),
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "developer", "content": "a"}]}, "messages[0].role"),
            ({"messages": [{"role": "user", "content": None}]}, "messages[0]"),
            ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
            ({"messages": [user({"type": "file", "file": {}})]}, "messages[0].content[0]"),
            (
                {"messages": [user({"type": "image_url", "image_url": "x"})]},
                "messages[0].content[0].image_url",
            ),
        ],
    )
    def test_values_outside_the_documentation_are_refused_by_name(
        self,
        api_server: ApiServer,
        body: dict[str, Any],
        field: str,
    ) -> None:
        response = ask(api_server, **body)
        assert response.status_code == 400
        assert message_of(response).endswith(f", field: '{field}'")

    def test_a_tool_message_must_answer_a_call(self, api_server: ApiServer) -> None:
        stray = {"role": "tool", "tool_call_id": "call_9", "content": "sunny"}
        response = ask(api_server, messages=[{"role": "user", "content": "a"}, stray])
        assert message_of(response) == "tool_call_id 'call_9' answers no earlier tool call"

    def test_a_body_that_is_no_json_is_refused(self, api_server: ApiServer) -> None:
        response = httpx.post(
            f"{api_server.base_url}/completions",
            headers={"Authorization": f"Bearer {api_server.key}"},
            content=b"{",
        )
        assert response.status_code == 400
        assert api_server.requests[0].json is None

    def test_a_model_without_tools_refuses_them(self, api_server: ApiServer) -> None:
        response = ask(api_server, tools=[{"type": "function", "function": {"name": "f"}}])
        assert message_of(response) == f"Model {FIRELLAVA_13B} does not support tools"


class TestImageLimits:
    @pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM"])
    def test_documented_formats_are_decoded(self, api_server: ApiServer, image_format: str) -> None:
        url = data_url(encoded(image_format), "whatever")
        response = ask(api_server, messages=[user("What?", image(url))])
        assert f"image 1: {image_format} 64x48" in response.json()["choices"][0]["message"]["content"]

    @pytest.mark.parametrize(
        "data", [encoded("WEBP"), b"no image", encoded()[:40]], ids=["webp", "text", "half"]
    )
    def test_other_bytes_are_refused(self, api_server: ApiServer, data: bytes) -> None:
        response = ask(api_server, messages=[user("What?", image(data_url(data)))])
        assert response.status_code == 400
        assert "Failed to decode image" in message_of(response)

    @pytest.mark.parametrize(
        "url", ["data:image/png;base64,%%%", "data:text/plain;base64,aGk=", "file:///x.png"]
    )
    def test_other_urls_are_refused(self, api_server: ApiServer, url: str) -> None:
        assert ask(api_server, messages=[user("What?", image(url))]).status_code == 400

    def test_thirty_images_pass_and_thirty_one_do_not(self, api_server: ApiServer) -> None:
        part = image(data_url(encoded(size=(8, 8))))
        assert ask(api_server, model=QWEN_MAX, messages=[user(*[part] * 30)]).status_code == 200
        refused = ask(api_server, model=QWEN_MAX, messages=[user(*[part] * 31)])
        assert message_of(refused) == "Too many images in the request: 31, maximum: 30"

    def test_ten_megabytes_of_base64_pass_and_more_do_not(self, api_server: ApiServer) -> None:
        whole = encoded("PNG") + bytes(7_500_000)
        at_limit = data_url(whole[:7_500_000])
        assert ask(api_server, messages=[user(image(at_limit))]).status_code == 200
        over = ask(api_server, messages=[user(image(data_url(whole[:7_500_003])))])
        assert over.status_code == 413

    def test_a_large_a_slow_and_an_unknown_url_are_refused(self, api_server: ApiServer) -> None:
        api_server.host_image("https://a.example/large.png", encoded() + bytes(5_000_000))
        api_server.host_image("https://a.example/slow.png", encoded(), delay=1.6)
        for name in ("large", "slow", "unknown"):
            response = ask(api_server, messages=[user(image(f"https://a.example/{name}.png"))])
            assert response.status_code == 400
            assert f"https://a.example/{name}.png" in message_of(response)

    def test_a_completion_needs_an_image_for_each_token(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError, match=r"tokens in the prompt \(2\) must equal .* \(1\)"):
            client.completions.create(
                model=FIRELLAVA_13B,
                prompt="USER:<image><image>\nWhat?\n\nASSISTANT:",
                extra_body={"images": [data_url(encoded())]},
            )


class TestCounting:
    def test_an_image_costs_576_tokens_whatever_its_size(self, api_server: ApiServer) -> None:
        none, small, large = (
            ask(api_server, messages=[user("What?", *map(image, urls))]).json()["usage"]["prompt_tokens"]
            for urls in ([], [data_url(encoded())], [data_url(encoded(size=(700, 900)))])
        )
        assert small - none == large - none == 576

    def test_the_context_window_holds_seven_images_and_not_eight(self, api_server: ApiServer) -> None:
        part = image(data_url(encoded()))
        quiet = {"role": "system", "content": ""}
        assert ask(api_server, messages=[quiet, user("a", *[part] * 7)]).status_code == 200
        refused = ask(api_server, messages=[quiet, user("a", *[part] * 8)])
        assert refused.status_code == 400
        assert message_of(refused) == "The prompt is too long: 4613, model maximum context length: 4096"

    def test_too_many_max_tokens_are_lowered_unless_an_error_is_asked_for(
        self, api_server: ApiServer
    ) -> None:
        assert ask(api_server, max_tokens=4096).status_code == 200
        refused = ask(api_server, max_tokens=4096, context_length_exceeded_behavior="error")
        assert "prompt is too long" in message_of(refused)

    def test_max_tokens_and_stop_cut_the_answer(self, api_server: ApiServer) -> None:
        cut = ask(api_server, max_tokens=2).json()
        assert (cut["choices"][0]["message"]["content"], cut["choices"][0]["finish_reason"]) == (
            "question:",
            "length",
        )
        assert cut["usage"]["completion_tokens"] == 2
        stopped = ask(api_server, stop="He").json()["choices"][0]
        assert (stopped["message"]["content"], stopped["finish_reason"]) == ("question: ", "stop")

    @given(st.text(), st.integers(0, 9))
    def test_a_text_is_cut_to_its_first_tokens(self, text: str, limit: int) -> None:
        kept = tokens.cut(text, limit)
        assert text.startswith(kept)
        assert tokens.count(kept) == min(limit, tokens.count(text))

    def test_a_cache_key_makes_half_of_the_prompt_cached(self, api_server: ApiServer) -> None:
        response = ask(api_server, prompt_cache_key="user-1")
        usage = response.json()["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] // 2
        assert response.headers["fireworks-prompt-tokens"] == str(usage["prompt_tokens"])
        assert response.headers["x-request-id"]

    def test_logprobs_come_for_every_word(self, client: openai.OpenAI) -> None:
        reply = client.chat.completions.create(
            model=FIRELLAVA_13B,
            messages=[{"role": "user", "content": "Hello"}],
            logprobs=True,
            n=2,
        )
        assert [choice.message.content for choice in reply.choices] == [
            "question: Hello",
            "question: Hello #2",
        ]
        logprobs = reply.choices[0].logprobs
        assert logprobs is not None
        assert [entry.token for entry in logprobs.content or []] == ["question:", " Hello"]
