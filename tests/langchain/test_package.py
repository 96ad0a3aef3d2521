"""What the package offers, and what it says where LangChain is not installed."""

import subprocess
import sys


def test_without_langchain_it_tells_what_to_install() -> None:
    code = """
import sys
sys.modules["langchain_core"] = None
try:
    import langchain_firellava
except ImportError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert ran.stdout == 'langchain_firellava needs an extra: pip install "firellava[langchain]"\n'
