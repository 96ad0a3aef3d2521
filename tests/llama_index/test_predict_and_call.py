"""Tools chosen and called in one step, also by models that have to be told of them in the prompt."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool

from llama_index_firellava import FireLLaVA
from tests.api_server import QWEN_MAX, ApiServer
from tests.llama_index.asking import COLOUR

Make = Callable[..., FireLLaVA]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail() -> str:
    """Fail."""
    raise RuntimeError("out of order")


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(fail)]
# LlamaIndex's agents look at themselves in ways that pydantic wants to leave behind.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

METHODS = ("predict_and_call", "apredict_and_call")


async def called(llm: FireLLaVA, method: str, *args: Any, **kwargs: Any) -> Any:
    made = getattr(llm, method)(TOOLS, *args, **kwargs)
    return await made if method.startswith("a") else made


@pytest.fixture(params=[QWEN_MAX, None], ids=["calls tools", "is told of tools"])
def any_llm(request: pytest.FixtureRequest, llm_for: Make) -> FireLLaVA:
    return llm_for(model=request.param)


@pytest.mark.parametrize("method", METHODS)
async def test_the_chosen_tool_is_called(any_llm: FireLLaVA, api_server: ApiServer, method: str) -> None:
    response = await called(any_llm, method, "add 1 and 2")
    assert response.response == "3"
    (source,) = response.sources
    assert (source.tool_name, source.raw_output, source.is_error) == ("add", 3, False)
    tells_of_tools = "tools" in api_server.requests[0].json
    assert tells_of_tools is any_llm.metadata.is_function_calling_model


@pytest.mark.parametrize("method", METHODS)
async def test_the_question_may_be_a_message_with_a_picture(
    any_llm: FireLLaVA, api_server: ApiServer, picture: Path, method: str
) -> None:
    asked = ChatMessage(blocks=[ImageBlock(path=picture), TextBlock(text="add 1 and 2")])
    assert (await called(any_llm, method, asked)).response == "3"
    assert [image.mean for image in api_server.requests[0].images] == [COLOUR]


@pytest.mark.parametrize("method", METHODS)
async def test_it_may_follow_a_conversation(any_llm: FireLLaVA, api_server: ApiServer, method: str) -> None:
    history = [ChatMessage("Hello."), ChatMessage("Yes?", role="assistant")]
    assert (await called(any_llm, method, "add 1 and 2", history)).response == "3"
    assert "Hello." in api_server.requests[0].body.decode()
    assert len(history) == 2


@pytest.mark.parametrize("method", METHODS)
async def test_a_tool_that_fails_is_told(any_llm: FireLLaVA, method: str) -> None:
    (source,) = (await called(any_llm, method, "fail")).sources
    assert source.is_error
    assert "out of order" in source.content


@pytest.mark.parametrize("method", METHODS)
async def test_that_may_be_an_error_of_a_model_that_calls_tools(llm_for: Make, method: str) -> None:
    with pytest.raises(ValueError, match="out of order"):
        await called(llm_for(model=QWEN_MAX), method, "fail", error_on_tool_error=True)


@pytest.mark.parametrize("method", METHODS)
async def test_no_tool_chosen_is_an_error_unless_that_is_allowed(llm_for: Make, method: str) -> None:
    llm = llm_for(model=QWEN_MAX)
    with pytest.raises(ValueError, match="called no tool"):
        await called(llm, method, "Answer without tools.")
    response = await called(llm, method, "Answer without tools.", error_on_no_tool_call=False)
    assert response.response == "question: Answer without tools."
    assert response.sources == []


@pytest.mark.parametrize("method", METHODS)
async def test_one_tool_may_be_insisted_on(llm_for: Make, method: str) -> None:
    response = await called(llm_for(model=QWEN_MAX), method, "1 and 2", tool_choice="add")
    assert response.response == "3"


@pytest.mark.parametrize("method", METHODS)
async def test_parallel_calls_are_all_made(llm_for: Make, method: str) -> None:
    response = await called(
        llm_for(model=QWEN_MAX), method, "add 1 and 2, add 3 and 4", allow_parallel_tool_calls=True
    )
    assert response.response == "3\n\n7"
