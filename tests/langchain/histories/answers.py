"""Conversations with what models say besides text: reasoning, citations, standard blocks, streamed pieces."""

from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage

from tests.langchain.histories.history import ASK, History, asked

_CALL = {"id": "call_1", "name": "add", "args": {"a": 3, "b": 4}}
_HI = {"type": "text", "text": "Hi."}
_REASONING = {"type": "reasoning", "reasoning": "A greeting."}
_CITATION = {"type": "citation", "url": "https://example.com/", "title": "Greetings", "cited_text": "Hi."}
_SEVEN = ToolMessage("7", tool_call_id="call_1")


def _after(said: AIMessage, *more: BaseMessage) -> History:
    return History([HumanMessage("Hello"), said, *(more or asked(ASK))])


def _v1(*blocks: Any, **fields: Any) -> AIMessage:
    return AIMessage(list(blocks), response_metadata={"output_version": "v1"}, **fields)


def _streamed(*chunks: AIMessageChunk) -> AIMessage:
    return reduce(add, chunks)


ANSWERS: dict[str, History] = {
    "reasoning beside the text": _after(
        AIMessage("Hi.", additional_kwargs={"reasoning_content": "A greeting."})
    ),
    "reasoning in a block": _after(AIMessage([_REASONING, _HI])),
    "reasoning before a call": _after(
        AIMessage("", tool_calls=[_CALL], additional_kwargs={"reasoning_content": "A sum."}), _SEVEN
    ),
    "reasoning of Anthropic": _after(
        AIMessage(
            [{"type": "thinking", "thinking": "A greeting.", "signature": "x"}, _HI],
            response_metadata={"model_provider": "anthropic"},
        )
    ),
    "reasoning of OpenAI Responses": _after(
        AIMessage(
            [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}, _HI],
            response_metadata={"model_provider": "openai"},
        )
    ),
    "search of OpenAI Responses": _after(
        AIMessage(
            [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, {**_HI, "annotations": []}],
            response_metadata={"model_provider": "openai"},
        )
    ),
    "search of Anthropic": _after(
        AIMessage(
            [
                {"type": "server_tool_use", "id": "s_1", "name": "web_search", "input": {"query": "hi"}},
                {"type": "web_search_tool_result", "tool_use_id": "s_1", "content": []},
                {**_HI, "citations": [{"type": "web_search_result_location", "url": "https://example.com/"}]},
            ],
            response_metadata={"model_provider": "anthropic"},
        )
    ),
    "refusal": _after(AIMessage([{"type": "refusal", "refusal": "No."}])),
    "refusal in additional_kwargs": _after(AIMessage("", additional_kwargs={"refusal": "No."})),
    "sound in additional_kwargs": _after(AIMessage("Hi.", additional_kwargs={"audio": {"id": "audio_1"}})),
    "parsed answer in additional_kwargs": _after(
        AIMessage('{"a": 1}', additional_kwargs={"parsed": {"a": 1}}, usage_metadata=None)
    ),
    "counted answer": _after(
        AIMessage(
            "Hi.",
            response_metadata={"model_name": "m", "finish_reason": "stop", "logprobs": None},
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        )
    ),
    "v1 text": _after(_v1({**_HI, "index": 0, "id": "lc_1"})),
    "v1 text and citation": _after(_v1({**_HI, "annotations": [_CITATION], "extras": {"signature": "x"}})),
    "v1 texts": _after(_v1(_HI, {"type": "text", "text": "And welcome."})),
    "v1 reasoning": _after(_v1(_REASONING, _HI)),
    "v1 reasoning with extras": _after(_v1({**_REASONING, "id": "rs_1", "extras": {"signature": "x"}}, _HI)),
    "v1 call": _after(_v1({"type": "tool_call", **_CALL}, tool_calls=[_CALL]), _SEVEN),
    "v1 text and call": _after(_v1(_HI, {"type": "tool_call", **_CALL}, tool_calls=[_CALL]), _SEVEN),
    "v1 call in the content alone": _after(_v1({"type": "tool_call", **_CALL}), _SEVEN),
    "v1 reasoning and call": _after(
        _v1(_REASONING, {"type": "tool_call", **_CALL}, tool_calls=[_CALL]), _SEVEN
    ),
    "v1 call of a server's tool": _after(
        _v1(
            {"type": "server_tool_call", "id": "s_1", "name": "web_search", "args": {"query": "hi"}},
            {"type": "server_tool_result", "tool_call_id": "s_1", "status": "success", "output": []},
            _HI,
        )
    ),
    "v1 block of another service": _after(_v1({"type": "non_standard", "value": {"type": "sketch"}}, _HI)),
    "streamed text": _after(
        _streamed(AIMessageChunk(content="H", id="run-1"), AIMessageChunk(content="i.", id="run-1"))
    ),
    "streamed text in blocks": _after(
        _streamed(
            AIMessageChunk(content=[{"type": "text", "text": "H", "index": 0}]),
            AIMessageChunk(content=[{"type": "text", "text": "i.", "index": 0}]),
            AIMessageChunk(content=[], chunk_position="last"),
        )
    ),
    "streamed reasoning and call": _after(
        _streamed(
            AIMessageChunk(content="", additional_kwargs={"reasoning_content": "A "}),
            AIMessageChunk(content="", additional_kwargs={"reasoning_content": "sum."}),
            AIMessageChunk(
                content="", tool_call_chunks=[{"id": "call_1", "name": "add", "args": '{"a": 3', "index": 0}]
            ),
            AIMessageChunk(
                content="", tool_call_chunks=[{"id": None, "name": None, "args": ', "b": 4}', "index": 0}]
            ),
            AIMessageChunk(content="", chunk_position="last"),
        ),
        _SEVEN,
    ),
    "streamed calls in parallel": _after(
        _streamed(
            *(
                AIMessageChunk(
                    content="",
                    tool_call_chunks=[{"id": f"call_{n}", "name": "add", "args": "{}", "index": n}],
                )
                for n in (1, 2)
            )
        ),
        _SEVEN,
        ToolMessage("8", tool_call_id="call_2"),
    ),
    "stream that broke off in a call": _after(
        _streamed(
            AIMessageChunk(content="Well."),
            AIMessageChunk(
                content="", tool_call_chunks=[{"id": "call_1", "name": "add", "args": '{"a": ', "index": 0}]
            ),
        ),
        _SEVEN,
    ),
}
