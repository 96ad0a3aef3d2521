"""How many tokens a text has, in the form LlamaIndex asks for it: `text_tokenizer`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firellava.backends.base import Backend  # noqa: TC001 - pydantic reads annotations at run time
from firellava.costs.calibration import calibration_of
from firellava.costs.estimate import count_text_tokens
from llama_index_firellava.counting.image_tokens import asked_first

if TYPE_CHECKING:
    from llama_index_firellava.settings import FireLLaVASettings

__all__ = ["TextTokenizer", "text_tokenizer"]


@dataclass(frozen=True, slots=True)
class TextTokenizer:
    """Cuts a text into as many pieces as it has tokens. The pieces say nothing: LlamaIndex counts them only.

    Attributes:
        backend: whose model counts.
    """

    backend: Backend

    def __call__(self, text: str) -> list[int]:
        """A number for each token."""
        backend = self.backend
        return [0] * count_text_tokens(text, backend.model_card, calibration_of(backend.label))


def text_tokenizer(llm: FireLLaVASettings) -> TextTokenizer:
    """What LlamaIndex takes for a tokenizer, counting texts about as the LLM's model does.

        Settings.tokenizer = text_tokenizer(llm)
        ChatSummaryMemoryBuffer.from_defaults(llm=llm, tokenizer_fn=text_tokenizer(llm))

    The first is also what counts where a reply states no usage: LlamaIndex's TokenCountingHandler asks it for
    the texts of messages, whatever tokenizer it was given itself. It is an estimate, which gets closer with
    the replies of the model that this process has seen. Make another where the LLM was set to another model.
    """
    return TextTokenizer(asked_first(llm))
