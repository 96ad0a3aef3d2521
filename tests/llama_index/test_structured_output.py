"""Answers in the form of a pydantic model: by tools, by schema, by prompt; with images; always checked."""

import asyncio
import io
import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate, RichPromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field, PrivateAttr, field_validator

from firellava import ModelCard, model_card
from firellava.errors import StreamBroken, UnreadableReply, UnsupportedCapability
from llama_index_firellava import FireLLaVA
from llama_index_firellava.structured_output import SchemaParser, StructureMissed
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault
from tests.llama_index.asking import COLOUR, PICTURE, conversation

Make = Callable[..., FireLLaVA]
Way = Literal["tool", "schema", "prompt"]
WAYS: tuple[Way, ...] = ("tool", "schema", "prompt")


class Picture(BaseModel):
    """What a picture shows."""

    colour: str
    paid: int
    shop: str = Field(description="Whose receipt it is.")


SEEN = Picture(colour=COLOUR, paid=12, shop="Corner")
QUESTION = 'The shop is "Corner", and 12 was paid.'


def able_to(way: Way) -> dict[str, Any]:
    """Settings of a model that can be asked in one way and no better one."""
    if way == "tool":
        return {"model": QWEN_MAX}
    card = model_card("firellava-13b")
    able = card.capabilities.model_copy(update={"json_schema": way == "schema"})
    return {"card": card.model_copy(update={"capabilities": able})}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


@pytest.fixture
def able(llm_for: Make, way: Way) -> FireLLaVA:
    return llm_for(**able_to(way))


def question(picture: Path | io.BytesIO | bytes) -> list[ChatMessage]:
    image = ImageBlock(path=picture) if isinstance(picture, Path) else ImageBlock(image=picture)
    return conversation(image, text=QUESTION)


def asked_by(body: dict[str, Any]) -> Way:
    if "tools" in body:
        assert "response_format" not in body
        return "tool"
    return "schema" if "response_format" in body else "prompt"


async def predicted(llm: FireLLaVA, style: str, *args: Any, **kwargs: Any) -> list[Any]:
    """All answers of one of the four methods, of which the last is whole."""
    if style == "structured_predict":
        return [await asyncio.to_thread(llm.structured_predict, *args, **kwargs)]
    if style == "astructured_predict":
        return [await llm.astructured_predict(*args, **kwargs)]
    if style == "stream_structured_predict":
        return await asyncio.to_thread(lambda: list(llm.stream_structured_predict(*args, **kwargs)))
    return [answer async for answer in await llm.astream_structured_predict(*args, **kwargs)]


STYLES = (
    "structured_predict",
    "astructured_predict",
    "stream_structured_predict",
    "astream_structured_predict",
)


@pytest.mark.parametrize("style", STYLES)
async def test_every_method_answers_in_the_form_by_the_best_way_the_card_knows(
    able: FireLLaVA, way: Way, api_server: ApiServer, picture: Path, style: str
) -> None:
    prompt = ChatPromptTemplate(question(picture))
    assert (await predicted(able, style, Picture, prompt))[-1] == SEEN
    (request,) = api_server.requests
    assert asked_by(request.json) == way
    assert len(request.images) == 1


# LlamaIndex writes the pieces of a stream in a way that pydantic wants to leave behind.
@pytest.mark.filterwarnings("ignore:The `json` method is deprecated:DeprecationWarning")
async def test_a_structured_llm_answers_in_the_form_in_all_its_methods(
    able: FireLLaVA, api_server: ApiServer, picture: Path
) -> None:
    structured = able.as_structured_llm(Picture)
    asked = question(picture)
    answers = [
        structured.chat(asked),
        await structured.achat(asked),
        list(structured.stream_chat(asked))[-1],
        [answer async for answer in await structured.astream_chat(asked)][-1],
    ]
    assert [answer.raw for answer in answers] == [SEEN] * 4
    assert all(Picture.model_validate_json(answer.message.content or "") == SEEN for answer in answers)
    assert [len(request.images) for request in api_server.requests] == [1, 1, 1, 1]
    for complete in (structured.complete, structured.acomplete):
        made: Any = complete('It is "red", the shop is "Corner", and 12 was paid.')
        whole = await made if asyncio.iscoroutine(made) else made
        assert (whole.raw.shop, whole.raw.paid) == ("Corner", 12)


def test_a_schema_is_sent_as_it_is(able: FireLLaVA, way: Way, api_server: ApiServer, picture: Path) -> None:
    able.as_structured_llm(Picture).chat(question(picture))
    body = api_server.requests[0].json
    schema = Picture.model_json_schema()
    if way == "tool":
        assert body["tools"][0]["function"]["parameters"] == schema
        assert body["tool_choice"] == "required"
        assert body["parallel_tool_calls"] is False
    elif way == "schema":
        assert body["response_format"] == {
            "type": "json_schema",
            "json_schema": {"name": "Picture", "schema": schema},
        }
    text = api_server.requests[0].body.decode()
    assert "{{" not in text
    assert ("Whose receipt it is." in body["messages"][-1]["content"][-1]["text"]) is (way == "prompt")


def test_llama_index_alone_doubles_the_braces_of_a_schema(llm: FireLLaVA, api_server: ApiServer) -> None:
    """What `SchemaParser` is for; where this fails, it may not be needed any more."""
    program = LLMTextCompletionProgram.from_defaults(
        output_cls=Picture, prompt=PromptTemplate(QUESTION), llm=llm
    )
    with pytest.raises(ValueError, match=r"Picture|JSON"):
        program()
    assert "{{" in api_server.requests[0].body.decode()


async def test_a_program_with_our_parser_does_not(llm: FireLLaVA, api_server: ApiServer) -> None:
    program: LLMTextCompletionProgram[Picture] = LLMTextCompletionProgram.from_defaults(
        output_parser=SchemaParser(Picture),
        prompt=PromptTemplate('It is "red", the shop is "Corner".'),
        llm=llm,
    )
    assert program().shop == "Corner"
    assert (await program.acall()).shop == "Corner"
    assert all("{{" not in request.body.decode() for request in api_server.requests)
    assert isinstance(program._output_parser, PydanticOutputParser)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("way", WAYS)
async def test_the_system_prompt_is_told_whatever_the_way(
    llm_for: Make, api_server: ApiServer, style: str, way: Way
) -> None:
    llm = llm_for(system_prompt="Be exact.", **able_to(way))
    await predicted(
        llm, style, Picture, PromptTemplate("The shop is {shop}, and 5 was paid."), shop='"Corner"'
    )
    first, asked = api_server.requests[0].json["messages"]
    assert first == {"role": "system", "content": "Be exact."}
    assert 'The shop is "Corner", and 5 was paid.' in str(asked["content"])


@pytest.mark.parametrize("style", STYLES)
async def test_images_come_through_a_rich_template(
    able: FireLLaVA, api_server: ApiServer, picture: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANKS_MEDIA_ROOT", str(picture.parent))
    template = RichPromptTemplate(
        "{% chat role='user' %}{{ img | image }}The shop is {{ name }}, and 12 was paid.{% endchat %}"
    )
    answers = await predicted(able, style, Picture, template, img=str(picture), name='"Corner"')
    assert answers[-1] == SEEN
    assert len(api_server.requests[0].images) == 1


def test_a_conversation_with_braces_and_open_files_stays_as_it_is(
    able: FireLLaVA, api_server: ApiServer
) -> None:
    asked = conversation(ImageBlock(image=io.BytesIO(PICTURE)), text='{shop} of "Corner" 12 {} {{x}}')
    before = [message.model_copy(deep=False) for message in asked]
    assert able.as_structured_llm(Picture).chat(asked).raw == SEEN
    assert '{shop} of "Corner" 12 {} {{x}}' in str(api_server.requests[0].json["messages"])
    assert [message.blocks for message in asked] == [message.blocks for message in before]
    assert len(asked[0].blocks) == 2


def test_without_a_question_at_the_end_the_form_is_asked_for_in_one_of_its_own(
    llm_for: Make, api_server: ApiServer
) -> None:
    turns = [ChatMessage('"Corner"'), ChatMessage("Yes?", role=MessageRole.ASSISTANT)]
    llm_for(**able_to("prompt")).as_structured_llm(Picture).chat(turns)
    assert [message["role"] for message in api_server.requests[0].json["messages"]] == [
        "user",
        "assistant",
        "user",
    ]


async def test_a_stream_grows_to_the_checked_answer(able: FireLLaVA, picture: Path) -> None:
    *parts, last = await predicted(
        able, "astream_structured_predict", Picture, ChatPromptTemplate(question(picture))
    )
    assert type(last) is Picture
    assert last == SEEN
    assert parts
    assert all(part.model_dump() != other.model_dump() for part, other in pairwise(parts))
    filled = [sum(value is not None for value in part.model_dump().values()) for part in parts]
    assert filled == sorted(filled)


class Strict(BaseModel):
    """Nothing that the server would write by its rule."""

    shop: str

    @field_validator("shop")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "Nowhere":
            raise ValueError("no shop we know")
        return value


@pytest.mark.parametrize("style", STYLES)
async def test_an_answer_in_another_form_is_an_error_that_keeps_it(able: FireLLaVA, style: str) -> None:
    with pytest.raises(StructureMissed, match=r"no Strict: shop: .*no shop we know") as missed:
        await predicted(able, style, Strict, PromptTemplate('The shop is "Corner".'))
    assert isinstance(missed.value, UnreadableReply | ValueError)
    assert missed.value.may_be_billed
    assert "Corner" in missed.value.answer
    assert "Corner" not in str(missed.value)
    again = pickle.loads(pickle.dumps(missed.value))  # noqa: S301 - pickled on this line
    assert (str(again), again.answer) == (str(missed.value), missed.value.answer)


@pytest.mark.parametrize("style", STYLES)
async def test_an_answer_cut_off_is_an_error(able: FireLLaVA, style: str) -> None:
    with pytest.raises(StructureMissed, match="Picture"):
        await predicted(able, style, Picture, PromptTemplate(QUESTION), llm_kwargs={"max_tokens": 3})


@pytest.mark.parametrize("style", ["stream_structured_predict", "astream_structured_predict"])
async def test_a_stream_that_breaks_is_an_error_of_ours(
    able: FireLLaVA, api_server: ApiServer, style: str
) -> None:
    api_server.fail_next(Fault(cut_after=600))
    with pytest.raises(StreamBroken):
        await predicted(able, style, Picture, PromptTemplate(QUESTION))


@pytest.mark.parametrize(
    ("settings", "mode", "expected"),
    [
        ({"model": QWEN_MAX}, PydanticProgramMode.LLM, "prompt"),
        ({"model": QWEN_MAX}, PydanticProgramMode.FUNCTION, "tool"),
        ({}, PydanticProgramMode.LLM, "prompt"),
        ({}, PydanticProgramMode.DEFAULT, "schema"),
    ],
)
def test_the_program_mode_may_insist(
    llm_for: Make, api_server: ApiServer, settings: dict[str, Any], mode: PydanticProgramMode, expected: Way
) -> None:
    llm_for(pydantic_program_mode=mode, **settings).structured_predict(Picture, PromptTemplate(QUESTION))
    assert asked_by(api_server.requests[0].json) == expected


@pytest.mark.parametrize("style", STYLES)
async def test_tools_insisted_on_and_not_there_are_an_error_when_asked(
    llm_for: Make, api_server: ApiServer, style: str
) -> None:
    llm = llm_for(pydantic_program_mode="function")
    structured = llm.as_structured_llm(Picture)
    assert structured.metadata == llm.metadata
    with pytest.raises(UnsupportedCapability, match="firellava-13b calls no tools"):
        await predicted(llm, style, Picture, PromptTemplate(QUESTION))
    assert api_server.requests == []


def test_the_caller_s_parameters_are_sent_and_what_is_ours_to_choose_is_not(
    able: FireLLaVA, api_server: ApiServer, way: Way
) -> None:
    given = {"temperature": 0.25, "tool_choice": "none", "tool_required": False}
    able.structured_predict(Picture, PromptTemplate(QUESTION), llm_kwargs=given)
    body = api_server.requests[0].json
    assert body["temperature"] == 0.25
    assert body.get("tool_choice") == ("required" if way == "tool" else None)
    assert given == {"temperature": 0.25, "tool_choice": "none", "tool_required": False}


def test_a_name_the_api_does_not_take_is_made_one(llm_for: Make, api_server: ApiServer) -> None:
    class Of(BaseModel):
        model_config = {"title": "Ein schöner [Titel]" + "x" * 80}
        shop: str

    llm_for(model=QWEN_MAX).structured_predict(Of, PromptTemplate(QUESTION))
    name = api_server.requests[0].json["tools"][0]["function"]["name"]
    assert name.startswith("Ein_sch_ner_Titel_")
    assert len(name) == 64


class Events(BaseEventHandler):
    """The names of the events, in order."""

    _names: list[str] = PrivateAttr(default_factory=list)

    def handle(self, event: Any, **kwargs: Any) -> None:
        self._names.append(event.class_name())


@pytest.mark.parametrize("style", STYLES)
async def test_llama_index_s_own_events_tell_of_it(able: FireLLaVA, style: str) -> None:
    dispatcher, events = get_dispatcher(), Events()
    dispatcher.add_event_handler(events)
    try:
        await predicted(able, style, Picture, PromptTemplate(QUESTION))
    finally:
        dispatcher.event_handlers.remove(events)
    kinds = [name.removeprefix("LLM") for name in events._names if "InProgress" not in name]
    assert [kind for kind in kinds if kind.startswith(("Structured", "Chat"))] == [
        "StructuredPredictStartEvent",
        "ChatStartEvent",
        "ChatEndEvent",
        "StructuredPredictEndEvent",
    ]
    assert ("LLMStructuredPredictInProgressEvent" in events._names) is style.startswith(("stream", "astream"))


def test_a_model_of_which_nothing_is_known_is_asked_by_tools(llm_for: Make, api_server: ApiServer) -> None:
    api_server.deploy("accounts/me/models/new", like=QWEN_MAX)
    llm_for(model="accounts/me/models/new").structured_predict(Picture, PromptTemplate(QUESTION))
    assert asked_by(api_server.requests[0].json) == "tool"


def test_a_card_decides_for_a_deployment(llm_for: Make, api_server: ApiServer) -> None:
    api_server.deploy("accounts/me/models/new", like=FIRELLAVA_13B)
    bare = ModelCard(name="new")
    llm_for(model="accounts/me/models/new", card=bare).structured_predict(Picture, PromptTemplate(QUESTION))
    assert asked_by(api_server.requests[0].json) == "schema"


def test_text_blocks_of_the_caller_are_not_written_into(llm_for: Make) -> None:
    block = TextBlock(text=QUESTION)
    llm_for(**able_to("prompt")).as_structured_llm(Picture).chat([ChatMessage(blocks=[block])])
    assert block.text == QUESTION
