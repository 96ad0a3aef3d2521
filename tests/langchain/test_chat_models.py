"""`ChatFireLLaVA` against the API's contract: the ways to call it, and what an answer tells."""

import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from PIL import Image

from firellava import FireworksBackend, OfflineReader, OpenAICompatibleBackend, SeveralImagesWarning
from firellava.costs.prices import Prices
from firellava.errors import AllBackendsFailed, ConfigurationError, InvalidRequest, StreamBroken
from langchain_firellava import ChatFireLLaVA, image_block
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault, UsagePlacement
from tests.api_server.plain_requests import encoded

Make = Callable[..., ChatFireLLaVA]

RED = encoded("PNG", (336, 336), "#ff0000")
BLUE = encoded("PNG", (336, 336), "#0000ff")
RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"
ANSWER = "question: What is this? | system: Be brief. | image 1: PNG 336x336 mean #ff0000"


def question(text: str = "What is this?", *pictures: bytes) -> list[BaseMessage]:
    blocks = [image_block(picture) for picture in pictures or (RED,)]
    return [SystemMessage("Be brief."), HumanMessage([{"type": "text", "text": text}, *blocks])]


def but_for_this_call(message: Any) -> dict[str, Any]:
    of_this_call = {"request_id", "attempts"}
    return {name: value for name, value in message.response_metadata.items() if name not in of_this_call}


def added(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


class TestAnAnswer:
    def test_tells_what_arrived_from_whom_and_for_how_much(self, llm: ChatFireLLaVA) -> None:
        answer = llm.invoke(question())
        assert answer.content == ANSWER
        told, usage = answer.response_metadata, answer.usage_metadata
        assert told["model_name"] == FIRELLAVA_13B
        assert told["model_provider"] == llm._get_ls_params()["ls_provider"] == "firellava"
        assert told["finish_reason"] == "stop"
        assert told["backend"] == "fireworks:firellava-13b"
        assert told["degraded"] is False
        assert told["fallback_from"] == []
        assert told["request_id"].startswith("request-")
        assert usage is not None
        assert usage["input_token_details"] == {"image": 576, "cache_read": 0}
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert Decimal(told["cost_usd"]) == usage["total_tokens"] * Decimal("0.20") / 1_000_000

    def test_has_the_reasoning_as_a_content_block(self, llm_for: Make) -> None:
        llm = llm_for(model=QWEN_MAX)
        answer = llm.invoke("Hello", reasoning_effort="low")
        thought = {"type": "reasoning", "reasoning": "The question has 1 tokens and 0 images."}
        assert answer.content_blocks == [thought, {"type": "text", "text": "question: Hello"}]
        assert (
            added(list(llm.stream("Hello", reasoning_effort="low"))).content_blocks == answer.content_blocks
        )
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["output_token_details"]["reasoning"] > 0

    def test_has_log_probabilities_where_they_were_asked_for(self, llm: ChatFireLLaVA) -> None:
        assert "logprobs" not in llm.invoke("Hello there").response_metadata
        whole = llm.invoke("Hello there", logprobs=True).response_metadata["logprobs"]
        assert [entry["token"] for entry in whole["content"]] == ["question:", " Hello", " there"]
        streamed = added(list(llm.stream("Hello there", logprobs=True)))
        assert streamed.response_metadata["logprobs"] == whole

    def test_comes_several_times_on_request(self, llm_for: Make) -> None:
        ((first, second),) = llm_for(n=2).generate([question()]).generations
        assert [first.text, second.text] == [ANSWER, f"{ANSWER} #2"]


class TestAllWaysOfAsking:
    async def test_give_the_same_answer(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        whole = llm.invoke(question())
        awaited = await llm.ainvoke(question())
        streamed = added(list(llm.stream(question())))
        astreamed = added([chunk async for chunk in llm.astream(question())])
        for answer in (awaited, streamed, astreamed):
            assert answer.content == whole.content
            assert answer.usage_metadata == whole.usage_metadata
            assert but_for_this_call(answer) == but_for_this_call(whole)
        assert len({request.body for request in api_server.requests}) == 2  # whole and streamed
        assert api_server.requests[0].body == api_server.requests[1].body
        assert api_server.requests[2].body == api_server.requests[3].body

    async def test_take_batches(self, llm: ChatFireLLaVA) -> None:
        questions: list[Any] = [question(), question("Colour?", BLUE)]
        answers = [ANSWER, "question: Colour? | system: Be brief. | image 1: PNG 336x336 mean #0000ff"]
        assert [answer.text for answer in llm.batch(questions)] == answers
        assert [answer.text for answer in await llm.abatch(questions)] == answers

    async def test_invoke_can_stream(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(streaming=True)
        assert llm.invoke(question()).content == ANSWER
        assert (await llm.ainvoke(question())).content == ANSWER
        assert all(request.json["stream"] for request in api_server.requests)


class TestAStream:
    @pytest.mark.parametrize("placement", list(UsagePlacement))
    def test_says_usage_and_metadata_once_and_last(
        self, llm: ChatFireLLaVA, api_server: ApiServer, placement: UsagePlacement
    ) -> None:
        api_server.usage = placement
        *pieces, last = llm.stream(question())
        assert "".join(str(piece.content) for piece in pieces) == ANSWER
        assert all(piece.usage_metadata is None for piece in pieces)
        assert all(not piece.response_metadata for piece in pieces)
        assert last.response_metadata["backend"] == "fireworks:firellava-13b"
        assert last.chunk_position == "last"
        if placement is UsagePlacement.NEVER:
            assert last.usage_metadata is None
            assert last.response_metadata["cost_usd"] is None
        else:
            assert last.usage_metadata == llm.invoke(question()).usage_metadata

    async def test_shows_its_tokens_to_callbacks(self, llm: ChatFireLLaVA) -> None:
        tokens: list[Any] = []

        class Collector(BaseCallbackHandler):
            def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
                tokens.append(token)

        list(llm.stream(question(), {"callbacks": [Collector()]}))
        assert "".join(tokens) == ANSWER
        tokens.clear()
        assert [chunk async for chunk in llm.astream(question(), {"callbacks": [Collector()]})]
        assert "".join(tokens) == ANSWER

    async def test_shows_them_to_a_model_around_it_too(self, llm: ChatFireLLaVA) -> None:
        tokens: list[Any] = []

        class Manager:
            def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
                tokens.append(token)

        class AsyncManager:
            async def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
                tokens.append(token)

        manager: Any = Manager()
        list(llm._stream(question(), run_manager=manager))
        manager = AsyncManager()
        assert [chunk async for chunk in llm._astream(question(), run_manager=manager)]
        assert "".join(tokens) == ANSWER * 2

    def test_that_breaks_is_an_error_with_what_had_come(
        self, llm: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        api_server.fail_next(Fault(cut_after=700))
        seen: list[Any] = []
        with pytest.raises(StreamBroken) as caught:
            seen.extend(chunk.content for chunk in llm.stream(question()))
        assert ANSWER.startswith(caught.value.partial_text)
        assert len(api_server.requests) == 1

    @pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
    async def test_of_events_tells_the_whole_answer(self, llm: ChatFireLLaVA) -> None:
        stream = llm.stream_events(question(), version="v3")
        assert "".join(stream.text) == ANSWER
        assert stream.output.usage_metadata == llm.invoke(question()).usage_metadata
        astream = await llm.astream_events(question(), version="v3")
        assert (await astream).response_metadata["backend"] == "fireworks:firellava-13b"


class TestUsageIsCountedRight:
    async def test_by_langchains_own_handler(self, llm: ChatFireLLaVA) -> None:
        with get_usage_metadata_callback() as counted:
            once = llm.invoke(question()).usage_metadata
            list(llm.stream(question()))
            await llm.ainvoke(question())
            assert [chunk async for chunk in llm.astream(question())]
        assert once is not None
        totals = counted.usage_metadata[FIRELLAVA_13B]
        assert totals["total_tokens"] == 4 * once["total_tokens"]
        assert totals["input_token_details"] == {"image": 4 * 576, "cache_read": 0}

    def test_tokens_from_the_servers_cache_are_told(self, llm: ChatFireLLaVA) -> None:
        usage = llm.invoke(question(), prompt_cache_key="k").usage_metadata
        assert usage is not None
        assert usage["input_token_details"]["cache_read"] == usage["input_tokens"] // 2


class TestACallMayDifferFromTheSettings:
    def test_in_its_parameters(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(temperature=0, max_tokens=50, stop=["#"], model_kwargs={"min_p": 0.1, "user": "me"})
        llm.invoke("Hello")
        llm.invoke("Hello", temperature=1, stop=["?"], top_k=5, extra_body={"user": "you"})
        llm.bind(max_tokens=None).invoke("Hello")
        first, second, third = (request.json for request in api_server.requests)
        shared = {"model": FIRELLAVA_13B, "messages": [{"role": "user", "content": "Hello"}], "min_p": 0.1}
        assert first == shared | {"temperature": 0, "max_tokens": 50, "stop": ["#"], "user": "me"}
        assert second == shared | {
            "temperature": 1,
            "max_tokens": 50,
            "stop": ["?"],
            "top_k": 5,
            "user": "you",
        }
        assert "max_tokens" not in third

    def test_in_its_model(self, llm_for: Make, api_server: ApiServer) -> None:
        # The first model's card does not follow to another one, whose images are not letterboxed.
        llm = llm_for(card="firellava-13b")
        wide = [HumanMessage(["Size?", image_block(encoded("PNG", (200, 100)))])]
        answer = llm.invoke(wide, model="qwen3p8-max")
        assert answer.response_metadata["model_name"] == QWEN_MAX
        assert answer.response_metadata["backend"] == "fireworks:qwen3p8-max"
        assert [request.images[0].size for request in api_server.requests] == [(200, 100)]
        assert llm.invoke(wide).response_metadata["model_name"] == FIRELLAVA_13B

    def test_but_not_in_what_nobody_knows(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        with pytest.raises(InvalidRequest, match=r"no setting 'temprature'.*extra_body"):
            llm.invoke("Hello", temprature=1)
        with pytest.raises(ConfigurationError, match="backend= already decides model"):
            ChatFireLLaVA(backend=OfflineReader()).invoke("Hello", model="x")
        assert api_server.requests == []

    @pytest.mark.parametrize("kind", [FireworksBackend, OpenAICompatibleBackend])
    def test_of_a_backend_that_is_a_server_too(self, api_server: ApiServer, kind: Any) -> None:
        backend = kind(model=FIRELLAVA_13B, base_url=api_server.base_url, api_key=api_server.key)
        llm = ChatFireLLaVA(backend=backend, prices=Prices(input=Decimal(9), output=Decimal(9)))
        answer = llm.invoke("Hello", model=QWEN_MAX)
        assert answer.response_metadata["model_name"] == QWEN_MAX
        assert llm.invoke("Hello").response_metadata["model_name"] == FIRELLAVA_13B
        # What the other model costs is in the catalogue, or unknown: these prices are not its own.
        told = answer.response_metadata["cost_usd"]
        own = llm.model_copy(update={"prices": None}).invoke("Hello", model=QWEN_MAX)
        assert told == own.response_metadata["cost_usd"]


class TestAFallback:
    @pytest.mark.engine("rapidocr")
    @pytest.mark.parametrize("fallback", ["auto", OfflineReader(), [OfflineReader()]])
    async def test_answers_without_a_key_and_says_so(self, api_server: ApiServer, fallback: Any) -> None:
        llm = ChatFireLLaVA(base_url=api_server.base_url, fallback=fallback)
        messages = [HumanMessage(["What is the total?", image_block(RECEIPT)])]
        answers = [
            llm.invoke(messages),
            await llm.ainvoke(messages),
            added(list(llm.stream(messages))),
            added([chunk async for chunk in llm.astream(messages)]),
        ]
        for answer in answers:
            told = answer.response_metadata
            assert answer.content == answers[0].content != ""
            assert told["degraded"] is True
            assert told["backend"] == "offline-reader"
            assert told["cost_usd"] == "0"
            assert told["fallback_from"][0]["backend"] == "fireworks:firellava-13b"
            assert "MissingKey" in told["fallback_from"][0]["reason"]
        assert api_server.requests == []

    def test_that_fails_too_tells_both_reasons(self, llm_for: Make, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=500))
        llm = llm_for(fallback=OfflineReader(), max_retries=0)
        url = {"type": "image", "url": "https://127.0.0.1/cat.jpg"}
        with pytest.raises(AllBackendsFailed, match=r"HTTP 500.*UnsafeURL"):
            llm.invoke([HumanMessage(["What is this?", url])])


class TestSeveralImages:
    async def test_warn_once_a_call_and_all_arrive(self, llm: ChatFireLLaVA, api_server: ApiServer) -> None:
        with pytest.warns(SeveralImagesWarning) as told:
            llm.invoke(question("Same colour?", RED, BLUE))
        assert len(told) == 1
        with pytest.warns(SeveralImagesWarning):
            await llm.ainvoke(question("Same colour?", RED, BLUE))
        sync, awaited = api_server.requests
        assert [image.mean for image in sync.images] == ["#ff0000", "#0000ff"]
        assert sync.body == awaited.body

    def test_do_not_warn_where_the_model_was_trained_with_them(self, llm_for: Make) -> None:
        llm_for(model=QWEN_MAX).invoke(question("Same colour?", RED, BLUE))


class TestImages:
    def test_chosen_metadata_goes_through_the_prompt(self, llm_for: Make, api_server: ApiServer) -> None:
        exif = Image.Exif()
        exif[0x0132] = "2024:05:01 10:00:00"
        exif[0x010F] = "Secret camera"
        buffer = io.BytesIO()
        Image.new("RGB", (336, 336)).save(buffer, "JPEG", exif=exif)
        block = {"type": "media", "mime_type": "image/jpeg", "data": buffer.getvalue()}
        messages = [HumanMessage(["When was this?", block])]
        llm_for(describe_metadata=["DateTime"]).invoke(messages)
        llm_for().invoke(messages)
        told, untold = (request.json["messages"][0]["content"] for request in api_server.requests)
        assert told[1] == {"type": "text", "text": "Image metadata: DateTime: 2024:05:01 10:00:00"}
        assert [part["type"] for part in untold] == ["text", "image_url"]
        assert all(b"Secret camera" not in request.images[0].data for request in api_server.requests)

    def test_are_made_to_fit_as_the_caller_wants(self, llm_for: Make, api_server: ApiServer) -> None:
        llm_for(fit="contain").invoke(question("What is this?", encoded("PNG", (200, 100))))
        assert api_server.requests[0].images[0].size == (200, 100)

    def test_of_a_deployment_follow_its_card(self, llm_for: Make, api_server: ApiServer) -> None:
        api_server.deploy("accounts/me/deployments/eyes")
        answer = llm_for(model="accounts/me/deployments/eyes", card="firellava-13b").invoke(question())
        assert api_server.requests[0].images[0].size == (336, 336)
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["input_token_details"] == {"image": 576, "cache_read": 0}


class TestTheCache:
    def test_hits_for_the_same_image_and_not_for_another(self, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(cache=InMemoryCache())
        assert llm.invoke(question()).content == llm.invoke(question()).content
        assert len(api_server.requests) == 1
        assert llm.invoke(question("What is this?", BLUE)).text.endswith("#0000ff")

    def test_keeps_differently_configured_models_apart(self, llm_for: Make, api_server: ApiServer) -> None:
        cache = InMemoryCache()
        settings: list[dict[str, Any]] = [
            {},
            {"model": QWEN_MAX},
            {"temperature": 1},
            {"fallback": OfflineReader()},
            {"fallback": OfflineReader(max_side=100)},
            {"card": "qwen3p8-max"},
            {"model_kwargs": {"min_p": 0.1}},
        ]
        for changed in settings:
            llm_for(cache=cache, **changed).invoke("Hello")
        assert len(api_server.requests) == len(settings)


async def test_calls_go_through_the_callers_own_clients(llm_for: Make, api_server: ApiServer) -> None:
    headers = {"x-team": "ours"}
    with httpx.Client(headers=headers) as client:
        llm_for(http_client=client).invoke("Hello")
    async with httpx.AsyncClient(headers=headers) as async_client:
        await llm_for(http_async_client=async_client).ainvoke("Hello")
    assert [request.headers["x-team"] for request in api_server.requests] == ["ours", "ours"]
