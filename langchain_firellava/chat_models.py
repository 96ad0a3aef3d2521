"""`ChatFireLLaVA`: the vision chat API, and what stands behind it, as a LangChain chat model.

Annotations here are read at run time, by pydantic and by LangChain (`with_fallbacks` looks at what methods
return), so none hides behind TYPE_CHECKING.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from firellava import messages as core
from firellava import replies
from firellava.client import VisionClient
from firellava.offload import in_thread
from langchain_firellava.caching import keeping_no_degraded_answers
from langchain_firellava.messages import PROVIDER, ChunkTranslator, to_ai_message, to_core_messages
from langchain_firellava.settings import CONFIG
from langchain_firellava.structured_output import Method, structured
from langchain_firellava.token_counting import TokenCounting
from langchain_firellava.tool_choice import to_tool_choice

__all__ = ["ChatFireLLaVA"]


class ChatFireLLaVA(TokenCounting, BaseChatModel):
    """Ask FireLLaVA, or another vision model of the API, about images.

        llm = ChatFireLLaVA(temperature=0, fallback="auto")
        question = {"type": "text", "text": "What is the total?"}
        llm.invoke([HumanMessage([question, image_block("receipt.jpg")])])

    Content blocks with images may have any shape LangChain knows; `image_block` makes one from a path, bytes,
    a Pillow image, a `Blob` or a URL. A string inside a message never opens a file.

    The API keeps no state, so every image of a conversation is sent again with every turn. Its makers advise
    URLs instead of inlined images in long conversations; URLs are passed through and not downloaded here.

    An answer's ``response_metadata`` says who gave it (``backend``, ``degraded``, ``fallback_from``), what it
    cost (``cost_usd``, a string, or None where it is unknown) and ``request_id``; ``usage_metadata`` counts
    whole tokens, with ``input_token_details["image"]`` where the model card has a rule.

    Any of the `firellava.Parameters`, ``stop`` and ``model`` can be given with a call or bound. Settings are
    described in `FireLLaVASettings`.

    Attributes:
        streaming: let `invoke` stream, so that callbacks see tokens as they come.

    Raises:
        FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent.
    """

    model_config = CONFIG

    streaming: bool = False

    @property
    def _llm_type(self) -> str:
        return "firellava-chat"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:  # noqa: ANN401
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = PROVIDER
        params["ls_model_name"] = kwargs.get("model") or self._model_name
        return params

    def _generate_with_cache(self, *args: Any, **kwargs: Any) -> ChatResult:  # noqa: ANN401 - as the base
        return super(ChatFireLLaVA, keeping_no_degraded_answers(self))._generate_with_cache(*args, **kwargs)

    async def _agenerate_with_cache(self, *args: Any, **kwargs: Any) -> ChatResult:  # noqa: ANN401 - as the base
        model = keeping_no_degraded_answers(self)
        return await super(ChatFireLLaVA, model)._agenerate_with_cache(*args, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain reports the result
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> ChatResult:
        client, parameters = self._call(stop, kwargs)
        return _to_result(client.chat(to_core_messages(messages), **parameters))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain reports the result
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> ChatResult:
        client, parameters = self._call(stop, kwargs)
        return _to_result(await client.achat(await _translated(messages), **parameters))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> Iterator[ChatGenerationChunk]:
        client, parameters = self._call(stop, kwargs)
        translator = ChunkTranslator()
        with closing(client.stream(to_core_messages(messages), **parameters)) as chunks:
            for chunk in chunks:
                if (message := translator.translate(chunk)) is not None:
                    generation = ChatGenerationChunk(message=message)
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=generation)
                    yield generation

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> AsyncIterator[ChatGenerationChunk]:
        client, parameters = self._call(stop, kwargs)
        translator = ChunkTranslator()
        async with aclosing(client.astream(await _translated(messages), **parameters)) as chunks:
            async for chunk in chunks:
                if (message := translator.translate(chunk)) is not None:
                    generation = ChatGenerationChunk(message=message)
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=generation)
                    yield generation

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools it may call. A model whose card says it calls none refuses when it is asked.

        Args:
            tools: functions, tools, pydantic classes, typed dicts or JSON schemas.
            tool_choice: ``"auto"``, ``"none"``, ``"any"`` or ``"required"``, the name of a tool, True for
                "any", or the API's own object.
            strict: hold arguments to their schema, where the model can.
            kwargs: bound as well, such as ``parallel_tool_calls``.

        Raises:
            InvalidRequest: `tool_choice` names no tool.
        """
        formatted = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        return self.bind(tools=formatted, tool_choice=to_tool_choice(tool_choice, formatted), **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Method | None = None,
        strict: bool | None = None,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """This model with answers in the form of a schema.

        Args:
            schema: a pydantic class (answers are its instances), a typed dict or a JSON schema (dicts).
            include_raw: answer with a dict of ``raw``, ``parsed`` and ``parsing_error`` instead of raising.
            method: ``function_calling`` (a tool call), ``json_schema`` (the server holds the answer to the
                schema) or ``json_mode`` (any JSON: describe it in the prompt). By default the first of these
                that the model card says the model can do.
            strict: hold the answer to the schema, where the model can.
            kwargs: bound as well.
        """
        if method is None:
            method = "function_calling" if self._client().model_card.capabilities.tools else "json_schema"
        return structured(self, schema, method=method, include_raw=include_raw, strict=strict, **kwargs)

    def _call(self, stop: list[str] | None, overrides: dict[str, Any]) -> tuple[VisionClient, dict[str, Any]]:
        parameters = self._parameters(stop, overrides)
        return self._client(parameters.pop("model", None)), parameters


def _to_result(reply: replies.Reply) -> ChatResult:
    answers = [to_ai_message(reply, choice) for choice in range(len(reply.choices))]
    return ChatResult(generations=[ChatGeneration(message=answer) for answer in answers])


async def _translated(messages: list[BaseMessage]) -> list[core.Message]:
    """The messages as the core's; the base64 of images is decoded where it holds up no event loop."""
    if all(isinstance(message.content, str) for message in messages):
        return to_core_messages(messages)
    return await in_thread(to_core_messages, messages)
