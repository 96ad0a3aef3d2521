"""`VisionTool`: what it tells a model, what it asks, what comes back, and what it refuses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from pydantic import BaseModel

from firellava import OfflineReader
from firellava.costs.budget import Budget
from firellava.errors import (
    AuthenticationFailed,
    BudgetExceeded,
    ConfigurationError,
    MissingKey,
    UnreadableImage,
)
from firellava.image_references import ImageReferences
from firellava.images.fetch_policy import FetchPolicy
from langchain_firellava import ChatFireLLaVA, get_firellava_callback
from langchain_firellava.tools import VisionTool
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded
from tests.core.images.picture_server import PictureServer, answer, redirect

Make = Callable[..., ChatFireLLaVA]

BLUE = encoded("PNG", (336, 336), "#336699")
RED = encoded("PNG", (336, 336), "#ff0000")
RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"


@pytest.fixture
def images(tmp_path: Path) -> ImageReferences:
    """A registered image, a folder with another, and a host."""
    (tmp_path / "red.png").write_bytes(RED)
    return ImageReferences({"blue": BLUE}, image_roots=tmp_path, allowed_hosts="img.example.com")


@pytest.fixture
def tool(llm: ChatFireLLaVA, images: ImageReferences) -> VisionTool:
    return VisionTool(llm=llm, images=images)


async def call(tool: BaseTool, way: str, *images: str, question: str = "What colour is it?") -> ToolMessage:
    """Call the tool as an agent does."""
    made = {
        "type": "tool_call",
        "id": "call-1",
        "name": tool.name,
        "args": {"question": question, "images": list(images)},
    }
    message = await tool.ainvoke(made) if way == "ainvoke" else tool.invoke(made)
    assert isinstance(message, ToolMessage)
    return message


class TestUnits(ToolsUnitTests):
    @property
    def tool_constructor(self) -> type[BaseTool]:
        return VisionTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"llm": {"model": "qwen3p8-max"}, "images": ImageReferences({"blue": BLUE})}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"question": "What colour is it?", "images": ["blue"]}


class TestIntegration(ToolsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _settings(self, monkeypatch: pytest.MonkeyPatch, api_server: ApiServer) -> None:
        monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
        monkeypatch.setenv("FIREWORKS_API_BASE", api_server.base_url)

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return VisionTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"images": ImageReferences({"blue": BLUE})}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"question": "What colour is it?", "images": ["blue"]}


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
class TestAnAnswer:
    async def test_is_text_with_what_is_known_of_it_beside(
        self, tool: VisionTool, api_server: ApiServer, way: str
    ) -> None:
        message = await call(tool, way, "blue")
        assert message.content == "question: What colour is it? | image 1: PNG 336x336 mean #336699"
        assert message.status == "success"
        artifact = message.artifact
        assert json.loads(json.dumps(artifact)) == artifact
        assert artifact["images"] == [
            {
                "reference": "blue",
                "content_hash": tool.images.resolve("blue").content_hash,
                "mime_type": "image/png",
                "size": [336, 336],
            }
        ]
        assert artifact["model"] == FIRELLAVA_13B
        assert artifact["backend"] == "fireworks:firellava-13b"
        assert artifact["degraded"] is False
        assert artifact["fallback_from"] == []
        assert artifact["usage"]["input_token_details"]["image"] == 576
        (billed,) = api_server.billed
        assert artifact["usage"]["input_tokens"] == billed.prompt
        assert artifact["usage"]["output_tokens"] == billed.completion
        assert float(artifact["cost_usd"]) > 0
        assert artifact["from_cache"] is False

    async def test_is_about_each_image_by_the_name_the_agent_has_for_it(
        self, llm_for: Make, images: ImageReferences, api_server: ApiServer, way: str
    ) -> None:
        api_server.host_image("https://img.example.com/a.png", BLUE)
        tool = VisionTool(llm=llm_for(model=QWEN_MAX), images=images)
        written = ("red.png", "blue", "https://img.example.com/a.png")
        message = await call(tool, way, *written, question="Which one is red?")
        assert [image.mean for image in api_server.requests[0].images] == ["#ff0000", "#336699", "#336699"]
        for number, name in enumerate(written, 1):
            assert f"Image {number}, '{name}':" in message.text
        assert [image["reference"] for image in message.artifact["images"]] == list(written)
        assert message.artifact["images"][2]["content_hash"] is None

    async def test_of_langchains_cache_costs_nothing_and_says_so(
        self, llm_for: Make, images: ImageReferences, api_server: ApiServer, way: str
    ) -> None:
        tool = VisionTool(llm=llm_for(cache=InMemoryCache()), images=images)
        first = await call(tool, way, "blue")
        second = await call(tool, way, "blue")
        assert len(api_server.requests) == 1
        assert (first.artifact["from_cache"], second.artifact["from_cache"]) == (False, True)
        assert second.artifact == {**first.artifact, "from_cache": True}

    @pytest.mark.engine("rapidocr")
    async def test_of_something_that_sees_no_images_says_so_to_the_model(self, way: str) -> None:
        images = ImageReferences({"receipt": RECEIPT})
        tool = VisionTool(llm=ChatFireLLaVA(fallback=OfflineReader()), images=images)
        message = await call(tool, way, "receipt", question="What is the total?")
        assert message.text.startswith("$49.98\n\n[The vision model could not be asked.")
        assert message.artifact["degraded"] is True
        assert message.artifact["fallback_from"][0]["reason"].startswith("MissingKey")


class TestTheModelIsTold:
    def arguments(self, tool: VisionTool) -> dict[str, Any]:
        described: dict[str, Any] = convert_to_openai_tool(tool)["function"]
        assert described["name"] == "ask_about_images"
        assert described["description"] == tool.description
        parameters: dict[str, Any] = described["parameters"]["properties"]
        return parameters

    def test_which_images_there_are_now(self, tool: VisionTool) -> None:
        arguments = self.arguments(tool)
        assert "'blue'" in arguments["images"]["description"]
        assert "'img.example.com'" in arguments["images"]["description"]
        assert "complete and specific question" in arguments["question"]["description"]
        tool.images.add(RED, "stop-sign")
        assert "'blue', 'stop-sign'" in self.arguments(tool)["images"]["description"]
        assert "'stop-sign'" in tool.args["images"]["description"]

    def test_of_a_list_and_may_write_a_single_text(self, tool: VisionTool) -> None:
        assert self.arguments(tool)["images"]["type"] == "array"
        assert "mean #336699" in tool.invoke({"question": "What colour is it?", "images": "blue"})

    def test_what_the_developer_says_instead(self, llm: ChatFireLLaVA) -> None:
        class Instead(BaseModel):
            question: str
            images: list[str]

        tool = VisionTool(llm=llm, name="look", description="Look.", args_schema=Instead)
        described = convert_to_openai_tool(tool)["function"]
        assert (described["name"], described["description"]) == ("look", "Look.")
        assert "description" not in described["parameters"]["properties"]["images"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
class TestWhatGoesWrong:
    @pytest.mark.parametrize(
        ("reference", "told"),
        [
            ("bleu", "There is no image 'bleu'. Name an image by its id ('blue'), or by its path"),
            ("../blue.png", "There is no image '../blue.png'."),
            ("https://evil.test/a.png", "The URL 'https://evil.test/a.png' may not be looked at."),
            ("data:image/png;base64,iVBORw0KGgo=", "There is no image"),
            ("notes.txt", "'notes.txt' is no image we can open: it starts like text."),
            ("cut.png", "'cut.png' does not decode as PNG: the data is cut short."),
        ],
    )
    async def test_with_an_image_is_told_to_the_model_before_anything_is_sent(
        self, tool: VisionTool, api_server: ApiServer, tmp_path: Path, way: str, reference: str, told: str
    ) -> None:
        (tmp_path / "notes.txt").write_text("hunter2 is the password")
        (tmp_path / "cut.png").write_bytes(RED[:200])
        message = await call(tool, way, reference)
        assert message.status == "error"
        assert message.text.startswith(told)
        assert message.artifact is None
        assert str(tmp_path) not in message.text
        assert api_server.requests == []

    async def test_with_the_question_is_told_to_the_model(self, tool: VisionTool, way: str) -> None:
        message = await call(tool, way, "blue", question=" ")
        assert (message.status, message.text[:22]) == ("error", "The question is empty:")

    async def test_at_the_server_is_told_to_the_model_if_it_may_pass(
        self, llm_for: Make, images: ImageReferences, api_server: ApiServer, way: str
    ) -> None:
        tool = VisionTool(llm=llm_for(max_retries=0), images=images)
        api_server.fail_next(Fault(status=503))
        message = await call(tool, way, "blue")
        assert message.status == "error"
        assert message.text.endswith("Ask again once; if that fails too, go on without an answer.")
        assert (await call(tool, way, "blue")).status == "success"

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"api_key": None}, MissingKey),
            ({"api_key": "fw_of_somebody_else"}, AuthenticationFailed),
            ({"budget": Budget(usd="0.0000001")}, BudgetExceeded),
        ],
    )
    async def test_and_no_model_could_mend_is_raised(
        self, llm_for: Make, images: ImageReferences, way: str, settings: Any, error: Any
    ) -> None:
        tool = VisionTool(llm=llm_for(**settings), images=images)
        with pytest.raises(error):
            await call(tool, way, "blue")

    async def test_can_be_raised_or_told_in_other_words(
        self, llm: ChatFireLLaVA, images: ImageReferences, way: str
    ) -> None:
        strict = VisionTool(llm=llm, images=images, handle_tool_error=False)
        with pytest.raises(ToolException, match="There is no image") as caught:
            await call(strict, way, "bleu")
        assert isinstance(caught.value.__cause__, UnreadableImage)
        mild = VisionTool(llm=llm, images=images, handle_tool_error="No.")
        assert (await call(mild, way, "bleu")).text == "No."


class TestDownloads:
    """Where images are downloaded here, a host that is allowed may point to one that is not."""

    @pytest.fixture
    def web(self) -> Iterator[PictureServer]:
        with PictureServer() as server:
            server.answers["/red.png"] = answer(RED, "Content-Type: image/png")
            server.answers["/away"] = redirect(f"http://127.0.0.1:{server.port}/red.png")
            server.answers["/here"] = redirect(f"http://localhost:{server.port}/red.png")
            yield server

    @pytest.fixture
    def downloading(self, llm_for: Make) -> VisionTool:
        policy = FetchPolicy(allow_http=True, allow_private=True)
        llm = llm_for(image_urls="inline", fetch_policy=policy)
        return VisionTool(llm=llm, images=ImageReferences(allowed_hosts="localhost"))

    @pytest.mark.parametrize("way", ["invoke", "ainvoke"])
    async def test_stay_at_the_allowed_hosts(
        self, downloading: VisionTool, web: PictureServer, api_server: ApiServer, way: str
    ) -> None:
        here = await call(downloading, way, f"http://localhost:{web.port}/here")
        assert "mean #ff0000" in here.text
        sent = len(api_server.requests)
        away = await call(downloading, way, f"http://localhost:{web.port}/away")
        assert away.status == "error"
        assert "allowed_hosts" in away.text
        assert len(api_server.requests) == sent

    def test_of_a_registered_url_are_the_developers_own(
        self, downloading: VisionTool, web: PictureServer
    ) -> None:
        downloading.images.add(f"http://localhost:{web.port}/away", "sign")
        downloading.images.add(f"http://127.0.0.1:{web.port}/red.png", "red")
        for reference in ("sign", "red"):
            assert "mean #ff0000" in downloading.invoke({"question": "What?", "images": [reference]})
        assert downloading.llm.fetch_policy == FetchPolicy(allow_http=True, allow_private=True)


class Runs(BaseCallbackHandler):
    """Which run is whose part, and what tools were told to have said."""

    def __init__(self) -> None:
        self.tools: list[Any] = []
        self.parents: list[Any] = []
        self.outputs: list[Any] = []

    def on_tool_start(self, *_: Any, run_id: Any, **named: Any) -> None:
        self.tools.append(run_id)

    def on_chat_model_start(self, *_: Any, parent_run_id: Any = None, **named: Any) -> None:
        self.parents.append(parent_run_id)

    def on_tool_end(self, output: Any, **_: Any) -> None:
        self.outputs.append(output)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_the_call_of_the_model_is_part_of_the_tools_run_and_counts_once(
    tool: VisionTool, api_server: ApiServer, way: str
) -> None:
    runs = Runs()
    given: dict[str, Any] = {"question": "What colour is it?", "images": ["blue"]}
    with get_firellava_callback() as cost:
        if way == "invoke":
            tool.invoke(given, {"callbacks": [runs]})
        else:
            await tool.ainvoke(given, {"callbacks": [runs]})
    assert runs.parents == runs.tools
    assert len(runs.outputs) == 1
    assert cost.successful_requests == 1
    (billed,) = api_server.billed
    assert (cost.prompt_tokens, cost.completion_tokens) == (billed.prompt, billed.completion)


def test_it_asks_the_default_model_unless_it_is_given_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRELLAVA_MODEL", QWEN_MAX)
    assert VisionTool().llm.model == QWEN_MAX
    assert VisionTool(llm={"model": "firellava-13b"}).llm.model == FIRELLAVA_13B


def test_what_it_is_made_from_is_checked_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="no setting 'colour'"):
        VisionTool(llm={"colour": "red", "api_key": "fw_secret"})
    with pytest.raises(ConfigurationError, match=r"VisionTool: images: .* ImageReferences"):
        VisionTool(images="photos")
    with pytest.raises(ConfigurationError, match="VisionTool: there is no setting 'api_key'") as caught:
        VisionTool(api_key="fw_secret")  # type: ignore[call-arg] # it is one of the llm's
    assert "fw_secret" not in str(caught.value)


def test_it_tells_a_model_nothing_of_its_key_or_images(tool: VisionTool, api_server: ApiServer) -> None:
    shown = f"{tool!r} {tool}"
    assert api_server.key not in shown
    assert "iVBOR" not in shown
