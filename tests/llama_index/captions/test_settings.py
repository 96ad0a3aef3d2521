"""What a captioner is set to, who knows it again, and what it tells of itself and of its calls."""

import base64
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import (
    ImageDocument,
    TextNode,
)

from firellava import Budget, Ledger, OfflineReader, track_cost
from firellava.errors import (
    ConfigurationError,
    FireLLaVAError,
    UnreadableImage,
)
from llama_index_firellava import FireLLaVA, FireLLaVACostHandler
from llama_index_firellava.captions.captioner import ImageCaptioner
from tests.api_server import ApiServer
from tests.llama_index.billing import billed, counted
from tests.llama_index.captioning import Caption


@pytest.mark.parametrize(
    "change",
    [
        lambda llm: {"prompt": "Which colour?"},
        lambda llm: {"llm": llm(temperature=0.5)},
        lambda llm: {"llm": llm(max_tokens=7)},
        lambda llm: {"llm": llm(additional_kwargs={"top_k": 5})},
        lambda llm: {"llm": llm(model="qwen3p8-max")},
        lambda llm: {"llm": llm(fit="contain")},
    ],
)
def test_another_question_is_asked_anew_and_known_to_a_pipeline(
    llm_for: Callable[..., FireLLaVA],
    documents: list[ImageDocument],
    api_server: ApiServer,
    tmp_path: Path,
    change: Callable[[Callable[..., FireLLaVA]], dict[str, Any]],
) -> None:
    one = ImageCaptioner(llm=llm_for(), cache=tmp_path / "captions.db")
    other = ImageCaptioner(**{"llm": llm_for(), "cache": tmp_path / "captions.db", **change(llm_for)})
    one(documents[:1])
    other(documents[:1])
    assert len(api_server.requests) == 2
    assert get_transformation_hash(documents, one) != get_transformation_hash(documents, other)


def test_a_pipeline_knows_the_captioner_again_whatever_it_does_not_depend_on(
    llm_for: Callable[..., FireLLaVA], documents: list[ImageDocument], tmp_path: Path
) -> None:
    one = ImageCaptioner(llm=llm_for())
    others = [
        ImageCaptioner(llm=llm_for(), cache=tmp_path / "captions.db", show_progress=True, on_failure=print),
        pickle.loads(pickle.dumps(one)),  # noqa: S301 - our own pickle
        ImageCaptioner.from_dict(one.to_dict()),
    ]
    hashes = {get_transformation_hash(documents, captioner) for captioner in [one, *others]}
    assert len(hashes) == 1


def test_a_model_named_in_the_environment_is_another_model(
    captioner: ImageCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = captioner.to_dict()
    monkeypatch.setenv("FIRELLAVA_MODEL", "qwen3p8-max")
    assert captioner.to_dict() != before


def test_the_parameters_of_the_llm_are_sent(
    llm_for: Callable[..., FireLLaVA], documents: list[ImageDocument], api_server: ApiServer
) -> None:
    llm = llm_for(temperature=0.25, max_tokens=9, additional_kwargs={"top_k": 3, "mirostat_target": 1.5})
    ImageCaptioner(llm=llm, prompt="Which colour?")(documents[:1])
    sent = api_server.requests[0].json
    assert (sent["temperature"], sent["max_tokens"], sent["top_k"]) == (0.25, 9, 3)
    assert sent["mirostat_target"] == 1.5
    assert sent["messages"][0]["content"][-1]["text"] == "Which colour?"


def test_every_call_is_counted_once_by_everyone_who_counts(
    caption: Caption, llm_for: Callable[..., FireLLaVA], documents: list[ImageDocument], api_server: ApiServer
) -> None:
    debug, ledger = LlamaDebugHandler(print_trace_on_end=False), Ledger()
    llm = llm_for(callback_manager=CallbackManager([debug]), hooks=[ledger])
    with FireLLaVACostHandler() as handler, track_cost() as tracked:
        caption(ImageCaptioner(llm=llm), documents)
    assert counted(handler) == billed(api_server)
    assert ledger.totals.total_tokens == tracked.totals.total_tokens == billed(api_server).total
    assert len(debug.get_event_pairs(CBEventType.LLM)) == 3


def test_no_event_holds_an_image(llm_for: Callable[..., FireLLaVA], documents: list[ImageDocument]) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    ImageCaptioner(llm=llm_for(callback_manager=CallbackManager([debug])))(documents)
    told = str([event.payload for pair in debug.get_event_pairs(CBEventType.LLM) for event in pair])
    assert "ff0000.png" in told
    assert base64.b64encode(Path(str(documents[0].image_path)).read_bytes())[:40].decode() not in told


class Limiter:
    """Counts who asks it for leave."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self) -> None:
        self.asked += 1

    async def async_acquire(self) -> None:
        self.asked += 1


def test_the_rate_limiter_of_the_llm_holds(
    caption: Caption, llm: FireLLaVA, documents: list[ImageDocument]
) -> None:
    limiter = Limiter()
    llm.__dict__["rate_limiter"] = limiter
    caption(ImageCaptioner(llm=llm), documents)
    assert limiter.asked == 3


@pytest.mark.parametrize("shown", [True, False])
def test_progress_is_shown_where_it_is_wanted(
    caption: Caption,
    llm: FireLLaVA,
    documents: list[ImageDocument],
    capsys: pytest.CaptureFixture[str],
    shown: bool,  # noqa: FBT001 - a case
) -> None:
    caption(ImageCaptioner(llm=llm, show_progress=shown), [*documents, TextNode(text="No image.")])
    assert ("3/3" in capsys.readouterr().err) is shown


def test_a_caller_can_ask_for_progress(
    captioner: ImageCaptioner, documents: list[ImageDocument], capsys: pytest.CaptureFixture[str]
) -> None:
    captioner(documents, show_progress=True)
    assert "Captioning images" in capsys.readouterr().err


KEY = "fw_quite_secret_0123456789"


@pytest.mark.parametrize(
    "show",
    [repr, str, ImageCaptioner.to_dict, ImageCaptioner.to_json, ImageCaptioner.model_dump, pickle.dumps],
)
def test_the_key_is_not_shown(show: Callable[[ImageCaptioner], object]) -> None:
    assert KEY not in str(show(ImageCaptioner(llm=FireLLaVA(api_key=KEY))))


def test_settings_survive_serialisation(llm_for: Callable[..., FireLLaVA]) -> None:
    captioner = ImageCaptioner(
        llm=llm_for(temperature=0.5), prompt="Which colour?", concurrency=3, skip_on=[UnreadableImage]
    )
    again = ImageCaptioner.from_json(captioner.to_json())
    assert json.loads(again.to_json()) == json.loads(captioner.to_json())
    assert (again.prompt, again.concurrency, again.skip_on) == ("Which colour?", 3, ("UnreadableImage",))
    assert again.llm.temperature == 0.5


def test_a_key_left_behind_is_an_error_that_says_what_to_do(
    caption: Caption, documents: list[ImageDocument]
) -> None:
    captioner = ImageCaptioner(llm=FireLLaVA(api_key=KEY, fallback=OfflineReader()))
    moved = pickle.loads(pickle.dumps(captioner))  # noqa: S301 - our own pickle
    with pytest.raises(ConfigurationError, match="FIREWORKS_API_KEY"):
        caption(moved, documents)


def test_what_cannot_travel_to_another_process_is_named_and_not_left_out(
    llm_for: Callable[..., FireLLaVA],
) -> None:
    with pytest.raises(ConfigurationError, match="on_failure="):
        pickle.dumps(ImageCaptioner(llm=llm_for(), on_failure=lambda node, error: None))
    with pytest.raises(ConfigurationError, match="process"):
        pickle.dumps(ImageCaptioner(llm=llm_for(budget=Budget(calls=1))))


WRONG: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": " "},
    "cache": {"cache": 5},
    "concurrency": {"concurrency": 0},
    "skip_on": {"skip_on": ["ValueError"]},
    "unknown": {"colour": "red"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_setting_shows_when_the_captioner_is_made(llm: FireLLaVA, wrong: str) -> None:
    with pytest.raises(FireLLaVAError, match={"prompt": "empty", "unknown": "colour"}.get(wrong, wrong)):
        ImageCaptioner(llm=llm, **WRONG[wrong])
