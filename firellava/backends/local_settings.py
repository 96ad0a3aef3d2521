"""Where to look for models on this machine, from the environment.

- ``FIRELLAVA_LOCAL_URL``: a model server, on this machine or another that you trust with your images.
- ``FIRELLAVA_LOCAL_PORTS``: where to look for servers on 127.0.0.1, separated by commas; an empty text looks
  nowhere. Default: where the well-known servers listen (`WELL_KNOWN_PORTS`).
  On a machine that you share with others, anyone may listen there: name the ports that are yours.
- ``FIRELLAVA_LOCAL_MODEL`` and ``FIRELLAVA_LOCAL_MMPROJ``: a GGUF model and its vision projector.
- ``FIRELLAVA_LOCAL_CHECKPOINT``: the folder of a transformers checkpoint.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WELL_KNOWN_PORTS", "LocalSettings"]

WELL_KNOWN_PORTS: Final[Mapping[int, str]] = MappingProxyType(
    {11434: "Ollama", 1234: "LM Studio", 8080: "llama-server", 8000: "vLLM", 30000: "SGLang"}
)
"""Where model servers listen unless they are told otherwise, in the order in which they are preferred."""

_UNKNOWN: Final = "model server"
_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Where to look.

    Attributes:
        url: the base URL of a server, with its ``/v1``; or None.
        ports: of this machine.
        model_path: a GGUF model, or None.
        mmproj_path: its vision projector, or None.
        checkpoint_path: the folder of a transformers checkpoint, or None.
    """

    url: str | None = None
    ports: tuple[int, ...] = tuple(WELL_KNOWN_PORTS)
    model_path: Path | None = None
    mmproj_path: Path | None = None
    checkpoint_path: Path | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that the text of this module lists.

        Raises:
            ConfigurationError: one of them is malformed.
        """
        return cls(
            url=_url(os.environ.get("FIRELLAVA_LOCAL_URL")),
            ports=_ports(os.environ.get("FIRELLAVA_LOCAL_PORTS")),
            model_path=_path(os.environ.get("FIRELLAVA_LOCAL_MODEL")),
            mmproj_path=_path(os.environ.get("FIRELLAVA_LOCAL_MMPROJ")),
            checkpoint_path=_path(os.environ.get("FIRELLAVA_LOCAL_CHECKPOINT")),
        )

    @property
    def addresses(self) -> dict[str, str]:
        """The base URLs to ask and what each port hints at, the configured one first, none twice."""
        kinds = {f"http://127.0.0.1:{port}/v1": WELL_KNOWN_PORTS.get(port, _UNKNOWN) for port in self.ports}
        if self.url is None:
            return kinds
        kinds.pop(self.url.replace("//localhost:", "//127.0.0.1:"), None)
        return {self.url: WELL_KNOWN_PORTS.get(urlsplit(self.url).port or 0, _UNKNOWN), **kinds}


def _url(text: str | None) -> str | None:
    if not text:
        return None
    try:
        url = OpenAICompatibleBackend(base_url=text, model="any").base_url
        _ = urlsplit(url).port
    except (ConfigurationError, ValueError) as error:
        raise ConfigurationError(f"FIRELLAVA_LOCAL_URL: {error}") from None
    return url


def _ports(text: str | None) -> tuple[int, ...]:
    if text is None:
        return tuple(WELL_KNOWN_PORTS)
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(_PORT.fullmatch(word) and 0 < int(word) < 1 << 16 for word in words):
        raise ConfigurationError("FIRELLAVA_LOCAL_PORTS: ports are numbers separated by commas: 11434,8080.")
    return tuple(dict.fromkeys(map(int, words)))


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
