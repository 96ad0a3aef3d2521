"""How many tokens a prompt takes, asked the way LangChain asks: for `trim_messages`, summaries and splitters.

LangChain's own answer downloads GPT-2's tokenizer and counts the base64 of an image as text. Nothing is
downloaded or opened here: images count by the model card's rule, text approximately.

Annotations here are read at run time by pydantic, so none hides behind TYPE_CHECKING.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from firellava.costs.calibration import calibration_of
from firellava.costs.estimate import count_prompt_tokens, count_text_tokens
from firellava.errors import UnsupportedCapability
from langchain_firellava.images.stored import with_stand_ins
from langchain_firellava.serialisation import SerialisableSettings
from langchain_firellava.translation.messages import to_core_messages

__all__ = ["TokenCounting"]


class TokenCounting(SerialisableSettings):
    """The counting methods of LangChain's models, for models with these settings.

    A tokenizer given as ``custom_get_token_ids`` takes the place of the estimate for single texts; nothing
    else knows token ids.
    """

    def get_token_ids(self, text: str) -> list[int]:
        """The ids of the tokens of a text, by the tokenizer that the model was given.

        Raises:
            UnsupportedCapability: it was given none.
        """
        tokenize = self._tokenizer()
        return _no_ids(self._model_name) if tokenize is None else tokenize(text)

    def get_num_tokens(self, text: str) -> int:
        """About how many tokens a text has, without the marks of a message around it."""
        tokenize = self._tokenizer()
        if tokenize is not None:
            return len(tokenize(text))
        backend = self._client().backend
        return count_text_tokens(text, backend.model_card, calibration_of(backend.label))

    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
    ) -> int:
        """About how many prompt tokens these messages take; their images exactly, where the card has a rule.

        No message takes none. Nothing is read or sent.

        Args:
            messages: a conversation, or a part of one.
            tools: as for ``bind_tools``; they count as their schemas.

        Raises:
            CostUnknown: there are images, and neither a rule, nor an earlier reply, nor a bound says what one
                takes.
            InvalidRequest: the model would not take these messages.
        """
        if not messages and not tools:
            return 0
        backend = self._client().backend
        return count_prompt_tokens(
            to_core_messages(with_stand_ins(messages)),
            backend.model_card,
            calibration_of(backend.label),
            tools=[convert_to_openai_tool(tool) for tool in tools or ()],
        )

    def _tokenizer(self) -> Callable[[str], list[int]] | None:
        return getattr(self, "custom_get_token_ids", None)


def _no_ids(model: str) -> NoReturn:
    raise UnsupportedCapability(
        f"The tokenizer of {model} is not at hand, so its token ids are unknown. get_num_tokens counts "
        "without them; where they are needed, give custom_get_token_ids=, a function from a text to its ids."
    )
