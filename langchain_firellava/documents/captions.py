"""Captions of images as Documents: `ImageCaptionParser` takes blobs, `ImageCaptionLoader` many at once."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sized
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any

from langchain_core.document_loaders import BaseBlobParser, BaseLoader, BlobLoader
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from firellava.captions import DEFAULT_PROMPT, Captioner, CaptionFailed
from firellava.errors import ConfigurationError
from langchain_firellava.chat_models import ChatFireLLaVA
from langchain_firellava.documents.blob_pages import BlobPages, FailedImage
from langchain_firellava.documents.progress import Progress
from langchain_firellava.documents.questions import ChatModelAsker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from firellava.captions import Caption, CaptionCache
    from langchain_firellava.documents.blob_pages import BlobPage

__all__ = ["ImageCaptionLoader", "ImageCaptionParser"]

_logger = logging.getLogger("langchain_firellava")


class ImageCaptionParser(BaseBlobParser):
    """Makes a Document of each image: its caption to search by, and in the metadata where the image is.

        parser = ImageCaptionParser(ChatFireLLaVA(), cache=DiskCaptionCache("captions.db"))
        loader = GenericLoader.from_filesystem("photos", glob="*.jpg", parser=parser)
        vector_store.add_documents(loader.load())

    A PDF (with the extra ``pdf``) or TIFF file gives a Document for each page. Images are read under the
    model's ``image_roots``; whatever its backends, fallback, budget, hooks and callbacks do with other calls
    they do with these, and LangChain's callbacks and tracers see each.

    The metadata are those of the blob and: ``source``, ``page`` (from 1) of ``total_pages``, ``content_hash``
    (of the file), ``mime_type`` (by its content), ``width`` and ``height`` in pixels, ``model``, ``backend``,
    ``degraded`` (True for what the offline reader says), ``cost_usd`` (a string, or None where it is
    unknown), ``from_cache`` (True where nothing was paid this time), ``input_tokens``, ``output_tokens``,
    ``total_tokens`` and ``image_tokens`` where they are known. `documents_to_message` finds the images by it.

    An image that cannot be described gives no Document; it is reported, and the rest go on. An error that
    every image would meet, such as a wrong key or a spent budget, is raised. An image without a name in which
    nothing could be described gives an empty Document: LangChain's PDF loaders, which take this parser as
    ``images_parser=`` for the pictures in a page, expect one of each. (`PyPDFium2Loader` hands red and blue
    over the wrong way round.)

    A loader that hands over one blob at a time, as `GenericLoader` does, has the pages of one file described
    at a time; `ImageCaptionLoader` or `lazy_parse_all` take many files at once.

    Args:
        llm: the model.
        prompt: what is asked about each image.
        cache: where captions are kept, such as a `firellava.captions.DiskCaptionCache`; None keeps none.
        keep_degraded: keep what the offline reader says too.
        concurrency: how many images are in memory, and asked about, at most.
        show_progress: show a progress bar.
        on_error: is told of each image without a caption, instead of the log: ``failed.append`` collects
            them. What it raises ends the run.

    Raises:
        ConfigurationError: `llm` or `concurrency` is something else.
        InvalidRequest: the prompt is empty.
        MissingExtra: progress is to be shown, and tqdm is not installed; when images are parsed.
    """

    def __init__(
        self,
        llm: ChatFireLLaVA,
        *,
        prompt: str = DEFAULT_PROMPT,
        cache: CaptionCache | None = None,
        keep_degraded: bool = False,
        concurrency: int = 8,
        show_progress: bool = False,
        on_error: Callable[[FailedImage], object] | None = None,
    ) -> None:
        if not isinstance(llm, ChatFireLLaVA):
            raise ConfigurationError(
                f"ImageCaptionParser takes a ChatFireLLaVA, not {type(llm).__name__}. What was bound to a "
                "model can be set on it, and its fallback= stands for with_fallbacks."
            )
        self.llm = llm
        self.prompt = prompt
        self.cache = cache
        self.keep_degraded = keep_degraded
        self.concurrency = concurrency
        self.show_progress = show_progress
        self.on_error = on_error
        self._captioner().captions([], concurrency=concurrency)  # what is wrong shows now

    def __repr__(self) -> str:
        return f"ImageCaptionParser({self.llm._client()!r}, cache={self.cache!r})"  # noqa: SLF001 - one package

    def lazy_parse(self, blob: Blob) -> Generator[Document, None, None]:
        """A Document for each page of an image file, in order, as they are described.

        Raises:
            FireLLaVAError: every image would meet it.
        """
        return self.lazy_parse_all([blob])

    def alazy_parse(self, blob: Blob) -> AsyncGenerator[Document, None]:
        """The asynchronous twin of `lazy_parse`."""
        return self.alazy_parse_all([blob])

    async def aparse(self, blob: Blob) -> list[Document]:
        """The asynchronous twin of `parse`."""
        return [document async for document in self.alazy_parse(blob)]

    def lazy_parse_all(self, blobs: Iterable[Blob]) -> Generator[Document, None, None]:
        """A Document for each image of many files, in order, several described at the same time.

        Args:
            blobs: is read when there is room for another image.

        Raises:
            FireLLaVAError: every image would meet it.
        """
        run = _Run(self, blobs)
        # Asked for here: context variables are those of this call.
        return run.documents(self._captioner().captions(run.pages, concurrency=self.concurrency))

    def alazy_parse_all(self, blobs: Iterable[Blob]) -> AsyncGenerator[Document, None]:
        """The asynchronous twin of `lazy_parse_all`; `blobs` are read on a thread."""
        run = _Run(self, blobs)
        return run.adocuments(self._captioner().acaptions(run.pages, concurrency=self.concurrency))

    def _captioner(self) -> Captioner:
        client, parameters = self.llm._call(None, {})  # noqa: SLF001 - one package
        return Captioner(
            client,
            prompt=self.prompt,
            cache=self.cache,
            keep_degraded=self.keep_degraded,
            parameters=parameters,
            asker=ChatModelAsker(self.llm),
        )


class ImageCaptionLoader(BaseLoader):
    """Loads the captions of many image files, several at the same time.

        loader = ImageCaptionLoader(FileSystemBlobLoader("photos", suffixes=[".jpg"]), parser)
        vector_store.add_documents(loader.load())

    Args:
        blobs: the files: what finds blobs, as for `GenericLoader`, or the blobs themselves.
        parser: describes them.

    Raises:
        ConfigurationError: `blobs` is something else, such as a path.
    """

    def __init__(self, blobs: BlobLoader | Iterable[Blob], parser: ImageCaptionParser) -> None:
        given: object = blobs
        if not isinstance(given, Iterable | BlobLoader) or isinstance(given, str | bytes | Blob):
            raise ConfigurationError(
                f"ImageCaptionLoader takes blobs, or what finds them, not {type(blobs).__name__}: "
                "[Blob.from_path(…)], or FileSystemBlobLoader(folder) of langchain_community."
            )
        self.blobs = blobs
        self.parser = parser

    def lazy_load(self) -> Iterator[Document]:
        """A Document for each image; see `ImageCaptionParser`.

        Raises:
            FireLLaVAError: every image would meet it.
        """
        return self.parser.lazy_parse_all(self._found())

    async def alazy_load(self) -> AsyncIterator[Document]:
        """The asynchronous twin of `lazy_load`."""
        async with aclosing(self.parser.alazy_parse_all(self._found())) as documents:
            async for document in documents:
                yield document

    def _found(self) -> Iterable[Blob]:
        return self.blobs.yield_blobs() if isinstance(self.blobs, BlobLoader) else self.blobs


class _Run:
    """The captions of some blobs on their way to Documents."""

    def __init__(self, parser: ImageCaptionParser, blobs: Iterable[Blob]) -> None:
        self._parser = parser
        self._progress = Progress(
            len(blobs) if isinstance(blobs, Sized) else None, shown=parser.show_progress
        )
        self.pages = BlobPages(blobs, parser.llm.image_roots, self._progress.opened)

    def documents(
        self, results: Generator[Caption | CaptionFailed, None, None]
    ) -> Generator[Document, None, None]:
        with self._progress, closing(results):
            for result in results:
                yield from self._of(result)
            yield from self._of_failures()

    async def adocuments(
        self, results: AsyncGenerator[Caption | CaptionFailed, None]
    ) -> AsyncGenerator[Document, None]:
        with self._progress:
            async with aclosing(results):
                async for result in results:
                    for document in self._of(result):
                        yield document
            for document in self._of_failures():
                yield document

    def _of(self, result: Caption | CaptionFailed) -> Iterator[Document]:
        yield from self._of_failures()
        page = self.pages.next_page()
        if isinstance(result, CaptionFailed):
            yield from self._of_failure(FailedImage(page.blob, page.page, result.error))
        else:
            self._progress.done()
            yield Document(result.text, metadata=_metadata(result, page))

    def _of_failures(self) -> Iterator[Document]:
        for failed in self.pages.failures():
            yield from self._of_failure(failed)

    def _of_failure(self, failed: FailedImage) -> Iterator[Document]:
        self._progress.done()
        if self._parser.on_error is None:
            _logger.warning("%s", failed)
        else:
            self._parser.on_error(failed)
        if failed.blob.source is None:
            yield Document("", metadata={**failed.blob.metadata, "source": None})


def _metadata(caption: Caption, page: BlobPage) -> dict[str, Any]:
    usage = caption.usage
    told: dict[str, Any] = {
        **page.blob.metadata,
        "source": page.blob.source,
        "page": caption.page,
        "total_pages": page.pages,
        "content_hash": caption.content_hash,
        "mime_type": caption.mime_type,
        "width": caption.size[0],
        "height": caption.size[1],
        "model": caption.model,
        "backend": caption.backend,
        "degraded": caption.degraded,
        "from_cache": caption.from_cache,
        "cost_usd": None if caption.cost_usd is None else f"{caption.cost_usd:f}",
    }
    if usage is not None:
        told |= {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
        if usage.image_tokens is not None:
            told["image_tokens"] = usage.image_tokens
    return told
