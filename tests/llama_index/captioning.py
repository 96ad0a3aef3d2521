"""Pictures of one colour in files, and an embedding that finds a caption by its words."""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode

from llama_index_firellava.captions.captioner import ImageCaptioner
from tests.api_server.plain_requests import encoded

Caption = Callable[[ImageCaptioner, Sequence[BaseNode]], list[BaseNode]]

_DIMENSIONS = 64


def write_pictures(folder: Path, colours: Iterable[str]) -> list[Path]:
    """A PNG for each colour (``#rrggbb``), named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{colour[1:]}.png" for colour in colours]
    for path in paths:
        path.write_bytes(encoded("PNG", (64, 64), f"#{path.stem}"))
    return paths


class WordEmbedding(BaseEmbedding):
    """A text's words, each counted in a place that its name decides."""

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [0.0] * _DIMENSIONS
        for word in re.findall(r"[#\w]+", text.casefold()):
            vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % _DIMENSIONS] += 1.0
        length = math.hypot(*vector) or 1.0
        return [number / length for number in vector]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
