"""All reasons for which this package's requests differ from langchain-openai's and langchain-fireworks's."""

from tests.langchain.differences.bindings import BINDINGS
from tests.langchain.differences.conversations import CONVERSATIONS
from tests.langchain.differences.difference import Difference, Peer, is_of_kind

__all__ = ["DIFFERENCES", "Difference", "Peer", "is_of_kind"]

DIFFERENCES = (*CONVERSATIONS, *BINDINGS)
