"""Estimates learn from what the replies state, and state an error that they have earned."""

import os
import random
import sys
import threading

import pytest

from firellava import ImagePart, ImageSource, Message, Parameters, TextPart, Usage, model_card
from firellava.costs.calibration import Calibration, calibration_of
from firellava.costs.estimate import count_text_tokens
from firellava.costs.prompts import prompt_text, prompt_tokens
from firellava.costs.text_tokens import TextTokens, text_tokens, vocabulary_of
from firellava.messages import Request
from firellava.models import ModelCard

FIRELLAVA = model_card("firellava-13b")
NO_RULE = model_card("qwen3p8-max")
PICTURE = ImagePart(ImageSource.from_url("https://example.com/a.png"))
WORDS = (
    "please",
    "read",
    "the",
    "total",
    "and",
    "date",
    "from",
    "this",
    "receipt",
    "then",
    "its",
    "merchant",
)


def dice_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable, nothing secret


def question(words: int, images: int = 0, **parameters: object) -> Request:
    text = " ".join(WORDS[place % len(WORDS)] for place in range(words))
    return Request((Message("user", [PICTURE] * images + [TextPart(text)]),), Parameters.of(parameters))


def measured(request: Request, card: ModelCard = FIRELLAVA) -> TextTokens:
    text = prompt_text(request.messages, request.parameters.tools or ())
    return prompt_tokens(text, vocabulary_of(card), messages=len(request.messages))


def usage(prompt_tokens: float) -> Usage:
    return Usage(round(prompt_tokens), 1, round(prompt_tokens) + 1)


def taught(added: int, ratio: float, *, noise: float = 0.0, card: ModelCard = FIRELLAVA) -> Calibration:
    """One that saw 40 replies of a server that adds some tokens and counts others by a ratio."""
    calibration, dice = Calibration(), dice_of(1)
    for _ in range(40):
        request = question(dice.randint(5, 200))
        true = (added + ratio * measured(request, card).count) * (1 + dice.uniform(-noise, noise))
        calibration.observe(request, card, usage(true))
    return calibration


def test_before_any_reply_an_estimate_is_what_was_measured() -> None:
    estimate = measured(question(20))
    assert Calibration().prompt(estimate) == estimate
    assert Calibration().text(estimate) == estimate
    assert Calibration().images is None


@pytest.mark.parametrize(("added", "ratio"), [(0, 1.0), (45, 1.0), (0, 1.3), (200, 0.8)])
@pytest.mark.parametrize("words", [10, 50, 150])
def test_what_the_server_adds_and_how_it_counts_are_learnt(added: int, ratio: float, words: int) -> None:
    estimate = measured(question(words))
    learnt = taught(added, ratio).prompt(estimate)
    assert learnt.count == pytest.approx(added + ratio * estimate.count, rel=0.03, abs=2)


def test_one_reply_already_tells_of_a_default_system_prompt() -> None:
    calibration = Calibration()
    calibration.observe(question(10), FIRELLAVA, usage(measured(question(10)).count + 60))
    expected = measured(question(12)).count + 60
    assert calibration.prompt(measured(question(12))).count == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.4])
def test_the_stated_error_covers_what_comes_next(noise: float) -> None:
    calibration, dice = taught(30, 1.1, noise=noise), dice_of(2)
    outside = 0
    for _ in range(100):
        estimate = measured(question(dice.randint(5, 200)))
        true = (30 + 1.1 * estimate.count) * (1 + dice.uniform(-noise, noise))
        learnt = calibration.prompt(estimate)
        outside += abs(true - learnt.count) > learnt.error * learnt.count + 1
    assert outside <= 5
    assert calibration.prompt(measured(question(50))).error < 2 * noise + 0.1


def test_the_error_stays_as_stated_until_enough_different_prompts_were_seen() -> None:
    calibration, stated = Calibration(), measured(question(20)).error
    for _ in range(50):
        calibration.observe(question(20), FIRELLAVA, usage(measured(question(20)).count))
    assert calibration.prompt(measured(question(20))).error == stated
    for words in range(20, 40):
        calibration.observe(question(words), FIRELLAVA, usage(measured(question(words)).count))
    assert calibration.prompt(measured(question(20))).error < stated


def test_the_same_prompt_over_and_over_does_not_make_others_forgotten() -> None:
    calibration = taught(30, 1.2)
    learnt = calibration.prompt(measured(question(150)))
    for _ in range(200):
        calibration.observe(question(10), FIRELLAVA, usage(30 + 1.2 * measured(question(10)).count))
    assert calibration.prompt(measured(question(150))).count == pytest.approx(learnt.count, abs=2)
    assert calibration.prompt(measured(question(150))).error < measured(question(150)).error


def test_an_error_learnt_from_short_prompts_is_not_claimed_for_long_ones() -> None:
    calibration = taught(0, 1.0)
    long = measured(question(3000))
    assert calibration.prompt(measured(question(100))).error < 0.05
    assert calibration.prompt(long).error == long.error


def test_what_was_learnt_from_english_is_not_claimed_for_chinese() -> None:
    calibration = taught(0, 2.0)
    chinese = prompt_tokens("请用一句话描述这张图片。" * 20, "llama-2", messages=1)
    assert calibration.prompt(chinese) == chinese


def test_images_with_a_rule_are_taken_off() -> None:
    calibration = Calibration()
    for words in range(10, 60):
        request = question(words, images=2)
        calibration.observe(request, FIRELLAVA, usage(measured(request).count + 2 * 576))
    estimate = measured(question(30))
    assert calibration.prompt(estimate).count == pytest.approx(estimate.count, abs=1)
    assert calibration.images is None


def test_a_text_by_itself_is_counted_without_what_is_added_to_a_prompt() -> None:
    text = "please read the total " * 20
    raw = text_tokens(text, "llama-2").count
    assert count_text_tokens(text, FIRELLAVA, taught(200, 1.5)) == pytest.approx(1.5 * raw, rel=0.03)


def test_images_without_a_rule_are_known_from_replies_by_their_mean_and_spread() -> None:
    calibration = Calibration()
    for tokens, images in ((1000, 1), (1400, 2), (1200, 1)):
        request = question(10, images)
        text = measured(request, NO_RULE).count
        calibration.observe(request, NO_RULE, usage(text + tokens * images))
    seen = calibration.images
    assert seen is not None
    assert (seen.mean, seen.replies) == (1200, 3)
    assert 980 < seen.lowest < 1000
    assert 1400 < seen.highest < 1420


def test_a_reply_whose_text_hides_its_image_tells_nothing_about_images() -> None:
    calibration = Calibration()
    request = question(2000, images=1)
    calibration.observe(request, NO_RULE, usage(measured(request, NO_RULE).count + 300))
    assert calibration.images is None


@pytest.mark.parametrize(
    ("request_", "prompt_tokens"),
    [
        pytest.param(question(20, images=1), 30, id="a server that leaves images out of the count"),
        pytest.param(question(20, extra_body={"messages": []}), 5000, id="content replaced by extra_body"),
        pytest.param(question(10_000), 99_999, id="a text too long to be counted again"),
    ],
)
def test_what_cannot_be_compared_is_left_alone(request_: Request, prompt_tokens: int) -> None:
    calibration = Calibration()
    calibration.observe(request_, FIRELLAVA, usage(prompt_tokens))
    estimate = measured(question(20))
    assert calibration.prompt(estimate) == estimate


def test_long_texts_are_rationed_and_short_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def counting(text: str, *arguments: object, **named: int) -> TextTokens:
        counted.append(len(text))
        return TextTokens(len(text), 0.1)

    monkeypatch.setattr("firellava.costs.calibration.prompt_tokens", counting)
    calibration = Calibration()
    for _ in range(2000):
        calibration.observe(question(3000), FIRELLAVA, usage(4000))
    assert sum(counted) < 2000 * 300 + 100_000
    counted.clear()
    calibration = Calibration()
    for _ in range(100):
        calibration.observe(question(20), FIRELLAVA, usage(40))
    assert len(counted) == 100


def test_nothing_of_a_text_is_kept_and_little_of_anything() -> None:
    calibration = Calibration()
    for words in range(1, 150):
        calibration.observe(question(words), FIRELLAVA, usage(words + 10))
        calibration.observe(question(words, images=1), NO_RULE, usage(words + 1000))
    kept: list[list[tuple[float, float]]] = [
        list(calibration._ascii._seen),
        list(calibration._ascii._off),
        list(calibration._images),
    ]
    assert [len(pairs) for pairs in kept] == [64, 64, 64]
    assert all(isinstance(value, int | float) for pairs in kept for pair in pairs for value in pair)


def test_a_label_has_one_calibration_in_the_process() -> None:
    assert calibration_of("one label") is calibration_of("one label")
    assert calibration_of("one label") is not calibration_of("another label")


def test_threads_may_observe_and_ask_at_once() -> None:
    calibration, failures = Calibration(), list[BaseException]()

    def work(seed: int) -> None:
        dice = dice_of(seed)
        try:
            for _ in range(300):
                request = question(dice.randint(5, 60), images=seed % 2)
                card = NO_RULE if seed % 2 else FIRELLAVA
                calibration.observe(request, card, usage(measured(request).count + 900 * (seed % 2)))
                assert calibration.prompt(measured(request)).count > 0
                assert calibration.images is None or calibration.images.mean > 0
        except BaseException as error:
            failures.append(error)
            raise

    previous = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(previous)
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_while_a_lock_is_held_can_go_on() -> None:
    calibration = calibration_of("forked")
    with calibration._lock:
        child = os.fork()
        if not child:  # the child answers by its exit status
            calibration_of("forked").observe(question(10), FIRELLAVA, usage(50))
            os._exit(0 if calibration_of("forked") is not calibration else 1)
        assert os.waitpid(child, 0)[1] == 0
