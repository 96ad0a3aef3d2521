"""Two hundred conversations as LangChain users have them, and what is bound to the model they are for."""

from types import MappingProxyType

from tests.langchain.histories.answers import ANSWERS
from tests.langchain.histories.bindings import BINDINGS
from tests.langchain.histories.calls import CALLS
from tests.langchain.histories.history import History
from tests.langchain.histories.images import HOSTED, IMAGES
from tests.langchain.histories.texts import TEXTS

__all__ = ["HISTORIES", "HOSTED", "History"]

HISTORIES = MappingProxyType({**TEXTS, **IMAGES, **CALLS, **ANSWERS, **BINDINGS})
"""The conversations by their names."""
