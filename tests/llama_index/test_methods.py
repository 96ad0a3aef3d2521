"""The eight methods: they say the same, send the same, and stream what they would have said at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, ImageBlock
from llama_index.core.schema import ImageNode

from firellava import SeveralImagesWarning
from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer
from tests.llama_index.asking import CHAT, COLOUR, COMPLETE, answer, conversation, responses, text_of

PROMPT = "USER:\n<image>\nWhat is this?\n\nASSISTANT:"
SAID = f"question: What is this? | image 1: PNG 336x336 mean {COLOUR}"


def arguments(method: str, picture: Path) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same question for any of the methods."""
    if method in CHAT:
        return (conversation(ImageBlock(path=picture)),), {}
    return ("What is this?",), {"image_documents": [ImageNode(image_path=str(picture))]}


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_every_method_shows_the_model_the_picture(llm: FireLLaVA, method: str, picture: Path) -> None:
    args, kwargs = arguments(method, picture)
    assert text_of(await answer(llm, method, *args, **kwargs)) == SAID


@pytest.mark.parametrize("method", ["stream_chat", "astream_chat", "stream_complete", "astream_complete"])
async def test_a_stream_grows_by_its_deltas_to_the_unstreamed_text(
    llm: FireLLaVA, method: str, picture: Path
) -> None:
    args, kwargs = arguments(method, picture)
    pieces = await responses(llm, method, *args, **kwargs)
    assert len(pieces) > 3
    so_far = ""
    for piece in pieces:
        so_far += piece.delta
        assert text_of(piece) == so_far
    assert so_far == text_of(await answer(llm, method.replace("stream_", ""), *args, **kwargs))


async def test_all_methods_send_the_same_bytes(llm: FireLLaVA, api_server: ApiServer, picture: Path) -> None:
    for method in (*CHAT, *COMPLETE):
        args, kwargs = arguments(method, picture)
        await answer(llm, method, *args, **kwargs)
    whole = {request.body for request in api_server.requests if not request.json.get("stream")}
    streamed = {request.body for request in api_server.requests if request.json.get("stream")}
    assert len(api_server.requests) == 8
    assert len(whole) == 1
    assert len(streamed) == 1


@pytest.mark.parametrize("method", COMPLETE)
async def test_a_formatted_prompt_goes_to_the_completions_api_as_it_is(
    llm: FireLLaVA, api_server: ApiServer, method: str, picture: Path
) -> None:
    images = [ImageNode(image_path=str(picture))]
    response = await answer(llm, method, PROMPT, formatted=True, image_documents=images)
    assert response.text == SAID
    (request,) = api_server.requests
    assert request.path.endswith("/completions")
    assert not request.path.endswith("/chat/completions")
    assert request.json["prompt"] == PROMPT
    assert len(request.images) == 1


async def test_formatted_prompts_send_the_same_bytes_sync_and_async(
    llm: FireLLaVA, api_server: ApiServer, picture: Path
) -> None:
    for method in COMPLETE:
        await answer(
            llm, method, PROMPT, formatted=True, image_documents=[ImageNode(image_path=str(picture))]
        )
    assert len({request.body for request in api_server.requests}) == 2


@pytest.mark.parametrize("method", CHAT)
async def test_a_conversation_keeps_its_turns(llm: FireLLaVA, api_server: ApiServer, method: str) -> None:
    turns = [
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="user", content="Who are you?"),
        ChatMessage(role="assistant", content="A model."),
        ChatMessage(role="user", content="Which one?"),
    ]
    response = await answer(llm, method, turns)
    assert response.message.role == "assistant"
    assert response.message.content == "question: Which one? | system: Be brief."
    assert api_server.requests[0].json["messages"] == [
        {"role": turn.role.value, "content": turn.content} for turn in turns
    ]


async def test_two_pictures_are_sent_with_one_warning(
    llm: FireLLaVA, api_server: ApiServer, picture: Path
) -> None:
    messages = conversation(ImageBlock(path=picture), ImageBlock(path=picture))
    with pytest.warns(SeveralImagesWarning) as warned:
        await llm.achat(messages)
    assert len(warned) == 1
    assert len(api_server.requests[0].images) == 2


def test_parameters_come_from_fields_then_additional_kwargs_then_the_call(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer
) -> None:
    llm = llm_for(
        temperature=0.5,
        max_tokens=40,
        top_p=0.9,
        top_k=10,
        stop=["|"],
        seed=7,
        additional_kwargs={"min_p": 0.1, "seed": 8, "ignore_eos": True, "raw_output": True},
    )
    llm.chat(conversation(), temperature=0.25, top_k=None, extra_body={"raw_output": False})
    sent = api_server.requests[0].json
    assert {name: value for name, value in sent.items() if name not in {"model", "messages"}} == {
        "temperature": 0.25,
        "max_tokens": 40,
        "top_p": 0.9,
        "stop": ["|"],
        "seed": 8,
        "min_p": 0.1,
        "ignore_eos": True,
        "raw_output": False,
    }


def test_a_setting_changed_later_counts(llm: FireLLaVA, api_server: ApiServer) -> None:
    llm.chat(conversation())
    llm.model = QWEN_MAX
    llm.chat(conversation())
    assert [request.json["model"].rpartition("/")[2] for request in api_server.requests] == [
        "firellava-13b",
        "qwen3p8-max",
    ]
    assert llm.metadata.model_name == "qwen3p8-max"


@pytest.mark.parametrize("method", ["chat", "achat", "stream_chat", "astream_chat"])
async def test_reasoning_is_a_block_of_its_own(
    llm_for: Callable[..., FireLLaVA], method: str, picture: Path
) -> None:
    llm = llm_for(model=QWEN_MAX, additional_kwargs={"reasoning_effort": "high"})
    pieces = await responses(llm, method, conversation(ImageBlock(path=picture)))
    thinking, text = pieces[-1].message.blocks
    assert thinking.block_type == "thinking"
    assert thinking.content == "The question has 4 tokens and 1 images."
    assert text.text.startswith("question: What is this?")
    if "stream" in method:
        deltas = [piece.additional_kwargs.get("thinking_delta", "") for piece in pieces]
        assert "".join(deltas) == thinking.content
        for number, piece in enumerate(pieces[:-1], 1):
            assert piece.message.blocks[0].content == "".join(deltas[:number])


def test_metadata_is_what_the_model_card_says(llm_for: Callable[..., FireLLaVA]) -> None:
    firellava = llm_for().metadata
    assert (firellava.context_window, firellava.model_name) == (4096, "firellava-13b")
    assert firellava.is_chat_model
    assert not firellava.is_function_calling_model
    qwen = llm_for(model="qwen3p8-max", max_tokens=1000).metadata
    assert (qwen.context_window, qwen.num_output, qwen.is_function_calling_model) == (262_144, 1000, True)
    deployment = llm_for(model="accounts/me/deployedModels/mine", card="firellava-13b").metadata
    assert deployment.context_window == 4096


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
@pytest.mark.parametrize(
    "asked", [{"logprobs": True}, {"logprobs": True, "top_logprobs": 1}, {"logprobs": 2}]
)
async def test_how_likely_each_token_was_is_told_where_it_was_asked_for(
    llm: FireLLaVA, picture: Path, method: str, asked: dict[str, Any]
) -> None:
    args, kwargs = arguments(method, picture)
    response = await answer(llm, method, *args, **kwargs, **asked)
    tokens = [alternatives[0].token for alternatives in response.logprobs]
    assert "".join(tokens) == SAID
    assert all(alternatives[0].logprob < 0 for alternatives in response.logprobs)
    assert (await answer(llm, method, *args, **kwargs)).logprobs is None
