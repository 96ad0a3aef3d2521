"""All kinds of backends there are, for reading one back from its serialised form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from firellava.backends.fireworks import FireworksBackend
from firellava.backends.llama_cpp import LlamaCppBackend
from firellava.backends.offline_reader import OfflineReader
from firellava.backends.openai_compatible import OpenAICompatibleBackend
from firellava.backends.transformers import TransformersBackend

__all__ = ["revive_backends"]

_Kind = FireworksBackend | OpenAICompatibleBackend | LlamaCppBackend | TransformersBackend | OfflineReader
_ANY: TypeAdapter[_Kind] = TypeAdapter(Annotated[_Kind, Field(discriminator="kind")])


def revive_backends(value: Any) -> Any:  # noqa: ANN401 - a setting of any form; VisionClient checks it
    """A ``backend=`` or ``fallback=`` setting with its serialised backends made into backends again.

    Whatever is no serialised backend, such as ``"auto"`` or a backend itself, is given back as it is.

    Raises:
        ConfigurationError: a serialised backend has a setting that is wrong.
        ValidationError: it is of no known kind.
    """
    if isinstance(value, Mapping):
        return _ANY.validate_python(value)
    return tuple(revive_backends(one) for one in value) if isinstance(value, list | tuple) else value
