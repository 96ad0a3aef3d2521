"""Captions for LlamaIndex's ingestion: `ImageCaptioner`."""

from __future__ import annotations

import pickle
import uuid
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from llama_index.core.schema import TransformComponent
from llama_index.core.utils import get_tqdm_iterable
from pydantic import BeforeValidator, ConfigDict, Field, SerializeAsAny, field_validator

from firellava import OfflineReader
from firellava.captions import DEFAULT_PROMPT, Captioner, MemoryCaptionCache
from firellava.errors import BadRequest, ConfigurationError, FireLLaVAError, InvalidRequest, UnreadableReply
from firellava.settings import error_classes, error_names
from firellava.validation import OwnErrors
from llama_index_firellava.captions.caches import caption_cache
from llama_index_firellava.captions.runs import CaptionRun, OnFailure
from llama_index_firellava.llms import FireLLaVA
from llama_index_firellava.reported_questions import ReportedQuestions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.schema import BaseNode

__all__ = ["ImageCaptioner"]

_SAME_NEXT_TIME: Final = (InvalidRequest, BadRequest, UnreadableReply)


def _revived_llm(llm: Any) -> Any:  # noqa: ANN401 - whatever the user gave; pydantic checks it
    return FireLLaVA.from_dict(llm) if isinstance(llm, dict) else llm


class ImageCaptioner(OwnErrors, TransformComponent):
    """Describes images while they are ingested, each once, so that a text search finds them.

        pipeline = IngestionPipeline(
            transformations=[ImageCaptioner(llm=FireLLaVA(), cache="captions.db"), embed_model],
            vector_store=vector_store,
        )
        pipeline.run(documents=load_images("photographs"))

    Every document or node that holds an image becomes an ImageNode. Its text, which is embedded, is the
    caption; it points to the image, which a model is shown with ``multimodal=True``; and its metadata say
    ``caption`` (a model is told that too), ``content_hash``, ``image_width``, ``image_height``, ``model``,
    ``backend``, ``degraded``, ``usage`` (JSON) and ``cost_usd``, the last two or "unknown". Other nodes pass
    as they are. Put no node parser behind it: those make text nodes, without an image. Relative paths become
    absolute, so that images are found from wherever an index is loaded again.

    Captions are kept per image, so that one new image is one call, whatever else is ingested with it. With
    ``num_workers`` each process has a copy of the cache: only one in a file, or in a store that is a server,
    keeps what was made there. An API key given in code does not travel to another process, and the run fails
    there: set ``FIREWORKS_API_KEY``. Neither do ``hooks``; a ``budget`` refuses to.

    LlamaIndex's events, callbacks and rate limiter see each call, and `FireLLaVACostHandler` counts it, as do
    the ``hooks`` of the LLM and ``track_cost``.

    Attributes:
        llm: who is asked, with its parameters, its ``budget``, ``fallback`` and ``image_roots``.
        prompt: what is asked about each image.
        cache: where captions are kept: a path, one of LlamaIndex's key-value stores, a
            `firellava.captions.CaptionCache`, or None. By default the memory of this object.
        keep_degraded: keep what the offline reader says too, which is no caption, but the text in the image.
            By default it stands in for this once: neither `cache` nor an IngestionPipeline's own finds it
            again. A docstore takes the document for done, though, as it does one that was left out:
            ``docstore.delete_document`` has it described by the next run.
        concurrency: how many images are in memory, and asked about, at most.
        skip_on: the errors, as classes or by name, for which an image is left out, and reported. By default
            those that the same image would meet again: it is damaged, refused, or the answer is empty.
            Any other is raised when the rest of the images have their captions, so that no cache, docstore or
            index takes a part for the whole; the next run asks for what is missing.
        on_failure: is called with each document or node that is left out, and its error. The log has a
            warning in any case.
        show_progress: show a bar. A pipeline's own `show_progress` is not told to its transformations.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, validate_default=True)

    llm: Annotated[SerializeAsAny[FireLLaVA], BeforeValidator(_revived_llm)]
    prompt: str = DEFAULT_PROMPT
    cache: Annotated[Any, BeforeValidator(caption_cache)] = Field(
        default_factory=MemoryCaptionCache, exclude=True
    )
    keep_degraded: bool = False
    concurrency: int = Field(default=8, ge=1)
    skip_on: Annotated[tuple[str, ...], BeforeValidator(error_names)] = error_names(_SAME_NEXT_TIME)
    on_failure: OnFailure | None = Field(default=None, exclude=True)
    show_progress: bool = Field(default=False, exclude=True)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Let the core check the settings now rather than at the first image."""
        super().model_post_init(context)
        _ = self._captioner()

    @field_validator("skip_on")
    @classmethod
    def _errors_of_ours(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        error_classes(names, "skip_on")
        return names

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "ImageCaptioner"

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:  # noqa: ANN401 - LlamaIndex's signature
        """The nodes in their order, with a captioned one in the place of each that holds an image.

        Args:
            nodes: documents and nodes of any kind.
            kwargs: ``show_progress`` in the place of the setting; others are not for this transformation.

        Raises:
            FireLLaVAError: what concerns every image (a wrong key or setting, an unknown model, a budget that
                is spent), at once; or, at the end, an error for one that is not in `skip_on`.
        """
        run = CaptionRun(nodes, error_classes(self.skip_on), self.on_failure)
        with closing(self._captioner().captions(run.sources(), concurrency=self.concurrency)) as captions:
            for caption in self._with_progress(captions, len(run.images), kwargs):
                run.take(caption)
        return run.result()

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:  # noqa: ANN401 - as above
        """The asynchronous twin of calling it."""
        run = CaptionRun(nodes, error_classes(self.skip_on), self.on_failure)
        captions = self._captioner().acaptions(run.sources(), concurrency=self.concurrency)
        async with aclosing(captions):
            async for caption in self._with_progress(captions, len(run.images), kwargs):
                run.take(caption)
        return run.result()

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - LlamaIndex's signature
        """The settings as plain values, without a secret; a pipeline knows a transformation by them.

        Beside them stands what the answers depend on, such as a model named in the environment. Where the
        offline reader may answer, and what it says is not to be kept, no two are alike: so a pipeline's cache
        finds nothing again, and captions come from the one for images.
        """
        client = self.llm.client
        told = super().to_dict(**kwargs) | {"answers_depend_on": client.answers_depend_on}
        if client.may_be_answered_by(OfflineReader().label) and not self.keep_degraded:
            told["found_again"] = f"never {uuid.uuid4()}"
        return told

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:  # noqa: ANN401 - LlamaIndex's signature
        """The captioner that `to_dict` told of. Its cache is given again: ``cache=``."""
        derived = {"answers_depend_on", "found_again"}
        return super().from_dict({name: data[name] for name in data.keys() - derived}, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled.

        Raises:
            ConfigurationError: a part cannot be. LlamaIndex's own method would leave it out.
        """
        for name in ("llm", "cache", "on_failure"):
            try:
                pickle.dumps(getattr(self, name))
            except FireLLaVAError:
                raise
            except Exception as error:  # noqa: BLE001 - pickling may raise anything
                raise ConfigurationError(
                    f"This ImageCaptioner cannot go to another process, because its {name}= cannot be "
                    f"pickled ({error}). Run it without num_workers, or give another {name}=."
                ) from None
        return super().__getstate__()

    def _captioner(self) -> Captioner:
        parameters = self.llm._parameters({})  # noqa: SLF001 - the settings of an LLM of this package
        return Captioner(
            self.llm.client,
            self.prompt,
            cache=self.cache,
            keep_degraded=self.keep_degraded,
            parameters={name: value for name, value in parameters.items() if value is not None},
            asker=ReportedQuestions(self.llm),
        )

    def _with_progress(self, captions: Any, images: int, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - what LlamaIndex makes of either kind of iterator
        is_shown = bool(images) and kwargs.get("show_progress", self.show_progress)
        return get_tqdm_iterable(captions, is_shown, "Captioning images", total=images)
