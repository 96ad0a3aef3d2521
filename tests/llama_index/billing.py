"""What the server counted, as the truth for all who counts."""

from decimal import Decimal
from typing import NamedTuple

from llama_index_firellava.callbacks import FireLLaVACostHandler
from tests.api_server import ApiServer


class Counts(NamedTuple):
    """Answers and their tokens."""

    answers: int
    prompt: int
    image: int
    completion: int

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    @property
    def dollars(self) -> Decimal:
        """What FireLLaVA's tokens cost."""
        return self.total * Decimal("0.20") / 1_000_000


def billed(server: ApiServer) -> Counts:
    """The answers the server made."""
    usages = server.billed
    return Counts(
        len(usages),
        sum(usage.prompt for usage in usages),
        sum(usage.image for usage in usages),
        sum(usage.completion for usage in usages),
    )


def counted(cost: FireLLaVACostHandler) -> Counts:
    """The answers the handler counted."""
    assert cost.total_tokens == cost.prompt_tokens + cost.completion_tokens
    return Counts(
        cost.successful_requests, cost.prompt_tokens, cost.prompt_image_tokens, cost.completion_tokens
    )
