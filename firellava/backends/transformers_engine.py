"""The engine behind `TransformersBackend`. Importing this module imports torch and transformers."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch
from PIL import ImageOps
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, TextStreamer
from transformers.utils import logging

from firellava.backends.engines import Engine
from firellava.errors import ConfigurationError, ContextOverflow, InvalidRequest
from firellava.replies import ReplyChunk, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from firellava.backends.inference import Inference
    from firellava.messages import Parameters

__all__ = ["TransformersEngine"]

Turn = tuple[str, list[str | Image]]

_USUAL_WINDOW: Final = 4096
_SEEDS: Final = 2**63
_LONGEST_MESSAGE: Final = 300


class TransformersEngine(Engine):
    """A model and its processor in memory.

    Args:
        path: the checkpoint.
        device: where torch computes.
        dtype: torch's name for the type of the weights, or ``auto``.

    Raises:
        ConfigurationError: the checkpoint cannot be loaded, or not on this device.
    """

    def __init__(self, path: Path, device: str, dtype: str) -> None:
        try:
            with _quiet():
                self._processor: Any = AutoProcessor.from_pretrained(
                    path, local_files_only=True, trust_remote_code=False
                )
                # A longer prompt is refused by `answer`; the tokeniser would print a warning besides.
                self._processor.tokenizer.model_max_length = sys.maxsize
                model: Any = AutoModelForImageTextToText.from_pretrained(
                    path,
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                    dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                )
                self._model: Any = model.to(device).eval()
        except Exception as error:  # noqa: BLE001 - a checkpoint can be wrong in any way
            said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
            raise ConfigurationError(f"transformers cannot load {path} on {device}: {said}") from None

    def close(self) -> None:
        """Free the weights."""
        on_gpu = self._model.device.type == "cuda"
        self._model = self._processor = None
        if on_gpu:
            torch.cuda.empty_cache()

    def answer(
        self,
        turns: Sequence[Turn],
        parameters: Parameters,
        inference: Inference,
        *,
        raw: bool,
        context_window: int | None,
        background: tuple[int, int, int],
    ) -> tuple[Usage, str]:
        """Answer a conversation, piece by piece, until its end or until nobody wants the rest.

        Args:
            turns: roles with their texts and pictures.
            parameters: what steers generation; what is not known here is left out.
            inference: takes the pieces.
            raw: the one turn is a prompt to continue, not a conversation.
            context_window: tokens, where the card states them; else the checkpoint's own.
            background: what a picture is padded with where it must be square.

        Returns:
            The tokens, counted from their ids, and why the answer ended.

        Raises:
            ContextOverflow: the prompt does not fit into the context window.
            InvalidRequest: the checkpoint's processor or chat template cannot take the conversation.
        """
        pictures = [part for _, parts in turns for part in parts if isinstance(part, Image)]
        whole = iter([self._uncropped(picture, background) for picture in pictures])
        turns = [(role, [p if isinstance(p, str) else next(whole) for p in parts]) for role, parts in turns]
        inputs = self._tokenised(turns, raw=raw).to(self._model.device, self._model.dtype)
        prompt_ids = inputs["input_ids"][0]
        room = self._room(len(prompt_ids), context_window)
        most = room if parameters.max_tokens is None else min(max(1, parameters.max_tokens), room)
        text = _Text(self._processor.tokenizer, parameters.stop or (), inference)
        with torch.inference_mode(), _seeded(parameters.seed, self._model.device):
            output = self._model.generate(
                **inputs,
                **_generation(parameters, self._model.generation_config),
                max_new_tokens=most,
                streamer=text,
                stopping_criteria=[
                    lambda ids, _scores: torch.full((len(ids),), text.is_over, device=ids.device)
                ],
            )
        completion_ids = output[0, len(prompt_ids) :]
        used_up = len(completion_ids) >= most and not text.is_over
        cut_short = used_up and int(completion_ids[-1]) not in self._ends()
        usage = Usage(
            prompt_tokens=len(prompt_ids),
            completion_tokens=len(completion_ids),
            total_tokens=len(prompt_ids) + len(completion_ids),
            image_tokens=self._image_tokens(prompt_ids) if pictures else None,
        )
        return usage, "length" if cut_short else "stop"

    def _uncropped(self, picture: Image, background: tuple[int, int, int]) -> Image:
        """The picture, square where the processor would otherwise cut its edges off, as LLaVA-1.5's does."""
        processor = self._processor.image_processor
        if not getattr(processor, "do_center_crop", False) or getattr(processor, "do_pad", False):
            return picture
        return ImageOps.pad(picture, (max(picture.size),) * 2, color=background)

    def _tokenised(self, turns: Sequence[Turn], *, raw: bool) -> Any:  # noqa: ANN401 - a mapping of tensors
        try:
            if not raw and self._processor.chat_template:
                return self._processor.apply_chat_template(
                    [{"role": role, "content": [_part(part) for part in parts]} for role, parts in turns],
                    add_generation_prompt=True,
                    tokenize=True,
                    return_dict=True,
                    return_tensors="pt",
                )
            prompt = (
                self._text([part for _, parts in turns for part in parts]) if raw else self._prompt(turns)
            )
            pictures = [part for _, parts in turns for part in parts if isinstance(part, Image)]
            return self._processor(text=prompt, images=pictures or None, return_tensors="pt")
        except Exception as error:  # noqa: BLE001 - templates and processors raise anything
            said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
            raise InvalidRequest(
                f"The checkpoint's processor cannot take this conversation: {said}"
            ) from None

    def _prompt(self, turns: Sequence[Turn]) -> str:
        """A conversation in LLaVA's own format, for checkpoints without a chat template."""
        written = {"user": "USER: {} ", "assistant": f"ASSISTANT: {{}}{self._processor.tokenizer.eos_token}"}
        told = [written.get(role, "{} ").format(self._text(parts, "\n")) for role, parts in turns]
        return "".join([*told, "ASSISTANT:"])

    def _text(self, parts: Sequence[str | Image], after_image: str = "") -> str:
        mark = self._processor.image_token + after_image
        return "".join(part if isinstance(part, str) else mark for part in parts)

    def _room(self, prompt_tokens: int, context_window: int | None) -> int:
        """Tokens that an answer can have."""
        own = getattr(self._model.config.get_text_config(), "max_position_embeddings", _USUAL_WINDOW)
        window = context_window or own
        if prompt_tokens >= window:
            raise ContextOverflow(
                f"The conversation takes {prompt_tokens} tokens and the context window has {window}: "
                "shorten it or send fewer images."
            )
        return int(window - prompt_tokens)

    def _ends(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        return set(ends) if isinstance(ends, list) else {ends}

    def _image_tokens(self, prompt_ids: Any) -> int | None:  # noqa: ANN401 - a tensor
        mark = getattr(self._model.config, "image_token_id", None)
        return None if mark is None else int((prompt_ids == mark).sum())


class _Text(TextStreamer):  # type: ignore[misc]  # untyped where transformers is not installed
    """Passes text on as it is generated, up to the first stop string.

    A text that may be the beginning of a stop string is held back until more of it is known.

    Attributes:
        is_over: no more tokens are needed.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str], inference: Inference) -> None:  # noqa: ANN401
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._stops = stops
        self._inference = inference
        self._has_stopped = False
        self._held = ""

    @property
    def is_over(self) -> bool:
        return self._has_stopped or self._inference.unwanted.is_set()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: FBT001, FBT002 - as the base
        if self._has_stopped:
            return
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self._has_stopped = True
            going = min(found)
        else:
            going = len(self._held) - (0 if stream_end else self._doubtful())
        self._inference.emit(ReplyChunk(text=self._held[:going]))
        self._held = self._held[going:]

    def _doubtful(self) -> int:
        """How many characters at the end may be the beginning of a stop string."""
        return max(
            (n for stop in self._stops for n in range(1, len(stop)) if self._held.endswith(stop[:n])),
            default=0,
        )


def _part(part: str | Image) -> dict[str, Any]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "image": part}


def _generation(parameters: Parameters, usual: Any) -> dict[str, Any]:  # noqa: ANN401 - a GenerationConfig
    """Arguments of ``generate``, where `usual` is not to decide."""
    names = ("temperature", "top_p", "top_k", "min_p")
    shaping = {name: value for name in names if (value := getattr(parameters, name)) is not None}
    samples = shaping.get("temperature", bool(shaping) or usual.do_sample) > 0
    settings: dict[str, Any] = {"do_sample": samples, **(shaping if samples else {})}
    if parameters.repetition_penalty is not None:
        settings["repetition_penalty"] = parameters.repetition_penalty
    return settings


@contextmanager
def _seeded(seed: int | None, device: Any) -> Iterator[None]:  # noqa: ANN401 - a torch.device
    """Random numbers from `seed`, and afterwards those of the process as if nothing had been drawn."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed % _SEEDS)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no advice on the terminal while a checkpoint is loaded."""
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()
