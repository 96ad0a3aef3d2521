"""A checkpoint directory in this process, through Hugging Face transformers and torch.

Nothing is downloaded and no code of the checkpoint is run: it must lie on this machine, hold safetensors, and
be of an architecture that transformers knows. The engine is in `transformers_engine`, which is imported when
the first question is asked: importing torch takes seconds.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import field_validator

from firellava.backends.inference import EngineBackend, as_conversation
from firellava.backends.pictures import pictures_of
from firellava.errors import ConfigurationError, MissingExtra, UnsupportedCapability
from firellava.images import ImageSource, PreparedImage, decode_image
from firellava.messages import TextPart
from firellava.models import Capabilities, ImageLimits, ImageTarget, ModelCard
from firellava.replies import ReplyChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firellava.backends.base import AttemptContext
    from firellava.backends.engines import Engine
    from firellava.backends.inference import Inference, Plan
    from firellava.messages import Message, Request

__all__ = ["TransformersBackend"]

# PNG, because the picture is decoded again here and JPEG would cost it something.
_LIMITS: Final = ImageLimits.unlimited("PNG")
_CAPABILITIES: Final = Capabilities(image_urls=False, detail=False, json_schema=False, completions=True)
_TARGET: Final = ImageTarget(fit="contain", side=1024)

# What would change the answer and cannot be done; other parameters that are not known here are hints.
_REFUSED: Final = (
    "extra_body",
    "frequency_penalty",
    "logprobs",
    "presence_penalty",
    "response_format",
    "tools",
    "top_logprobs",
)


class TransformersBackend(EngineBackend):
    """A vision-language checkpoint run by transformers in this process. Extra ``[transformers]``.

    All backends with the same settings share one engine, which answers one question at a time. Temperature,
    top_p, top_k, min_p, repetition_penalty, seed, stop and max_tokens steer it; without a temperature the
    checkpoint's own generation settings decide. A completions prompt in the API's template is asked in the
    model's own; any other is continued as it is.

    Attributes:
        checkpoint_path: the directory that ``save_pretrained`` wrote, with its processor.
        device: as torch names it: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: of the weights in memory; ``auto`` for the checkpoint's own.
    """

    kind: Literal["transformers"] = "transformers"
    checkpoint_path: Path
    device: str = "cpu"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

    @field_validator("checkpoint_path", mode="after")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @property
    def label(self) -> str:
        """``transformers:`` and the name of the checkpoint's directory."""
        return f"transformers:{self.checkpoint_path.name}"

    @property
    def model_card(self) -> ModelCard:
        """The card that was given, or one that says what the engine takes."""
        return self.card or ModelCard(
            name=self.checkpoint_path.name,
            image_target=_TARGET,
            image_limits=_LIMITS,
            capabilities=_CAPABILITIES,
        )

    def _open(self) -> Engine:
        from firellava.backends.transformers_engine import TransformersEngine  # noqa: PLC0415 - imports torch

        return TransformersEngine(self.checkpoint_path, self.device, self.dtype)

    def _plan(self, request: Request, context: AttemptContext) -> Plan:
        card = self.model_card
        self._check(request)
        if find_spec("transformers") is None or find_spec("torch") is None:
            raise MissingExtra("transformers", needed_for="TransformersBackend")
        if not (self.checkpoint_path / "config.json").is_file():
            raise ConfigurationError(
                f"TransformersBackend: there is no checkpoint in {self.checkpoint_path}."
            )
        pictures = pictures_of(request, card, context)
        asked = as_conversation(pictures.request)
        turns = _turns(asked, pictures.images)

        def compute(engine: Any, inference: Inference) -> None:  # noqa: ANN401 - its module is imported late
            usage, finish_reason = engine.answer(
                turns,
                request.parameters,
                inference,
                raw=asked.completion,
                context_window=card.context_window,
                background=card.image_target.background,
            )
            if not inference.unwanted.is_set():
                inference.emit(ReplyChunk(finish_reason=finish_reason))
                last = ReplyChunk(usage=usage, model=card.name, last=True)
                inference.emit(pictures.noted_on(last))

        return compute

    def _check(self, request: Request) -> None:
        refused = [name for name in _REFUSED if getattr(request.parameters, name)]
        if (request.parameters.n or 1) > 1:
            refused.append("n")
        if request.parameters.repetition_penalty == 0:
            refused.append("repetition_penalty=0")
        if refused:
            raise UnsupportedCapability(f"{self.label} cannot do {', '.join(refused)}: leave it out.")
        if any(message.role == "tool" or message.tool_calls for message in request.messages):
            raise UnsupportedCapability(
                f"{self.label} knows no tools: leave tool calls out of the conversation."
            )


def _turns(request: Request, images: Sequence[PreparedImage | str]) -> list[tuple[str, list[Any]]]:
    """The conversation as the engine takes it: each role with its texts and pictures."""
    encoded = (image.data for image in images if isinstance(image, PreparedImage))
    pictures = (decode_image(ImageSource.from_bytes(data)) for data in encoded)

    def contents(message: Message) -> list[Any]:
        return [part.text if isinstance(part, TextPart) else next(pictures) for part in message.parts]

    return [(message.role, contents(message)) for message in request.messages]
