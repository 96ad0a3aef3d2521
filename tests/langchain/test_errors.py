"""Errors are ours and LangChain's at once, however a model is asked, and lose nothing by it."""

import copy
import pickle
import traceback
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.messages import HumanMessage

from firellava import Budget, OfflineReader, VisionClient, errors
from firellava.messages import Message
from firellava.replies import Attempt
from langchain_firellava import ChatFireLLaVA, FireLLaVACompletions, image_block
from langchain_firellava.errors import also_errors_of_langchain, langchain_class, may_succeed_later
from tests.api_server import ApiServer, Fault
from tests.api_server.plain_requests import encoded

Model = ChatFireLLaVA | FireLLaVACompletions
Way = Callable[..., Awaitable[Any]]
Make = Callable[..., ChatFireLLaVA]

PROMPT = "USER:\nHello\n\nASSISTANT:"


async def _invoke(llm: Any, question: Any, **parameters: Any) -> Any:
    return llm.invoke(question, **parameters)


async def _ainvoke(llm: Any, question: Any, **parameters: Any) -> Any:
    return await llm.ainvoke(question, **parameters)


async def _stream(llm: Any, question: Any, **parameters: Any) -> Any:
    return list(llm.stream(question, **parameters))


async def _astream(llm: Any, question: Any, **parameters: Any) -> Any:
    return [chunk async for chunk in llm.astream(question, **parameters)]


async def _batch(llm: Any, question: Any, **parameters: Any) -> Any:
    return llm.batch([question], **parameters)


async def _abatch(llm: Any, question: Any, **parameters: Any) -> Any:
    return await llm.abatch([question], **parameters)


WAYS = pytest.mark.parametrize("way", [_invoke, _ainvoke, _stream, _astream, _batch, _abatch])

FROM_THE_WIRE: list[tuple[Fault, dict[str, Any], type[errors.FireLLaVAError], type[ModelError], bool]] = [
    (Fault(status=400), {}, errors.BadRequest, ModelInvalidRequestError, False),
    (Fault(status=400, message="Prompt is too long"), {}, errors.PromptTooLong, ContextOverflowError, False),
    (Fault(status=400, message="rate limit exceeded"), {}, errors.RateLimited, ModelRateLimitError, True),
    (Fault(status=401), {}, errors.AuthenticationFailed, ModelAuthenticationError, False),
    (Fault(status=402), {}, errors.AccessDenied, ModelPermissionDeniedError, False),
    (Fault(status=403), {}, errors.AccessDenied, ModelPermissionDeniedError, False),
    (Fault(status=404), {}, errors.ModelNotFound, ModelNotFoundError, False),
    (Fault(status=408), {}, errors.ServerFailed, ModelAPIError, True),
    (Fault(status=412), {}, errors.AccessDenied, ModelPermissionDeniedError, False),
    (Fault(status=413), {}, errors.BadRequest, ModelInvalidRequestError, False),
    (Fault(status=422, shape="detail"), {}, errors.BadRequest, ModelInvalidRequestError, False),
    (Fault(status=429), {}, errors.RateLimited, ModelRateLimitError, True),
    (Fault(status=500), {}, errors.ServerFailed, ModelAPIError, True),
    (Fault(status=503, shape="html"), {}, errors.ServerFailed, ModelAPIError, True),
    (
        Fault(status=503, headers={"x-should-retry": "false"}),
        {},
        errors.ServerFailed,
        ModelAPIError,
        False,
    ),
    (Fault(drop=True), {}, errors.ConnectionFailed, ModelConnectionError, True),
    (Fault(body=b"{garbage"), {}, errors.UnreadableReply, ModelAPIError, True),
    (Fault(delay=5), {"timeout": 0.05}, errors.AttemptTimedOut, ModelTimeoutError, True),
    (Fault(delay=5), {"deadline": 0.05}, errors.DeadlineExceeded, ModelTimeoutError, True),
]


@WAYS
@pytest.mark.parametrize("kind", [ChatFireLLaVA, FireLLaVACompletions])
@pytest.mark.parametrize(("fault", "settings", "ours", "theirs", "retryable"), FROM_THE_WIRE)
async def test_what_goes_wrong_on_the_wire_is_both(
    api_server: ApiServer,
    kind: type[Model],
    way: Way,
    fault: Fault,
    settings: dict[str, Any],
    ours: type[errors.FireLLaVAError],
    theirs: type[ModelError],
    retryable: bool,  # noqa: FBT001 - a column of the table
) -> None:
    api_server.fail_next(fault)
    llm = kind(api_key=api_server.key, base_url=api_server.base_url, max_retries=0, **settings)
    with pytest.raises(ours) as caught:
        await way(llm, PROMPT)
    assert isinstance(caught.value, theirs)
    assert caught.value.is_retryable is retryable
    assert type(caught.value).__name__ == ours.__name__


@WAYS
class TestBeforeAnythingIsSent:
    async def test_a_missing_key(self, way: Way) -> None:
        await _fails(way, ChatFireLLaVA(), "Hello", errors.MissingKey, ModelAuthenticationError)
        await _fails(way, FireLLaVACompletions(), "Hello", errors.MissingKey, ModelAuthenticationError)

    async def test_too_many_tokens(self, way: Way, llm: ChatFireLLaVA) -> None:
        images: list[Any] = [image_block(encoded())] * 8
        await _fails(way, llm, [HumanMessage(images)], errors.ContextOverflow, ContextOverflowError)

    async def test_an_image_that_may_not_be_had(self, way: Way, llm_for: Make) -> None:
        question = [HumanMessage([{"type": "image", "url": "https://127.0.0.1/cat.png"}])]
        await _fails(way, llm_for(image_urls="inline"), question, errors.UnsafeURL, ModelInvalidRequestError)

    async def test_a_message_that_cannot_be_sent(self, way: Way, llm: ChatFireLLaVA) -> None:
        question = [HumanMessage([{"type": "audio", "base64": "AAAA"}])]
        await _fails(way, llm, question, errors.InvalidRequest, ModelInvalidRequestError)

    async def test_another_count_of_images(self, way: Way, completions: FireLLaVACompletions) -> None:
        await _fails(way, completions, "<image>?", errors.InvalidRequest, ModelInvalidRequestError)

    async def test_a_parameter_nobody_knows(self, way: Way, llm: ChatFireLLaVA) -> None:
        await _fails(way, llm, "Hello", errors.InvalidRequest, ModelInvalidRequestError, temprature=1)

    async def test_settings_that_contradict_the_call(self, way: Way) -> None:
        llm = ChatFireLLaVA(backend=OfflineReader())
        await _fails(way, llm, "Hello", errors.ConfigurationError, ModelError, model="qwen3p8-max")
        for kind in (ChatFireLLaVA(), FireLLaVACompletions()):
            await _fails(way, kind, "Hello", errors.ConfigurationError, ModelError, timeout=5)

    async def test_a_spent_budget(self, way: Way, llm_for: Make, api_server: ApiServer) -> None:
        llm = llm_for(budget=Budget(calls=1))
        llm.invoke("Hello")
        error = await _fails(way, llm, "Hello", errors.BudgetExceeded, ModelError)
        assert error.limit == "calls"
        assert error.needed == Decimal(1)
        assert len(api_server.requests) == 1


async def _fails(
    way: Way,
    llm: Any,
    question: Any,
    ours: type[errors.FireLLaVAError],
    theirs: type[ModelError],
    **parameters: Any,
) -> Any:
    with pytest.raises(ours) as caught:
        await way(llm, question, **parameters)
    assert isinstance(caught.value, theirs)
    assert caught.value.is_retryable is False
    return caught.value


@pytest.mark.parametrize("way", [_stream, _astream])
@pytest.mark.parametrize("kind", [ChatFireLLaVA, FireLLaVACompletions])
async def test_a_stream_that_breaks_says_what_had_come(
    api_server: ApiServer, kind: type[Model], way: Way
) -> None:
    api_server.fail_next(Fault(cut_after=500))
    llm = kind(api_key=api_server.key, base_url=api_server.base_url)
    with pytest.raises(errors.StreamBroken) as caught:
        await way(llm, "USER:\nWhat is it that you see here?\n\nASSISTANT:")
    assert isinstance(caught.value, ModelConnectionError)
    assert caught.value.partial_text.startswith("question:")
    assert caught.value.may_be_billed
    assert caught.value.backend == "fireworks:firellava-13b"
    assert len(api_server.requests) == 1


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
async def test_events_fail_with_both_too(llm_for: Make, api_server: ApiServer) -> None:
    llm = llm_for(max_retries=0)
    api_server.fail_next(Fault(status=429), times=2)
    with pytest.raises(errors.RateLimited) as caught:
        _ = llm.stream_events("Hello", version="v3").output
    assert isinstance(caught.value, ModelRateLimitError)
    with pytest.raises(ModelRateLimitError):
        _ = await (await llm.astream_events("Hello", version="v3"))


class TestAnErrorOfBothKinds:
    def test_says_and_holds_what_ours_does(self, llm_for: Make, api_server: ApiServer) -> None:
        fault = Fault(status=429, headers={"retry-after": "7", "x-request-id": "r-1"}, message="slow down")
        api_server.fail_next(fault, times=2)
        ours = VisionClient(api_key=api_server.key, base_url=api_server.base_url, max_retries=0)
        with pytest.raises(errors.RateLimited) as alone:
            ours.chat([Message("user", "Hello")])
        with pytest.raises(errors.RateLimited) as both:
            llm_for(max_retries=0).invoke("Hello")
        assert str(both.value) == str(alone.value)
        assert vars(both.value) == vars(alone.value) | {"is_retryable": True}
        assert both.value.status == 429
        assert both.value.retry_after == 7
        assert both.value.request_id == "r-1"

    def test_survives_copies_and_pickles(self, llm_for: Make, api_server: ApiServer) -> None:
        raised: list[Any] = []
        cases: list[tuple[Fault, dict[str, Any]]] = [
            (Fault(status=503), {"fallback": OfflineReader()}),
            (Fault(status=429, headers={"retry-after": "7"}), {}),
            (Fault(delay=5), {"timeout": 0.05}),
        ]
        for fault, settings in cases:
            api_server.fail_next(fault)
            with pytest.raises(errors.FireLLaVAError) as caught:
                llm_for(max_retries=0, **settings).invoke(
                    [HumanMessage([{"type": "image", "url": "https://127.0.0.1/cat.png"}])]
                )
            raised.append(caught.value)
        for error in raised:
            pickled = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled one line before
            for again in (pickled, copy.copy(error), copy.deepcopy(error)):
                assert type(again) is type(error)
                assert str(again) == str(error)
                assert vars(again).keys() == vars(error).keys()
                assert again.is_retryable == error.is_retryable
        again = pickle.loads(pickle.dumps(raised[0]))  # noqa: S301 - pickled one line before
        assert [type(attempt.error) for attempt in again.attempts] == [errors.ServerFailed, errors.UnsafeURL]

    def test_has_one_traceback_and_no_secret(self, llm_for: Make, api_server: ApiServer) -> None:
        api_server.fail_next(Fault(status=401))
        with pytest.raises(ModelAuthenticationError) as caught:
            llm_for().invoke("Hello")
        error = caught.value
        assert error.__cause__ is None
        assert error.__context__ is None
        report = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert report.count("Traceback (most recent call last)") == 1
        assert "langchain_firellava.errors.AuthenticationFailed: " in report
        assert api_server.key not in report + repr(error) + str(vars(error)) + repr(pickle.dumps(error))

    def test_is_made_once(self) -> None:
        with pytest.raises(ModelError) as caught, also_errors_of_langchain(), also_errors_of_langchain():
            raise errors.RateLimited("Too many requests.")
        assert [kind.__name__ for kind in type(caught.value).__mro__].count("RateLimited") == 2

    def test_is_made_of_errors_of_your_own_backends_too(self) -> None:
        class OutOfPaper(errors.ServerFailed):
            pass

        with pytest.raises(OutOfPaper) as caught, also_errors_of_langchain():
            raise OutOfPaper("The printer model is out of paper.")
        assert isinstance(caught.value, ModelAPIError)

    def test_is_made_of_nothing_else(self) -> None:
        with pytest.raises(ZeroDivisionError) as caught, also_errors_of_langchain():
            raise ZeroDivisionError
        assert type(caught.value) is ZeroDivisionError


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"MissingExtra", "AllBackendsFailed"}))
def test_every_error_of_ours_has_a_class_of_langchains(name: str) -> None:
    ours = getattr(errors, name)
    with pytest.raises(ours, match=r"^What happened$") as caught, also_errors_of_langchain():
        raise ours("What happened")
    assert isinstance(caught.value, ModelError)
    assert type(caught.value).__name__ == name


def test_a_missing_extra_still_names_the_command() -> None:
    with pytest.raises(ImportError, match="pip install") as caught, also_errors_of_langchain():
        raise errors.MissingExtra("ocr", "the offline reader")
    assert isinstance(caught.value, ModelError)


TIMED_OUT = errors.AttemptTimedOut("late", sent=True)
REFUSED = errors.AuthenticationFailed("bad key", status=401)
LIMITED = errors.RateLimited("slow down", status=429)
UNSAFE = errors.UnsafeURL("no")
NO_KEY = errors.MissingKey("no key")


@pytest.mark.parametrize(
    ("failures", "theirs", "retryable"),
    [
        ([LIMITED, UNSAFE], ModelRateLimitError, True),
        ([TIMED_OUT, REFUSED], ModelTimeoutError, True),
        ([NO_KEY, UNSAFE], ModelAuthenticationError, False),
        ([NO_KEY, TIMED_OUT], ModelAuthenticationError, True),
        ([UNSAFE, LIMITED], ModelInvalidRequestError, True),
        ([errors.CircuitOpen("resting"), UNSAFE], ModelConnectionError, True),
        ([errors.ContextOverflow("too long"), UNSAFE], ContextOverflowError, False),
        ([errors.BudgetExceeded("spent"), UNSAFE], ModelError, False),
        ([], ModelError, False),
    ],
)
def test_where_all_backends_failed_the_first_failure_gives_the_class(
    failures: list[errors.FireLLaVAError],
    theirs: type[ModelError],
    retryable: bool,  # noqa: FBT001 - a column of the table
) -> None:
    attempts = [Attempt("one", 0.1, failure, turn) for turn, failure in enumerate(failures)]
    error = errors.AllBackendsFailed("No backend answered.", attempts)
    assert langchain_class(error) is theirs
    assert may_succeed_later(error) is retryable


@WAYS
async def test_all_backends_that_failed_are_told(way: Way, llm_for: Make, api_server: ApiServer) -> None:
    api_server.fail_next(Fault(status=429))
    llm = llm_for(max_retries=0, fallback=OfflineReader())
    with pytest.raises(errors.AllBackendsFailed) as caught:
        await way(llm, [HumanMessage([{"type": "image", "url": "https://127.0.0.1/cat.png"}])])
    assert isinstance(caught.value, ModelRateLimitError)
    assert [type(attempt.error) for attempt in caught.value.attempts] == [
        errors.RateLimited,
        errors.UnsafeURL,
    ]
