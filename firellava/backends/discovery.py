"""What can answer on this machine: servers that run here, models that were configured, the offline reader.

`discover_local` looks and reports. ``fallback="auto"`` uses what it finds (`automatic_fallbacks`): one search
at a time for the whole process, in a thread of its own, whose result holds for half a minute.

Where to look is in `local_settings`. A malformed setting is an error. What is merely not there now (a server
that is down, a file or a package that is missing) is passed over, told in the report, and logged once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from firellava.backends.llama_cpp import LlamaCppBackend
from firellava.backends.local_servers import FoundServer, look_at
from firellava.backends.local_settings import LocalSettings
from firellava.backends.offline_reader import OfflineReader
from firellava.backends.transformers import TransformersBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from firellava.backends.base import Backend

__all__ = [
    "ConfiguredModel",
    "Discovery",
    "Installation",
    "automatic_fallbacks",
    "automatic_fallbacks_async",
    "discover_local",
]

SECONDS: Final = 0.8
"""For one server to say what it is and has. All are asked at the same time."""

FRESH_SECONDS: Final = 30.0
"""For how long a finding holds."""

_logger = logging.getLogger("firellava")


@dataclass(frozen=True, slots=True)
class Installation:
    """Whether an engine is installed.

    Attributes:
        engine: its name.
        extra: the extra of this distribution that brings it.
        packages: what it needs, by the names they are imported and installed under.
        missing: those that are not there.
    """

    engine: str
    extra: str
    packages: tuple[str, ...]
    missing: tuple[str, ...]

    @classmethod
    def of(cls, engine: str, extra: str, *packages: str) -> Installation:
        """Look for the packages, without importing them."""
        missing = tuple(package for package in packages if find_spec(package) is None)
        return cls(engine, extra, packages, missing)

    @property
    def problem(self) -> str | None:
        """What to install, or None."""
        if not self.missing:
            return None
        return f'{self.engine} is not installed: pip install "firellava[{self.extra}]"'

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the packages that are there."""
        return {package: _version(package) for package in self.packages if package not in self.missing}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


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
        reader = () if self.offline_reader.missing else (OfflineReader(),)
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
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return (await asyncio.wrap_future(search.found)).backends
    return _report(search.settings, ()).backends


class _Search:
    """One search for servers. It has a thread of its own, so that anyone can wait for it, or stop waiting."""

    def __init__(
        self,
        settings: LocalSettings,
        seconds: float,
        announce: Callable[[Discovery], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self._announce = announce
        self.fresh_until = time.monotonic() + FRESH_SECONDS
        self.found: Future[Discovery] = Future()
        # Nobody who stops waiting can cancel it for the others.
        self.found.set_running_or_notify_cancel()
        threading.Thread(target=self._run, args=(seconds,), name="firellava-discovery", daemon=True).start()

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
        report = _report(self.settings, tuple(servers))
        self._announce(report)
        # Told before the event loop is closed, which waits for a name that is still being resolved.
        self.found.set_result(report)


_lock = threading.Lock()
_search: _Search | None = None
_told: tuple[str, ...] = ()


def _latest_search() -> _Search:
    """The search that is under way or whose result still holds, or a new one."""
    global _search  # noqa: PLW0603 - one per process is the point
    settings = LocalSettings.from_environment()
    with _lock:
        if _search is None or _search.settings != settings or time.monotonic() >= _search.fresh_until:
            _search = _Search(settings, SECONDS, _log_problems)
        return _search


def _log_problems(report: Discovery) -> None:
    """Log what is configured and cannot be used: once, until that changes."""
    global _told  # noqa: PLW0603 - one per process is the point
    if report.problems != _told:
        for problem in report.problems:
            _logger.warning("fallback='auto' passes over %s", problem)
    _told = report.problems


def _forget() -> None:
    """Start without a past, as a forked child does: the thread of a search is its parent's."""
    global _lock, _search  # noqa: PLW0603 - one per process is the point
    _lock = threading.Lock()
    _search = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _report(settings: LocalSettings, servers: tuple[FoundServer, ...]) -> Discovery:
    llama_cpp = Installation.of("llama.cpp", "llama-cpp", "xllamacpp")
    transformers = Installation.of("transformers", "transformers", "transformers", "torch")
    reader = Installation.of("the offline reader", "ocr", "rapidocr", "onnxruntime")
    models = []
    if settings.model_path is not None:
        gguf = LlamaCppBackend(model_path=settings.model_path, mmproj_path=settings.mmproj_path)
        problem = _gguf_problem(gguf.model_path, gguf.mmproj_path) or llama_cpp.problem
        models.append(ConfiguredModel("FIRELLAVA_LOCAL_MODEL", gguf, problem))
    if settings.checkpoint_path is not None:
        checkpoint = TransformersBackend(checkpoint_path=settings.checkpoint_path)
        problem = _checkpoint_problem(checkpoint.checkpoint_path) or transformers.problem
        models.append(ConfiguredModel("FIRELLAVA_LOCAL_CHECKPOINT", checkpoint, problem))
    return Discovery(servers, tuple(models), llama_cpp, transformers, reader)


def _gguf_problem(model: Path, mmproj: Path | None) -> str | None:
    if not model.is_file():
        return f"there is no file {model}"
    if mmproj is None:
        return "the model sees no images without its vision projector: set FIRELLAVA_LOCAL_MMPROJ"
    return None if mmproj.is_file() else f"there is no vision projector {mmproj}"


def _checkpoint_problem(folder: Path) -> str | None:
    return None if (folder / "config.json").is_file() else f"there is no checkpoint in {folder}"
