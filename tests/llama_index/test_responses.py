"""From pieces of a reply to responses: what no server can be made to show."""

from collections.abc import AsyncGenerator, Generator

from firellava import Choice, Reply, ReplyChunk, ToolCall
from firellava.replies import ToolCallChunk
from llama_index_firellava.responses import (
    ChatStream,
    CompletionStream,
    achunks_to_responses,
    chunks_to_responses,
    completion_response,
)


def test_closing_the_responses_closes_the_pieces() -> None:
    closed = []

    def pieces() -> Generator[ReplyChunk, None, None]:
        try:
            yield ReplyChunk(text="one")
            yield ReplyChunk(text="two")
        finally:
            closed.append(True)

    chunks = pieces()
    responses = chunks_to_responses(chunks, ChatStream())
    assert next(responses).delta == "one"
    responses.close()
    assert closed


async def test_closing_the_responses_closes_the_pieces_asynchronously() -> None:
    closed = []

    async def pieces() -> AsyncGenerator[ReplyChunk, None]:
        try:
            yield ReplyChunk(text="one")
            yield ReplyChunk(text="two")
        finally:
            closed.append(True)

    chunks = pieces()
    responses = achunks_to_responses(chunks, CompletionStream())
    assert (await anext(responses)).delta == "one"
    await responses.aclose()
    assert closed


def test_interleaved_tool_calls_grow_side_by_side_in_their_order() -> None:
    stream = ChatStream()
    for piece in (
        ToolCallChunk(1, "b", "second", "{"),
        ToolCallChunk(0, "a", "first", '{"x"'),
        ToolCallChunk(1, arguments="}"),
        ToolCallChunk(0, arguments=": 1}"),
    ):
        response = stream.add(ReplyChunk(tool_calls=(piece,)))
    assert response is not None
    assert response.message.content is None
    calls = [(block.tool_call_id, block.tool_name, block.tool_kwargs) for block in response.message.blocks]  # type: ignore[union-attr]  # all are tool calls
    assert calls == [("a", "first", '{"x": 1}'), ("b", "second", "{}")]


def test_pieces_that_say_nothing_make_no_response() -> None:
    assert ChatStream().add(ReplyChunk(finish_reason="stop")) is None
    assert CompletionStream().add(ReplyChunk(reasoning="hm")) is None


def test_an_empty_answer_is_an_empty_text_and_a_tool_call_alone_is_none() -> None:
    def whole(choice: Choice) -> ReplyChunk:
        return ReplyChunk(last=True, reply=Reply((choice,), backend="b", model="m"))

    empty = ChatStream().add(whole(Choice()))
    called = ChatStream().add(whole(Choice(tool_calls=(ToolCall("a", "first", "{}"),))))
    assert empty is not None
    assert called is not None
    assert empty.message.content == ""
    assert called.message.content is None


def test_every_answer_of_several_is_in_raw() -> None:
    response = completion_response(Reply((Choice("one"), Choice("two")), backend="b", model="m"))
    assert response.text == "one"
    assert [choice["text"] for choice in response.raw["choices"]] == ["one", "two"]  # type: ignore[index]  # raw is Any or None
