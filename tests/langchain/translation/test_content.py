"""Content blocks in every shape LangChain has had, and what of them arrives at the API."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.content import create_image_block

from firellava.errors import FireLLaVAError, InvalidRequest, UnreadableImage
from langchain_firellava import ChatFireLLaVA
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import data_url, encoded

RED = encoded("PNG", (40, 20), "#ff0000")
RED_BASE64 = base64.b64encode(RED).decode()
URL = "https://images.example.com/red.png?size=1"

INLINED: dict[str, dict[str, Any]] = {
    "standard": {"type": "image", "base64": RED_BASE64, "mime_type": "image/png"},
    "standard, made by LangChain": dict(create_image_block(base64=RED_BASE64, mime_type="image/png")),
    "standard, data URL": {"type": "image", "url": data_url(RED)},
    "first version": {"type": "image", "source_type": "base64", "data": RED_BASE64, "mime_type": "image/png"},
    "OpenAI": {"type": "image_url", "image_url": {"url": data_url(RED)}},
    "OpenAI, plain string": {"type": "image_url", "image_url": data_url(RED)},
    "Anthropic": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": RED_BASE64},
        "cache_control": {"type": "ephemeral"},
    },
    "standard, data URL as base64": {"type": "image", "base64": data_url(RED), "mime_type": "image/png"},
    "standard file": {"type": "file", "base64": RED_BASE64, "mime_type": "image/png"},
    "first version's file": {
        "type": "file",
        "source_type": "base64",
        "data": RED_BASE64,
        "mime_type": "image/png",
    },
    "OpenAI, Responses": {"type": "input_image", "image_url": data_url(RED), "detail": "auto"},
    "Google": {"type": "media", "mime_type": "image/png", "data": RED_BASE64},
    "Google, bytes": {"type": "media", "mime_type": "image/png", "data": RED},
    "Bedrock Converse": {"image": {"format": "png", "source": {"bytes": RED}}},
}
LINKED: dict[str, dict[str, Any]] = {
    "standard": {"type": "image", "url": URL, "id": "1", "index": 0, "extras": {"note": "mine"}},
    "first version": {"type": "image", "source_type": "url", "url": URL},
    "OpenAI": {"type": "image_url", "image_url": {"url": URL}},
    "OpenAI, plain string": {"type": "image_url", "image_url": URL},
    "OpenAI, Responses": {"type": "input_image", "image_url": URL},
    "Anthropic": {"type": "image", "source": {"type": "url", "url": URL}},
    "Google": {"type": "media", "mime_type": "image/png", "file_uri": URL},
}


@pytest.fixture
def qwen(llm_for: Callable[..., ChatFireLLaVA]) -> ChatFireLLaVA:
    """A model that gets pictures as they are, not letterboxed."""
    return llm_for(model=QWEN_MAX)


class TestAnImageArrives:
    @pytest.mark.parametrize("shape", INLINED)
    def test_with_its_pixels(self, qwen: ChatFireLLaVA, api_server: ApiServer, shape: str) -> None:
        qwen.invoke([HumanMessage(["What is this?", INLINED[shape]])])
        (image,) = api_server.requests[0].images
        assert image.size == (40, 20)
        assert image.mean == "#ff0000"

    @pytest.mark.parametrize("shape", INLINED)
    async def test_asynchronously_too(self, qwen: ChatFireLLaVA, api_server: ApiServer, shape: str) -> None:
        await qwen.ainvoke([HumanMessage(["What is this?", INLINED[shape]])])
        (image,) = api_server.requests[0].images
        assert image.mean == "#ff0000"

    @pytest.mark.parametrize("shape", LINKED)
    def test_as_the_url_it_was_given_as(self, qwen: ChatFireLLaVA, api_server: ApiServer, shape: str) -> None:
        api_server.host_image(URL, RED)
        answer = qwen.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, LINKED[shape]])])
        assert api_server.requests[0].json["messages"] == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": URL}},
                ],
            }
        ]
        assert "PNG 40x20" in answer.text

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
            {"type": "image_url", "image_url": URL, "detail": "low"},
            {"type": "image", "url": URL, "extras": {"detail": "low"}},
            {"type": "image", "source_type": "url", "url": URL, "detail": "low"},
        ],
    )
    def test_with_its_detail(self, qwen: ChatFireLLaVA, api_server: ApiServer, block: dict[str, Any]) -> None:
        api_server.host_image(URL, RED)
        qwen.invoke([HumanMessage([block])])
        (part,) = api_server.requests[0].json["messages"][0]["content"]
        assert part == {"type": "image_url", "image_url": {"url": URL, "detail": "low"}}


class TestWhatModelsSayBesideTextIsLeftOut:
    @pytest.mark.parametrize(
        "block",
        [
            {"type": "thinking", "thinking": "Hm.", "signature": "x"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "server_tool_call", "id": "1", "name": "search", "args": {}},
            {"type": "non_standard", "value": {"anything": 1}},
        ],
    )
    def test_in_histories(self, llm: ChatFireLLaVA, api_server: ApiServer, block: dict[str, Any]) -> None:
        said = {"type": "text", "text": "A cat.", "annotations": [{"type": "citation"}], "index": 1}
        llm.invoke([HumanMessage("What is this?"), AIMessage([block, said]), HumanMessage("Sure?")])
        assert api_server.requests[0].json["messages"][1] == {"role": "assistant", "content": "A cat."}


class TestTextArrives:
    @pytest.mark.parametrize(
        ("block", "text"),
        [
            ({"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}, "id": "1"}, "Hi"),
            ({"text": "Hi"}, "Hi"),
            ({"type": "input_text", "text": "Hi"}, "Hi"),
            ({"type": "refusal", "refusal": "No."}, "No."),
            ({"type": "text-plain", "text": "Hi", "mime_type": "text/plain", "title": "a.txt"}, "Hi"),
            (
                {
                    "type": "document",
                    "title": "A note",
                    "source": {"type": "text", "media_type": "text/plain", "data": "Hi"},
                },
                "A note\nHi",
            ),
            (
                {
                    "type": "search_result",
                    "title": "A note",
                    "source": "https://example.com/",
                    "content": [{"type": "text", "text": "Hi"}],
                },
                "A note\nhttps://example.com/\nHi",
            ),
        ],
    )
    def test_whatever_block_it_stands_in(
        self, llm: ChatFireLLaVA, api_server: ApiServer, block: dict[str, Any], text: str
    ) -> None:
        llm.invoke([HumanMessage([block])])
        assert api_server.requests[0].json["messages"] == [{"role": "user", "content": text}]

    def test_without_the_marks_of_another_services_cache(
        self, llm: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        llm.invoke([HumanMessage([{"text": "Hi"}, {"cachePoint": {"type": "default"}}])])
        assert api_server.requests[0].json["messages"] == [{"role": "user", "content": "Hi"}]


class TestWhatTheApiDoesNotTakeIsRefused:
    @pytest.mark.parametrize(
        ("block", "told"),
        [
            ({"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}, "'audio'.*transcribe"),
            ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "transcribe"),
            ({"type": "media", "mime_type": "audio/wav", "data": "AAAA"}, "'audio/wav'.*transcribe"),
            ({"type": "video", "url": "https://example.com/v.mp4"}, "'video'.*frames"),
            ({"type": "file", "base64": "AAAA", "mime_type": "application/pdf"}, "'file'.*pages"),
            ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}, "'file'.*pages"),
            ({"type": "document", "source": {"type": "base64", "data": "AAAA"}}, "'document'.*pages"),
            ({"type": "text-plain", "base64": "AAAA", "mime_type": "text/plain"}, "'text-plain'.*text block"),
            ({"type": "json", "json": {"a": object()}}, "JSON"),
            ({"type": "reasoning", "reasoning": "Hm."}, "'reasoning'.*text and images"),
            ({"type": "text"}, "no text"),
            ({}, "'empty'"),
            ({"type": "image", "file_id": "file-1"}, "another service"),
        ],
    )
    def test_by_name(
        self, llm: ChatFireLLaVA, api_server: ApiServer, block: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=told):
            llm.invoke([HumanMessage(["Hello", block])])
        assert api_server.requests == []

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "image_url", "image_url": {"url": "/etc/hostname"}},
            {"type": "image_url", "image_url": "photo.jpg"},
            {"type": "image", "url": "file:///etc/hostname"},
            {"type": "image", "url": "FILE:///etc/hostname"},
            {"type": "image", "base64": "/etc/hostname.png", "mime_type": "image/png"},
            {"type": "image", "path": "photo.jpg"},
            {"type": "image", "source": "photo.jpg"},
            {"type": "image", "source": {"type": "url", "url": "gs://bucket/photo.jpg"}},
            {"type": "image", "base64": 7, "mime_type": "image/png"},
            {"type": "image_url"},
            {"type": "media", "mime_type": "image/png"},
            {"type": "media", "mime_type": "image/png", "file_uri": "photo.jpg"},
        ],
    )
    def test_a_string_that_would_open_a_file(
        self, llm: ChatFireLLaVA, api_server: ApiServer, block: dict[str, Any]
    ) -> None:
        with pytest.raises(UnreadableImage):
            llm.invoke([HumanMessage(["What is this?", block])])
        assert api_server.requests == []

    @pytest.mark.parametrize(
        ("kind", "url"), [("html", "data:text/html;base64,PGh0bWw+"), ("cut", data_url(RED)[:60])]
    )
    def test_a_data_url_that_is_no_image(
        self, llm: ChatFireLLaVA, api_server: ApiServer, kind: str, url: str
    ) -> None:
        with pytest.raises(FireLLaVAError) as caught:
            llm.invoke([HumanMessage([{"type": "image_url", "image_url": {"url": url}}])])
        assert isinstance(caught.value, InvalidRequest)
        assert "base64," not in str(caught.value)
        assert api_server.requests == []
