"""What can answer on this machine: servers that run here, models that were configured, the offline reader.

`discover_local` looks and reports. ``fallback="auto"`` uses what it finds (`automatic_fallbacks`): one search at
a time for the whole process, in a thread of its own, whose result holds for half a minute.

Settings, all from the environment:

- ``FIRELLAVA_LOCAL_URL``: a model server, on this machine or another that you trust with your images.
- ``FIRELLAVA_LOCAL_PORTS``: where to look for servers on 127.0.0.1, separated by commas; an empty text looks
  nowhere. Default: where the well-known servers listen (`WELL_KNOWN_PORTS`).
- ``FIRELLAVA_LOCAL_MODEL`` and ``FIRELLAVA_LOCAL_MMPROJ``: a GGUF model and its vision projector.
- ``FIRELLAVA_LOCAL_CHECKPOINT``: the folder of a transformers checkpoint.

A malformed setting is an error. What is merely not there now (a server that is down, a file or a package that
is missing) is passed over, told in the report, and logged once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from firellava.backends.llama_cpp import LlamaCppBackend
from firellava.backends.local_servers import FoundServer, look_at
from firellava.backends.offline_reader import OfflineReader
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.backends.transformers import TransformersBackend
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firellava.backends.base import Backend

__all__ = [
    "WELL_KNOWN_PORTS",
    "ConfiguredModel",
    "Discovery",
    "Installation",
    "LocalSettings",
    "automatic_fallbacks",
    "automatic_fallbacks_async",
    "discover_local",
]

WELL_KNOWN_PORTS: Final[Mapping[int, str]] = MappingProxyType(
    {11434: "Ollama", 1234: "LM Studio", 8080: "llama-server", 8000: "vLLM", 30000: "SGLang"}
)
"""Where model servers listen unless they are told otherwise, in the order in which they are preferred."""

SECONDS: Final = 0.8
"""For one server to say what it is and has. All are asked at the same time."""

FRESH_SECONDS: Final = 30.0
"""For how long a finding holds."""

_logger = logging.getLogger("firellava")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Where to look.

    Attributes:
        url: the base URL of a server, with its ``/v1``; or None.
        ports: of this machine.
        model_path: a GGUF model, or None.
        mmproj_path: its vision projector, or None.
        checkpoint_path: the folder of a transformers checkpoint, or None.
    """

    url: str | None = None
    ports: tuple[int, ...] = tuple(WELL_KNOWN_PORTS)
    model_path: Path | None = None
    mmproj_path: Path | None = None
    checkpoint_path: Path | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that this module's own text lists.

        Raises:
            ConfigurationError: one of them is malformed.
        """
        return cls(
            _url(os.environ.get("FIRELLAVA_LOCAL_URL")),
            _ports(os.environ.get("FIRELLAVA_LOCAL_PORTS")),
            _path(os.environ.get("FIRELLAVA_LOCAL_MODEL")),
            _path(os.environ.get("FIRELLAVA_LOCAL_MMPROJ")),
            _path(os.environ.get("FIRELLAVA_LOCAL_CHECKPOINT")),
        )

    @property
    def addresses(self) -> dict[str, str]:
        """The base URLs to ask and what each port hints at, the configured one first, none twice."""
        kinds = {f"http://127.0.0.1:{port}/v1": WELL_KNOWN_PORTS.get(port, "a server") for port in self.ports}
        if self.url is None:
            return kinds
        port = urlsplit(self.url).port
        same = self.url.replace("//localhost:", "//127.0.0.1:")
        kinds.pop(same, None)
        return {self.url: WELL_KNOWN_PORTS.get(port or 0, "a server"), **kinds}


def _url(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return OpenAICompatibleBackend(base_url=text, model="any").base_url
    except ConfigurationError as error:
        raise ConfigurationError(f"FIRELLAVA_LOCAL_URL: {error}") from None


def _ports(text: str | None) -> tuple[int, ...]:
    if text is None:
        return tuple(WELL_KNOWN_PORTS)
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isascii() and word.isdecimal() and 0 < int(word) < 1 << 16 for word in words):
        raise ConfigurationError("FIRELLAVA_LOCAL_PORTS: ports are numbers separated by commas: 11434,8080.")
    return tuple(dict.fromkeys(map(int, words)))


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


@dataclass(frozen=True, slots=True)
class Installation:
    """Whether an engine is installed.

    Attributes:
        engine: its name.
        extra: the extra of this distribution that brings it.
        versions: of the packages it needs; None for one that is missing.
    """

    engine: str
    extra: str
    versions: Mapping[str, str | None]

    @property
    def is_complete(self) -> bool:
        """Whether every package is there."""
        return None not in self.versions.values()


@dataclass(frozen=True, slots=True)
class ConfiguredModel:
    """A model that the environment names, to be run in this process.

    Attributes:
        setting: the variable that names it.
        backend: what would run it.
        problem: why it cannot, or None.
    """

    setting: str
    backend: LlamaCppBackend | TransformersBackend
    problem: str | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found on this machine.

    Attributes:
        servers: every address that was asked, the configured one first.
        models: those configured to run in this process.
        llama_cpp: the engine for GGUF models.
        transformers: the engine for checkpoints.
        offline_reader: the engine of last resort.
    """

    servers: tuple[FoundServer, ...]
    models: tuple[ConfiguredModel, ...]
    llama_cpp: Installation
    transformers: Installation
    offline_reader: Installation

    @property
    def backends(self) -> tuple[Backend, ...]:
        """What can be asked, in the order in which it should be."""
        served = (server.backend for server in self.servers)
        in_process = (model.backend for model in self.models if model.problem is None)
        reader = (OfflineReader(),) if self.offline_reader.is_complete else ()
        return (*(backend for backend in served if backend is not None), *in_process, *reader)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was configured and cannot be used now, and why."""
        servers = (
            f"FIRELLAVA_LOCAL_URL ({server.base_url}): {server.problem}"
            for server in self.servers
            if server.is_configured and server.problem
        )
        models = (f"{model.setting}: {model.problem}" for model in self.models if model.problem)
        return (*servers, *models)


def discover_local(settings: LocalSettings | None = None, *, seconds: float = SECONDS) -> Discovery:
    """Look for what can answer on this machine.

    Only addresses of this machine are asked, and the one in ``FIRELLAVA_LOCAL_URL``. It takes as long as the
    slowest of them, `seconds` at most. Inside an event loop, call it on a thread.

    Args:
        settings: where to look; by default what the environment says.
        seconds: for one server to say what it is and has.

    Raises:
        ConfigurationError: a setting is malformed.
    """
    return _Search(settings or LocalSettings.from_environment(), seconds).found.result()


def automatic_fallbacks(seconds: float | None = None) -> tuple[Backend, ...]:
    """The backends that ``fallback="auto"`` means now, in the order in which they are asked.

    Args:
        seconds: how long the caller can wait for servers to be found, if less than a search takes. Without
            them there is still what needs no finding.

    Raises:
        ConfigurationError: a setting is malformed.
    """
    search = _latest_search()
    try:
        return search.found.result(seconds).backends
    except TimeoutError:
        return _report(search.settings, ()).backends


async def automatic_fallbacks_async(seconds: float | None = None) -> tuple[Backend, ...]:
    """The asynchronous twin of `automatic_fallbacks`; the event loop is never held up."""
    search = _latest_search()
    if not search.found.done():
        await asyncio.wait([asyncio.wrap_future(search.found)], timeout=seconds)
    return automatic_fallbacks(0)


class _Search:
    """One search for servers, on a thread of its own, so that callers with and without an event loop can wait."""

    def __init__(self, settings: LocalSettings, seconds: float) -> None:
        self.settings = settings
        self.fresh_until = time.monotonic() + FRESH_SECONDS
        self.found: Future[Discovery] = Future()
        # Nobody who stops waiting can cancel it for the others.
        self.found.set_running_or_notify_cancel()
        threading.Thread(target=self._run, args=(seconds,), name="firellava discovery", daemon=True).start()

    def _run(self, seconds: float) -> None:
        try:
            asyncio.run(self._look(seconds))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            if not self.found.done():
                self.found.set_exception(error)

    async def _look(self, seconds: float) -> None:
        servers = await asyncio.gather(
            *(
                look_at(url, kind, seconds=seconds, is_configured=url == self.settings.url)
                for url, kind in self.settings.addresses.items()
            )
        )
        # Told before the event loop is closed, which waits for a name that is still being resolved.
        self.found.set_result(_report(self.settings, tuple(servers)))


_lock = threading.Lock()
_search: _Search | None = None
_told: tuple[str, ...] = ()


def _latest_search() -> _Search:
    """The search that is under way or whose result still holds, or a new one."""
    global _search  # noqa: PLW0603 - one per process is the point
    settings = LocalSettings.from_environment()
    with _lock:
        if _search is None or _search.settings != settings or time.monotonic() >= _search.fresh_until:
            _search = _Search(settings, SECONDS)
            _search.found.add_done_callback(_log_problems)
        return _search


def _log_problems(found: Future[Discovery]) -> None:
    """Log what is configured and cannot be used: once, until that changes."""
    global _told  # noqa: PLW0603 - one per process is the point
    if found.exception() is not None:
        return
    problems = found.result().problems
    if problems != _told:
        for problem in problems:
            _logger.warning("fallback='auto' passes over %s", problem)
    _told = problems


def _forget() -> None:
    """Start without a past, as a forked child does: the thread of a search is its parent's."""
    global _lock, _search  # noqa: PLW0603 - one per process is the point
    _lock = threading.Lock()
    _search = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _report(settings: LocalSettings, servers: tuple[FoundServer, ...]) -> Discovery:
    llama_cpp = _installation("llama.cpp", "llama-cpp", "xllamacpp")
    transformers = _installation("transformers", "transformers", "transformers", "torch")
    reader = _installation("offline reader", "ocr", "rapidocr", "onnxruntime", "numpy")
    models = []
    if settings.model_path is not None:
        gguf = LlamaCppBackend(model_path=settings.model_path, mmproj_path=settings.mmproj_path)
        problem = _gguf_problem(settings.model_path, settings.mmproj_path) or _missing(llama_cpp)
        models.append(ConfiguredModel("FIRELLAVA_LOCAL_MODEL", gguf, problem))
    if settings.checkpoint_path is not None:
        checkpoint = TransformersBackend(checkpoint_path=settings.checkpoint_path)
        problem = _checkpoint_problem(settings.checkpoint_path) or _missing(transformers)
        models.append(ConfiguredModel("FIRELLAVA_LOCAL_CHECKPOINT", checkpoint, problem))
    return Discovery(servers, tuple(models), llama_cpp, transformers, reader)


def _installation(engine: str, extra: str, *packages: str) -> Installation:
    return Installation(engine, extra, MappingProxyType({name: _version(name) for name in packages}))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _missing(installation: Installation) -> str | None:
    if installation.is_complete:
        return None
    return f'{installation.engine} is not installed: pip install "firellava[{installation.extra}]"'


def _gguf_problem(model: Path, mmproj: Path | None) -> str | None:
    if not model.is_file():
        return f"there is no file {model}"
    if mmproj is None:
        return "the model sees no images without its vision projector: set FIRELLAVA_LOCAL_MMPROJ"
    return None if mmproj.is_file() else f"FIRELLAVA_LOCAL_MMPROJ: there is no file {mmproj}"


def _checkpoint_problem(folder: Path) -> str | None:
    return None if (folder / "config.json").is_file() else f"there is no checkpoint in {folder}"
