"""`FireLLaVACompletions`: a prompt with its images, in all four ways."""

import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents.base import Blob
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.outputs import LLMResult

from firellava import Ledger, model_card
from firellava.errors import AuthenticationFailed, InvalidRequest, MissingKey, UnreadableImage
from langchain_firellava import FireLLaVACompletions
from tests.api_server import FIRELLAVA_13B, ApiServer, Fault, UsagePlacement
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
        assert completions.invoke("USER:\nHi\n\nASSISTANT:", stop=["?"], images=None) == "question: Hi"
        assert api_server.requests[0].json["stop"] == ["?"]
        assert "images" not in api_server.requests[0].json


PROMPTS: list[Any] = [f"USER:\nNumber {number}?\n\nASSISTANT:" for number in range(12)]
ANSWERS = [f"question: Number {number}?" for number in range(12)]


class TestSeveralPrompts:
    @pytest.fixture
    def ledger(self) -> Ledger:
        return Ledger()

    @pytest.fixture
    def watched(self, api_server: ApiServer, ledger: Ledger) -> FireLLaVACompletions:
        """A model whose answers take long enough to be on their way at the same time."""
        api_server.fail_next(Fault(delay=0.2), times=12)
        return FireLLaVACompletions(api_key=api_server.key, base_url=api_server.base_url, hooks=[ledger])

    def test_are_asked_at_the_same_time(self, watched: FireLLaVACompletions, ledger: Ledger) -> None:
        assert _texts(watched.generate(PROMPTS)) == ANSWERS
        assert 1 < _most_at_once(ledger) <= 8

    async def test_are_asked_so_asynchronously(self, watched: FireLLaVACompletions, ledger: Ledger) -> None:
        assert _texts(await watched.agenerate(PROMPTS)) == ANSWERS
        assert 1 < _most_at_once(ledger) <= 8

    async def test_of_a_batch_are_no_more_at_once(
        self, watched: FireLLaVACompletions, ledger: Ledger
    ) -> None:
        assert await watched.abatch(PROMPTS) == ANSWERS
        assert 1 < _most_at_once(ledger) <= 8

    def test_are_as_many_as_the_config_of_a_batch_allows(
        self, watched: FireLLaVACompletions, ledger: Ledger
    ) -> None:
        assert watched.batch(PROMPTS, {"max_concurrency": 3}) == ANSWERS
        assert 1 < _most_at_once(ledger) <= 3

    async def test_are_as_many_asynchronously(self, watched: FireLLaVACompletions, ledger: Ledger) -> None:
        assert await watched.abatch(PROMPTS, {"max_concurrency": 3}) == ANSWERS
        assert 1 < _most_at_once(ledger) <= 3

    async def test_of_a_batch_fail_each_on_its_own(self, completions: FireLLaVACompletions) -> None:
        prompts: list[Any] = ["Hello", " ", "<image>", "Bye"]
        tried: list[Any] = [
            completions.batch(prompts, return_exceptions=True),
            await completions.abatch(prompts, return_exceptions=True),
        ]
        for answers in tried:
            first, empty, imageless, last = answers
            assert (first, last) == ("question: Hello", "question: Bye")
            for error, said in ((empty, "empty"), (imageless, "1 <image> token")):
                assert isinstance(error, InvalidRequest)
                assert isinstance(error, ModelInvalidRequestError)
                assert said in str(error)

    async def test_fail_with_the_first_that_fails(
        self, completions: FireLLaVACompletions, api_server: ApiServer
    ) -> None:
        with pytest.raises(InvalidRequest, match="empty"):
            completions.generate(["Hello", " ", "Bye"])
        with pytest.raises(InvalidRequest, match="empty"):
            await completions.agenerate(["Hello", " ", "Bye"])
        with pytest.raises(InvalidRequest, match="empty"):
            completions.batch(["Hello", " "])
        with pytest.raises(InvalidRequest, match="empty"):
            await completions.abatch(["Hello", " "])
        api_server.fail_next(Fault(status=401), times=3)
        with pytest.raises(AuthenticationFailed):
            completions.generate(PROMPTS[:3])

    async def test_may_be_none(self, completions: FireLLaVACompletions) -> None:
        assert completions.batch([]) == []
        assert await completions.abatch([]) == []
        assert completions.generate([]).generations == []

    async def test_are_shown_a_file_that_can_be_read_only_once(
        self, completions: FireLLaVACompletions
    ) -> None:
        with _once_readable(RED) as image:
            assert completions.batch([PROMPT] * 3, images=[image]) == [ANSWER] * 3
        with _once_readable(RED) as image:
            assert await completions.abatch([PROMPT] * 3, images=[image]) == [ANSWER] * 3

    def test_have_several_answers_each_on_request(self, completions: FireLLaVACompletions) -> None:
        ((one, other), _) = completions.generate(["Hello", "Bye"], n=2).generations
        assert [one.text, other.text] == ["question: Hello", "question: Hello #2"]


def _once_readable(data: bytes) -> BinaryIO:
    """A file that cannot be read from its beginning again, such as standard input."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        file.write(data)
    return os.fdopen(reader, "rb")


def _texts(result: LLMResult) -> list[str]:
    return [generations[0].text for generations in result.generations]


def _most_at_once(ledger: Ledger) -> int:
    """How many calls were on their way at the same time."""
    calls = [(entry.started_at, entry.started_at + entry.seconds) for entry in ledger.entries]
    return max(sum(start <= moment < end for start, end in calls) for moment, _ in calls)


class TestTokenUsage:
    async def test_of_all_prompts_is_in_the_output(self, completions: FireLLaVACompletions) -> None:
        for result in (
            completions.generate([PROMPT, PROMPT], images=[RED]),
            await completions.agenerate([PROMPT, PROMPT], images=[RED]),
        ):
            assert result.llm_output is not None
            told = [generation.generation_info or {} for (generation,) in result.generations]
            assert result.llm_output["model_name"] == FIRELLAVA_13B
            assert result.llm_output["token_usage"] == {
                "prompt_tokens": sum(info["usage_metadata"]["input_tokens"] for info in told),
                "completion_tokens": sum(info["usage_metadata"]["output_tokens"] for info in told),
                "total_tokens": sum(info["usage_metadata"]["total_tokens"] for info in told),
            }

    def test_adds_up_in_a_handler(self, completions: FireLLaVACompletions) -> None:
        seen: list[int] = []

        class Adder(BaseCallbackHandler):
            def on_llm_end(self, response: LLMResult, **_: Any) -> None:
                assert response.llm_output is not None
                seen.append(response.llm_output["token_usage"].get("total_tokens", 0))

        result = completions.generate(["Hello", "Good bye"], callbacks=[Adder()])
        assert result.llm_output is not None
        assert len(seen) == 2
        assert sum(seen) == result.llm_output["token_usage"]["total_tokens"]

    def test_that_nobody_stated_is_not_there(
        self, completions: FireLLaVACompletions, api_server: ApiServer
    ) -> None:
        api_server.usage = UsagePlacement.NEVER
        assert completions.generate(["Hello"]).llm_output == {"model_name": FIRELLAVA_13B}


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

    @pytest.mark.parametrize("images", ["receipt.jpg", RED, Path("receipt.jpg")])
    def test_an_image_that_stands_in_no_list(
        self, completions: FireLLaVACompletions, api_server: ApiServer, images: Any
    ) -> None:
        for ask in (completions.invoke, completions.stream):
            with pytest.raises(InvalidRequest, match=r"images= takes a list .* not \w+: images=\[…\]"):
                list(ask(PROMPT, images=images))
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
