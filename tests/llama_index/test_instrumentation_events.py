"""LlamaIndex's events and callbacks tell of every call, and hold no image that nobody put inline."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import DocumentBlock, ToolCallBlock
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.schema import ImageNode
from pydantic import BaseModel, PrivateAttr

from firellava.errors import ConnectionFailed, InvalidRequest
from firellava.image_references import ImageReferences
from llama_index_firellava import FireLLaVA, VisionToolSpec
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded
from tests.core.images.documents import COLOURED, pages
from tests.llama_index.asking import CHAT, COMPLETE, answer, responses

Make = Callable[..., FireLLaVA]

URL = "https://example.com/picture.png"
# Large enough that its base64 cannot be taken for a word.
PHOTOGRAPH = encoded("PNG", (640, 480), "#c81e3c")
BASE64 = re.compile(r"[A-Za-z0-9+/=_-]{160,}")


class Events(BaseEventHandler):
    """Keeps all events of LlamaIndex's dispatcher."""

    _seen: list[Any] = PrivateAttr(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:
        self._seen.append(event)


class Payloads(BaseCallbackHandler):
    """Keeps all payloads of LlamaIndex's callback manager."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[tuple[str, CBEventType, dict[str, Any]]] = []

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        self.seen.append(("start", event_type, payload or {}))
        return event_id

    def on_event_end(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        **kwargs: Any,
    ) -> None:
        self.seen.append(("end", event_type, payload or {}))

    def start_trace(self, trace_id: str | None = None) -> None:
        pass

    def end_trace(self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None) -> None:
        pass


@pytest.fixture
def events() -> Iterator[Events]:
    dispatcher, handler = get_dispatcher(), Events()
    dispatcher.add_event_handler(handler)
    yield handler
    dispatcher.event_handlers.remove(handler)


@pytest.fixture
def payloads() -> Payloads:
    return Payloads()


@pytest.fixture
def watched(llm_for: Make, payloads: Payloads) -> Make:
    """Makes an LLM that tells the payloads."""

    def make(**settings: Any) -> FireLLaVA:
        return llm_for(callback_manager=CallbackManager([payloads]), **settings)

    return make


def written(*seen: Any) -> str:
    """All that was told, as whoever logs it would write it."""
    return json.dumps([_plain(one) for one in seen], default=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return [repr(value), _plain(value.model_dump())]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_call_begins_goes_on_and_ends_in_one_span(
    watched: Make, events: Events, payloads: Payloads, method: str
) -> None:
    llm = watched()
    question: Any = [ChatMessage("What is it?")] if method in CHAT else "What is it?"
    pieces = await responses(llm, method, question)
    told = [event for event in events._seen if event.class_name().startswith("LLM")]
    kind = "LLMChat" if method in CHAT else "LLMCompletion"
    assert told[0].class_name() == f"{kind}StartEvent"
    assert told[-1].class_name() == f"{kind}EndEvent"
    assert len(told) == 2 + ("stream" in method) * len(pieces)
    assert len({event.span_id for event in told}) == 1
    assert told[0].model_dict == llm.to_payload()
    assert told[-1].response == pieces[-1]
    start, end = payloads.seen
    assert (start[:2], end[:2]) == (("start", CBEventType.LLM), ("end", CBEventType.LLM))
    assert start[2][EventPayload.SERIALIZED] == llm.to_payload()
    assert end[2][EventPayload.RESPONSE if method in CHAT else EventPayload.COMPLETION] == pieces[-1]


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_a_call_that_fails_tells_its_error(
    watched: Make, api_server: ApiServer, payloads: Payloads, events: Events, method: str
) -> None:
    api_server.fail_next(Fault(drop=True))
    question: Any = [ChatMessage("What is it?")] if method in CHAT else "What is it?"
    with pytest.raises(ConnectionFailed):
        await answer(watched(max_retries=0), method, question)
    assert isinstance(payloads.seen[-1][2][EventPayload.EXCEPTION], ConnectionFailed)
    assert not any(event.class_name().endswith("EndEvent") for event in events._seen)


def looked_at(folder: Path) -> list[ChatMessage]:
    """Pictures in every place where nobody put their content inline."""
    path = folder / "photograph.png"
    path.write_bytes(PHOTOGRAPH)
    letter = folder / "letter.pdf"
    letter.write_bytes(pages(COLOURED))
    return [
        ChatMessage(blocks=[TextBlock(text="Look."), ImageBlock(path=path), DocumentBlock(path=letter)]),
        ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_name="camera", tool_call_id="1")]),
        ChatMessage(role="tool", blocks=[ImageBlock(path=path)], additional_kwargs={"tool_call_id": "1"}),
        ChatMessage(blocks=[ImageBlock(url=URL), TextBlock(text="What is it, without tools?")]),
    ]


@pytest.mark.engine("pdf")
@pytest.mark.parametrize("method", CHAT)
async def test_nothing_that_is_told_holds_an_image_by_path_or_address(
    watched: Make, api_server: ApiServer, tmp_path: Path, events: Events, payloads: Payloads, method: str
) -> None:
    api_server.host_image(URL, PHOTOGRAPH)
    await answer(watched(model=QWEN_MAX), method, looked_at(tmp_path))
    assert len(api_server.requests[0].images) == 4
    assert len(events._seen) >= 2
    assert len(payloads.seen) == 2
    told = written(events._seen, payloads.seen)
    assert "photograph.png" in told
    assert BASE64.findall(told) == []


@pytest.mark.parametrize("method", COMPLETE)
@pytest.mark.parametrize("formatted", [False, True])
async def test_nor_what_is_told_of_image_documents(
    watched: Make,
    api_server: ApiServer,
    tmp_path: Path,
    events: Events,
    payloads: Payloads,
    method: str,
    *,
    formatted: bool,
) -> None:
    path = tmp_path / "photograph.png"
    path.write_bytes(PHOTOGRAPH)
    prompt = "USER:<image>\nWhat is it?\nASSISTANT:" if formatted else "What is it?"
    images = [ImageNode(image_path=str(path))]
    await answer(watched(), method, prompt, formatted=formatted, image_documents=images)
    assert len(api_server.requests[0].images) == 1
    assert BASE64.findall(written(events._seen, payloads.seen)) == []


@pytest.mark.parametrize("method", ["compare", "acompare"])
async def test_nor_what_is_told_of_an_agents_questions(
    watched: Make, api_server: ApiServer, tmp_path: Path, events: Events, payloads: Payloads, method: str
) -> None:
    (tmp_path / "photograph.png").write_bytes(PHOTOGRAPH)
    images = ImageReferences({"registered": PHOTOGRAPH}, image_roots=tmp_path)
    answered = getattr(VisionToolSpec(watched(model=QWEN_MAX), images), method)(
        "photograph.png", "registered"
    )
    assert "image 2" in (await answered if method == "acompare" else answered)
    assert len(api_server.requests[0].images) == 2
    assert len(payloads.seen) == 2
    told = written(events._seen, payloads.seen)
    assert "photograph.png" in told
    assert BASE64.findall(told) == []


@pytest.mark.parametrize("method", CHAT)
async def test_what_was_put_inline_is_told_as_it_was_put_and_nothing_else(
    watched: Make, events: Events, payloads: Payloads, method: str
) -> None:
    """It is LlamaIndex's own block, and whoever observes may want it."""
    await answer(watched(), method, [ChatMessage(blocks=[ImageBlock(image=PHOTOGRAPH)])])
    inline = base64.b64encode(PHOTOGRAPH).decode()
    found = set(BASE64.findall(written(events._seen, payloads.seen)))
    assert found == {inline}


class Seen(BaseModel):
    """What a picture shows."""

    colour: str


@pytest.mark.parametrize("model", [QWEN_MAX, None])
async def test_structured_answers_tell_no_image_either(
    watched: Make, tmp_path: Path, events: Events, payloads: Payloads, model: str | None
) -> None:
    llm = watched(model=model)
    path = tmp_path / "photograph.png"
    path.write_bytes(PHOTOGRAPH)
    asked = [ChatMessage(blocks=[ImageBlock(path=path), TextBlock(text="Which colour?")])]
    await llm.astructured_predict(Seen, ChatPromptTemplate(asked))
    await llm.as_structured_llm(Seen).achat(asked)
    assert BASE64.findall(written(events._seen, payloads.seen)) == []


async def test_predictions_tell_their_template_and_their_answer(llm: FireLLaVA, events: Events) -> None:
    assert llm.predict(PromptTemplate("Who is {name}?"), name="Ada") == "question: Who is Ada?"
    assert await llm.apredict(PromptTemplate("Who is {name}?"), name="Ada") == "question: Who is Ada?"
    names = [event.class_name() for event in events._seen]
    one = ["LLMPredictStartEvent", "LLMChatStartEvent", "LLMChatEndEvent", "LLMPredictEndEvent"]
    assert names == one + one
    assert events._seen[-1].output == "question: Who is Ada?"


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_a_stream_left_early_ends_its_event(
    watched: Make, payloads: Payloads, events: Events, method: str
) -> None:
    stream = getattr(watched(), method)([ChatMessage("Hi")] if method in CHAT else "Hi")
    next(stream)
    stream.close()
    assert [(place, kind) for place, kind, _ in payloads.seen] == [
        ("start", CBEventType.LLM),
        ("end", CBEventType.LLM),
    ]
    assert isinstance(payloads.seen[-1][2][EventPayload.EXCEPTION], GeneratorExit)
    assert events._seen[-1].class_name() == "ExceptionEvent"


async def test_bad_input_is_told_as_the_error_it_is(
    watched: Make, api_server: ApiServer, payloads: Payloads
) -> None:
    with pytest.raises(InvalidRequest):
        await watched().achat([ChatMessage(role="tool", content="of no call")])
    assert isinstance(payloads.seen[-1][2][EventPayload.EXCEPTION], InvalidRequest)
    assert api_server.requests == []
