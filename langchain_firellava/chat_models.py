"""`ChatFireLLaVA`: the vision chat API, and what stands behind it, as a LangChain chat model.

Annotations here are read at run time, by pydantic and by LangChain (`with_fallbacks` looks at what methods
return), so none hides behind TYPE_CHECKING.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, closing, suppress
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import BaseModel, field_validator

from firellava import messages as core
from firellava import replies
from firellava.client import VisionClient
from firellava.errors import FireLLaVAError
from firellava.offload import in_thread
from langchain_firellava.caching import keeping_no_degraded_answers
from langchain_firellava.errors import also_errors_of_langchain
from langchain_firellava.profiles import ProfileOfCard, profile_of
from langchain_firellava.settings import CONFIG
from langchain_firellava.token_counting import TokenCounting
from langchain_firellava.translation.messages import ChunkTranslator, to_ai_message, to_core_messages
from langchain_firellava.translation.structured_output import Method, method_for, structured
from langchain_firellava.translation.tool_choice import to_tool_choice
from langchain_firellava.translation.tool_schemas import to_tool_schema

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
        FireLLaVAError: see `firellava.errors`; bad input is refused before anything is sent. Each is a
            `ModelError` of LangChain as well (`langchain_firellava.errors`).
    """

    model_config = CONFIG

    streaming: bool = False

    @property
    def _llm_type(self) -> str:
        return "firellava-chat"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:  # noqa: ANN401
        with also_errors_of_langchain():
            return self._traced("chat", stop, kwargs)

    @field_validator("profile", mode="before")
    @classmethod
    def _not_of_another_card(cls, profile: Any) -> Any:  # noqa: ANN401 - whatever the user gave
        """None where it is to be made: a model configured anew is given the profile of the one before it."""
        return None if isinstance(profile, ProfileOfCard) else profile

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [(name, value) for name, value in super().__repr_args__() if name != "profile"]

    def _resolve_model_profile(self) -> ModelProfile:
        return profile_of(self._client().model_card)

    def _settings_changed(self) -> None:
        super()._settings_changed()
        if isinstance(self.profile, ProfileOfCard):
            with suppress(FireLLaVAError):  # the settings may fit together only when others have changed too
                self.__dict__["profile"] = self._resolve_model_profile()

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
        with also_errors_of_langchain():
            client, parameters = self._call(stop, kwargs)
            return _to_result(client.chat(to_core_messages(messages), **parameters))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain reports the result
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> ChatResult:
        with also_errors_of_langchain():
            client, parameters = self._call(stop, kwargs)
            return _to_result(await client.achat(await _translated(messages), **parameters))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> Iterator[ChatGenerationChunk]:
        translator = ChunkTranslator(as_blocks=self.output_version == "v1")
        with also_errors_of_langchain():
            client, parameters = self._call(stop, kwargs)
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
        translator = ChunkTranslator(as_blocks=self.output_version == "v1")
        with also_errors_of_langchain():
            client, parameters = self._call(stop, kwargs)
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
            tools: functions, tools, pydantic classes, typed dicts, JSON schemas with a title, or tools as
                OpenAI, Anthropic or Bedrock write them; keys that the API does not know are left out.
            tool_choice: ``"auto"``, ``"none"``, ``"any"`` or ``"required"``, the name of a tool, True for
                "any", or an object that names a tool.
            strict: hold arguments to their schema, where the model can.
            kwargs: bound as well, such as ``parallel_tool_calls``.

        Raises:
            InvalidRequest: one of the tools is none, or `tool_choice` names none of them.
        """
        with also_errors_of_langchain():
            schemas = [to_tool_schema(tool, strict=strict) for tool in tools]
            # An agent without tools binds none of them, which the API does not take as a list.
            choice = to_tool_choice(tool_choice, schemas)
            return self.bind(tools=schemas or None, tool_choice=choice, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        include_raw: bool = False,
        method: Method | None = None,
        strict: bool | None = None,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] = (),
        **kwargs: Any,  # noqa: ANN401 - parameters of the call
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """This model with answers in the form of a schema.

        Whether the model can do what `method` needs is found out when it is asked: the error says what else
        to do. An answer that has not the form is an `OutputParserException` that says why: cut off at its
        limit of tokens, held back, or other than asked for. So is one of the offline reader, which fills in
        no schema.

        Streams give what can be read so far: dicts that grow, or pydantic objects from when they are valid.

        Args:
            schema: a pydantic class (answers are its instances), a typed dict or a JSON schema (dicts); none
                for any JSON (``json_mode``).
            include_raw: answer with a dict of ``raw``, ``parsed`` and ``parsing_error`` instead of raising.
            method: ``function_calling`` (a tool call), ``json_schema`` (the server holds the answer to the
                schema), ``json_mode`` (any JSON: describe it in the prompt) or ``prompt`` (the schema is put
                into the prompt, and the JSON found in the answer). By default the best that the model card
                says the model can do.
            strict: hold the answer to the schema, where the model can.
            tools: what the model may call instead of answering; with ``include_raw=True``, where ``parsed``
                is then None.
            kwargs: bound as well, such as ``model``.

        Raises:
            InvalidRequest: these do not go together, or the schema is none.
        """
        with also_errors_of_langchain():
            able = self._client(kwargs.get("model")).model_card.capabilities
            chosen = method or method_for(able, schema=schema, tools=tools)
            return structured(
                self,
                schema,
                method=chosen,
                include_raw=include_raw,
                strict=strict,
                tools=tools,
                **kwargs,
            )

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
