"""`VisionToolSpec` in real agents: FunctionAgent, ReActAgent and AgentWorkflow, over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.memory import ChatMemoryBuffer

from firellava.costs.budget import Budget
from firellava.errors import BudgetExceeded
from firellava.image_references import ImageReferences
from llama_index_firellava import FireLLaVA, FireLLaVACostHandler
from llama_index_firellava.tools import VisionToolSpec
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded

# LlamaIndex's agents use what pydantic and LlamaIndex itself have deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]

Make = Callable[..., FireLLaVA]

BLUE = encoded("PNG", (336, 336), "#336699")
RED = encoded("PNG", (336, 336), "#ff0000")
ASK = "Please ask 'What is it?' about 'photo'"
TOLD = "question: What is it? | image 1: PNG 336x336 mean #336699"


@pytest.fixture
def images() -> ImageReferences:
    return ImageReferences({"photo": BLUE, "sign": RED})


@pytest.fixture
def spec(llm_for: Make, images: ImageReferences) -> VisionToolSpec:
    return VisionToolSpec(llm_for(model=QWEN_MAX), images)


async def run(agent: Any, question: str | ChatMessage, **settings: Any) -> tuple[str, list[ToolCallResult]]:
    """The agent's answer, and the tools it called on the way."""
    handler = agent.run(user_msg=question, **settings)
    called = [event async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
    output = await handler
    return str(output.response.content), called


@pytest.fixture(params=["function", "function, not streaming", "react", "react, not streaming", "workflow"])
def agent_for(request: pytest.FixtureRequest, llm_for: Make, spec: VisionToolSpec) -> Callable[[], Any]:
    """Makes an agent of each kind. ReAct is for models that call no tools, as FireLLaVA."""
    kind = str(request.param)

    def make() -> Any:
        tools: Any = spec.to_tool_list()
        streaming = "not" not in kind
        if kind.startswith("react"):
            return ReActAgent(tools=tools, llm=llm_for(max_tokens=512), streaming=streaming)
        agent = FunctionAgent(tools=tools, llm=llm_for(model=QWEN_MAX), streaming=streaming)
        return agent if kind.startswith("function") else AgentWorkflow(agents=[agent])

    return make


async def test_an_agent_asks_and_is_told(agent_for: Callable[[], Any], api_server: ApiServer) -> None:
    with FireLLaVACostHandler() as cost:
        answer, (call,) = await run(agent_for(), ASK)
    assert call.tool_kwargs == {"question": "What is it?", "image": "photo"}
    assert call.tool_output.content == TOLD
    assert call.tool_output.raw_output["images"][0]["reference"] == "photo"
    assert answer == f"question: {ASK} | tool result: {TOLD}"
    billed = sum(usage.prompt + usage.completion for usage in api_server.billed)
    assert (len(cost.ledger.entries), cost.total_tokens) == (3, billed)


async def test_an_agent_compares_two_images(agent_for: Callable[[], Any]) -> None:
    answer, (call,) = await run(agent_for(), "Please compare 'photo' and 'sign'")
    assert call.tool_kwargs == {"first_image": "photo", "second_image": "sign"}
    assert "image 1: PNG 336x336 mean #336699 | image 2: PNG 336x336 mean #ff0000" in answer


async def test_an_error_the_model_can_act_on_goes_back_to_it(agent_for: Callable[[], Any]) -> None:
    answer, (call,) = await run(agent_for(), "Please caption 'foto'")
    assert call.tool_output.is_error
    assert "tool result: There is no image 'foto'. Name an image by its id ('photo', 'sign')." in answer


async def test_images_in_the_conversation_reach_the_agents_model_beside_the_tools(
    agent_for: Callable[[], Any], api_server: ApiServer
) -> None:
    question = ChatMessage(role="user", blocks=[ImageBlock(image=RED), TextBlock(text=ASK)])
    answer, (call,) = await run(agent_for(), question)
    assert call.tool_output.content == TOLD
    assert TOLD in answer
    seen = [[image.mean for image in request.images] for request in api_server.requests]
    assert [colours[-1] for colours in seen] == ["#ff0000", "#336699", "#ff0000"]


async def test_a_conversation_goes_on_and_its_memory_holds_no_image(
    llm_for: Make, spec: VisionToolSpec, images: ImageReferences
) -> None:
    tools: Any = spec.to_tool_list()
    agent = FunctionAgent(tools=tools, llm=llm_for(model=QWEN_MAX))
    memory = ChatMemoryBuffer.from_defaults()
    await run(agent, ASK, memory=memory)
    stored = "".join(message.model_dump_json() for message in memory.get_all())
    assert TOLD in stored
    assert "iVBOR" not in stored
    upload = images.add(encoded("PNG", (64, 64), "#00ff00"))
    answer, (call,) = await run(agent, f"Now caption '{upload}'", memory=memory)
    assert call.tool_kwargs == {"image": upload}
    assert "mean #00ff00" in answer
    assert len(memory.get_all()) == 8


async def test_what_no_model_could_mend_is_in_the_events(llm_for: Make, images: ImageReferences) -> None:
    spec = VisionToolSpec(llm_for(budget=Budget(calls=0)), images)
    tools: Any = spec.to_tool_list()
    _, (call,) = await run(FunctionAgent(tools=tools, llm=llm_for(model=QWEN_MAX)), ASK)
    assert call.tool_output.is_error
    assert isinstance(call.tool_output.exception, BudgetExceeded)


def test_a_model_without_an_agent_calls_the_tools_too(llm_for: Make, spec: VisionToolSpec) -> None:
    response = llm_for(model=QWEN_MAX).predict_and_call(spec.to_tool_list(), ASK)
    assert response.response == TOLD
    assert response.sources[0].raw_output["degraded"] is False
