"""The methods in which tools are offered to the model, and its calls of them understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole

from llama_index_firellava.structured_predictions import StructuredPredictions
from llama_index_firellava.tool_calls import (
    first_call_only,
    react_settings,
    selected_tools,
    tool_parameters,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index.core.base.llms.types import ChatResponse
    from llama_index.core.chat_engine.types import AgentChatResponse
    from llama_index.core.llms.llm import ToolSelection
    from llama_index.core.tools.types import BaseTool

__all__ = ["FunctionCalling"]


class FunctionCalling(StructuredPredictions):
    """Tools for models that call them, and, in `predict_and_call`, for those that do not."""

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002, FBT001, FBT002 - LlamaIndex's signature
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        tool_required: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> dict[str, Any]:
        """What `chat` and its twins take so that the model calls tools.

        ``tool_choice=`` may be one of the API's words, the API's own object, or the name of a tool.
        """
        messages = list(chat_history or [])
        if isinstance(user_msg, str):
            user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
        if user_msg is not None:
            messages.append(user_msg)
        choice = kwargs.pop("tool_choice", None)
        calling = tool_parameters(tools, choice, required=tool_required, parallel=allow_parallel_tool_calls)
        return {"messages": messages, **calling, **kwargs}

    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],  # noqa: ARG002 - LlamaIndex's signature
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,  # noqa: ANN401, ARG002 - LlamaIndex's signature
    ) -> ChatResponse:
        return response if allow_parallel_tool_calls else first_call_only(response)

    def predict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        error_on_tool_error: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> AgentChatResponse:
        """Let the model choose tools, and call them.

        A model that calls no tools is told of them in the prompt and asked to think aloud (ReAct); what goes
        wrong then is LlamaIndex's to tell, in the response.
        """
        answer: AgentChatResponse = super().predict_and_call(
            tools,
            user_msg,
            chat_history,
            verbose,
            allow_parallel_tool_calls,
            error_on_no_tool_call,
            error_on_tool_error,
            **self._thinking_aloud() | kwargs,
        )
        return answer

    async def apredict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        error_on_tool_error: bool = False,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,  # noqa: ANN401 - see Parameters
    ) -> AgentChatResponse:
        """The asynchronous twin of `predict_and_call`."""
        answer: AgentChatResponse = await super().apredict_and_call(
            tools,
            user_msg,
            chat_history,
            verbose,
            allow_parallel_tool_calls,
            error_on_no_tool_call,
            error_on_tool_error,
            **self._thinking_aloud() | kwargs,
        )
        return answer

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **kwargs: Any,  # noqa: ANN401, ARG002 - LlamaIndex's signature
    ) -> list[ToolSelection]:
        """The tools the model wants called; of a reply still streaming, with the arguments so far.

        Raises:
            ValueError: it wants none, and `error_on_no_tool_call` is set.
        """
        return selected_tools(response, error_on_none=error_on_no_tool_call)

    def _thinking_aloud(self) -> dict[str, Any]:
        """What LlamaIndex needs for a model without tools, and leaves out by itself: it fails without."""
        if self.metadata.is_function_calling_model:
            return {}
        return react_settings()
