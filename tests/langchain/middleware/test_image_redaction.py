"""`ImageRedactionMiddleware` in real agents: what their checkpoints hold, and what their models see."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolRetryMiddleware,
)
from langchain_classic.storage import LocalFileStore
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.stores import InMemoryByteStore
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from firellava.errors import ConfigurationError
from firellava.image_references import ImageReferences
from langchain_firellava import BudgetMiddleware, ChatFireLLaVA, image_block
from langchain_firellava.middleware.image_redaction import ImageRedactionMiddleware
from langchain_firellava.middleware.newest_images import NewestImagesMiddleware
from langchain_firellava.tools import VisionTool
from tests.api_server import QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded
from tests.langchain import image_shapes
from tests.langchain.image_shapes import RED

Make = Callable[..., ChatFireLLaVA]

GREEN = encoded("PNG", (40, 20), "#00ff00")
URL = "https://images.example.com/red.png"
THREAD: RunnableConfig = {"configurable": {"thread_id": "a"}}
GONE = "[An image that was here is no longer stored.]"


@tool(response_format="content_and_artifact")
def weather(city: str) -> tuple[list[Any], Any]:
    """Tell the weather of a city."""
    picture = image_block(GREEN)
    return [{"type": "text", "text": f"sunny in {city}"}, picture], {"seen": [picture]}


@pytest.fixture
def qwen(llm_for: Make) -> ChatFireLLaVA:
    """A model with tools: a question with a tool takes two calls, one that calls it and one that answers."""
    return llm_for(model=QWEN_MAX, max_retries=0)


def question(text: str = "Please look up the weather", *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [HumanMessage([{"type": "text", "text": text}, *(blocks or [image_block(RED)])])]}


def agent_of(llm: Any, *middleware: AgentMiddleware[Any, Any, Any], **settings: Any) -> Any:
    return create_agent(llm, settings.pop("tools", [weather]), middleware=middleware, **settings)


def holds_pixels(value: object) -> bool:
    return image_shapes.holds_pixels(value, RED, GREEN)


def everything_in(saver: InMemorySaver | sqlite3.Connection) -> list[Any]:
    if isinstance(saver, InMemorySaver):
        return [saver.storage, saver.blobs, saver.writes]
    tables = [name for (name,) in saver.execute("select name from sqlite_master where type = 'table'")]
    return [list(saver.execute(f"select * from {name}")) for name in tables]  # noqa: S608 - names of its own


def colours(request: Any) -> list[str]:
    return [image.mean for image in request.images]


class TestACheckpoint:
    """Of a conversation in which the user shows a red picture and a tool a green one."""

    @pytest.mark.parametrize("by", ["the serializer", "redacted input"])
    @pytest.mark.parametrize("durability", ["sync", "async"])
    def test_in_memory_holds_no_image(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, by: str, durability: Any
    ) -> None:
        redaction = ImageRedactionMiddleware()
        saver = InMemorySaver(serde=redaction.serializer() if by == "the serializer" else None)
        agent = agent_of(qwen, redaction, checkpointer=saver)
        asked = question() if by == "the serializer" else redaction.redacted(question())
        agent.invoke(asked, THREAD, durability=durability)
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]
        assert not holds_pixels(everything_in(saver))
        assert saver.blobs
        assert saver.writes

    @pytest.mark.parametrize("by", ["the serializer", "redacted input"])
    def test_on_disk_holds_no_image(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, tmp_path: Path, by: str
    ) -> None:
        redaction = ImageRedactionMiddleware()
        path = tmp_path / "threads.db"
        with sqlite3.connect(path, check_same_thread=False) as connection:
            saver = SqliteSaver(connection, serde=redaction.serializer() if by == "the serializer" else None)
            agent = agent_of(qwen, redaction, checkpointer=saver)
            asked = question() if by == "the serializer" else redaction.redacted(question())
            agent.invoke(asked, THREAD)
            assert len(everything_in(connection)) == 2
            assert not holds_pixels(everything_in(connection))
        connection.close()
        assert not any(holds_pixels(file.read_bytes()) for file in tmp_path.iterdir())
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]

    async def test_written_asynchronously_holds_no_image(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, tmp_path: Path
    ) -> None:
        redaction = ImageRedactionMiddleware()
        async with aiosqlite.connect(tmp_path / "threads.db") as connection:
            saver = AsyncSqliteSaver(connection, serde=redaction.serializer())
            await agent_of(qwen, redaction, checkpointer=saver).ainvoke(question(), THREAD)
        assert not holds_pixels((tmp_path / "threads.db").read_bytes())
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]

    def test_holds_them_without_the_middleware(self, qwen: ChatFireLLaVA) -> None:
        saver = InMemorySaver()
        agent_of(qwen, checkpointer=saver).invoke(question(), THREAD)
        assert holds_pixels(everything_in(saver))

    def test_of_the_input_alone_holds_them_where_neither_serializer_nor_redacted_input_is_used(
        self, qwen: ChatFireLLaVA
    ) -> None:
        agent = agent_of(qwen, ImageRedactionMiddleware(), checkpointer=InMemorySaver())
        agent.invoke(question(), THREAD)
        # Newest first. Steps -1 and 0 come before any middleware: what the documentation warns of.
        holding = [
            state.metadata["step"]
            for state in agent.get_state_history(THREAD)
            if holds_pixels(state.values) or holds_pixels([task.result for task in state.tasks])
        ]
        assert holding == [0, -1]

    def test_that_is_the_only_one_of_its_run_holds_no_image(self, qwen: ChatFireLLaVA) -> None:
        saver = InMemorySaver()
        agent = agent_of(qwen, ImageRedactionMiddleware(), checkpointer=saver)
        agent.invoke(question(), THREAD, durability="exit")
        assert not holds_pixels(everything_in(saver))
        assert saver.blobs

    def test_of_dicts_in_the_place_of_messages_holds_no_image(self, qwen: ChatFireLLaVA) -> None:
        redaction = ImageRedactionMiddleware()
        saver = InMemorySaver(serde=redaction.serializer())
        content = [{"type": "text", "text": "Please look up the weather"}, image_block(RED)]
        agent = agent_of(qwen, redaction, checkpointer=saver)
        agent.invoke({"messages": [{"role": "user", "content": content}]}, THREAD)
        assert not holds_pixels(everything_in(saver))

    def test_is_written_by_other_serializers_around_it(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        class Backwards:
            def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
                return "backwards", plaintext[::-1]

            def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
                return ciphertext[::-1]

        redaction = ImageRedactionMiddleware()
        saver = InMemorySaver(serde=EncryptedSerializer(Backwards(), redaction.serializer()))
        agent = agent_of(qwen, redaction, checkpointer=saver)
        agent.invoke(question(), THREAD)
        agent.invoke({"messages": [HumanMessage("And now, without tools?")]}, THREAD)
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]

    def test_of_an_agent_that_is_shown_one_image_and_asks_about_another_holds_neither(
        self, llm: ChatFireLLaVA, qwen: ChatFireLLaVA, api_server: ApiServer, tmp_path: Path
    ) -> None:
        (tmp_path / "green.png").write_bytes(GREEN)
        look = VisionTool(llm=llm, images=ImageReferences({"green": tmp_path / "green.png"}))
        redaction = ImageRedactionMiddleware()
        saver = InMemorySaver(serde=redaction.serializer())
        agent = agent_of(qwen, redaction, tools=[look], checkpointer=saver)
        answer = agent.invoke(question("Please ask_about_images 'What is it?' about 'green'"), THREAD)
        of_the_agent, of_the_tool, answered = api_server.requests
        assert colours(of_the_agent) == colours(answered) == ["#ff0000"]
        assert [image.size for image in of_the_tool.images] == [(336, 336)]
        assert "image 1: PNG 336x336" in answer["messages"][-1].text
        assert not holds_pixels(everything_in(saver))


class TestAThread:
    def test_goes_on_in_another_process_with_the_images_it_had(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, tmp_path: Path
    ) -> None:
        def asked(something: dict[str, Any]) -> None:
            # All that two processes have in common are the files.
            redaction = ImageRedactionMiddleware(LocalFileStore(tmp_path / "images"))
            with sqlite3.connect(tmp_path / "threads.db", check_same_thread=False) as connection:
                saver = SqliteSaver(connection, serde=redaction.serializer())
                agent_of(qwen, redaction, checkpointer=saver).invoke(something, THREAD)
            connection.close()

        asked(question())
        asked({"messages": [HumanMessage("And now, without tools?")]})
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]
        names = {file.name for file in (tmp_path / "images").iterdir()}
        assert names == {image_block(RED)["id"], image_block(GREEN)["id"]}

    async def test_that_waited_for_a_human_goes_on_with_the_images_it_had(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        store, saver = InMemoryByteStore(), InMemorySaver()

        def made() -> Any:
            asking = HumanInTheLoopMiddleware(interrupt_on={"weather": True})
            return agent_of(qwen, asking, ImageRedactionMiddleware(store), checkpointer=saver)

        made().invoke(question(), THREAD)
        await made().ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]

    @pytest.mark.parametrize("damage", ["gone", "changed", "in no store at all"])
    def test_whose_image_is_gone_tells_the_model_so(
        self, qwen: ChatFireLLaVA, api_server: ApiServer, damage: str
    ) -> None:
        saver, store = InMemorySaver(), InMemoryByteStore()
        redaction = ImageRedactionMiddleware(store)
        agent_of(qwen, redaction, checkpointer=saver).invoke(redaction.redacted(question()), THREAD)
        if damage == "gone":
            store.mdelete([image_block(RED)["id"]])
        elif damage == "changed":
            store.mset([(image_block(RED)["id"], GREEN)])
        else:
            redaction = ImageRedactionMiddleware()
        later = agent_of(qwen, redaction, checkpointer=saver)
        later.invoke({"messages": [HumanMessage("And now, without tools?")]}, THREAD)
        first = api_server.requests[-1].json["messages"][0]["content"]
        assert first[1] == {"type": "text", "text": GONE}
        assert colours(api_server.requests[-1]) == ([] if damage == "in no store at all" else ["#00ff00"])

    def test_keeps_an_image_once_however_often_it_is_sent(self, qwen: ChatFireLLaVA) -> None:
        written: list[str] = []

        class Counting(InMemoryByteStore):
            def mset(self, key_value_pairs: Any) -> None:
                written.extend(key for key, _ in key_value_pairs)
                super().mset(key_value_pairs)

        redaction = ImageRedactionMiddleware(Counting())
        agent = agent_of(qwen, redaction, checkpointer=InMemorySaver(serde=redaction.serializer()))
        for _ in range(2):
            agent.invoke(question(), THREAD)
        assert sorted(written) == sorted([image_block(RED)["id"], image_block(GREEN)["id"]])


class TestTheState:
    async def test_holds_a_small_reference_in_the_place_of_an_image(self, qwen: ChatFireLLaVA) -> None:
        agent = agent_of(qwen, ImageRedactionMiddleware())
        for answer in (agent.invoke(question()), await agent.ainvoke(question())):
            human, _, result, _ = answer["messages"]
            assert human.content[1] == image_block(RED) | {
                "base64": f"stored-image:base64,{image_block(RED)['id']}"
            }
            assert not holds_pixels([human, result.content, result.artifact])
            assert isinstance(result, ToolMessage)

    def test_can_be_shown_with_the_images(self, qwen: ChatFireLLaVA) -> None:
        redaction = ImageRedactionMiddleware()
        human, _, result, _ = redaction.restored(agent_of(qwen, redaction).invoke(question())["messages"])
        assert human.content[1] == image_block(RED)
        assert result.content[1] == image_block(GREEN)
        assert result.artifact == {"seen": [image_block(GREEN)]}

    @pytest.mark.parametrize("mode", ["values", "updates", "messages"])
    async def test_streams_no_image(self, qwen: ChatFireLLaVA, api_server: ApiServer, mode: Any) -> None:
        redaction = ImageRedactionMiddleware()
        agent = agent_of(qwen, redaction)
        asked = redaction.redacted(question())
        pieces = list(agent.stream(asked, stream_mode=mode))
        pieces += [piece async for piece in agent.astream(asked, stream_mode=mode)]
        assert len(pieces) > 4
        assert not holds_pixels(pieces)
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]

    def test_keeps_images_by_url(self, qwen: ChatFireLLaVA, api_server: ApiServer) -> None:
        api_server.host_image(URL, RED)
        asked = question("Look, without tools", image_block(URL))
        answer = agent_of(qwen, ImageRedactionMiddleware()).invoke(asked)
        assert answer["messages"][0].content[1] == image_block(URL)
        assert colours(api_server.requests[-1]) == ["#ff0000"]

    def test_of_a_tool_that_answers_with_a_command_holds_no_image(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        @tool
        def camera(city: str) -> Command[Any]:
            """Look up the weather."""
            return Command(
                update={"messages": [ToolMessage([image_block(GREEN)], tool_call_id=f"call_{1}_{0}")]}
            )

        answer = agent_of(qwen, ImageRedactionMiddleware(), tools=[camera]).invoke(question())
        assert not holds_pixels(answer["messages"])
        assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]

    def test_holds_no_image_that_a_model_draws(self) -> None:
        class Painter(GenericFakeChatModel):
            messages: Iterator[AIMessage | str] = iter(())

            def _generate(self, *_: Any, **__: Any) -> ChatResult:
                drawn = AIMessage([{"type": "text", "text": "Here:"}, image_block(GREEN)])
                return ChatResult(generations=[ChatGeneration(message=drawn)])

        redaction = ImageRedactionMiddleware()
        (_, drawn) = agent_of(Painter(), redaction, tools=[]).invoke(question())["messages"]
        assert not holds_pixels(drawn)
        assert redaction.restored(drawn).content[1] == image_block(GREEN)


RETRY = {"initial_delay": 0, "jitter": False, "max_retries": 1}


class TestTogetherWithOtherMiddleware:
    """In the order that is documented, and in others that make sense."""

    @pytest.fixture
    def fallback(self, llm_for: Make, api_server: ApiServer) -> ModelFallbackMiddleware:
        api_server.deploy("accounts/me/deployments/eyes", like=QWEN_MAX)
        eyes = llm_for(model="accounts/me/deployments/eyes", card="qwen3p8-max", max_retries=0)
        return ModelFallbackMiddleware(eyes)

    @pytest.mark.parametrize(
        "order",
        [
            ["summary", "newest", "redaction", "retry", "fallback", "budget"],
            ["retry", "fallback", "newest", "redaction", "budget", "summary"],
            ["redaction", "newest", "fallback", "retry", "budget", "summary"],
            ["fallback", "redaction", "summary", "retry", "newest", "budget"],
        ],
    )
    @pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
    async def test_the_newest_image_arrives_whatever_fails(
        self,
        qwen: ChatFireLLaVA,
        fallback: ModelFallbackMiddleware,
        api_server: ApiServer,
        order: list[str],
        way: str,
    ) -> None:
        redaction = ImageRedactionMiddleware()
        middlewares: dict[str, AgentMiddleware[Any, Any, Any]] = {
            "summary": SummarizationMiddleware(qwen, trigger=("messages", 50)),
            "newest": NewestImagesMiddleware(keep=1),
            "redaction": redaction,
            "retry": ModelRetryMiddleware(initial_delay=0, jitter=False, max_retries=1, on_failure="error"),
            "fallback": fallback,
            "budget": BudgetMiddleware(thread_calls=20, run_usd=1, when_unknown="allow"),
        }
        saver = InMemorySaver(serde=redaction.serializer())
        agent = agent_of(qwen, *(middlewares[name] for name in order), checkpointer=saver)
        api_server.fail_next(Fault(status=500), times=3)
        if way == "ainvoke":
            await agent.ainvoke(question(), THREAD)
        elif way == "stream":
            assert list(agent.stream(question(), THREAD, stream_mode="messages"))
        else:
            agent.invoke(question(), THREAD)
        assert [colours(request) for request in api_server.requests[:4]] == [["#ff0000"]] * 4
        assert colours(api_server.requests[-1]) == ["#00ff00"]
        assert not holds_pixels(everything_in(saver))
        assert agent.get_state(THREAD).values["budget_thread"]["calls"] == len(api_server.requests) == 5

    def test_a_summary_takes_what_it_leaves_out_and_what_it_keeps_is_shown(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        redaction = ImageRedactionMiddleware()
        saver = InMemorySaver(serde=redaction.serializer())
        summary = SummarizationMiddleware(qwen, trigger=("messages", 3), keep=("messages", 1))
        agent = agent_of(qwen, summary, redaction, checkpointer=saver, tools=[])
        agent.invoke(question("First", image_block(RED)), THREAD)
        agent.invoke(question("Second", image_block(GREEN)), THREAD)
        assert colours(api_server.requests[-1]) == ["#00ff00"]
        assert "Here is a summary" in api_server.requests[-1].json["messages"][0]["content"]
        assert not holds_pixels(everything_in(saver))

    def test_a_tool_that_is_called_again_answers_with_its_image(
        self, qwen: ChatFireLLaVA, api_server: ApiServer
    ) -> None:
        failures = [ValueError("busy")]

        @tool
        def camera(city: str) -> list[Any]:
            """Look up the weather."""
            if failures:
                raise failures.pop()
            return [image_block(GREEN)]

        retry = ToolRetryMiddleware(initial_delay=0, jitter=False)
        for order in ([retry, ImageRedactionMiddleware()], [ImageRedactionMiddleware(), retry]):
            failures.append(ValueError("busy"))
            answer = agent_of(qwen, *order, tools=[camera]).invoke(question())
            assert not holds_pixels(answer["messages"])
            assert colours(api_server.requests[-1]) == ["#ff0000", "#00ff00"]


@pytest.mark.parametrize("store", ["images", Path("images"), {}])
def test_a_folder_is_no_store(store: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"not {type(store).__name__}: .* LocalFileStore"):
        ImageRedactionMiddleware(store)
