"""Calls as OpenTelemetry sees them: what a tracing backend would show of made-up calls and of real ones."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from firellava import Message, Usage, VisionClient
from firellava.hooks import CallDetails
from firellava.telemetry import OpenTelemetryHook
from tests.api_server import FIRELLAVA_13B, ApiServer, Fault

DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKENS = "gen_ai.client.token.usage"

STREAMED = CallDetails(
    question="q1",
    attempt=1,
    backend="fireworks:firellava-13b",
    kind="fireworks",
    local=False,
    server="api.fireworks.ai:443",
    model=FIRELLAVA_13B,
    answered_by=f"{FIRELLAVA_13B}#1",
    operation="chat",
    streamed=True,
    started_at=1_700_000_000.25,
    seconds=1.5,
    first_piece_seconds=0.5,
    outcome="answered",
    usage=Usage(700, 40, 740, image_tokens=576, cached_tokens=350, reasoning_tokens=12),
    cost_usd=Decimal("0.000148"),
    images=("ab" * 32,),
    tags=("nightly", "invoices"),
    parameters={"max_tokens": 50, "temperature": 0.0, "stop": ("END",), "n": 2, "min_p": 0.1},
    finish_reasons=("stop", "length"),
    request_id="request-7",
)
FAILED = replace(
    STREAMED,
    answered_by=None,
    streamed=False,
    first_piece_seconds=None,
    outcome="failed",
    error="RateLimited: Too many requests (429).",
    usage=None,
    cost_usd=Decimal(0),
    tags=(),
    parameters={},
    finish_reasons=(),
    request_id=None,
)


class Recorded(NamedTuple):
    """The hook, and what it has recorded."""

    hook: OpenTelemetryHook
    tracer: trace.Tracer
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def points(self) -> dict[str, list[HistogramDataPoint]]:
        """The histograms by name."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: [point for point in metric.data.data_points if isinstance(point, HistogramDataPoint)]
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def of(self, details: CallDetails) -> ReadableSpan:
        """The span of a call."""
        self.hook(details)
        return self.spans[-1]


@pytest.fixture
def recorded() -> Recorded:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    return Recorded(OpenTelemetryHook(tracers, meters), tracers.get_tracer("test"), exporter, reader)


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_is_a_client_span_with_what_the_conventions_name(recorded: Recorded) -> None:
    span = recorded.of(STREAMED)
    assert span.name == f"chat {FIRELLAVA_13B}"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert attributes_of(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fireworks",
        "gen_ai.request.model": FIRELLAVA_13B,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stream": True,
        "gen_ai.response.model": f"{FIRELLAVA_13B}#1",
        "gen_ai.response.id": "request-7",
        "gen_ai.response.finish_reasons": ("stop", "length"),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 700,
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.usage.image.input_tokens": 576,
        "gen_ai.usage.cache_read.input_tokens": 350,
        "gen_ai.usage.reasoning.output_tokens": 12,
        "server.address": "api.fireworks.ai",
        "server.port": 443,
        "firellava.question": "q1",
        "firellava.attempt": 1,
        "firellava.backend": "fireworks:firellava-13b",
        "firellava.local": False,
        "firellava.degraded": False,
        "firellava.outcome": "answered",
        "firellava.images": 1,
        "firellava.tags": ("nightly", "invoices"),
        "firellava.cost_usd": 0.000148,
        "firellava.may_cost_more": False,
    }


def test_the_span_lasts_as_long_as_the_call_did(recorded: Recorded) -> None:
    span = recorded.of(STREAMED)
    assert span.start_time == 1_700_000_000_250_000_000
    assert span.end_time == 1_700_000_001_750_000_000


@pytest.mark.parametrize("outcome", ["failed", "broken"])
def test_an_error_is_told_by_its_class_and_marks_the_span(recorded: Recorded, outcome: Any) -> None:
    span = recorded.of(replace(FAILED, outcome=outcome))
    assert attributes_of(span)["error.type"] == "RateLimited"
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "RateLimited: Too many requests (429)."
    assert attributes_of(span)["firellava.outcome"] == outcome
    (duration,) = recorded.points[DURATION]
    assert (duration.attributes or {})["error.type"] == "RateLimited"


def test_an_error_without_a_class_is_still_an_error(recorded: Recorded) -> None:
    span = recorded.of(replace(FAILED, error=None))
    assert attributes_of(span)["error.type"] == "_OTHER"
    assert span.status.status_code is StatusCode.ERROR


def test_a_caller_who_wants_no_more_of_an_answer_is_no_error(recorded: Recorded) -> None:
    span = recorded.of(replace(STREAMED, outcome="abandoned"))
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes_of(span)
    assert attributes_of(span)["firellava.outcome"] == "abandoned"


def test_what_nobody_knows_is_left_out_and_is_not_zero(recorded: Recorded) -> None:
    told = attributes_of(recorded.of(replace(STREAMED, usage=None, cost_usd=None, may_cost_more=True)))
    assert not [name for name in told if name.startswith("gen_ai.usage")]
    assert "firellava.cost_usd" not in told
    assert told["firellava.may_cost_more"] is True
    assert TOKENS not in recorded.points


def test_a_cost_of_zero_is_known(recorded: Recorded) -> None:
    told = attributes_of(recorded.of(replace(STREAMED, cost_usd=Decimal(0), usage=Usage(5, 0, 5))))
    assert told["firellava.cost_usd"] == 0.0
    assert told["gen_ai.usage.output_tokens"] == 0


def test_one_choice_and_an_answer_in_one_piece_go_without_saying(recorded: Recorded) -> None:
    told = attributes_of(recorded.of(replace(FAILED, parameters={"n": 1})))
    assert not {"gen_ai.request.choice.count", "gen_ai.request.stream"} & told.keys()


def test_a_model_in_this_process_has_no_server_and_no_client_span(recorded: Recorded) -> None:
    local = replace(STREAMED, kind="llama_cpp", local=True, server=None, operation="completion")
    span = recorded.of(local)
    assert span.kind is SpanKind.INTERNAL
    assert span.name == f"text_completion {FIRELLAVA_13B}"
    told = attributes_of(span)
    assert told["gen_ai.operation.name"] == "text_completion"
    assert told["gen_ai.provider.name"] == "llama_cpp"
    assert not [name for name in told if name.startswith("server.")]


@pytest.mark.parametrize(
    ("server", "address", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:8080", "::1", 8080),
        ("example.org", "example.org", None),
    ],
)
def test_the_server_is_told_as_host_and_port(
    recorded: Recorded, server: str, address: str, port: int | None
) -> None:
    told = attributes_of(recorded.of(replace(STREAMED, server=server)))
    assert (told["server.address"], told.get("server.port")) == (address, port)


def test_histograms_take_each_call_with_the_boundaries_of_the_conventions(recorded: Recorded) -> None:
    recorded.hook(STREAMED)
    recorded.hook(STREAMED)
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fireworks",
        "gen_ai.request.model": FIRELLAVA_13B,
        "gen_ai.response.model": f"{FIRELLAVA_13B}#1",
        "server.address": "api.fireworks.ai",
        "server.port": 443,
    }
    points = recorded.points
    (duration,), (first_chunk,) = points[DURATION], points[FIRST_CHUNK]
    assert (duration.count, duration.sum, duration.attributes) == (2, 3.0, common)
    assert (first_chunk.count, first_chunk.sum, first_chunk.attributes) == (2, 1.0, common)
    assert list(duration.explicit_bounds)[:4] == [0.01, 0.02, 0.04, 0.08]
    assert list(duration.explicit_bounds)[-1] == 81.92
    tokens = {(point.attributes or {})["gen_ai.token.type"]: point for point in points[TOKENS]}
    assert {kind: point.sum for kind, point in tokens.items()} == {"input": 1400, "output": 80}
    assert tokens["input"].attributes == common | {"gen_ai.token.type": "input"}
    assert list(tokens["input"].explicit_bounds)[-1] == 67_108_864


def test_a_histogram_leads_to_the_span_of_a_call(recorded: Recorded) -> None:
    span = recorded.of(STREAMED)
    for points in recorded.points.values():
        for point in points:
            assert [exemplar.span_id for exemplar in point.exemplars] == [span.context.span_id]


def test_only_streamed_answers_have_a_first_piece(recorded: Recorded) -> None:
    recorded.hook(FAILED)
    assert FIRST_CHUNK not in recorded.points


def test_a_call_of_the_api_is_told_without_what_was_said(
    recorded: Recorded, client_for: Callable[..., VisionClient], api_server: ApiServer, blue_picture: Path
) -> None:
    reply = client_for(hooks=[recorded.hook]).ask("What is this?", blue_picture, max_tokens=100)
    (told,) = (attributes_of(span) for span in recorded.spans)
    assert reply.usage is not None
    assert reply.cost_usd is not None
    assert (
        told.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "fireworks",
            "gen_ai.request.model": FIRELLAVA_13B,
            "gen_ai.request.max_tokens": 100,
            "gen_ai.response.model": FIRELLAVA_13B,
            "gen_ai.response.id": reply.request_id,
            "gen_ai.response.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": reply.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": reply.usage.completion_tokens,
            "gen_ai.usage.image.input_tokens": 576,
            "server.address": "127.0.0.1",
            "server.port": api_server.port,
            "firellava.images": 1,
            "firellava.cost_usd": float(reply.cost_usd),
        }.items()
    )
    for secret in ("What is this?", reply.text, api_server.key, "base64"):
        assert secret not in repr(told)


@pytest.mark.parametrize("way", ["chat", "achat", "stream", "astream"])
async def test_spans_hang_on_the_span_in_which_the_question_was_asked(
    recorded: Recorded, client_for: Callable[..., VisionClient], api_server: ApiServer, way: str
) -> None:
    api_server.fail_next(Fault(status=429, headers={"retry-after": "0"}))
    client = client_for(hooks=[recorded.hook])
    with recorded.tracer.start_as_current_span("question") as question:
        answer = getattr(client, way)([Message("user", "Hello")])
        if way == "achat":
            await answer
    with recorded.tracer.start_as_current_span("elsewhere, a stream is read"):
        if way == "stream":
            list(answer)
        elif way == "astream":
            _ = [piece async for piece in answer]
    failed, answered = (span for span in recorded.spans if span.name.startswith("chat"))
    assert failed.parent == answered.parent == question.get_span_context()
    assert [attributes_of(span)["firellava.attempt"] for span in (failed, answered)] == [0, 1]
    assert len({attributes_of(span)["firellava.question"] for span in (failed, answered)}) == 1
    assert attributes_of(failed)["error.type"] == "RateLimited"
    assert ("gen_ai.response.time_to_first_chunk" in attributes_of(answered)) == ("stream" in way)


def test_without_providers_those_of_the_process_are_used() -> None:
    said = run(
        "from decimal import Decimal\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "from firellava.telemetry import OpenTelemetryHook\n"
        "from firellava.hooks import CallDetails\n"
        "hook = OpenTelemetryHook()\n"
        "spans, provider = InMemorySpanExporter(), TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(spans))\n"
        "trace.set_tracer_provider(provider)\n"
        f"hook({FAILED!r})\n"
        "print(len(spans.get_finished_spans()))"
    )
    assert said.strip() == "1"


def test_without_opentelemetry_the_error_names_the_extra() -> None:
    said = run(
        "import sys; sys.modules['opentelemetry'] = None\n"
        "try:\n    import firellava.telemetry\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    assert said.startswith("MissingExtra")
    assert 'pip install "firellava[otel]"' in said


def run(code: str) -> str:
    return subprocess.run(  # noqa: S603 - our own code and interpreter
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout
