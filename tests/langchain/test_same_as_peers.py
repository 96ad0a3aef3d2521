"""The same conversations, sent by this package and by the two others that speak this API's format.

What arrives at the server must mean the same, or the difference is in the table below, with its reason. A
difference that is not there fails, and so does one that is there and exists no more.
"""

import base64
import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, Final, Literal

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_fireworks import ChatFireworks
from langchain_openai import ChatOpenAI
from PIL import Image
from pydantic import SecretStr

from langchain_firellava import ChatFireLLaVA
from tests.api_server import QWEN_MAX, ApiServer
from tests.langchain.histories import HISTORIES, URL
from tests.langchain.image_shapes import RED

Peer = Literal["langchain-openai", "langchain-fireworks"]
Outcome = Literal["differs", "refused", "raises"]
"""Its request means something else, the API refuses it, or nothing is sent at all."""

BOTH: Final = ("langchain-openai", "langchain-fireworks")
OPENAI: Final = ("langchain-openai",)
FIREWORKS: Final = ("langchain-fireworks",)

DIFFERENCES: Final[list[tuple[str, tuple[Peer, ...], Outcome, str]]] = [
    # Text and roles
    ("developer", OPENAI, "refused", "the API has no role developer: ours is system"),
    ("names and ids", OPENAI, "refused", "the API has no names: ours leaves them out"),
    (
        "texts in a list",
        BOTH,
        "refused",
        "the API takes no bare strings in a list: ours makes them text parts",
    ),
    ("text of a file", BOTH, "raises", "a block that OpenAI has not: ours is its text"),
    ("text with the marks of a cache", OPENAI, "refused", "the API has no cache_control: ours leaves it out"),
    # Images
    ("image, a plain string", BOTH, "refused", "the API wants the URL in an object"),
    ("image, OpenAI Responses", BOTH, "refused", "a block of another endpoint: ours is an image part"),
    ("image, Bedrock Converse", OPENAI, "raises", "bytes are no JSON: ours is an image part"),
    ("image, Bedrock Converse", FIREWORKS, "refused", "the block loses its image: ours is an image part"),
    ("image, Google", BOTH, "refused", "a block of Google's: ours is an image part"),
    ("image, Google with bytes", OPENAI, "raises", "bytes are no JSON: ours is an image part"),
    ("image, Google with bytes", FIREWORKS, "refused", "the block loses its image: ours is an image part"),
    ("image, a file block", BOTH, "refused", "the API takes no file parts: ours is an image part"),
    ("detail beside a standard image", BOTH, "differs", "ours keeps the detail"),
    ("large image", BOTH, "differs", "ours is as large as the model can see"),
    ("image in a format the API does not take", BOTH, "refused", "ours is converted"),
    # Tools
    ("result with an image", BOTH, "differs", "ours is shown by a user, where the model card wants it so"),
    ("invalid call", OPENAI, "differs", "ours wraps what is no JSON, since templates read it as an object"),
    ("invalid call", FIREWORKS, "differs", "both wrap what is no JSON, under different names"),
    ("Anthropic's call and result in dicts", BOTH, "refused", "calls and results in content are left out"),
    ("any tool, one at a time", OPENAI, "differs", "OpenAI's word for any is required; the API has both"),
    ("one tool, required", FIREWORKS, "refused", "the word is taken for a tool's name"),
    (
        "tool with keys of others",
        BOTH,
        "refused",
        "the API refuses keys it does not know: ours leaves them out",
    ),
    # Reasoning and other things that models say
    ("reasoning beside the text", OPENAI, "differs", "OpenAI's models want none back: ours may"),
    ("v1 reasoning", BOTH, "differs", "the reasoning is lost: ours goes along in both versions"),
    ("v1 calls", FIREWORKS, "refused", "an empty list is no content: ours has none"),
    # Structured output and parameters
    ("structured by a tool", OPENAI, "differs", "it forbids parallel calls: of ours the first counts"),
    ("structured about an image", OPENAI, "differs", "it forbids parallel calls: of ours the first counts"),
    ("structured by a schema", OPENAI, "differs", "it is strict unless told otherwise"),
    ("structured by a strict schema", OPENAI, "differs", "the description stands beside the schema"),
    ("structured by a schema", FIREWORKS, "differs", "json_schema is made json_object with a schema"),
    ("structured by a strict schema", FIREWORKS, "differs", "json_object has no strict: it is lost"),
    ("parameters", OPENAI, "differs", "OpenAI calls max_tokens max_completion_tokens"),
]


@pytest.fixture
def model_of(api_server: ApiServer) -> Iterator[Callable[[Peer], BaseChatModel]]:
    """The chat model of a package, on the API server; its connections are closed in the end."""
    key = SecretStr(api_server.key)
    # Its SDK adds the version to the path.
    address = api_server.base_url.removesuffix("/v1")

    def make(package: Peer) -> BaseChatModel:
        if package == "langchain-fireworks":
            fireworks = ChatFireworks(model_name=QWEN_MAX, api_key=key, base_url=address, max_retries=0)
            return opened.enter_context(closing(fireworks))
        client = opened.enter_context(httpx.Client())
        return ChatOpenAI(
            model=QWEN_MAX, api_key=key, base_url=api_server.base_url, max_retries=0, http_client=client
        )

    with ExitStack() as opened:
        yield make


@pytest.mark.parametrize("peer", BOTH)
@pytest.mark.parametrize("name", HISTORIES)
def test_the_request_means_the_same_or_the_difference_is_listed(
    api_server: ApiServer, model_of: Callable[[Peer], BaseChatModel], name: str, peer: Peer
) -> None:
    history = HISTORIES[name]
    ours = ChatFireLLaVA(model=QWEN_MAX, api_key=api_server.key, base_url=api_server.base_url)
    api_server.host_image(URL, RED)
    history.bound(ours).invoke(history.messages)
    (sent,) = api_server.requests
    meant = _meaning(sent.json)
    api_server.clear()
    api_server.host_image(URL, RED)
    error: Exception | None = None
    with warnings.catch_warnings(action="ignore"):
        try:
            history.bound(model_of(peer)).invoke(history.messages)
        except Exception as caught:  # noqa: BLE001 - peers raise what they like
            error = caught
    theirs = [request.json for request in api_server.requests]
    listed = next(
        (outcome for one, peers, outcome, _ in DIFFERENCES if one == name and peer in peers), "same"
    )
    assert _outcome(meant, theirs, error) == listed, (meant, theirs, error)


def test_the_table_names_no_history_twice_and_none_that_is_not_there() -> None:
    listed = [(name, peer) for name, peers, *_ in DIFFERENCES for peer in peers]
    assert len(set(listed)) == len(listed)
    assert {name for name, _ in listed} <= HISTORIES.keys()
    assert len(HISTORIES) >= 50


def _outcome(meant: Any, theirs: list[Any], error: Exception | None) -> str:
    if not theirs:
        return "raises"
    if error is not None:
        return "refused"
    return "same" if _meaning(theirs[-1]) == meant else "differs"


def _meaning(body: Any) -> Any:
    """A request without what makes no difference to the API: defaults, and the ways to write one thing."""
    defaults = {"stream": False, "n": 1}
    return {key: _read(key, value) for key, value in body.items() if value not in (None, defaults.get(key))}


def _read(key: str, value: Any) -> Any:
    if key == "arguments":
        return _parsed(value)
    if isinstance(value, dict):
        return {inner: _read(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        read = [_read("", one) for one in value]
        is_text = key == "content" and len(read) == 1 and isinstance(read[0], dict) and "text" in read[0]
        return read[0]["text"] if is_text and read[0].keys() == {"type", "text"} else read
    if isinstance(value, str) and value.startswith("data:image/"):
        return _pixels(value)
    return value


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except json.JSONDecodeError:
        return arguments


def _pixels(data_url: str) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2]))) as picture:
        return picture.size, picture.convert("RGB").tobytes()
