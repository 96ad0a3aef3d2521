"""The four methods that answer in the form of a pydantic model; ``as_structured_llm`` ends in them too."""

from __future__ import annotations

from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined] # re-exported
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from llama_index_firellava.settings import FireLLaVASettings
from llama_index_firellava.structured_output import (
    PartialAnswers,
    answer_of,
    ask_for,
    read_answer,
    way_to_ask,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.prompts import BasePromptTemplate

    from llama_index_firellava.structured_output import Way

__all__ = ["StructuredPredictions"]

_Model = TypeVar("_Model", bound=BaseModel)

_dispatcher: Final = get_dispatcher(__name__)

# How the model is asked is decided here; programs of LlamaIndex's own leave these out, too.
_NOT_FOR_CALLERS: Final = frozenset({"tool_required", "tool_choice", "allow_parallel_tool_calls"})


class StructuredPredictions(FireLLaVASettings):
    """Answers in the form of a pydantic model, by what the model card says the model can do."""

    def structured_predict(
        self,
        output_cls: type[_Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,  # noqa: ANN401 - whatever the prompt has places for
    ) -> _Model:
        """Answer a prompt in the form of a pydantic model.

        A model that calls tools calls one that takes the form. Of one that does not, the server is given the
        JSON schema, or, where the model card says that it cannot use one, the schema stands in the prompt.
        ``pydantic_program_mode`` may insist on tools or on the prompt.

        Args:
            output_cls: the form.
            prompt: the prompt; its messages may hold images.
            llm_kwargs: see `firellava.Parameters`.
            prompt_args: values for the prompt.

        Raises:
            StructureMissed: the answer has another form.
            UnsupportedCapability: tools were insisted on, and the model calls none.
            FireLLaVAError: see `firellava.errors`.
        """
        way = self._way()
        if way is None:
            answer: _Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return answer
        self._tell_start(output_cls, prompt, prompt_args)
        messages, parameters = self._asking(output_cls, prompt, prompt_args, way)
        response = self.chat(messages, **parameters, **_of_caller(llm_kwargs))
        return _told(read_answer(answer_of(response), output_cls))

    async def astructured_predict(
        self,
        output_cls: type[_Model],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,  # noqa: ANN401 - whatever the prompt has places for
    ) -> _Model:
        """The asynchronous twin of `structured_predict`."""
        way = self._way()
        if way is None:
            answer: _Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return answer
        self._tell_start(output_cls, prompt, prompt_args)
        messages, parameters = self._asking(output_cls, prompt, prompt_args, way)
        response = await self.achat(messages, **parameters, **_of_caller(llm_kwargs))
        return _told(read_answer(answer_of(response), output_cls))

    def _structured_stream_call(
        self,
        output_cls: type[BaseModel],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,  # noqa: ANN401 - whatever the prompt has places for
    ) -> Generator[Any, None, None]:
        way = self._way()
        if way is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)  # type: ignore[arg-type] # any template works
        messages, parameters = self._asking(output_cls, prompt, prompt_args, way)
        return self._answers(output_cls, messages, parameters | _of_caller(llm_kwargs))

    async def _structured_astream_call(
        self,
        output_cls: type[BaseModel],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,  # noqa: ANN401 - whatever the prompt has places for
    ) -> AsyncGenerator[Any, None]:
        way = self._way()
        if way is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)  # type: ignore[arg-type] # any template works
        messages, parameters = self._asking(output_cls, prompt, prompt_args, way)
        return self._aanswers(output_cls, messages, parameters | _of_caller(llm_kwargs))

    def _answers(
        self, output_cls: type[BaseModel], messages: list[ChatMessage], parameters: dict[str, Any]
    ) -> Generator[BaseModel, None, None]:
        answers = PartialAnswers(output_cls)
        with closing(self.stream_chat(messages, **parameters)) as responses:
            for response in responses:
                if (answer := answers.add(response)) is not None:
                    yield answer
        yield answers.last()

    async def _aanswers(
        self, output_cls: type[BaseModel], messages: list[ChatMessage], parameters: dict[str, Any]
    ) -> AsyncGenerator[BaseModel, None]:
        answers = PartialAnswers(output_cls)
        async with aclosing(await self.astream_chat(messages, **parameters)) as responses:
            async for response in responses:
                if (answer := answers.add(response)) is not None:
                    yield answer
        yield answers.last()

    def _way(self) -> Way | None:
        card = self.client.model_card
        return way_to_ask(self.pydantic_program_mode, card.capabilities, card.name)

    def _asking(
        self,
        output_cls: type[BaseModel],
        prompt: BasePromptTemplate,
        prompt_args: Mapping[str, Any],
        way: Way,
    ) -> tuple[list[ChatMessage], dict[str, Any]]:
        messages = self._extend_messages(self._filled_in(prompt, prompt_args))
        return ask_for(output_cls, messages, way)

    def _filled_in(self, prompt: BasePromptTemplate, prompt_args: Mapping[str, Any]) -> list[ChatMessage]:
        """The prompt's messages."""
        nothing_to_fill_in = not (
            prompt_args or prompt.kwargs or prompt.function_mappings or prompt.output_parser
        )
        if type(prompt) is ChatPromptTemplate and nothing_to_fill_in:
            # What `as_structured_llm` makes of a conversation. LlamaIndex would copy, decode and search its
            # images for places to fill in, and fail at an image given as an open file.
            return list(prompt.message_templates)
        return prompt.format_messages(llm=self, **prompt_args)

    def _tell_start(
        self, output_cls: type[BaseModel], prompt: BasePromptTemplate, prompt_args: dict[str, Any]
    ) -> None:
        _dispatcher.event(
            LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        )


def _of_caller(llm_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (llm_kwargs or {}).items() if name not in _NOT_FOR_CALLERS}


def _told(answer: _Model) -> _Model:
    _dispatcher.event(LLMStructuredPredictEndEvent(output=answer))
    return answer
