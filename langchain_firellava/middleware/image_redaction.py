"""`ImageRedactionMiddleware`: images stay out of an agent's state, and so out of its checkpoints.

It needs ``langchain``, which only the middlewares of this package do. Annotations of hooks are read at run
time by LangGraph, so none hides behind TYPE_CHECKING.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import ToolMessage
from langchain_core.stores import BaseStore, InMemoryByteStore
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.runtime import Runtime
from langgraph.types import Command

from firellava.errors import ConfigurationError
from firellava.offload import in_thread
from langchain_firellava.images.stored import image_names, put_back, take_out

__all__ = ["ImageFreeSerializer", "ImageRedactionMiddleware"]

_Value = TypeVar("_Value")


class ImageRedactionMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Moves inlined images out of an agent's messages; its model sees them all the same.

        redaction = ImageRedactionMiddleware(LocalFileStore("images"))  # of langchain_classic.storage
        saver = SqliteSaver(connection, serde=redaction.serializer())
        agent = create_agent(llm, tools, middleware=[redaction], checkpointer=saver)
        agent.invoke({"messages": [HumanMessage(["What is this?", image_block("photo.jpg")])]}, thread)

    In the messages of the state stands a reference instead, some ninety characters that name the image by its
    hash; for each call of the model, and only for it, the images are put back as they were. That goes for
    what users send, what tools answer with and what models draw, in content blocks of any provider; what a
    tool puts into its artifact in a form of its own stays there. Images given by URL hold no pixels and stay.
    Tools that read the state see references; `restored` gives them the images.

    **The first checkpoints of a run** hold what `invoke` was given: LangGraph writes the input (step -1, and
    what is pending after it) and the messages with it (step 0) before any middleware runs. So either give the
    checkpointer the `serializer` of this middleware, which lets no image through whoever wrote it; or, where
    the checkpointer is not yours to make, give the agent an input that went through `redacted`. Without both,
    the images of the input stay in those first checkpoints; what follows has none. (With
    ``durability="exit"`` only the last one is written.)

    **The order** in the list: after `NewestImagesMiddleware`, so that images which are not shown are not
    fetched, and before `BudgetMiddleware`, which looks at what is sent. Before `ModelRetryMiddleware` and
    `ModelFallbackMiddleware` images are fetched once for all attempts; after them it works too.
    `SummarizationMiddleware` may stand anywhere. What asks a model about the messages by itself, such as
    `LLMToolSelectorMiddleware`, comes after it.

    Callbacks and traces of the agent see references as well; those of the model and of a tool see what the
    one is sent and the other answers: `redact_images` is for them.

    Args:
        store: where the images are kept, as bytes by their hash, each once: any byte store of LangChain. By
            default in memory, for as long as this object lives: with a checkpointer that outlives the process
            give a store that does, too. Nothing is ever deleted from it. Whoever may put messages into an
            agent can refer to any image in its store whose hash they know: where tenants must not see each
            other's images, give each a store of its own. An image that is gone, or was changed, is told to
            the model as a text.

    Raises:
        ConfigurationError: `store` is no byte store.
    """

    def __init__(self, store: BaseStore[str, bytes] | None = None) -> None:
        super().__init__()
        if store is not None and not isinstance(store, BaseStore):
            raise ConfigurationError(
                f"ImageRedactionMiddleware takes a byte store of LangChain, not {type(store).__name__}: for "
                "a folder, LocalFileStore(folder) of langchain_classic.storage."
            )
        self._store: BaseStore[str, bytes] = InMemoryByteStore() if store is None else store

    def redacted(self, value: _Value) -> _Value:
        """Messages, or anything that holds some, with references in the place of inlined images.

        What is given is not changed. What holds no inlined image is given back as it is.
        """
        without, images = take_out(value)
        if images:
            names = list(images)
            self._store.mset(_missing(images, self._store.mget(names)))
        return without

    async def aredacted(self, value: _Value) -> _Value:
        """The asynchronous twin of `redacted`."""
        without, images = await in_thread(take_out, value)
        if images:
            names = list(images)
            await self._store.amset(_missing(images, await self._store.amget(names)))
        return without

    def restored(self, value: _Value) -> _Value:
        """What `redacted` gave, with its images in their places again; a text stands where one is gone."""
        names = image_names(value)
        if not names:
            return value
        return put_back(value, dict(zip(names, self._store.mget(names), strict=True)))

    async def arestored(self, value: _Value) -> _Value:
        """The asynchronous twin of `restored`."""
        names = image_names(value)
        if not names:
            return value
        return await in_thread(put_back, value, dict(zip(names, await self._store.amget(names), strict=True)))

    def serializer(self) -> "ImageFreeSerializer":
        """What a checkpointer takes as ``serde=`` to write references in the place of images."""
        return ImageFreeSerializer(self)

    def before_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002 - LangChain's signature
        """A run begins: the images of its input leave the state."""
        return _changed(state["messages"], self.redacted(state["messages"]))

    async def abefore_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002 - LangChain's signature
        """The asynchronous twin of `before_agent`."""
        return _changed(state["messages"], await self.aredacted(state["messages"]))

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Show the model the images, and keep those that it answers with out of the state."""
        shown = self.restored(request.messages)
        return self.redacted(handler(request.override(messages=shown)))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The asynchronous twin of `wrap_model_call`."""
        shown = await self.arestored(request.messages)
        return await self.aredacted(await handler(request.override(messages=shown)))

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Keep the images that a tool answers with out of the state."""
        return self.redacted(handler(request))

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """The asynchronous twin of `wrap_tool_call`."""
        return await self.aredacted(await handler(request))


class ImageFreeSerializer(JsonPlusSerializer):
    """LangGraph's serializer for checkpoints, with references in the place of inlined images.

    What is read stays without them: the middleware puts them back when its model is called. Any checkpointer
    takes it as ``serde=``, and so does an `EncryptedSerializer`, which then encrypts what it gives. It is
    synchronous, as all of them are: under an asynchronous checkpointer, too, it calls the synchronous methods
    of the store.

    Args:
        redaction: whose store takes the images.
    """

    def __init__(self, redaction: ImageRedactionMiddleware) -> None:
        super().__init__()
        self._redaction = redaction

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:  # noqa: ANN401 - whatever a graph's state holds
        """The object as bytes, and how they are to be read."""
        return super().dumps_typed(self._redaction.redacted(obj))


def _missing(images: dict[str, bytes], stored: list[bytes | None]) -> list[tuple[str, bytes]]:
    """What has yet to be stored. What is there already is not written anew: others may be reading it."""
    pairs = zip(images.items(), stored, strict=True)
    return [(name, image) for (name, image), held in pairs if held != image]


def _changed(before: list[Any], after: list[Any]) -> dict[str, Any] | None:
    """The messages that changed: by their ids they take the places of those in the state."""
    changed = [new for old, new in zip(before, after, strict=True) if new is not old]
    return {"messages": changed} if changed else None
