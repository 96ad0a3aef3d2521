"""How images are limited and downloaded, as the model is set, whoever it was handed to."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ImageBlock

from firellava import FetchPolicy, model_card
from firellava.errors import ConfigurationError, ContextOverflow, LimitExceeded, UnsafeURL
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer
from tests.llama_index.asking import PICTURE, conversation

Make = Callable[..., FireLLaVA]

CAREFUL = FetchPolicy(allowed_hosts={"a.example"})


@pytest.mark.parametrize(
    "handed_over",
    [
        lambda llm: llm,
        lambda llm: pickle.loads(pickle.dumps(llm)),  # noqa: S301 - pickled on this line
        lambda llm: FireLLaVA.from_json(llm.to_json()),
        lambda llm: FireLLaVA.from_dict(llm.to_dict()),
        copy.deepcopy,
    ],
)
def test_nothing_is_downloaded_but_what_the_policy_allows(
    llm_for: Make,
    api_server: ApiServer,
    monkeypatch: pytest.MonkeyPatch,
    handed_over: Callable[[FireLLaVA], FireLLaVA],
) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    llm = handed_over(llm_for(api_key=None, image_urls="inline", fetch_policy=CAREFUL))
    assert llm.fetch_policy == CAREFUL
    with pytest.raises(UnsafeURL, match="allowed_hosts"):
        llm.chat(conversation(ImageBlock(url="https://c.example/cat.png")))
    assert api_server.requests == []


def test_images_are_limited_as_set(llm_for: Make, api_server: ApiServer) -> None:
    images = [ImageBlock(image=PICTURE)] * 8
    with pytest.raises(ContextOverflow, match="keep_images="):
        llm_for().chat(conversation(*images))
    card = model_card("firellava-13b")
    limits = card.image_limits.model_copy(update={"image_bytes": 10})
    narrow = card.model_copy(update={"image_limits": limits})
    with pytest.raises(LimitExceeded, match="limits='adjust'"):
        llm_for(card=narrow, limits="strict").chat(conversation(images[0]))
    assert api_server.requests == []
    llm_for(card=narrow, limits="off").chat(conversation(images[0]))
    response = llm_for(keep_images=1).chat(conversation(*images))
    assert [len(request.images) for request in api_server.requests] == [1, 1]
    assert response.additional_kwargs["adjustments"][0].startswith("7 older images were left out")


@pytest.mark.parametrize(
    "wrong",
    [
        {"limits": "lax"},
        {"image_urls": "download"},
        {"keep_images": 0},
        {"fetch_policy": {"allow_everything": True}},
        {"fetch_policy": {"allow_private": "no"}},
    ],
)
def test_wrong_settings_are_told_when_the_model_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"limits|image_urls|keep_images|fetch_policy|allow_private"):
        FireLLaVA(**wrong)
