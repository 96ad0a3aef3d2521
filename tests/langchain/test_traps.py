"""Thirteen ways in which an integration with LangChain goes wrong unnoticed, each of them seen happening.

One test for each, named after it: what a user would notice, not how it is prevented.
"""

import asyncio
import base64
import io
import json
import os
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.content import create_image_block
from langchain_core.runnables import RunnableWithFallbacks
from PIL import Image
from pydantic import BaseModel

from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import InvalidRequest, StreamBroken
from langchain_firellava import ChatFireLLaVA, get_firellava_callback, image_block
from langchain_firellava.images.redacted import redact_images
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import data_url, encoded

Make = Callable[..., ChatFireLLaVA]

RED = encoded("PNG", (40, 20), "#ff0000")
BLUE = encoded("PNG", (40, 20), "#0000ff")
BASE64 = base64.b64encode(RED).decode()
URL = "https://images.example.com/red.png"
PRICE = Decimal("0.20") / 1_000_000

WAYS = ("invoke", "ainvoke", "stream", "astream")
EACH_WAY = pytest.mark.parametrize("way", WAYS)


def question(text: str = "What is this?", picture: bytes = RED) -> list[BaseMessage]:
    """Made anew each time, as an application does."""
    return [HumanMessage([{"type": "text", "text": text}, image_block(picture)])]


async def answer_of(llm: Any, way: str, messages: Any, config: Any = None) -> Any:
    """The whole answer, asked for in this way."""
    match way:
        case "invoke":
            return llm.invoke(messages, config)
        case "ainvoke":
            return await llm.ainvoke(messages, config)
        case "stream":
            pieces = list(llm.stream(messages, config))
        case _:
            pieces = [piece async for piece in llm.astream(messages, config)]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return whole


def numbers_in(value: Any) -> list[Any]:
    return (
        [one for inner in value.values() for one in numbers_in(inner)] if isinstance(value, dict) else [value]
    )


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Person(BaseModel):
    """A person."""

    name: str
    age: int


@EACH_WAY
@pytest.mark.parametrize("placement", [UsagePlacement.FINISH_CHUNK, UsagePlacement.EVERY_CHUNK])
async def test_trap_01_no_fraction_in_usage_stops_the_totals_of_other_handlers(
    llm: ChatFireLLaVA, api_server: ApiServer, way: str, placement: UsagePlacement
) -> None:
    api_server.usage = placement
    with get_usage_metadata_callback() as core:
        answers = [await answer_of(llm, way, question()) for _ in range(3)]
    for answer in answers:
        assert {type(number) for number in numbers_in(answer.usage_metadata)} == {int}
        # Dollars are elsewhere: once, as exact text.
        cost = answer.response_metadata["cost_usd"]
        assert isinstance(cost, str)
        assert Decimal(cost) == answer.usage_metadata["total_tokens"] * PRICE
    totals = core.usage_metadata[FIRELLAVA_13B]
    assert totals["total_tokens"] == 3 * answers[0].usage_metadata["total_tokens"]
    assert dict(totals["input_token_details"])["image"] == 3 * 576


@pytest.mark.parametrize("derive", ["bind_tools", "with_structured_output"])
@EACH_WAY
async def test_trap_02_fallbacks_of_langchain_survive_tools_and_structured_output(
    llm_for: Make, api_server: ApiServer, derive: str, way: str
) -> None:
    assert get_type_hints(getattr(ChatFireLLaVA, derive))["return"] is not None
    with_fallbacks = llm_for(model=QWEN_MAX, max_retries=0).with_fallbacks([llm_for(model=QWEN_MAX)])
    given: Any = [add] if derive == "bind_tools" else Person
    derived = getattr(with_fallbacks, derive)(given)
    assert isinstance(derived, RunnableWithFallbacks)
    api_server.fail_next(Fault(status=503))
    answer = await answer_of(derived, way, "add 1 and 2 for 'Ann'")
    assert answer.tool_calls[0]["name"] == "add" if derive == "bind_tools" else isinstance(answer, Person)
    assert len(api_server.requests) == 2


@pytest.mark.parametrize("placement", list(UsagePlacement))
@pytest.mark.parametrize("way", ["stream", "astream", "invoke"])
async def test_trap_03_texts_in_metadata_are_not_strung_together_over_chunks(
    llm_for: Make, api_server: ApiServer, placement: UsagePlacement, way: str
) -> None:
    api_server.usage = placement
    llm = llm_for(model=QWEN_MAX, streaming=True)
    whole = await answer_of(llm.bind_tools([add]), way, "add 1 and 2")
    told = whole.response_metadata
    assert told["model_name"] == QWEN_MAX
    assert told["finish_reason"] == "tool_calls"
    assert told["model_provider"] == "firellava"
    assert told["backend"] == "fireworks:qwen3p8-max"
    assert (whole.usage_metadata is None) == (placement is UsagePlacement.NEVER)
    pieces: list[Any] = list(llm.stream("Hello there"))
    assert sum(piece.usage_metadata is not None for piece in pieces) <= 1
    assert sum(bool(piece.response_metadata.get("model_name")) for piece in pieces) == 1
    assert sum(bool(piece.response_metadata.get("finish_reason")) for piece in pieces) == 1


@EACH_WAY
@pytest.mark.parametrize("asked", ["a question", "for tools", "of a local model"])
async def test_trap_04_every_answer_names_its_model_so_that_usage_is_counted(
    llm_for: Make, api_server: ApiServer, local: OpenAICompatibleBackend, way: str, asked: str
) -> None:
    llm: Any = llm_for(model=QWEN_MAX, max_retries=0, fallback=local)
    if asked == "for tools":
        llm = llm.bind_tools([add])
    elif asked == "of a local model":
        api_server.fail_next(Fault(status=500))
    with get_usage_metadata_callback() as core:
        answer = await answer_of(llm, way, "add 1 and 2")
    assert answer.response_metadata["model_name"] == QWEN_MAX
    assert core.usage_metadata[QWEN_MAX]["total_tokens"] == answer.usage_metadata["total_tokens"] > 0


async def test_trap_05_the_same_image_is_found_in_the_cache(llm_for: Make, api_server: ApiServer) -> None:
    # What LangChain's own function makes never is: it draws a name for each block.
    made = [create_image_block(base64=BASE64, mime_type="image/png") for _ in range(2)]
    assert made[0] != made[1]
    llm = llm_for(cache=InMemoryCache())
    for _ in range(2):
        llm.invoke(question())
        await llm.ainvoke(question())
    assert len(api_server.requests) == 1
    llm.invoke(question(picture=BLUE))
    assert len(api_server.requests) == 2


@pytest.mark.parametrize(
    "block",
    [
        image_block(RED, detail="high"),
        image_block(URL, detail="high"),
        {"type": "image", "base64": BASE64, "mime_type": "image/png", "extras": {"detail": "high"}},
        {"type": "image", "url": URL, "detail": "high"},
        {"type": "image_url", "image_url": URL, "detail": "high"},
    ],
)
def test_trap_06_detail_is_kept_and_an_uploaded_file_is_refused_by_name(
    llm_for: Make, api_server: ApiServer, block: dict[str, Any]
) -> None:
    api_server.host_image(URL, RED)
    llm = llm_for(model=QWEN_MAX)
    llm.invoke([HumanMessage(["What is this?", block])])
    assert api_server.requests[0].json["messages"][0]["content"][1]["image_url"]["detail"] == "high"
    for uploaded in (
        {"type": "image", "file_id": "file-1"},
        {"type": "image", "id": "x", "file_id": "file-1"},
    ):
        with pytest.raises(InvalidRequest, match="uploaded to another service"):
            llm.invoke([HumanMessage(["What is this?", uploaded])])
    assert len(api_server.requests) == 1


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": data_url(RED)},
        {"type": "media", "mime_type": "image/png", "data": BASE64},
        {"type": "media", "mime_type": "image/png", "data": RED},
        {"type": "media", "mime_type": "image/png", "file_uri": URL},
    ],
)
@EACH_WAY
async def test_trap_07_images_that_langchain_itself_does_not_recognise_arrive(
    llm_for: Make, api_server: ApiServer, block: dict[str, Any], way: str
) -> None:
    message = HumanMessage([{"type": "text", "text": "What is this?"}, block])
    assert [each["type"] for each in message.content_blocks] == ["text", "non_standard"]
    api_server.host_image(URL, RED)
    answer = await answer_of(llm_for(model=QWEN_MAX), way, [message])
    assert "image 1: PNG 40x20 mean #ff0000" in answer.text


@EACH_WAY
async def test_trap_08_answers_in_the_newer_form_go_back_in_histories(
    llm_for: Make, api_server: ApiServer, way: str
) -> None:
    # The server refuses keys and blocks that the API does not know.
    llm = llm_for(model=QWEN_MAX, output_version="v1", reasoning_effort=None)
    bound = llm.bind_tools([add])
    asked = HumanMessage(["add 1 and 2", image_block(RED)])
    called = await answer_of(bound.bind(reasoning_effort="low"), way, [asked])
    assert {block["type"] for block in called.content} >= {"reasoning", "tool_call"}
    result = ToolMessage("3", tool_call_id=called.tool_calls[0]["id"])
    answered = await answer_of(bound.bind(reasoning_effort="low"), way, [asked, called, result])
    again = [asked, called, result, answered, HumanMessage("Sure, without tools?")]
    assert (await answer_of(bound, way, again)).text.startswith("question: Sure, without tools?")
    _, sent_call, _, sent_answer, _ = api_server.requests[-1].json["messages"]
    assert sent_call["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1, "b": 2}'}
    assert sent_answer["content"] == answered.text


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_trap_09_an_answer_from_the_cache_is_not_billed_again(
    llm_for: Make, api_server: ApiServer, way: str
) -> None:
    llm = llm_for(cache=InMemoryCache())
    first = await answer_of(llm, way, question())
    with get_firellava_callback() as cost:
        again = await answer_of(llm, way, question())
    assert again.usage_metadata == {**first.usage_metadata, "total_cost": 0}
    assert (cost.cached_requests, cost.total_tokens, cost.unpriced_requests) == (1, 0, 0)
    assert cost.total_cost == 0
    assert len(api_server.requests) == 1


class Starts(BaseCallbackHandler):
    """Counts how often a model was started and has ended."""

    def __init__(self) -> None:
        self.started = self.ended = 0

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.started += 1

    def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.ended += 1


@EACH_WAY
@pytest.mark.parametrize("settings", ["plain", "with a cache", "streaming", "with a fallback"])
async def test_trap_10_one_question_is_one_run_of_a_model_and_counts_once(
    llm_for: Make, api_server: ApiServer, local: OpenAICompatibleBackend, way: str, settings: str
) -> None:
    given: dict[str, dict[str, Any]] = {
        "plain": {},
        "with a cache": {"cache": InMemoryCache()},
        "streaming": {"streaming": True},
        "with a fallback": {"fallback": local, "max_retries": 0},
    }
    if settings == "with a fallback":
        api_server.fail_next(Fault(status=500))
    starts = Starts()
    with get_usage_metadata_callback() as core, get_firellava_callback() as cost:
        answer = await answer_of(llm_for(**given[settings]), way, question(), {"callbacks": [starts]})
    assert (starts.started, starts.ended) == (1, 1)
    assert cost.successful_requests == 1
    (counted,) = core.usage_metadata.values()
    assert counted["total_tokens"] == cost.total_tokens == answer.usage_metadata["total_tokens"]


@EACH_WAY
async def test_trap_11_a_fallback_leaves_a_mark_and_does_not_take_over_a_broken_answer(
    llm_for: Make,
    api_server: ApiServer,
    local: OpenAICompatibleBackend,
    local_server: ApiServer,
    way: str,
) -> None:
    llm = llm_for(fallback=local, max_retries=0)
    api_server.fail_next(Fault(status=503))
    told = (await answer_of(llm, way, question())).response_metadata
    assert told["backend"] == local.label
    assert told["degraded"] is False
    (mark,) = told["fallback_from"]
    assert mark["backend"] == "fireworks:firellava-13b"
    assert "HTTP 503" in mark["reason"]
    if way in ("stream", "astream"):
        api_server.fail_next(Fault(cut_after=700))
        with pytest.raises(StreamBroken) as caught:
            await answer_of(llm, way, question())
        assert caught.value.partial_text
        assert len(local_server.requests) == 1  # not asked a second time


@EACH_WAY
async def test_trap_12_callbacks_get_small_images_and_can_do_without_them(
    llm: ChatFireLLaVA, way: str
) -> None:
    told: list[Any] = []

    class Tracing(BaseCallbackHandler):
        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            told.extend(messages)

    camera = io.BytesIO()
    noise = Image.frombytes("RGB", (96, 72), os.urandom(96 * 72 * 3))
    noise.resize((4032, 3024), Image.Resampling.NEAREST).save(camera, "JPEG", quality=95)
    asked = question(picture=camera.getvalue())
    await answer_of(llm, way, asked, {"callbacks": [Tracing()]})
    ((message,),) = told
    # LangChain tells callbacks of images in OpenAI's form.
    inlined = message.content[1]["image_url"]["url"].partition(",")[2]
    data = base64.b64decode(inlined)
    assert max(Image.open(io.BytesIO(data)).size) == 2048
    assert len(data) < len(camera.getvalue()) / 2
    redacted = json.dumps(redact_images(told)[0][0].content)
    assert len(redacted) < 500
    assert image_block(camera.getvalue())["id"] in redacted
    assert inlined[:100] not in redacted


@pytest.mark.parametrize("way", ["batch", "abatch", "threads", "tasks"])
async def test_trap_13_what_is_counted_does_not_depend_on_threads(
    llm: ChatFireLLaVA, api_server: ApiServer, way: str
) -> None:
    questions: list[Any] = [question() for _ in range(24)]
    with get_firellava_callback() as elsewhere, get_firellava_callback() as cost:
        if way == "batch":
            answers = llm.batch(questions, {"max_concurrency": 8})
        elif way == "abatch":
            answers = await llm.abatch(questions, {"max_concurrency": 8})
        elif way == "tasks":
            answers = list(await asyncio.gather(*map(llm.ainvoke, questions)))
        else:
            answers = in_threads(llm, questions, cost)
    tokens = sum(answer.usage_metadata["total_tokens"] for answer in answers if answer.usage_metadata)
    assert cost.successful_requests == len(api_server.requests) == 24
    assert cost.total_tokens == tokens
    assert cost.total_cost == tokens * PRICE
    # Threads that were started by hand have no context: only the handler that was given counts there.
    assert elsewhere.total_tokens == (0 if way == "threads" else tokens)


def in_threads(llm: BaseChatModel, questions: list[Any], handler: BaseCallbackHandler) -> list[AIMessage]:
    answers: list[AIMessage] = []

    def ask(messages: Any) -> None:
        answers.append(llm.invoke(messages, {"callbacks": [handler]}))

    threads = [threading.Thread(target=ask, args=(messages,)) for messages in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
