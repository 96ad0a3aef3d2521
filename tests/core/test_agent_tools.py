"""What an agent's model is told, and what is kept from it."""

import json
from decimal import Decimal

import pytest

from firellava.agent_tools import (
    answer_text,
    details_of_answer,
    error_text,
    is_for_developer,
    question_parts,
    which_image,
)
from firellava.errors import (
    AccessDenied,
    AllBackendsFailed,
    AttemptTimedOut,
    AuthenticationFailed,
    BadRequest,
    BudgetExceeded,
    CircuitOpen,
    ConfigurationError,
    ConnectionFailed,
    ContextOverflow,
    CostUnknown,
    DeadlineExceeded,
    FireLLaVAError,
    ImageDownloadFailed,
    InvalidRequest,
    LimitExceeded,
    MissingExtra,
    MissingKey,
    ModelNotFound,
    NothingToAsk,
    PromptTooLong,
    RateLimited,
    ServerFailed,
    StreamBroken,
    UnreadableImage,
    UnreadableReply,
    UnsafeURL,
    UnsupportedCapability,
)
from firellava.image_references import ImageReferences
from firellava.replies import Attempt, Choice, Reply
from tests.core.images.samples import corners, encoded

PNG = encoded(corners(), "PNG")


def all_failed(*errors: FireLLaVAError) -> AllBackendsFailed:
    """Each backend failed twice, with the error of the second time."""
    attempts = [
        Attempt("one", 0.1, failed, turn)
        for turn, error in enumerate(errors)
        for failed in (RateLimited("Later."), error)
    ]
    return AllBackendsFailed("No backend answered.", attempts)


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("A setting is wrong."),
        MissingKey("There is no key."),
        NothingToAsk("No backend is left."),
        CostUnknown("There is no price."),
        MissingExtra("ocr"),
        BudgetExceeded("The budget is used up."),
        AuthenticationFailed("The key is refused."),
        AccessDenied("There is no paid plan."),
        ModelNotFound("There is no such model."),
        all_failed(AuthenticationFailed("The key is refused."), MissingExtra("ocr")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_model_can_do_nothing_about_is_for_the_developer(error: FireLLaVAError) -> None:
    assert is_for_developer(error)


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (InvalidRequest("It is wrong."), False),
        (UnreadableImage("It is wrong."), False),
        (UnsafeURL("It is wrong."), False),
        (ImageDownloadFailed("It is wrong."), False),
        (LimitExceeded("It is wrong."), False),
        (ContextOverflow("It is wrong."), False),
        (UnsupportedCapability("It is wrong."), False),
        (ConnectionFailed("It is wrong."), True),
        (AttemptTimedOut("It is wrong."), True),
        (CircuitOpen("It is wrong."), True),
        (UnreadableReply("It is wrong."), True),
        (StreamBroken("It is wrong."), True),
        (BadRequest("It is wrong."), True),
        (PromptTooLong("It is wrong."), True),
        (RateLimited("It is wrong."), True),
        (ServerFailed("It is wrong."), True),
        (DeadlineExceeded("It is wrong."), True),
        (all_failed(AuthenticationFailed("The key is refused."), ServerFailed("It is wrong.")), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_else_is_told_to_the_model(error: FireLLaVAError, *, may_pass: bool) -> None:
    assert not is_for_developer(error)
    assert error_text(error).startswith(str(error))
    assert ("Ask again once" in error_text(error)) is may_pass


def test_an_answer_is_told_as_it_is_unless_nothing_saw_the_image() -> None:
    assert answer_text(" 42.10\n", degraded=False) == "42.10"
    assert answer_text("42.10", degraded=True).startswith("42.10\n\n[The vision model could not be asked.")
    assert answer_text(" ", degraded=False) == "The vision model gave no answer."


def test_one_image_is_shown_before_the_question_and_several_are_called_by_their_names() -> None:
    images = ImageReferences({"a": PNG}, allowed_hosts="img.test")
    first, second = images.resolve("a"), images.resolve("https://img.test/b.png?signature=secret")
    assert question_parts("What?", [first]) == (first, "What?")
    assert question_parts("Which?", [first, second]) == (
        "Image 1, 'a':",
        first,
        "Image 2, 'https://img.test/b.png':",
        second,
        "Which?",
    )


def test_a_question_asks_something() -> None:
    with pytest.raises(InvalidRequest, match="say what you want to know"):
        question_parts(" ", [ImageReferences({"a": PNG}).resolve("a")])


def test_an_argument_says_how_images_are_named() -> None:
    forms = ImageReferences({"a": PNG}).forms
    assert which_image(forms) == "The image to look at. Name an image by its id ('a')."
    assert which_image(forms, several=True).startswith("The images to look at together, one or more.")


def test_details_are_plain_values_without_pixels() -> None:
    images = [ImageReferences({"a": PNG}).resolve("a")]
    reply = Reply(
        (Choice("42", "stop"),),
        backend="offline-reader",
        model="offline-reader",
        cost_usd=Decimal("0.00010"),
        degraded=True,
        attempts=(Attempt("api", 0.1, ServerFailed("busy")), Attempt("offline-reader", 0.2, turn=1)),
    )
    details = details_of_answer(images, reply.metadata(), None)
    assert json.loads(json.dumps(details)) == details
    assert details == {
        "images": [images[0].as_dict()],
        "model": "offline-reader",
        "backend": "offline-reader",
        "local": False,
        "degraded": True,
        "confidence": None,
        "evidence": [],
        "fallback_from": [{"backend": "api", "reason": "ServerFailed: busy"}],
        "cost_usd": "0.00010",
        "finish_reason": "stop",
        "adjustments": [],
        "request_id": None,
        "usage": None,
        "from_cache": False,
    }
    assert details_of_answer(images, {}, {"total_tokens": 7}, from_cache=True)["usage"] == {"total_tokens": 7}
