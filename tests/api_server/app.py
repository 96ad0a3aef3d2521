"""The API's endpoints as a Starlette application: authentication, validation, answer, headers."""

import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import count
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.api_server import tokens
from tests.api_server.answers import Answer, chat_answers, completion_answers
from tests.api_server.contract import ChatRequest, CompletionRequest
from tests.api_server.errors import Refusal, error_body
from tests.api_server.images import read_images
from tests.api_server.replies import Reply, chat_body, completion_body
from tests.api_server.served_models import SERVED_MODELS, ServedModel, find_model
from tests.api_server.state import ServerState
from tests.api_server.streaming import chat_events, completion_events
from tests.api_server.usage import Usage
from tests.api_server.validation import parse

BASE_PATH = "/inference/v1"


class Api:
    """The endpoints over one server's state."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._numbers = count(1)

    async def models(self, request: Request) -> Response:
        """GET /models"""
        self._authorise(request)
        served = {model_id: SERVED_MODELS[like] for model_id, like in self._state.deployments.items()}
        data = [_listed(model_id, model) for model_id, model in {**SERVED_MODELS, **served}.items()]
        return self._json({"object": "list", "data": data})

    async def chat(self, request: Request) -> Response:
        """POST /chat/completions"""
        self._authorise(request)
        body = parse(ChatRequest, await request.body())
        model = find_model(body.model, self._state.deployments)
        if body.tools and not model.tools:
            raise Refusal(HTTPStatus.BAD_REQUEST, f"Model {body.model} does not support tools")
        images = read_images(body.image_urls, self._state.hosted)
        prompt = tokens.chat_prompt(body, images, model)
        answers = chat_answers(body, images, model, tokens.answer_limit(body, prompt, model))
        reply = self._reply(body, answers, prompt, tokens.of_images(images, model))
        return self._respond(reply, body, chat_body, chat_events)

    async def completions(self, request: Request) -> Response:
        """POST /completions"""
        self._authorise(request)
        body = parse(CompletionRequest, await request.body())
        model = find_model(body.model, self._state.deployments)
        images = read_images(body.image_urls, self._state.hosted)
        prompt = tokens.completion_prompt(body, images, model)
        answers = completion_answers(body, images, tokens.answer_limit(body, prompt, model))
        reply = self._reply(body, answers, prompt, tokens.of_images(images, model))
        return self._respond(reply, body, completion_body, completion_events)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """The documented error body for a refusal, and for the router's 404 and 405."""
        if isinstance(error, Refusal):
            return self._json(error_body(error.status, error.message), error.status)
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._json(error_body(status, HTTPStatus(status).phrase), status)

    def _authorise(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or key != self._state.key:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "The API key you provided is invalid.")

    def _reply(
        self, body: ChatRequest | CompletionRequest, answers: list[Answer], prompt: int, of_images: int
    ) -> Reply:
        """The reply's data. With a `prompt_cache_key` half of the prompt counts as cached, else nothing."""
        usage = Usage(
            prompt,
            sum(answer.tokens for answer in answers),
            cached=prompt // 2 if body.prompt_cache_key else 0,
            reasoning=sum(tokens.count(answer.reasoning or "") for answer in answers),
            image=of_images,
        )
        self._state.billed.append(usage)
        return Reply(
            id=f"cmpl-{next(self._numbers)}",
            created=int(time.time()),
            model=body.model,
            answers=answers,
            usage=usage,
            placement=self._state.usage,
            include_usage=bool(body.stream_options and body.stream_options.include_usage),
            logprobs=body.logprobs,
            top_logprobs=body.top_logprobs or 0,
            performance=bool(body.perf_metrics_in_response),
        )

    def _respond(
        self,
        reply: Reply,
        body: ChatRequest | CompletionRequest,
        whole: Callable[[Reply], dict[str, Any]],
        events: Callable[[Reply], Iterator[bytes]],
    ) -> Response:
        headers = {
            "fireworks-prompt-tokens": str(reply.usage.prompt),
            "fireworks-cached-prompt-tokens": str(reply.usage.cached),
            "fireworks-server-time-to-first-token": "0.010",
            "fireworks-server-processing-time": "0.020",
        }
        if not body.stream:
            return self._json(whole(reply), headers=headers)
        return StreamingResponse(
            _one_by_one(events(reply)),
            media_type="text/event-stream",
            headers=headers | self._common_headers(),
        )

    def _json(self, body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        return Response(
            orjson.dumps(body),
            status,
            headers=(headers or {}) | self._common_headers(),
            media_type="application/json",
        )

    def _common_headers(self) -> dict[str, str]:
        return {
            "x-request-id": f"request-{next(self._numbers)}",
            "x-ratelimit-limit-requests": "600",
            "x-ratelimit-remaining-requests": "599",
        }


def create_app(state: ServerState) -> Starlette:
    """The application over a state."""
    api = Api(state)
    return Starlette(
        routes=[
            Route(f"{BASE_PATH}/models", api.models, methods=["GET"]),
            Route(f"{BASE_PATH}/chat/completions", api.chat, methods=["POST"]),
            Route(f"{BASE_PATH}/completions", api.completions, methods=["POST"]),
        ],
        exception_handlers={Refusal: api.refuse, HTTPException: api.refuse},
    )


async def _one_by_one(events: Iterator[bytes]) -> Any:
    """Each event in a write of its own (Starlette would move a plain iterator to a thread)."""
    for event in events:
        yield event


def _listed(model_id: str, model: ServedModel) -> dict[str, object]:
    return {
        "id": model_id,
        "object": "model",
        "owned_by": "fireworks",
        "created": 0,
        "supports_chat": True,
        "supports_image_input": True,
        "supports_tools": model.tools,
        "context_length": model.context,
    }
