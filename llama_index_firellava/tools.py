"""`VisionToolSpec`: an agent asks about, describes and compares images that it names by a text.

Annotations of the tools' functions are read at run time by LlamaIndex, so none hides behind TYPE_CHECKING.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Self

from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.tools.utils import create_schema_from_function

from firellava import ImagePart, Message, Reply, TextPart
from firellava.agent_tools import (
    ASK,
    CAPTION,
    COMPARE,
    DESCRIBE,
    DIFFERENCES,
    QUESTION,
    answer_text,
    details_of_answer,
    error_text,
    is_for_developer,
    question_parts,
    which_image,
)
from firellava.errors import FireLLaVAError
from firellava.image_references import ImageReferences, ReferredImage
from firellava.offload import in_thread
from llama_index_firellava.llms import FireLLaVA
from llama_index_firellava.reported_questions import ReportedQuestions

__all__ = ["VisionAnswer", "VisionToolSpec"]

_DESCRIPTIONS = {"ask": ASK, "caption": CAPTION, "compare": COMPARE}
"""What a model is told of the tools."""

_IMAGES = ("image", "first_image", "second_image")
"""The arguments that name an image."""


class VisionAnswer(str):
    """An answer: the text that an agent's model reads, with what a developer may want to know.

    Attributes:
        details: plain JSON values, without pixels: ``images`` (each with reference, content_hash, mime_type
            and size, as far as they are known here), ``usage``, ``cost_usd``, ``backend``, ``model``,
            ``degraded``, ``fallback_from`` and more. Empty in place of an answer.
        error: why there is no answer; None where there is one.
    """

    __slots__ = ("details", "error")

    details: dict[str, Any]
    error: FireLLaVAError | None

    def __new__(
        cls, text: str, details: dict[str, Any] | None = None, error: FireLLaVAError | None = None
    ) -> Self:
        """The answer with this text."""
        answer = super().__new__(cls, text)
        answer.details = details or {}
        answer.error = error
        return answer


class VisionToolSpec(BaseToolSpec):
    """Lets an agent look at images, by asking a vision model about them: ``ask``, ``caption``, ``compare``.

        images = ImageReferences(image_roots="photos")
        receipt = images.add("receipt.jpg")
        tools = VisionToolSpec(FireLLaVA(fallback="auto"), images).to_tool_list()
        agent = FunctionAgent(tools=tools, llm=llm)
        await agent.run(f"What is the total on {receipt}?")

    The agent's model need not see images itself: an image is named by a text. Only what `images` allows is
    looked at. What may be named is told to the model as it is at that moment, so images can be registered
    while an agent runs.

    An answer is a text, and says so where something other than a vision-language model gave it. What else is
    known of it is in `VisionAnswer.details`, and a tool's output has that as its ``raw_output``.

    What goes wrong is told as a text too, so that the model can name another image, ask differently or do
    without; the tool's output is then marked with ``is_error``. What the model can do nothing about is
    raised: `BudgetExceeded`, any `ConfigurationError` such as `MissingKey`, a key, account or model that the
    server refuses; of several backends only if all of them failed for such a reason. LlamaIndex's agents
    catch what tools raise and go on: to end a run there, look at ``tool_output.exception`` of the events.

    Args:
        llm: the vision model; by default `FireLLaVA` with its default settings.
        images: what may be looked at.
    """

    spec_functions: list[SPEC_FUNCTION_TYPE] = [  # noqa: RUF012 - LlamaIndex's way to say it
        ("ask", "aask"),
        ("caption", "acaption"),
        ("compare", "acompare"),
    ]

    def __init__(self, llm: FireLLaVA | None = None, images: ImageReferences | None = None) -> None:
        self.llm = FireLLaVA() if llm is None else llm
        self.images = ImageReferences() if images is None else images

    def ask(self, question: Annotated[str, QUESTION], image: str) -> VisionAnswer:
        """Answer a question about an image.

        Args:
            question: what is to be known.
            image: a text that names an image; see `ImageReferences`.

        Raises:
            FireLLaVAError: an agent's model can do nothing about it.
        """
        return self._answer(question, image)

    async def aask(self, question: Annotated[str, QUESTION], image: str) -> VisionAnswer:
        """The asynchronous twin of `ask`."""
        return await self._aanswer(question, image)

    def caption(self, image: str) -> VisionAnswer:
        """Describe an image, and the text in it.

        Args:
            image: a text that names an image; see `ImageReferences`.

        Raises:
            FireLLaVAError: an agent's model can do nothing about it.
        """
        return self._answer(DESCRIBE, image)

    async def acaption(self, image: str) -> VisionAnswer:
        """The asynchronous twin of `caption`."""
        return await self._aanswer(DESCRIBE, image)

    def compare(
        self, first_image: str, second_image: str, question: Annotated[str, QUESTION] = DIFFERENCES
    ) -> VisionAnswer:
        """Answer a question about two images; by default, in what they differ.

        Args:
            first_image: a text that names an image; see `ImageReferences`.
            second_image: another one.
            question: what is to be known.

        Raises:
            FireLLaVAError: an agent's model can do nothing about it.
        """
        return self._answer(question, first_image, second_image)

    async def acompare(
        self, first_image: str, second_image: str, question: Annotated[str, QUESTION] = DIFFERENCES
    ) -> VisionAnswer:
        """The asynchronous twin of `compare`."""
        return await self._aanswer(question, first_image, second_image)

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """The tools, for an agent. The arguments are LlamaIndex's."""
        told = {name: self._metadata(name) for name in _DESCRIPTIONS} | (func_to_metadata_mapping or {})
        tools = super().to_tool_list(spec_functions, told)
        return [_AnsweringTool(fn=tool.fn, async_fn=tool.async_fn, metadata=tool.metadata) for tool in tools]

    def _metadata(self, name: str) -> ToolMetadata:
        schema = create_schema_from_function(name, getattr(self, name))
        return _MetadataOfTheMoment(_DESCRIPTIONS[name], name, schema, images=self.images)

    def _answer(self, question: str, *images: str) -> VisionAnswer:
        try:
            referred, message = self._question(question, images)
            return _told(referred, ReportedQuestions(self._llm_for(referred)).put(message))
        except FireLLaVAError as error:
            return _told_instead(error)

    async def _aanswer(self, question: str, *images: str) -> VisionAnswer:
        try:
            referred, message = await in_thread(self._question, question, images)
            return _told(referred, await ReportedQuestions(self._llm_for(referred)).aput(message))
        except FireLLaVAError as error:
            return _told_instead(error)

    def _question(self, question: str, images: Sequence[str]) -> tuple[list[ReferredImage], Message]:
        referred = [self.images.resolve(reference) for reference in images]
        parts = question_parts(question, referred)
        return referred, Message(
            "user", [TextPart(part) if isinstance(part, str) else ImagePart(part.source) for part in parts]
        )

    def _llm_for(self, images: Sequence[ReferredImage]) -> FireLLaVA:
        policy = self.images.fetch_policy(self.llm.fetch_policy, images)
        if policy == self.llm.fetch_policy:
            return self.llm
        return self.llm.model_copy(update={"fetch_policy": policy})


@dataclass
class _MetadataOfTheMoment(ToolMetadata):
    """What a model is told of a tool, with the images that it may name now."""

    images: ImageReferences = field(default_factory=ImageReferences)

    def get_parameters_dict(self) -> dict[str, Any]:
        parameters = super().get_parameters_dict()
        for name, argument in parameters["properties"].items():
            if name in _IMAGES:
                argument["description"] = which_image(self.images.forms)
        return parameters


class _AnsweringTool(FunctionTool):
    """A tool whose output says more of a `VisionAnswer` than its text."""

    def call(self, *args: Any, **kwargs: Any) -> ToolOutput:  # noqa: ANN401 - the function's own
        return _output(super().call(*args, **kwargs))

    async def acall(self, *args: Any, **kwargs: Any) -> ToolOutput:  # noqa: ANN401 - the function's own
        return _output(await super().acall(*args, **kwargs))


def _output(output: ToolOutput) -> ToolOutput:
    answer = output.raw_output
    if not isinstance(answer, VisionAnswer):
        return output
    return ToolOutput(
        tool_name=output.tool_name,
        content=str(answer),
        raw_input=output.raw_input,
        raw_output=answer.details,
        is_error=answer.error is not None,
        exception=answer.error,
    )


def _told(images: Sequence[ReferredImage], reply: Reply) -> VisionAnswer:
    usage = None if reply.usage is None else asdict(reply.usage)
    text = answer_text(reply.text, degraded=reply.degraded)
    return VisionAnswer(text, details_of_answer(images, reply.metadata(), usage))


def _told_instead(error: FireLLaVAError) -> VisionAnswer:
    if is_for_developer(error):
        raise error
    return VisionAnswer(error_text(error), error=error)
