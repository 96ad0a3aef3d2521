"""`FireLLaVACompletions`: a prompt with its images, in all four ways."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents.base import Blob

from firellava import model_card
from firellava.errors import InvalidRequest, MissingKey, UnreadableImage
from langchain_firellava import FireLLaVACompletions
from tests.api_server import ApiServer, UsagePlacement
from tests.api_server.plain_requests import encoded

RED = encoded("PNG", (336, 336), "#ff0000")
BLUE = encoded("PNG", (336, 336), "#0000ff")
PROMPT = "USER:\n<image>\nWhat is this?\n\nASSISTANT:"
ANSWER = "question: What is this? | image 1: PNG 336x336 mean #ff0000"


class TestTheFourWays:
    def test_whole_and_streamed(self, completions: FireLLaVACompletions, api_server: ApiServer) -> None:
        assert completions.invoke(PROMPT, images=[RED]) == ANSWER
        assert "".join(completions.stream(PROMPT, images=[RED])) == ANSWER
        whole, streamed = (request.json for request in api_server.requests)
        assert streamed == whole | {"stream": True, "stream_options": {"include_usage": True}}

    async def test_asynchronously(self, completions: FireLLaVACompletions, api_server: ApiServer) -> None:
        assert await completions.ainvoke(PROMPT, images=[RED]) == ANSWER
        chunks = [chunk async for chunk in completions.astream(PROMPT, images=[RED])]
        assert "".join(chunks) == ANSWER
        completions.invoke(PROMPT, images=[RED])
        list(completions.stream(PROMPT, images=[RED]))
        bodies = [request.body for request in api_server.requests]
        assert bodies[:2] == bodies[2:]

    def test_bound_and_in_a_batch(self, completions: FireLLaVACompletions) -> None:
        bound = completions.bind(images=[Blob.from_data(RED)], temperature=0)
        assert bound.batch([PROMPT, PROMPT]) == [ANSWER, ANSWER]

    def test_without_images(self, completions: FireLLaVACompletions, api_server: ApiServer) -> None:
        assert completions.invoke("USER:\nHi\n\nASSISTANT:", stop=["?"]) == "question: Hi"
        assert api_server.requests[0].json["stop"] == ["?"]
        assert "images" not in api_server.requests[0].json


def test_the_model_card_renders_the_template(
    completions: FireLLaVACompletions, api_server: ApiServer
) -> None:
    template = model_card("firellava-13b").template
    assert template is not None
    completions.invoke(template.render("<image>\nWhat is this?", system="Be brief."), images=[RED])
    prompt = api_server.requests[0].json["prompt"]
    assert prompt == "SYSTEM: Be brief.\n\nUSER:\n<image>\nWhat is this?\n\nASSISTANT:"


class TestGenerationInfo:
    def test_of_a_whole_reply(self, completions: FireLLaVACompletions) -> None:
        ((generation,),) = completions.generate([PROMPT], images=[RED]).generations
        info = generation.generation_info
        assert info is not None
        assert info["backend"] == "fireworks:firellava-13b"
        assert info["finish_reason"] == "stop"
        assert info["degraded"] is False
        assert info["usage_metadata"]["input_token_details"]["image"] == 576

    def test_of_a_stream_stands_on_it_once(
        self, completions: FireLLaVACompletions, api_server: ApiServer
    ) -> None:
        api_server.usage = UsagePlacement.EVERY_CHUNK
        chunks: list[Any] = []

        class Collector(BaseCallbackHandler):
            def on_llm_new_token(self, *args: Any, chunk: Any = None, **kwargs: Any) -> None:
                chunks.append(chunk)

        streamed = list(completions.stream(PROMPT, {"callbacks": [Collector()]}, images=[RED]))
        assert [chunk.text for chunk in chunks] == streamed
        assert [chunk.generation_info is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        ((whole,),) = completions.generate([PROMPT], images=[RED]).generations
        told, streamed_info = whole.generation_info, chunks[-1].generation_info
        assert told is not None
        assert streamed_info is not None
        of_this_call = {"request_id": None, "attempts": None}
        assert streamed_info | of_this_call == told | of_this_call


class TestTheCache:
    def test_never_answers_for_another_image(self, api_server: ApiServer) -> None:
        llm = FireLLaVACompletions(
            api_key=api_server.key, base_url=api_server.base_url, cache=InMemoryCache()
        )
        assert llm.invoke(PROMPT, images=[RED]).endswith("#ff0000")
        assert llm.invoke(PROMPT, images=[BLUE]).endswith("#0000ff")

    async def test_asynchronously_neither(self, api_server: ApiServer) -> None:
        llm = FireLLaVACompletions(
            api_key=api_server.key, base_url=api_server.base_url, cache=InMemoryCache()
        )
        assert (await llm.ainvoke(PROMPT, images=[RED])).endswith("#ff0000")
        assert (await llm.ainvoke(PROMPT, images=[BLUE])).endswith("#0000ff")

    def test_answers_the_same_text_again(self, api_server: ApiServer) -> None:
        llm = FireLLaVACompletions(
            api_key=api_server.key, base_url=api_server.base_url, cache=InMemoryCache()
        )
        assert llm.invoke("Hi") == llm.invoke("Hi")
        assert len(api_server.requests) == 1


class TestBadInputSendsNothing:
    def test_other_counts_of_images(self, completions: FireLLaVACompletions, api_server: ApiServer) -> None:
        for images in ([], [RED, BLUE]):
            with pytest.raises(InvalidRequest, match="1 <image> token"):
                completions.invoke(PROMPT, images=images)
        with pytest.raises(InvalidRequest, match="0 <image> tokens for 1 images"):
            completions.batch([PROMPT, "No image here"], images=[RED])
        assert api_server.requests == []

    def test_other_mistakes(
        self, completions: FireLLaVACompletions, api_server: ApiServer, tmp_path: Path
    ) -> None:
        with pytest.raises(InvalidRequest, match="empty"):
            completions.invoke(" ")
        with pytest.raises(UnreadableImage):
            completions.invoke(PROMPT, images=[tmp_path / "missing.png"])
        with pytest.raises(InvalidRequest, match="no setting 'temprature'"):
            completions.invoke("Hi", temprature=1)
        with pytest.raises(MissingKey):
            FireLLaVACompletions(base_url=api_server.base_url).invoke("Hi")
        assert api_server.requests == []


def test_traces_name_provider_and_model(completions: FireLLaVACompletions) -> None:
    params = completions._get_ls_params(stop=["x"])
    assert params["ls_provider"] == "firellava"
    assert params["ls_model_name"] == "accounts/fireworks/models/firellava-13b"
    assert params["ls_stop"] == ["x"]
