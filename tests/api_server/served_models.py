"""The models this server knows, and the rules that differ between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from types import MappingProxyType

from tests.api_server.errors import Refusal

FIRELLAVA_13B = "accounts/fireworks/models/firellava-13b"
QWEN_MAX = "accounts/fireworks/models/qwen3p8-max"

LLAVA_SYSTEM_PROMPT = (
    "A chat between a curious user and an artificial intelligence. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What the contract depends on: context in tokens, tokens per image by its size, capabilities."""

    context: int
    image_tokens: Callable[[int, int], int]
    default_system_prompt: str | None = None
    tools: bool = False
    reasoning: bool = False


def _tokens_at_336(width: int, height: int) -> int:
    """24 x 24 patches, whatever the size: the documented 576 tokens of FireLLaVA."""
    return 576


def _tokens_by_patch(width: int, height: int) -> int:
    """One token per 28 x 28 patch and two marks around them: invented, the API documents no rule."""
    return ceil(width / 28) * ceil(height / 28) + 2


SERVED_MODELS: Mapping[str, ServedModel] = MappingProxyType(
    {
        FIRELLAVA_13B: ServedModel(4096, _tokens_at_336, default_system_prompt=LLAVA_SYSTEM_PROMPT),
        QWEN_MAX: ServedModel(262_144, _tokens_by_patch, tools=True, reasoning=True),
    },
)


def find_model(model_id: str, deployments: Mapping[str, str]) -> ServedModel:
    """The model behind an id; `deployments` maps further ids to served ones. Raises a 404."""
    model = SERVED_MODELS.get(deployments.get(model_id, model_id))
    if model is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "Model not found, inaccessible, and/or not deployed")
    return model
