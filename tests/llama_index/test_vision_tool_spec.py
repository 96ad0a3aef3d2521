"""`VisionToolSpec`: what its tools tell a model, what they ask, what comes back, and what they refuse."""

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput

from firellava import OfflineReader
from firellava.costs.budget import Budget
from firellava.errors import AuthenticationFailed, BudgetExceeded, MissingKey, UnreadableImage
from firellava.image_references import ImageReferences
from firellava.images.fetch_policy import FetchPolicy
from llama_index_firellava import FireLLaVA, FireLLaVACostHandler
from llama_index_firellava.tools import VisionAnswer, VisionToolSpec
from tests.api_server import FIRELLAVA_13B, QWEN_MAX, ApiServer, Fault
from tests.api_server.plain_requests import encoded
from tests.core.images.picture_server import PictureServer, answer, redirect

Make = Callable[..., FireLLaVA]

BLUE = encoded("PNG", (336, 336), "#336699")
RED = encoded("PNG", (336, 336), "#ff0000")


@pytest.fixture
def images(tmp_path: Path) -> ImageReferences:
    """A registered image, a folder with another, and a host."""
    (tmp_path / "red.png").write_bytes(RED)
    return ImageReferences({"blue": BLUE}, image_roots=tmp_path, allowed_hosts="img.example.com")


@pytest.fixture
def spec(llm: FireLLaVA, images: ImageReferences) -> VisionToolSpec:
    return VisionToolSpec(llm, images)


def tools_of(spec: VisionToolSpec) -> dict[str, FunctionTool]:
    return {str(tool.metadata.name): tool for tool in spec.to_tool_list()}


async def call(spec: VisionToolSpec, way: str, name: str, **arguments: str) -> ToolOutput:
    """Call a tool as an agent does."""
    tool = tools_of(spec)[name]
    return await tool.acall(**arguments) if way == "acall" else tool.call(**arguments)


both_ways = pytest.mark.parametrize("way", ["call", "acall"])


@both_ways
class TestAnAnswer:
    async def test_is_text_with_what_is_known_of_it_beside(
        self, spec: VisionToolSpec, api_server: ApiServer, way: str
    ) -> None:
        output = await call(spec, way, "ask", question="What colour is it?", image="blue")
        assert output.content == "question: What colour is it? | image 1: PNG 336x336 mean #336699"
        assert not output.is_error
        assert output.raw_input["kwargs"] == {"question": "What colour is it?", "image": "blue"}
        details = output.raw_output
        assert json.loads(json.dumps(details)) == details
        assert details["images"] == [
            {
                "reference": "blue",
                "content_hash": spec.images.resolve("blue").content_hash,
                "mime_type": "image/png",
                "size": [336, 336],
            }
        ]
        assert (details["model"], details["backend"]) == (FIRELLAVA_13B, "fireworks:firellava-13b")
        assert (details["degraded"], details["fallback_from"]) == (False, [])
        (billed,) = api_server.billed
        assert details["usage"]["prompt_tokens"] == billed.prompt
        assert details["usage"]["completion_tokens"] == billed.completion
        assert details["usage"]["image_tokens"] == 576
        assert float(details["cost_usd"]) > 0

    async def test_describes_an_image_and_its_text(self, spec: VisionToolSpec, way: str) -> None:
        output = await call(spec, way, "caption", image="red.png")
        assert output.content.startswith("question: Describe this image")
        assert output.content.endswith("image 1: PNG 336x336 mean #ff0000")

    async def test_compares_two_images_by_the_names_the_agent_has_for_them(
        self, llm_for: Make, images: ImageReferences, api_server: ApiServer, way: str
    ) -> None:
        api_server.host_image("https://img.example.com/a.png", BLUE)
        spec = VisionToolSpec(llm_for(model=QWEN_MAX), images)
        both = {"first_image": "https://img.example.com/a.png", "second_image": "red.png"}
        output = await call(spec, way, "compare", **both)
        assert "Image 1, 'https://img.example.com/a.png':\nImage 2, 'red.png':\nWhat is the same" in (
            output.content
        )
        assert [image.mean for image in api_server.requests[0].images] == ["#336699", "#ff0000"]
        assert [image["reference"] for image in output.raw_output["images"]] == list(both.values())
        output = await call(spec, way, "compare", **both, question="Which one is red?")
        assert "Which one is red?" in output.content
        assert "What is the same" not in output.content

    @pytest.mark.engine("rapidocr")
    async def test_of_something_that_sees_no_images_says_so_to_the_model(
        self, receipt: Path, way: str
    ) -> None:
        images = ImageReferences({"receipt": receipt})
        spec = VisionToolSpec(FireLLaVA(fallback=OfflineReader()), images)
        output = await call(spec, way, "ask", question="What is the total?", image="receipt")
        assert output.content.startswith("$49.98\n\n[The vision model could not be asked.")
        assert output.raw_output["degraded"] is True
        assert output.raw_output["fallback_from"][0]["reason"].startswith("MissingKey")

    async def test_counts_once_in_the_cost_handler(
        self, spec: VisionToolSpec, api_server: ApiServer, way: str
    ) -> None:
        with FireLLaVACostHandler() as cost:
            await call(spec, way, "ask", question="What colour is it?", image="blue")
        (billed,) = api_server.billed
        assert cost.total_tokens == billed.prompt + billed.completion
        assert len(cost.ledger.entries) == 1


class TestTheModelIsTold:
    def arguments(self, spec: VisionToolSpec, name: str) -> dict[str, Any]:
        described = tools_of(spec)[name].metadata.to_openai_tool()["function"]
        arguments: dict[str, Any] = described["parameters"]["properties"]
        return arguments

    def test_of_three_tools(self, spec: VisionToolSpec) -> None:
        described = [tool.metadata.to_openai_tool()["function"] for tool in spec.to_tool_list()]
        assert [(tool["name"], tool["parameters"]["required"]) for tool in described] == [
            ("ask", ["question", "image"]),
            ("caption", ["image"]),
            ("compare", ["first_image", "second_image"]),
        ]
        for tool in described:
            types = {argument["type"] for argument in tool["parameters"]["properties"].values()}
            assert types == {"string"}
            assert tool["description"].endswith("as text.")

    def test_which_images_there_are_now(self, spec: VisionToolSpec) -> None:
        tool = tools_of(spec)["compare"]
        spec.images.add(RED, "stop-sign")
        for name in ("first_image", "second_image"):
            described = tool.metadata.get_parameters_dict()["properties"][name]["description"]
            assert "'blue', 'stop-sign'" in described
        assert "'stop-sign'" in tool.metadata.fn_schema_str
        assert "'img.example.com'" in self.arguments(spec, "ask")["image"]["description"]
        assert "complete and specific question" in self.arguments(spec, "ask")["question"]["description"]

    def test_what_the_developer_says_instead(self, spec: VisionToolSpec) -> None:
        told = ToolMetadata("Look.", "look")
        (tool,) = spec.to_tool_list([("ask", "aask")], {"ask": told})
        assert tool.metadata is told

    def test_of_the_tools_of_a_class_of_ones_own_too(self, llm: FireLLaVA, images: ImageReferences) -> None:
        class Mine(VisionToolSpec):
            spec_functions = [*VisionToolSpec.spec_functions, "count"]  # noqa: RUF012 - as the class has it

            def count(self, what: str) -> int:
                """Count something."""
                return len(what)

        *_, tool = Mine(llm, images).to_tool_list()
        assert tool.metadata.description == "count(what: str) -> int\nCount something."
        assert tool.call(what="abc").raw_output == 3


@both_ways
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
        self, spec: VisionToolSpec, api_server: ApiServer, tmp_path: Path, way: str, reference: str, told: str
    ) -> None:
        (tmp_path / "notes.txt").write_text("hunter2 is the password")
        (tmp_path / "cut.png").write_bytes(RED[:200])
        output = await call(spec, way, "caption", image=reference)
        assert output.is_error
        assert output.content.startswith(told)
        assert output.raw_output == {}
        assert str(tmp_path) not in output.content
        assert api_server.requests == []

    async def test_with_the_question_is_told_to_the_model(self, spec: VisionToolSpec, way: str) -> None:
        output = await call(spec, way, "ask", question=" ", image="blue")
        assert output.is_error
        assert output.content.startswith("The question is empty:")

    async def test_at_the_server_is_told_to_the_model_if_it_may_pass(
        self, llm_for: Make, images: ImageReferences, api_server: ApiServer, way: str
    ) -> None:
        spec = VisionToolSpec(llm_for(max_retries=0), images)
        api_server.fail_next(Fault(status=503))
        output = await call(spec, way, "caption", image="blue")
        assert output.is_error
        assert output.content.endswith("Ask again once; if that fails too, go on without an answer.")
        assert not (await call(spec, way, "caption", image="blue")).is_error

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"api_key": None}, MissingKey),
            ({"api_key": "fw_of_somebody_else"}, AuthenticationFailed),
            ({"budget": Budget(usd="0.0000001")}, BudgetExceeded),
        ],
    )
    async def test_and_no_model_could_mend_is_raised(
        self, llm_for: Make, images: ImageReferences, way: str, settings: Any, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            await call(VisionToolSpec(llm_for(**settings), images), way, "caption", image="blue")


async def test_the_functions_themselves_answer_with_a_text_and_more(spec: VisionToolSpec) -> None:
    for found in (spec.ask("What colour?", "blue"), await spec.aask("What colour?", "blue")):
        assert found == "question: What colour? | image 1: PNG 336x336 mean #336699"
        assert found.details["degraded"] is False
        assert found.error is None
    for missing in (spec.caption("bleu"), await spec.acaption("bleu")):
        assert missing.startswith("There is no image 'bleu'.")
        assert missing.details == {}
        assert isinstance(missing.error, UnreadableImage)


def test_an_answer_travels_in_a_pickle(spec: VisionToolSpec) -> None:
    found = spec.caption("blue")
    copy = pickle.loads(pickle.dumps(found))  # noqa: S301 - pickled on this line
    assert isinstance(copy, VisionAnswer)
    assert (copy, copy.details, copy.error) == (found, found.details, None)


def test_without_an_llm_the_default_one_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRELLAVA_MODEL", QWEN_MAX)
    spec = VisionToolSpec()
    assert spec.llm.metadata.model_name == "qwen3p8-max"
    with pytest.raises(MissingKey):
        spec.caption(spec.images.add(BLUE))


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
    def downloading(self, llm_for: Make) -> VisionToolSpec:
        policy = FetchPolicy(allow_http=True, allow_private=True)
        llm = llm_for(image_urls="inline", fetch_policy=policy)
        return VisionToolSpec(llm, ImageReferences(allowed_hosts="localhost"))

    @both_ways
    async def test_stay_at_the_allowed_hosts(
        self, downloading: VisionToolSpec, web: PictureServer, api_server: ApiServer, way: str
    ) -> None:
        here = await call(downloading, way, "caption", image=f"http://localhost:{web.port}/here")
        assert "mean #ff0000" in here.content
        sent = len(api_server.requests)
        away = await call(downloading, way, "caption", image=f"http://localhost:{web.port}/away")
        assert away.is_error
        assert "allowed_hosts" in away.content
        assert len(api_server.requests) == sent

    def test_of_a_registered_url_are_the_developers_own(
        self, downloading: VisionToolSpec, web: PictureServer
    ) -> None:
        for path in ("away", "red.png"):
            known = downloading.images.add(f"http://localhost:{web.port}/{path}")
            assert "mean #ff0000" in downloading.caption(known)
        assert downloading.llm.fetch_policy == FetchPolicy(allow_http=True, allow_private=True)
