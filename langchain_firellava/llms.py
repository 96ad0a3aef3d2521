"""`FireLLaVACompletions`: the completions API, for those who write their prompts themselves.

Annotations here are read at run time, by pydantic and by LangChain, so none hides behind TYPE_CHECKING.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any, Final, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseLLM, LangSmithParams, LanguageModelInput
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import get_config_list

from firellava.client import VisionClient
from firellava.errors import InvalidRequest
from firellava.images import ImageSource
from firellava.in_order import in_order, in_order_async
from firellava.replies import Reply, ReplyChunk
from firellava.wire.completions import prompt_message
from langchain_firellava.caching import keeping_no_degraded_answers
from langchain_firellava.errors import also_errors_of_langchain
from langchain_firellava.images import BlockInput, image_source
from langchain_firellava.settings import CONFIG
from langchain_firellava.token_counting import TokenCounting
from langchain_firellava.translation.messages import metadata_of, usage_of

__all__ = ["FireLLaVACompletions"]

_AT_ONCE: Final = 8
"""How many prompts of one call are asked at the same time, where nobody says otherwise."""

_OF_THE_RUN: Final = frozenset({"stop", "callbacks", "tags", "metadata", "run_name", "run_id"})
"""What LangChain passes on with a call for its own use."""


class FireLLaVACompletions(TokenCounting, BaseLLM):
    r"""Continue a prompt in the model's own template, with ``<image>`` where each image belongs.

        llm = FireLLaVACompletions(max_tokens=100)
        llm.invoke("USER:\n<image>\nWhat is the total?\n\nASSISTANT:", images=["receipt.jpg"])

    ``images=`` goes with a call or is bound: paths, bytes, Pillow images, `Blob` values or URLs, one for each
    ``<image>``. All prompts of a batch are shown the same images. FireLLaVA's template is in its model card::

        from firellava import model_card

        model_card("firellava-13b").template.render("<image>\nWhat is the total?", system="Be brief.")

    Small errors in a template, such as a missing blank, make answers worse: use `ChatFireLLaVA` wherever the
    prompt need not be written by hand.

    Each generation's ``generation_info`` holds what `ChatFireLLaVA` puts into ``response_metadata``, and
    ``usage_metadata``; the ``llm_output`` of `generate` adds tokens up as ``token_usage``. Several prompts
    are asked at the same time. In `generate` the first that fails ends the others; `batch` asks each on its
    own, and with ``return_exceptions=True`` puts errors in their places. Settings are described in
    `FireLLaVASettings`.

    Raises:
        InvalidRequest: the number of images is not the number of ``<image>`` tokens; nothing was sent.
        FireLLaVAError: see `firellava.errors`. Each is a `ModelError` of LangChain as well.
    """

    model_config = CONFIG

    @property
    def _llm_type(self) -> str:
        return "firellava-completions"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:  # noqa: ANN401
        with also_errors_of_langchain():
            return self._traced("llm", stop, kwargs)

    def generate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:  # noqa: ANN401 - as the base
        """As in `BaseLLM`, but past its cache where the call has images or parameters of its own."""
        return super(FireLLaVACompletions, self._beside_cache(kwargs)).generate(prompts, *args, **kwargs)

    async def agenerate(self, prompts: list[str], *args: Any, **kwargs: Any) -> LLMResult:  # noqa: ANN401
        """The asynchronous twin of `generate`."""
        return await super(FireLLaVACompletions, self._beside_cache(kwargs)).agenerate(
            prompts, *args, **kwargs
        )

    def _beside_cache(self, kwargs: dict[str, Any]) -> Self:
        # The cache key of BaseLLM leaves a call's own arguments out: another image under the same prompt
        # would get this image's answer.
        if kwargs.keys() - _OF_THE_RUN:
            return self.model_copy(update={"cache": False})
        return keeping_no_degraded_answers(self)

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> list[str]:
        """Ask each prompt on its own, on threads: one that fails takes no other with it.

        At most eight at a time, or ``max_concurrency`` of the config.
        """
        kwargs = self._opened(inputs, kwargs, check=not return_exceptions)
        # BaseLLM makes one call of all of them, where one error stands for every prompt.
        return Runnable.batch(
            self, inputs, _bounded(config, inputs), return_exceptions=return_exceptions, **kwargs
        )

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> list[str]:
        """The asynchronous twin of `batch`."""
        kwargs = self._opened(inputs, kwargs, check=not return_exceptions)
        return await Runnable.abatch(
            self, inputs, _bounded(config, inputs), return_exceptions=return_exceptions, **kwargs
        )

    def _opened(
        self, inputs: list[LanguageModelInput], call: dict[str, Any], *, check: bool
    ) -> dict[str, Any]:
        """The arguments of a batch, with images that each of its prompts can be shown."""
        with also_errors_of_langchain():
            sources = _sources(call.get("images"))
            for prompt in inputs if check else ():  # all of them before the first is sent
                prompt_message(self._convert_input(prompt).to_string(), sources)
        return call | {"images": sources} if sources else call

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain reports the result
        images: Sequence[BlockInput] = (),
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> LLMResult:
        with also_errors_of_langchain():
            client, parameters, sources = self._call(prompts, stop, images, kwargs)

            def ask(prompt: str) -> Reply:
                return client.complete(prompt, sources, **parameters)

            # One of them needs no thread.
            replies = map(ask, prompts) if len(prompts) == 1 else in_order(ask, prompts, _AT_ONCE)
            return _to_result(list(replies))

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain reports the result
        images: Sequence[BlockInput] = (),
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> LLMResult:
        with also_errors_of_langchain():
            client, parameters, sources = self._call(prompts, stop, images, kwargs)

            async def ask(prompt: str) -> Reply:
                return await client.acomplete(prompt, sources, **parameters)

            return _to_result([reply async for reply in in_order_async(ask, prompts, _AT_ONCE)])

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        images: Sequence[BlockInput] = (),
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> Iterator[GenerationChunk]:
        with also_errors_of_langchain():
            client, parameters, sources = self._call([prompt], stop, images, kwargs)
            with closing(client.stream_complete(prompt, sources, **parameters)) as chunks:
                for chunk in chunks:
                    if (generation := _generation_chunk(chunk)) is not None:
                        if run_manager:
                            run_manager.on_llm_new_token(generation.text, chunk=generation)
                        yield generation

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        images: Sequence[BlockInput] = (),
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> AsyncIterator[GenerationChunk]:
        with also_errors_of_langchain():
            client, parameters, sources = self._call([prompt], stop, images, kwargs)
            async with aclosing(client.astream_complete(prompt, sources, **parameters)) as chunks:
                async for chunk in chunks:
                    if (generation := _generation_chunk(chunk)) is not None:
                        if run_manager:
                            await run_manager.on_llm_new_token(generation.text, chunk=generation)
                        yield generation

    def _call(
        self,
        prompts: list[str],
        stop: list[str] | None,
        images: Sequence[BlockInput],
        overrides: dict[str, Any],
    ) -> tuple[VisionClient, dict[str, Any], list[ImageSource]]:
        sources = _sources(images)
        for prompt in prompts:  # all of them before the first is sent
            prompt_message(prompt, sources)
        parameters = self._parameters(stop, overrides)
        return self._client(parameters.pop("model", None)), parameters, sources


def _sources(images: Sequence[BlockInput] | None) -> list[ImageSource]:
    """What ``images=`` of a call holds; an image alone is not taken for a list of its letters or bytes."""
    if images is None:
        return []
    if not isinstance(images, list | tuple):
        raise InvalidRequest(
            f"images= takes a list of images, one for each <image>, not {type(images).__name__}: images=[…]."
        )
    return [image_source(image) for image in images]


def _bounded(
    config: RunnableConfig | list[RunnableConfig] | None, inputs: Sequence[object]
) -> list[RunnableConfig]:
    """The config of each input of a batch, with a bound where it says none."""
    return [
        RunnableConfig({"max_concurrency": _AT_ONCE, **each}) for each in get_config_list(config, len(inputs))
    ]


def _to_result(replies: Sequence[Reply]) -> LLMResult:
    return LLMResult(
        generations=[_generations(reply) for reply in replies],
        llm_output={"model_name": replies[0].model} | _token_usage(replies) if replies else {},
    )


def _token_usage(replies: Sequence[Reply]) -> dict[str, Any]:
    """What all of them took, where handlers of completions look for it; nothing where one does not say."""
    counted = [reply.usage for reply in replies if reply.usage is not None]
    if len(counted) < len(replies):
        return {}
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {"token_usage": {name: sum(getattr(usage, name) for usage in counted) for name in names}}


def _generations(reply: Reply) -> list[Generation]:
    return [
        Generation(text=answer.text, generation_info=_generation_info(reply, choice))
        for choice, answer in enumerate(reply.choices)
    ]


def _generation_chunk(chunk: ReplyChunk) -> GenerationChunk | None:
    """The chunk for a piece, or None where it says nothing; what is no increment stands on the last."""
    if chunk.reply is None:
        return GenerationChunk(text=chunk.text) if chunk.text else None
    return GenerationChunk(text=chunk.text, generation_info=_generation_info(chunk.reply, 0))


def _generation_info(reply: Reply, choice: int) -> dict[str, Any]:
    usage = usage_of(reply.usage) if choice == 0 else None
    return metadata_of(reply, choice) | {"usage_metadata": usage}
