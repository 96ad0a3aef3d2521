"""`NewestImagesMiddleware`: what an agent's model is shown, and what the state keeps."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr

from firellava.errors import ConfigurationError
from langchain_firellava import ChatFireLLaVA, image_block
from langchain_firellava.middleware.newest_images import NewestImagesMiddleware
from tests.api_server import QWEN_MAX, ApiServer
from tests.api_server.plain_requests import encoded
from tests.langchain.image_shapes import INLINED

Make = Callable[..., ChatFireLLaVA]

LEFT_OUT = "[An earlier image is no longer shown here.]"
RED, GREEN, BLUE = (image_block(encoded("PNG", (20, 20), colour)) for colour in ("#f00", "#0f0", "#00f"))
URL = {"type": "image_url", "image_url": {"url": "https://images.example.com/a.png"}}
THREAD: Any = {"configurable": {"thread_id": "a"}}


@tool
def camera(place: str) -> list[Any]:
    """Look up what a place looks like."""
    return [{"type": "text", "text": place}, BLUE]


@pytest.fixture
def qwen(llm_for: Make) -> ChatFireLLaVA:
    return llm_for(model=QWEN_MAX, max_retries=0)


def agent_of(llm: Any, keep: int, **settings: Any) -> Any:
    return create_agent(llm, [camera], middleware=[NewestImagesMiddleware(keep)], **settings)


def asked(*blocks: Any, text: str = "What is this, without tools?") -> dict[str, Any]:
    return {"messages": [HumanMessage([{"type": "text", "text": text}, *blocks])]}


def colours(request: Any) -> list[str]:
    return [image.mean for image in request.images]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
async def test_the_model_sees_the_newest_images_and_the_state_keeps_all(
    qwen: ChatFireLLaVA, api_server: ApiServer, way: str
) -> None:
    agent = agent_of(qwen, 2, checkpointer=InMemorySaver())
    for block in (RED, GREEN):
        agent.invoke(asked(block), THREAD)
    last = asked(text="Please look up the camera")
    if way == "ainvoke":
        await agent.ainvoke(last, THREAD)
    elif way == "stream":
        assert list(agent.stream(last, THREAD))
    else:
        agent.invoke(last, THREAD)
    assert [colours(request) for request in api_server.requests] == [
        ["#ff0000"],
        ["#ff0000", "#00ff00"],
        ["#ff0000", "#00ff00"],
        ["#00ff00", "#0000ff"],
    ]
    first = api_server.requests[-1].json["messages"][0]["content"]
    assert LEFT_OUT in (first if isinstance(first, str) else first[1]["text"])
    kept = agent.get_state(THREAD).values["messages"]
    assert [block for message in kept for block in message.content if block in (RED, GREEN, BLUE)] == [
        RED,
        GREEN,
        BLUE,
    ]


def test_it_leaves_out_what_keep_images_of_the_model_leaves_out(llm_for: Make, api_server: ApiServer) -> None:
    history = [asked(RED, GREEN)["messages"][0], AIMessage("Two."), asked(URL, BLUE)["messages"][0]]
    api_server.host_image(URL["image_url"]["url"], encoded())  # type: ignore[index] # it is a dict
    for keep in range(1, 6):
        llm_for(model=QWEN_MAX, keep_images=keep).bind_tools([camera]).invoke(history)
        agent_of(llm_for(model=QWEN_MAX), keep).invoke({"messages": history})
        ours, theirs = (request.json["messages"] for request in api_server.requests[-2:])
        assert ours == theirs


def test_it_works_for_models_of_others(api_server: ApiServer) -> None:
    theirs = ChatOpenAI(model=QWEN_MAX, base_url=api_server.base_url, api_key=SecretStr(api_server.key))
    agent_of(theirs, 1).invoke(asked(RED, GREEN))
    assert colours(api_server.requests[0]) == ["#00ff00"]
    assert api_server.requests[0].json["messages"][0]["content"][1] == {"type": "text", "text": LEFT_OUT}


@pytest.mark.parametrize("shape", INLINED)
def test_an_image_of_any_shape_counts(qwen: ChatFireLLaVA, api_server: ApiServer, shape: str) -> None:
    agent_of(qwen, 1).invoke(asked(INLINED[shape], GREEN))
    assert colours(api_server.requests[0]) == ["#00ff00"]


def test_images_of_the_system_prompt_are_always_shown(qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
    agent = agent_of(qwen, 1, system_prompt=SystemMessage(["This is our logo:", RED]))
    agent.invoke(asked(GREEN, BLUE))
    assert colours(api_server.requests[0]) == ["#ff0000", "#0000ff"]


@given(counts=st.lists(st.integers(0, 3), max_size=6), keep=st.integers(1, 8))
def test_as_many_are_shown_as_are_kept_the_newest_of_them(counts: list[int], keep: int) -> None:
    numbers = iter(range(100))
    messages = [
        HumanMessage([{"type": "image", "url": f"https://example.com/{next(numbers)}"} for _ in range(count)])
        for count in counts
    ]
    seen: list[Any] = []
    request: Any = type("Request", (), {"messages": messages, "override": lambda _, messages: messages})()
    NewestImagesMiddleware(keep).wrap_model_call(request, seen.append)  # type: ignore[arg-type] # gives nothing
    blocks = [block for message in seen[0] for block in message.content]
    assert len(blocks) == sum(counts)
    shown = [block["url"] for block in blocks if block["type"] == "image"]
    assert (
        shown
        == [f"https://example.com/{number}" for number in range(sum(counts))][max(0, sum(counts) - keep) :]
    )
    assert all(block == {"type": "text", "text": LEFT_OUT} for block in blocks if block["type"] == "text")


@pytest.mark.parametrize("keep", [0, -1, 1.5, None, True, "all"])
def test_a_number_of_images_that_is_none_is_refused(keep: Any) -> None:
    with pytest.raises(ConfigurationError, match="keep takes a whole number"):
        NewestImagesMiddleware(keep)
