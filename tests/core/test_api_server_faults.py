"""The API server's streams and faults, seen by clients that nobody of this project wrote."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.answers import pieces

MESSAGES: Any = [{"role": "user", "content": "Hello out there"}]


@pytest.fixture
def client(api_server: ApiServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=api_server.base_url, api_key=api_server.key, max_retries=0) as opened:
        yield opened


@pytest.fixture
def http(api_server: ApiServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {api_server.key}"}
    with httpx.Client(base_url=api_server.base_url, headers=headers, timeout=5) as opened:
        yield opened


def post(http: httpx.Client, **extra: Any) -> httpx.Response:
    return http.post("/chat/completions", json={"model": FIRELLAVA_13B, "messages": MESSAGES, **extra})


def received_before_the_error(http: httpx.Client, *, stream: bool = False) -> tuple[bytes, Exception | None]:
    """The body's bytes up to the error that ended it."""
    body = b""
    request = {"model": FIRELLAVA_13B, "messages": MESSAGES, "stream": stream}
    try:
        with http.stream("POST", "/chat/completions", json=request) as response:
            for part in response.iter_raw():
                body += part
    except httpx.TransportError as error:
        return body, error
    return body, None


class TestStreams:
    @pytest.mark.parametrize(
        ("placement", "asked", "on_finish", "trailing"),
        [
            (UsagePlacement.FINISH_CHUNK, True, True, False),
            (UsagePlacement.FINISH_CHUNK, False, True, False),
            (UsagePlacement.TRAILING_CHUNK, True, False, True),
            (UsagePlacement.TRAILING_CHUNK, False, False, False),
            (UsagePlacement.FINISH_AND_TRAILING, True, True, True),
            (UsagePlacement.EVERY_CHUNK, True, True, False),
            (UsagePlacement.NEVER, True, False, False),
        ],
    )
    def test_usage_stands_where_the_server_is_told_to_put_it(
        self,
        api_server: ApiServer,
        client: openai.OpenAI,
        placement: UsagePlacement,
        *,
        asked: bool,
        on_finish: bool,
        trailing: bool,
    ) -> None:
        expected = client.chat.completions.create(model=FIRELLAVA_13B, messages=MESSAGES).usage
        api_server.usage = placement
        options: Any = {"stream_options": {"include_usage": True}} if asked else {}
        chunks = list(
            client.chat.completions.create(model=FIRELLAVA_13B, messages=MESSAGES, stream=True, **options),
        )
        [finish] = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
        after = [chunk for chunk in chunks if not chunk.choices]
        assert finish.usage == (expected if on_finish else None)
        assert [chunk.usage for chunk in after] == ([expected] if trailing else [])
        before = [chunk.usage for chunk in chunks if chunk.choices and chunk is not finish]
        assert all(before) if placement is UsagePlacement.EVERY_CHUNK else not any(before)

    def test_a_plain_reply_has_no_usage_where_there_is_never_any(
        self,
        api_server: ApiServer,
        client: openai.OpenAI,
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        assert client.chat.completions.create(model=FIRELLAVA_13B, messages=MESSAGES).usage is None

    def test_a_stream_ends_with_done(self, api_server: ApiServer, http: httpx.Client) -> None:
        response = post(http, stream=True)
        assert response.headers["content-type"].startswith("text/event-stream")
        events = response.text.split("\n\n")
        assert events[-2:] == ["data: [DONE]", ""]
        assert all(json.loads(event.removeprefix("data: "))["choices"] for event in events[:-2])

    @given(st.text())
    def test_the_pieces_of_a_text_are_the_text(self, text: str) -> None:
        assert "".join(pieces(text)) == text

    def test_tool_calls_stream_in_fragments(self, client: openai.OpenAI) -> None:
        parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]
        question: Any = [{"role": "user", "content": "The weather in 'Sankt Pölten'?"}]
        with client.chat.completions.stream(model=QWEN_MAX, messages=question, tools=tools) as stream:
            fragments = [e for e in stream if e.type == "tool_calls.function.arguments.delta"]
            message = stream.get_final_completion().choices[0].message
        assert len(fragments) > 3
        assert message.tool_calls is not None
        assert message.tool_calls[0].function.arguments == '{"city":"Sankt Pölten"}'

    def test_reasoning_streams_before_the_answer(self, client: openai.OpenAI) -> None:
        chunks = list(
            client.chat.completions.create(
                model=QWEN_MAX,
                messages=MESSAGES,
                stream=True,
                reasoning_effort="high",
            ),
        )
        kinds = [
            "reasoning" if "reasoning_content" in (delta.model_extra or {}) else "text"
            for delta in (chunk.choices[0].delta for chunk in chunks)
            if delta.content or delta.model_extra
        ]
        assert kinds == sorted(kinds)
        assert set(kinds) == {"reasoning", "text"}


class TestErrorFaults:
    @pytest.mark.parametrize(
        ("shape", "body"),
        [
            (
                "documented",
                (
                    b'{"error":{"object":"error","type":"invalid_request_error",'
                    b'"code":"SERVICE_UNAVAILABLE","message":"busy"}}'
                ),
            ),
            ("string", b'{"error":"busy"}'),
            ("detail", b'{"detail":[{"loc":["body","messages"],"msg":"busy","type":"value_error"}]}'),
            ("empty", b""),
            ("html", b"<html><head><title>503</title></head><body><h1>busy</h1></body></html>"),
        ],
    )
    def test_an_error_comes_in_each_shape(
        self,
        api_server: ApiServer,
        http: httpx.Client,
        shape: Any,
        body: bytes,
    ) -> None:
        api_server.fail_next(Fault(status=503, shape=shape, message="busy"))
        response = post(http)
        assert (response.status_code, response.content) == (503, body)

    @pytest.mark.parametrize(
        "status", [400, 401, 402, 403, 404, 408, 412, 422, 425, 429, 500, 502, 503, 504, 520]
    )
    def test_any_status_reaches_the_openai_client(
        self,
        api_server: ApiServer,
        client: openai.OpenAI,
        status: int,
    ) -> None:
        api_server.fail_next(Fault(status=status))
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=FIRELLAVA_13B, messages=MESSAGES)
        assert caught.value.status_code == status

    def test_the_openai_client_retries_after_what_the_headers_say(self, api_server: ApiServer) -> None:
        api_server.fail_next(
            Fault(status=429, headers={"retry-after-ms": "1"}),
            Fault(status=503, headers={"Retry-After": "0.001"}),
        )
        with openai.OpenAI(base_url=api_server.base_url, api_key=api_server.key, max_retries=2) as client:
            reply = client.chat.completions.create(model=FIRELLAVA_13B, messages=MESSAGES)
        assert reply.choices[0].message.content == "question: Hello out there"
        assert len(api_server.requests) == 3

    def test_faults_come_in_order_and_an_empty_one_lets_through(
        self,
        api_server: ApiServer,
        http: httpx.Client,
    ) -> None:
        api_server.fail_next(Fault(status=500), Fault(), times=2)
        assert [post(http).status_code for _ in range(5)] == [500, 200, 500, 200, 200]

    def test_clearing_forgets_the_faults(self, api_server: ApiServer, http: httpx.Client) -> None:
        api_server.fail_next(Fault(status=500))
        api_server.clear()
        assert post(http).status_code == 200

    def test_a_body_of_garbage_comes_as_it_is(self, api_server: ApiServer, http: httpx.Client) -> None:
        api_server.fail_next(Fault(body=b"\x00\xffnot JSON"))
        assert post(http).content == b"\x00\xffnot JSON"


class TestBrokenTransport:
    def test_no_reply_at_all(self, api_server: ApiServer, http: httpx.Client) -> None:
        api_server.fail_next(Fault(drop=True))
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
            post(http)
        assert len(api_server.requests) == 1

    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
    @pytest.mark.parametrize("size", [0, 1, 50])
    def test_a_cut_leaves_exactly_the_bytes_before_it(
        self,
        api_server: ApiServer,
        http: httpx.Client,
        size: int,
        *,
        stream: bool,
    ) -> None:
        api_server.fail_next(Fault(cut_after=size))
        body, error = received_before_the_error(http, stream=stream)
        assert len(body) == size
        assert isinstance(error, httpx.RemoteProtocolError)

    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
    def test_a_truncated_body_ends_without_an_error(
        self,
        api_server: ApiServer,
        http: httpx.Client,
        *,
        stream: bool,
    ) -> None:
        api_server.fail_next(Fault(truncate_after=50))
        body, error = received_before_the_error(http, stream=stream)
        assert (len(body), error) == (50, None)

    def test_a_delay_runs_into_the_read_timeout(self, api_server: ApiServer, http: httpx.Client) -> None:
        api_server.fail_next(Fault(delay=30))
        with pytest.raises(httpx.ReadTimeout):
            http.post("/chat/completions", json={}, timeout=0.2)

    def test_a_stall_comes_after_the_bytes_before_it(self, api_server: ApiServer, http: httpx.Client) -> None:
        http.timeout = httpx.Timeout(0.3)
        api_server.fail_next(Fault(stall=30, stall_after=60))
        body, error = received_before_the_error(http, stream=True)
        assert len(body) == 60
        assert isinstance(error, httpx.ReadTimeout)

    def test_a_short_stall_and_a_drip_change_no_byte(self, api_server: ApiServer, http: httpx.Client) -> None:
        body = b"0123456789"
        faults = (
            Fault(body=body, stall=0.01, stall_after=5),
            Fault(body=body, drip=0.001, drip_headers=True),
        )
        api_server.fail_next(*faults)
        assert [post(http).content for _ in faults] == [body, body]

    def test_a_drip_sends_byte_by_byte(self, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(body=b"0123456789", drip=0.02, drip_headers=True))
        with socket.create_connection(("127.0.0.1", api_server.port), timeout=10) as connection:
            connection.sendall(b"GET /inference/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert [len(connection.recv(100)) for _ in range(5)] == [1] * 5

    def test_the_server_stops_while_a_client_waits(self) -> None:
        with ApiServer() as server, httpx.Client(base_url=server.base_url) as http:
            server.fail_next(Fault(delay=30))
            with suppress(httpx.ReadTimeout):
                http.get("/models", timeout=0.1)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.base_url}/models")
