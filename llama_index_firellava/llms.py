"""`FireLLaVA`: LlamaIndex's LLM interface over `firellava.VisionClient`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW, DEFAULT_NUM_OUTPUTS
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from firellava.errors import InvalidRequest
from llama_index_firellava.counting.image_tokens import counts_images
from llama_index_firellava.function_calling import FunctionCalling
from llama_index_firellava.images import to_image_sources, to_image_sources_async
from llama_index_firellava.messages import (
    to_messages,
    to_messages_async,
    to_question,
    to_question_async,
)
from llama_index_firellava.responses import (
    ChatStream,
    CompletionStream,
    achunks_to_responses,
    chat_response,
    chunks_to_responses,
    completion_response,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import (
        ChatResponse,
        ChatResponseAsyncGen,
        ChatResponseGen,
        CompletionResponse,
        CompletionResponseAsyncGen,
        CompletionResponseGen,
    )

    from llama_index_firellava.images import ImageDocumentLike

__all__ = ["FireLLaVA"]


class FireLLaVA(FunctionCalling):
    """Fireworks' vision models, FireLLaVA-13b by default, as a LlamaIndex LLM.

    Messages may hold images as ImageBlock, by path, bytes or URL, and documents as DocumentBlock: an image, a
    TIFF file or, with the extra ``pdf``, a PDF file, whose pages are sent as images. What the model reasoned
    goes back to it; cache points are left out; audio, video and citations are refused by name.

    The four complete methods take ``image_documents=`` too, as ``MultiModalLLM`` did: ImageDocument,
    ImageNode, ImageBlock. With ``formatted=True`` they send the prompt to the completions API as it is, with
    ``<image>`` where each image belongs; otherwise they ask one chat question, images first.

    Answers in the form of a pydantic model (``structured_predict``, ``as_structured_llm`` and their twins)
    are asked for as the model card says that the model can: by a tool, by a JSON schema, or in the prompt.

    Long conversations: the API keeps no state, so every image is sent again with every turn. Its makers
    advise URLs instead of inlined images there; URLs are passed through and not downloaded here.

    A response's ``additional_kwargs`` hold prompt_tokens, completion_tokens, total_tokens, image_tokens,
    cost_usd, backend, degraded, fallback_from, request_id and more; None where nobody said.

    Attributes:
        model: a model of the API, short or full; default ``FIRELLAVA_MODEL``, else FireLLaVA-13b.
        api_key: default ``FIREWORKS_API_KEY``. Never printed, serialised or pickled.
        base_url: default ``FIREWORKS_API_BASE``, else the public service.
        backend: what to ask first, in the place of the three above.
        card: what is known about the model, as a card or the name of one. A deployment of your own keeps
            FireLLaVA's rules with ``card="firellava-13b"``.
        fallback: what answers when the first backend cannot: a backend, several in order, ``"auto"`` for what
            this machine has, or None to raise the error.
        timeout: seconds for one attempt, until its reply or the first piece of a stream is there, and
            between pieces.
        deadline: seconds for all attempts of all backends together.
        max_retries: further attempts of the same backend, where another one makes sense.
        local_only: ask nothing but this machine, ever.
        fallback_on: the errors, as classes or by name, for which the next backend is asked.
        prices: dollars per million tokens, where you know better than the price list.
        budget: what may be spent; share one between models.
        hooks: who is told of each call when it is over, such as a `firellava.Ledger`.
        fit: how images are made to fit, where the model card is not to decide: ``letterbox``, ``contain``,
            ``tiles`` for dense pages, or ``none`` for the pixels as given.
        limits: what is done about the limits of the model card: ``"adjust"`` makes images smaller where that
            helps and tells so, ``"strict"`` raises, ``"off"`` leaves it to the server.
        image_urls: what is done with images given by URL where the backend takes URLs: ``"pass"`` them on,
            ``"check"`` each and inline what the server would drop, ``"inline"`` all.
        fetch_policy: what may be downloaded here.
        keep_images: how many images of a conversation are sent, the newest; by default all.
        image_roots: a folder or folders from which images may be read; anywhere by default. Set it wherever
            messages or stored nodes come from others: a block that came through JSON looks like the
            developer's own.
        describe_metadata: names of EXIF tags (``["DateTime"]``) to tell the model as text. Images themselves
            are always sent without metadata.
        http_client: your own ``httpx.Client`` for synchronous calls; it stays yours to close.
        http_async_client: your own ``httpx.AsyncClient`` for asynchronous calls.
        temperature: 0 to 2.
        max_tokens: tokens the answer may have.
        top_p: 0 to 1.
        top_k: 0 or more.
        stop: up to four texts that end the answer.
        seed: for answers that repeat as far as the service can.
        additional_kwargs: further `firellava.Parameters` by name; any other key goes into the request as it
            is. Keyword arguments of a call override all of these.
        key_withheld: a key was given in code, and stayed behind when this object was pickled or serialised.

    Raises:
        ConfigurationError: a setting is unknown or wrong, or contradicts another.
        FireLLaVAError: from every call; bad input is refused before anything is sent.
    """

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "FireLLaVA"

    @property
    def metadata(self) -> LLMMetadata:
        """What the model card says; LlamaIndex's defaults where it says nothing."""
        card = self.client.model_card
        return LLMMetadata(
            context_window=card.context_window or DEFAULT_CONTEXT_WINDOW,
            num_output=self.max_tokens or DEFAULT_NUM_OUTPUTS,
            is_chat_model=True,
            is_function_calling_model=card.capabilities.tools,
            model_name=card.name,
        )

    @counts_images
    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:  # noqa: ANN401 - see Parameters
        """Answer a conversation."""
        sent = to_messages(messages, self.image_roots)
        return chat_response(self.client.chat(sent, **self._parameters(kwargs)))

    @counts_images
    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:  # noqa: ANN401
        """The asynchronous twin of `chat`."""
        sent = await to_messages_async(messages, self.image_roots)
        return chat_response(await self.client.achat(sent, **self._parameters(kwargs)))

    @counts_images
    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:  # noqa: ANN401
        """Answer a conversation piece by piece; the last piece is the whole response."""
        sent = to_messages(messages, self.image_roots)
        chunks = self.client.stream(sent, **self._parameters(kwargs))
        return chunks_to_responses(chunks, ChatStream())

    @counts_images
    @llm_chat_callback()
    async def astream_chat(
        self,
        messages: Sequence[ChatMessage],
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> ChatResponseAsyncGen:
        """The asynchronous twin of `stream_chat`."""
        sent = await to_messages_async(messages, self.image_roots)
        chunks = self.client.astream(sent, **self._parameters(kwargs))
        return achunks_to_responses(chunks, ChatStream())

    @llm_completion_callback()
    def complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        *,
        image_documents: Sequence[ImageDocumentLike] | None = None,
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> CompletionResponse:
        """Answer a prompt about images.

        Args:
            prompt: the question; with `formatted`, a prompt in the model's own template with ``<image>`` for
                each image.
            formatted: send the prompt to the completions API as it is.
            image_documents: the images.
            kwargs: see `firellava.Parameters`.
        """
        parameters = self._parameters(kwargs)
        if _is_formatted(formatted):
            images = to_image_sources(image_documents, self.image_roots)
            reply = self.client.complete(prompt, images, **parameters)
        else:
            question = to_question(prompt, image_documents, self.image_roots)
            reply = self.client.chat([question], **parameters)
        return completion_response(reply)

    @llm_completion_callback()
    async def acomplete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        *,
        image_documents: Sequence[ImageDocumentLike] | None = None,
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> CompletionResponse:
        """The asynchronous twin of `complete`."""
        parameters = self._parameters(kwargs)
        if _is_formatted(formatted):
            images = await to_image_sources_async(image_documents, self.image_roots)
            reply = await self.client.acomplete(prompt, images, **parameters)
        else:
            question = await to_question_async(prompt, image_documents, self.image_roots)
            reply = await self.client.achat([question], **parameters)
        return completion_response(reply)

    @llm_completion_callback()
    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        *,
        image_documents: Sequence[ImageDocumentLike] | None = None,
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> CompletionResponseGen:
        """`complete`, piece by piece; the last piece is the whole response."""
        parameters = self._parameters(kwargs)
        if _is_formatted(formatted):
            images = to_image_sources(image_documents, self.image_roots)
            chunks = self.client.stream_complete(prompt, images, **parameters)
        else:
            question = to_question(prompt, image_documents, self.image_roots)
            chunks = self.client.stream([question], **parameters)
        return chunks_to_responses(chunks, CompletionStream())

    @llm_completion_callback()
    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        *,
        image_documents: Sequence[ImageDocumentLike] | None = None,
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> CompletionResponseAsyncGen:
        """The asynchronous twin of `stream_complete`."""
        parameters = self._parameters(kwargs)
        if _is_formatted(formatted):
            images = await to_image_sources_async(image_documents, self.image_roots)
            chunks = self.client.astream_complete(prompt, images, **parameters)
        else:
            question = await to_question_async(prompt, image_documents, self.image_roots)
            chunks = self.client.astream([question], **parameters)
        return achunks_to_responses(chunks, CompletionStream())


def _is_formatted(formatted: object) -> bool:
    """Whether the prompt is complete; code for ``MultiModalLLM`` may have put the images in its place."""
    if not isinstance(formatted, bool):
        raise InvalidRequest("formatted= is True or False: give images by name, image_documents=[…].")
    return formatted
