"""A GGUF model in this process, through llama.cpp.

The engine is xllamacpp, which is llama.cpp's own server as a library. It opens a port on 127.0.0.1 besides;
that port is locked with a random key that nobody is told. It would also download images from URLs and a model
from a hub: it is only ever given data URLs, and told that it is offline.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, field_validator

from firellava.backends.engines import Engine
from firellava.backends.inference import EngineBackend, as_conversation
from firellava.backends.pictures import pictures_of
from firellava.errors import (
    BadRequest,
    ConfigurationError,
    ContextOverflow,
    FireLLaVAError,
    MissingExtra,
    RefusedByServer,
    UnsupportedCapability,
)
from firellava.models import Capabilities, ImageLimits, ImageTarget, ModelCard
from firellava.replies import ReplyChunk
from firellava.wire import chat

if TYPE_CHECKING:
    from firellava.backends.base import AttemptContext
    from firellava.backends.inference import Inference, Plan
    from firellava.messages import Parameters, Request

__all__ = ["LlamaCppBackend", "LlamaCppEngine"]

_LIMITS: Final = ImageLimits.unlimited("JPEG", "PNG")
_CAPABILITIES: Final = Capabilities(image_urls=False, detail=False, completions=True)
# Models of several resolutions see no more than this in a context window of 4096 tokens.
_TARGET: Final = ImageTarget(fit="contain", side=1024)

# They concern the API's service or are hints to it; here there is nothing for them to do.
_OF_THE_SERVICE: Final = (
    "context_length_exceeded_behavior",
    "metadata",
    "perf_metrics_in_response",
    "prompt_cache_key",
    "reasoning_effort",
    "service_tier",
    "user",
)


class LlamaCppBackend(EngineBackend):
    """A GGUF model with its vision projector, run by llama.cpp in this process. Extra ``[llama-cpp]``.

    All backends with the same settings share one engine, which answers one question at a time. A completions
    prompt in the API's template is asked in the model's own. llama.cpp takes images in chat only, so any
    other prompt becomes a user message as it is.

    A process forked from one that has opened an engine opens its own, and keeps it until it ends.

    Attributes:
        model_path: the language model, a ``.gguf`` file.
        mmproj_path: its vision projector, another one; without it the model sees no images.
        context_window: tokens of prompt and answer together.
        threads: of the processor; None leaves it to llama.cpp.
        gpu_layers: layers to compute on a GPU, where the installed xllamacpp can; -1 for as many as fit.
    """

    kind: Literal["llama_cpp"] = "llama_cpp"
    model_path: Path
    mmproj_path: Path | None = None
    context_window: int = Field(default=4096, ge=256)
    threads: int | None = Field(default=None, ge=1)
    gpu_layers: int = Field(default=0, ge=-1)

    @field_validator("model_path", "mmproj_path", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @property
    def label(self) -> str:
        """``llama.cpp:`` and the name of the model's file."""
        return f"llama.cpp:{self.model_path.name}"

    @property
    def model_card(self) -> ModelCard:
        """The card that was given, or one that says what llama.cpp takes."""
        return self.card or ModelCard(
            name=self.model_path.name,
            context_window=self.context_window,
            image_target=_TARGET,
            image_limits=_LIMITS,
            capabilities=_CAPABILITIES,
        )

    def _open(self) -> LlamaCppEngine:
        return LlamaCppEngine(self)

    def _plan(self, request: Request, context: AttemptContext) -> Plan:
        card = self.model_card
        parameters = _parameters(request.parameters, self.label)
        if request.images and self.mmproj_path is None:
            raise UnsupportedCapability(
                f"{self.label} sees no images: give its vision projector as mmproj_path=."
            )
        if find_spec("xllamacpp") is None:
            raise MissingExtra("llama-cpp", needed_for="LlamaCppBackend")
        for path in (self.model_path, self.mmproj_path):
            if path is not None and not path.is_file():
                raise ConfigurationError(f"LlamaCppBackend: there is no file {path}.")
        pictures = pictures_of(request, card, context)
        # A stream can be stopped on the way, and unlike a whole reply it can while the prompt is read.
        streamed = replace(as_conversation(pictures.request), parameters=parameters, stream=True)
        body = chat.encode(streamed, self.model_path.name, card, pictures.images)
        last = pictures.noted_on(ReplyChunk(last=True))

        def compute(engine: LlamaCppEngine, inference: Inference) -> None:
            if engine.answer(body, inference):
                inference.emit(last)

        return compute


class LlamaCppEngine(Engine):
    """A llama.cpp server with a model in it.

    Attributes:
        address: the URL of the port that the server opens besides.
        key: what that port asks for.

    Raises:
        ConfigurationError: the files cannot be loaded.
    """

    def __init__(self, backend: LlamaCppBackend) -> None:
        import xllamacpp  # noqa: PLC0415 - an optional extra

        params = xllamacpp.CommonParams()
        params.model.path = str(backend.model_path)
        params.model_alias = {backend.model_path.name}
        if backend.mmproj_path is not None:
            params.mmproj.path = str(backend.mmproj_path)
        params.n_ctx = backend.context_window
        params.n_parallel = 1
        params.n_gpu_layers = backend.gpu_layers
        params.mmproj_use_gpu = backend.gpu_layers != 0
        if backend.threads is not None:
            params.cpuparams.n_threads = backend.threads
        params.warmup = False
        params.verbosity = -1
        params.offline = True
        # The usual 8 GiB of remembered prompts are too much inside someone else's process.
        params.cache_ram_mib = 0
        params.ui = False
        self.key = secrets.token_hex(32)
        params.api_keys = [self.key]
        global _has_opened  # noqa: PLW0603 - the fork hook below must know
        _has_opened = True
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError:
            files = " with ".join(str(path) for path in (backend.model_path, backend.mmproj_path) if path)
            raise ConfigurationError(
                f"llama.cpp cannot load {files}: is each a whole GGUF file, and do they belong together?"
            ) from None
        self.address: str = self._server.listening_address
        self._backend = backend

    def close(self) -> None:
        """Stop the server's threads and free the model."""
        if _is_forked:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))
        self._server = None

    def answer(self, body: bytes, inference: Inference) -> bool:
        """Answer a streamed chat request; True where the answer is whole and not given up on.

        Raises:
            ContextOverflow: the prompt does not fit into the context window.
            RefusedByServer: llama.cpp does not accept the request.
            UnreadableReply: llama.cpp said something unexpected.
        """
        refusals: list[FireLLaVAError] = []

        def hear(data: bytes) -> bool:
            """Pass a piece on; True stops llama.cpp."""
            try:
                for chunk in chat.read_event(data, model=self._backend.label):
                    inference.emit(replace(chunk, request_id=None))
            except FireLLaVAError as error:
                refusals.append(error)
            return bool(refusals) or inference.unwanted.is_set()

        try:
            self._server.handle_chat_completions(body, hear)
        except ValueError as error:
            raise BadRequest(f"llama.cpp does not take this request: {error}") from None
        if refusals:
            raise self._explained(refusals[0])
        return not inference.unwanted.is_set()

    def _explained(self, error: FireLLaVAError) -> FireLLaVAError:
        if isinstance(error, RefusedByServer) and "available context size" in str(error):
            return ContextOverflow(
                f"This needs more than the context_window={self._backend.context_window} tokens of "
                f"{self._backend.label}: shorten it, send fewer images or raise context_window=. ({error})"
            )
        return error


def _parameters(parameters: Parameters, label: str) -> Parameters:
    """The parameters as llama.cpp knows them.

    Raises:
        UnsupportedCapability: several answers are asked for.
    """
    if (parameters.n or 1) > 1:
        raise UnsupportedCapability(f"{label} gives one answer at a time: leave out n=.")
    changes: dict[str, Any] = dict.fromkeys(_OF_THE_SERVICE)
    # Being told how far the prompt is read gives more occasions to stop.
    extra: dict[str, Any] = {"return_progress": True, **(parameters.extra_body or {})}
    if parameters.repetition_penalty is not None:
        extra["repeat_penalty"] = parameters.repetition_penalty
    return parameters.model_copy(update={**changes, "repetition_penalty": None, "extra_body": extra})


_has_opened = False
_is_forked = False


def _destroy_nothing() -> None:
    """In a forked child: llama.cpp's objects stay, even those that the child made.

    Destroyed, its logger and its other global objects wait for threads that only the parent has, or abort the
    process. So the child's engines are never freed, and at its end it leaves without C++ destructors, after
    Python's own end and with the status it wants.
    """
    global _is_forked  # noqa: PLW0603 - a fork hook has no other way to tell
    if not _has_opened:
        return
    _is_forked = True
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)  # noqa: SLF001 - the C function's name


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_destroy_nothing)
