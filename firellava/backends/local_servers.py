"""What a model server says about itself: its models, and which of them see images.

The port a server listens on is a hint at what it is, and no more: what counts is what it answers. Whatever
speaks the chat completions format lists its models; whether they see images each kind tells in its own way
(Ollama in ``/api/show``, LM Studio in ``/api/v0/models``, llama-server in its list or in ``/props``, SGLang
in ``/model_info``). vLLM does not tell, so there the name of the model decides.

No key is sent, no proxy is used, no redirect is followed, and no more is read than an answer may take. Names
are the server's own, so names that could not be printed safely are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx
import orjson

from firellava.backends.openai_compatible import OpenAICompatibleBackend, as_served_locally
from firellava.models import Capabilities, ModelCard, catalogue
from firellava.version import __version__

__all__ = ["FoundModel", "FoundServer", "look_at"]

# The families in vLLM's list of supported multimodal models that take images and are asked in a chat.
_FAMILIES_THAT_SEE: Final = (
    *("llava", "-vl", "qwen2vl", "qwen2.5vl", "qwen3vl", "-vision", "pixtral", "minicpm-v"),
    *("minicpm-o", "internvl", "idefics", "smolvlm", "paligemma", "llama-4", "molmo", "moondream", "cogvlm"),
    *("glm-4v", "glm-4.1v", "glm-4.5v", "glm-4.6v", "-multimodal", "ovis1", "ovis2", "fuyu", "qwen2.5-omni"),
    *("qwen3-omni", "gemma-3-4b", "gemma-3-12b", "gemma-3-27b"),
)
_NO_CHAT_MODELS: Final = ("embed", "rerank", "guard", "reward")

_NAMES_OF_THEMSELVES: Final = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama-server"}
"""What servers write into ``owned_by`` of their models, where that is their own name."""

_HEADERS: Final = {"User-Agent": f"firellava/{__version__}", "Accept-Encoding": "identity"}
_LONGEST_ANSWER: Final = 4 * 1024 * 1024
_MOST_MODELS: Final = 64
_LONGEST_NAME: Final = 512
_SUCCESS: Final = 200


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that a server has.

    Attributes:
        name: as the server calls it.
        sees_images: None where nobody says.
        according_to: how `sees_images` is known.
        is_loaded: whether it is in memory, so that it answers at once; None where the server does not say.
        calls_tools: None where the server does not say.
        runs_at: the host that computes the answers where that is not the server itself, as with Ollama's
            cloud models; what is asked of such a model leaves this machine.
    """

    name: str
    sees_images: bool | None
    according_to: str
    is_loaded: bool | None = None
    calls_tools: bool | None = None
    runs_at: str | None = None


@dataclass(frozen=True, slots=True)
class FoundServer:
    """An address, and what answers there.

    Attributes:
        base_url: with its ``/v1``.
        kind: what the server is, such as ``"Ollama"``; before it has said so, what its port hints at.
        is_configured: the user named it, so a model of which nobody knows whether it sees images will do.
        is_reachable: whether a connection could be made.
        models: what it has, in its own order.
        problem: why it is of no use, or None.
    """

    base_url: str
    kind: str
    is_configured: bool = False
    is_reachable: bool = False
    models: tuple[FoundModel, ...] = ()
    problem: str | None = None

    @property
    def model(self) -> FoundModel | None:
        """The model to ask: one that sees images, on this server, and best one that is loaded."""
        return next(iter(sorted(filter(self._is_usable, self.models), key=_readiness)), None)

    @property
    def backend(self) -> OpenAICompatibleBackend | None:
        """The backend that asks `model`; None where there is none to ask."""
        model = self.model
        if model is None:
            return None
        return OpenAICompatibleBackend(base_url=self.base_url, model=model.name, card=_card(model))

    def _is_usable(self, model: FoundModel) -> bool:
        sees = model.sees_images or (self.is_configured and model.sees_images is None)
        return sees and model.runs_at is None


def _readiness(model: FoundModel) -> tuple[bool, int]:
    return (not model.sees_images, {True: 0, None: 1, False: 2}[model.is_loaded])


def _card(model: FoundModel) -> ModelCard | None:
    """What is known about the model: from the catalogue by its name, and from the server about tools."""
    short = model.name.rpartition("/")[2].lower()
    known = next((card for name, card in catalogue.items() if short.startswith(name)), None)
    if known is None and model.calls_tools is None:
        return None
    card = known or ModelCard(name=model.name, capabilities=Capabilities(tools=True))
    tools = card.capabilities.tools and model.calls_tools is not False
    capabilities = card.capabilities.model_copy(update={"tools": tools})
    return as_served_locally(card.model_copy(update={"capabilities": capabilities}))


class _OfNoUse(Exception):
    """Whatever answered is no server to be asked; the message says why."""


async def look_at(base_url: str, kind: str, *, seconds: float, is_configured: bool = False) -> FoundServer:
    """Ask a server what it is and has. It raises nothing.

    Args:
        base_url: with its ``/v1``.
        kind: what the port hints at.
        seconds: for everything; half of it for the connection.
        is_configured: the user named this server.
    """
    found = FoundServer(base_url, kind, is_configured, is_reachable=True)
    try:
        # Certificates are loaded only where they are looked at: that takes tens of milliseconds.
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(
                base_url=base_url.removesuffix("/v1"),
                headers=_HEADERS,
                timeout=httpx.Timeout(seconds, connect=seconds / 2),
                trust_env=False,
                follow_redirects=False,
                verify=base_url.startswith("https:"),
            ) as client,
        ):
            kind, models = await _examine(client, base_url, kind)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return replace(found, is_reachable=False, problem="no connection")
    except (TimeoutError, httpx.TimeoutException):
        return replace(found, problem=f"no answer within {seconds:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return replace(found, problem=f"it speaks no HTTP: {type(error).__name__}")
    except _OfNoUse as error:
        return replace(found, problem=str(error))
    found = replace(found, kind=kind, models=models)
    return found if found.model else replace(found, problem=_why_no_model(models))


def _why_no_model(models: tuple[FoundModel, ...]) -> str:
    elsewhere = [model for model in models if model.sees_images and model.runs_at]
    if elsewhere:
        return f"{elsewhere[0].name} runs at {elsewhere[0].runs_at}, not on this machine"
    if any(model.sees_images is None for model in models):
        return "no model that is known to see images"
    return "no model that sees images" if models else "it has no models"


async def _examine(client: httpx.AsyncClient, base_url: str, kind: str) -> tuple[str, tuple[FoundModel, ...]]:
    listing = await _listing(client, f"{base_url}/models")
    names = _names(listing)
    owners = [entry.get("owned_by") for entry in listing if isinstance(entry.get("owned_by"), str)]
    kind = next((_NAMES_OF_THEMSELVES[owner] for owner in owners if owner in _NAMES_OF_THEMSELVES), kind)
    told: dict[str, FoundModel] = {}
    if names:
        for judge_kind, judge in _JUDGES:
            if told := await judge(client, listing, names):
                kind = judge_kind
                break
    return kind, tuple(_or_by_name(told.get(name), name) for name in names)


async def _listing(client: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    status, answer = await _ask(client, "GET", url)
    if status in {401, 403}:
        raise _OfNoUse("it wants a key: name it as OpenAICompatibleBackend(base_url, model, api_key)")
    # Ollama without models says null.
    is_list = isinstance(answer, dict) and "data" in answer and isinstance(answer["data"], list | None)
    if status != _SUCCESS or not is_list:
        raise _OfNoUse("it is no model server: GET /v1/models lists no models")
    return [entry for entry in answer["data"] or () if isinstance(entry, dict)]


def _names(listing: list[dict[str, Any]]) -> list[str]:
    names = [name for entry in listing if isinstance(name := entry.get("id"), str)]
    printable = [name for name in names if name.isprintable() and 0 < len(name) <= _LONGEST_NAME]
    return list(dict.fromkeys(printable))[:_MOST_MODELS]


async def _ask(client: httpx.AsyncClient, method: str, url: str, body: object = None) -> tuple[int, Any]:
    """The status and the JSON of an answer; None where it is no JSON."""
    content = None if body is None else orjson.dumps(body)
    async with client.stream(method, url, content=content) as response:
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > _LONGEST_ANSWER:
                raise _OfNoUse(f"its answer is longer than {_LONGEST_ANSWER // 1024**2} MB")
    try:
        return response.status_code, orjson.loads(data)
    except orjson.JSONDecodeError:
        return response.status_code, None


async def _object(client: httpx.AsyncClient, method: str, url: str, body: object = None) -> dict[str, Any]:
    """The JSON object in a successful answer; empty where there is none."""
    status, answer = await _ask(client, method, url, body)
    return answer if status == _SUCCESS and isinstance(answer, dict) else {}


def _items(answer: dict[str, Any], key: str) -> list[Any]:
    value = answer.get(key)
    return value if isinstance(value, list) else []


async def _llama_server(
    client: httpx.AsyncClient, listing: list[dict[str, Any]], names: list[str]
) -> dict[str, FoundModel]:
    told = {}
    for entry in listing:
        architecture = entry.get("architecture")
        if entry.get("id") in names and isinstance(architecture, dict) and "input_modalities" in architecture:
            sees = "image" in _items(architecture, "input_modalities")
            told[entry["id"]] = FoundModel(entry["id"], sees, "its input modalities")
    if told or len(names) != 1:
        return told
    modalities = (await _object(client, "GET", "/props")).get("modalities")
    if not isinstance(modalities, dict) or not isinstance(modalities.get("vision"), bool):
        return {}
    return {names[0]: FoundModel(names[0], modalities["vision"], "/props")}


async def _lm_studio(
    client: httpx.AsyncClient, listing: list[dict[str, Any]], names: list[str]
) -> dict[str, FoundModel]:
    del listing
    entries = _items(await _object(client, "GET", "/api/v0/models"), "data")
    return {
        entry["id"]: FoundModel(
            entry["id"],
            entry["type"] == "vlm",
            "/api/v0/models",
            is_loaded=entry["state"] == "loaded" if isinstance(entry.get("state"), str) else None,
        )
        for entry in entries
        if isinstance(entry, dict) and entry.get("id") in names and isinstance(entry.get("type"), str)
    }


async def _ollama(
    client: httpx.AsyncClient, listing: list[dict[str, Any]], names: list[str]
) -> dict[str, FoundModel]:
    del listing
    first, *others = names
    told = {first: await _shown(client, first)}
    if told[first] is None:
        return {}
    told.update(zip(others, await asyncio.gather(*(_shown(client, name) for name in others)), strict=True))
    return {name: model for name, model in told.items() if model is not None}


async def _shown(client: httpx.AsyncClient, name: str) -> FoundModel | None:
    shown = await _object(client, "POST", "/api/show", {"model": name})
    if not isinstance(shown.get("capabilities"), list):
        return None
    capabilities, host = shown["capabilities"], shown.get("remote_host")
    return FoundModel(
        name,
        "vision" in capabilities,
        "/api/show",
        calls_tools="tools" in capabilities,
        runs_at=(urlsplit(host).hostname or "another host") if isinstance(host, str) and host else None,
    )


async def _sglang(
    client: httpx.AsyncClient, listing: list[dict[str, Any]], names: list[str]
) -> dict[str, FoundModel]:
    del listing
    # The second is what the first was called before.
    for path in ("/model_info", "/get_model_info"):
        sees = (await _object(client, "GET", path)).get("has_image_understanding")
        if isinstance(sees, bool):
            return {name: FoundModel(name, sees, path) for name in names}
    return {}


_Judge: TypeAlias = Callable[
    [httpx.AsyncClient, list[dict[str, Any]], list[str]], Awaitable[dict[str, FoundModel]]
]
_JUDGES: Final[tuple[tuple[str, _Judge], ...]] = (
    ("llama-server", _llama_server),
    ("Ollama", _ollama),
    ("LM Studio", _lm_studio),
    ("SGLang", _sglang),
)


def _or_by_name(told: FoundModel | None, name: str) -> FoundModel:
    if told is not None:
        return told
    lower = name.lower()
    if any(word in lower for word in _NO_CHAT_MODELS):
        return FoundModel(name, sees_images=False, according_to="its name")
    sees = True if any(family in lower for family in _FAMILIES_THAT_SEE) else None
    return FoundModel(name, sees, "its name")
