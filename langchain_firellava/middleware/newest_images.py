"""`NewestImagesMiddleware`: of an agent's images its model is shown the newest only.

It needs ``langchain``, which only the middlewares of this package do. Annotations of hooks are read at run
time by LangGraph, so none hides behind TYPE_CHECKING.
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse

from firellava.errors import ConfigurationError
from firellava.requests import LEFT_OUT
from langchain_firellava.images.places import map_images

__all__ = ["NewestImagesMiddleware"]


class NewestImagesMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Shows an agent's model the newest images of the conversation; where an older one stood, a text says so.

        agent = create_agent(llm, tools, middleware=[NewestImagesMiddleware(keep=2)])

    The API keeps no state, so every image is sent, and paid for, again with every call of a model. The state
    keeps them all: this concerns what is sent. Images of users, tools and models count alike, inlined or by
    URL, and of several in one message the later ones are newer; those of the system prompt are always shown.

    It works for any chat model. `ChatFireLLaVA` does the same by itself with ``keep_images=``, outside agents
    too. Put it before `ImageRedactionMiddleware` in the list, so that images which are not shown are not
    fetched, and before `BudgetMiddleware`, which looks at what is sent.

    Args:
        keep: how many images are shown.

    Raises:
        ConfigurationError: `keep` is no whole number from 1.
    """

    def __init__(self, keep: int) -> None:
        super().__init__()
        self._keep = _checked(keep)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Ask the model with the newest images."""
        return handler(request.override(messages=_newest(request.messages, self._keep)))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The asynchronous twin of `wrap_model_call`."""
        return await handler(request.override(messages=_newest(request.messages, self._keep)))


def _newest(messages: list[Any], keep: int) -> list[Any]:
    contents = [message.content for message in messages]
    images: list[dict[str, Any]] = []

    def count(block: dict[str, Any]) -> dict[str, Any]:
        images.append(block)
        return block

    map_images(contents, count)
    older = len(images) - keep
    if older <= 0:
        return messages
    places = itertools.count()

    def kept(block: dict[str, Any]) -> dict[str, Any]:
        return {"type": "text", "text": LEFT_OUT} if next(places) < older else block

    shown = map_images(contents, kept)
    return [
        message if content is message.content else message.model_copy(update={"content": content})
        for message, content in zip(messages, shown, strict=True)
    ]


def _checked(keep: object) -> int:
    if isinstance(keep, int) and not isinstance(keep, bool) and keep >= 1:
        return keep
    raise ConfigurationError("keep takes a whole number of images from 1.")
