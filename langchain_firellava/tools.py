"""`VisionTool`: an agent asks about images that it names by a text.

Annotations here are read at run time, by pydantic and by LangChain, so none hides behind TYPE_CHECKING.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, NoReturn

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import ArgsSchema, BaseTool, ToolException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, SkipValidation, create_model

from firellava.agent_tools import (
    ASK,
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
from firellava.validation import OwnErrors
from langchain_firellava.call_details import is_marked_by_cache
from langchain_firellava.chat_models import ChatFireLLaVA
from langchain_firellava.images import image_block

__all__ = ["QuestionAboutImages", "VisionTool"]


def _several(images: Any) -> Any:  # noqa: ANN401 - whatever a model wrote; pydantic checks it
    """Models that look at one image often write a text in the place of a list."""
    return [images] if isinstance(images, str) else images


class QuestionAboutImages(BaseModel):
    """What a model writes to ask about images."""

    question: str = Field(description=QUESTION)
    images: Annotated[list[str], BeforeValidator(_several)] = Field(
        min_length=1, description="The images to look at."
    )


class VisionTool(OwnErrors, BaseTool):
    """Lets an agent look at images, by asking a vision model about them.

        images = ImageReferences(image_roots="photos")
        receipt = images.add("receipt.jpg")
        tool = VisionTool(llm=ChatFireLLaVA(fallback="auto"), images=images)
        agent = create_agent("…", [tool])
        agent.invoke({"messages": [HumanMessage(f"What is the total on {receipt}?")]})

    The agent's model need not see images itself, and its conversation holds none: an image is named by a
    text, so that messages, traces and checkpoints stay small. Only what `images` allows is looked at. What
    may be named is told to the model as it is at that moment, so images can be registered while an agent
    runs.

    The answer is the tool message's content, and says so where something other than a vision-language model
    gave it. Its ``artifact`` is a dict of plain JSON values: ``images`` (each with reference, content_hash,
    mime_type and size, as far as they are known here), ``usage``, ``cost_usd`` (a string, or None where it is
    unknown), ``backend``, ``model``, ``degraded``, ``fallback_from`` and more; no pixels.

    What goes wrong is told to the model as a tool message with ``status="error"``, so that it can name
    another image, ask differently or do without. What it can do nothing about is raised and ends the run:
    `BudgetExceeded`, any `ConfigurationError` such as `MissingKey`, a key, account or model that the server
    refuses; of several backends only if all of them failed for such a reason.

    The call of the vision model is part of the tool's run: callbacks, tracers and streams see it there, and
    `FireLLaVACostHandler` counts it. The tag ``nostream`` on the `llm` keeps its words out of LangGraph's
    streams.

    Attributes:
        llm: the vision model, or its settings as a dict.
        images: what may be looked at.

    Raises:
        ConfigurationError: a setting is unknown or wrong.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = "ask_about_images"
    description: str = ASK
    args_schema: Annotated[ArgsSchema | None, SkipValidation()] = QuestionAboutImages
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: bool | str | Callable[[ToolException], str] | None = True
    llm: ChatFireLLaVA = Field(default_factory=ChatFireLLaVA)
    images: InstanceOf[ImageReferences] = Field(default_factory=ImageReferences)

    @property
    def tool_call_schema(self) -> ArgsSchema:
        """The arguments as a model is told of them now, with the images that it may name."""
        if self.args_schema is not QuestionAboutImages:
            return super().tool_call_schema
        return _arguments(self.name, self.description, which_image(self.images.forms, several=True))

    def _run(self, question: str, images: list[str]) -> tuple[str, dict[str, Any]]:
        try:
            referred, message = self._question(question, images)
            # LangChain's context variables make this a part of the tool's run, with its callbacks and tags.
            answer = self._llm_for(referred).invoke([message])
        except FireLLaVAError as error:
            _tell(error)
        return _told(referred, answer)

    async def _arun(self, question: str, images: list[str]) -> tuple[str, dict[str, Any]]:
        try:
            referred, message = await in_thread(self._question, question, images)
            answer = await self._llm_for(referred).ainvoke([message])
        except FireLLaVAError as error:
            _tell(error)
        return _told(referred, answer)

    def _question(self, question: str, images: Sequence[str]) -> tuple[list[ReferredImage], HumanMessage]:
        referred = [self.images.resolve(reference) for reference in images]
        content: list[str | dict[str, Any]] = [
            image_block(part.source) if isinstance(part, ReferredImage) else {"type": "text", "text": part}
            for part in question_parts(question, referred)
        ]
        return referred, HumanMessage(content)

    def _llm_for(self, images: Sequence[ReferredImage]) -> ChatFireLLaVA:
        policy = self.images.fetch_policy(self.llm.fetch_policy, images)
        if policy == self.llm.fetch_policy:
            return self.llm
        return self.llm.model_copy(update={"fetch_policy": policy})


@lru_cache(maxsize=64)
def _arguments(name: str, description: str, images: str) -> type[BaseModel]:
    """`QuestionAboutImages` for one tool and the images it may look at."""
    described = Field(min_length=1, description=images)
    return create_model(
        name, __base__=QuestionAboutImages, __doc__=description, images=(list[str], described)
    )


def _told(images: Sequence[ReferredImage], answer: AIMessage) -> tuple[str, dict[str, Any]]:
    """The content and the artifact of the tool's message."""
    told = answer.response_metadata
    counted = dict(answer.usage_metadata or {})
    from_cache = is_marked_by_cache(counted)
    counted.pop("total_cost", None)
    text = answer_text(str(answer.text), degraded=bool(told.get("degraded")))
    return text, details_of_answer(images, told, counted or None, from_cache=from_cache)


def _tell(error: FireLLaVAError) -> NoReturn:
    if is_for_developer(error):
        raise error
    raise ToolException(error_text(error)) from error
