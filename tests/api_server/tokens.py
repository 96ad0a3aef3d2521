"""How this server counts: a word or a punctuation mark is one token, a message costs four more.

The real tokenisers differ; this rule is simple enough for a test to compute the expected number itself.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

import orjson

from tests.api_server.contract import ChatRequest, CompletionRequest
from tests.api_server.errors import Refusal
from tests.api_server.images import ReceivedImage
from tests.api_server.served_models import ServedModel

TOKENS_PER_MESSAGE = 4

_TOKEN = re.compile(r"\w+|[^\w\s]")


def count(text: str) -> int:
    """The tokens of a text."""
    return len(_TOKEN.findall(text))


def cut(text: str, limit: int) -> str:
    """The text up to the end of its token number `limit`, whole where it has no more."""
    for number, match in enumerate(_TOKEN.finditer(text), start=1):
        if number > limit:
            return text[: match.start()].rstrip()
    return text


def chat_prompt(request: ChatRequest, images: Sequence[ReceivedImage], model: ServedModel) -> int:
    """The prompt tokens of a chat request, the style's default system prompt and the tools included.

    A system message overrides the default prompt; an empty one omits it and costs nothing.
    """
    total = 0
    if model.default_system_prompt and all(message.role != "system" for message in request.messages):
        total += TOKENS_PER_MESSAGE + count(model.default_system_prompt)
    for message in request.messages:
        if message.role == "system" and not message.text:
            continue
        total += TOKENS_PER_MESSAGE + count(message.text) + count(message.reasoning_content or "")
        total += sum(
            count(f"{call.function.name} {call.function.arguments}") for call in message.tool_calls or []
        )
    for tool in request.tools or []:
        total += count(orjson.dumps(tool.model_dump(exclude_none=True)).decode())
    return total + of_images(images, model)


def completion_prompt(request: CompletionRequest, images: Sequence[ReceivedImage], model: ServedModel) -> int:
    """The prompt tokens of a completion; an `<image>` token counts as its image."""
    return count(request.prompt.replace("<image>", " ")) + of_images(images, model)


def answer_limit(request: ChatRequest | CompletionRequest, prompt: int, model: ServedModel) -> int:
    """How many tokens the answer may have. Raises a 400 where the prompt overflows the context window.

    Where prompt and max_tokens together overflow it, max_tokens is lowered, or the request refused under
    `context_length_exceeded_behavior: "error"`.
    """
    asked = request.max_tokens
    if isinstance(request, ChatRequest):
        asked = request.max_completion_tokens or asked
    room = model.context - prompt
    if room <= 0:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"The prompt is too long: {prompt}, model maximum context length: {model.context}",
        )
    if asked is not None and asked > room and request.context_length_exceeded_behavior == "error":
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"The prompt is too long: {prompt} and max_tokens {asked}, "
            f"model maximum context length: {model.context}",
        )
    return room if asked is None else min(asked, room)


def of_images(images: Sequence[ReceivedImage], model: ServedModel) -> int:
    """The tokens of images, by the rule of the model."""
    return sum(model.image_tokens(*image.size) for image in images)
