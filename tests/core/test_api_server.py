"""The API server is proved here with clients nobody here wrote: openai, langchain-openai, httpx."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, UsagePlacement
from tests.api_server.plain_requests import ask, data_url, encoded, image, user

PHOTO_URL = "https://images.unsplash.com/photo-1582538885592-e70a5d7ab3d3?ixlib=rb-4.0.3&w=1770&q=80"


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=api_server.base_url, api_key=api_server.key, max_retries=0) as opened:
        yield opened


class TestTheDocumentsOwnExamples:
    def test_an_image_by_url(self, api_server: ApiServer, client: openai.OpenAI) -> None:
        api_server.host_image(PHOTO_URL, encoded("JPEG", (1770, 1180), "#808080"))
        messages: Any = [user("Can you describe this image?", image(PHOTO_URL))]
        reply = client.chat.completions.create(model=FIRELLAVA_13B, messages=messages)
        answer = reply.choices[0].message.content
        assert answer is not None
        assert answer.startswith(
            "question: Can you describe this image? | image 1: JPEG 1770x1180 mean #808080"
        )

    def test_an_image_as_a_data_url(self, api_server: ApiServer, client: openai.OpenAI) -> None:
        messages: Any = [user("Can you describe this image?", image(data_url(encoded())))]
        reply = client.chat.completions.create(model=FIRELLAVA_13B, messages=messages)
        expected = "question: Can you describe this image? | image 1: PNG 64x48 mean #336699"
        assert reply.choices[0].message.content == expected

    def test_a_system_prompt_that_overrides_the_default(self, client: openai.OpenAI) -> None:
        reply = client.chat.completions.create(
            model=FIRELLAVA_13B,
            messages=[
                {"role": "system", "content": "You are a pirate."},
                {"role": "user", "content": "Hello, what is your name?"},
            ],
        )
        expected = "question: Hello, what is your name? | system: You are a pirate."
        assert reply.choices[0].message.content == expected

    def test_a_completion_with_an_image_token(self, api_server: ApiServer, client: openai.OpenAI) -> None:
        api_server.host_image(PHOTO_URL, encoded())
        reply = client.completions.create(
            model=FIRELLAVA_13B,
            prompt="SYSTEM: Hello\n\nUSER:<image>\ntell me about the image\n\nASSISTANT:",
            extra_body={"images": [PHOTO_URL]},
        )
        expected = "question: tell me about the image | system: Hello | image 1: PNG 64x48 mean #336699"
        assert reply.choices[0].text == expected

    def test_an_empty_system_prompt_omits_the_default_and_its_tokens(self, api_server: ApiServer) -> None:
        question = {"role": "user", "content": "Hello"}
        default = ask(api_server).json()
        empty = ask(api_server, messages=[{"role": "system", "content": ""}, question]).json()
        assert empty["choices"][0]["message"]["content"] == "question: Hello | system: (empty)"
        assert empty["usage"]["prompt_tokens"] == 5
        assert default["usage"]["prompt_tokens"] > empty["usage"]["prompt_tokens"]


class TestUnchangedClients:
    async def test_openai_async_reads_what_openai_reads(
        self, api_server: ApiServer, client: openai.OpenAI
    ) -> None:
        messages: Any = [user("What is this?", image(data_url(encoded())))]
        sync_reply = client.chat.completions.create(model=FIRELLAVA_13B, messages=messages)
        async with openai.AsyncOpenAI(base_url=api_server.base_url, api_key=api_server.key) as async_client:
            async_reply = await async_client.chat.completions.create(model=FIRELLAVA_13B, messages=messages)
        assert async_reply.choices == sync_reply.choices
        assert async_reply.usage == sync_reply.usage

    def test_streamed_text_equals_unstreamed(self, client: openai.OpenAI) -> None:
        messages: Any = [user("What is\nthis, Ångström?", image(data_url(encoded())))]
        whole = client.chat.completions.create(model=FIRELLAVA_13B, messages=messages)
        chunks = list(client.chat.completions.create(model=FIRELLAVA_13B, messages=messages, stream=True))
        words = [chunk.choices[0].delta.content or "" for chunk in chunks]
        assert "".join(words) == whole.choices[0].message.content
        assert len(list(filter(None, words))) > 5

    def test_streamed_completions_equal_unstreamed(self, client: openai.OpenAI) -> None:
        whole = client.completions.create(model=FIRELLAVA_13B, prompt="USER: hi there")
        chunks = client.completions.create(model=FIRELLAVA_13B, prompt="USER: hi there", stream=True)
        assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text

    def test_langchain_openai_invokes_and_streams(self, api_server: ApiServer) -> None:
        model = chat_openai(api_server, FIRELLAVA_13B)
        message = HumanMessage([{"type": "text", "text": "What is this?"}, image(data_url(encoded()))])
        answer = model.invoke([message])
        assert answer.content == "question: What is this? | image 1: PNG 64x48 mean #336699"
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["input_tokens"] > 576
        assert "".join(str(chunk.content) for chunk in model.stream([message])) == answer.content

    def test_langchain_openai_goes_through_a_tool_loop(self, api_server: ApiServer) -> None:
        @tool
        def get_weather(location: str) -> str:
            """Get the weather at a location."""
            return f"sunny in {location}"

        model = chat_openai(api_server, QWEN_MAX).bind_tools([get_weather])
        question = HumanMessage("What is the weather in San Francisco, CA?")
        calling = model.invoke([question])
        assert [(call["name"], call["args"]) for call in calling.tool_calls] == [
            ("get_weather", {"location": "San Francisco, CA"}),
        ]
        result: ToolMessage = get_weather.invoke(calling.tool_calls[0])
        final = model.invoke([question, calling, result])
        assert not final.tool_calls
        assert str(final.content).endswith("tool result: sunny in San Francisco, CA")

    def test_the_model_list_names_what_is_served(self, api_server: ApiServer, client: openai.OpenAI) -> None:
        api_server.deploy("accounts/me/deployments/mine")
        ids = [model.id for model in client.models.list()]
        assert ids == [FIRELLAVA_13B, QWEN_MAX, "accounts/me/deployments/mine"]

    def test_it_runs_as_a_process(self) -> None:
        command = [sys.executable, "-m", "tests.api_server", "--port", "0", "--key", "other"]
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own module)
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            with openai.OpenAI(base_url=base_url, api_key="other") as client:
                assert FIRELLAVA_13B in [model.id for model in client.models.list()]
            process.terminate()


def chat_openai(server: ApiServer, model: str) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=server.base_url, api_key=lambda: server.key, max_retries=0)


class Picture(BaseModel):
    format: Literal["PNG", "JPEG"]
    width: int
    colour: str
    tags: list[str]
    note: str | None


class TestAnswersByRule:
    def test_a_schema_is_filled_from_the_text_and_the_image(self, client: openai.OpenAI) -> None:
        messages: Any = [user("Tag this jpeg 'sea' and 'sky'.", image(data_url(encoded())))]
        reply = client.chat.completions.parse(model=FIRELLAVA_13B, messages=messages, response_format=Picture)
        expected = Picture(
            format="JPEG",
            width=64,
            colour="#336699",
            tags=["sea", "sky"],
            note=messages[0]["content"][0]["text"],
        )
        assert reply.choices[0].message.parsed == expected

    def test_a_schema_inside_the_prompt_is_followed(self, api_server: ApiServer) -> None:
        schema = {"properties": {"total": {"type": "integer"}}, "required": ["total"]}
        question = f"Answer by this schema: {json.dumps(schema)}. The total is 42."
        response = ask(api_server, messages=[user(question)])
        assert response.json()["choices"][0]["message"]["content"] == '{"total":42}'

    def test_a_json_object_has_the_keys_the_question_quotes(self, api_server: ApiServer) -> None:
        response = ask(
            api_server,
            messages=[user("Give JSON with 'setup' and 'punchline'.")],
            response_format={"type": "json_object"},
        )
        content = json.loads(response.json()["choices"][0]["message"]["content"])
        assert list(content) == ["setup", "punchline"]

    @pytest.mark.parametrize(
        ("extra", "expected"),
        [
            ({}, [("add", {"a": 1, "b": 2}), ("negate", {"x": 5})]),
            ({"parallel_tool_calls": False}, [("add", {"a": 1, "b": 2})]),
            ({"tool_choice": "none"}, []),
            ({"tool_choice": {"type": "function", "function": {"name": "negate"}}}, [("negate", {"x": 5})]),
        ],
    )
    def test_tools_are_called_as_the_request_says(
        self,
        api_server: ApiServer,
        extra: dict[str, Any],
        expected: list[tuple[str, dict[str, int]]],
    ) -> None:
        tools = [function("add", "a", "b"), function("negate", "x")]
        response = ask(
            api_server, model=QWEN_MAX, messages=[user("Call add(1, 2) and negate(5).")], tools=tools, **extra
        )
        assert calls_of(response) == expected

    def test_required_passes_over_what_has_been_called_since_the_question(
        self, api_server: ApiServer
    ) -> None:
        messages = [
            user("Hello."),
            *answered_call("report", "c1"),
            user("Call add(1, 2)."),
            *answered_call("add", "c2"),
        ]
        tools = [function("report", "x"), function("add", "a", "b")]
        response = ask(api_server, model=QWEN_MAX, messages=messages, tools=tools, tool_choice="required")
        assert [name for name, _ in calls_of(response)] == ["report"]

    @pytest.mark.parametrize("native", [False, True])
    def test_pictures_that_a_tool_gave_are_no_question(self, api_server: ApiServer, *, native: bool) -> None:
        picture = image(data_url(encoded()))
        called = answered_call("add", "call_1")
        if native:
            called[-1]["content"] = [{"type": "text", "text": "3"}, picture]
        shown = [] if native else [user("Of add:", picture)]
        response = ask(
            api_server,
            model=QWEN_MAX,
            messages=[user("add 1 and 2"), *called, *shown],
            tools=[function("add", "a", "b")],
        )
        assert calls_of(response) == []
        assert response.json()["choices"][0]["message"]["content"] == (
            "question: add 1 and 2 | tool result: 3 | image 1: PNG 64x48 mean #336699"
        )

    def test_reasoning_comes_where_effort_is_asked_for(self, api_server: ApiServer) -> None:
        reply = ask(api_server, model=QWEN_MAX, reasoning_effort="low").json()
        assert (
            reply["choices"][0]["message"]["reasoning_content"] == "The question has 1 tokens and 0 images."
        )
        assert reply["usage"]["completion_tokens_details"]["reasoning_tokens"] == 9
        silent = ask(api_server, model=QWEN_MAX, reasoning_effort="none").json()
        assert "reasoning_content" not in silent["choices"][0]["message"]


def function(name: str, *integers: str) -> dict[str, Any]:
    """A tool with required whole-number arguments."""
    properties = {integer: {"type": "integer"} for integer in integers}
    parameters = {"type": "object", "properties": properties, "required": list(integers)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def answered_call(name: str, call_id: str) -> list[dict[str, Any]]:
    """An assistant's tool call and the tool's answer to it."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "3"},
    ]


def calls_of(response: httpx.Response) -> list[tuple[str, dict[str, int]]]:
    calls = response.json()["choices"][0]["message"].get("tool_calls", [])
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


class TestRecords:
    def test_a_request_is_kept_as_it_arrived(self, api_server: ApiServer) -> None:
        data = encoded(colour="#0a0b0c")
        ask(api_server, messages=[user("What?", image(data_url(data)))])
        [record] = api_server.requests
        assert (record.method, record.path) == ("POST", "/inference/v1/chat/completions")
        assert record.headers["authorization"] == f"Bearer {api_server.key}"
        assert json.loads(record.body) == record.json
        [received] = record.images
        assert (received.format, received.size, received.mean, received.data) == (
            "PNG",
            (64, 48),
            "#0a0b0c",
            data,
        )
        assert received.pixels.getpixel((0, 0)) == (10, 11, 12)

    def test_what_an_answer_cost_is_kept_even_where_its_reply_does_not_say(
        self, api_server: ApiServer
    ) -> None:
        told = ask(api_server, messages=[user("What?", image(data_url(encoded())))]).json()["usage"]
        api_server.usage = UsagePlacement.NEVER
        assert "usage" not in ask(api_server, messages=[user("What?", image(data_url(encoded())))]).json()
        first, second = api_server.billed
        assert (first.prompt, first.completion) == (told["prompt_tokens"], told["completion_tokens"])
        assert first == second
        assert first.image == 576
        assert ask(api_server, foo=1).status_code == 400
        assert len(api_server.billed) == 2

    def test_refused_requests_are_kept_too_and_clearing_forgets(self, api_server: ApiServer) -> None:
        ask(api_server, foo=1)
        assert [record.json["foo"] for record in api_server.requests] == [1]
        api_server.clear()
        assert api_server.requests == []

    def test_two_servers_know_nothing_of_each_other(self, api_server: ApiServer) -> None:
        with ApiServer(key="other") as other:
            assert ask(other).status_code == 200
            assert len(other.requests) == 1
        assert api_server.requests == []
        with pytest.raises(httpx.ConnectError):
            ask(other)


def test_a_test_that_reaches_for_the_internet_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"a test reached for api\.fireworks\.ai"):
        httpx.get("https://api.fireworks.ai")
    with pytest.raises(pytest.fail.Exception, match=r"a test reached for 192\.0\.2\.1"):
        httpx.get("http://192.0.2.1")
