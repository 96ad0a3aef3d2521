"""OpenTelemetry: a span and the usual metrics for every call of a backend.

    from firellava import VisionClient
    from firellava.telemetry import OpenTelemetryHook

    client = VisionClient(hooks=[OpenTelemetryHook()])

It needs the extra ``otel``, which brings the API of OpenTelemetry only: where spans and metrics go is decided
by the SDK that the application sets up. Without one, nothing is recorded.

Names are those of the semantic conventions for generative AI, which are still in development: as they come
with OpenTelemetry 1.45, and for the tokens of images as in the later draft at
https://github.com/open-telemetry/semantic-conventions-genai. What they have no name for is under
``firellava.``. No text of a message, no part of an image and no key is ever recorded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from firellava.errors import MissingExtra
from firellava.version import __version__

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import SpanKind, StatusCode
except ImportError as error:
    raise MissingExtra("otel", "firellava.telemetry") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from firellava.hooks import CallDetails

__all__ = ["OpenTelemetryHook"]

_ERROR_TYPE = "error.type"
_OPERATIONS = {"chat": "chat", "completion": "text_completion"}
_PARAMETERS = {
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "max_tokens": "gen_ai.request.max_tokens",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
    "temperature": "gen_ai.request.temperature",
    "top_k": "gen_ai.request.top_k",
    "top_p": "gen_ai.request.top_p",
}

# The boundaries that the conventions ask for.
_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]


class OpenTelemetryHook:
    """A `CallHook` that records each call as a span, and in three histograms.

    The span's parent is the span in whose context the question was asked. Its name is the operation and the
    model, as in ``chat accounts/fireworks/models/firellava-13b``; its kind is CLIENT, or INTERNAL for a model
    in this process. A question that is retried or falls back has a span for each call, and these spans have
    one ``firellava.question``.

    The histograms are ``gen_ai.client.operation.duration`` (seconds), ``gen_ai.client.token.usage`` (tokens
    in and out, where the backend stated them) and ``gen_ai.client.operation.time_to_first_chunk`` (seconds,
    for streamed answers).

    Args:
        tracer_provider: makes the spans; by default the one that the application has set for the process.
        meter_provider: makes the histograms; by default likewise.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer("firellava", __version__, tracer_provider)
        meter = metrics.get_meter("firellava", __version__, meter_provider)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "How long calls took.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "How long it took until the first piece of a streamed answer was there.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of prompts and of answers.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def __call__(self, details: CallDetails, /) -> None:
        """Record a call."""
        common = _common(details)
        error_type = _error_type(details)
        span = self._tracer.start_span(
            f"{_OPERATIONS[details.operation]} {details.model}",
            kind=SpanKind.INTERNAL if details.server is None else SpanKind.CLIENT,
            attributes=common | _of_request(details) | _of_answer(details) | _of_ours(details),
            start_time=_nanoseconds(details.started_at),
        )
        if error_type is not None:
            span.set_attribute(_ERROR_TYPE, error_type)
            span.set_status(StatusCode.ERROR, details.error)
        span.end(_nanoseconds(details.started_at + details.seconds))

        # An exemplar of a histogram then leads to this span.
        context = trace.set_span_in_context(span)
        ended = common if error_type is None else common | {_ERROR_TYPE: error_type}
        self._duration.record(details.seconds, ended, context)
        if details.first_piece_seconds is not None:
            self._first_chunk.record(details.first_piece_seconds, common, context)
        if details.usage is not None:
            for kind, count in (
                ("input", details.usage.prompt_tokens),
                ("output", details.usage.completion_tokens),
            ):
                self._tokens.record(count, common | {"gen_ai.token.type": kind}, context)


def _common(details: CallDetails) -> dict[str, Any]:
    """What spans and metrics have in common: few values in all, so that metrics can be grouped by them."""
    address, port = _address(details.server)
    return _known(
        {
            "gen_ai.operation.name": _OPERATIONS[details.operation],
            "gen_ai.provider.name": details.kind,
            "gen_ai.request.model": details.model,
            "gen_ai.response.model": details.answered_by,
            "server.address": address,
            "server.port": port,
        }
    )


def _of_request(details: CallDetails) -> dict[str, Any]:
    given = details.parameters
    choices = given.get("n", 1)
    return _known(
        {
            **{name: given.get(parameter) for parameter, name in _PARAMETERS.items()},
            # The conventions want these two only where they are not what everyone expects.
            "gen_ai.request.choice.count": None if choices == 1 else choices,
            "gen_ai.request.stream": details.streamed or None,
        }
    )


def _of_answer(details: CallDetails) -> dict[str, Any]:
    usage = details.usage
    return _known(
        {
            "gen_ai.response.id": details.request_id,
            "gen_ai.response.finish_reasons": details.finish_reasons or None,
            "gen_ai.response.time_to_first_chunk": details.first_piece_seconds,
            "gen_ai.usage.input_tokens": usage and usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage and usage.completion_tokens,
            "gen_ai.usage.image.input_tokens": usage and usage.image_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage and usage.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage and usage.reasoning_tokens,
        }
    )


def _of_ours(details: CallDetails) -> dict[str, Any]:
    return _known(
        {
            "firellava.question": details.question,
            "firellava.attempt": details.attempt,
            "firellava.backend": details.backend,
            "firellava.local": details.local,
            "firellava.degraded": details.degraded,
            "firellava.outcome": details.outcome,
            "firellava.images": len(details.images),
            "firellava.tags": details.tags or None,
            # A number, so that dashboards can add them up; the exact decimal is in the ledger.
            "firellava.cost_usd": None if details.cost_usd is None else float(details.cost_usd),
            "firellava.may_cost_more": details.may_cost_more,
        }
    )


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Without what nobody stated: unknown is not zero, and OpenTelemetry has no null."""
    return {name: value for name, value in attributes.items() if value is not None}


def _error_type(details: CallDetails) -> str | None:
    """The class of the error. A caller that wanted no more of an answer is none."""
    if details.outcome in {"answered", "abandoned"}:
        return None
    # The conventions' own word for an error whose class nobody knows.
    return (details.error or "_OTHER").partition(":")[0]


def _nanoseconds(seconds: float) -> int:
    """In whole microseconds, which is as much as a float tells of a time since the epoch."""
    return round(seconds * 1_000_000) * 1_000


@lru_cache(maxsize=64)
def _address(server: str | None) -> tuple[str | None, int | None]:
    parts = urlsplit(f"//{server or ''}")
    return parts.hostname, parts.port
