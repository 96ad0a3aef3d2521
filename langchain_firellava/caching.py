"""LangChain's cache, kept free of answers that are only a makeshift.

An answer of the offline reader given during an outage must not outlive the outage.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseLanguageModel
from langchain_core.outputs import ChatGeneration, Generation

__all__ = ["keeping_no_degraded_answers"]

_Model = TypeVar("_Model", bound=BaseLanguageModel[Any])


class _CacheOfTrueAnswers(BaseCache):
    """Another cache, which gets every answer but the degraded ones."""

    def __init__(self, cache: BaseCache) -> None:
        self._cache = cache

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return self._cache.lookup(prompt, llm_string)

    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        return await self._cache.alookup(prompt, llm_string)

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        if not _is_degraded(return_val):
            self._cache.update(prompt, llm_string, return_val)

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        if not _is_degraded(return_val):
            await self._cache.aupdate(prompt, llm_string, return_val)

    def clear(self, **kwargs: Any) -> None:  # noqa: ANN401 - as the base
        self._cache.clear(**kwargs)


def keeping_no_degraded_answers(model: _Model) -> _Model:
    """The model with the cache it would use, its own or the global one, closed to degraded answers."""
    if model.cache is False:
        return model
    cache = model.cache if isinstance(model.cache, BaseCache) else get_llm_cache()
    return model if cache is None else model.model_copy(update={"cache": _CacheOfTrueAnswers(cache)})


def _is_degraded(generations: Sequence[Generation]) -> bool:
    told = (
        generation.message.response_metadata
        if isinstance(generation, ChatGeneration)
        else generation.generation_info or {}
        for generation in generations
    )
    return any(metadata.get("degraded") for metadata in told)
