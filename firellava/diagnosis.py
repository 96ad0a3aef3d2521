"""What could answer a question now, and what is missing: the findings behind ``firellava doctor``.

Nothing here costs anything: of the API only its list of models is asked for, and of a local server what it is
and has. The offline reader is tried on a small picture drawn for the purpose.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import httpx
import orjson
from PIL import Image, ImageDraw, ImageFont

from firellava.backends.connections import TimeLimit, shared_client
from firellava.backends.discovery import discover_local
from firellava.backends.fireworks import FireworksBackend
from firellava.backends.http import Bearer, checked_key
from firellava.errors import ConfigurationError
from firellava.reader import engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from firellava.backends.base import Backend
    from firellava.backends.discovery import Discovery

__all__ = ["ApiFinding", "Diagnosis", "diagnose"]

_API_SECONDS: Final = 5.0
_LONGEST_LIST: Final = 4 * 1024 * 1024
_REFUSED_KEY: Final = (401, 402, 403, 412)
_SERVER_ERROR: Final = 500
_SUCCESS: Final = 200

_PRINTED: Final = "TOTAL 42"

Prospect = Literal["answers", "passed over", "refuses", "not tried"]
"""What asking the API would come to: an answer, the next backend, an error, or nobody knows."""


@dataclass(frozen=True, slots=True)
class ApiFinding:
    """What is known about the API and the key for it.

    Attributes:
        backend: what would be asked.
        key: ``FIREWORKS_API_KEY`` is set, not set, or cannot be a key.
        is_reachable: None where it was not tried.
        service: how it answers, or why it does not; None where it was not tried.
        prospect: what asking it would come to.
    """

    backend: FireworksBackend
    key: Literal["set", "not set", "malformed"]
    is_reachable: bool | None
    service: str | None
    prospect: Prospect


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What could answer now.

    Attributes:
        api: the API and its key.
        local: what this machine has.
        reader_problem: why the offline reader does not read, or None.
    """

    api: ApiFinding
    local: Discovery
    reader_problem: str | None

    @property
    def local_backends(self) -> tuple[Backend, ...]:
        """What can be asked on this machine, without a reader that does not read."""
        return tuple(b for b in self.local.backends if not (b.degraded and self.reader_problem))

    @property
    def can_answer(self) -> bool:
        """Whether ``fallback="auto"`` would come to an answer now."""
        if self.api.prospect == "passed over":
            return bool(self.local_backends)
        return self.api.prospect != "refuses"

    @property
    def advice(self) -> tuple[str, ...]:
        """What to install or to set to get further."""
        return tuple(_advice(self))


def diagnose(*, offline: bool = False) -> Diagnosis:
    """Look at everything that could answer.

    Args:
        offline: leave the API alone, and look at this machine only.

    Raises:
        ConfigurationError: a setting is malformed.
    """
    local = discover_local()
    return Diagnosis(_api(offline=offline), local, local.offline_reader.problem or _reader_problem())


def _api(*, offline: bool) -> ApiFinding:
    backend = FireworksBackend()
    text = os.environ.get("FIREWORKS_API_KEY")
    try:
        key = checked_key(text, "FIREWORKS_API_KEY") if text else None
    except ConfigurationError:
        return ApiFinding(backend, "malformed", None, None, "refuses")
    told: Literal["set", "not set"] = "not set" if key is None else "set"
    if offline:
        return ApiFinding(backend, told, None, None, "passed over" if key is None else "not tried")
    return ApiFinding(backend, told, *_ask_for_models(backend, key))


def _ask_for_models(backend: FireworksBackend, key: SecretStr | None) -> tuple[bool, str, Prospect]:
    limit = TimeLimit(_API_SECONDS, _API_SECONDS, None)
    try:
        with shared_client().stream(
            "GET", f"{backend.base_url}/models", auth=Bearer(key), timeout=limit.as_timeout()
        ) as response:
            status = response.status_code
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _LONGEST_LIST:
                    break
    except httpx.TimeoutException:
        return False, f"no answer within {_API_SECONDS:g} s", "passed over"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return False, f"no connection: {error}", "passed over"
    if key is None:
        return True, "can be reached", "passed over"
    return True, *_judged(status, bytes(body), backend.model)


def _judged(status: int, body: bytes, model: str) -> tuple[str, Prospect]:
    if status in _REFUSED_KEY:
        return f"refuses the key (status {status})", "refuses"
    if status >= _SERVER_ERROR:
        return f"is in trouble (status {status})", "passed over"
    if status != _SUCCESS:
        return f"answers GET /models with status {status}", "not tried"
    return f"answers{_with_or_without(model, body)}", "answers"


def _with_or_without(model: str, body: bytes) -> str:
    """Whether the model is in the list. A deployment may be missing from it and answer nevertheless."""
    try:
        names = {entry["id"] for entry in orjson.loads(body)["data"]}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    short = model.rpartition("/")[2]
    return f", and lists {short}" if model in names else f", but does not list {short}"


def _reader_problem() -> str | None:
    """Read a picture of a few letters."""
    picture = Image.new("RGB", (320, 96), "white")
    ImageDraw.Draw(picture).text((24, 24), _PRINTED, "black", ImageFont.load_default(40))
    try:
        text = " ".join(box.text for box in engine.read(picture))
    except ConfigurationError as error:
        return str(error)
    return None if "42" in text else f"it read {text!r} where {_PRINTED!r} was written"


def _advice(diagnosis: Diagnosis) -> Iterator[str]:
    api, local = diagnosis.api, diagnosis.local
    if api.prospect == "refuses":
        yield "Correct or unset FIREWORKS_API_KEY: a key that is refused is an error, no reason to fall back."
    elif api.key == "not set":
        yield "To ask the API, set FIREWORKS_API_KEY."
    if all(backend.degraded for backend in local.backends):
        yield from _how_to_see(local)
    if local.offline_reader.problem:
        yield f'For the offline reader: pip install "firellava[{local.offline_reader.extra}]"'


def _how_to_see(local: Discovery) -> Iterator[str]:
    """How to have a vision model on this machine, beginning with what is there already."""
    blind = next((server for server in local.servers if server.models), None)
    if blind is not None:
        yield f"For a vision model here, give {blind.kind} at {urlsplit(blind.base_url).netloc} one."
    elif not any(server.is_reachable for server in local.servers):
        yield "For a vision model here, run one in Ollama, LM Studio, llama-server, vLLM or SGLang."
    if not local.models:
        gguf = "set FIRELLAVA_LOCAL_MODEL and FIRELLAVA_LOCAL_MMPROJ to a GGUF model and its projector"
        if local.llama_cpp.problem:
            gguf = f'pip install "firellava[{local.llama_cpp.extra}]" and {gguf}'
        yield f"Without a server, {gguf}."
