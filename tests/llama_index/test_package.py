"""What importing the package does, and says where LlamaIndex is missing."""

import subprocess
import sys

import pytest


def run(code: str) -> str:
    return subprocess.run(  # noqa: S603 - our own code and interpreter
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("missing", ["llama_index", "llama_index.core"])
def test_without_llama_index_the_error_names_the_extra(missing: str) -> None:
    said = run(
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try:\n    import llama_index_firellava\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    assert said.startswith("MissingExtra")
    assert 'pip install "firellava[llama-index]"' in said


def test_importing_it_warns_of_nothing_and_brings_in_no_other_framework() -> None:
    said = run(
        "import sys, llama_index_firellava\n"
        "print(sorted({'openai', 'langchain_core', 'langchain_firellava'} & sys.modules.keys()))"
    )
    assert said.strip() == "[]"
