"""Asks about four pictures without a key and without a network, in the three ways there are: `make demo`.

No vision model is involved. The offline reader answers, says so, and declines what it cannot know; with
FIREWORKS_API_KEY set, the same lines of code ask FireLLaVA.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from langchain_core.messages import HumanMessage
from llama_index.core.schema import ImageDocument

from langchain_firellava import ChatFireLLaVA, image_block
from llama_index_firellava import FireLLaVA

PICTURES = Path(__file__).parent / "images"
QUESTIONS = (
    ("receipt.jpg", "What is the total?"),
    ("invoice.png", "What is the invoice number?"),
    ("sign.jpg", "What does the sign say?"),
    ("photograph.jpg", "What is the animal doing?"),
)


def by_command_line(picture: Path, question: str) -> str:
    """The answer of ``firellava ask``, which goes to standard output."""
    command = [sys.executable, "-m", "firellava", "ask", str(picture), question]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours


def by_langchain(picture: Path, question: str) -> str:
    """The answer of a LangChain chat model."""
    llm = ChatFireLLaVA(fallback="auto")
    message = HumanMessage([{"type": "text", "text": question}, image_block(picture)])
    return str(llm.invoke([message]).content)


def by_llama_index(picture: Path, question: str) -> str:
    """The answer of a LlamaIndex LLM."""
    llm = FireLLaVA(fallback="auto")
    return str(llm.complete(question, image_documents=[ImageDocument(image_path=str(picture))]))


def main() -> None:
    """Ask everything in every way."""
    os.environ.pop("FIREWORKS_API_KEY", None)
    ways = (
        ("The command line: firellava ask PICTURE QUESTION", by_command_line),
        ('LangChain: ChatFireLLaVA(fallback="auto")', by_langchain),
        ('LlamaIndex: FireLLaVA(fallback="auto")', by_llama_index),
    )
    print("No key, no network: the offline reader reads the text in each picture.")
    for title, ask in ways:
        print(f"\n{title}")
        for name, question in QUESTIONS:
            answer = " / ".join(ask(PICTURES / name, question).split("\n")).strip(" /")
            print(f"  {name:<15} {question:<28} {answer}")


if __name__ == "__main__":
    main()
