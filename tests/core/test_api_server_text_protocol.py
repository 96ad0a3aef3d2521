"""The API server answers prompts that describe tools in text as a model would that was trained to."""

import json
from typing import Any

from tests.api_server import ApiServer
from tests.api_server.plain_requests import ask

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PROMPT = f"""Use these tools:
> Tool Name: weather
Tool Description: Tell the weather.
Tool Args: {json.dumps(SCHEMA)}

> Tool Name: clock
Tool Description: Tell the time.
Tool Args: {json.dumps({"type": "object", "properties": {}})}

Write Thought:, Action: and Action Input:."""


def answered(server: ApiServer, *turns: str) -> str:
    """The answer to a conversation that begins with the user and takes turns."""
    said: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    said += [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)]
    return str(ask(server, messages=said).json()["choices"][0]["message"]["content"])


def test_a_step_names_the_tool_that_the_question_does(api_server: ApiServer) -> None:
    assert answered(api_server, "What is the weather in 'Oslo'?") == (
        'Thought: I need a tool.\nAction: weather\nAction Input: {"city":"Oslo"}'
    )
    assert answered(api_server, "Look at the clock.").endswith("Action: clock\nAction Input: {}")


def test_after_an_observation_comes_the_answer(api_server: ApiServer) -> None:
    question = "What is the weather in 'Oslo'?"
    assert answered(api_server, question, "Action: weather", "Observation: sunny") == (
        f"Thought: I know enough.\nAnswer: question: {question} | tool result: sunny"
    )
    assert "Action: clock" in answered(
        api_server, question, "Action: weather", "Observation: sunny", "Sunny.", "And the clock?"
    )


def test_a_question_may_do_without_tools(api_server: ApiServer) -> None:
    assert answered(api_server, "Hello, without tools.").endswith("Answer: question: Hello, without tools.")


def test_other_prompts_are_answered_as_ever(api_server: ApiServer) -> None:
    reply = ask(api_server, messages=[{"role": "user", "content": PROMPT.replace("Action Input", "Input")}])
    assert "Thought: I" not in reply.json()["choices"][0]["message"]["content"]
